//! What every implementation of `KVStore` promises, run against each of them.

use std::path::Path;

use stemedb_storage::{HybridStore, KVStore, MemoryStore};

use crate::support::{catch_up, expect_exactly};

type Open<'a> = &'a dyn Fn(&Path) -> Box<dyn KVStore>;
type Part = (&'static str, fn(&dyn KVStore));

/// Runs the whole suite, each part in a directory of its own.
fn conformance(open: Open<'_>) {
    let parts: [Part; 1] = [("round_trip", round_trip)];
    for (name, part) in parts {
        let directory = tempfile::tempdir().unwrap();
        let store = open(directory.path());
        println!("{} {name}", store.kind());
        part(&*store);
    }
}

fn round_trip(store: &dyn KVStore) {
    catch_up(store, 40);
    expect_exactly(store, 40);
}

#[test]
fn memory_store_conforms() {
    conformance(&|_| Box::new(MemoryStore::new()));
}

#[test]
fn hybrid_store_conforms() {
    conformance(&|path| Box::new(HybridStore::open(path).unwrap()));
}

#[cfg(feature = "sled")]
#[test]
fn sled_store_conforms() {
    conformance(&|path| Box::new(stemedb_storage::SledStore::open(path).unwrap()));
}
