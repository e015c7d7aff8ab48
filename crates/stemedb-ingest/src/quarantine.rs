//! What the store keeps of a record that could not be applied: why, and its bytes.

/// A record in quarantine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantined {
    /// Why it could not be applied.
    pub reason: String,
    /// Its bytes, as the journal holds them.
    pub payload: Vec<u8>,
}

impl Quarantined {
    /// Encodes it as `[length of the reason in bytes: u32, little-endian][reason in UTF-8][payload]`.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let length = u32::try_from(self.reason.len()).unwrap_or(u32::MAX);
        let mut bytes = Vec::with_capacity(4 + self.reason.len() + self.payload.len());
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(self.reason.as_bytes());
        bytes.extend_from_slice(&self.payload);
        bytes
    }

    /// Decodes it; `None` where the bytes are not what [`encode`](Self::encode) writes.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let (reason, payload) = rest.split_at_checked(length)?;
        Some(Self {
            reason: str::from_utf8(reason).ok()?.to_owned(),
            payload: payload.to_vec(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Quarantined;

    #[test]
    fn what_was_encoded_comes_back_and_nothing_shorter_does() {
        let quarantined = Quarantined {
            reason: "no record".to_owned(),
            payload: vec![1, 2, 3],
        };
        let bytes = quarantined.encode();
        assert_eq!(Quarantined::decode(&bytes), Some(quarantined));
        for end in 0..4 + "no record".len() {
            assert_eq!(Quarantined::decode(&bytes[..end]), None);
        }
    }
}
