//! Numbers: finite doubles, some with a range.
//!
//! None of them is ever NaN or -0.0, so equal numbers have equal canonical bytes.

use crate::invalid::{Invalid, Reason, excerpt};

/// Defines a finite double within `$range`, with -0.0 taken as 0.0.
macro_rules! number {
    ($(#[$doc:meta])* $name:ident, $field:literal, $range:expr, $shown:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
        pub struct $name(f64);

        impl $name {
            /// Validates `value`; -0.0 becomes 0.0.
            ///
            /// # Errors
            ///
            #[doc = concat!("Refuses NaN, the infinities and what is outside ", $shown, ".")]
            pub fn new(value: f64) -> Result<Self, Invalid> {
                let shown = || excerpt(&value.to_string());
                let reason = if !value.is_finite() {
                    Reason::NotFinite { value: shown() }
                } else if !$range.contains(&value) {
                    Reason::OutsideRange { value: shown(), range: $shown }
                } else {
                    // Adding 0.0 changes -0.0 and no other value.
                    return Ok(Self(value + 0.0));
                };
                Err(Invalid::record(reason).in_field($field))
            }

            /// The value.
            #[must_use]
            pub const fn get(self) -> f64 {
                self.0
            }
        }

        // NaN, for which equality is not reflexive, is never inside.
        impl Eq for $name {}

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_f64(self.0)
            }
        }
    };
}

number! {
    /// A number that an assertion states: any finite double.
    Number, "object", (f64::MIN..=f64::MAX), "the finite doubles"
}

number! {
    /// How sure an agent is of its assertion: 0 not at all, 1 (the default) entirely.
    Confidence, "confidence", (0.0..=1.0), "0..=1"
}

number! {
    /// How much a vote speaks for (up to 1) or against (down to -1) its assertion.
    Weight, "weight", (-1.0..=1.0), "-1..=1"
}

impl Confidence {
    /// Entirely sure, which is what an assertion says when it says nothing.
    pub const FULL: Self = Self(1.0);
}

impl Default for Confidence {
    fn default() -> Self {
        Self::FULL
    }
}
