//! Ed25519 signatures of records, checked by one predicate everywhere: ZIP-215.
//!
//! Under ZIP-215 a signature that verifies alone verifies in a batch and the reverse, so a replay in
//! batches never refuses what was acknowledged one by one.

use std::convert::Infallible;

use ed25519_zebra::{VerificationKey, VerificationKeyBytes, batch};
use rand_core::{TryCryptoRng, TryRng};

use crate::{
    hash::{RecordId, Signature},
    invalid::{Invalid, Reason},
    key::PublicKey,
    name::Agent,
    record::Record,
};

#[cfg(test)]
mod tests;

/// What a signature covers before the id, so that it means nothing in another protocol.
const DOMAIN: &[u8; 21] = b"stemedb-signature-v1\0";

/// What separates the coefficients of a batch from every other use of BLAKE3.
const BATCH_CONTEXT: &str = "stemedb 2026 coefficients of batch signature verification";

const MESSAGE_BYTES: usize = DOMAIN.len() + RecordId::LENGTH;

/// An Ed25519 key that signs records.
///
/// ```
/// use stemedb_core::{Assertion, Object, Predicate, Record, SigningKey, Subject};
///
/// let key = SigningKey::from_bytes([7; 32]);
/// let record = Record::from(Assertion::new(
///     Subject::new("Eiffel Tower")?,
///     Predicate::new("height")?,
///     Object::number(330.0)?,
///     key.did(),
/// ));
/// assert!(record.verify().is_err());
/// let signed = key.sign(&record)?;
/// assert_eq!(signed.verify(), record.id());
/// # Ok::<(), stemedb_core::Invalid>(())
/// ```
#[derive(Clone)]
pub struct SigningKey(ed25519_zebra::SigningKey);

impl SigningKey {
    /// The key made of 32 secret bytes, the seed of RFC 8032.
    #[must_use]
    pub fn from_bytes(secret: [u8; 32]) -> Self {
        Self(secret.into())
    }

    /// The secret bytes.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 32] {
        self.0.to_bytes()
    }

    /// Its public half.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey::from_bytes(VerificationKeyBytes::from(&self.0).into())
    }

    /// The agent that this key is.
    #[must_use]
    pub fn did(&self) -> Agent {
        self.public().did()
    }

    /// The same record with this key's signature, in place of any that it had.
    ///
    /// # Errors
    ///
    /// Refuses a record whose agent is not this key, and one that is too large.
    pub fn sign(&self, record: &Record) -> Result<Record, Invalid> {
        if record.agent().key() != Some(self.public()) {
            let reason = Reason::ForeignAgent {
                key: self.did().as_str().into(),
            };
            return Err(Invalid::record(reason).in_field("agent"));
        }
        let signature = self.0.sign(&message(record.id()?));
        Ok(record
            .clone()
            .with_signature(Some(Signature::from_bytes(signature.to_bytes()))))
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey({})", self.did())
    }
}

/// A signature that is yet to be verified, with all that this takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct PendingSignature {
    /// Whose signature it claims to be.
    pub key: PublicKey,
    /// The signature.
    pub signature: Signature,
    /// The record that it signs.
    pub id: RecordId,
}

impl PendingSignature {
    /// Verifies it alone.
    ///
    /// # Errors
    ///
    /// Refuses a signature that the key has not made over the id.
    pub fn verify(&self) -> Result<(), Invalid> {
        let (key, signature) = self.parts();
        let verified = VerificationKey::try_from(key)
            .and_then(|key| key.verify(&signature, &message(self.id)));
        match verified {
            Ok(()) => Ok(()),
            // The cause says no more than that it does not verify.
            Err(_) => Err(Invalid::record(Reason::SignatureWrong).in_field("signature")),
        }
    }

    fn parts(&self) -> (VerificationKeyBytes, ed25519_zebra::Signature) {
        let signature = ed25519_zebra::Signature::from_bytes(self.signature.as_bytes());
        (VerificationKeyBytes::from(*self.key.as_bytes()), signature)
    }
}

/// Whether all of `pending` verify; a third of the cost of verifying them singly.
///
/// If not, [`PendingSignature::verify`] finds the culprits. None at all verify.
#[must_use]
pub fn verify_batch(pending: &[PendingSignature]) -> bool {
    let mut verifier = batch::Verifier::new();
    for item in pending {
        let (key, signature) = item.parts();
        verifier.queue((key, signature, &message(item.id)));
    }
    verifier.verify(Coefficients::of(pending)).is_ok()
}

/// Which of `pending` do not verify, by their places: together first, singly where that fails, and `before` is called before each of those.
#[must_use]
pub fn find_wrong(pending: &[PendingSignature], mut before: impl FnMut()) -> Vec<(usize, Invalid)> {
    if pending.is_empty() || verify_batch(pending) {
        return Vec::new();
    }
    let wrong = |(place, item): (usize, &PendingSignature)| {
        before();
        item.verify().err().map(|invalid| (place, invalid))
    };
    pending.iter().enumerate().filter_map(wrong).collect()
}

fn message(id: RecordId) -> [u8; MESSAGE_BYTES] {
    let mut message = [0; MESSAGE_BYTES];
    let (domain, rest) = message.split_at_mut(DOMAIN.len());
    domain.copy_from_slice(DOMAIN);
    rest.copy_from_slice(id.as_bytes());
    message
}

/// The coefficients of a batch: a hash of all that is verified.
///
/// Whoever wants a wrong signature to pass has to fix every signature before the coefficients are
/// known, which is all that randomness would give; and the same batch always gives the same answer.
struct Coefficients(blake3::OutputReader);

impl Coefficients {
    /// Invariant: every byte that is verified takes part, or wrong signatures could be made to cancel.
    fn of(pending: &[PendingSignature]) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key(BATCH_CONTEXT);
        for item in pending {
            hasher.update(item.key.as_bytes());
            hasher.update(item.signature.as_bytes());
            hasher.update(item.id.as_bytes());
        }
        Self(hasher.finalize_xof())
    }
}

impl TryRng for Coefficients {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.0.fill(&mut bytes);
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.fill(bytes);
        Ok(())
    }
}

impl TryCryptoRng for Coefficients {}
