//! The ingestor of StemeDB: journal in, store out, exactly once.
mod apply;
mod archive;
mod codec;
mod error;
mod ingestor;
mod options;
mod prepare;
mod progress;
mod quarantine;
mod record_type;
mod source;
mod worker;

pub use apply::{BatchBuilder, Checked, entries, identity_key};
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
