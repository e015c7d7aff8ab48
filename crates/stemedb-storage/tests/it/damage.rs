//! Damage to the files of closed stores of which it is known what it must lead to; the rest is in `surgery`.

use std::{
    fs::{self, OpenOptions},
    io::{Seek, SeekFrom, Write},
    path::Path,
};

use redb::{ReadableTable as _, TableDefinition};
use stemedb_storage::{Error, HybridStore, KVStore, Key, RebuildReason};

use crate::support::{LAST, catch_up, content, cursor, expect_exactly, id, with_sealed_journal};

/// A closed store of `LAST` records with a checkpoint at its end.
fn closed() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let store = HybridStore::open(directory.path()).unwrap();
    catch_up(&store, LAST);
    store.persist().unwrap();
    drop(store);
    directory
}

fn overwrite(path: &Path, at: usize, byte: u8) {
    let mut file = OpenOptions::new().write(true).open(path).unwrap();
    file.seek(SeekFrom::Start(u64::try_from(at).unwrap()))
        .unwrap();
    file.write_all(&[byte]).unwrap();
}

fn cut(path: &Path, bytes: u64) {
    let file = OpenOptions::new().write(true).open(path).unwrap();
    file.set_len(file.metadata().unwrap().len() - bytes)
        .unwrap();
}

#[test]
fn a_flipped_value_in_redb_is_noticed_at_open() {
    let store = closed();
    let path = store.path().join("redb");
    let wanted = content(13);
    let bytes = fs::read(&path).unwrap();
    // Old copies of the page may lie in the file too.
    let copies = bytes
        .windows(wanted.len())
        .enumerate()
        .filter(|(_, bytes)| *bytes == wanted);
    for (at, _) in copies {
        overwrite(&path, at + 3, b'?');
    }
    let Err(Error::NeedsRebuild { reason }) = HybridStore::open(store.path()) else {
        panic!("it was opened")
    };
    let RebuildReason::Unopenable { engine, source } = *reason else {
        panic!("{reason}")
    };
    assert_eq!(engine, "redb");
    assert!(source.to_string().contains("corrupted"), "{source}");
}

/// Where redb itself finds nothing amiss: the value came to it as it is.
#[test]
fn a_value_in_redb_that_is_not_as_it_was_sealed_is_named_at_open() {
    const TABLE: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("small");
    let store = closed();
    let key = Key::Epoch(id(13));
    let small = redb::Database::open(store.path().join("redb")).unwrap();
    let write = small.begin_write().unwrap();
    {
        let mut table = write.open_table(TABLE).unwrap();
        let stored = table.get(&key.encode()[..]).unwrap().unwrap();
        let mut envelope = stored.value().to_vec();
        drop(stored);
        *envelope.last_mut().unwrap() ^= 1;
        table.insert(&key.encode()[..], &envelope[..]).unwrap();
    }
    write.commit().unwrap();
    drop(small);
    let Err(Error::NeedsRebuild { reason }) = HybridStore::open(store.path()) else {
        panic!("it was opened")
    };
    let RebuildReason::Damaged(corruption) = *reason else {
        panic!("{reason}")
    };
    assert_eq!(corruption.key, Some(key.to_string()));
    let text = corruption.to_string();
    assert!(
        text.starts_with("engine redb, key E:") && text.contains("checksum mismatch"),
        "{text}"
    );
}

#[test]
fn a_key_that_a_flip_in_redb_hides_is_missed_at_open() {
    let store = closed();
    let path = store.path().join("redb");
    let wanted = Key::Epoch(id(13)).encode();
    let bytes = fs::read(&path).unwrap();
    let copies = bytes
        .windows(wanted.len())
        .enumerate()
        .filter(|(_, bytes)| *bytes == wanted);
    for (at, _) in copies {
        overwrite(&path, at + 2, bytes[at + 2] ^ 1);
    }
    assert!(matches!(
        HybridStore::open(store.path()),
        Err(Error::NeedsRebuild { .. })
    ));
}

/// Once a flipped bit in the names of the types of redb's table was answered with damage that named no rebuild: the byte is not one of
/// ours, and no read is damaged by it, so that redb refuses the table as one of another kind.
#[test]
fn a_table_of_redb_that_is_said_to_be_of_other_types_is_refused() {
    const TYPES: &[u8] = b"\x01&[u8]\x01&[u8]";
    let closed = closed();
    let path = closed.path().join("redb");
    let whole = fs::read(&path).unwrap();
    let windows = whole.windows(TYPES.len()).enumerate();
    let copies: Vec<_> = windows
        .filter_map(|(at, bytes)| (bytes == TYPES).then_some(at))
        .collect();
    assert!(!copies.is_empty(), "redb names its types otherwise");
    for (offset, byte) in TYPES.iter().enumerate() {
        for at in &copies {
            overwrite(&path, at + offset, byte ^ 0x10);
        }
        let refusal = HybridStore::open(closed.path());
        assert!(
            matches!(refusal, Err(Error::NeedsRebuild { .. })),
            "byte {offset}: {refusal:?}"
        );
        fs::write(&path, &whole).unwrap();
    }
    HybridStore::open(closed.path()).unwrap();
}

#[test]
fn a_journal_of_fjall_cut_to_nothing_is_found() {
    let store = closed();
    let path = store.path().join("fjall/0.jnl");
    OpenOptions::new()
        .write(true)
        .open(path)
        .unwrap()
        .set_len(0)
        .unwrap();
    let Err(Error::NeedsRebuild { reason }) = HybridStore::open(store.path()) else {
        panic!("it opened")
    };
    assert!(
        matches!(*reason, RebuildReason::BehindCheckpoint { found: 0, .. }),
        "{reason}"
    );
}

/// Length of what is written in a journal of fjall, without the zeros behind it.
fn written(path: &Path) -> u64 {
    let bytes = fs::read(path).unwrap();
    let length = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    u64::try_from(length).unwrap()
}

#[test]
fn a_store_with_a_sealed_journal_is_whole() {
    let image = with_sealed_journal();
    let store = HybridStore::open(image.path()).unwrap();
    assert_eq!(store.cursor().unwrap(), Some(cursor(LAST)));
    store.publish().unwrap();
    expect_exactly(&store, LAST);
}

#[test]
fn a_hole_in_a_sealed_journal_below_a_later_cursor_is_found() {
    // fjall drops the incomplete end of the sealed journal without a word and goes on with the next one,
    // so its cursor says 60 while records before 31 are gone. The chain of batches shows it.
    let image = with_sealed_journal();
    let sealed = image.path().join("fjall/0.jnl");
    let length = written(&sealed);
    let file = OpenOptions::new().write(true).open(&sealed).unwrap();
    file.set_len(length).unwrap();
    cut(&sealed, 1);
    let Err(Error::NeedsRebuild { reason }) = HybridStore::open(image.path()) else {
        panic!("it opened")
    };
    assert!(
        matches!(
            *reason,
            RebuildReason::Hole {
                expected: 29,
                found: 31
            }
        ),
        "{reason}"
    );
}
