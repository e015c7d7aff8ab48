//! The whole database on a simulated disk: journal, worker, store, both engines, from a seed, with power losses at any operation.
//!
//! ```text
//!   Live::act: append, sync, cover, look --> Log ------------------------> SimDisk <-- DiskFile <-- RedbEngine
//!        ^                                    | durable groups                 |                        |
//!        |  wait                              v                                |                        |
//!   Groups (Source) <----------------- IngestWorker --> HybridStore ---------> Script (kills, fails, observes)
//!                                                                              |
//!                                                                         StreamModel
//! ```
//!
//! One thread does all of it: the world goes on where the worker waits, and between the calls of the engines, where readers look too.
//! After each recovery the journal is compared with what was submitted and acknowledged, and the store with a model that replays it.
//! `STEMEDB_SIM_SEEDS` sets how many seeds are run, `STEMEDB_SIM_SEED` replays one.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use stemedb_testkit::engine::{Defect, StreamModel};

use world::{Setup, World};

mod ledger;
mod live;
mod payload;
mod source;
mod tally;
mod world;

use tally::Tally;

/// Seeds of a run that is not told otherwise.
const SEEDS: u64 = 2_000;
/// Seeds for each disk that lies.
const SEEDS_LYING: u64 = 40;
/// Seeds at most for each database that is broken on purpose: it is found out long before.
const SEEDS_BROKEN: u64 = 600;
const THREADS: u64 = 2;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Runs seeds on several threads until so many have failed; gives what was seen, and the violations by their seeds.
fn run_all(
    seeds: std::ops::Range<u64>,
    setup: Setup,
    enough: u64,
) -> (Tally, BTreeMap<u64, String>) {
    let failed = AtomicU64::new(0);
    let next = AtomicU64::new(seeds.start);
    let work = || {
        let (mut tally, mut found) = (Tally::default(), BTreeMap::new());
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end || failed.load(Ordering::Relaxed) >= enough {
                return (tally, found);
            }
            let world = World::run(seed, setup);
            if let Err(violation) = &world.outcome {
                failed.fetch_add(1, Ordering::Relaxed);
                found.insert(seed, violation.to_string());
            }
            tally.add(&world.tally);
            let done = seed - seeds.start + 1;
            if done.is_multiple_of(10_000) {
                println!("{done} seeds, {} violations", found.len());
            }
        }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
        let (mut tally, mut found) = (Tally::default(), BTreeMap::new());
        for thread in threads {
            let (of_thread, violations) = thread.join().unwrap();
            tally.add(&of_thread);
            found.extend(violations);
        }
        (tally, found)
    })
}

#[test]
fn the_database_survives_every_crash() {
    let seeds = match number("STEMEDB_SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("STEMEDB_SIM_SEEDS").unwrap_or(SEEDS),
    };
    let count = seeds.end - seeds.start;
    let (tally, found) = run_all(seeds, Setup::default(), 10);
    println!("{count} seeds: {tally}");
    if let Some((seed, violation)) = found.first_key_value() {
        let failed = found.len();
        panic!("{violation}; {failed} seeds failed, replay this with STEMEDB_SIM_SEED={seed}");
    }
    assert!(count < 100 || tally.is_varied(), "{tally}");
}

#[test]
fn a_seed_gives_the_same_trace_each_time() {
    for seed in 0..8 {
        let [first, second] = [0, 1].map(|_| World::run(seed, Setup::default()));
        assert!(first.trace == second.trace, "seed {seed}");
        assert_eq!(first.tally, second.tally, "seed {seed}");
        assert!(first.trace.len() > 300, "{}", first.trace.len());
    }
}

/// Some seed finds out that something is missing, and soon enough that a run of the default length would.
fn expect_found(engine: &'static str, defect: Defect) {
    let setup = Setup::broken(engine, defect);
    let (tally, found) = run_all(0..SEEDS_BROKEN, setup, 1);
    println!("{setup:?}: {found:?}, {tally}");
    assert!(!found.is_empty(), "{setup:?} is never found out: {tally}");
}

#[test]
fn a_cursor_apart_from_the_data_is_found_out() {
    for defect in [Defect::CursorAfterData, Defect::CursorBeforeData] {
        expect_found(StreamModel::NAME, defect);
        expect_found("redb", defect);
    }
}

#[test]
fn an_engine_that_ignores_syncs_is_found_out() {
    expect_found(StreamModel::NAME, Defect::SyncIgnored);
}

#[test]
fn views_that_move_are_found_out() {
    expect_found(StreamModel::NAME, Defect::ViewsMove);
    expect_found("redb", Defect::ViewsMove);
}

#[test]
fn a_lie_ends_in_the_right_state_or_in_a_refusal() {
    for lie in world::Lie::ALL {
        let setup = Setup {
            lie: Some(lie),
            ..Setup::default()
        };
        let (tally, found) = run_all(0..SEEDS_LYING, setup, 1);
        println!("{lie:?}: {tally}");
        assert!(found.is_empty(), "{lie:?}: {found:#?}");
        assert!(tally.refusals > 0, "{lie:?} is never found out: {tally}");
    }
}
