//! Names of records and places, from core.
pub use stemedb_core::{RecordId, Sequence};
