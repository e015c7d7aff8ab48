//! The journal of StemeDB: bytes in order, durable, hash-chained.
//!
//! # What it guarantees
//!
//! * A record whose append was answered is on the device, and its sequence is dense, from 1, and final. (Under
//!   [`Durability::Interval`] it is written, and reaches the device within the interval.)
//! * After a crash, everything that was acknowledged is there, in order; anything else that is there was submitted, and a group is
//!   there as a whole or not at all.
//! * A torn tail and corruption are told apart: the first is dropped and kept aside, the second refuses to open.
//! * The hash of the last group commits to every byte before it.
//! * After a failed write or fsync nothing more is acknowledged until the journal is opened again.
//!
//! # What it does not do
//!
//! It knows nothing of claims: a record is bytes. It never deletes a record. Its readers never write.
//!
//! ```text
//!  Journal::append, Writer --> queue --> log thread: one write, one fdatasync --> segments
//!                                              |
//!                                              +--> recent groups --> JournalReader (files where memory does not reach)
//! ```
//!
//! # Example
//!
//! ```
//! use stemedb_wal::{Journal, Start};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = tempfile::tempdir()?;
//! # let directory = directory.path().join("wal");
//! let mut journal = Journal::open(&directory)?;
//! assert_eq!(journal.append(*b"first")?, 1); // durable when it returns
//!
//! let writer = journal.writer(); // many of these share one fsync
//! let second = writer.append(*b"second");
//! let third = writer.append(*b"third");
//! assert_eq!(second.wait()?.first_sequence, 2);
//! assert_eq!(third.wait()?.first_sequence, 3);
//!
//! let mut reader = journal.reader(Start::AtSequence(2))?;
//! while let Some(group) = reader.next_group()? {
//!     for record in group.records() {
//!         println!("{}: {}", record.sequence, String::from_utf8_lossy(record.bytes));
//!     }
//! }
//! journal.close()?;
//! # Ok(())
//! # }
//! ```

pub mod backup;
mod decision;
mod directory;
mod error;
pub mod format;
mod gather;
mod group;
mod histogram;
mod journal;
mod log;
mod mark;
mod meters;
mod options;
mod outcome;
mod queue;
mod reader;
mod recover;
mod salvage;
mod scan;
mod shared;
mod snapshot;
mod spare;
mod survey;
#[cfg(not(shuttle))]
mod sync;
#[cfg(shuttle)]
pub mod sync;
mod sync_times;
mod thread;
mod types;
pub mod vfs;
mod writer;

pub use backup::Extent;
pub use error::{AppendError, Corruption, Error, Fault};
pub use format::FORMAT_VERSION;
pub use group::{Group, GroupBuilder, RecordRef, Records, Trust};
pub use histogram::{Distribution, Histogram};
pub use journal::{Journal, JournalState, JournalWatch};
pub use log::{LockedDirectory, Log};
pub use meters::JournalMeters;
pub use options::{Durability, Options};
pub use reader::{Consumer, Interrupt, JournalReader, Start, Wake};
pub use recover::{RecoveryReport, SegmentInfo, Torn};
pub use salvage::{SalvageReport, salvage};
pub use shared::Appended;
pub use snapshot::SnapshotReport;
pub use spare::{Spare, SpareRequest};
pub use survey::{Damaged, Item, Link, walk};
pub use sync_times::SyncStats;
pub use types::{GroupHash, JournalId, Mark, NotHex};
pub use writer::{Answered, Append, Writer};
