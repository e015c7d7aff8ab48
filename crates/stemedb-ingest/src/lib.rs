//! The ingestor of StemeDB: journal in, store out, exactly once.
//!
//! # What it guarantees
//!
//! * A record that is durable in the journal is applied once to each engine of the store, whatever is killed when.
//! * The order of arrival decides: the first record of an id is stored, later ones are counted as duplicates.
//! * A record that cannot be applied goes to quarantine with the reason and its bytes; no record stops the stream, none is skipped.
//! * Readers see whole batches only.
//!
//! # What it does not do
//!
//! It acknowledges nothing: a record is safe when the journal says so. It resolves no disagreement.
//!
//! ```text
//!  JournalReader --> take groups --> decode, check, hash, look up, BatchBuilder (pool) --> KVStore::apply --> publish, wake
//!                                    one batch                                             the batch before it
//! ```
//!
//! # Example
//!
//! ```
//! use std::sync::Arc;
//!
//! use stemedb_core::{Agent, Assertion, Object, Predicate, Subject};
//! use stemedb_ingest::{Ingestor, serialize_assertion};
//! use stemedb_storage::{HybridStore, KVStore, key};
//! use stemedb_wal::Journal;
//! use tokio::sync::Mutex;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = tempfile::tempdir()?;
//! # std::env::set_current_dir(directory.path())?;
//! let journal = Arc::new(Mutex::new(Journal::open("./wal")?)); // tokio::sync::Mutex
//! let store = Arc::new(HybridStore::open("./db")?); // or SledStore
//! let mut ingestor = Ingestor::new(journal.clone(), store.clone());
//! ingestor.start(); // spawns the background worker
//!
//! let assertion = Assertion::new(
//!     Subject::new("Eiffel Tower")?,
//!     Predicate::new("height")?,
//!     Object::number(330.0)?,
//!     Agent::new("wikidata-editor:9b6ae54e")?,
//! );
//! let payload = serialize_assertion(&assertion)?;
//! let sequence = journal.lock().await.append(payload)?; // durable when it returns
//!
//! ingestor.wait_applied(sequence).await?; // readable when it returns
//! assert_eq!(store.scan_prefix(&key::subject("Eiffel Tower"))?.count(), 1);
//! ingestor.stop()?;
//! # Ok(())
//! # }
//! ```
//!
//! The same with sled:
//!
#![cfg_attr(not(feature = "sled"), doc = "```ignore")]
#![cfg_attr(feature = "sled", doc = "```")]
//! use std::sync::Arc;
//!
//! # use stemedb_core::{Agent, Assertion, Object, Predicate, Subject};
//! use stemedb_ingest::{Ingestor, serialize_assertion};
//! use stemedb_storage::{KVStore, SledStore, key};
//! use stemedb_wal::Journal;
//! use tokio::sync::Mutex;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = tempfile::tempdir()?;
//! # std::env::set_current_dir(directory.path())?;
//! # let assertion = Assertion::new(
//! #     Subject::new("Eiffel Tower")?,
//! #     Predicate::new("height")?,
//! #     Object::number(330.0)?,
//! #     Agent::new("wikidata-editor:9b6ae54e")?,
//! # );
//! let journal = Arc::new(Mutex::new(Journal::open("./wal")?));
//! let store = Arc::new(SledStore::open("./db")?);
//! let mut ingestor = Ingestor::new(journal.clone(), store.clone());
//! ingestor.start();
//! let payload = serialize_assertion(&assertion)?;
//! let sequence = journal.lock().await.append(payload)?;
//! ingestor.wait_applied(sequence).await?;
//! assert_eq!(store.scan_prefix(&key::subject("Eiffel Tower"))?.count(), 1);
//! # ingestor.stop()?;
//! # Ok(())
//! # }
//! ```

mod announced;
mod apply;
mod archive;
mod arrival;
mod codec;
mod error;
mod gather;
mod ingestor;
mod options;
mod prepare;
mod progress;
mod quarantine;
mod record_type;
mod source;
mod work;
mod worker;

pub use announced::Announcements;
pub use apply::{BatchBuilder, Checked, Chunk, Outline, identity_key};
pub use codec::{
    PAYLOAD_HEADER_BYTES, SerializeError, Undecodable, deserialize, serialize, serialize_assertion,
    serialize_checked, serialize_epoch, serialize_vote,
};
pub use error::Error;
pub use ingestor::Ingestor;
pub use options::Options;
pub use progress::{Applied, Counters, Health};
pub use quarantine::Quarantined;
pub use record_type::RecordType;
pub use source::Source;
pub use worker::{IngestWorker, cursor, mark};
