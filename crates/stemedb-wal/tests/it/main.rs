//! Tests of the journal through its public interface.

#[cfg(test)]
mod append; // appending, reopening, reading back
