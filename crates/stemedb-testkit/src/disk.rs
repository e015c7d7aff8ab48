//! A disk in memory that forgets what was not synced.
//!
//! [`SimDisk`] is a [`Vfs`](stemedb_wal::vfs::Vfs). Files have durable and volatile sectors and lengths, directories durable and volatile
//! entries. [`SimDisk::crash`] keeps, for each sector, length and entry that was not synced, any one of its states since the last sync.
//! It is deterministic: the same calls and the same seed give the same disk.
//!
//! What it does not model: torn sectors, and a device that loses what it has synced, but for [`LyingDisk`].

mod entries;
mod file;
mod lying;
mod plan;
mod random;
mod sim;
mod vfs;

#[cfg(test)]
mod tests;

pub use file::SECTOR_BYTES;
pub use lying::{Lie, LyingDisk};
pub use plan::{Effect, Operation};
pub use random::Random;
pub use sim::{SimDisk, Traced};
