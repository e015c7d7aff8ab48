//! Spares: how they are made, and what happens where they cannot be.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::hooked::{Hook, HookedDisk};
use crate::story::{directory, options};
use stemedb_testkit::disk::{Operation, SimDisk};
use stemedb_wal::vfs::Vfs;
use stemedb_wal::{AppendError, Options, Trust};

/// There is no room for the spare of segment 2.
#[derive(Debug, Default)]
struct NoRoom {
    tries: AtomicU64,
}

impl Hook for NoRoom {
    fn open(&self, path: &Path) -> io::Result<()> {
        if path.ends_with("spare-0000000000000002.tmp") {
            self.tries.fetch_add(1, Ordering::Relaxed);
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }
}

#[test]
fn a_spare_that_could_not_be_made_is_left_to_the_rotation() {
    // On a full disk each append had the next segment prepared anew: up to 64 MiB of zeros were written and removed every time.
    let disk = SimDisk::new();
    disk.create_directory(directory()).unwrap();
    let hook = Arc::new(NoRoom::default());
    let options = Options {
        vfs: Arc::new(HookedDisk {
            disk: disk.clone(),
            hook: Arc::clone(&hook),
        }),
        ..options(&disk)
    };
    let mut journal = options.open(directory()).unwrap();
    journal.append([1; 2500]).unwrap();
    for _ in 0..12_000 {
        if hook.tries.load(Ordering::Relaxed) > 0 {
            break;
        }
        std::thread::park_timeout(Duration::from_millis(10));
    }
    for n in 0..5 {
        // Long enough for another thread that makes a spare to fail.
        std::thread::park_timeout(Duration::from_millis(5));
        journal.append([n; 10]).unwrap();
    }
    assert_eq!(hook.tries.load(Ordering::Relaxed), 1);
    let refused = journal.append([2; 2500]);
    assert!(
        matches!(refused, Err(AppendError::NoSpace { .. })),
        "{refused:?}"
    );
    assert_eq!(hook.tries.load(Ordering::Relaxed), 2);
}

#[test]
fn a_spare_is_synced_a_mebibyte_at_a_time_and_whole() {
    // Groups whose fsync met that of the zeros waited for 64 MiB of them: 42 ms in place of a tenth of one.
    const STEP_BYTES: u64 = 1 << 20;
    const SEGMENT_BYTES: u64 = 2 * STEP_BYTES + 512;
    let disk = SimDisk::new();
    let options = Options {
        segment_bytes_max: SEGMENT_BYTES,
        ..options(&disk)
    };
    let mut log = options.lock(directory()).unwrap().open(&[]).unwrap();
    for _ in 0..3 {
        let mut builder = log.begin_group();
        builder.push(&vec![1; 700_000], Trust::Unverified);
        log.write(builder).unwrap();
        log.sync().unwrap();
    }
    let request = log.spare_wanted().expect("segment 2 is half full");
    let before = disk.trace().len();
    let spare = request.prepare().unwrap();
    assert_eq!(spare.number(), 3);
    let (mut synced, mut written) = (0, 0);
    for done in disk.trace().split_off(before) {
        match done.operation {
            Operation::Write => written = written.max(done.offset + done.bytes),
            Operation::Sync => {
                assert!(written - synced <= STEP_BYTES, "{synced} to {written}");
                synced = written;
            }
            _ => {}
        }
    }
    assert_eq!((synced, written), (SEGMENT_BYTES, SEGMENT_BYTES));
}
