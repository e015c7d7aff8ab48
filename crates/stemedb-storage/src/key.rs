//! The key space: one enum is the schema of everything a store holds.
//!
//! A key is a two-byte tag that says its kind, then fields at fixed places, or ended by a zero byte
//! that no name may contain. Numbers are big-endian, so that the bytes sort as the numbers do.
//! [`engine`] says which engine holds which kind.

use std::fmt::{self, Display, Formatter, Write as _};

use stemedb_core::{RecordId, Sequence};

use crate::error::{Error, Result};

/// The longest key in bytes: what fjall can hold.
pub const KEY_BYTES_MAX: usize = 65_535;

const ID_BYTES: usize = 32;
const HEX_BYTES: usize = 2 * ID_BYTES;
const SEQUENCE_BYTES: usize = 8;
const TAG_BYTES: usize = 2;
/// Ends a subject and a predicate inside a key.
const END: u8 = 0;
/// Room that most keys need.
const KEY_BYTES_COMMON: usize = 80;
const VOTE_BYTES: usize = TAG_BYTES + ID_BYTES + 1 + ID_BYTES;

/// Names one entry of a store.
///
/// `Display` gives the text form in which `store dump` and error messages print a key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Key {
    /// `H:{id}`: an assertion by its id; the content is its journal payload.
    Assertion(RecordId),
    /// `V:{assertion}:{vote}`: a vote under the assertion it is about; the content is its payload.
    Vote {
        /// The assertion that is voted on.
        assertion: RecordId,
        /// The vote itself.
        vote: RecordId,
    },
    /// `I:{vote}`: finds a vote by its id; the content is the 32 bytes of its assertion.
    VoteIndex(RecordId),
    /// `E:{epoch}`: an epoch; the content is its payload.
    Epoch(RecordId),
    /// `S:{subject}\0{predicate}\0{sequence}`: the subject index; the content is the 32 bytes of the assertion.
    Subject {
        /// The subject, without zero bytes.
        subject: String,
        /// The predicate, without zero bytes.
        predicate: String,
        /// When the assertion arrived.
        sequence: Sequence,
    },
    /// `Q:{sequence}`: why a record was not applied, and its bytes.
    Quarantine(Sequence),
    /// `B:{first sequence}`: an applied batch; the content is its last sequence, `u64` LE.
    Batch(Sequence),
    /// `M:{name}`: what an engine knows of itself.
    Meta(MetaKey),
}

/// What an engine knows of itself; each is written in the engine's own atomic batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MetaKey {
    /// Store format and version of `apply`: two `u32` LE.
    Format,
    /// How far the engine has applied the journal.
    Cursor,
    /// Running counts of what the engine holds.
    Counts,
    /// The cursor of the stream engine that the last checkpoint made durable.
    Checkpoint,
    /// Present when the stream engine failed to reach the disk.
    SyncFailed,
}

impl MetaKey {
    const ALL: [Self; 5] = [
        Self::Format,
        Self::Cursor,
        Self::Counts,
        Self::Checkpoint,
        Self::SyncFailed,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Format => "format",
            Self::Cursor => "cursor",
            Self::Counts => "counts",
            Self::Checkpoint => "checkpoint",
            Self::SyncFailed => "sync_failed",
        }
    }
}

/// Kind of a key: its tag, without its fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyKind {
    /// See [`Key::Batch`].
    Batch,
    /// See [`Key::Epoch`].
    Epoch,
    /// See [`Key::Assertion`].
    Assertion,
    /// See [`Key::VoteIndex`].
    VoteIndex,
    /// See [`Key::Meta`].
    Meta,
    /// See [`Key::Quarantine`].
    Quarantine,
    /// See [`Key::Subject`].
    Subject,
    /// See [`Key::Vote`].
    Vote,
}

/// Which of two engines holds a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// What grows with the stream of records.
    Stream,
    /// What is small and read by nearly every query.
    Small,
}

/// Routes a kind of key to its engine. Meta is not routed: each engine has its own.
#[must_use]
pub const fn engine(kind: KeyKind) -> Role {
    match kind {
        KeyKind::Epoch => Role::Small,
        KeyKind::Assertion
        | KeyKind::Vote
        | KeyKind::VoteIndex
        | KeyKind::Subject
        | KeyKind::Quarantine
        | KeyKind::Batch
        | KeyKind::Meta => Role::Stream,
    }
}

impl KeyKind {
    /// Every kind, in the order of its keys.
    pub const ALL: [Self; 8] = [
        Self::Batch,
        Self::Epoch,
        Self::Assertion,
        Self::VoteIndex,
        Self::Meta,
        Self::Quarantine,
        Self::Subject,
        Self::Vote,
    ];

    /// The two bytes with which every key of this kind begins.
    #[must_use]
    pub const fn tag(self) -> [u8; TAG_BYTES] {
        match self {
            Self::Batch => *b"B:",
            Self::Epoch => *b"E:",
            Self::Assertion => *b"H:",
            Self::VoteIndex => *b"I:",
            Self::Meta => *b"M:",
            Self::Quarantine => *b"Q:",
            Self::Subject => *b"S:",
            Self::Vote => *b"V:",
        }
    }

    /// Reads the kind off the first bytes of a key, or `None` if there is no such kind.
    #[must_use]
    pub fn of(key: &[u8]) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|kind| key.starts_with(&kind.tag()))
    }

    /// Whether a store keeps such keys for itself: they are not part of any view.
    #[must_use]
    pub const fn is_internal(self) -> bool {
        matches!(self, Self::Batch | Self::Meta)
    }
}

impl Key {
    /// Returns the kind of this key.
    #[must_use]
    pub const fn kind(&self) -> KeyKind {
        match self {
            Self::Assertion(_) => KeyKind::Assertion,
            Self::Vote { .. } => KeyKind::Vote,
            Self::VoteIndex(_) => KeyKind::VoteIndex,
            Self::Epoch(_) => KeyKind::Epoch,
            Self::Subject { .. } => KeyKind::Subject,
            Self::Quarantine(_) => KeyKind::Quarantine,
            Self::Batch(_) => KeyKind::Batch,
            Self::Meta(_) => KeyKind::Meta,
        }
    }

    /// Returns the bytes under which an engine stores the entry.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(KEY_BYTES_COMMON);
        self.encode_into(&mut bytes);
        bytes
    }

    /// Adds the bytes under which an engine stores the entry to `bytes`.
    pub fn encode_into(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.kind().tag());
        match self {
            Self::Assertion(id) | Self::VoteIndex(id) => bytes.extend_from_slice(id.as_bytes()),
            Self::Vote { assertion, vote } => {
                bytes.extend_from_slice(assertion.as_bytes());
                bytes.push(b':');
                bytes.extend_from_slice(vote.as_bytes());
            }
            Self::Epoch(id) => bytes.extend_from_slice(id.to_string().as_bytes()),
            Self::Subject {
                subject,
                predicate,
                sequence,
            } => names_into((subject, predicate, *sequence), bytes),
            Self::Quarantine(sequence) | Self::Batch(sequence) => {
                bytes.extend_from_slice(&sequence.get().to_be_bytes());
            }
            Self::Meta(meta) => bytes.extend_from_slice(meta.name().as_bytes()),
        }
    }

    /// Reads a key back from its bytes.
    ///
    /// # Errors
    ///
    /// [`Error::MalformedKey`] if no key encodes to these bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        decode(bytes).ok_or_else(|| Error::MalformedKey { key: text(bytes) })
    }

    /// Whether a store may be asked to hold this key.
    pub(crate) fn check(&self) -> Result<()> {
        match self {
            Self::Subject {
                subject,
                predicate,
                sequence,
            } => check_names(subject, predicate, *sequence),
            _ => Ok(()),
        }
    }
}

impl Display for Key {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let [tag, colon] = self.kind().tag().map(char::from);
        write!(f, "{tag}{colon}")?;
        match self {
            Self::Assertion(id) | Self::VoteIndex(id) | Self::Epoch(id) => write!(f, "{id}"),
            Self::Vote { assertion, vote } => write!(f, "{assertion}:{vote}"),
            Self::Subject {
                subject,
                predicate,
                sequence,
            } => {
                write!(f, "{subject}\\0{predicate}\\0{sequence}")
            }
            Self::Quarantine(sequence) | Self::Batch(sequence) => write!(f, "{sequence}"),
            Self::Meta(meta) => f.write_str(meta.name()),
        }
    }
}

/// Prefix of the keys of all votes on an assertion.
#[must_use]
pub fn votes_of(assertion: RecordId) -> Vec<u8> {
    [&KeyKind::Vote.tag()[..], assertion.as_bytes(), b":"].concat()
}

/// Key of an assertion, without an allocation: as [`Key::Assertion`] encodes it.
#[must_use]
pub fn assertion(id: RecordId) -> [u8; TAG_BYTES + ID_BYTES] {
    let mut key = [0; TAG_BYTES + ID_BYTES];
    let parts = KeyKind::Assertion.tag().into_iter().chain(*id.as_bytes());
    for (place, byte) in key.iter_mut().zip(parts) {
        *place = byte;
    }
    key
}

/// Prefix of the index entries of exactly this subject: `Tesla` does not match `Tesla_Inc`.
#[must_use]
pub fn subject(subject: &str) -> Vec<u8> {
    [&KeyKind::Subject.tag()[..], subject.as_bytes(), &[END]].concat()
}

/// Prefix of the index entries of exactly this subject and predicate, in order of arrival.
#[must_use]
pub fn subject_predicate(subject: &str, predicate: &str) -> Vec<u8> {
    let tag = KeyKind::Subject.tag();
    [
        &tag[..],
        subject.as_bytes(),
        &[END],
        predicate.as_bytes(),
        &[END],
    ]
    .concat()
}

/// Prefix of the index entries of every subject whose name begins with `beginning`, which may be empty.
#[must_use]
pub fn subjects(beginning: &str) -> Vec<u8> {
    [&KeyKind::Subject.tag()[..], beginning.as_bytes()].concat()
}

/// The smallest bytes that are above every key of this subject: where a skip-scan goes on.
#[must_use]
pub fn after_subject(subject: &str) -> Vec<u8> {
    [&KeyKind::Subject.tag()[..], subject.as_bytes(), &[END + 1]].concat()
}

/// Prefix of all keys of a kind.
#[must_use]
pub const fn all(kind: KeyKind) -> [u8; TAG_BYTES] {
    kind.tag()
}

/// Text form of raw key bytes: as [`Key`] prints it, or hexadecimal digits if it is no key of ours.
#[must_use]
pub fn text(bytes: &[u8]) -> String {
    if let Some(key) = decode(bytes) {
        return key.to_string();
    }
    bytes.iter().fold(String::from("0x"), |mut text, byte| {
        write!(text, "{byte:02x}").map_or_else(|_| String::new(), |()| text)
    })
}

/// Refuses names that would end within a key.
pub(crate) fn check_names(subject: &str, predicate: &str, sequence: Sequence) -> Result<()> {
    if subject.contains('\0') || predicate.contains('\0') {
        let key = Key::Subject {
            subject: subject.to_owned(),
            predicate: predicate.to_owned(),
            sequence,
        };
        return Err(Error::MalformedKey {
            key: key.to_string(),
        });
    }
    Ok(())
}

/// Adds the bytes of a [`Key::Subject`] to `bytes`.
pub(crate) fn subject_into(fields: (&str, &str, Sequence), bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(&KeyKind::Subject.tag());
    names_into(fields, bytes);
}

fn names_into((subject, predicate, sequence): (&str, &str, Sequence), bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(subject.as_bytes());
    bytes.push(END);
    bytes.extend_from_slice(predicate.as_bytes());
    bytes.push(END);
    bytes.extend_from_slice(&sequence.get().to_be_bytes());
}

/// Refuses keys that would make an engine panic.
pub(crate) fn check_bytes(key: &[u8]) -> Result<()> {
    match key.len() {
        0 => Err(Error::EmptyKey),
        len if len > KEY_BYTES_MAX => Err(Error::KeyTooLong { len }),
        _ => Ok(()),
    }
}

fn decode(bytes: &[u8]) -> Option<Key> {
    let kind = KeyKind::of(bytes)?;
    let rest = bytes.get(TAG_BYTES..)?;
    match kind {
        KeyKind::Assertion => id(rest).map(Key::Assertion),
        KeyKind::VoteIndex => id(rest).map(Key::VoteIndex),
        KeyKind::Vote => decode_vote(bytes),
        KeyKind::Epoch => {
            let hex = std::str::from_utf8(rest).ok()?;
            (hex.len() == HEX_BYTES).then_some(())?;
            hex.parse().ok().map(Key::Epoch)
        }
        KeyKind::Subject => decode_subject(rest),
        KeyKind::Quarantine => sequence(rest).map(Key::Quarantine),
        KeyKind::Batch => sequence(rest).map(Key::Batch),
        KeyKind::Meta => MetaKey::ALL
            .into_iter()
            .find(|meta| meta.name().as_bytes() == rest)
            .map(Key::Meta),
    }
}

fn decode_vote(bytes: &[u8]) -> Option<Key> {
    if bytes.len() != VOTE_BYTES {
        return None;
    }
    let (assertion, rest) = bytes.get(TAG_BYTES..)?.split_at_checked(ID_BYTES)?;
    let vote = id(rest.strip_prefix(b":")?)?;
    Some(Key::Vote {
        assertion: id(assertion)?,
        vote,
    })
}

fn decode_subject(rest: &[u8]) -> Option<Key> {
    let (names, number) = rest.split_at_checked(rest.len().checked_sub(SEQUENCE_BYTES)?)?;
    let names = std::str::from_utf8(names.strip_suffix(&[END])?).ok()?;
    let (subject, predicate) = names.split_once('\0')?;
    if predicate.contains('\0') {
        return None;
    }
    Some(Key::Subject {
        subject: subject.to_owned(),
        predicate: predicate.to_owned(),
        sequence: sequence(number)?,
    })
}

fn id(bytes: &[u8]) -> Option<RecordId> {
    bytes.try_into().ok().map(RecordId::from_bytes)
}

fn sequence(bytes: &[u8]) -> Option<Sequence> {
    Sequence::new(u64::from_be_bytes(bytes.try_into().ok()?))
}

#[cfg(test)]
mod tests;
