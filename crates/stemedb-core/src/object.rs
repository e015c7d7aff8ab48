//! What an assertion states.

use serde::Serialize;

use crate::{
    invalid::{Invalid, Reason, excerpt},
    name::Reference,
    number::Number,
};

/// The value that an assertion states of its subject.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Object {
    /// Any text, also an empty one; the size of the record bounds it.
    Text(String),
    /// A finite double.
    Number(Number),
    /// True or false.
    Boolean(bool),
    /// The name of another subject.
    Reference(Reference),
}

impl Object {
    /// The name of its kind in JSON and in the canonical bytes.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "text",
            Self::Number(_) => "number",
            Self::Boolean(_) => "boolean",
            Self::Reference(_) => "reference",
        }
    }

    /// A text.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// A number.
    ///
    /// # Errors
    ///
    /// Refuses NaN and the infinities.
    pub fn number(value: f64) -> Result<Self, Invalid> {
        Number::new(value).map(Self::Number)
    }

    /// A reference to another subject.
    ///
    /// # Errors
    ///
    /// Refuses what is no name, see [`Reference::new`].
    pub fn reference(name: &str) -> Result<Self, Invalid> {
        Reference::new(name).map(Self::Reference)
    }
}

impl From<Number> for Object {
    fn from(number: Number) -> Self {
        Self::Number(number)
    }
}

impl From<Reference> for Object {
    fn from(reference: Reference) -> Self {
        Self::Reference(reference)
    }
}

impl From<bool> for Object {
    fn from(boolean: bool) -> Self {
        Self::Boolean(boolean)
    }
}

/// How far an assertion has come in the process of its writers; stated, not enforced.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Lifecycle {
    /// Put forward; what an assertion is when it says nothing.
    #[default]
    Proposed,
    /// Being examined.
    UnderReview,
    /// Accepted.
    Approved,
    /// Once accepted, and replaced since.
    Deprecated,
    /// Examined and not accepted.
    Rejected,
}

impl Lifecycle {
    /// All of them, in order.
    pub const ALL: [Self; 5] = [
        Self::Proposed,
        Self::UnderReview,
        Self::Approved,
        Self::Deprecated,
        Self::Rejected,
    ];

    /// Its name in JSON and in the canonical bytes.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Proposed => "proposed",
            Self::UnderReview => "under_review",
            Self::Approved => "approved",
            Self::Deprecated => "deprecated",
            Self::Rejected => "rejected",
        }
    }

    /// Whether it is the default, which is not written.
    #[must_use]
    pub fn is_proposed(&self) -> bool {
        *self == Self::Proposed
    }
}

impl std::fmt::Display for Lifecycle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

impl std::str::FromStr for Lifecycle {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let found = Self::ALL
            .into_iter()
            .find(|lifecycle| lifecycle.as_str() == text);
        found.ok_or_else(|| {
            let known = "proposed, under_review, approved, deprecated, rejected";
            Invalid::record(Reason::UnknownWord {
                found: excerpt(text),
                known,
            })
            .in_field("lifecycle")
        })
    }
}
