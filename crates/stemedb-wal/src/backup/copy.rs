//! From an open journal to the receiving side of a backup.

use super::{BackupWriter, Extent};
use crate::{Error, JournalWatch};

/// Bytes that are read at a time.
const CHUNK_BYTES: usize = 1 << 20;

/// Gives a backup everything that it wants of a journal; `copied` is told how many bytes are done, and of how many.
///
/// # Errors
///
/// [`Error::Corruption`] where a segment of the journal is damaged, and as [`BackupWriter::write`].
pub fn copy(
    watch: &JournalWatch,
    writer: &mut BackupWriter,
    copied: &mut dyn FnMut(u64, u64),
) -> Result<(), Error> {
    let total = writer.wanted_bytes();
    let mut buffer = vec![0; CHUNK_BYTES];
    while let Some(extent) = writer.wanted().copied() {
        let mut tell = |writer: &BackupWriter| copied(total - writer.wanted_bytes(), total);
        // What does not verify is read once more before it counts as damaged.
        match segment(watch, writer, &extent, (&mut buffer, &mut tell)) {
            Err(Error::Corruption(_)) => {
                segment(watch, writer, &extent, (&mut buffer, &mut tell))?;
            }
            sent => sent?,
        }
    }
    Ok(())
}

type Told<'a> = &'a mut dyn FnMut(&BackupWriter);

fn segment(
    watch: &JournalWatch,
    writer: &mut BackupWriter,
    extent: &Extent,
    (buffer, tell): (&mut [u8], Told<'_>),
) -> Result<(), Error> {
    let mut offset = 0;
    while offset < extent.bytes {
        // What was appended since is for the next backup.
        let left = usize::try_from(extent.bytes - offset).unwrap_or(usize::MAX);
        let wanted = left.min(buffer.len());
        let part = buffer.get_mut(..wanted).unwrap_or_default();
        let read = watch.read_segment(extent.number, offset, part)?;
        writer.write(part.get(..read).unwrap_or_default())?;
        offset += read as u64;
        tell(writer);
    }
    Ok(())
}
