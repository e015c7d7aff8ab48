//! Payloads wherever they lie in memory, and archives that were made to do harm; Miri runs these too.

use stemedb_core::Record;
use stemedb_fuzz::PAYLOAD;
use stemedb_ingest::{PAYLOAD_HEADER_BYTES, deserialize};

/// Every how many bytes a byte is tried: Miri is some thousand times slower.
const STEP: usize = if cfg!(miri) { 101 } else { 1 };

fn decoded_at(offset: usize, payload: &[u8]) -> Option<Record> {
    let mut bytes = vec![0xff; offset];
    bytes.extend_from_slice(payload);
    deserialize(&bytes[offset..]).ok()
}

#[test]
fn a_payload_is_read_wherever_it_lies() {
    for payload in (PAYLOAD.seeds)() {
        let record = deserialize(&payload).unwrap();
        for offset in 0..16 {
            assert!(decoded_at(offset, &payload).as_ref() == Some(&record));
        }
    }
}

#[test]
fn an_archive_with_any_byte_changed_is_a_record_or_refused() {
    for payload in (PAYLOAD.seeds)() {
        for at in (0..payload.len()).step_by(STEP) {
            for value in [0, 0x80, 0xff, payload[at] ^ 1] {
                let mut damaged = payload.clone();
                damaged[at] = value;
                // Whatever it is, decoding has read all of it.
                std::hint::black_box(decoded_at(at % 16, &damaged));
            }
        }
    }
}

/// Relative pointers and lengths that lead out of the archive, in front of it, to itself, and past the end of memory.
#[test]
fn an_archive_with_any_word_made_a_wild_pointer_is_a_record_or_refused() {
    let wild = [i32::MIN, i32::MAX, -1, 1, -8, 0x4000_0000, -0x4000_0000];
    for payload in (PAYLOAD.seeds)() {
        let words = (PAYLOAD_HEADER_BYTES..payload.len().saturating_sub(4)).step_by(4);
        for at in words.step_by(STEP.div_ceil(4)) {
            for value in wild {
                let mut damaged = payload.clone();
                damaged[at..at + 4].copy_from_slice(&value.to_le_bytes());
                std::hint::black_box(decoded_at(0, &damaged));
            }
        }
    }
}

#[test]
fn an_archive_cut_anywhere_is_refused() {
    for payload in (PAYLOAD.seeds)() {
        for end in (0..payload.len()).step_by(STEP) {
            assert!(deserialize(&payload[..end]).is_err(), "{end}");
        }
    }
}
