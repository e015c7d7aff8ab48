//! The three types of record.

use serde::Serialize;

use crate::{
    canonical,
    hash::{RecordId, Signature, SourceHash},
    invalid::{Invalid, Reason},
    json,
    limits::{CANONICAL_BYTES_MAX, LINE_BYTES_MAX},
    name::{Agent, Description, EpochName, Predicate, Quote, Source, Subject},
    number::{Confidence, Weight},
    object::{Lifecycle, Object},
    signature::PendingSignature,
    time::Timestamp,
};

/// Gives a record type chainable setters of its optional fields.
macro_rules! with_optional {
    ($($with:ident, $field:ident: $type:ty, $doc:literal;)+) => {
        $(
            #[doc = $doc]
            #[must_use]
            pub fn $with(mut self, $field: $type) -> Self {
                self.$field = Some($field);
                self
            }
        )+
    };
}

/// An agent states something of a subject.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Assertion {
    /// What it is about.
    pub subject: Subject,
    /// Which property of the subject it states.
    pub predicate: Predicate,
    /// What it states.
    pub object: Object,
    /// Who states it.
    pub agent: Agent,
    /// How sure the agent is.
    pub confidence: Confidence,
    /// Where the agent has it from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// The hash of the source as the agent saw it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_hash: Option<SourceHash>,
    /// The words of the source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quote: Option<Quote>,
    /// When it was stated, as the writer claims.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<Timestamp>,
    /// The epoch in which it is stated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epoch: Option<RecordId>,
    /// The assertion that it follows from or replaces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<RecordId>,
    /// How far it has come in the process of its writers.
    #[serde(skip_serializing_if = "Lifecycle::is_proposed")]
    pub lifecycle: Lifecycle,
    /// The agent's signature; not part of what the record says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature: Option<Signature>,
}

impl Assertion {
    /// An assertion with its required fields; confidence is 1, lifecycle proposed, the rest absent.
    #[must_use]
    pub fn new(subject: Subject, predicate: Predicate, object: Object, agent: Agent) -> Self {
        Self {
            subject,
            predicate,
            object,
            agent,
            confidence: Confidence::FULL,
            source: None,
            source_hash: None,
            quote: None,
            timestamp: None,
            epoch: None,
            parent: None,
            lifecycle: Lifecycle::Proposed,
            signature: None,
        }
    }

    /// States how sure the agent is.
    #[must_use]
    pub fn with_confidence(mut self, confidence: Confidence) -> Self {
        self.confidence = confidence;
        self
    }

    /// States how far the assertion has come.
    #[must_use]
    pub fn with_lifecycle(mut self, lifecycle: Lifecycle) -> Self {
        self.lifecycle = lifecycle;
        self
    }

    with_optional! {
        with_source, source: Source, "States where the agent has it from.";
        with_source_hash, source_hash: SourceHash, "States the hash of the source.";
        with_quote, quote: Quote, "Adds the words of the source.";
        with_timestamp, timestamp: Timestamp, "States when it was stated.";
        with_epoch, epoch: RecordId, "States the epoch to which it belongs.";
        with_parent, parent: RecordId, "States the assertion that it follows from or replaces.";
        with_signature, signature: Signature, "Adds a signature, not verified here.";
    }
}

/// An agent speaks for or against an assertion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Vote {
    /// The assertion; it need not be known yet.
    pub assertion: RecordId,
    /// Who votes.
    pub agent: Agent,
    /// How much for (positive) or against (negative).
    pub weight: Weight,
    /// When the vote was given, as the writer claims.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<Timestamp>,
    /// The agent's signature; not part of what the record says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature: Option<Signature>,
}

impl Vote {
    /// A vote with its required fields.
    #[must_use]
    pub fn new(assertion: RecordId, agent: Agent, weight: Weight) -> Self {
        Self {
            assertion,
            agent,
            weight,
            timestamp: None,
            signature: None,
        }
    }

    with_optional! {
        with_timestamp, timestamp: Timestamp, "States when the vote was given.";
        with_signature, signature: Signature, "Adds a signature, not verified here.";
    }
}

/// An agent names a period or a state of knowledge in which assertions stand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Epoch {
    /// Its name.
    pub name: EpochName,
    /// Who defines it.
    pub agent: Agent,
    /// What it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<Description>,
    /// The epoch before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub supersedes: Option<RecordId>,
    /// When it begins, as the writer claims.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub starts_at: Option<Timestamp>,
    /// The agent's signature; not part of what the record says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature: Option<Signature>,
}

impl Epoch {
    /// An epoch with its required fields.
    #[must_use]
    pub fn new(name: EpochName, agent: Agent) -> Self {
        Self {
            name,
            agent,
            description: None,
            supersedes: None,
            starts_at: None,
            signature: None,
        }
    }

    with_optional! {
        with_description, description: Description, "Says what it is.";
        with_supersedes, supersedes: RecordId, "States the epoch before it.";
        with_starts_at, starts_at: Timestamp, "States when it begins.";
        with_signature, signature: Signature, "Adds a signature, not verified here.";
    }
}

/// Anything that a database keeps: an assertion, a vote or an epoch.
///
/// Every value of this type keeps the limits of its fields; two rules hold only for one that passed
/// [`Record::verify`]: the size of the whole, and whether its agent's signature is there and right.
///
/// Serializing it (with serde) gives the same fields as [`Record::to_json`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Record {
    /// An agent states something of a subject.
    Assertion(Assertion),
    /// An agent speaks for or against an assertion.
    Vote(Vote),
    /// An agent names a period or a state of knowledge.
    Epoch(Epoch),
}

impl Record {
    /// The name of its type: `assertion`, `vote` or `epoch`.
    #[must_use]
    pub const fn type_name(&self) -> &'static str {
        match self {
            Self::Assertion(_) => "assertion",
            Self::Vote(_) => "vote",
            Self::Epoch(_) => "epoch",
        }
    }

    /// Who stands behind it.
    #[must_use]
    pub const fn agent(&self) -> &Agent {
        match self {
            Self::Assertion(it) => &it.agent,
            Self::Vote(it) => &it.agent,
            Self::Epoch(it) => &it.agent,
        }
    }

    /// Its signature, verified or not.
    #[must_use]
    pub const fn signature(&self) -> Option<Signature> {
        match self {
            Self::Assertion(it) => it.signature,
            Self::Vote(it) => it.signature,
            Self::Epoch(it) => it.signature,
        }
    }

    /// The same record with another signature, or with none; it is not verified here.
    #[must_use]
    pub fn with_signature(mut self, signature: Option<Signature>) -> Self {
        match &mut self {
            Self::Assertion(it) => it.signature = signature,
            Self::Vote(it) => it.signature = signature,
            Self::Epoch(it) => it.signature = signature,
        }
        self
    }

    /// The bytes from which the id is made.
    ///
    /// # Errors
    ///
    /// Refuses a record with more than [`CANONICAL_BYTES_MAX`] of them.
    pub fn canonical_bytes(&self) -> Result<Vec<u8>, Invalid> {
        let mut bytes = Vec::new();
        self.canonical_into(&mut bytes)?;
        Ok(bytes)
    }

    /// Replaces the content of `buffer` by the canonical bytes.
    ///
    /// # Errors
    ///
    /// As [`Record::canonical_bytes`].
    pub fn canonical_into(&self, buffer: &mut Vec<u8>) -> Result<(), Invalid> {
        buffer.clear();
        canonical::encode(self, buffer);
        if buffer.len() > CANONICAL_BYTES_MAX {
            let (bytes, max) = (buffer.len(), CANONICAL_BYTES_MAX);
            return Err(Invalid::record(Reason::TooLarge { bytes, max }));
        }
        Ok(())
    }

    /// The name of the record: the BLAKE3-256 of its canonical bytes.
    ///
    /// # Errors
    ///
    /// As [`Record::canonical_bytes`].
    pub fn id(&self) -> Result<RecordId, Invalid> {
        self.id_with(&mut Vec::new())
    }

    /// [`Record::id`] by way of a buffer that many calls share.
    ///
    /// # Errors
    ///
    /// As [`Record::canonical_bytes`].
    pub fn id_with(&self, buffer: &mut Vec<u8>) -> Result<RecordId, Invalid> {
        self.canonical_into(buffer)?;
        Ok(RecordId::from_bytes(*blake3::hash(buffer).as_bytes()))
    }

    /// Checks everything but the signature itself, which is handed back to be verified with others.
    ///
    /// `buffer` is working memory that many calls share.
    ///
    /// # Errors
    ///
    /// Refuses a record that is too large, a `did:key` agent without a signature, and a signature by
    /// an agent that is no key.
    pub fn check(
        &self,
        buffer: &mut Vec<u8>,
    ) -> Result<(RecordId, Option<PendingSignature>), Invalid> {
        let id = self.id_with(buffer)?;
        self.check_line(buffer.len())?;
        let blame = |reason| Err(Invalid::record(reason).in_field("signature"));
        match (self.agent().key(), self.signature()) {
            (None, None) => Ok((id, None)),
            (Some(key), Some(signature)) => Ok((id, Some(PendingSignature { key, signature, id }))),
            (Some(_), None) => blame(Reason::SignatureMissing),
            (None, Some(_)) => blame(Reason::SignatureUnexpected),
        }
    }

    /// A control character takes one canonical byte and six of JSON: what is exported must come in again.
    fn check_line(&self, canonical_bytes: usize) -> Result<(), Invalid> {
        const ESCAPED_BYTES_MAX: usize = 6;
        // Punctuation and the names of the fields, generously.
        const FRAME_BYTES: usize = 4096;
        if canonical_bytes * ESCAPED_BYTES_MAX + FRAME_BYTES <= LINE_BYTES_MAX {
            return Ok(());
        }
        let (bytes, max) = (self.to_json().len(), LINE_BYTES_MAX);
        if bytes > max {
            return Err(Invalid::record(Reason::LineTooLong { bytes, max }));
        }
        Ok(())
    }

    /// Checks everything, the signature included, and gives the id.
    ///
    /// # Errors
    ///
    /// As [`Record::check`], and a signature that does not verify.
    pub fn verify(&self) -> Result<RecordId, Invalid> {
        let (id, pending) = self.check(&mut Vec::new())?;
        pending.map_or(Ok(()), |pending| pending.verify())?;
        Ok(id)
    }

    /// Reads a record from its JSON form, one line of an NDJSON file.
    ///
    /// The size of the record and its signature are not checked, see [`Record::verify`]; the length of
    /// the line is for its reader to bound, see [`limits::LINE_BYTES_MAX`](crate::limits::LINE_BYTES_MAX).
    ///
    /// ```
    /// use stemedb_core::Record;
    ///
    /// let line = br#"{"type":"vote","assertion":"beef","agent":"rater:7","weight":1}"#;
    /// let refused = Record::from_json(line).unwrap_err();
    /// assert_eq!(
    ///     refused.to_string(),
    ///     "assertion: expected 64 lower-case hex digits, found 4 bytes of text"
    /// );
    /// ```
    ///
    /// # Errors
    ///
    /// Refuses what is no JSON map, anything after it, unknown, missing and repeated fields, values of
    /// the wrong type, outside their limits or ranges, and integers that a double cannot hold.
    pub fn from_json(line: &[u8]) -> Result<Self, Invalid> {
        json::read(line, None)
    }

    /// As [`from_json`](Self::from_json), where the place it comes from says the type: a record that names none has this one.
    /// One that names another is read as that.
    ///
    /// ```
    /// use stemedb_core::Record;
    ///
    /// let line = br#"{"subject":"Mars","predicate":"moons","object":2,"agent":"a"}"#;
    /// assert!(Record::from_json(line).is_err());
    /// assert_eq!(Record::from_json_of("assertion", line)?.type_name(), "assertion");
    /// # Ok::<(), stemedb_core::Invalid>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`from_json`](Self::from_json), but for a missing type.
    pub fn from_json_of(type_name: &str, line: &[u8]) -> Result<Self, Invalid> {
        json::read(line, Some(type_name))
    }

    /// The JSON form: `type` first, the signature last, absent fields and defaults left out, except
    /// for `confidence`.
    #[must_use]
    pub fn to_json(&self) -> String {
        json::write(self)
    }

    /// Appends the JSON form to `out`, without a line feed.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        json::write_into(self, out);
    }
}

impl From<Assertion> for Record {
    fn from(assertion: Assertion) -> Self {
        Self::Assertion(assertion)
    }
}

impl From<Vote> for Record {
    fn from(vote: Vote) -> Self {
        Self::Vote(vote)
    }
}

impl From<Epoch> for Record {
    fn from(epoch: Epoch) -> Self {
        Self::Epoch(epoch)
    }
}
