//! Settings of the ingest worker.

use std::time::Duration;

/// Settings of the ingest worker. Every field is public; [`Options::default`] is what most want.
#[derive(Clone, Debug)]
pub struct Options {
    /// Records after which a batch is applied; it ends with a whole group. Default: 16,384.
    pub batch_records_max: u64,
    /// Bytes of groups after which a batch is applied. Default: 16 MiB.
    pub batch_bytes_max: u64,
    /// How long after it was applied something is made durable at the latest. Default: 5 s.
    pub checkpoint_after: Duration,
    /// Bytes of records after which what was applied is made durable. Default: 64 MiB.
    pub checkpoint_bytes: u64,
    /// Bytes of groups that the worker may be behind before appends wait for it. Default: 256 MiB.
    pub behind_bytes_max: u64,
    /// Threads that decode, hash and verify. Default: one a core.
    pub threads: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            batch_records_max: 16_384,
            batch_bytes_max: 16 << 20,
            checkpoint_after: Duration::from_secs(5),
            checkpoint_bytes: 64 << 20,
            behind_bytes_max: 256 << 20,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
        }
    }
}
