//! Key-value stores of StemeDB.
//!
//! A store holds what a journal says, in a form that can be looked up. The journal is the truth: a store
//! can be thrown away and built again from it at any time.
//!
//! ```text
//!   one applier            KVStore                          any number of readers
//!   apply(Batch) ---->  +-----------------------------+
//!   publish()    ---->  | engines, each with a cursor | ----> published view (Snapshot)
//!   persist()    ---->  | in its own atomic batches   |       get, scan, counts, cursor
//!                       +-----------------------------+
//! ```
//!
//! # What is guaranteed
//!
//! - **Exactly once.** Each engine writes its cursor in the same atomic batch as the entries. A record is
//!   applied to an engine iff its sequence is above that engine's cursor, so a replay may begin anywhere
//!   at or before [`KVStore::cursor`].
//! - **Nobody sees half a batch.** Readers get a published view, which is swapped as a whole.
//! - **Checked at every read.** Every value carries a checksum over its key and itself.
//! - **Loss is noticed.** Opening walks the chain of applied batches, and compares the stream engine with
//!   the checkpoint that the other engine remembers: a hole or a lost end is [`Error::NeedsRebuild`].
//! - **A failure is final.** An engine that fails or panics ends its handle with [`Error::EngineFailed`].
//!
//! # What it does not do
//!
//! It knows nothing of records: what an entry's content means is up to whoever builds the [`Batch`]es.
//! It overwrites and removes nothing. It has no clock, and no threads but one for each engine on disk, so that nobody
//! waits for ever for an engine that is stuck ([`StallLimits`]): when to publish and when to make a checkpoint, the caller decides. It does not rebuild: it says when that is needed.
//!
//! # Which store
//!
//! | store | engines | for |
//! |---|---|---|
//! | [`HybridStore`] | fjall for what grows with the stream, redb for what is small | everything |
//! | `SledStore` | sled | comparison; cargo feature `sled`, on by default; the weakest backend |
//! | [`MemoryStore`] | a sorted map | tests, and embedding without a disk |
//!
//! # Example
//!
//! ```
//! use stemedb_core::{RecordId, Sequence};
//! use stemedb_storage::{Batch, Cursor, Entry, HybridStore, KVStore, Key, Origin, key};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path();
//! let store = HybridStore::open(path)?;
//! let id = RecordId::from_bytes([7; 32]);
//! let origin = Origin { sequence: Sequence::FIRST, arrived_at_ms: 1_767_225_600_000 };
//! let subject = Key::Subject {
//!     subject: "Eiffel Tower".into(),
//!     predicate: "height".into(),
//!     sequence: Sequence::FIRST,
//! };
//! store.apply(Batch {
//!     first: Sequence::FIRST,
//!     cursor: Cursor { journal: [1; 16], sequence: Sequence::FIRST, group: 1, group_hash: [2; 32] },
//!     entries: vec![
//!         Entry::new(&Key::Assertion(id), origin, b"330 m")?,
//!         Entry::new(&subject, origin, id.as_bytes())?,
//!     ],
//!     duplicates: Vec::new(),
//! })?;
//!
//! // Nothing is seen before it is published.
//! let name = Key::Assertion(id).encode();
//! assert!(store.get(&name).is_err());
//! store.publish()?;
//! assert_eq!(store.get(&name)?.map(|value| value.content), Some(b"330 m".to_vec()));
//!
//! let found = store.scan_prefix(&key::subject("Eiffel Tower"))?.collect::<Result<Vec<_>, _>>()?;
//! assert_eq!(found.len(), 1);
//!
//! // A checkpoint; then the next opening begins here.
//! store.persist()?;
//! drop(store);
//! let store = HybridStore::open(path)?;
//! assert_eq!(store.cursor()?.map(|cursor| cursor.sequence), Some(Sequence::FIRST));
//! # Ok(())
//! # }
//! ```

mod applier;
mod batch;
mod cursor;
mod directory;
pub mod engine;
mod entry;
mod envelope;
mod error;
mod guard;
mod held;
mod hybrid;
pub mod key;
mod memory;
mod meta;
mod options;
mod reconcile;
#[cfg(feature = "sled")]
mod sled_store;
mod store;
mod view;
mod watchdog;

pub use batch::Batch;
pub use cursor::{Counts, Cursor, EngineCursor};
pub use engine::CacheLookups;
pub use entry::{Entry, Origin, Sealer};
pub use envelope::{ENVELOPE_BYTES, Value};
pub use error::{
    BatchFault, Corruption, Damage, EngineError, Error, RebuildReason, Result, Versioned,
};
pub use held::HeldViews;
pub use hybrid::HybridStore;
pub use key::{Key, KeyKind, MetaKey};
pub use memory::MemoryStore;
pub use meta::{APPLY_VERSION, STORE_FORMAT};
pub use options::Options;
#[cfg(feature = "sled")]
pub use sled_store::SledStore;
pub use store::{KVStore, RawEntry, RawScan, Scan, Snapshot, StoreKind};
pub use watchdog::{Backlog, Operation, Stall, StallLimits};
