//! Engines that panic at what they read.

use std::{error::Error as _, sync::Arc};

use stemedb_storage::{
    CacheLookups, Error, HybridStore, KVStore, RebuildReason,
    engine::{Engine, Fault, Isolation, Level, MemoryEngine, Pair, Reader},
};

use crate::{
    support::{LAST, catch_up, crash_image, expect_exactly, scratch},
    surgery::{Checkpoint, Cut, closed, operate_all, patient},
};

/// Flips in the file of a small store at which redb 4.4 panics. The file is the same each time it is made.
///
/// When another version of redb no longer does, `STEMEDB_FLIPS=1500 cargo test -p stemedb-storage --test it no_byte_of_redb -- --nocapture`
/// tells where it does.
const PANICS: [(u64, &str); 3] = [
    (24_650, "the end of a value in a leaf"),
    (28_798, "the end of a key in a leaf"),
    (30_482, "the regions of the allocator"),
];

/// redb believes the lengths and the numbers that it reads. The guard makes of its panic an answer that names the rebuild, and the
/// process and its other stores go on.
#[test]
fn flips_at_which_redb_panics_are_answered_with_a_rebuild() {
    let store = closed("hybrid", Checkpoint::Made);
    let cuts = PANICS.map(|(at, _)| Cut::Flip(at));
    let outcome = operate_all(&patient("hybrid", &store), "redb".as_ref(), &cuts);
    assert_eq!(outcome.faults, [""; 0]);
    assert_eq!(
        outcome.panics, cuts,
        "redb no longer panics at each of these"
    );
    assert_eq!(outcome.tally.get("refused, panicked"), Some(&cuts.len()));
}

/// Where redb is built without its own assertions it opens this file, panics in the next commit, once more while it unwinds, and so
/// ends the process. That it does not come to that, `cargo test --release` shows.
#[test]
fn a_flip_that_would_end_the_process_is_refused_at_open() {
    let store = closed("hybrid", Checkpoint::Made);
    let patient = patient("hybrid", &store);
    let outcome = operate_all(&patient, "redb".as_ref(), &[Cut::Flip(16_389)]);
    assert_eq!(outcome.faults, [""; 0]);
    let mut answers = outcome.tally.keys();
    assert!(answers.all(|answer| answer.starts_with("refused")));
    assert_eq!(outcome.tally.len(), 1);
}

#[test]
fn a_process_in_which_redb_panicked_goes_on_and_builds_the_store_anew() {
    let store = closed("hybrid", Checkpoint::Made);
    let other = closed("hybrid", Checkpoint::Made);
    let other = HybridStore::open(other.path()).unwrap();
    other.publish().unwrap();
    for (at, what) in PANICS {
        let image = scratch();
        crash_image(store.path(), image.path());
        Cut::Flip(at).make(&image.path().join("redb"));
        // Twice: a panic leaves no lock behind.
        for _ in 0..2 {
            let Err(Error::NeedsRebuild { reason }) = HybridStore::open(image.path()) else {
                panic!("{what}: it opened")
            };
            let RebuildReason::Unopenable { engine: "redb", .. } = *reason else {
                panic!("{what}: {reason}")
            };
            let cause = reason.source().unwrap().to_string();
            assert!(cause.starts_with("panicked: "), "{what}: {cause}");
        }
        expect_exactly(&other, LAST);

        std::fs::remove_dir_all(image.path()).unwrap();
        let anew = HybridStore::open(image.path()).unwrap();
        catch_up(&anew, LAST);
        expect_exactly(&anew, LAST);
    }
}

/// An engine that cannot even say what its caches did.
#[derive(Debug, Default)]
struct Miscounting(MemoryEngine);

impl Engine for Miscounting {
    fn name(&self) -> &'static str {
        "miscounting"
    }

    fn isolation(&self) -> Isolation {
        self.0.isolation()
    }

    fn commit(&self, writes: Vec<Pair>, level: Level) -> Result<(), Fault> {
        self.0.commit(writes, level)
    }

    fn sync(&self) -> Result<(), Fault> {
        self.0.sync()
    }

    fn sync_failed(&self) -> bool {
        self.0.sync_failed()
    }

    fn cache_lookups(&self) -> Vec<CacheLookups> {
        panic!("more hits than lookups")
    }

    fn reader(&self) -> Result<Arc<dyn Reader>, Fault> {
        self.0.reader()
    }
}

#[test]
fn an_engine_that_panics_at_its_statistics_goes_on_storing() {
    let small = Box::<MemoryEngine>::default();
    let store = HybridStore::with_engines(Box::<Miscounting>::default(), small).unwrap();
    catch_up(&store, LAST);
    assert_eq!(store.cache_lookups(), []);
    expect_exactly(&store, LAST);
}
