//! StemeDB, the embedded database for claims.
//!
//! Many writers assert things about the same subjects, and they disagree. An ordinary database keeps the last write. This one keeps
//! every record: who stands behind it, from which source, how sure they were and in which epoch; others vote on it, and nothing is
//! ever overwritten. A record is named by the hash of what it says, so its name can be computed before it is stored, and checked after.
//!
//! ```text
//!   Database::assert, vote, define_epoch, ingest, submit          Database::view, export
//!                  |                                                    ^
//!      check, name, verify the signature                                | a consistent view
//!                  v                                                    |
//!   journal (fsynced, hash-chained: the truth) --> ingest worker --> store (fjall + redb, or sled)
//!                  |
//!                  +--> Receipt: id, sequence, durability
//! ```
//!
//! # What it guarantees
//!
//! - **What was acknowledged stays.** A [`Receipt`] means that the record is on the device ([`Durability::Sync`], the default). After a
//!   crash it is there, with the same sequence and the same bytes.
//! - **Anyone can check that.** The journal is one hash chain, every stored value has a checksum, every record is named by its hash:
//!   [`maintenance::verify`] checks all of it, and [`JournalStats::head_hash`] commits to the whole history.
//! - **Exactly once.** The same record handed in twice, by whomever and whenever, is stored once, under its first sequence.
//! - **Readers see whole states.** A [`View`] stands still while records are applied.
//! - **Damage is told, not repaired in silence.** A database whose acknowledged records are damaged refuses to open, and says where.
//!
//! # What it does not do
//!
//! - It resolves no disagreement: it shows who says what, and leaves the judgement to whoever reads.
//! - It deletes and changes nothing, and forgets nothing: the journal grows for as long as records come.
//! - It is one process at a time: a second one is refused at once. There is no server in this crate, and no replication.
//! - It fills in no times and invents no agents: what a record says is what its writer said.
//!
//! # Ten minutes
//!
//! ## Open, and assert
//!
//! [`Database::open`] opens a database that exists; a [`Builder`] may create one. An [`Assertion`] states of a subject, under a
//! predicate, an object. Every name is a type of its own that keeps its limits ([`limits`]), so that what compiles is well formed and
//! what is not is refused where it comes in.
//!
//! ```
//! use stemedb::{Agent, Assertion, Confidence, Create, Database, Object, Predicate, Source, Status, Subject};
//!
//! # fn main() -> stemedb::Result<()> {
//! # let parent = tempfile::tempdir().unwrap();
//! # let directory = parent.path().join("stemedb-data");
//! let database = Database::builder().create(Create::IfMissing).open(&directory)?;
//!
//! let tower = Subject::new("Eiffel Tower")?;
//! let height = Predicate::new("height")?;
//! let first = Assertion::new(tower.clone(), height.clone(), Object::number(324.0)?, Agent::new("editor:ana")?)
//!     .with_source(Source::new("https://www.wikidata.org/wiki/Q243")?);
//! let second = Assertion::new(tower, height, Object::number(330.0)?, Agent::new("editor:ben")?)
//!     .with_confidence(Confidence::new(0.8)?);
//!
//! let receipt = database.assert(first.clone())?; // it is on the device when this returns
//! assert_eq!(receipt.sequence.get(), 1);
//! assert_eq!(receipt.status, Status::Stored);
//! database.assert(second)?; // they disagree, and both are kept
//!
//! // The same record again is the same record: it keeps its first sequence.
//! let again = database.assert(first)?;
//! assert_eq!((again.id, again.sequence), (receipt.id, receipt.sequence));
//! assert_eq!(again.status, Status::AlreadyStored);
//! database.close()
//! # }
//! ```
//!
//! A [`Receipt`] holds the record's id, its sequence, which is its place in the order of all records (dense, from 1), and the
//! durability that the acknowledgement waited for. [`Durability::Interval`] acknowledges what is written and not yet fsynced: faster
//! for a single writer, and a power loss may take the last moments. The faster way that gives up nothing is to hand in many records
//! at a time.
//!
//! ## Read your writes
//!
//! A record is durable before it can be read: the worker applies it to the store a moment later. [`Database::wait_applied`] waits for
//! exactly that; block on it, or `.await` it.
//!
//! ```
//! # use stemedb::{Agent, Assertion, Create, Database, Object, Page, Predicate, Subject};
//! # fn main() -> stemedb::Result<()> {
//! # let parent = tempfile::tempdir().unwrap();
//! # let database = Database::builder().create(Create::IfMissing).open(parent.path().join("data"))?;
//! let tower = Subject::new("Eiffel Tower")?;
//! let height = Predicate::new("height")?;
//! for (agent, metres) in [("editor:ana", 324.0), ("editor:ben", 330.0), ("editor:cho", 330.0)] {
//!     let object = Object::number(metres)?;
//!     let receipt = database.assert(Assertion::new(tower.clone(), height.clone(), object, Agent::new(agent)?))?;
//!     database.wait_applied(receipt.sequence).wait()?;
//! }
//!
//! let view = database.view()?;
//! for listed in view.assertions(&tower, Some(&height), &Page::default())? {
//!     let stored = listed?.value;
//!     println!("{} says {}", stored.record.agent().as_str(), stored.record.to_json());
//! }
//! assert_eq!(view.counts().assertions, 3);
//! # database.close()
//! # }
//! ```
//!
//! A [`View`] stays as it is while the database goes on. Keep it for a question, not for a day: it holds on to old data.
//!
//! ## Pages, cursors, and as of when
//!
//! Listings are lazy: take as much as you want. Each item carries a cursor that goes on after it, in this process or in another one.
//! [`Page::as_of`] shows only what had arrived by a sequence, and so what was known when.
//!
//! ```
//! # use stemedb::{Agent, Assertion, Create, Database, Object, Page, PageCursor, Predicate, Record, Sequence, Subject};
//! # fn main() -> stemedb::Result<()> {
//! # let parent = tempfile::tempdir().unwrap();
//! # let database = Database::builder().create(Create::IfMissing).open(parent.path().join("data"))?;
//! # let tower = Subject::new("Eiffel Tower")?;
//! # let height = Predicate::new("height")?;
//! # let mut last = Sequence::FIRST;
//! # for metres in 320..330 {
//! #     let object = Object::number(f64::from(metres))?;
//! #     let assertion = Assertion::new(tower.clone(), height.clone(), object, Agent::new("editor:ana")?);
//! #     last = database.assert(assertion)?.sequence;
//! # }
//! # database.wait_applied(last).wait()?;
//! // Ten assertions are stored. Four of them, and a cursor:
//! let view = database.view()?;
//! let four: Vec<_> = view.assertions(&tower, None, &Page::default())?.take(4).collect::<Result<_, _>>()?;
//! let cursor: String = four.last().map(|listed| listed.cursor.to_string()).unwrap_or_default();
//!
//! // The rest, from the text of the cursor:
//! let after = Some(cursor.parse::<PageCursor>()?);
//! let page = Page { after, ..Page::default() };
//! assert_eq!(view.assertions(&tower, None, &page)?.count(), 6);
//!
//! // What was known at sequence 3:
//! let page = Page { as_of: Sequence::new(3), ..Page::default() };
//! assert_eq!(view.assertions(&tower, None, &page)?.count(), 3);
//!
//! // Which subjects there are:
//! let subjects: Vec<_> = view.subjects("Eiffel", &Page::default())?.collect::<Result<_, _>>()?;
//! assert_eq!((subjects[0].value.subject.as_str(), subjects[0].value.assertions), ("Eiffel Tower", 10));
//! # database.close()
//! # }
//! ```
//!
//! ## Votes and epochs
//!
//! A [`Vote`] speaks for or against an assertion, with a weight from -1 to 1. An [`Epoch`] names a period or a state of knowledge, and
//! may supersede another; assertions say in which epoch they stand. Neither needs what it refers to: order of arrival does not matter.
//!
//! ```
//! # use stemedb::{Create, Database};
//! use stemedb::{Agent, Assertion, Epoch, EpochName, Object, Page, Predicate, Subject, Vote, Weight};
//!
//! # fn main() -> stemedb::Result<()> {
//! # let parent = tempfile::tempdir().unwrap();
//! # let database = Database::builder().create(Create::IfMissing).open(parent.path().join("data"))?;
//! let desk = Agent::new("desk:monuments")?;
//! let survey = Epoch::new(EpochName::new("survey of 2020")?, desk.clone());
//! let survey = database.define_epoch(survey)?.id;
//! let antenna = Epoch::new(EpochName::new("after the new antenna")?, desk.clone()).with_supersedes(survey);
//! let antenna = database.define_epoch(antenna)?.id;
//!
//! let assertion = Assertion::new(
//!     Subject::new("Eiffel Tower")?,
//!     Predicate::new("height")?,
//!     Object::number(330.0)?,
//!     Agent::new("editor:ben")?,
//! )
//! .with_epoch(antenna);
//! let assertion = database.assert(assertion)?.id;
//! let vote = database.vote(Vote::new(assertion, Agent::new("rater:7")?, Weight::new(1.0)?))?;
//!
//! database.wait_applied(vote.sequence).wait()?;
//! let view = database.view()?;
//! assert_eq!(view.votes(assertion, &Page::default())?.count(), 1);
//! let chain: Vec<_> = view.epoch_chain(antenna)?.into_iter().map(|stored| stored.id).collect();
//! assert_eq!(chain, [antenna, survey]);
//! # database.close()
//! # }
//! ```
//!
//! ## Many records
//!
//! [`Database::ingest`] takes records from an iterator, checks them in batches and shares fsyncs among them; each has its own outcome.
//! A record has a JSON form, one line of an NDJSON file, and [`ndjson`] cuts such files. A program that wants several batches in flight, or checks on several threads,
//! uses [`Prepared`] and [`Database::submit`]; a [`Submission`] can be awaited.
//!
//! ```
//! # use stemedb::{Create, Database, Record};
//! # fn main() -> stemedb::Result<()> {
//! # let parent = tempfile::tempdir().unwrap();
//! # let database = Database::builder().create(Create::IfMissing).open(parent.path().join("data"))?;
//! let lines = [
//!     r#"{"type":"assertion","subject":"Louvre","predicate":"architect","object":"Pierre Lescot","agent":"editor:ana"}"#,
//!     r#"{"type":"assertion","subject":"Louvre","predicate":"architect","object":"I. M. Pei","agent":"editor:ben"}"#,
//!     r#"{"type":"assertion","subject":"Louvre","predicate":"visitors","object":8.9e6,"agent":"editor:ben"}"#,
//! ];
//! let records: Vec<Record> = lines.iter().map(|line| Record::from_json(line.as_bytes())).collect::<Result<_, _>>()?;
//! let receipts = database.ingest(records);
//! assert!(receipts.iter().all(Result::is_ok));
//! assert_eq!(database.stats()?.durable_sequence, 3);
//! # database.close()
//! # }
//! ```
//!
//! ## Agents that are keys
//!
//! An agent is any name, unless it begins with `did:key:`: then it is an Ed25519 key, and only whoever has the key can speak in its
//! name. The signature covers the id, and so all that the record says.
//!
//! ```
//! # use stemedb::{Create, Database, ErrorKind};
//! use stemedb::{Assertion, Object, Predicate, Record, SigningKey, Subject};
//!
//! # fn main() -> stemedb::Result<()> {
//! # let parent = tempfile::tempdir().unwrap();
//! # let database = Database::builder().create(Create::IfMissing).open(parent.path().join("data"))?;
//! # let secret = [7; 32];
//! let key = SigningKey::from_bytes(secret); // 32 random bytes that nobody else knows
//! let record = Record::from(Assertion::new(
//!     Subject::new("Eiffel Tower")?,
//!     Predicate::new("height")?,
//!     Object::number(330.0)?,
//!     key.did(), // did:key:z6Mk...
//! ));
//! let refused = database.add(record.clone()).unwrap_err();
//! assert_eq!(refused.kind(), ErrorKind::Invalid); // its signature is missing
//!
//! let receipt = database.add(key.sign(&record)?)?;
//! assert_eq!(receipt.id, record.id()?); // the signature is no part of the id
//! # database.close()
//! # }
//! ```
//!
//! ## Export, and check
//!
//! [`Database::export`] streams the stored records in the order of their sequences; what it gives ingests again to the same ids.
//! The tools in [`maintenance`] work on a database that is closed, also on one that refuses to open.
//!
//! ```
//! # use stemedb::{Agent, Assertion, Create, Database, Object, Predicate, Subject};
//! use stemedb::maintenance::{VerifyOptions, verify};
//!
//! # fn main() -> stemedb::Result<()> {
//! # let parent = tempfile::tempdir().unwrap();
//! # let directory = parent.path().join("data");
//! # let database = Database::builder().create(Create::IfMissing).open(&directory)?;
//! # let assertion = Assertion::new(
//! #     Subject::new("Eiffel Tower")?,
//! #     Predicate::new("country")?,
//! #     Object::text("France"),
//! #     Agent::new("editor:ana")?,
//! # );
//! # let receipt = database.assert(assertion)?;
//! # database.wait_applied(receipt.sequence).wait()?;
//! let mut lines = Vec::new();
//! for stored in database.export()? {
//!     lines.push(stored?.record.to_json());
//! }
//! assert_eq!(lines.len(), 1);
//! let head = database.stats()?.journal.head_hash; // commits to everything so far
//! database.close()?;
//!
//! let report = verify(&directory, &VerifyOptions::default(), &mut |progress| println!("{progress:?}"))?;
//! assert!(report.is_ok(), "{:?}", report.problems);
//! assert_eq!(report.head_hash, head);
//! # Ok(())
//! # }
//! ```
//!
//! # Errors
//!
//! There is one opaque [`Error`] with few kinds, and each kind says what to do. Match on [`Error::kind`]; print the error and its
//! [sources](std::error::Error::source); show [`Error::advice`] to a person.
//!
//! | kind | what to do | for example |
//! |---|---|---|
//! | [`Invalid`](ErrorKind::Invalid) | fix the request | a signature is missing, an `as_of` that is not applied yet |
//! | [`NotFound`](ErrorKind::NotFound) | look for another | no database in this directory |
//! | [`Conflict`](ErrorKind::Conflict) | try again at once | something else was faster |
//! | [`Unavailable`](ErrorKind::Unavailable) | try again later | in use by another process, disk full |
//! | [`Corruption`](ErrorKind::Corruption) | stop, and run `stemedb verify` | an acknowledged record is damaged |
//! | [`Unsupported`](ErrorKind::Unsupported) | use a newer program | a newer one wrote the files |
//! | [`Closed`](ErrorKind::Closed) | open the database again | an fsync failed: what was being stored may or may not be there |
//! | [`Internal`](ErrorKind::Internal) | report it | |
//!
//! ```
//! use stemedb::{Database, ErrorKind};
//!
//! let error = Database::open("/nowhere/at/all").unwrap_err();
//! assert_eq!(error.kind(), ErrorKind::NotFound);
//! assert_eq!(error.to_string(), "no database in /nowhere/at/all");
//! assert_eq!(error.advice(), Some("create one with `stemedb init`, or name another directory"));
//! ```
//!
//! A failed write or fsync is final for the handle: nothing is acknowledged after it, reading goes on, and opening the database again
//! finds out what is there. [`Database::health`] tells without trying.
//!
//! # Cargo features
//!
//! `sled`, on by default: databases on the sled engine ([`StoreKind::Sled`]), beside the usual hybrid of fjall and redb.

// `docs` beside `src` is a link to the documents, so that a package carries them.
#[cfg(doc)]
pub mod docs;

pub mod backup;
mod changes;
mod database;
mod entries;
mod error;
mod export;
mod file;
mod find;
mod flight;
mod known;
pub mod maintenance;
mod marker;
pub mod ndjson;
mod observe;
mod outcome;
mod page;
mod prepared;
mod settings;
mod snapshot;
mod stats;
mod subjects;
mod submit;
mod view;

pub use changes::{Changes, ChangesBatch, ChangesLimit};
pub use database::{Applied, Database};
pub use error::{Error, ErrorKind, Result, error_chain};
pub use export::Export;
pub use marker::UnknownStore;
pub use observe::{
    IngestObservations, JournalObservations, KnownIds, KnownIdsObservations, Observations,
    SubmittedObservations, ViewObservations,
};
pub use page::{Listed, Listing, Page, PageCursor};
pub use prepared::Prepared;
pub use settings::{Builder, Create, Durability, StoreKind};
pub use snapshot::SnapshotReport;
pub use stats::{Health, JournalHead, JournalStats, Stall, Stats, StoreStats};
pub use stemedb_core::{
    Agent, Assertion, Confidence, Description, Epoch, EpochName, Invalid, Lifecycle, Number,
    Object, Predicate, PublicKey, Quote, Record, RecordId, Reference, Sequence, Signature,
    SigningKey, Source, SourceHash, Subject, Timestamp, Vote, Weight, limits,
};
pub use stemedb_ingest::RecordType;
pub use stemedb_storage::{CacheLookups, Operation as EngineOperation};
pub use stemedb_wal::{Distribution, SyncStats};
pub use submit::{Receipt, Status, Submission};
pub use view::{Counts, QuarantinedRecord, Stored, SubjectCount, View};
