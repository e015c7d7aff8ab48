//! Simulated disk, generators, reference model and repository checks for the tests of StemeDB.

pub mod record;
