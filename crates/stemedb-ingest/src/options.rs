//! Settings of the ingest worker.

use std::time::Duration;

use crate::Error;

/// Least distance at which appends wait for the worker: less would hold back appends that the worker is about to take.
pub(crate) const BEHIND_BYTES_MIN: u64 = 1 << 20;

/// Settings of the ingest worker. Every field is public; [`Options::default`] is what most want.
#[derive(Clone, Debug)]
pub struct Options {
    /// Records after which a batch is applied, at least 1; it ends with a whole group. Default: 65,536.
    ///
    /// A batch is what is durable when it is taken, or comes while it lingers, so that it is large only where much comes in. One of 12 MiB of
    /// entries or more goes into a `HybridStore` as whole tables, at less than two thirds of the cost.
    pub batch_records_max: u64,
    /// Bytes of groups after which a batch is applied, at least 1, and no more than a quarter of `behind_bytes_max`. Two batches are in memory
    /// at most. Default: 32 MiB.
    pub batch_bytes_max: u64,
    /// How long a batch waits to become full while a load goes on, more keeps coming and nobody waits for one of its records. It is a load
    /// where at least an eighth of a full batch comes in meanwhile.
    ///
    /// Zero turns it off. Default: 1 s, so that 8,192 records or 4 MiB a second are a load.
    pub batch_linger: Duration,
    /// How long after it was applied something is made durable at the latest, and `batch_linger` later while a load goes on. Default: 5 s.
    pub checkpoint_after: Duration,
    /// Bytes of records after which what was applied is made durable. Default: 64 MiB.
    pub checkpoint_bytes: u64,
    /// Bytes of groups that the worker may be behind before appends wait for it, at least 1 MiB. Default: 256 MiB.
    pub behind_bytes_max: u64,
    /// Threads that decode, hash and verify, at least 1. Default: one a core.
    pub threads: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            batch_records_max: 65_536,
            batch_bytes_max: 32 << 20,
            batch_linger: Duration::from_secs(1),
            checkpoint_after: Duration::from_secs(5),
            checkpoint_bytes: 64 << 20,
            behind_bytes_max: 256 << 20,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
        }
    }
}

impl Options {
    /// Fails where a setting is out of its limits: a worker with it would apply nothing, or hold every append back.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let settings = [
            ("batch_records_max", self.batch_records_max, 1, "1 or more"),
            ("batch_bytes_max", self.batch_bytes_max, 1, "1 or more"),
            (
                "behind_bytes_max",
                self.behind_bytes_max,
                BEHIND_BYTES_MIN,
                "1 MiB or more",
            ),
            ("threads", self.threads as u64, 1, "1 or more"),
        ];
        let outside = settings
            .into_iter()
            .find(|(_, value, least, _)| value < least);
        match outside {
            None => Ok(()),
            Some((name, value, _, limits)) => Err(Error::Option {
                name,
                value,
                limits,
            }),
        }
    }
}
