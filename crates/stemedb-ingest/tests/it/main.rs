//! Tests of the ingestor: what the specification names, against every store, and what may go wrong on the way.

#[cfg(test)]
mod specification; // the tests that the specification names
#[cfg(test)]
mod support; // journal, store and ingestor of one test, and made-up records
