#!/usr/bin/env bash
# Measures everything and writes docs/BENCHMARKS.md, its plots and its figures anew; options go to the program.
# `scripts/peers.sh install` installs the peers; those that are absent are left out, and the page says so.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# As it is released: one optimisation over all crates. It takes some minutes.
cargo build --profile dist -p stemedb-cli -p stemedb-bench
target/dist/stemedb-bench --called "scripts/bench.sh${*:+ $*}" \
    --json docs/benchmarks.json --plots docs/plots --document docs/BENCHMARKS.md "$@"
