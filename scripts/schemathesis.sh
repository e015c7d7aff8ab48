#!/usr/bin/env bash
# Asks a server what its OpenAPI document lets anybody ask, thousands of requests by Schemathesis, and compares each answer with the document.
#
#   scripts/schemathesis.sh [SEED]
#
# It builds the program, serves a new database with a thousand claims on a free port of the loopback interface, and stops that
# server by its process id.
# SECONDS_MAX (default 90) bounds the run, EXAMPLES (default 100) the requests for each operation and phase.
# Schemathesis is taken from VENV (default target/schemathesis), where it is installed if it is absent; where it cannot be, nothing is checked,
# and that is said. It exits with 1 if an answer is not as documented.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

VERSION=4.32.5
VENV=${VENV:-target/schemathesis}
seed=${1:-1}

say() {
    printf 'schemathesis: %s\n' "$*" >&2
}

install() {
    if [ -x "$VENV/bin/st" ]; then
        return 0
    fi
    python3 -m venv "$VENV" && timeout 300 "$VENV/bin/pip" install --quiet "schemathesis==$VERSION"
}

if ! install; then
    say "it could not be installed: answers are not compared with the document"
    exit 0
fi

cargo build -p stemedb-cli
home=$(mktemp -d)
server=

stop() {
    if [ -n "$server" ]; then
        kill "$server" 2>/dev/null || true
        wait "$server" || say "the server ended with status $?"
    fi
    rm -rf "$home"
}
trap stop EXIT

target/debug/stemedb -q --dir "$home/data" ingest examples/data/paris_monuments.ndjson >/dev/null
target/debug/stemedb --dir "$home/data" serve --listen 127.0.0.1:0 2>"$home/log" &
server=$!
url=
for _ in $(seq 200); do
    url=$(sed -n 's/^listening on \(http[^ ]*\)$/\1/p' "$home/log")
    [ -z "$url" ] || break
    sleep 0.1
done
if [ -z "$url" ]; then
    say "the server did not start:"
    cat "$home/log" >&2
    exit 1
fi

# Streams are left out by name: a feed does not end by itself, and of lines of JSON no schema can be given.
found=0
SCHEMATHESIS_HOOKS=schemathesis_hooks PYTHONPATH=scripts PYTHONDONTWRITEBYTECODE=1 NO_COLOR=1 \
    "$VENV/bin/st" --config-file scripts/schemathesis.toml run "$url/v1/openapi.json" \
    --seed "$seed" --max-examples "${EXAMPLES:-100}" --max-time "${SECONDS_MAX:-90}" --request-timeout 20 \
    --exclude-path /v1/changes --exclude-path /v1/records || found=$?
if ! kill -0 "$server" 2>/dev/null; then
    say "the server is gone:"
    cat "$home/log" >&2
    exit 1
fi
if grep -n ERROR "$home/log" >&2; then
    say "the server reported errors"
    exit 1
fi
exit "$found"
