//! The `stemedb` program.
fn main() {}
