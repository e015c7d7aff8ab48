//! What goes over the wire: every answer as a type, for the server that writes it and the client that reads it.
//!
//! Names of fields are those that the program prints with `--json`.

mod backup;
mod bulk;
mod change;
mod problem;
mod quarantine;
mod receipt;
mod stat;
mod stored;
mod text;

pub use backup::{Segment, Segments};
pub use bulk::{BulkEnd, BulkLine, BulkResult, Fate};
pub use change::{ChangeEnd, ChangeLine, Heartbeat};
pub use problem::{Code, ItemError, Problem};
pub use quarantine::{Quarantined, Retried};
pub use receipt::{Durability, Receipt, Receipts, Status};
pub use stat::{Head, Journal, Readiness, Stats, Store};
pub use stored::{Chain, Page, StoredRecord, SubjectCount, VotePage, VoteTotals};

#[cfg(test)]
mod tests;
