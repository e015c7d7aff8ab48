//! StemeDB: the embedded database for claims.

mod database;
mod error;
mod export;
mod file;
mod flight;
pub mod maintenance;
mod marker;
mod outcome;
mod page;
mod prepared;
mod settings;
mod stats;
mod subjects;
mod submit;
mod view;

pub use database::{Applied, Database};
pub use error::{Error, ErrorKind, Result};
pub use export::Export;
pub use marker::UnknownStore;
pub use page::{Listed, Listing, Page, PageCursor};
pub use prepared::Prepared;
pub use settings::{Builder, Create, Durability, StoreKind};
pub use stats::{Health, JournalStats, Stats, StoreStats};
pub use stemedb_core::{
    Agent, Assertion, Confidence, Description, Epoch, EpochName, Invalid, Lifecycle, Number,
    Object, Predicate, PublicKey, Quote, Record, RecordId, Reference, Sequence, Signature,
    SigningKey, Source, SourceHash, Subject, Timestamp, Vote, Weight, limits,
};
pub use stemedb_ingest::RecordType;
pub use submit::{Receipt, Status, Submission};
pub use view::{Counts, QuarantinedRecord, Stored, SubjectCount, View};
