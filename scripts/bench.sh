#!/usr/bin/env bash
# Measures everything and writes docs/BENCHMARKS.md, its plots and its figures anew; options go to the program.
# `scripts/peers.sh install` installs the peers; those that are absent are left out, and the page says so.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

cargo build --release -p stemedb-cli
cargo run --release -p stemedb-bench -- --json docs/benchmarks.json --plots docs/plots --document docs/BENCHMARKS.md "$@"
