//! Damage to files as bytes say it: eight bytes for each mutation.

use std::path::{Path, PathBuf};

use crate::memory::Files;

/// Bytes that one mutation takes.
pub(crate) const MUTATION_BYTES: usize = 8;
/// How many mutations one input can hold: more of them only hide each other.
const MUTATIONS_MAX: usize = 16;

/// Damages files: each eight bytes are what is done, to which file, where, and with which value.
pub(crate) fn apply(files: &mut Files, bytes: &[u8]) {
    for chunk in bytes.chunks_exact(MUTATION_BYTES).take(MUTATIONS_MAX) {
        let &[kind, file, at0, at1, length0, length1, value, other] = chunk else {
            return;
        };
        let Some(path) = nth(files, file) else {
            return;
        };
        let at = usize::from(u16::from_le_bytes([at0, at1]));
        let length = usize::from(u16::from_le_bytes([length0, length1]));
        match kind % 8 {
            6 => drop(files.remove(&path)),
            7 => {
                let copy = files.get(&path).cloned().unwrap_or_default();
                files.insert(name(&path, other), copy);
            }
            kind => {
                let bytes = files.entry(path).or_default();
                let at = at.min(bytes.len());
                damage(bytes, kind, at, (length, value));
            }
        }
    }
}

fn damage(bytes: &mut Vec<u8>, kind: u8, at: usize, (length, value): (usize, u8)) {
    let range = bytes.iter_mut().skip(at);
    match kind {
        0 => range.take(1).for_each(|byte| *byte ^= value),
        1 => range.take(length).for_each(|byte| *byte = value),
        2 => range.take(length).for_each(|byte| *byte = 0),
        3 => bytes.truncate(at),
        4 => bytes.extend(std::iter::repeat_n(value, length)),
        _ => {
            // Bytes from elsewhere in the same file: a sound group in the wrong place.
            let from = at.saturating_sub(length);
            let moved: Vec<u8> = bytes.iter().skip(from).take(length).copied().collect();
            bytes.splice(at.., moved).for_each(drop);
        }
    }
}

fn nth(files: &Files, index: u8) -> Option<PathBuf> {
    let count = files.len().max(1);
    files.keys().nth(usize::from(index) % count).cloned()
}

/// Names that a journal's directory can hold, some of them ours.
fn name(path: &Path, index: u8) -> PathBuf {
    let name = match index % 8 {
        number @ 0..=4 => format!("{:016x}.wal", u64::from(number)),
        5 => "spare-0000000000000004.tmp".to_owned(),
        6 => "recover-0000000000000001.tmp".to_owned(),
        _ => "notes.txt".to_owned(),
    };
    path.with_file_name(name)
}
