//! The storage form of records: rkyv archives of plain structs.
//!
//! They hold integers, enums, `String`, `Option` and byte arrays only, little-endian with 32-bit offsets. Doubles are stored as their
//! bits. Changing a struct changes the format: the golden test fails until `FORMAT.md` and the payload's header say so.
//!
//! Reading one back validates everything anew, since bytecheck proves that memory is safe, not that a record is one.

use rkyv::option::ArchivedOption;
use rkyv::rancor::{Fallible, Source as Cause};
use rkyv::rend::u64_le;
use rkyv::string::{ArchivedString, StringResolver};
use rkyv::{Archive, Place, Serialize, SerializeUnsized};
use stemedb_core::{
    Agent, Assertion, Confidence, Description, Epoch, EpochName, Invalid, Lifecycle, Number,
    Object, Predicate, Quote, RecordId, Reference, Signature, Source, SourceHash, Subject,
    Timestamp, Vote, Weight,
};

use crate::apply::Outline;

#[derive(Archive, Serialize, Debug)]
pub(crate) struct StoredAssertion<'a> {
    subject: Text<'a>,
    predicate: Text<'a>,
    object: StoredObject<'a>,
    agent: Text<'a>,
    confidence_bits: u64,
    source: Option<Text<'a>>,
    source_hash: Option<[u8; 32]>,
    quote: Option<Text<'a>>,
    timestamp_ms: Option<u64>,
    epoch: Option<[u8; 32]>,
    parent: Option<[u8; 32]>,
    lifecycle: StoredLifecycle,
    signature: Option<[u8; 64]>,
}

#[derive(Archive, Serialize, Debug)]
enum StoredObject<'a> {
    Text(Text<'a>),
    NumberBits(u64),
    Boolean(bool),
    Reference(Text<'a>),
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
pub(crate) struct StoredVote<'a> {
    assertion: [u8; 32],
    agent: Text<'a>,
    weight_bits: u64,
    timestamp_ms: Option<u64>,
    signature: Option<[u8; 64]>,
}

#[derive(Archive, Serialize, Debug)]
pub(crate) struct StoredEpoch<'a> {
    name: Text<'a>,
    agent: Text<'a>,
    description: Option<Text<'a>>,
    supersedes: Option<[u8; 32]>,
    starts_at_ms: Option<u64>,
    signature: Option<[u8; 64]>,
}

/// A text of a record, archived as a `String` is, without becoming one.
#[derive(Debug)]
struct Text<'a>(&'a str);

impl<'a> Text<'a> {
    fn of(text: &'a impl AsRef<str>) -> Self {
        Self(text.as_ref())
    }
}

impl Archive for Text<'_> {
    type Archived = ArchivedString;
    type Resolver = StringResolver;

    fn resolve(&self, resolver: StringResolver, out: Place<ArchivedString>) {
        ArchivedString::resolve_from_str(self.0, resolver, out);
    }
}

impl<S: Fallible + ?Sized> Serialize<S> for Text<'_>
where
    S::Error: Cause,
    str: SerializeUnsized<S>,
{
    fn serialize(&self, serializer: &mut S) -> Result<StringResolver, S::Error> {
        ArchivedString::serialize_from_str(self.0, serializer)
    }
}

impl<'a> From<&'a Assertion> for StoredAssertion<'a> {
    fn from(assertion: &'a Assertion) -> Self {
        Self {
            subject: Text::of(&assertion.subject),
            predicate: Text::of(&assertion.predicate),
            object: (&assertion.object).into(),
            agent: Text::of(&assertion.agent),
            confidence_bits: assertion.confidence.get().to_bits(),
            source: assertion.source.as_ref().map(Text::of),
            source_hash: assertion.source_hash.map(|hash| *hash.as_bytes()),
            quote: assertion.quote.as_ref().map(Text::of),
            timestamp_ms: assertion.timestamp.map(Timestamp::as_ms),
            epoch: assertion.epoch.map(|id| *id.as_bytes()),
            parent: assertion.parent.map(|id| *id.as_bytes()),
            lifecycle: assertion.lifecycle.into(),
            signature: assertion.signature.map(|signature| *signature.as_bytes()),
        }
    }
}

impl<'a> From<&'a Object> for StoredObject<'a> {
    fn from(object: &'a Object) -> Self {
        match object {
            Object::Text(text) => Self::Text(Text::of(text)),
            Object::Number(number) => Self::NumberBits(number.get().to_bits()),
            Object::Boolean(boolean) => Self::Boolean(*boolean),
            Object::Reference(reference) => Self::Reference(Text::of(reference)),
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

impl<'a> From<&'a Vote> for StoredVote<'a> {
    fn from(vote: &'a Vote) -> Self {
        Self {
            assertion: *vote.assertion.as_bytes(),
            agent: Text::of(&vote.agent),
            weight_bits: vote.weight.get().to_bits(),
            timestamp_ms: vote.timestamp.map(Timestamp::as_ms),
            signature: vote.signature.map(|signature| *signature.as_bytes()),
        }
    }
}

impl<'a> From<&'a Epoch> for StoredEpoch<'a> {
    fn from(epoch: &'a Epoch) -> Self {
        Self {
            name: Text::of(&epoch.name),
            agent: Text::of(&epoch.agent),
            description: epoch.description.as_ref().map(Text::of),
            supersedes: epoch.supersedes.map(|id| *id.as_bytes()),
            starts_at_ms: epoch.starts_at.map(Timestamp::as_ms),
            signature: epoch.signature.map(|signature| *signature.as_bytes()),
        }
    }
}

impl ArchivedStoredAssertion<'_> {
    pub(crate) fn outline(&self) -> Outline<'_> {
        Outline::Assertion {
            subject: self.subject.as_str(),
            predicate: self.predicate.as_str(),
        }
    }

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

impl ArchivedStoredObject<'_> {
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

impl ArchivedStoredVote<'_> {
    pub(crate) fn outline(&self) -> Outline<'_> {
        Outline::Vote {
            assertion: RecordId::from_bytes(self.assertion),
        }
    }

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

impl ArchivedStoredEpoch<'_> {
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
