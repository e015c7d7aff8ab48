//! The parallel stage: decode, validate, hash, check signatures, look up what is stored, seal. In order, in bounded memory.
//!
//! A record that was announced ([`announced`](crate::announced)) is only taken apart and sealed.

use rayon::ThreadPool;
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};
use stemedb_core::signature::find_wrong;
use stemedb_core::{PendingSignature, Record, RecordId, Sequence};
use stemedb_storage::{Origin, Snapshot};
use stemedb_wal::{RecordRef, Trust};

use crate::Error;
use crate::announced::{Announced, CHECKED_EVERY};
use crate::apply::{Checked, Chunk, Outline, identity_key};
use crate::arrival::Arrivals;
use crate::codec::{deserialize, outline};
use crate::work::Taken;

/// Records that one task takes: enough for a batch verification of signatures to pay.
pub(crate) const CHUNK_RECORDS: usize = 256;

/// A record of the journal that waits to be checked.
#[derive(Clone, Copy, Debug)]
struct Raw<'a> {
    record: RecordRef<'a>,
    arrived_at_ms: u64,
    /// What was announced as its id.
    announced: Option<RecordId>,
}

/// Everything before the records that are prepared.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Before<'a> {
    /// What is applied.
    pub(crate) view: &'a dyn Snapshot,
    /// What is being applied meanwhile, which the view does not show.
    pub(crate) applying: &'a Arrivals,
}

impl Before<'_> {
    /// The sequence under which a record is stored, or will be; `key` is room for its key.
    fn stored(
        &self,
        id: RecordId,
        outline: Outline<'_>,
        key: &mut Vec<u8>,
    ) -> stemedb_storage::Result<Option<Sequence>> {
        if let Some(sequence) = self.applying.get(id) {
            return Ok(Some(sequence));
        }
        key.clear();
        identity_key(id, outline.record_type()).encode_into(key);
        self.view.sequence(key)
    }
}

/// Prepares what was taken, in its order.
pub(crate) fn prepare(
    pool: &ThreadPool,
    taken: &Taken,
    before: Before<'_>,
) -> Result<Vec<Chunk>, Error> {
    let raw = raw(taken);
    if raw.len() <= CHUNK_RECORDS {
        return Ok(vec![prepare_chunk(&raw, before)?]);
    }
    let chunks: Vec<&[Raw<'_>]> = raw.chunks(CHUNK_RECORDS).collect();
    pool.install(|| {
        chunks
            .par_iter()
            .map(|chunk| prepare_chunk(chunk, before))
            .collect()
    })
}

/// The records that were taken, with what was announced of them.
fn raw(taken: &Taken) -> Vec<Raw<'_>> {
    let mut announced = Announced::new(&taken.announcements);
    let mut raw = Vec::with_capacity(usize::try_from(taken.records).unwrap_or_default());
    for group in &taken.groups {
        let arrived_at_ms = group.arrived_at_ms();
        raw.extend(group.records().map(|record| {
            Raw {
                record,
                arrived_at_ms,
                announced: announced
                    .id(record.sequence)
                    .filter(|_| record.trust == Trust::Verified),
            }
        }));
    }
    raw
}

/// What a record is, or why it can't be applied.
#[derive(Debug)]
enum Outcome<'a> {
    /// As it was announced: it is new.
    Announced(RecordId, Outline<'a>),
    Checked(RecordId, Box<Record>),
    Refused(String),
}

impl Outcome<'_> {
    fn outline(&self) -> Result<(RecordId, Outline<'_>), &str> {
        match self {
            Self::Announced(id, outline) => Ok((*id, *outline)),
            Self::Checked(id, record) => Ok((*id, Outline::of(record))),
            Self::Refused(reason) => Err(reason),
        }
    }
}

fn prepare_chunk(chunk: &[Raw<'_>], before: Before<'_>) -> Result<Chunk, Error> {
    let outcomes = check_all(chunk);
    let bytes = chunk.iter().map(|raw| raw.record.bytes.len()).sum();
    let mut sealed = Chunk::with_room_for(chunk.len(), bytes);
    let mut key = Vec::new();
    for (raw, outcome) in chunk.iter().zip(&outcomes) {
        let is_announced = matches!(outcome, Outcome::Announced(..));
        let outcome = outcome.outline();
        let stored = match outcome {
            Ok((id, outline)) if !is_announced => before.stored(id, outline, &mut key)?,
            _ => None,
        };
        if !is_announced {
            raw.compare(outcome, stored)?;
        }
        sealed.push(&Checked {
            origin: Origin {
                // The journal numbers records from 1.
                sequence: Sequence::new(raw.record.sequence).unwrap_or(Sequence::FIRST),
                arrived_at_ms: raw.arrived_at_ms,
            },
            payload: raw.record.bytes,
            outcome,
            stored,
        })?;
    }
    Ok(sealed)
}

impl Raw<'_> {
    /// What the record is by its announcement, if it has one.
    fn as_announced(&self) -> Option<(RecordId, Outline<'_>)> {
        Some((self.announced?, outline(self.record.bytes)?))
    }

    /// Fails where an announced record, which was checked all the same, is not what was announced.
    fn compare(
        &self,
        outcome: Result<(RecordId, Outline<'_>), &str>,
        stored: Option<Sequence>,
    ) -> Result<(), Error> {
        let is_so = self.announced.is_none()
            || (stored.is_none()
                && outcome.is_ok_and(|found| Some(found.0) == self.announced)
                && self
                    .as_announced()
                    .is_none_or(|announced| outcome == Ok(announced)));
        if is_so {
            return Ok(());
        }
        let sequence = self.record.sequence;
        Err(Error::Announced { sequence })
    }
}

/// Checks everything about records that needs no store.
fn check_all<'a>(chunk: &'a [Raw<'a>]) -> Vec<Outcome<'a>> {
    let mut buffer = Vec::new();
    let (mut places, mut pending) = (Vec::new(), Vec::new());
    let mut outcomes = Vec::with_capacity(chunk.len());
    for (index, raw) in chunk.iter().enumerate() {
        let is_trusted = !index.is_multiple_of(CHECKED_EVERY);
        let announced = raw.as_announced().filter(|_| is_trusted);
        outcomes.push(match announced {
            Some((id, outline)) => Outcome::Announced(id, outline),
            None => match check(raw.record, &mut buffer) {
                Ok((id, record, signature)) => {
                    places.extend(signature.is_some().then_some(index));
                    pending.extend(signature);
                    Outcome::Checked(id, Box::new(record))
                }
                Err(reason) => Outcome::Refused(reason),
            },
        });
    }
    for (wrong, invalid) in find_wrong(&pending, || ()) {
        let place = places.get(wrong).copied();
        if let Some(outcome) = place.and_then(|place| outcomes.get_mut(place)) {
            *outcome = Outcome::Refused(invalid.to_string());
        }
    }
    outcomes
}

type Decoded = (RecordId, Record, Option<PendingSignature>);

fn check(raw: RecordRef<'_>, buffer: &mut Vec<u8>) -> Result<Decoded, String> {
    let record = deserialize(raw.bytes).map_err(|error| error.to_string())?;
    let (id, signature) = record.check(buffer).map_err(|error| error.to_string())?;
    let pending = signature.filter(|_| raw.trust == Trust::Unverified);
    Ok((id, record, pending))
}
