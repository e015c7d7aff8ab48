//! Integration tests of stemedb-core, one binary.

#[cfg(test)]
mod bad_input; // what is refused, and in which words
#[cfg(test)]
mod canonical; // canonical bytes against an independent reader, and against sorting
#[cfg(test)]
mod data; // ids of the real data sets, where they are present
#[cfg(test)]
mod json; // the JSON form there and back
#[cfg(test)]
mod signature; // Ed25519: RFC 8032, ZIP-215, batches
#[cfg(test)]
mod vectors; // the test vectors of the reference implementation
