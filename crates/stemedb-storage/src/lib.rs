//! Key-value stores of StemeDB.
//!
//! A store holds what a journal says, in a form that can be looked up: it can be thrown away and built
//! again from the journal at any time.

mod applier;
mod batch;
mod cursor;
mod directory;
mod engine;
mod envelope;
mod error;
mod guard;
mod hybrid;
pub mod key;
mod memory;
mod meta;
mod reconcile;
#[cfg(feature = "sled")]
mod sled_store;
mod store;
mod view;

pub use batch::{Batch, Put};
pub use cursor::{Counts, Cursor, EngineCursor};
pub use envelope::{ENVELOPE_BYTES, Value};
pub use error::{
    BatchFault, Corruption, Damage, EngineError, Error, RebuildReason, Result, Versioned,
};
pub use hybrid::HybridStore;
pub use key::{Key, KeyKind, MetaKey};
pub use memory::MemoryStore;
pub use meta::{APPLY_VERSION, STORE_FORMAT};
#[cfg(feature = "sled")]
pub use sled_store::SledStore;
pub use store::{KVStore, RawEntry, RawScan, Scan, Snapshot, StoreKind};
