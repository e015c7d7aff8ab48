//! Tests of the threads of StemeDB under the scheduler of shuttle, one interleaving at a time.
//!
//! Without `--cfg shuttle` there is nothing here, and nothing is tested:
//!
//! ```text
//! RUSTFLAGS="--cfg shuttle" cargo test -p stemedb-shuttle --target-dir target/shuttle
//! ```
