//! Records that were checked in full, ready to be appended.

use stemedb_core::signature::find_wrong;
use stemedb_core::{PendingSignature, Record, RecordId};

use crate::RecordType;
use crate::Result;
use crate::error::Cause;

/// Room for the canonical bytes of most records.
const CANONICAL_BYTES: usize = 512;

/// A record that was validated, named, verified and serialized.
///
/// Preparing needs no database, so that it can be done on as many threads as there are.
#[derive(Clone, Debug)]
pub struct Prepared {
    pub(crate) id: RecordId,
    pub(crate) record_type: RecordType,
    pub(crate) payload: Vec<u8>,
}

impl Prepared {
    /// Prepares one record.
    ///
    /// # Errors
    ///
    /// [`Invalid`](crate::ErrorKind::Invalid) where the record is over its limits, its signature is missing, wrong, or by an agent
    /// that is no key.
    pub fn new(record: &Record) -> Result<Self> {
        let mut buffer = Vec::with_capacity(CANONICAL_BYTES);
        let (prepared, pending) = Self::check(record, &mut buffer)?;
        pending.map_or(Ok(()), |pending| pending.verify())?;
        Ok(prepared)
    }

    /// Prepares many records; their signatures are verified together, which takes a third of the time.
    pub fn all<E>(records: impl IntoIterator<Item = Result<Record, E>>) -> Vec<Result<Self>>
    where
        E: Into<crate::Error>,
    {
        Self::all_or(records, || ())
    }

    /// The same, and `refuse` is called at each record that is refused, and before each signature that is verified singly, which all are
    /// where one is wrong: nothing else holds back whoever sends many such records.
    pub fn all_or<E>(
        records: impl IntoIterator<Item = Result<Record, E>>,
        mut refuse: impl FnMut(),
    ) -> Vec<Result<Self>>
    where
        E: Into<crate::Error>,
    {
        let mut buffer = Vec::new();
        let (mut places, mut pending) = (Vec::new(), Vec::new());
        let mut prepared: Vec<Result<Self>> = Vec::new();
        for record in records {
            let checked = record
                .map_err(Into::into)
                .and_then(|record| Self::check(&record, &mut buffer))
                .inspect_err(|_| refuse());
            prepared.push(checked.map(|(one, signature)| {
                if let Some(signature) = signature {
                    places.push(prepared.len());
                    pending.push(signature);
                }
                one
            }));
        }
        for (wrong, invalid) in find_wrong(&pending, refuse) {
            let place = places.get(wrong).copied();
            if let Some(slot) = place.and_then(|place| prepared.get_mut(place)) {
                *slot = Err(invalid.into());
            }
        }
        prepared
    }

    fn check(record: &Record, buffer: &mut Vec<u8>) -> Result<(Self, Option<PendingSignature>)> {
        let (id, pending) = record.check(buffer)?;
        let payload = stemedb_ingest::serialize_checked(record).map_err(Cause::Serialize)?;
        let record_type = RecordType::of(record);
        let prepared = Self {
            id,
            record_type,
            payload,
        };
        Ok((prepared, pending))
    }

    /// The record's id.
    #[must_use]
    pub fn id(&self) -> RecordId {
        self.id
    }

    /// The record's type.
    #[must_use]
    pub fn record_type(&self) -> RecordType {
        self.record_type
    }
}
