//! The documents of the project, as they stand in its directory `docs`: for those who read the code or the files.

#[doc = include_str!("../../../docs/ARCHITECTURE.md")]
pub mod architecture {}

#[doc = include_str!("../../../docs/FORMAT.md")]
pub mod format {}

#[doc = include_str!("../../../docs/DURABILITY.md")]
pub mod durability {}

#[doc = include_str!("../../../docs/TESTING.md")]
pub mod testing {}
