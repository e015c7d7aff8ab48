//! Spares that cannot be made.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::hooked::{Hook, HookedDisk};
use crate::story::{directory, options};
use stemedb_testkit::disk::SimDisk;
use stemedb_wal::vfs::Vfs;
use stemedb_wal::{AppendError, Options};

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
