//! Records at random, for property tests.
//!
//! Names and ids come from small pools as often as from everything allowed, so that records meet:
//! subjects are shared, votes hit assertions, duplicates occur.

use proptest::{
    collection::vec,
    option::{of, weighted},
    prelude::*,
    sample::select,
};
use stemedb_core::{
    Agent, Assertion, Confidence, Description, Epoch, EpochName, Lifecycle, Number, Object,
    Predicate, Quote, Record, RecordId, Reference, Signature, SigningKey, Source, SourceHash,
    Subject, Timestamp, Vote, Weight, limits,
};

/// Any record that verifies: three in four by a named agent, the others signed by one of [`keys`].
pub fn record() -> impl Strategy<Value = Record> {
    let unsigned = prop_oneof![
        6 => assertion().prop_map(Record::from),
        3 => vote().prop_map(Record::from),
        1 => epoch().prop_map(Record::from),
    ];
    (unsigned, weighted(0.25, select(keys().to_vec()))).prop_filter_map(
        "a key signs its own records",
        |(record, key)| match key {
            Some(key) => key.sign(&with_agent(record, key.did())).ok(),
            None => Some(record),
        },
    )
}

/// An assertion by an agent that is no key.
pub fn assertion() -> impl Strategy<Value = Assertion> {
    let claimed = (subject(), predicate(), object(), agent());
    let from = (
        of(source()),
        weighted(0.2, source_hash()),
        weighted(0.3, quote()),
    );
    let context = (of(timestamp()), of(id()), weighted(0.2, id()));
    let judged = (confidence(), lifecycle());
    (claimed, from, context, judged).prop_map(|(claimed, from, context, judged)| {
        let (subject, predicate, object, agent) = claimed;
        let mut assertion = Assertion::new(subject, predicate, object, agent)
            .with_confidence(judged.0)
            .with_lifecycle(judged.1);
        (assertion.source, assertion.source_hash, assertion.quote) = from;
        (assertion.timestamp, assertion.epoch, assertion.parent) = context;
        assertion
    })
}

/// A vote by an agent that is no key.
pub fn vote() -> impl Strategy<Value = Vote> {
    (id(), agent(), weight(), of(timestamp())).prop_map(|(assertion, agent, weight, timestamp)| {
        let mut vote = Vote::new(assertion, agent, weight);
        vote.timestamp = timestamp;
        vote
    })
}

/// An epoch by an agent that is no key.
pub fn epoch() -> impl Strategy<Value = Epoch> {
    let named = (epoch_name(), agent());
    (named, of(description()), of(id()), of(timestamp())).prop_map(
        |((name, agent), description, supersedes, starts_at)| {
            let mut epoch = Epoch::new(name, agent);
            epoch.description = description;
            epoch.supersedes = supersedes;
            epoch.starts_at = starts_at;
            epoch
        },
    )
}

/// The keys whose signatures [`record`] uses.
#[must_use]
pub fn keys() -> [SigningKey; 3] {
    [1, 2, 3].map(|seed| SigningKey::from_bytes([seed; 32]))
}

/// The same record with another agent and without a signature.
#[must_use]
pub fn with_agent(mut record: Record, agent: Agent) -> Record {
    match &mut record {
        Record::Assertion(it) => (it.agent, it.signature) = (agent, None),
        Record::Vote(it) => (it.agent, it.signature) = (agent, None),
        Record::Epoch(it) => (it.agent, it.signature) = (agent, None),
    }
    record
}

/// The same record with another signature, or with none.
#[must_use]
pub fn with_signature(mut record: Record, signature: Option<Signature>) -> Record {
    match &mut record {
        Record::Assertion(it) => it.signature = signature,
        Record::Vote(it) => it.signature = signature,
        Record::Epoch(it) => it.signature = signature,
    }
    record
}

/// An id, often one of a few.
pub fn id() -> impl Strategy<Value = RecordId> {
    prop_oneof![
        (0..4_u8).prop_map(|seed| RecordId::from_bytes([seed; 32])),
        any::<[u8; 32]>().prop_map(RecordId::from_bytes),
    ]
}

/// An object of any kind.
pub fn object() -> impl Strategy<Value = Object> {
    prop_oneof![
        3 => text(300).prop_map(Object::text),
        1 => text(70_000).prop_map(Object::text),
        3 => number().prop_map(Object::Number),
        2 => any::<bool>().prop_map(Object::from),
        2 => reference().prop_map(Object::from),
    ]
}

/// A finite number: round ones, edges, and any bits.
pub fn number() -> impl Strategy<Value = Number> {
    prop_oneof![
        (-1000..1000_i32).prop_map(f64::from),
        (-1000..1000_i32).prop_map(|tenths| f64::from(tenths) / 10.0),
        any::<f32>().prop_map(f64::from),
        any::<u64>().prop_map(f64::from_bits),
        select(
            &[
                0.0,
                -0.0,
                65504.0,
                65505.0,
                1e20,
                f64::MAX,
                f64::MIN_POSITIVE,
                5e-324
            ][..]
        ),
    ]
    .prop_filter_map("numbers are finite", |value| Number::new(value).ok())
}

/// A confidence, often entire.
pub fn confidence() -> impl Strategy<Value = Confidence> {
    prop_oneof![
        Just(1.0),
        Just(0.0),
        (0..=100_u8).prop_map(|it| f64::from(it) / 100.0),
        0.0..=1.0
    ]
    .prop_filter_map("in range", |value| Confidence::new(value).ok())
}

/// A weight, often entirely for or against.
pub fn weight() -> impl Strategy<Value = Weight> {
    prop_oneof![Just(1.0), Just(-1.0), Just(-0.0), -1.0..=1.0]
        .prop_filter_map("in range", |value| Weight::new(value).ok())
}

/// A time, often of this century, else from the whole range.
pub fn timestamp() -> impl Strategy<Value = Timestamp> {
    prop_oneof![
        1_000_000_000_000..2_000_000_000_000_u64,
        0..=limits::TIMESTAMP_MS_MAX,
        select(&[0, limits::TIMESTAMP_MS_MAX][..]),
    ]
    .prop_filter_map("in range", |ms| Timestamp::from_ms(ms).ok())
}

/// A step of the lifecycle, proposed as often as not.
pub fn lifecycle() -> impl Strategy<Value = Lifecycle> {
    prop_oneof![Just(Lifecycle::Proposed), select(&Lifecycle::ALL[..])]
}

/// Any text of at most so many bytes.
pub fn text(bytes_max: usize) -> impl Strategy<Value = String> {
    vec(
        prop_oneof![3 => any::<char>(), 5 => proptest::char::range(' ', '~')],
        0..40,
    )
    .prop_flat_map(move |chars| {
        let text: String = chars.into_iter().collect();
        let longest = bytes_max / text.len().max(1);
        // Long texts are short ones repeated: they cost no more to make.
        prop_oneof![9 => Just(1), 1 => 1..=longest.max(1)]
            .prop_map(move |times| truncated(text.repeat(times), bytes_max))
    })
}

/// Any name of at most so many bytes.
pub fn name(bytes_max: usize) -> impl Strategy<Value = String> {
    text(bytes_max).prop_map(|text| {
        let kept: String = text.chars().filter(|it| !it.is_ascii_control()).collect();
        if kept.is_empty() {
            "x".to_owned()
        } else {
            kept
        }
    })
}

/// A signature over something else.
pub fn foreign_signature() -> impl Strategy<Value = Signature> {
    (any::<[u8; 32]>(), any::<[u8; 32]>()).prop_map(|(first, second)| {
        let mut bytes = [0; 64];
        bytes[..32].copy_from_slice(&first);
        bytes[32..].copy_from_slice(&second);
        Signature::from_bytes(bytes)
    })
}

fn truncated(mut text: String, bytes_max: usize) -> String {
    text.truncate(text.floor_char_boundary(bytes_max));
    text
}

/// Defines a strategy for a validated string: one of a few, or any.
macro_rules! string {
    ($($function:ident: $type:ident, $any:ident($max:expr), $few:expr, $doc:literal;)+) => {
        $(
            #[doc = $doc]
            pub fn $function() -> impl Strategy<Value = $type> {
                prop_oneof![select(&$few[..]).prop_map(str::to_owned), $any($max)]
                    .prop_filter_map("within its limits", |text| $type::new(text).ok())
            }
        )+
    };
}

string! {
    subject: Subject, name(limits::SUBJECT_BYTES_MAX),
        ["Tesla", "Tesla_Inc", "Tes", "semaglutide"], "A subject, often one of a few.";
    predicate: Predicate, name(limits::PREDICATE_BYTES_MAX),
        ["height", "heigh", "country"], "A predicate, often one of a few.";
    agent: Agent, name(limits::AGENT_BYTES_MAX),
        ["site:fda.gov", "rater:7", "did:web:example.org"], "An agent that is no key.";
    source: Source, name(limits::SOURCE_BYTES_MAX),
        ["https://example.org/1", "wikidata"], "A source, often one of a few.";
    epoch_name: EpochName, name(limits::EPOCH_NAME_BYTES_MAX),
        ["2026", "2027"], "The name of an epoch, often one of a few.";
    reference: Reference, name(limits::REFERENCE_BYTES_MAX),
        ["Q42", "Tesla"], "A reference, often one of a few.";
    quote: Quote, text(limits::QUOTE_BYTES_MAX),
        ["", "He said \"no\".\n"], "A quote.";
    description: Description, text(limits::DESCRIPTION_BYTES_MAX),
        ["", "after the label change"], "A description.";
}

/// The hash of a source.
pub fn source_hash() -> impl Strategy<Value = SourceHash> {
    any::<[u8; 32]>().prop_map(SourceHash::from_bytes)
}
