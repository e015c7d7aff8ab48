//! Records of StemeDB: what they say, what they are called, and who signed them.
//!
//! Everything that a database for claims keeps is a [`Record`]: validated when it is made, named by the
//! hash of what it says, and signed if its agent is a key.
//!
//! # Vocabulary
//!
//! One word for one thing, here and in every other crate:
//!
//! - An **assertion** states something of a subject; a **vote** speaks for or against an assertion; an
//!   **epoch** names a period or a state of knowledge. Each of the three is a **record**.
//! - An **agent** stands behind a record; a **source** is where the agent has it from.
//! - The **journal** is the ledger of all records, in files called **segments**; a **group** is what is
//!   written to it at once; a **sequence** is the place of a record in it.
//! - The **store** answers questions about what the journal holds. It is written in **batches**, and its
//!   **cursor** says how far. A **checkpoint** is the point from which a store would be brought up to
//!   date; **quarantine** is where records are kept that could not be applied.
//!
//! # What it guarantees
//!
//! - A value of a type of this crate keeps its limits: parsing is the only way in. [`limits`] has all of
//!   them.
//! - Equal records, up to their signatures, have equal canonical bytes and so equal ids, in every version
//!   and on every machine; and the JSON form reads back to the very same record.
//! - A signature is checked by one predicate, ZIP-215, under which single and batch verification agree.
//!
//! There is no file, clock, randomness or engine here: everything is a function of its arguments.
//!
//! # Example
//!
//! ```
//! use stemedb_core::{Agent, Assertion, Object, Predicate, Record, Source, Subject};
//!
//! let assertion = Assertion::new(
//!     Subject::new("Eiffel Tower")?,
//!     Predicate::new("height")?,
//!     Object::number(330.0)?,
//!     Agent::new("wikidata-editor:9b6ae54e")?,
//! )
//! .with_source(Source::new("https://www.wikidata.org/wiki/Q243")?);
//!
//! let record = Record::from(assertion);
//! let id = record.verify()?;
//!
//! let line = record.to_json();
//! assert_eq!(Record::from_json(line.as_bytes())?, record);
//! assert_eq!(Record::from_json(line.as_bytes())?.id()?, id);
//! # Ok::<(), stemedb_core::Invalid>(())
//! ```

mod canonical;
mod cbor;
mod hash;
mod invalid;
mod json;
mod key;
pub mod limits;
mod name;
mod number;
mod object;
mod record;
pub mod signature;
mod time;
mod word;

pub use hash::{RecordId, Signature, SourceHash};
pub use invalid::{Invalid, Reason};
pub use key::PublicKey;
pub use name::{Agent, Description, EpochName, Predicate, Quote, Reference, Source, Subject};
pub use number::{Confidence, Number, Weight};
pub use object::{Lifecycle, Object};
pub use record::{Assertion, Epoch, Record, Vote};
pub use signature::{PendingSignature, SigningKey};
pub use time::{Sequence, Timestamp};
