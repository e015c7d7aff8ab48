//! The storage form of records: rkyv archives of plain structs.
//!
//! They hold integers, enums, `String`, `Option` and byte arrays only, little-endian with 32-bit offsets. Doubles are stored as their
//! bits. Changing a struct changes the format: the golden test fails until `FORMAT.md` and the payload's header say so.
//!
//! Reading one back validates everything anew, since bytecheck proves that memory is safe, not that a record is one.

use rkyv::option::ArchivedOption;
use rkyv::rend::u64_le;
use rkyv::{Archive, Serialize};
use stemedb_core::{
    Agent, Assertion, Confidence, Description, Epoch, EpochName, Invalid, Lifecycle, Number,
    Object, Predicate, Quote, RecordId, Reference, Signature, Source, SourceHash, Subject,
    Timestamp, Vote, Weight,
};

#[derive(Archive, Serialize, Debug)]
pub(crate) struct StoredAssertion {
    subject: String,
    predicate: String,
    object: StoredObject,
    agent: String,
    confidence_bits: u64,
    source: Option<String>,
    source_hash: Option<[u8; 32]>,
    quote: Option<String>,
    timestamp_ms: Option<u64>,
    epoch: Option<[u8; 32]>,
    parent: Option<[u8; 32]>,
    lifecycle: StoredLifecycle,
    signature: Option<[u8; 64]>,
}

#[derive(Archive, Serialize, Debug)]
enum StoredObject {
    Text(String),
    NumberBits(u64),
    Boolean(bool),
    Reference(String),
}

#[derive(Archive, Serialize, Debug)]
enum StoredLifecycle {
    Proposed,
    UnderReview,
    Approved,
    Deprecated,
    Rejected,
}

#[derive(Archive, Serialize, Debug)]
pub(crate) struct StoredVote {
    assertion: [u8; 32],
    agent: String,
    weight_bits: u64,
    timestamp_ms: Option<u64>,
    signature: Option<[u8; 64]>,
}

#[derive(Archive, Serialize, Debug)]
pub(crate) struct StoredEpoch {
    name: String,
    agent: String,
    description: Option<String>,
    supersedes: Option<[u8; 32]>,
    starts_at_ms: Option<u64>,
    signature: Option<[u8; 64]>,
}

impl From<&Assertion> for StoredAssertion {
    fn from(assertion: &Assertion) -> Self {
        Self {
            subject: assertion.subject.as_str().to_owned(),
            predicate: assertion.predicate.as_str().to_owned(),
            object: (&assertion.object).into(),
            agent: assertion.agent.as_str().to_owned(),
            confidence_bits: assertion.confidence.get().to_bits(),
            source: assertion
                .source
                .as_ref()
                .map(|source| source.as_str().to_owned()),
            source_hash: assertion.source_hash.map(|hash| *hash.as_bytes()),
            quote: assertion
                .quote
                .as_ref()
                .map(|quote| quote.as_str().to_owned()),
            timestamp_ms: assertion.timestamp.map(Timestamp::as_ms),
            epoch: assertion.epoch.map(|id| *id.as_bytes()),
            parent: assertion.parent.map(|id| *id.as_bytes()),
            lifecycle: assertion.lifecycle.into(),
            signature: assertion.signature.map(|signature| *signature.as_bytes()),
        }
    }
}

impl From<&Object> for StoredObject {
    fn from(object: &Object) -> Self {
        match object {
            Object::Text(text) => Self::Text(text.clone()),
            Object::Number(number) => Self::NumberBits(number.get().to_bits()),
            Object::Boolean(boolean) => Self::Boolean(*boolean),
            Object::Reference(reference) => Self::Reference(reference.as_str().to_owned()),
        }
    }
}

impl From<Lifecycle> for StoredLifecycle {
    fn from(lifecycle: Lifecycle) -> Self {
        match lifecycle {
            Lifecycle::Proposed => Self::Proposed,
            Lifecycle::UnderReview => Self::UnderReview,
            Lifecycle::Approved => Self::Approved,
            Lifecycle::Deprecated => Self::Deprecated,
            Lifecycle::Rejected => Self::Rejected,
        }
    }
}

impl From<&Vote> for StoredVote {
    fn from(vote: &Vote) -> Self {
        Self {
            assertion: *vote.assertion.as_bytes(),
            agent: vote.agent.as_str().to_owned(),
            weight_bits: vote.weight.get().to_bits(),
            timestamp_ms: vote.timestamp.map(Timestamp::as_ms),
            signature: vote.signature.map(|signature| *signature.as_bytes()),
        }
    }
}

impl From<&Epoch> for StoredEpoch {
    fn from(epoch: &Epoch) -> Self {
        Self {
            name: epoch.name.as_str().to_owned(),
            agent: epoch.agent.as_str().to_owned(),
            description: epoch
                .description
                .as_ref()
                .map(|text| text.as_str().to_owned()),
            supersedes: epoch.supersedes.map(|id| *id.as_bytes()),
            starts_at_ms: epoch.starts_at.map(Timestamp::as_ms),
            signature: epoch.signature.map(|signature| *signature.as_bytes()),
        }
    }
}

impl ArchivedStoredAssertion {
    pub(crate) fn to_record(&self) -> Result<Assertion, Invalid> {
        let subject = Subject::new(self.subject.as_str())?;
        let predicate = Predicate::new(self.predicate.as_str())?;
        let agent = Agent::new(self.agent.as_str())?;
        let mut assertion = Assertion::new(subject, predicate, self.object.to_object()?, agent);
        assertion.confidence = Confidence::new(f64::from_bits(self.confidence_bits.to_native()))?;
        assertion.source = self
            .source
            .as_ref()
            .map(|text| Source::new(text.as_str()))
            .transpose()?;
        assertion.source_hash = self
            .source_hash
            .as_ref()
            .map(|bytes| SourceHash::from_bytes(*bytes));
        assertion.quote = self
            .quote
            .as_ref()
            .map(|text| Quote::new(text.as_str()))
            .transpose()?;
        assertion.timestamp = timestamp(&self.timestamp_ms)?;
        assertion.epoch = self
            .epoch
            .as_ref()
            .map(|bytes| RecordId::from_bytes(*bytes));
        assertion.parent = self
            .parent
            .as_ref()
            .map(|bytes| RecordId::from_bytes(*bytes));
        assertion.lifecycle = self.lifecycle.to_lifecycle();
        assertion.signature = signature(&self.signature);
        Ok(assertion)
    }
}

impl ArchivedStoredObject {
    fn to_object(&self) -> Result<Object, Invalid> {
        Ok(match self {
            Self::Text(text) => Object::text(text.as_str()),
            Self::NumberBits(bits) => {
                Object::Number(Number::new(f64::from_bits(bits.to_native()))?)
            }
            Self::Boolean(boolean) => Object::Boolean(*boolean),
            Self::Reference(name) => Object::Reference(Reference::new(name.as_str())?),
        })
    }
}

impl ArchivedStoredLifecycle {
    const fn to_lifecycle(&self) -> Lifecycle {
        match self {
            Self::Proposed => Lifecycle::Proposed,
            Self::UnderReview => Lifecycle::UnderReview,
            Self::Approved => Lifecycle::Approved,
            Self::Deprecated => Lifecycle::Deprecated,
            Self::Rejected => Lifecycle::Rejected,
        }
    }
}

impl ArchivedStoredVote {
    pub(crate) fn to_record(&self) -> Result<Vote, Invalid> {
        let mut vote = Vote::new(
            RecordId::from_bytes(self.assertion),
            Agent::new(self.agent.as_str())?,
            Weight::new(f64::from_bits(self.weight_bits.to_native()))?,
        );
        vote.timestamp = timestamp(&self.timestamp_ms)?;
        vote.signature = signature(&self.signature);
        Ok(vote)
    }
}

impl ArchivedStoredEpoch {
    pub(crate) fn to_record(&self) -> Result<Epoch, Invalid> {
        let name = EpochName::new(self.name.as_str())?;
        let mut epoch = Epoch::new(name, Agent::new(self.agent.as_str())?);
        let description = self.description.as_ref();
        epoch.description = description
            .map(|text| Description::new(text.as_str()))
            .transpose()?;
        epoch.supersedes = self
            .supersedes
            .as_ref()
            .map(|bytes| RecordId::from_bytes(*bytes));
        epoch.starts_at = timestamp(&self.starts_at_ms)?;
        epoch.signature = signature(&self.signature);
        Ok(epoch)
    }
}

fn timestamp(ms: &ArchivedOption<u64_le>) -> Result<Option<Timestamp>, Invalid> {
    let ms = ms.as_ref().map(|ms| ms.to_native());
    ms.map(Timestamp::from_ms).transpose()
}

fn signature(bytes: &ArchivedOption<[u8; 64]>) -> Option<Signature> {
    bytes.as_ref().map(|bytes| Signature::from_bytes(*bytes))
}
