//! Tests of the embedded library.
#![expect(
    clippy::disallowed_methods,
    reason = "tests look at files from outside, and damage them"
)]

#[cfg(test)]
mod maintenance;
#[cfg(test)]
mod real_data; // the sets of examples/data, against figures that an independent program counted // verify, rebuild, salvage, dumps
