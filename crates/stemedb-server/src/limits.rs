//! The limits that no setting moves.

use stemedb::ChangesLimit;
use stemedb::limits::LINE_BYTES_MAX;
use stemedb::ndjson::ChunkLimit;

/// Records that one array of a request may hold.
pub(crate) const ARRAY_RECORDS_MAX: usize = 10_000;

/// Faults of an array that its answer lists.
pub(crate) const ERRORS_LISTED_MAX: usize = 100;

/// Items of a page, unless the request asks for another number.
pub(crate) const PAGE_ITEMS_DEFAULT: usize = 100;

/// Items of a page at most.
pub(crate) const PAGE_ITEMS_MAX: usize = 1000;

/// Totals of votes that are kept, each of one assertion up to one sequence.
pub(crate) const TOTALS_KEPT_MAX: usize = 64;

/// Votes of an assertion from which its totals are kept.
pub(crate) const TOTALS_VOTES_MIN: u64 = 1000;

/// Bytes of a page after which it ends, whatever the number of its items; one item is always given.
pub(crate) const PAGE_BYTES_MAX: usize = 4 << 20;

/// Bytes of an answer up to which it counts for nothing in the memory of answers.
pub(crate) const ANSWER_BYTES_FREE: u64 = 64 << 10;

/// Answers that are made and wait for room, beside those that have it.
pub(crate) const ANSWERS_WAITING_MAX: usize = 16;

/// Bytes of a body up to which it is read and checked where it came in, without the way to another thread.
pub(crate) const BODY_BYTES_INLINE_MAX: usize = 4 << 10;

/// Bytes of a body of JSON, unless set otherwise.
pub(crate) const BODY_BYTES_MAX_DEFAULT: usize = 8 << 20;

/// Bytes of every body that do not wait for those of long ones.
pub(crate) const BODY_BYTES_RESERVED: usize = 64 << 10;

/// Records that one call into the database takes at most, but for those of its last request; their bytes are bounded by
/// what bodies may hold.
pub(crate) const SUBMISSION_RECORDS_MAX: usize = 16_384;

/// Bytes of lines that are checked and submitted together, but for a line that is longer.
pub(crate) const CHUNK_BYTES: usize = 512 << 10;

/// Bytes that a body is decompressed to, or from, before others may run.
pub(crate) const DECODED_BYTES: usize = 64 << 10;

/// Lines that are checked and submitted together at most.
pub(crate) const CHUNK: ChunkLimit = ChunkLimit {
    bytes: CHUNK_BYTES,
    lines: 2048,
};

/// Results of an upload that are written where they come in, without the way to another thread.
pub(crate) const RESULTS_INLINE_MAX: usize = 64;

/// Chunks of an upload that are checked, or wait to be submitted.
pub(crate) const CHUNKS_CHECKED_MAX: usize = 4;

/// Chunks of an upload that are submitted, and whose results are not written yet.
pub(crate) const CHUNKS_SUBMITTED_MAX: usize = 4;

/// Bytes of the lines of an upload that are read and not acknowledged. What is made of short ones takes three times as much: the number
/// of chunks bounds that, and so what the settings say of an upload.
pub(crate) const UPLOAD_BYTES_MAX: usize = 16 << 20;

/// Milliseconds that bytes of an upload wait for more to come.
pub(crate) const GATHER_MS: u64 = 5;

/// Bytes of an upload that are taken from the connection before they are looked at.
pub(crate) const GATHER_BYTES: usize = CHUNK_BYTES;

/// Power of two of the window that a zstd stream may want: RFC 9659 allows no more in HTTP.
pub(crate) const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// Seconds that what a client goes on sending is dropped for, so that it reads why nothing more is taken.
pub(crate) const DRAIN_SECONDS: u64 = 2;

/// Pieces of a stream that wait for the client.
pub(crate) const PIECES_WAITING_MAX: usize = 2;
/// Bytes of an answer that the kernel takes before they can be sent. What is on its way comes besides, and the rest of an answer waits in
/// memory that is counted.
#[cfg(target_os = "linux")]
pub(crate) const UNSENT_BYTES_MAX: u32 = 128 * 1024;

/// What of the journal is read at once for a feed, or for totals: behind each part a feed looks whether it has enough to send.
pub(crate) const FEED_PART: ChangesLimit = ChangesLimit {
    records_max: 100,
    bytes_max: 32 << 10,
};

/// Parts after which a feed that wants little of them gives way to another one.
pub(crate) const FEED_PARTS_MAX: usize = 10;

/// Bytes of the text of a feed after which it is sent: what a client takes that reads nothing is not much more.
pub(crate) const FEED_PIECE_BYTES: usize = 64 << 10;

/// Milliseconds between two looks of a feed that has given all there was.
pub(crate) const FEED_PAUSE_MS: u64 = 50;

/// Bytes of a segment of the journal that are read at once.
pub(crate) const SEGMENT_PIECE_BYTES: usize = 256 << 10;

/// Segments of the journal that are given out at the same time.
pub(crate) const BACKUPS_MAX: usize = 4;

/// Seconds after which a feed whose client takes nothing lets go of the files that it reads.
pub(crate) const FEED_REST_SECONDS: u64 = 1;

/// Characters of a request id that a client may choose.
pub(crate) const REQUEST_ID_CHARS_MAX: usize = 128;

/// Milliseconds between two looks for a sequence that nobody was given yet.
pub(crate) const APPLIED_POLL_MS: u64 = 20;

/// Seconds for which a sync may go on before the server is not ready.
pub(crate) const SYNC_SECONDS_MAX: u64 = 10;

/// Seconds after which a client may try again what the server could not do.
pub(crate) const RETRY_AFTER_SECONDS: u32 = 1;

// A chunk, and a line that is as long as one may be, find room.
const _: () = assert!(UPLOAD_BYTES_MAX >= LINE_BYTES_MAX + 2 * CHUNK_BYTES);

/// Bytes of a head: its first line and its fields, of which there may be a hundred.
pub(crate) const HEAD_BYTES_MAX: usize = 64 << 10;

/// Milliseconds for which what was seen of the files of tokens and certificates holds.
pub(crate) const LOOK_MS: u128 = 900;

/// Seconds between two looks whether who has a stream open is still let in.
pub(crate) const CALLER_LOOK_SECONDS: u64 = 1;

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

/// Seconds for which a connection may wait for its client whoever else comes; after them it goes when all places are taken.
pub(crate) const WAIT_SECONDS_MIN: u64 = 1;

/// Milliseconds between two looks for a connection that can go.
pub(crate) const CROWD_LOOK_MS: u64 = 50;

/// Milliseconds without a new connection after the operating system had no means for one.
pub(crate) const ACCEPT_PAUSE_MS: u64 = 100;

/// Seconds for which a connection is read that is over, so that its last answer reaches a client that still sends.
pub(crate) const LINGER_SECONDS_MAX: u64 = 2;

/// Bytes that are read so.
pub(crate) const LINGER_BYTES_MAX: usize = 16 << 20;

/// Bytes of these that are read at once, before a pause. With the pause that is 16 MiB/s, for all such connections together as long as
/// they are few.
pub(crate) const LINGER_BURST_BYTES: usize = 64 << 10;

/// Milliseconds of that pause, for each connection that is read so: two wait for twice as long.
pub(crate) const LINGER_PAUSE_MS: u64 = 4;

/// Milliseconds of that pause at most, however many there are: what remains of a body of the usual limit can be read in the time.
pub(crate) const LINGER_PAUSE_MS_MAX: u64 = 14;

/// Connections that are read so at the same time; others are closed at once, and may lose their last answer.
pub(crate) const LINGERING_MAX: usize = 64;

/// How nice a thread is that does what may take long, from 0 to 19: at 10 it gets a tenth of a processor that others want as well.
pub(crate) const PATIENT_NICENESS: i32 = 10;

/// Microseconds that work which may take long goes on before it lets others run.
pub(crate) const COURTESY_MICROS: u64 = 100;

/// The same, for what usually takes a millisecond or less.
pub(crate) const USUAL_TURN_MICROS: u64 = 250;

/// Microseconds that a thread goes from connection to connection before it lets others run.
pub(crate) const TASKS_MICROS: u64 = 250;

/// Bytes of a body of JSON that are joined, or whose depth is looked at, before others may run; where it has no more, nobody looks.
pub(crate) const SCANNED_BYTES: usize = 64 << 10;

/// Levels to which arrays and objects of a long body of JSON may be nested: many more than those of an array of records.
pub(crate) const JSON_DEPTH_MAX: usize = 128;

/// Microseconds without a connection after which its turn begins anew: it slept, did something else, or others ran.
pub(crate) const TASKS_GAP_MICROS: u64 = 30;

// The only one that is read so is read whole in the time that there is, and one of many as far as a body goes; a timer may ring a
// millisecond late.
const _: () = assert!(
    LINGER_BYTES_MAX as u64 / LINGER_BURST_BYTES as u64 * (LINGER_PAUSE_MS + 1)
        <= LINGER_SECONDS_MAX * 1000
);
const _: () = assert!(
    BODY_BYTES_MAX_DEFAULT as u64 / LINGER_BURST_BYTES as u64 * (LINGER_PAUSE_MS_MAX + 1)
        <= LINGER_SECONDS_MAX * 1000
);

const _: () = assert!(PAGE_ITEMS_DEFAULT <= PAGE_ITEMS_MAX);
