//! The thread that reads the files, one after the other.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::AtomicU64,
        mpsc::{Receiver, SendError, SyncSender, sync_channel},
    },
    thread,
};

use stemedb::ndjson::Chunk;

use crate::{
    failure::{Exit, Failure},
    input,
};

/// Chunks that are read ahead.
const CHUNKS_AHEAD_MAX: usize = 2;

/// What the reading thread has to say.
#[derive(Debug)]
pub(super) enum Event {
    /// Lines of a file.
    Chunk {
        /// The file's name.
        file: Arc<str>,
        /// The lines.
        chunk: Chunk,
    },
    /// All files were read.
    End,
    /// A file cannot be read any further; the next one follows.
    Damaged(Failure),
}

/// Starts to read `files`; `read` counts the bytes that are taken from them.
///
/// The thread ends when nobody listens any more, or when what it reads from ends.
pub(super) fn start(files: Vec<PathBuf>, read: Arc<AtomicU64>) -> Result<Receiver<Event>, Failure> {
    let (sender, receiver) = sync_channel(CHUNKS_AHEAD_MAX);
    let reading = move || {
        // Whether anybody listens to the end is not this thread's concern.
        drop(read_all(&files, &read, &sender));
    };
    let spawned = thread::Builder::new().name("read".into()).spawn(reading);
    spawned.map_err(|error| Failure::file(Exit::Unavailable, "cannot start a thread", &error))?;
    Ok(receiver)
}

/// Nobody listens any more.
struct Unheard;

impl From<SendError<Event>> for Unheard {
    fn from(_: SendError<Event>) -> Self {
        Self
    }
}

fn read_all(
    files: &[PathBuf],
    read: &Arc<AtomicU64>,
    sender: &SyncSender<Event>,
) -> Result<(), Unheard> {
    for path in files {
        read_one(path, read, sender)?;
    }
    Ok(sender.send(Event::End)?)
}

fn read_one(path: &Path, read: &Arc<AtomicU64>, sender: &SyncSender<Event>) -> Result<(), Unheard> {
    let name = input::name(path);
    let mut lines = match input::open(path, Arc::clone(read)) {
        Ok(lines) => lines,
        Err(error) => return Ok(sender.send(damaged(&name, 1, &error))?),
    };
    let file: Arc<str> = name.as_str().into();
    loop {
        match lines.next_chunk() {
            Ok(Some(chunk)) => {
                let file = Arc::clone(&file);
                sender.send(Event::Chunk { file, chunk })?;
            }
            Ok(None) => return Ok(()),
            Err(error) => return Ok(sender.send(damaged(&name, lines.next_line(), &error))?),
        }
    }
}

fn damaged(name: &str, line: u64, error: &io::Error) -> Event {
    let what =
        format!("{name}:{line}: cannot be read from here on, what stands before is ingested");
    Event::Damaged(Failure::file(Exit::Found, &what, error))
}
