use std::sync::Arc;

use stemedb_core::Sequence;

use super::{Chain, Found, Names, judge, pair, walk};
use crate::{
    cursor::{Counts, Cursor},
    engine::{Engine, Level, memory::MemoryEngine},
    envelope,
    error::{Error, RebuildReason, Versioned},
    guard::{Fuse, Guarded},
    key::{Key, MetaKey},
    meta::{self, Format, Notes},
};

const NAMES: Names = Names {
    stream: "stream",
    small: "small",
};

fn cursor(number: u64) -> Option<Cursor> {
    Sequence::new(number).map(|sequence| Cursor {
        journal: [9; 16],
        sequence,
        group: number,
        group_hash: [8; 32],
    })
}

fn notes(number: u64) -> Notes {
    Notes {
        format: Some(Format::CURRENT),
        cursor: cursor(number),
        ..Notes::default()
    }
}

fn found(number: u64) -> Found {
    Found {
        notes: notes(number),
        chain: Chain {
            whole_to: number,
            hole: None,
        },
    }
}

/// A name for what `judge` decided: the variant, not its fields.
fn verdict(stream: &Found, small: &Notes) -> &'static str {
    match judge(NAMES, stream, Some(small)) {
        Ok(()) => "open",
        Err(RebuildReason::SyncFailed { .. }) => "sync failed",
        Err(RebuildReason::ContentLost { engine: "stream" }) => "stream lost",
        Err(RebuildReason::ContentLost { .. }) => "small lost",
        Err(RebuildReason::BehindCheckpoint { .. }) => "behind checkpoint",
        Err(RebuildReason::JournalsDiffer) => "journals differ",
        Err(RebuildReason::Hole { .. }) => "hole",
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn sound_and_lagging_engines_open() {
    let new = Notes::default();
    assert_eq!(verdict(&Found::default(), &new), "open");
    assert_eq!(verdict(&found(0), &new), "open", "creation was interrupted");
    for (stream, small, checkpoint) in [(5, 5, 5), (5, 0, 0), (9, 5, 5), (5, 9, 5), (0, 5, 0)] {
        let small = Notes {
            checkpoint: cursor(checkpoint),
            ..notes(small)
        };
        assert_eq!(
            verdict(&found(stream), &small),
            "open",
            "{stream} {small:?}"
        );
    }
}

#[test]
fn each_kind_of_loss_has_its_verdict() {
    let at_checkpoint = Notes {
        checkpoint: cursor(5),
        ..notes(5)
    };
    assert_eq!(verdict(&found(4), &at_checkpoint), "behind checkpoint");
    assert_eq!(
        verdict(&Found::default(), &at_checkpoint),
        "behind checkpoint"
    );
    assert_eq!(verdict(&found(5), &Notes::default()), "small lost");
    let formatless = Found {
        notes: Notes {
            format: None,
            ..notes(5)
        },
        ..found(5)
    };
    assert_eq!(verdict(&formatless, &at_checkpoint), "stream lost");
    let failed = Notes {
        sync_failed: true,
        ..at_checkpoint
    };
    assert_eq!(verdict(&found(9), &failed), "sync failed");
    let other = Cursor {
        journal: [7; 16],
        ..cursor(5).unwrap()
    };
    assert_eq!(
        verdict(
            &found(5),
            &Notes {
                cursor: Some(other),
                ..notes(5)
            }
        ),
        "journals differ"
    );
}

#[test]
fn a_chain_that_does_not_reach_the_cursor_is_a_hole() {
    for chain in [
        Chain {
            whole_to: 3,
            hole: Some(6),
        },
        Chain {
            whole_to: 0,
            hole: Some(3),
        },
        Chain {
            whole_to: 3,
            hole: None,
        },
        Chain {
            whole_to: 9,
            hole: None,
        },
        Chain::default(),
    ] {
        let stream = Found { chain, ..found(7) };
        assert_eq!(verdict(&stream, &notes(7)), "hole", "{chain:?}");
    }
}

/// Two engines whose content outlives the store on them.
#[derive(Default)]
struct Pair {
    stream: MemoryEngine,
    small: MemoryEngine,
}

impl Pair {
    fn write(engine: &MemoryEngine, key: &Key, sequence: u64, content: &[u8]) {
        let bytes = key.encode();
        let envelope = envelope::seal(&bytes, sequence, 0, content);
        engine
            .commit(vec![(bytes.into(), envelope.into())], Level::Visible)
            .unwrap();
    }

    fn link(&self, first: u64, last: u64) {
        let key = Key::Batch(Sequence::new(first).unwrap());
        Self::write(&self.stream, &key, last, &last.to_le_bytes());
    }

    fn note(engine: &MemoryEngine, meta: MetaKey, content: &[u8]) {
        engine
            .commit(vec![meta::entry(meta, content)], Level::Visible)
            .unwrap();
    }

    fn open(&self) -> Result<(), Error> {
        let fuse = Arc::new(Fuse::default());
        let guarded = |engine: &MemoryEngine| Guarded::new(Box::new(engine.clone()), &fuse);
        pair(
            guarded(&self.stream),
            guarded(&self.small),
            Arc::clone(&fuse),
        )
        .map(|_| ())
    }

    fn reason(&self) -> RebuildReason {
        match self.open().unwrap_err() {
            Error::NeedsRebuild { reason } => *reason,
            other => panic!("{other}"),
        }
    }
}

#[test]
fn the_chain_is_walked_from_sequence_one() {
    let engines = Pair::default();
    let chain = || {
        let engine = Guarded::new(Box::new(engines.stream.clone()), &Arc::default());
        walk(&engine.reader().unwrap()).unwrap()
    };
    assert_eq!(chain(), Chain::default());
    engines.link(1, 4);
    engines.link(5, 5);
    engines.link(300, 310);
    assert_eq!(
        chain(),
        Chain {
            whole_to: 5,
            hole: Some(300)
        }
    );
    engines.link(6, 299);
    assert_eq!(
        chain(),
        Chain {
            whole_to: 310,
            hole: None
        }
    );
}

#[test]
fn a_missing_link_refuses_to_open() {
    let engines = Pair::default();
    engines.open().unwrap();
    engines.link(1, 4);
    engines.link(6, 9);
    Pair::note(
        &engines.stream,
        MetaKey::Cursor,
        &cursor(9).unwrap().encode(),
    );
    assert!(matches!(
        engines.reason(),
        RebuildReason::Hole {
            expected: 5,
            found: 6
        }
    ));
    engines.link(5, 5);
    engines.open().unwrap();
}

#[test]
fn a_link_that_ends_before_it_begins_is_damage() {
    let engines = Pair::default();
    engines.open().unwrap();
    engines.link(3, 2);
    assert!(matches!(engines.reason(), RebuildReason::Damaged(_)));
}

#[test]
fn damaged_notes_refuse_to_open() {
    for meta in [
        MetaKey::Format,
        MetaKey::Cursor,
        MetaKey::Counts,
        MetaKey::Checkpoint,
    ] {
        for engine in 0..2 {
            let engines = Pair::default();
            engines.open().unwrap();
            let engine = [&engines.stream, &engines.small][engine];
            Pair::note(engine, meta, b"short");
            assert!(
                matches!(engines.reason(), RebuildReason::Damaged(_)),
                "{meta:?}"
            );
            let key = Key::Meta(meta).encode();
            engine
                .commit(
                    vec![(key.into(), b"no envelope".to_vec().into())],
                    Level::Visible,
                )
                .unwrap();
            assert!(
                matches!(engines.reason(), RebuildReason::Damaged(_)),
                "{meta:?}"
            );
        }
    }
}

#[test]
fn a_newer_version_is_named_and_left_alone() {
    for (bytes, wanted) in [
        ([2, 0, 0, 0, 1, 0, 0, 0], Versioned::StoreFormat),
        ([1, 0, 0, 0, 2, 0, 0, 0], Versioned::Apply),
    ] {
        let engines = Pair::default();
        engines.open().unwrap();
        Pair::note(&engines.small, MetaKey::Format, &bytes);
        match engines.open().unwrap_err() {
            Error::UnsupportedVersion {
                what,
                found: 2,
                supported: 1,
            } => assert_eq!(what, wanted),
            other => panic!("{other}"),
        }
    }
}

#[test]
fn notes_round_trip() {
    let cursor = cursor(u64::MAX).unwrap();
    assert_eq!(Cursor::decode(&cursor.encode()), Some(cursor));
    assert_eq!(Cursor::decode(&cursor.encode()[1..]), None);
    let counts = Counts {
        assertions: 1,
        votes: 2,
        epochs: 3,
        quarantined: 4,
        duplicates: 5,
    };
    assert_eq!(Counts::decode(&counts.encode()), Some(counts));
    assert_eq!(Counts::decode(&[0; 41]), None);
    assert_eq!(
        counts.encode()[..16],
        [1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0]
    );
}
