//! The parallel stage: decode, validate, hash, check signatures, look up what is stored. In order, in bounded memory.

use rayon::ThreadPool;
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};
use stemedb_core::signature::find_wrong;
use stemedb_core::{PendingSignature, Record, RecordId, Sequence};
use stemedb_storage::Snapshot;
use stemedb_wal::{Group, RecordRef, Trust};

use crate::RecordType;
use crate::apply::{Checked, identity_key};
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

/// A checked record, and the sequence under which its id is stored already, or will be once everything before is applied.
pub(crate) type Prepared = (Checked, Option<Sequence>);

/// Everything before the records that are prepared.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Before<'a> {
    /// What is applied.
    pub(crate) view: &'a dyn Snapshot,
    /// What is being applied meanwhile, which the view does not show.
    pub(crate) applying: &'a Arrivals,
}

impl Before<'_> {
    fn stored(&self, checked: &Checked) -> stemedb_storage::Result<Option<Sequence>> {
        let Ok((id, record)) = &checked.outcome else {
            return Ok(None);
        };
        if let Some(sequence) = self.applying.get(*id) {
            return Ok(Some(sequence));
        }
        let key = identity_key(*id, RecordType::of(record));
        let value = self.view.get(&key.encode())?;
        Ok(value.map(|value| value.sequence))
    }
}

/// Prepares the records of `groups` in their order.
pub(crate) fn prepare(
    pool: &ThreadPool,
    groups: &[Group],
    before: Before<'_>,
) -> stemedb_storage::Result<Vec<Prepared>> {
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
        return prepare_chunk(&raw, before);
    }
    let chunks: Vec<&[Raw<'_>]> = raw.chunks(CHUNK_RECORDS).collect();
    let prepared: stemedb_storage::Result<Vec<Vec<Prepared>>> = pool.install(|| {
        chunks
            .par_iter()
            .map(|chunk| prepare_chunk(chunk, before))
            .collect()
    });
    Ok(prepared?.into_iter().flatten().collect())
}

fn prepare_chunk(chunk: &[Raw<'_>], before: Before<'_>) -> stemedb_storage::Result<Vec<Prepared>> {
    let mut buffer = Vec::new();
    let (mut places, mut pending) = (Vec::new(), Vec::new());
    let mut checked: Vec<Checked> = Vec::with_capacity(chunk.len());
    for raw in chunk {
        let outcome = check(raw.record, &mut buffer).map(|(id, record, signature)| {
            if let Some(signature) = signature {
                places.push(checked.len());
                pending.push(signature);
            }
            (id, record)
        });
        checked.push(Checked {
            // The journal numbers records from 1.
            sequence: Sequence::new(raw.record.sequence).unwrap_or(Sequence::FIRST),
            arrived_at_ms: raw.arrived_at_ms,
            payload: raw.record.bytes.to_vec(),
            outcome,
        });
    }
    for (wrong, invalid) in find_wrong(&pending) {
        let place = places.get(wrong).copied();
        if let Some(checked) = place.and_then(|place| checked.get_mut(place)) {
            checked.outcome = Err(invalid.to_string());
        }
    }
    checked
        .into_iter()
        .map(|checked| {
            let stored = before.stored(&checked)?;
            Ok((checked, stored))
        })
        .collect()
}

type Decoded = (RecordId, Record, Option<PendingSignature>);

fn check(raw: RecordRef<'_>, buffer: &mut Vec<u8>) -> Result<Decoded, String> {
    let record = deserialize(raw.bytes).map_err(|error| error.to_string())?;
    let (id, signature) = record.check(buffer).map_err(|error| error.to_string())?;
    let pending = signature.filter(|_| raw.trust == Trust::Unverified);
    Ok((id, record, pending))
}
