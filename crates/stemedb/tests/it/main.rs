//! Tests of the embedded library.

#[cfg(test)]
mod real_data; // the sets of examples/data, against figures that an independent program counted
