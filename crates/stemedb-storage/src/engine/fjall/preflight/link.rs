//! Which files of blobs a table says it refers to. No checksum covers that, and fjall reads it when it merges the table: it allocates
//! for as many as there are said to be, and panics at one that the version does not name.
//!
//! ```text
//! linked_blob_files  files u32, of each: id u64, blobs u64, their bytes u64, their bytes as they are kept u64
//! ```

use std::{collections::BTreeSet, io};

use super::archive::{Archive, Bytes};

/// Name of the section of a table.
const LINKS: &[u8] = b"linked_blob_files";

/// Whether a table refers to no files of blobs but these.
pub(super) fn are_sound(table: &mut Archive, blobs: &BTreeSet<u64>) -> io::Result<bool> {
    let Some(section) = table.section(LINKS)? else {
        return Ok(true);
    };
    let links = table.read(section)?;
    Ok(links.is_some_and(|links| refer_to(&links, blobs).is_some()))
}

/// `None` if these are not the bytes of such a section, or if one of the files is not among these.
fn refer_to(links: &[u8], blobs: &BTreeSet<u64>) -> Option<()> {
    let mut links = Bytes(links);
    for _ in 0..links.u32()? {
        blobs.get(&links.u64()?)?;
        let _figures: [u8; 8 + 8 + 8] = links.take()?;
    }
    links.0.is_empty().then_some(())
}
