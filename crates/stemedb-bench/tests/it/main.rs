//! Integration tests of the benchmarks.

/// A quick run of everything.
#[cfg(test)]
mod smoke;
