//! Feeds `stemedb_fuzz::HTTP`.

#![no_main]

use stemedb_fuzz_targets::feed;

#[global_allocator]
static ALLOCATOR: stemedb_fuzz_targets::Watching = stemedb_fuzz_targets::Watching;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| feed(stemedb_fuzz::HTTP, bytes));
