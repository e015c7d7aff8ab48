//! Integration tests of the benchmarks.

/// A quick run of everything.
#[cfg(test)]
mod smoke;

/// A quick run of the server among bad clients.
#[cfg(test)]
mod soak;
