//! What the tests of StemeDB stand on: a simulated disk and generators of records.
//!
//! It is never published, and nothing of it is a part of the product.
//!
//! - [`cases`]: the table of failure cases, and the commands that prove them.
//! - [`disk`]: a disk in memory, behind the journal's `Vfs`, that fails and loses power when it is told to.
//! - [`engine`]: engines of a store that fail, die, stall, forget, and lie.
//! - [`log`]: the warnings of a piece of work.
//! - [`oracle`]: what must be true after every recovery, for every harness.
//! - [`record`]: strategies of proptest for records of every kind, signed ones among them.
//! - [`skip`]: what a test cannot do here, it says.
//!
//! Its integration test holds the rules of the repository that the compiler and clippy cannot check: lengths of files, ASCII, edges
//! between crates, one title for each document, an index of decisions.

pub mod cases;
pub mod disk;
pub mod engine;
pub mod log;
pub mod oracle;
pub mod record;
pub mod skip;
