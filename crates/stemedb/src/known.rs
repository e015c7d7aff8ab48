//! Which ids are known: those of the records that are stored or in flight, in memory, with an error to one side.
//!
//! To ask the store for an id is to ask each of its tables, and nearly every id that is handed in is new. [`Known`] tells so for the
//! price of a few cache lines. It is a chain of split block Bloom filters (Putze, Sanders, Singler: Cache-, Hash- and Space-Efficient
//! Bloom Filters, 2007; blocks as in `BloomFilter.md` of Apache Parquet): an id has one bit in each of the eight 32-bit words of one
//! block, so that a link costs one cache line. An id is a hash already: block and bits are taken from its bytes as they are.
//!
//! Who reads takes no lock. Who inserts holds the map of what is in flight, of which [`Filling`] is a part.

use std::array;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use stemedb_core::RecordId;

use crate::KnownIds;

mod scan;
#[cfg(test)]
mod tests;

pub(crate) use scan::{Base, Scan};

/// Ids for which a block is made: 12.8 bits for each, with which 0.4 % of the ids that a full link does not hold seem to be there.
const BLOCK_IDS: u64 = 20;
const BLOCK_WORDS: usize = 4;
const BLOCK_BYTES: u64 = 32;
const _: () = assert!(size_of::<Block>() as u64 == BLOCK_BYTES && align_of::<Block>() == 32);

/// How many times larger than the one before a link is: each link costs every look a cache line.
const LINK_GROWTH: u64 = 4;
/// So many reach the largest bound that may be set.
const LINKS_MAX: usize = 12;

/// How much is remembered, and from when on what was stored before is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// Bytes of all links together; 0 for none at all.
    pub(crate) bytes_max: u64,
    /// New records since the database was opened, before the store is scanned for the others; more where more is stored.
    pub(crate) scan_after_records_min: u64,
    /// Bytes of the first link, and of any at least.
    pub(crate) link_bytes_min: u64,
}

impl Options {
    pub(crate) const BYTES_DEFAULT: u64 = 64 << 20;
    /// The name of the bound among the settings.
    pub(crate) const NAME: &str = "known_ids_bytes_max";
    pub(crate) const LIMITS: &str = "0, or 256 KiB to 1 TiB";
    const LINK_BYTES_MIN: u64 = 256 << 10;
    const BYTES_MAX: u64 = 1 << 40;
    const SCAN_AFTER_RECORDS: u64 = 1 << 16;
    /// A look-up costs some five times what the scan takes for an id: by then more than half of what the scan takes was spent on
    /// look-ups.
    const SCAN_AFTER_SHARE: u64 = 8;

    /// So many ids have room at most. Where more are stored there is nothing to be gained.
    const fn ids_max(&self) -> u64 {
        (self.bytes_max / BLOCK_BYTES).saturating_mul(BLOCK_IDS)
    }

    /// Whether the bound is within its limits.
    pub(crate) fn is_allowed(&self) -> bool {
        self.bytes_max == 0 || (self.link_bytes_min..=Self::BYTES_MAX).contains(&self.bytes_max)
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            bytes_max: Self::BYTES_DEFAULT,
            scan_after_records_min: Self::SCAN_AFTER_RECORDS,
            link_bytes_min: Self::LINK_BYTES_MIN,
        }
    }
}

/// The ids that are known.
///
/// Invariant: once it is complete it holds the id of every record that is in the map of what is in flight or was ever taken out of it, and
/// of every one that was stored when the database was opened. Bits are never cleared.
#[derive(Debug, Default)]
pub(crate) struct Known {
    links: [OnceLock<Box<[Block]>>; LINKS_MAX],
    /// Written under the lock of the map of what is in flight.
    is_complete: AtomicBool,
    /// How many ids were new by it, and for how many the store was asked.
    answered: AtomicU64,
    passed_on: AtomicU64,
}

impl Known {
    /// Whether a record with this id may be stored or in flight; where not, it is neither, as far as the caller can know.
    ///
    /// Ordering: one who holds the lock of the map in flight is answered for everything. Any other is answered for what his view shows
    /// if he took it before: each of those records was stored when the database was opened, and then `is_complete` says that its id was
    /// inserted, or its id was inserted before it was appended, which was before it was applied, which was before the view was published.
    /// The same holds for the end of completeness, which comes before the first id that is left out.
    pub(crate) fn may_hold(&self, id: RecordId) -> bool {
        !self.is_complete.load(Ordering::Acquire) || self.has(id)
    }

    /// Counts ids that were looked for: `answered` of them were new by this.
    pub(crate) fn count(&self, answered: usize, passed_on: usize) {
        for (count, ids) in [(&self.answered, answered), (&self.passed_on, passed_on)] {
            if ids > 0 {
                count.fetch_add(ids as u64, Ordering::Relaxed);
            }
        }
    }

    /// How many ids were new by it, and for how many the store was asked.
    pub(crate) fn asked(&self) -> (u64, u64) {
        let counts = [&self.answered, &self.passed_on];
        counts.map(|count| count.load(Ordering::Relaxed)).into()
    }

    /// Bytes of all links.
    pub(crate) fn bytes(&self) -> u64 {
        let links = self.links.iter().map_while(OnceLock::get);
        links.map(|link| link.len() as u64 * BLOCK_BYTES).sum()
    }

    fn has(&self, id: RecordId) -> bool {
        let spot = Spot::of(id);
        let mut links = self.links.iter().map_while(OnceLock::get);
        links.any(|link| spot.block(link).is_some_and(|block| block.has(&spot.mask)))
    }
}

/// Where the bits of an id are in a link.
#[derive(Clone, Copy, Debug)]
struct Spot {
    /// Names the block, as a fraction of 2^64 of the link.
    at: u64,
    mask: [u64; BLOCK_WORDS],
}

impl Spot {
    fn of(id: RecordId) -> Self {
        let mut parts = id.as_bytes().chunks_exact(8).map(|part| {
            let part = part.first_chunk().copied();
            u64::from_le_bytes(part.unwrap_or_default())
        });
        let mut part = || parts.next().unwrap_or_default();
        let (at, bits) = (part(), part());
        // Five bits say which one of 32, and each word has two such halves.
        let mask = |word| -> u64 {
            let bits: u64 = bits >> (10 * word);
            1 << (bits & 0x1f) | 1 << (32 + (bits >> 5 & 0x1f))
        };
        let mask = array::from_fn(mask);
        Self { at, mask }
    }

    fn block(self, link: &[Block]) -> Option<&Block> {
        let index = (u128::from(self.at) * link.len() as u128) >> 64;
        link.get(usize::try_from(index).ok()?)
    }
}

/// The 256 bits in which some twenty ids have theirs: within one cache line.
#[derive(Debug, Default)]
#[repr(align(32))]
struct Block([AtomicU64; BLOCK_WORDS]);

impl Block {
    /// Whether all bits are set. The words are looked at without a branch between them, so that the links are waited for together.
    fn has(&self, mask: &[u64; BLOCK_WORDS]) -> bool {
        let words = self.0.iter().zip(mask);
        let missing = words.fold(0, |missing, (word, mask)| {
            missing | (mask & !word.load(Ordering::Relaxed))
        });
        missing == 0
    }

    /// Sets bits. Ordering: nobody else writes meanwhile, so that nothing is lost between the load and the store.
    fn set(&self, mask: &[u64; BLOCK_WORDS]) {
        for (word, mask) in self.0.iter().zip(mask) {
            word.store(word.load(Ordering::Relaxed) | mask, Ordering::Relaxed);
        }
    }
}

/// How far the ids of what is stored are known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    /// Only what was inserted since the database was opened.
    Partial,
    /// The rest is being inserted.
    Scanning,
    Complete,
    /// There is no room for more: never complete again.
    #[default]
    Full,
}

/// The right to insert: there is one for each [`Known`], behind the lock of the map of what is in flight.
#[derive(Debug, Default)]
pub(crate) struct Filling {
    known: Arc<Known>,
    phase: Phase,
    /// Ids for which the newest link has room.
    room: u64,
    links: usize,
    link_bytes_min: u64,
    next_link_bytes: u64,
    bytes_left: u64,
    inserted: u64,
    scan_after: u64,
}

impl Filling {
    /// One for a database with so many records, which are not known yet.
    pub(crate) fn new(options: Options, stored: u64) -> Self {
        let share = stored / Options::SCAN_AFTER_SHARE;
        Self {
            phase: if stored < options.ids_max() {
                Phase::Partial
            } else {
                Phase::Full
            },
            link_bytes_min: options.link_bytes_min,
            next_link_bytes: options.link_bytes_min,
            bytes_left: options.bytes_max,
            scan_after: options.scan_after_records_min.max(share),
            ..Self::default()
        }
    }

    /// What is filled.
    pub(crate) fn known(&self) -> Arc<Known> {
        Arc::clone(&self.known)
    }

    /// Inserts an id, unless it seems to be there: then it will seem so for ever.
    pub(crate) fn insert(&mut self, id: RecordId) {
        if self.phase == Phase::Full || self.known.has(id) {
            return;
        }
        if self.room == 0 && !self.grow() {
            // Ordering: before this id is appended, and before the lock is released.
            self.known.is_complete.store(false, Ordering::Release);
            self.phase = Phase::Full;
            tracing::info!(inserted = self.inserted, "no room for more known ids");
            return;
        }
        let spot = Spot::of(id);
        let newest = self.known.links.iter().map_while(OnceLock::get).last();
        if let Some(block) = newest.and_then(|link| spot.block(link)) {
            block.set(&spot.mask);
        }
        self.room -= 1;
        self.inserted += 1;
    }

    /// Makes the next link, where the bound leaves room for one; gives whether it did.
    fn grow(&mut self) -> bool {
        let bytes = self.next_link_bytes.min(self.bytes_left);
        let Some(place) = self.known.links.get(self.links) else {
            return false;
        };
        if bytes < self.link_bytes_min {
            return false;
        }
        let blocks = bytes / BLOCK_BYTES;
        place.get_or_init(|| (0..blocks).map(|_| Block::default()).collect());
        self.links += 1;
        self.room = blocks * BLOCK_IDS;
        self.bytes_left -= bytes;
        self.next_link_bytes = bytes.saturating_mul(LINK_GROWTH);
        true
    }

    /// Whether it is time to scan the store; says so once.
    pub(crate) fn take_due(&mut self) -> bool {
        let is_due = self.phase == Phase::Partial && self.inserted > self.scan_after;
        if is_due {
            self.phase = Phase::Scanning;
        }
        is_due
    }

    /// Of which records the ids are known.
    pub(crate) fn extent(&self) -> KnownIds {
        match self.phase {
            Phase::Partial => KnownIds::Partial,
            Phase::Scanning => KnownIds::Scanning,
            Phase::Complete => KnownIds::Complete,
            Phase::Full => KnownIds::Full,
        }
    }

    /// Whether inserting is in vain.
    fn is_full(&self) -> bool {
        self.phase == Phase::Full
    }

    /// Everything that was stored when the database was opened was inserted, and everything since.
    pub(crate) fn complete(&mut self) {
        if !self.is_full() {
            self.phase = Phase::Complete;
            // Ordering: whoever sees this sees what was inserted before.
            self.known.is_complete.store(true, Ordering::Release);
        }
    }
}
