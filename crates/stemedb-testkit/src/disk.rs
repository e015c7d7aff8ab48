//! A disk in memory that forgets what was not synced.
//!
//! [`SimDisk`] is a [`Vfs`](stemedb_wal::vfs::Vfs). Files have durable and volatile sectors and lengths, directories durable and volatile
//! entries. [`SimDisk::crash`] keeps, for each sector, length and entry that was not synced, any one of its states since the last sync;
//! [`SimDisk::crash_into`] keeps the ones that it is told to, so that a test can go through all of them.
//! It is deterministic: the same calls and the same seed give the same disk.
//!
//! | fault | how |
//! |---|---|
//! | an operation fails, is cut short, reads a wrong bit, or is the last one | [`SimDisk::plan`] |
//! | a sector is torn by a crash | [`SimDisk::tear_sectors`] |
//! | the disk is full | [`SimDisk::set_capacity`] |
//! | a sync is slow, the wall clock jumps | [`SimDisk::set_sync_time`], [`SimDisk::jump_clock_ms`] |
//! | bits are wrong for good, sectors cannot be read | [`SimDisk::flip`], [`SimDisk::make_unreadable`] |
//! | a sync does nothing, always or at times | [`LyingDisk`] |
//!
//! ```text
//!  the journal --> Vfs --> [LyingDisk: says "synced", and is not] --> SimDisk: sectors, lengths, entries
//!                                                                       |
//!                      plan(): the n-th such operation fails, is cut short, or is the last  --> crash(seed)
//! ```
//!
//! # Example
//!
//! ```
//! use std::path::Path;
//!
//! use stemedb_testkit::disk::SimDisk;
//! use stemedb_wal::vfs::{OpenMode, Vfs};
//!
//! # fn main() -> std::io::Result<()> {
//! let directory = Path::new("/wal");
//! let disk = SimDisk::new();
//! disk.create_directory(directory)?;
//! let path = directory.join("file");
//! let file = disk.open(&path, OpenMode::CreateNew)?;
//! file.write_at(b"kept", 0)?;
//! file.sync_data()?;
//! disk.sync_directory(directory)?;
//!
//! file.write_at(b"lost", 0)?; // perhaps
//! disk.crash(7);
//! let found = disk.files()[&path].clone();
//! assert!(found == b"kept" || found == b"lost");
//! # Ok(())
//! # }
//! ```
//!
//! What it does not model: a device that loses what it has synced, but for [`LyingDisk`] and damage that a test does on purpose.

mod entries;
mod fate;
mod file;
mod lying;
mod plan;
mod random;
mod sim;
mod vfs;

#[cfg(test)]
mod tests;

pub use file::SECTOR_BYTES;
pub use lying::{Lie, LyingDisk, When};
pub use plan::{Effect, Operation};
pub use random::Random;
pub use sim::{SimDisk, Traced};
