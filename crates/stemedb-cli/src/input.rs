//! Files of lines: plain, gzip or zstd, told apart by their first bytes.

use std::{
    io::{self, BufReader, Cursor, Read},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use flate2::bufread::MultiGzDecoder;

use crate::{
    failure::{Exit, Failure},
    file,
};

mod split;
#[cfg(test)]
mod tests;

pub(crate) use split::{Lines, Pace};

/// What stands for standard input among file names.
const STDIN: &str = "-";

/// Compressed bytes that are read at once.
const BUFFER_BYTES: usize = 256 * 1024;

/// Bytes by which the form of a file is known.
const MAGIC_BYTES: usize = 4;

/// A stream of bytes that another thread may read.
pub(crate) type Stream = Box<dyn Read + Send>;

/// Checks that all of `paths` can be opened, so that nothing begins if one cannot.
///
/// Gives the sum of their lengths, or none if one of them has no length that is known.
pub(crate) fn check(paths: &[impl AsRef<Path>]) -> Result<Option<u64>, Failure> {
    let mut total = Some(0_u64);
    for path in paths {
        let length = check_one(path.as_ref())
            .map_err(|error| Failure::file(Exit::Usage, &name(path.as_ref()), &error))?;
        total = total
            .zip(length)
            .and_then(|(total, more)| total.checked_add(more));
    }
    Ok(total)
}

fn check_one(path: &Path) -> io::Result<Option<u64>> {
    if path == Path::new(STDIN) {
        return Ok(None);
    }
    let metadata = path.metadata()?;
    if metadata.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    // Opening anything else, a pipe for example, has an effect of its own.
    if metadata.is_file() {
        file::open(path)?;
        return Ok(Some(metadata.len()));
    }
    Ok(None)
}

/// The path by which the input `path` can be compared with files.
pub(crate) fn place(path: &Path) -> &Path {
    // Where there is no such path, it is no file that exists.
    if path == Path::new(STDIN) {
        Path::new("/dev/stdin")
    } else {
        path
    }
}

/// How `path` is called in messages and results.
pub(crate) fn name(path: &Path) -> String {
    path.display().to_string()
}

/// Opens `path`, undoes its compression, and cuts it; `read` counts the bytes that are taken from it.
pub(crate) fn open(path: &Path, read: Arc<AtomicU64>) -> io::Result<Lines<Stream>> {
    let (source, pace): (Stream, Pace) = if path == Path::new(STDIN) {
        (Box::new(io::stdin()), Pace::AsTheyCome)
    } else {
        let file = file::open(path)?;
        let pace = if file.metadata()?.is_file() {
            Pace::ManyAtOnce
        } else {
            Pace::AsTheyCome
        };
        (Box::new(file), pace)
    };
    let stream = decompress(Counted { source, read })?;
    Ok(Lines::new(stream, pace))
}

/// Undoes the compression that the first bytes of `source` announce.
pub(crate) fn decompress(mut source: impl Read + Send + 'static) -> io::Result<Stream> {
    let mut magic = Vec::with_capacity(MAGIC_BYTES);
    let wanted = u64::try_from(MAGIC_BYTES).unwrap_or(u64::MAX);
    source.by_ref().take(wanted).read_to_end(&mut magic)?;
    let form = Form::of(&magic);
    let whole = Cursor::new(magic).chain(source);
    let buffered = |whole| BufReader::with_capacity(BUFFER_BYTES, whole);
    Ok(match form {
        Form::Plain => Box::new(whole),
        Form::Gzip => Box::new(MultiGzDecoder::new(buffered(whole))),
        Form::Zstd => Box::new(zstd::Decoder::with_buffer(buffered(whole))?),
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Plain,
    Gzip,
    Zstd,
}

impl Form {
    const fn of(magic: &[u8]) -> Self {
        match magic {
            [0x1f, 0x8b, ..] => Self::Gzip,
            // A frame, or a skippable frame, with which some compressors begin.
            [0x28, 0xb5, 0x2f, 0xfd] | [0x50..=0x5f, 0x2a, 0x4d, 0x18] => Self::Zstd,
            _ => Self::Plain,
        }
    }
}

/// A stream that says how far it was read.
struct Counted {
    source: Stream,
    read: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.source.read(buffer)?;
        // Ordering: a figure for people, on which nothing depends.
        self.read
            .fetch_add(u64::try_from(length).unwrap_or(0), Ordering::Relaxed);
        Ok(length)
    }
}
