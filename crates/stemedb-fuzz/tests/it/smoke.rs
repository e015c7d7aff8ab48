//! A bounded share of fuzzing that any compiler can do.
//!
//! `STEMEDB_FUZZ_RUNS` says how many mutations each target gets, `STEMEDB_TEST_SEED` from which seed; a failure prints the bytes.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use stemedb_fuzz::{GROUP, HTTP, JSON, KEY, PAYLOAD, RECOVERY, Random, Target};

const RUNS: u64 = if cfg!(miri) { 20 } else { 4000 };
/// How many beginnings of each seed are tried.
const CUTS_MAX: usize = if cfg!(miri) { 3 } else { 200 };

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

fn run(target: Target, bytes: &[u8]) {
    catch_unwind(AssertUnwindSafe(|| (target.run)(bytes))).unwrap_or_else(|panic| {
        println!("{} fails on {bytes:?}", target.name);
        resume_unwind(panic)
    });
}

fn feed(target: Target) {
    let seeds = (target.seeds)();
    assert!(seeds.len() > 1, "a target without seeds tests nothing");
    for seed in &seeds {
        run(target, seed);
        for cut in 0..seed.len().min(CUTS_MAX) {
            run(target, &seed[..cut]);
        }
    }
    let mut random = Random::new(number("STEMEDB_TEST_SEED", 1));
    for _ in 0..number("STEMEDB_FUZZ_RUNS", RUNS) {
        let mut bytes = seeds[random.below(seeds.len())].clone();
        random.mutate(&mut bytes);
        run(target, &bytes);
    }
}

#[test]
fn groups_that_verify_are_what_they_say() {
    feed(GROUP);
}

#[test]
#[cfg_attr(
    miri,
    ignore = "writing and hashing journals takes Miri hours, and none of it is unsafe"
)]
fn a_damaged_journal_opens_as_a_prefix_or_not_at_all() {
    feed(RECOVERY);
}

#[test]
fn payloads_decode_to_what_they_encode() {
    feed(PAYLOAD);
}

#[test]
fn lines_that_are_accepted_are_written_as_the_same_record() {
    feed(JSON);
}

#[test]
fn keys_are_their_bytes_and_sort_as_what_they_name() {
    feed(KEY);
}

#[test]
#[cfg_attr(
    miri,
    ignore = "a server has engines and threads, and none of its own is unsafe"
)]
fn whatever_is_sent_is_answered_or_closed() {
    feed(HTTP);
    // Found by fuzzing: a feed behind which more was sent than its client waits for, alone and behind another answer.
    for before in ["", "GET /healthz/live HTTP/1.1\r\nhost: localhost\r\n\r\n"] {
        let feed = "GET /v1/changes HTTP/1.1\r\nhost: localhost\r\n\r\n";
        run(HTTP, format!("{before}{feed}{feed}").as_bytes());
    }
}
