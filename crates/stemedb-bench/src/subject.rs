//! What is measured, by name, and what an acknowledgement of each waits for.

/// Our journal, through its public writer.
pub(crate) const JOURNAL: &str = "stemedb journal";
/// Our database, through its public interface.
pub(crate) const STEMEDB: &str = "stemedb";
/// The same behind its server.
pub(crate) const SERVED: &str = "stemedb over HTTP";
/// The least that group commit can do: a queue, one write, one fdatasync.
pub(crate) const BARE_LOOP: &str = "bare group commit";
/// A mutex, and one write and one fdatasync for each record.
pub(crate) const ONE_FSYNC: &str = "one fsync each";
/// PostgreSQL, with a key and an index by subject.
pub(crate) const POSTGRES: &str = "PostgreSQL";
/// SQLite, with a key and an index by subject.
pub(crate) const SQLITE: &str = "SQLite";
/// Redis, a stream.
pub(crate) const REDIS: &str = "Redis";
/// NATS `JetStream`, a stream in files.
pub(crate) const NATS: &str = "NATS JetStream";
/// The engine of our store alone.
pub(crate) const FJALL: &str = "fjall alone";
/// The other engine of our store alone.
pub(crate) const REDB: &str = "redb alone";
/// Verification of signatures in batches, on all cores, and nothing else.
pub(crate) const ED25519: &str = "Ed25519 alone";

/// What is to be known of a subject before its figures are compared.
#[derive(Clone, Copy, Debug)]
pub(crate) struct About {
    pub(crate) subject: &'static str,
    /// What an acknowledgement waits for.
    pub(crate) waits: &'static str,
    /// What is checked and kept.
    pub(crate) does: &'static str,
}

/// Every subject.
pub(crate) const ABOUT: [About; 12] = [
    About {
        subject: JOURNAL,
        waits: "the fsync of its group",
        does: "bytes in a hash chain; nothing is looked up, no index",
    },
    About {
        subject: STEMEDB,
        waits: "the fsync of its group; a load also until all can be read",
        does: "limits, hash (the id), signature, duplicate, journal, and then the store: key, index by subject and predicate, checksums",
    },
    About {
        subject: SERVED,
        waits: "the fsync of its group, and its result by HTTP",
        does: "the same in another process",
    },
    About {
        subject: BARE_LOOP,
        waits: "the fsync of its group",
        does: "bytes with a length; one file, zero-filled before, written over and over",
    },
    About {
        subject: ONE_FSYNC,
        waits: "an fsync of its own",
        does: "bytes with a length; a fair mutex",
    },
    About {
        subject: POSTGRES,
        waits: "the fsync of its write-ahead log (fsync and synchronous_commit on)",
        does: "ids are given; key, index by subject, predicate and arrival; no hash or signature is checked",
    },
    About {
        subject: SQLITE,
        waits: "the fsync of its log (WAL, synchronous=FULL)",
        does: "as PostgreSQL; in the process, without a server",
    },
    About {
        subject: REDIS,
        waits: "the fsync of its file (appendfsync always)",
        does: "a stream that must fit the memory; no key, no index",
    },
    About {
        subject: NATS,
        waits: "NOT for an fsync: it writes, and syncs every two minutes (its default)",
        does: "a stream in files; no key, no index",
    },
    About {
        subject: FJALL,
        waits: "a durable commit (appends, batches); nothing while it loads",
        does: "our keys and values without checksums; no hash or signature is checked",
    },
    About {
        subject: REDB,
        waits: "a durable commit (appends, batches); nothing while it loads",
        does: "as fjall",
    },
    About {
        subject: ED25519,
        waits: "nothing",
        does: "signatures in batches of 1024, on all cores: what no database that checks them can be faster than",
    },
];
