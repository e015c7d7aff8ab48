//! Tests of the embedded library.
#![expect(
    clippy::disallowed_methods,
    reason = "tests look at files from outside, and damage them"
)]

#[cfg(test)]
mod backup; // backups of a database that is in use, and what is restored
#[cfg(test)]
mod changes; // the stored records behind a sequence, as they come
#[cfg(test)]
mod close; // close, drop, durability, and what outlives a database
#[cfg(test)]
mod error; // kind, text and advice of each refusal
#[cfg(test)]
mod export; // the stored records in order, also while writing goes on
#[cfg(target_os = "linux")]
#[cfg(test)]
mod full; // no room under the store
#[cfg(test)]
mod listing; // pages, cursors, as-of, and what names do not match
#[cfg(test)]
mod maintenance; // verify, rebuild, salvage, dumps
#[cfg(test)]
mod open; // which directories are opened, created, completed, refused
#[cfg(test)]
mod quarantine; // what the raw journal held, and trying it again
#[cfg(test)]
mod real_data; // real sets, against figures that an independent program counted
#[cfg(test)]
mod snapshot; // a database of its own from one that is in use
#[cfg(target_os = "linux")]
#[cfg(test)]
mod stall; // an engine that hangs
#[cfg(test)]
mod submit; // receipts, many writers, order, signatures
#[cfg(test)]
mod support; // a database of one test, and made-up records
#[cfg(test)]
mod two_engines; // engines and journals that were deleted, or come from an older copy or from elsewhere
