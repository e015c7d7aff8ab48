//! What the fuzz targets do with their bytes, and the bytes they begin with.
//!
//! A target is a function that panics when a promise is broken. `fuzz/` feeds them with what libFuzzer finds, under the address
//! sanitizer and on a nightly compiler; the test of this crate feeds them with mutations of the seeds, on any compiler.

#![expect(
    clippy::unwrap_used,
    reason = "a panic is how a target reports what it has found"
)]

mod group;
mod http;
mod json;
mod key;
mod memory;
mod mutation;
mod payload;
mod random;
mod recovery;

pub use random::Random;

/// Something to be fed with bytes.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Name of the target and of its directory of seeds.
    pub name: &'static str,
    /// Takes any bytes, and panics when a promise is broken.
    pub run: fn(&[u8]),
    /// Bytes to begin with.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// How many bytes the target may allocate at once, for so many bytes of input.
    pub allocation_bytes_max: fn(usize) -> usize,
}

/// All targets.
pub const TARGETS: [Target; 6] = [GROUP, RECOVERY, PAYLOAD, JSON, KEY, HTTP];

/// Headers of segments, groups, and groups whose hash was made right.
pub const GROUP: Target = Target {
    name: "group",
    run: group::run,
    seeds: group::seeds,
    allocation_bytes_max: |bytes| 2 * bytes + 1024,
};

/// Opening a journal whose files were damaged.
pub const RECOVERY: Target = Target {
    name: "recovery",
    run: recovery::run,
    seeds: recovery::seeds,
    // The journal that is damaged, and the chunk of zeros that is written at once.
    allocation_bytes_max: |_| 2 << 20,
};

/// Payloads of records.
pub const PAYLOAD: Target = Target {
    name: "payload",
    run: payload::run,
    seeds: payload::seeds,
    allocation_bytes_max: |bytes| 8 * bytes + 4096,
};

/// Lines of JSON.
pub const JSON: Target = Target {
    name: "json",
    run: json::run,
    seeds: json::seeds,
    allocation_bytes_max: |bytes| 8 * bytes + 4096,
};

/// Keys of a store.
pub const KEY: Target = Target {
    name: "key",
    run: key::run,
    seeds: key::seeds,
    allocation_bytes_max: |bytes| 8 * bytes + 1024,
};

/// What a client sends to a server over one connection.
pub const HTTP: Target = Target {
    name: "http",
    run: http::run,
    seeds: http::seeds,
    // The buffers of a connection, and those of a runtime.
    allocation_bytes_max: |bytes| 8 * bytes + (1 << 20),
};
