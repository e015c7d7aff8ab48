//! The limits that no setting moves.

/// Records that one array of a request may hold.
pub(crate) const ARRAY_RECORDS_MAX: usize = 10_000;

/// Faults of an array that its answer lists.
pub(crate) const ERRORS_LISTED_MAX: usize = 100;

/// Items of a page, unless the request asks for another number.
pub(crate) const PAGE_ITEMS_DEFAULT: usize = 100;

/// Items of a page at most.
pub(crate) const PAGE_ITEMS_MAX: usize = 1000;

/// Bytes of a page after which it ends, whatever the number of its items; one item is always given.
pub(crate) const PAGE_BYTES_MAX: usize = 4 << 20;

/// Bytes of a body up to which it is read and checked where it came in, without the way to another thread.
pub(crate) const BODY_BYTES_INLINE_MAX: usize = 4 << 10;

/// Records that one call into the database takes at most, but for those of its last request; their bytes are bounded by
/// what bodies may hold.
pub(crate) const SUBMISSION_RECORDS_MAX: usize = 16_384;

/// Characters of a request id that a client may choose.
pub(crate) const REQUEST_ID_CHARS_MAX: usize = 128;

/// Milliseconds between two looks for a sequence that nobody was given yet.
pub(crate) const APPLIED_POLL_MS: u64 = 20;

/// Seconds after which a client may try again what the server could not do.
pub(crate) const RETRY_AFTER_SECONDS: u32 = 1;

/// Bytes of a head: its first line and its fields, of which there may be a hundred.
pub(crate) const HEAD_BYTES_MAX: usize = 64 << 10;

/// Milliseconds for which what was seen of the files of tokens and certificates holds.
pub(crate) const LOOK_MS: u128 = 900;

/// Tokens of a server.
pub(crate) const TOKENS_MAX: usize = 1000;

/// Characters of the name of a token.
pub(crate) const TOKEN_NAME_CHARS_MAX: usize = 100;

/// Bytes of a file of tokens.
pub(crate) const TOKEN_FILE_BYTES_MAX: u64 = 1 << 20;

/// Bytes of a file of certificates or of a key.
pub(crate) const PEM_BYTES_MAX: u64 = 1 << 20;

/// Clients whose requests are counted at the same time.
pub(crate) const RATE_CLIENTS_MAX: usize = 1 << 14;

/// Milliseconds without a new connection after the operating system had no means for one.
pub(crate) const ACCEPT_PAUSE_MS: u64 = 100;

/// Seconds for which a connection is read that is over, so that its last answer reaches a client that still sends.
pub(crate) const LINGER_SECONDS_MAX: u64 = 2;

/// Bytes that are read so.
pub(crate) const LINGER_BYTES_MAX: usize = 16 << 20;

const _: () = assert!(PAGE_ITEMS_DEFAULT <= PAGE_ITEMS_MAX);
