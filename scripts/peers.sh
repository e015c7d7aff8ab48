#!/usr/bin/env bash
# The databases that the benchmarks compare with: installs, starts and stops them.
#
#   scripts/peers.sh install     Debian packages; needs root, starts no service
#   scripts/peers.sh start DIR   starts what is installed below DIR, and writes DIR/peers.env
#   scripts/peers.sh stop DIR    stops what was started there, by its process id, and nothing else
#
# They listen on Unix sockets below DIR and on a port of the loopback interface, run as an unprivileged user, and each
# waits for its disk as its documentation says: what it is told here, the published tables state.
set -euo pipefail

NOBODY=nobody

say() {
    printf 'peers: %s\n' "$*" >&2
}

install_all() {
    export DEBIAN_FRONTEND=noninteractive
    # With this run level no package starts a service.
    export RUNLEVEL=1
    apt-get -q update
    local package
    for package in postgresql-15 redis-server nats-server; do
        if ! apt-get -q install -y --no-install-recommends "$package"; then
            say "$package could not be installed: the benchmarks leave it out"
        fi
    done
}

# What makes a command that of somebody who owns nothing: PostgreSQL refuses to be root, and nobody else needs to be.
UNPRIVILEGED=()
if [ "$(id -u)" -eq 0 ]; then
    UNPRIVILEGED=(setpriv "--reuid=$NOBODY" "--regid=$(id -g "$NOBODY")" --clear-groups --)
fi

# Starts a server in the background, with its output and its process id in files.
launch() {
    local name=$1
    shift
    (cd "$DIR" && exec "${UNPRIVILEGED[@]}" "$@" </dev/null >>"$DIR/$name.log" 2>&1) &
    echo $! >"$DIR/$name.pid"
}

# Path of a program of PostgreSQL 15, which Debian keeps out of PATH.
postgres_program() {
    local found
    found=$(command -v "/usr/lib/postgresql/15/bin/$1" || command -v "$1") || return 1
    printf '%s\n' "$found"
}

# Waits up to 20 seconds for a condition.
wait_for() {
    local try
    for try in $(seq 200); do
        if "$@"; then
            return 0
        fi
        sleep 0.1
    done
    return 1
}

note() {
    printf '%s\n' "$1" >>"$DIR/peers.env"
}

start_postgres() {
    local initdb server
    if ! initdb=$(postgres_program initdb) || ! server=$(postgres_program postgres); then
        say "PostgreSQL is not installed"
        return 0
    fi
    (cd "$DIR" && "${UNPRIVILEGED[@]}" "$initdb" -D "$DIR/postgres" -U bench -A trust -E UTF8 --locale=C --no-sync) \
        >"$DIR/postgres.log" 2>&1
    # Durable as by default (fsync, full_page_writes and synchronous_commit are on), with the memory that ours may take,
    # and with room for the write-ahead log, as its manual advises for loads.
    launch postgres "$server" -D "$DIR/postgres" -c listen_addresses= -c unix_socket_directories="$DIR" \
        -c fsync=on -c synchronous_commit=on -c full_page_writes=on -c shared_buffers=512MB -c max_wal_size=4GB \
        -c max_connections=120
    if wait_for test -S "$DIR/.s.PGSQL.5432"; then
        note "postgres=$DIR"
        note "postgres_version=$("$server" --version | cut -d' ' -f3)"
    else
        say "PostgreSQL did not start: see $DIR/postgres.log"
    fi
}

start_redis() {
    local server
    if ! server=$(command -v redis-server); then
        say "Redis is not installed"
        return 0
    fi
    "${UNPRIVILEGED[@]}" mkdir "$DIR/redis"
    # It takes no free port by itself: where this one is taken it ends, and the benchmarks leave it out.
    local port=$((20000 + RANDOM % 10000))
    launch redis "$server" --bind 127.0.0.1 --port "$port" --unixsocket "$DIR/redis.sock" --unixsocketperm 700 \
        --dir "$DIR/redis" --appendonly yes --appendfsync always --save "" --daemonize no
    if wait_for test -S "$DIR/redis.sock"; then
        note "redis=$DIR/redis.sock"
        note "redis_tcp=127.0.0.1:$port"
        note "redis_version=$("$server" --version | sed 's/.* v=\([^ ]*\).*/\1/')"
    else
        say "Redis did not start: see $DIR/redis.log"
    fi
}

start_nats() {
    local server
    if ! server=$(command -v nats-server || command -v /usr/sbin/nats-server); then
        say "NATS is not installed"
        return 0
    fi
    "${UNPRIVILEGED[@]}" mkdir "$DIR/nats"
    # Port -1 is one that is free; the server writes which it took into a file of this directory.
    launch nats "$server" -js -sd "$DIR/nats" -a 127.0.0.1 -p -1 --ports_file_dir "$DIR"
    local ports
    ports="$DIR/nats-server_$(cat "$DIR/nats.pid").ports"
    if wait_for grep -qs 'nats://' "$ports"; then
        note "nats=$(sed 's/.*nats:\/\/\([0-9.:]*\).*/\1/' "$ports")"
        note "nats_version=$("$server" --version | sed 's/.*v//')"
    else
        say "NATS did not start: see $DIR/nats.log"
    fi
}

start_all() {
    DIR=$(mkdir -p "$1" && cd "$1" && pwd)
    if [ "$(id -u)" -eq 0 ]; then
        chown "$NOBODY" "$DIR"
    fi
    : >"$DIR/peers.env"
    start_postgres
    start_redis
    start_nats
}

# Whether a process has ended, be it that nobody has asked how yet.
is_gone() {
    ! kill -0 "$1" 2>/dev/null || grep -qs '^State:.*Z' "/proc/$1/status"
}

# Ends one process: with a signal that it obeys at once, and then with one that it cannot refuse.
stop_one() {
    local file=$1 signal=$2 pid
    if ! pid=$(cat "$file" 2>/dev/null); then
        return 0
    fi
    kill "-$signal" "$pid" 2>/dev/null || true
    if ! wait_for is_gone "$pid"; then
        kill -KILL "$pid" 2>/dev/null || true
    fi
    rm -f "$file"
}

stop_all() {
    stop_one "$1/postgres.pid" INT
    stop_one "$1/redis.pid" TERM
    stop_one "$1/nats.pid" TERM
}

case "${1-} ${2:+DIR}" in
"install ") install_all ;;
"start DIR") start_all "$2" ;;
"stop DIR") stop_all "$2" ;;
*)
    sed -n '2,6s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
