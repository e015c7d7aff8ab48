use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use super::{CacheLookups, Engine as _, Level, Range, RedbEngine, Told};

/// Entries of 100 bytes that take more than the smallest cache.
const ENTRIES: u32 = 40_000;
const CACHE_BYTES: u64 = 1 << 20;

fn pages(engine: &RedbEngine) -> (u64, u64) {
    let lookups = engine.cache_lookups();
    let [
        CacheLookups {
            engine: "redb",
            content: "page",
            hits: Some(hits),
            misses,
        },
    ] = lookups[..]
    else {
        panic!("{lookups:?}")
    };
    (hits, misses)
}

#[test]
fn a_page_that_was_just_read_is_a_hit_and_one_for_which_there_is_no_room_a_miss() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("redb");
    let engine = RedbEngine::open_with(&path, CACHE_BYTES).unwrap();
    let entry = |number: u32| (number.to_be_bytes().to_vec().into(), vec![7; 100].into());
    let entries = (0..ENTRIES).map(entry).collect();
    engine.commit(entries, Level::Durable).unwrap();
    let reader = engine.reader().unwrap();
    reader.get(&7_u32.to_be_bytes()).unwrap().unwrap();
    let (hits, misses) = pages(&engine);
    reader.get(&7_u32.to_be_bytes()).unwrap().unwrap();
    let (hits_now, misses_now) = pages(&engine);
    assert!(hits_now > hits);
    assert_eq!(misses_now, misses);
    assert_eq!(reader.range(Range::ALL).unwrap().count(), 40_000);
    let (_, misses_now) = pages(&engine);
    // A page has 4096 bytes.
    assert!(misses_now - misses > (4_000_000 - CACHE_BYTES) / 4096);
}

/// Ends the others, also where its own thread panics.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

#[test]
fn lookups_are_told_beside_commits_and_reads_and_never_fall() {
    let directory = tempfile::tempdir().unwrap();
    let engine = RedbEngine::open_with(&directory.path().join("redb"), CACHE_BYTES).unwrap();
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let _over = Over(&is_over);
            for round in 0..300_u32 {
                let entry = |number: u32| {
                    let key = (round * 100 + number).to_be_bytes().to_vec();
                    (key.into(), vec![7; 100].into())
                };
                let entries = (0..100).map(entry).collect();
                engine.commit(entries, Level::Visible).unwrap();
            }
        });
        scope.spawn(|| {
            while !is_over.load(Ordering::Acquire) {
                let reader = engine.reader().unwrap();
                assert!(reader.range(Range::ALL).unwrap().all(|pair| pair.is_ok()));
            }
        });
        let mut before = (0, 0);
        while !is_over.load(Ordering::Acquire) {
            let now = pages(&engine);
            assert!(
                now.0 >= before.0 && now.1 >= before.1,
                "{before:?}, {now:?}"
            );
            before = now;
        }
    });
    let (hits, _) = pages(&engine);
    assert!(hits > 0);
}

#[test]
fn what_was_told_stays_where_less_comes_after_it() {
    let told = Told::default();
    told.raise(5, 3);
    told.raise(6, 2);
    assert_eq!((told.hits(), told.misses()), (6, 3));
}
