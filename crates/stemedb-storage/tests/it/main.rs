//! Tests of the stores through their public interface.

#[cfg(test)]
mod conformance; // what every implementation promises
#[cfg(test)]
mod crash; // a killed process, a lost end, an engine that was deleted
#[cfg(test)]
mod damage; // flipped bytes in the files of closed stores
#[cfg(test)]
mod model; // random operations against a sorted map
#[cfg(test)]
mod support; // a journal made up of numbers, and directories
#[cfg(test)]
mod visibility; // nobody sees half a batch
