//! Settings of a journal.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::error::IoContext;
use crate::format::{SEGMENT_BYTES_MAX, SEGMENT_HEADER_BYTES};
use crate::vfs::{OsVfs, Vfs};
use crate::{Error, Journal, JournalId, LockedDirectory};

/// What an acknowledgement waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Durability {
    /// For the fsync of its group: it survives a power loss.
    #[default]
    Sync,
    /// For the write of its group, which is synced at least that often: it survives the process, and a power loss may take what was
    /// acknowledged since the last fsync. The sequences of what was lost are given out again.
    Interval(Duration),
}

/// Settings of a journal. Every field is public; [`Options::default`] is what most want.
#[derive(Clone, Debug)]
pub struct Options {
    /// What an acknowledgement waits for. Default: [`Durability::Sync`].
    pub durability: Durability,
    /// Whether opening creates a journal where there is none. Default: it does.
    pub create: bool,
    /// Largest size of a segment in bytes, 4 KiB to 64 MiB. Default: 64 MiB.
    pub segment_bytes_max: u64,
    /// Bytes of requests that may wait for the log thread; appends wait beyond that. Default: 32 MiB.
    pub queue_bytes_max: usize,
    /// Bytes of recent groups that are kept in memory for readers. Default: 32 MiB.
    pub recent_bytes_max: usize,
    /// How long the log waits for further records before it covers the last group. Default: 20 ms.
    pub idle_after: Duration,
    /// Identity of a journal that is created. Default: random.
    pub journal_id: Option<JournalId>,
    /// Where files and clocks come from. Default: the operating system.
    pub vfs: Arc<dyn Vfs>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            durability: Durability::Sync,
            create: true,
            segment_bytes_max: SEGMENT_BYTES_MAX,
            queue_bytes_max: 32 << 20,
            recent_bytes_max: 32 << 20,
            idle_after: Duration::from_millis(20),
            journal_id: None,
            vfs: Arc::new(OsVfs::default()),
        }
    }
}

impl Options {
    /// Fails where a setting is out of its limits.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let segment_bytes_min = 4096;
        debug_assert!(
            segment_bytes_min > SEGMENT_HEADER_BYTES as u64,
            "a segment holds more than its header"
        );
        if self.segment_bytes_max < segment_bytes_min || self.segment_bytes_max > SEGMENT_BYTES_MAX
        {
            return Err(Error::Option {
                name: "segment_bytes_max",
                value: self.segment_bytes_max,
                limits: "4 KiB to 64 MiB",
            });
        }
        Ok(())
    }

    /// Opens a journal with these settings; its directory is created where it is missing and creating is allowed.
    ///
    /// # Errors
    ///
    /// As [`Journal::open`].
    pub fn open(self, directory: impl AsRef<Path>) -> Result<Journal, Error> {
        Journal::open_locked(self.lock(directory)?, &[])
    }

    /// Takes the lock of a journal's directory, which is created where it is missing and creating is allowed.
    ///
    /// # Errors
    ///
    /// [`Error::Locked`], [`Error::NotFound`], [`Error::Io`], [`Error::Option`].
    pub fn lock(self, directory: impl AsRef<Path>) -> Result<LockedDirectory, Error> {
        let directory = directory.as_ref();
        if self.create {
            self.vfs
                .create_directory(directory)
                .context("create", directory)?;
        }
        LockedDirectory::lock(self, directory)
    }
}
