//! Names and texts: validated strings.
//!
//! A name is not empty, keeps to its limit and holds no control character (U+0000..U+001F, U+007F).
//! Everything else stays as it is: nothing is trimmed or normalised.

use crate::{
    invalid::{Invalid, Reason},
    key::{self, PublicKey},
    limits, word,
};

#[cfg(test)]
mod tests;

/// Gives a validated string its text forms.
macro_rules! text_form {
    ($name:ident) => {
        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = Invalid;

            fn from_str(text: &str) -> Result<Self, Invalid> {
                Self::new(text)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }
    };
}

/// Defines a string that `$check` admits; errors are blamed on `$field`.
macro_rules! checked_text {
    ($(#[$doc:meta])* $name:ident, $field:literal, $check:ident, $max:expr, $errors:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Box<str>);

        impl $name {
            /// Validates `text`.
            ///
            /// # Errors
            ///
            #[doc = $errors]
            pub fn new(text: impl AsRef<str> + Into<Box<str>>) -> Result<Self, Invalid> {
                match $check(text.as_ref(), $max) {
                    Ok(()) => Ok(Self(text.into())),
                    Err(reason) => Err(Invalid::record(reason).in_field($field)),
                }
            }

            /// The text as it was given.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        text_form!($name);
    };
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $field:literal, $max:expr) => {
        checked_text! {
            $(#[$doc])* $name, $field, check_name, $max,
            "Refuses an empty text, one over its limit, and one with a control character."
        }
    };
}

macro_rules! text {
    ($(#[$doc:meta])* $name:ident, $field:literal, $max:expr) => {
        checked_text! {
            $(#[$doc])* $name, $field, check_length, $max,
            "Refuses a text over its limit."
        }
    };
}

name! {
    /// What an assertion is about, at most [`limits::SUBJECT_BYTES_MAX`] bytes.
    ///
    /// ```
    /// use stemedb_core::Subject;
    ///
    /// assert_eq!(Subject::new("Eiffel Tower")?.as_str(), "Eiffel Tower");
    /// let refused = Subject::new("bel\u{7}l").unwrap_err();
    /// assert_eq!(refused.to_string(), "subject: holds the control character U+0007 at byte 3");
    /// # Ok::<(), stemedb_core::Invalid>(())
    /// ```
    Subject, "subject", limits::SUBJECT_BYTES_MAX
}

name! {
    /// Which property of its subject an assertion states, at most [`limits::PREDICATE_BYTES_MAX`] bytes.
    Predicate, "predicate", limits::PREDICATE_BYTES_MAX
}

name! {
    /// Where an agent has an assertion from, at most [`limits::SOURCE_BYTES_MAX`] bytes.
    Source, "source", limits::SOURCE_BYTES_MAX
}

name! {
    /// The name of an epoch, at most [`limits::EPOCH_NAME_BYTES_MAX`] bytes.
    EpochName, "name", limits::EPOCH_NAME_BYTES_MAX
}

name! {
    /// An object that names another subject, at most [`limits::REFERENCE_BYTES_MAX`] bytes.
    Reference, "object", limits::REFERENCE_BYTES_MAX
}

text! {
    /// The words of the source: any text up to [`limits::QUOTE_BYTES_MAX`] bytes.
    Quote, "quote", limits::QUOTE_BYTES_MAX
}

text! {
    /// What an epoch is: any text up to [`limits::DESCRIPTION_BYTES_MAX`] bytes.
    Description, "description", limits::DESCRIPTION_BYTES_MAX
}

/// Who stands behind a record, at most [`limits::AGENT_BYTES_MAX`] bytes.
///
/// Any name will do; one that begins with `did:key:` is an Ed25519 key and has to sign its records.
///
/// ```
/// use stemedb_core::Agent;
///
/// assert!(Agent::new("site:fda.gov")?.key().is_none());
/// let did = "did:key:z6MkehRgf7yJbgaGfYsdoAsKdBPE3dj2CYhowQdcjqSJgvVd";
/// assert!(Agent::new(did)?.key().is_some());
/// assert!(Agent::new("did:key:zSomethingElse").is_err());
/// # Ok::<(), stemedb_core::Invalid>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Agent {
    name: Box<str>,
    // Invariant: what `name` says; kept because decoding base58 costs a tenth of a verification.
    key: Option<PublicKey>,
}

impl Agent {
    /// Validates `text`.
    ///
    /// # Errors
    ///
    /// Refuses an empty text, one over its limit, one with a control character, and a `did:key:` that
    /// is no Ed25519 key.
    pub fn new(text: impl AsRef<str> + Into<Box<str>>) -> Result<Self, Invalid> {
        let key = check_name(text.as_ref(), limits::AGENT_BYTES_MAX)
            .and_then(|()| key::parse_did(text.as_ref()));
        match key {
            Ok(key) => Ok(Self {
                name: text.into(),
                key,
            }),
            Err(reason) => Err(Invalid::record(reason).in_field("agent")),
        }
    }

    /// The name as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.name
    }

    /// The key that this agent is, if it is one.
    #[must_use]
    pub fn key(&self) -> Option<PublicKey> {
        self.key
    }
}

text_form!(Agent);

impl From<PublicKey> for Agent {
    fn from(key: PublicKey) -> Self {
        Self {
            name: key::format_did(key).into(),
            key: Some(key),
        }
    }
}

fn check_name(text: &str, max: usize) -> Result<(), Reason> {
    if text.is_empty() {
        return Err(Reason::Empty);
    }
    check_length(text, max)?;
    // Bytes of a longer UTF-8 sequence are all above U+007F, so bytes can stand for characters here.
    let bytes = text.as_bytes();
    let at = word::find(bytes, |word| {
        word::less(word, b' ') | word::equal(word, 0x7f)
    });
    match at.and_then(|at| bytes.get(at).zip(Some(at))) {
        Some((&code, at)) => Err(Reason::ControlCharacter { code, at }),
        None => Ok(()),
    }
}

fn check_length(text: &str, max: usize) -> Result<(), Reason> {
    if text.len() > max {
        return Err(Reason::TooLong {
            bytes: text.len(),
            max,
        });
    }
    Ok(())
}
