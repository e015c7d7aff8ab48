//! Fixed-size values written as lower-case hex: ids, hashes, signatures.

use faster_hex::{CheckCase, hex_decode_with_case, hex_encode};

use crate::invalid::{Invalid, Reason};

#[cfg(test)]
mod tests;

/// Defines a newtype over an array of bytes whose text form is exactly that many lower-case hex digits.
macro_rules! hex_bytes {
    ($(#[$doc:meta])* $name:ident, $length:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $length]);

        impl $name {
            /// Its length in bytes.
            pub const LENGTH: usize = $length;

            /// Takes the bytes as they are.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; $length]) -> Self {
                Self(bytes)
            }

            /// The raw bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; $length] {
                &self.0
            }
        }

        impl AsRef<[u8]> for $name {
            fn as_ref(&self) -> &[u8] {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                match hex_encode(&self.0, &mut [0; 2 * $length]) {
                    Ok(text) => f.pad(text),
                    Err(_) => Err(std::fmt::Error),
                }
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl std::str::FromStr for $name {
            type Err = Invalid;

            fn from_str(text: &str) -> Result<Self, Invalid> {
                let mut bytes = [0; $length];
                decode(text, &mut bytes)?;
                Ok(Self(bytes))
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match hex_encode(&self.0, &mut [0; 2 * $length]) {
                    Ok(text) => serializer.serialize_str(text),
                    Err(error) => Err(serde::ser::Error::custom(error)),
                }
            }
        }
    };
}

hex_bytes! {
    /// The name of a record: the BLAKE3-256 of its canonical bytes.
    ///
    /// ```
    /// use stemedb_core::RecordId;
    ///
    /// let id = RecordId::from_bytes([0xab; 32]);
    /// let text = "ab".repeat(32);
    /// assert_eq!(id.to_string(), text);
    /// assert_eq!(text.parse(), Ok(id));
    /// assert!(text.to_uppercase().parse::<RecordId>().is_err());
    /// ```
    RecordId, 32
}

hex_bytes! {
    /// The hash of a source as its reader saw it; which hash function it is, is the writer's business.
    SourceHash, 32
}

hex_bytes! {
    /// An Ed25519 signature, not yet verified.
    Signature, 64
}

/// Decodes exactly `bytes.len()` bytes.
fn decode(text: &str, bytes: &mut [u8]) -> Result<(), Invalid> {
    let digits = 2 * bytes.len();
    if text.len() != digits {
        return Err(Invalid::record(Reason::HexLength {
            digits,
            found: text.len(),
        }));
    }
    if hex_decode_with_case(text.as_bytes(), bytes, CheckCase::Lower).is_ok() {
        return Ok(());
    }
    let is_foreign = |byte| !matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let at = text.bytes().position(is_foreign).unwrap_or(0);
    Err(Invalid::record(Reason::HexDigit { digits, at }))
}
