//! Every limit of a record, in one place.
//!
//! Lengths are bytes of UTF-8 unless stated otherwise.
//! They are part of the record format: raising one admits records that older versions refuse.

/// Longest subject.
pub const SUBJECT_BYTES_MAX: usize = 1024;

/// Longest reference, which is a name like a subject.
pub const REFERENCE_BYTES_MAX: usize = SUBJECT_BYTES_MAX;

/// Longest predicate.
pub const PREDICATE_BYTES_MAX: usize = 256;

/// Longest agent.
pub const AGENT_BYTES_MAX: usize = 512;

/// Longest source.
pub const SOURCE_BYTES_MAX: usize = 512;

/// Longest name of an epoch.
pub const EPOCH_NAME_BYTES_MAX: usize = 256;

/// Longest quote.
pub const QUOTE_BYTES_MAX: usize = 64 * 1024;

/// Longest description of an epoch.
pub const DESCRIPTION_BYTES_MAX: usize = 64 * 1024;

/// Most canonical bytes of one record; this is what bounds the text of an object.
pub const CANONICAL_BYTES_MAX: usize = 1024 * 1024;

/// Longest line of input that is parsed; whoever reads lines rejects a longer one in bounded memory.
pub const LINE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Latest time, in Unix milliseconds: the largest integer up to which every integer is a double.
pub const TIMESTAMP_MS_MAX: u64 = (1 << 53) - 1;

/// Most characters of a refused value that a message repeats.
pub const EXCERPT_CHARS_MAX: usize = 40;

/// Bytes of a record beside its variable fields: keys, heads, hashes and numbers.
const OVERHEAD_BYTES_MAX: usize = 1024;

// Only the text of an object can make a record too large.
const _: () = assert!(
    SUBJECT_BYTES_MAX
        + PREDICATE_BYTES_MAX
        + REFERENCE_BYTES_MAX
        + AGENT_BYTES_MAX
        + SOURCE_BYTES_MAX
        + QUOTE_BYTES_MAX
        + OVERHEAD_BYTES_MAX
        <= CANONICAL_BYTES_MAX
);
const _: () = assert!(
    EPOCH_NAME_BYTES_MAX + AGENT_BYTES_MAX + DESCRIPTION_BYTES_MAX + OVERHEAD_BYTES_MAX
        <= CANONICAL_BYTES_MAX
);
// The largest record fits a line as long as its text needs no long escapes.
const _: () = assert!(2 * CANONICAL_BYTES_MAX <= LINE_BYTES_MAX);
// A did:key of Ed25519 is an agent.
const _: () = assert!("did:key:z".len() + 47 <= AGENT_BYTES_MAX);
