//! The documents of the project, for those who read the code or the files.
//!
//! They are the files of its directory `docs`; the links between them lead from file to file.

#[doc = include_str!("../docs/ARCHITECTURE.md")]
pub mod architecture {}

#[doc = include_str!("../docs/FORMAT.md")]
pub mod format {}

#[doc = include_str!("../docs/DURABILITY.md")]
pub mod durability {}

#[doc = include_str!("../docs/TESTING.md")]
pub mod testing {}
