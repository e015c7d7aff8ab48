//! Ed25519 keys as agents: the `did:key` form.
//!
//! `did:key:z` + base58btc(0xed 0x01 + the 32 bytes of the public key), always 48 characters after
//! `did:key:`, of which the first four are `z6Mk`.

use crate::{invalid::Reason, name::Agent};

#[cfg(test)]
mod tests;

/// What every key as an agent begins with.
const SCHEME: &str = "did:key:";

/// The multibase code of base58btc.
const BASE58BTC: char = 'z';

/// The multicodec of an Ed25519 public key, as an unsigned varint.
const ED25519: [u8; 2] = [0xed, 0x01];

/// An Ed25519 public key.
///
/// Any 32 bytes: whether they are a point of the curve shows when a signature is verified.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// Takes the bytes as they are.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The raw bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// This key as an agent, `did:key:z6Mk...`.
    #[must_use]
    pub fn did(self) -> Agent {
        Agent::from(self)
    }
}

impl std::fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PublicKey({})", format_did(*self))
    }
}

/// The key that `agent` is; none if it is another name.
pub(crate) fn parse_did(agent: &str) -> Result<Option<PublicKey>, Reason> {
    let Some(encoded) = agent.strip_prefix(SCHEME) else {
        return Ok(None);
    };
    let digits = encoded.strip_prefix(BASE58BTC).ok_or(Reason::DidKey)?;
    let mut bytes = [0; ED25519.len() + 32];
    // Invariant: one text per key. Fewer bytes are refused here, leading zeros by the multicodec below.
    match bs58::decode(digits).onto(&mut bytes) {
        Ok(length) if length == bytes.len() => {}
        _ => return Err(Reason::DidKey),
    }
    match bytes.split_first_chunk() {
        Some((&ED25519, key)) => key
            .try_into()
            .map(|key| Some(PublicKey(key)))
            .or(Err(Reason::DidKey)),
        _ => Err(Reason::DidKey),
    }
}

/// The text form of a key.
pub(crate) fn format_did(key: PublicKey) -> String {
    let mut bytes = Vec::with_capacity(ED25519.len() + 32);
    bytes.extend_from_slice(&ED25519);
    bytes.extend_from_slice(&key.0);
    format!("{SCHEME}{BASE58BTC}{}", bs58::encode(bytes).into_string())
}
