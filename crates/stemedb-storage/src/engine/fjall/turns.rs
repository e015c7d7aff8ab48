//! Merges take turns with everything else that wants a processor.
//!
//! A merge computes for seconds without ever sleeping, and the kernel takes a processor away when a timer rings, every few milliseconds.
//! Whoever is woken in between, to bring a commit to the disk for instance, would wait for that. fjall asks for each pair that it merges
//! whether it is to stay. All of them are, and there is a place to let others run.

use std::sync::Arc;

use super::{
    CompactionFilter, CompactionFilterResult, Context, Database, DatabaseBuilder, Factory,
    ItemAccessor, Verdict,
};

/// Pairs between two moments at which others may run: about a tenth of a millisecond.
const PAIRS: u32 = 64;

/// Has all merges of a database take turns: `let_others_run` is called after so many pairs.
pub(super) fn take_turns(
    builder: DatabaseBuilder<Database>,
    let_others_run: fn(),
) -> DatabaseBuilder<Database> {
    let turns =
        move |_: &str| -> Option<Arc<dyn Factory>> { Some(Arc::new(Turns(let_others_run))) };
    builder.with_compaction_filter_factories(Arc::new(turns))
}

struct Turns(fn());

impl Factory for Turns {
    fn name(&self) -> &'static str {
        "turns"
    }

    fn make_filter(&self, _: &Context) -> Box<dyn CompactionFilter> {
        Box::new(Turn {
            pairs: 0,
            let_others_run: self.0,
        })
    }
}

struct Turn {
    pairs: u32,
    let_others_run: fn(),
}

impl CompactionFilter for Turn {
    fn filter_item(&mut self, _: ItemAccessor<'_>, _: &Context) -> CompactionFilterResult {
        self.pairs += 1;
        if self.pairs == PAIRS {
            self.pairs = 0;
            (self.let_others_run)();
        }
        Ok(Verdict::Keep)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        thread,
    };

    use super::{
        super::{Readable, options},
        Database, PAIRS, take_turns,
    };

    static TURNS: AtomicUsize = AtomicUsize::new(0);

    #[test]
    fn a_merge_keeps_all_pairs_and_lets_others_run_in_between() {
        let directory = tempfile::tempdir().unwrap();
        let builder = take_turns(Database::builder(directory.path()), || {
            TURNS.fetch_add(1, Ordering::Relaxed);
            thread::yield_now();
        });
        let db = builder.open().unwrap();
        let keyspace = db.keyspace("stream", options).unwrap();
        let pairs = PAIRS * 10;
        // Two of three values are long enough to lie apart.
        let value = |number: u32| number.to_be_bytes().repeat(1 + number as usize % 3 * 50);
        for table in 0..2 {
            for number in (0..pairs).filter(|number| number % 2 == table) {
                keyspace
                    .insert(number.to_be_bytes(), value(number))
                    .unwrap();
            }
            keyspace.rotate_memtable_and_wait().unwrap();
        }
        keyspace.major_compact().unwrap();
        assert_eq!(TURNS.load(Ordering::Relaxed), 10);
        let found = db.snapshot().iter(&keyspace).map(|pair| {
            let (key, value) = pair.into_inner().unwrap();
            (key.to_vec(), value.to_vec())
        });
        let expected = (0..pairs).map(|number| (number.to_be_bytes().to_vec(), value(number)));
        assert!(found.eq(expected));
    }
}
