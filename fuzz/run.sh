#!/usr/bin/env bash
# Runs fuzz targets: fuzz/run.sh [SECONDS [TARGET..]], by default each of them for 60 seconds.
# Needs a nightly compiler and a C++ compiler, and no cargo-fuzz. What fails is kept in fuzz/artifacts, what was learned in fuzz/corpus;
# one input again: fuzz/target/x86_64-unknown-linux-gnu/release/TARGET FILE
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
seconds=${1:-60}
shift || true
targets=("$@")
if [ ${#targets[@]} -eq 0 ]; then
    targets=(group recovery payload json key http)
fi

host=$(rustc +nightly -vV | sed -n 's/^host: //p')
# The flags by which cargo-fuzz has a target instrumented.
export RUSTFLAGS="--cfg fuzzing -Zsanitizer=address -Cpasses=sancov-module \
-Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
-Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares"
cargo +nightly build --locked --release --target "$host" --target-dir target
bin=target/$host/release
"$bin/seeds" corpus

# Two at a time, on two cores.
export bin seconds
run_one() {
    mkdir -p "artifacts/$1"
    log="artifacts/$1.log"
    if "$bin/$1" "corpus/$1" -max_total_time="$seconds" -timeout=60 -rss_limit_mb=2048 -malloc_limit_mb=256 \
        -max_len=8192 -artifact_prefix="artifacts/$1/" -print_final_stats=1 >"$log" 2>&1; then
        echo "fuzz $1: $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") runs in $seconds s, nothing found"
    else
        tail -n 60 "$log"
        echo "fuzz $1: FAILED"
        return 1
    fi
}
export -f run_one
printf '%s\n' "${targets[@]}" | xargs -n 1 -P 2 bash -c 'run_one "$0"'
