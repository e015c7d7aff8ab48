//! The two ends: group commit with nothing in it, and no group commit at all.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use tokio::sync::Mutex as AsyncMutex;

use crate::drive::Client;
use crate::failure::{Doing, Result};
use crate::output::tell;
use crate::vfs::Syncs;

/// Bytes of a log; what comes after them goes to its beginning again.
const LOG_BYTES: u64 = 64 << 20;

/// The record of a number.
pub(super) fn pick(payloads: &[Vec<u8>], number: u64) -> Vec<u8> {
    let place = usize::try_from(number).unwrap_or(0) % payloads.len().max(1);
    payloads.get(place).cloned().unwrap_or_default()
}

/// Fills a log with zeros, and makes them durable.
pub(super) fn fill(file: &File) -> io::Result<()> {
    let zeros = vec![0; 1 << 20];
    for at in (0..LOG_BYTES).step_by(zeros.len()) {
        file.write_all_at(&zeros, at)?;
    }
    file.sync_all()
}

/// A log that is written over and over.
#[derive(Debug)]
struct Log {
    file: File,
    syncs: Syncs,
    at: u64,
}

impl Log {
    /// Writes bytes and makes them durable.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let length = bytes.len() as u64;
        if self.at + length > LOG_BYTES {
            self.at = 0;
        }
        self.file.write_all_at(bytes, self.at)?;
        self.at += length;
        self.syncs.sync(&self.file)
    }
}

/// Puts a record behind its length.
fn frame(record: &[u8], out: &mut Vec<u8>) {
    let length = u32::try_from(record.len()).unwrap_or(u32::MAX);
    out.extend(length.to_le_bytes());
    out.extend_from_slice(record);
}

type Waiting = (Vec<u8>, oneshot::Sender<()>);

#[derive(Debug, Default)]
struct Queue {
    waiting: Vec<Waiting>,
    is_closed: bool,
}

#[derive(Debug, Default)]
struct Shared {
    queue: Mutex<Queue>,
    arrived: Condvar,
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All that waits; `None` at the end.
    fn take(&self) -> Option<Vec<Waiting>> {
        let mut queue = self.queue();
        while queue.waiting.is_empty() {
            if queue.is_closed {
                return None;
            }
            queue = self
                .arrived
                .wait(queue)
                .unwrap_or_else(PoisonError::into_inner);
        }
        Some(std::mem::take(&mut queue.waiting))
    }
}

/// The bare loop: a queue, a thread, one write and one fdatasync for all that has arrived.
#[derive(Debug)]
pub(super) struct Loop {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Loop {
    pub(super) fn start(file: File, syncs: Syncs) -> Result<Self> {
        let shared = Arc::new(Shared::default());
        let log = Log { file, syncs, at: 0 };
        let queue = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("bare-loop".to_owned())
            .spawn(move || {
                if let Err(error) = work(&queue, log) {
                    tell(format_args!("the bare loop failed: {error}"));
                }
            });
        Ok(Self {
            shared,
            thread: Some(thread.doing("start a thread")?),
        })
    }

    pub(super) fn clients(&self, count: usize, payloads: &Arc<Vec<Vec<u8>>>) -> Vec<Queueing> {
        let client = |_| Queueing {
            shared: Arc::clone(&self.shared),
            payloads: Arc::clone(payloads),
        };
        (0..count).map(client).collect()
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        self.shared.queue().is_closed = true;
        self.shared.arrived.notify_one();
        if let Some(thread) = self.thread.take() {
            // What went wrong in it was told by itself.
            drop(thread.join());
        }
    }
}

fn work(shared: &Shared, mut log: Log) -> io::Result<()> {
    let mut buffer = Vec::new();
    while let Some(waiting) = shared.take() {
        buffer.clear();
        for (record, _) in &waiting {
            frame(record, &mut buffer);
        }
        log.append(&buffer)?;
        for (_, waiter) in waiting {
            // Nobody waits any more where a client has failed.
            drop(waiter.send(()));
        }
    }
    Ok(())
}

/// A task that hands one record after the other to the loop.
#[derive(Debug)]
pub(super) struct Queueing {
    shared: Arc<Shared>,
    payloads: Arc<Vec<Vec<u8>>>,
}

impl Client for Queueing {
    async fn append(&mut self, number: u64) -> Result<u64> {
        let (sender, done) = oneshot::channel();
        let record = pick(&self.payloads, number);
        self.shared.queue().waiting.push((record, sender));
        self.shared.arrived.notify_one();
        done.await.doing("wait for the bare loop")?;
        Ok(1)
    }
}

/// A task that takes the log for itself, writes, syncs, and lets go.
#[derive(Debug)]
pub(super) struct OneFsync {
    log: Arc<AsyncMutex<Log>>,
    payloads: Arc<Vec<Vec<u8>>>,
}

impl OneFsync {
    pub(super) fn many(
        file: File,
        (count, syncs): (usize, &Syncs),
        payloads: &Arc<Vec<Vec<u8>>>,
    ) -> Vec<Self> {
        let syncs = syncs.clone();
        let log = Arc::new(AsyncMutex::new(Log { file, syncs, at: 0 }));
        let client = |_| Self {
            log: Arc::clone(&log),
            payloads: Arc::clone(payloads),
        };
        (0..count).map(client).collect()
    }
}

impl Client for OneFsync {
    async fn append(&mut self, number: u64) -> Result<u64> {
        let mut buffer = Vec::new();
        frame(&pick(&self.payloads, number), &mut buffer);
        self.log
            .lock()
            .await
            .append(&buffer)
            .doing("append to the log")?;
        Ok(1)
    }
}
