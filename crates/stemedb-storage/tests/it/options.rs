//! Settings of stores on disk.

use stemedb_storage::{Error, HybridStore, KVStore, Options};

use crate::support::{LAST, expect_exactly, replay, scratch};

#[test]
fn a_cache_out_of_its_limits_is_refused_before_anything_is_touched() {
    let (too_small, too_large) = ((1 << 20) - 1, (1 << 40) + 1);
    for bytes in [0, too_small, too_large, u64::MAX] {
        let stream = Options {
            stream_cache_bytes_max: bytes,
            ..Options::default()
        };
        let small = Options {
            small_cache_bytes_max: bytes,
            ..Options::default()
        };
        for (options, wanted) in [
            (stream, "stream_cache_bytes_max"),
            (small, "small_cache_bytes_max"),
        ] {
            let directory = scratch();
            let path = directory.path().join("store");
            let refused = HybridStore::open_with(&path, options);
            let Err(Error::Option { name, value, .. }) = refused else {
                panic!("{refused:?}")
            };
            assert_eq!((name, value), (wanted, bytes));
            assert!(!path.exists());
        }
    }
}

#[test]
fn a_store_with_the_smallest_caches_reads_everything() {
    let options = Options {
        stream_cache_bytes_max: 1 << 20,
        small_cache_bytes_max: 1 << 20,
        ..Options::default()
    };
    let directory = scratch();
    let store = HybridStore::open_with(directory.path(), options).unwrap();
    replay(&store, LAST, 7);
    store.publish().unwrap();
    expect_exactly(&store, LAST);
}
