//! What the journal holds, compared with that of a run without faults.

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    ops::ControlFlow,
    path::Path,
};

use stemedb_wal::{Item, Link, vfs::OsVfs, walk};

/// A hash of each record's bytes, in the order of the sequences, which have no hole.
///
/// # Panics
///
/// Where anything in the journal is damaged or missing.
pub(crate) fn hashes(directory: &Path) -> Vec<u64> {
    let mut hashes = Vec::new();
    let mut visit = |item: Item<'_>| {
        match item {
            Item::Group {
                link: Link::Broken, ..
            } => panic!("a group follows no other"),
            Item::Group { group, .. } => {
                for record in group.records() {
                    assert_eq!(record.sequence, hashes.len() as u64 + 1, "a hole");
                    let mut hasher = DefaultHasher::new();
                    record.bytes.hash(&mut hasher);
                    hashes.push(hasher.finish());
                }
            }
            Item::Damaged(damaged) => panic!("{damaged:?}"),
            Item::Missing { from, to } => panic!("segments {from} to {to} are missing"),
            _ => {}
        }
        ControlFlow::Continue(())
    };
    walk(&OsVfs::default(), &directory.join("wal"), &mut visit).unwrap();
    hashes
}
