//! Tokens: who may ask a server for what.
//!
//! They lie in `tokens.json` in the directory of the database, of each the hash of its secret and never the secret.
//! Where that file is, every request needs a token, also when the last one has been revoked; a file that cannot be read opens nothing.
//! The file is replaced as a whole, so that it can be changed beside a running server, which sees that within a second.
//!
//! A token is shown once, as `stdb_ID_SECRET`, and sent as `authorization: Bearer stdb_ID_SECRET`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

mod error;
mod file;

pub use error::TokenError;
pub use file::TokenFile;

#[cfg(test)]
mod tests;

/// What every token begins with, so that it is recognised where it should not be.
const PREFIX: &str = "stdb_";
const ID_BYTES: usize = 8;
const SECRET_BYTES: usize = 32;

/// What a token allows.
///
/// `write` does not allow reading: whoever only delivers records needs to see none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Scope {
    /// To read what is stored.
    Read,
    /// To store records; what they are answered with is told.
    Write,
    /// Everything, the other scopes included.
    Admin,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 3] = [Self::Read, Self::Write, Self::Admin];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Scope {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Self, TokenError> {
        let found = Self::ALL.into_iter().find(|scope| scope.name() == text);
        found.ok_or_else(|| TokenError::UnknownScope(text.to_owned()))
    }
}

/// A token, without anything that is secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// The part by which it is found.
    pub id: String,
    /// What it is called, for people.
    pub name: String,
    /// What it allows, at least one thing.
    pub scopes: Vec<Scope>,
    /// When it was made, in milliseconds since 1970.
    pub created_at_ms: u64,
    /// When it ends, if it does.
    pub expires_at_ms: Option<u64>,
}

impl Token {
    /// Whether it allows what needs `scope`.
    #[must_use]
    pub fn allows(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope) || self.scopes.contains(&Scope::Admin)
    }

    fn has_ended(&self, now_ms: u64) -> bool {
        self.expires_at_ms.is_some_and(|end| end <= now_ms)
    }
}

/// What a token is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewToken {
    /// What it is called, for people: 1 to 100 characters, none of which steers a terminal.
    pub name: String,
    /// What it allows, at least one thing.
    pub scopes: Vec<Scope>,
    /// For how many days, if not for ever.
    pub days: Option<u32>,
}

/// The text of a token, which nobody can get again.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The text itself.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// All tokens of a server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tokens(Vec<Entry>);

/// A token and the hash of its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    token: Token,
    hash: blake3::Hash,
}

impl Tokens {
    /// The token that `text` is, if it is one that has not ended.
    pub(crate) fn find(&self, text: &str, now_ms: u64) -> Option<&Token> {
        let (id, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
        let entry = self.0.iter().find(|entry| entry.token.id == id)?;
        // Comparing hashes of this type takes the same time wherever they differ.
        let is_known = hash(secret) == entry.hash;
        (is_known && !entry.token.has_ended(now_ms)).then_some(&entry.token)
    }

    /// The token with this id, if it has not ended; only for who has shown its secret before.
    pub(crate) fn by_id(&self, id: &str, now_ms: u64) -> Option<&Token> {
        let token = self.tokens().find(|token| token.id == id)?;
        (!token.has_ended(now_ms)).then_some(token)
    }

    fn tokens(&self) -> impl Iterator<Item = &Token> {
        self.0.iter().map(|entry| &entry.token)
    }
}

/// What is kept of a secret: it is random and long, so that no slow hash is needed.
fn hash(secret: &str) -> blake3::Hash {
    blake3::hash(secret.as_bytes())
}

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> u64 {
    u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or_default()
}
