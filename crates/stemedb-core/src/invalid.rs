//! The one error of this crate: an input that is no valid record.

use std::borrow::Cow;

use crate::limits::EXCERPT_CHARS_MAX;

#[cfg(test)]
mod tests;

/// An input was refused: which field, and why.
///
/// Its text names the field, the value (shortened, with control characters escaped) and, where it is
/// not obvious, what to do.
///
/// ```
/// use stemedb_core::Confidence;
///
/// let refused = Confidence::new(1.5).unwrap_err();
/// assert_eq!(refused.to_string(), "confidence: 1.5 is outside 0..=1");
/// assert_eq!(refused.field(), Some("confidence"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    field: Option<Cow<'static, str>>,
    reason: Reason,
}

impl Invalid {
    /// The field at fault by its JSON name, or none if it is the record as a whole.
    #[must_use]
    pub fn field(&self) -> Option<&str> {
        self.field.as_deref()
    }

    /// What is wrong.
    #[must_use]
    pub fn reason(&self) -> &Reason {
        &self.reason
    }

    pub(crate) fn record(reason: Reason) -> Self {
        Self {
            field: None,
            reason,
        }
    }

    pub(crate) fn field_of_input(name: &str, reason: Reason) -> Self {
        Self {
            field: Some(Cow::Owned(excerpt(name).into())),
            reason,
        }
    }

    /// The same refusal, blamed on `field`.
    #[must_use]
    pub(crate) fn in_field(self, field: &'static str) -> Self {
        Self {
            field: Some(Cow::Borrowed(field)),
            ..self
        }
    }
}

impl std::fmt::Display for Invalid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.field {
            Some(field) => write!(f, "{field}: {}", self.reason),
            None => write!(f, "{}", self.reason),
        }
    }
}

impl std::error::Error for Invalid {}

/// Why an input was refused.
///
/// Values repeated here are excerpts: at most [`EXCERPT_CHARS_MAX`] characters, escaped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// A required field is absent or null.
    #[error("missing")]
    Missing,
    /// A field was given more than once.
    #[error("given twice; a field stands once in a record")]
    Repeated,
    /// A field that this type of record does not have.
    #[error("unknown field of {record}; known are {known}")]
    UnknownField {
        /// The type of record with its article.
        record: &'static str,
        /// The names of all its fields.
        known: Box<str>,
    },
    /// A value of another JSON type.
    #[error("expected {expected}, found {found}")]
    WrongType {
        /// What stands in this field.
        expected: &'static str,
        /// What was there.
        found: Box<str>,
    },
    /// A word that is none of a fixed list.
    #[error("\"{found}\" is unknown; known are {known}")]
    UnknownWord {
        /// The excerpt of what was there.
        found: Box<str>,
        /// All words.
        known: &'static str,
    },
    /// A name without a character.
    #[error("is empty; a name has at least one character")]
    Empty,
    /// A name or text beyond its limit.
    #[error("is {bytes} bytes long; at most {max} are allowed")]
    TooLong {
        /// Its length in bytes of UTF-8.
        bytes: usize,
        /// The limit in bytes.
        max: usize,
    },
    /// A name with one of U+0000..U+001F or U+007F.
    #[error("holds the control character U+{code:04X} at byte {at}")]
    ControlCharacter {
        /// The character.
        code: u8,
        /// Its offset in bytes, from 0.
        at: usize,
    },
    /// An escape in a JSON string that is half of a surrogate pair.
    #[error("holds half of a surrogate pair, which is no character")]
    LoneSurrogate,
    /// A number beyond its range.
    #[error("{value} is outside {range}")]
    OutsideRange {
        /// The excerpt of the number.
        value: Box<str>,
        /// The range, bounds included.
        range: &'static str,
    },
    /// A number beyond the range of finite doubles.
    #[error("{value} is no finite double")]
    NotFinite {
        /// The excerpt of the number.
        value: Box<str>,
    },
    /// An integer literal between two doubles.
    #[error("the integer {literal} cannot be held exactly by a double; write it as text")]
    InexactInteger {
        /// The excerpt of the literal.
        literal: Box<str>,
    },
    /// A time with a fraction or an exponent.
    #[error("{literal} is no integer; times are whole Unix milliseconds")]
    NotAnInteger {
        /// The excerpt of the literal.
        literal: Box<str>,
    },
    /// A hash or signature of another length.
    #[error("expected {digits} lower-case hex digits, found {found} bytes of text")]
    HexLength {
        /// How many digits are needed.
        digits: usize,
        /// The length of the text in bytes.
        found: usize,
    },
    /// A hash or signature with something that is no lower-case hex digit.
    #[error("expected {digits} lower-case hex digits, found another character at byte {at}")]
    HexDigit {
        /// How many digits are needed.
        digits: usize,
        /// The offset in bytes, from 0.
        at: usize,
    },
    /// An `object` that is not exactly one of the four kinds.
    #[error("expected exactly one of text, number, boolean, reference, found {found}")]
    ObjectKind {
        /// What was there.
        found: Box<str>,
    },
    /// A `did:key:` agent that is no Ed25519 key.
    #[error("is no did:key of an Ed25519 key, which begins with did:key:z6Mk")]
    DidKey,
    /// A `did:key:` agent without a signature.
    #[error("missing; an agent that is a did:key has to sign its records")]
    SignatureMissing,
    /// A signature by an agent that is no key.
    #[error("the agent is no did:key, so nobody can check a signature; leave it out")]
    SignatureUnexpected,
    /// A signature that does not verify.
    #[error("does not verify: the agent's key has not signed this record")]
    SignatureWrong,
    /// A record was to be signed by a key that is not its agent.
    #[error("is not the signing key, which is {key}")]
    ForeignAgent {
        /// The did:key of the signing key.
        key: Box<str>,
    },
    /// Canonical bytes beyond the limit.
    #[error("the record has {bytes} canonical bytes; at most {max} are allowed")]
    TooLarge {
        /// The length in bytes.
        bytes: usize,
        /// The limit in bytes.
        max: usize,
    },
    /// A record that could be stored and exported, and then not be read again.
    #[error("takes {bytes} bytes as a line of JSON; at most {max} are allowed")]
    LineTooLong {
        /// The length of its JSON form in bytes.
        bytes: usize,
        /// The limit in bytes.
        max: usize,
    },
    /// Bytes that are no UTF-8.
    #[error("invalid UTF-8 at column {column}")]
    Utf8 {
        /// The first bad byte, from 1.
        column: usize,
    },
    /// Text that is no JSON, or has something after the record.
    #[error("malformed JSON at column {column}: {message}")]
    Syntax {
        /// The byte at which parsing stopped, from 1.
        column: usize,
        /// What the parser says.
        message: Box<str>,
    },
    /// JSON that is no map of fields.
    #[error("expected a JSON object with the fields of a record")]
    NotAMap,
}

/// The beginning of a refused text, on one line and without control characters.
pub(crate) fn excerpt(text: &str) -> Box<str> {
    let end = text
        .char_indices()
        .nth(EXCERPT_CHARS_MAX)
        .map_or(text.len(), |(at, _)| at);
    let (shown, rest) = text.split_at(end);
    let quoted = format!("{shown:?}");
    let bare = quoted
        .strip_prefix('"')
        .and_then(|tail| tail.strip_suffix('"'));
    let mut excerpt = bare.unwrap_or(&quoted).to_owned();
    if !rest.is_empty() {
        excerpt.push_str("...");
    }
    excerpt.into()
}
