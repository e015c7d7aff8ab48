//! Groups: what verifies is framed as it says, and nothing that a header says makes the decoder allocate.

use stemedb_wal::format::{
    ALIGNMENT_BYTES, GROUP_HEADER_BYTES, GroupHeader, Place, SEGMENT_HEADER_BYTES, SegmentHeader,
    framed_bytes, group_hash,
};
use stemedb_wal::{Fault, Group, GroupBuilder, JournalId};

use crate::recovery;

const PLACE: Place = Place {
    journal: JournalId([7; 16]),
    segment: 1,
    offset: 128,
};

pub(crate) fn run(bytes: &[u8]) {
    if let Some(raw) = bytes.first_chunk::<SEGMENT_HEADER_BYTES>()
        && let Ok(header) = SegmentHeader::decode(raw)
    {
        assert!(header.encode() == *raw, "a header has two encodings");
    }
    check(bytes);
    if let Some((sound, header)) = with_its_hash(bytes) {
        let found = check(&sound);
        assert!(
            found != Some(Fault::Hash),
            "a group does not verify: {header:?}"
        );
    }
}

/// The same bytes, with the hash that they would have if a journal had written them.
fn with_its_hash(bytes: &[u8]) -> Option<(Vec<u8>, GroupHeader)> {
    let raw = bytes.first_chunk::<GROUP_HEADER_BYTES>()?;
    let mut header = GroupHeader::read(raw)?;
    let payload_bytes = usize::try_from(header.payload_bytes).ok()?;
    let end = GROUP_HEADER_BYTES.checked_add(payload_bytes)?;
    let payload = bytes.get(GROUP_HEADER_BYTES..end)?;
    header.hash = group_hash(PLACE, &header.encode(), payload);
    Some(([&header.encode()[..], payload].concat(), header))
}

/// Decodes; what verifies must be what a builder makes of its records. Gives the fault where it does not.
fn check(bytes: &[u8]) -> Option<Fault> {
    let group = match Group::decode(bytes, PLACE) {
        Ok(group) => group,
        Err(fault) => return Some(fault),
    };
    let header = group.header();
    let mut builder = GroupBuilder::new(header.first_sequence);
    let mut payload = Vec::new();
    for record in group.records() {
        assert!(record.sequence == builder.next_sequence());
        builder.push(record.bytes, record.trust);
        append_framed(&mut payload, &record);
    }
    assert!(builder.records() == header.records);
    assert!(builder.payload_bytes() == payload.len());
    let encoded = [&header.encode()[..], &payload].concat();
    assert!(bytes.starts_with(&encoded), "a group has two encodings");
    assert!(encoded.len() as u64 == header.group_bytes());
    None
}

fn append_framed(payload: &mut Vec<u8>, record: &stemedb_wal::RecordRef<'_>) {
    let end = payload.len() + framed_bytes(record.bytes.len());
    let length = u32::try_from(record.bytes.len()).unwrap();
    payload.extend_from_slice(&length.to_le_bytes());
    let flags = u32::from(record.trust == stemedb_wal::Trust::Verified);
    payload.extend_from_slice(&flags.to_le_bytes());
    payload.extend_from_slice(&record.sequence.to_le_bytes());
    payload.extend_from_slice(record.bytes);
    payload.resize(end, 0);
    assert!(end.is_multiple_of(ALIGNMENT_BYTES));
}

/// The groups of a journal, and its first header.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let first = recovery::first_segment();
    let mut seeds = vec![
        first
            .get(..SEGMENT_HEADER_BYTES)
            .unwrap_or_default()
            .to_vec(),
    ];
    let mut rest = first.get(SEGMENT_HEADER_BYTES..).unwrap_or_default();
    while let Some(header) = rest
        .first_chunk::<GROUP_HEADER_BYTES>()
        .and_then(GroupHeader::read)
    {
        let length = usize::try_from(header.group_bytes()).unwrap();
        let (group, after) = rest.split_at(length);
        seeds.push(group.to_vec());
        rest = after;
    }
    seeds
}
