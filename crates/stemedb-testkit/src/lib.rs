//! What the tests of StemeDB stand on: a simulated disk and generators of records.
//!
//! It is never published, and nothing of it is a part of the product.

pub mod disk;
pub mod record;
