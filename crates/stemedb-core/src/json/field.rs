//! The names of all fields, and which type of record has which.

/// Defines [`Field`] from its names.
macro_rules! fields {
    ($($field:ident = $name:literal,)+) => {
        /// A field of some type of record.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Field {
            $($field,)+
        }

        impl Field {
            /// All fields, each at its own index.
            pub(super) const ALL: [Self; [$($name),+].len()] = [$(Self::$field),+];

            /// Its name in JSON.
            pub(super) const fn name(self) -> &'static str {
                match self {
                    $(Self::$field => $name,)+
                }
            }

            /// The field of this name.
            pub(super) fn parse(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$field),)+
                    _ => None,
                }
            }
        }
    };
}

fields! {
    Type = "type",
    Subject = "subject",
    Predicate = "predicate",
    Object = "object",
    Agent = "agent",
    Confidence = "confidence",
    Source = "source",
    SourceHash = "source_hash",
    Quote = "quote",
    Timestamp = "timestamp",
    Epoch = "epoch",
    Parent = "parent",
    Lifecycle = "lifecycle",
    Assertion = "assertion",
    Weight = "weight",
    Name = "name",
    Description = "description",
    Supersedes = "supersedes",
    StartsAt = "starts_at",
    Signature = "signature",
}

/// A type of record, as far as its fields go.
#[derive(Debug)]
pub(super) struct Shape {
    /// What a message calls it.
    pub(super) title: &'static str,
    /// All its fields.
    pub(super) fields: &'static [Field],
}

pub(super) const ASSERTION: Shape = Shape {
    title: "an assertion",
    fields: &[
        Field::Type,
        Field::Subject,
        Field::Predicate,
        Field::Object,
        Field::Agent,
        Field::Confidence,
        Field::Source,
        Field::SourceHash,
        Field::Quote,
        Field::Timestamp,
        Field::Epoch,
        Field::Parent,
        Field::Lifecycle,
        Field::Signature,
    ],
};

pub(super) const VOTE: Shape = Shape {
    title: "a vote",
    fields: &[
        Field::Type,
        Field::Assertion,
        Field::Agent,
        Field::Weight,
        Field::Timestamp,
        Field::Signature,
    ],
};

pub(super) const EPOCH: Shape = Shape {
    title: "an epoch",
    fields: &[
        Field::Type,
        Field::Name,
        Field::Agent,
        Field::Description,
        Field::Supersedes,
        Field::StartsAt,
        Field::Signature,
    ],
};

impl Shape {
    /// The names of its fields, for a message.
    pub(super) fn known(&self) -> Box<str> {
        let names: Vec<_> = self.fields.iter().map(|field| field.name()).collect();
        names.join(", ").into()
    }
}
