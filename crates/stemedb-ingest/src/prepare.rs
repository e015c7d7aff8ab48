//! The parallel stage: decode, validate, hash, check signatures, look up what is stored, seal. In order, in bounded memory.

use rayon::ThreadPool;
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};
use stemedb_core::signature::find_wrong;
use stemedb_core::{PendingSignature, Record, RecordId, Sequence};
use stemedb_storage::{Origin, Snapshot};
use stemedb_wal::{Group, RecordRef, Trust};

use crate::apply::{Checked, Chunk, Outline, identity_key};
use crate::arrival::Arrivals;
use crate::codec::deserialize;

/// Records that one task takes: enough for a batch verification of signatures to pay.
pub(crate) const CHUNK_RECORDS: usize = 256;

/// A record of the journal that waits to be checked.
#[derive(Clone, Copy, Debug)]
struct Raw<'a> {
    record: RecordRef<'a>,
    arrived_at_ms: u64,
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
        let value = self.view.get(key)?;
        Ok(value.map(|value| value.sequence))
    }
}

/// Prepares the records of `groups` in their order.
pub(crate) fn prepare(
    pool: &ThreadPool,
    groups: &[Group],
    before: Before<'_>,
) -> stemedb_storage::Result<Vec<Chunk>> {
    let raw: Vec<Raw<'_>> = groups
        .iter()
        .flat_map(|group| {
            let arrived_at_ms = group.arrived_at_ms();
            group.records().map(move |record| Raw {
                record,
                arrived_at_ms,
            })
        })
        .collect();
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

fn prepare_chunk(chunk: &[Raw<'_>], before: Before<'_>) -> stemedb_storage::Result<Chunk> {
    let outcomes = check_all(chunk);
    let bytes = chunk.iter().map(|raw| raw.record.bytes.len()).sum();
    let mut sealed = Chunk::with_room_for(chunk.len(), bytes);
    let mut key = Vec::new();
    for (raw, outcome) in chunk.iter().zip(&outcomes) {
        let outcome = match outcome {
            Ok((id, record)) => Ok((*id, Outline::of(record))),
            Err(reason) => Err(reason.as_str()),
        };
        let stored = match outcome {
            Ok((id, outline)) => before.stored(id, outline, &mut key)?,
            Err(_) => None,
        };
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

/// What a record is, or why it can't be applied.
type Outcome = Result<(RecordId, Record), String>;

/// Checks everything about records that needs no store.
fn check_all(chunk: &[Raw<'_>]) -> Vec<Outcome> {
    let mut buffer = Vec::new();
    let (mut places, mut pending) = (Vec::new(), Vec::new());
    let mut outcomes: Vec<Outcome> = Vec::with_capacity(chunk.len());
    for raw in chunk {
        let outcome = check(raw.record, &mut buffer).map(|(id, record, signature)| {
            if let Some(signature) = signature {
                places.push(outcomes.len());
                pending.push(signature);
            }
            (id, record)
        });
        outcomes.push(outcome);
    }
    for (wrong, invalid) in find_wrong(&pending) {
        let place = places.get(wrong).copied();
        if let Some(outcome) = place.and_then(|place| outcomes.get_mut(place)) {
            *outcome = Err(invalid.to_string());
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
