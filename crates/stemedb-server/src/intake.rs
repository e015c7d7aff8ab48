//! The way in: concurrent requests become few calls into the database, which share its groups.
//!
//! One thread makes the calls, so that only it waits where the database holds writers back; the queue before it is bounded, so that
//! requests wait then, and take no memory meanwhile.
//!
//! The thread is not woken by each request: whoever comes first lets those go before that are ready to come as well, and then rings for all
//! of them. A call, the fsync behind it and a commit of the store cost as much for one record as for fifty.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle, Thread};

use stemedb::{Database, Prepared, Receipt, Result, Submission};
use tokio::runtime::Handle;
use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::{mpsc, oneshot};
use tokio::task::yield_now;

use crate::courtesy::among_others;
use crate::held::Held;
use crate::limits::SUBMISSION_RECORDS_MAX;

/// Where requests hand in their records.
#[derive(Clone, Debug)]
pub(crate) struct Intake {
    // It is gone before the bell is: the last handle leaves an empty queue, and rings.
    queue: mpsc::Sender<Message>,
    bell: Bell,
    acknowledged_upto: Arc<AtomicU64>,
}

/// Wakes the thread, as does every drop of it.
#[derive(Clone, Debug)]
struct Bell {
    thread: Thread,
    /// Whether somebody will ring for what stands in the queue.
    is_promised: Arc<AtomicBool>,
}

impl Bell {
    /// Lets requests that are ready come as well, and rings for all of them, unless somebody is about to.
    ///
    /// Whoever stops waiting here rings at once.
    async fn ring_for_many(&self) {
        // Ordering: with the swap of the thread. What stands in the queue here is seen by the thread that finds the promise.
        if self.is_promised.swap(true, Ordering::AcqRel) {
            return;
        }
        let _rings = self.clone();
        yield_now().await;
    }
}

impl Drop for Bell {
    fn drop(&mut self) {
        self.thread.unpark();
    }
}

#[derive(Debug)]
enum Message {
    Records(Request),
    /// Closes the queue; what stands in it is taken.
    End,
}

/// The records of one request, and who waits for them.
#[derive(Debug)]
struct Request {
    records: Vec<Prepared>,
    asker: Asker,
}

#[derive(Debug)]
struct Asker {
    count: usize,
    answer: oneshot::Sender<Vec<Result<Receipt>>>,
    /// The share of memory that the request has until it is answered.
    _held: Held,
}

/// Why there are no receipts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotTaken {
    /// The intake has ended, and nothing was stored.
    Ended,
    /// Nobody heard what became of the records.
    OutcomeUnknown,
}

/// The receipts of records that were handed in.
#[derive(Debug)]
pub(crate) struct Awaited(oneshot::Receiver<Vec<Result<Receipt>>>);

impl Awaited {
    /// Waits for them; they are in the order of the records.
    pub(crate) async fn receipts(self) -> std::result::Result<Vec<Result<Receipt>>, NotTaken> {
        self.0.await.or(Err(NotTaken::OutcomeUnknown))
    }
}

impl Intake {
    /// Starts the thread. It ends after [`end`](Self::end), or when every handle is gone.
    pub(crate) fn start(
        database: Arc<Database>,
        queued_requests_max: usize,
        runtime: Handle,
    ) -> io::Result<(Self, JoinHandle<()>)> {
        let (queue, requests) = mpsc::channel(queued_requests_max);
        let acknowledged_upto = Arc::new(AtomicU64::new(0));
        let is_promised = Arc::default();
        let worker = Worker {
            database,
            requests,
            runtime,
            is_promised: Arc::clone(&is_promised),
            acknowledged_upto: Arc::clone(&acknowledged_upto),
        };
        let thread = thread::Builder::new().name("stemedb-intake".to_owned());
        let thread = thread.spawn(move || worker.run())?;
        let bell = Bell {
            thread: thread.thread().clone(),
            is_promised,
        };
        let intake = Self {
            queue,
            bell,
            acknowledged_upto,
        };
        Ok((intake, thread))
    }

    /// Stores records; the receipts are in their order.
    pub(crate) async fn store(
        &self,
        records: Vec<Prepared>,
        held: Held,
    ) -> std::result::Result<Vec<Result<Receipt>>, NotTaken> {
        self.hand_in(records, held).await?.receipts().await
    }

    /// Hands records in, behind those that were handed in before; they are stored whether or not the receipts are awaited.
    pub(crate) async fn hand_in(
        &self,
        records: Vec<Prepared>,
        held: Held,
    ) -> std::result::Result<Awaited, NotTaken> {
        let (answer, receipts) = oneshot::channel();
        let asker = Asker {
            count: records.len(),
            answer,
            _held: held,
        };
        let request = Message::Records(Request { records, asker });
        let sent = self.queue.send(request).await;
        sent.or(Err(NotTaken::Ended))?;
        self.bell.ring_for_many().await;
        Ok(Awaited(receipts))
    }

    /// Lets what was sent be stored, and takes nothing more.
    pub(crate) async fn end(&self) {
        // If nobody takes it the intake has ended already.
        drop(self.queue.send(Message::End).await);
        drop(self.bell.clone());
    }

    /// Whether records are taken.
    pub(crate) fn is_open(&self) -> bool {
        !self.queue.is_closed()
    }

    /// The highest sequence that was acknowledged here: it will be applied, and so can be waited for.
    pub(crate) fn acknowledged_upto(&self) -> u64 {
        // Ordering: whoever was given a sequence by an answer asks after it.
        self.acknowledged_upto.load(Ordering::Acquire)
    }
}

/// What the thread works with.
struct Worker {
    database: Arc<Database>,
    requests: mpsc::Receiver<Message>,
    runtime: Handle,
    is_promised: Arc<AtomicBool>,
    acknowledged_upto: Arc<AtomicU64>,
}

impl Worker {
    fn run(mut self) {
        loop {
            let mut batch = Batch::default();
            let is_ended = self.gather(&mut batch);
            if !batch.askers.is_empty() {
                self.submit(batch);
            } else if is_ended {
                return;
            } else {
                // Whoever rang meanwhile is not missed.
                thread::park();
            }
        }
    }

    /// Takes what stands in the queue, as far as it fits one call; whether nothing will come any more.
    fn gather(&mut self, batch: &mut Batch) -> bool {
        // Taken back before the queue is looked at: whoever comes behind that promises anew.
        self.is_promised.swap(false, Ordering::AcqRel);
        while batch.records.len() < SUBMISSION_RECORDS_MAX {
            match self.requests.try_recv() {
                Ok(message) => self.take(message, batch),
                Err(TryRecvError::Empty) => return false,
                Err(TryRecvError::Disconnected) => return true,
            }
        }
        false
    }

    fn submit(&self, batch: Batch) {
        let submission = self.database.submit(batch.records);
        let acknowledged_upto = Arc::clone(&self.acknowledged_upto);
        let answer = answer(submission, batch.askers, acknowledged_upto);
        // Where the runtime has ended it is dropped, and with it whoever asked.
        drop(self.runtime.spawn(among_others(answer)));
    }

    fn take(&mut self, message: Message, batch: &mut Batch) {
        match message {
            Message::Records(request) => {
                batch.records.extend(request.records);
                batch.askers.push(request.asker);
            }
            // What was sent before is still received.
            Message::End => self.requests.close(),
        }
    }
}

/// The records of some requests, one behind the other.
#[derive(Debug, Default)]
struct Batch {
    records: Vec<Prepared>,
    askers: Vec<Asker>,
}

/// Gives each request its share of the receipts, once they are there.
async fn answer(submission: Submission, askers: Vec<Asker>, acknowledged_upto: Arc<AtomicU64>) {
    let receipts = submission.finish().await;
    let sequences = receipts.iter().flatten();
    if let Some(last) = sequences.map(|receipt| receipt.sequence.get()).max() {
        acknowledged_upto.fetch_max(last, Ordering::AcqRel);
    }
    let mut receipts = receipts.into_iter();
    for asker in askers {
        let share = receipts.by_ref().take(asker.count).collect();
        // Whoever stopped waiting gets no answer.
        drop(asker.answer.send(share));
    }
}
