//! Tests of the stores through their public interface.
#![expect(
    clippy::disallowed_methods,
    reason = "tests look at files from outside, and damage them"
)]

#[cfg(test)]
mod blob; // values apart from their keys: damaged, missing, foreign, left over
#[cfg(test)]
mod conformance; // what every implementation promises
#[cfg(test)]
mod crash; // a killed process, a lost end, an engine that was deleted
#[cfg(test)]
mod damage; // flipped bytes in the files of closed stores
#[cfg(test)]
mod held; // readers beside an engine that does not return
#[cfg(test)]
mod load; // large commits of fjall, killed at every call
#[cfg(test)]
mod model; // random operations against a sorted map
#[cfg(test)]
mod options; // settings out of their limits
#[cfg(test)]
mod panics; // engines that panic at what they read
#[cfg(test)]
mod residue; // what crashes and full disks leave beside the tables of fjall
#[cfg(test)]
mod support; // a journal made up of numbers, and directories
#[cfg(test)]
mod surgery; // every byte flipped and every length cut, in child processes
#[cfg(test)]
mod visibility; // nobody sees half a batch
