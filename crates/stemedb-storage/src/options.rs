//! Settings of a store on disk.

use crate::{
    error::{Error, Result},
    watchdog::StallLimits,
};

/// Least bytes of a cache: a few blocks.
const CACHE_BYTES_MIN: u64 = 1 << 20;
/// Most bytes of a cache: more than any machine has, so that what is wrong by its unit is refused.
const CACHE_BYTES_MAX: u64 = 1 << 40;

/// Settings of a store on disk. Every field is public; [`Options::default`] is what most want.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// How long an engine is waited for.
    pub stall: StallLimits,
    /// Bytes of blocks that the engine of the stream keeps in memory, 1 MiB to 1 TiB: fjall's, or sled's. Default: 64 MiB.
    ///
    /// Indexes and filters of the tables are among them: about 10 bytes for each record, without which each look-up reads the disk.
    pub stream_cache_bytes_max: u64,
    /// Bytes of pages that the engine of what is small keeps in memory, 1 MiB to 1 TiB: redb's. Default: 32 MiB.
    pub small_cache_bytes_max: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            stall: StallLimits::default(),
            stream_cache_bytes_max: Self::STREAM_CACHE_BYTES_DEFAULT,
            small_cache_bytes_max: Self::SMALL_CACHE_BYTES_DEFAULT,
        }
    }
}

impl Options {
    /// Bytes of the cache of the stream's engine, unless set otherwise.
    pub const STREAM_CACHE_BYTES_DEFAULT: u64 = 64 << 20;
    /// Bytes of the cache of the engine of what is small, unless set otherwise.
    pub const SMALL_CACHE_BYTES_DEFAULT: u64 = 32 << 20;

    /// Fails where a setting is out of its limits.
    pub(crate) fn check(&self) -> Result<()> {
        let caches = [
            ("stream_cache_bytes_max", self.stream_cache_bytes_max),
            ("small_cache_bytes_max", self.small_cache_bytes_max),
        ];
        let allowed = CACHE_BYTES_MIN..=CACHE_BYTES_MAX;
        let outside = caches.into_iter().find(|(_, it)| !allowed.contains(it));
        outside.map_or(Ok(()), |(name, value)| {
            Err(Error::Option {
                name,
                value,
                limits: "1 MiB to 1 TiB",
            })
        })
    }
}
