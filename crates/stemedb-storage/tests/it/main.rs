//! Tests of the stores through their public interface.

#[cfg(test)]
mod conformance; // what every implementation promises
#[cfg(test)]
mod support; // a journal made up of numbers, and directories
