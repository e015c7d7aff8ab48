//! Engines that fail, die, stall, forget, and lie.
//!
//! ```text
//!   HybridStore::with_engines
//!     stream --> Script --> Broken? --> StreamModel      batches in memory; a crash keeps a prefix of them
//!     small  --> Script --> Broken? --> RedbEngine::on(DiskFile) --> Vfs --> SimDisk
//!                  |
//!                  +-- the n-th call of either engine fails, panics, stalls, or is the last of its process
//! ```
//!
//! - [`StreamModel`] stands for fjall: its commits survive the process, and its syncs the power.
//! - [`DiskFile`] puts redb on a file of the simulated disk.
//! - [`Script`] counts the calls of all engines of a process, and meddles with one of them.
//! - [`Broken`] is an engine that lacks one of the things a store relies on: with it, a test must fail.

mod broken;
mod file;
mod script;
mod stream;

#[cfg(test)]
mod tests;

pub use broken::{Broken, Defect};
pub use file::DiskFile;
pub use script::{Call, Deed, Moment, Script};
pub use stream::{Loss, StreamModel};
