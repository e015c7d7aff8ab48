//! Handles that append, many at a time.

use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;

use crate::shared::{Answer, Appended, Offer, Reply, Request, Shared};
use crate::sync::oneshot;
use crate::{AppendError, Trust};

/// Appends records through group commit: whatever arrives while a group is being synced goes into the next one.
///
/// It is cheap to clone, and keeps working until the journal is closed.
#[derive(Clone, Debug)]
pub struct Writer {
    shared: Arc<Shared>,
    trust: Trust,
}

impl Writer {
    pub(crate) fn new(shared: Arc<Shared>, trust: Trust) -> Self {
        Self { shared, trust }
    }

    /// Appends one record of at most [`RECORD_BYTES_MAX`](crate::format::RECORD_BYTES_MAX) bytes; a longer one is answered
    /// [`AppendError::TooLarge`].
    pub fn append(&self, record: impl Into<Vec<u8>>) -> Append {
        self.append_all(vec![record.into()])
    }

    /// Appends records in order, in one group: after a crash all of them are there, or none.
    ///
    /// Together, with 16 bytes for each and padding, they must fit a group
    /// ([`GROUP_PAYLOAD_BYTES_MAX`](crate::format::GROUP_PAYLOAD_BYTES_MAX)), or they are answered [`AppendError::TooLarge`]; no records
    /// at all are answered [`AppendError::Empty`].
    pub fn append_all(&self, records: Vec<Vec<u8>>) -> Append {
        let (sender, answer) = oneshot::channel();
        let state = match Request::new(records, self.trust, Reply::Channel(sender)) {
            Err((_, error)) => State::Refused(error),
            Ok(request) => offer(&self.shared, request, answer),
        };
        Append {
            shared: Arc::clone(&self.shared),
            state,
        }
    }

    /// Appends records in order, in one group, and has the outcome reported to `then`: by the log thread, where it must be quick, or
    /// by this call, where the records are refused.
    ///
    /// This blocks while the queue is full. `then` is dropped without a call only if the log thread dies.
    pub fn append_all_then(
        &self,
        records: Vec<Vec<u8>>,
        then: impl FnOnce(Result<Appended, AppendError>) + Send + 'static,
    ) {
        let mut request = match Request::new(records, self.trust, Reply::Call(Box::new(then))) {
            Ok(request) => request,
            Err((reply, error)) => return reply.send(Err(error)),
        };
        loop {
            match self.shared.offer(request) {
                Offer::Taken => return,
                Offer::Refused(refused, error) => return refused.reply.send(Err(error)),
                Offer::Full(again, room) => {
                    // A signal that was dropped means the same as one that was sent: try again.
                    let (Ok(()) | Err(oneshot::RecvError)) = room.recv();
                    request = again;
                }
            }
        }
    }
}

/// An append that was handed in: `.await` it or [`wait`](Self::wait) for it to learn that it is durable.
///
/// While the queue is full the records stay in here, and dropping this gives them up; once they were taken, dropping it only
/// means that nobody hears of them.
#[derive(Debug)]
#[must_use = "an append is acknowledged by nothing but its answer"]
pub struct Append {
    shared: Arc<Shared>,
    state: State,
}

#[derive(Debug)]
enum State {
    Refused(AppendError),
    Taken(oneshot::Receiver<Answer>),
    Waiting {
        request: Request,
        room: oneshot::Receiver<()>,
        answer: oneshot::Receiver<Answer>,
    },
}

impl Append {
    /// Blocks until the answer is there. It may be called in asynchronous code as well, where it blocks the thread.
    ///
    /// # Errors
    ///
    /// [`AppendError`].
    pub fn wait(self) -> Answer {
        let mut state = self.state;
        loop {
            state = match state {
                State::Refused(error) => return Err(error),
                State::Taken(answer) => return answered(answer.recv()),
                State::Waiting {
                    request,
                    room,
                    answer,
                } => {
                    // A signal that was dropped means the same as one that was sent: try again.
                    let (Ok(()) | Err(oneshot::RecvError)) = room.recv();
                    offer(&self.shared, request, answer)
                }
            };
        }
    }

    async fn finish(self) -> Answer {
        let mut state = self.state;
        loop {
            state = match state {
                State::Refused(error) => return Err(error),
                State::Taken(answer) => return answered(answer.await),
                State::Waiting {
                    request,
                    room,
                    answer,
                } => {
                    // As in `wait`.
                    let (Ok(()) | Err(oneshot::RecvError)) = room.await;
                    offer(&self.shared, request, answer)
                }
            };
        }
    }
}

fn offer(shared: &Shared, request: Request, answer: oneshot::Receiver<Answer>) -> State {
    match shared.offer(request) {
        Offer::Taken => State::Taken(answer),
        Offer::Full(request, room) => State::Waiting {
            request,
            room,
            answer,
        },
        Offer::Refused(_, error) => State::Refused(error),
    }
}

/// The log thread answers every request that it took; it can drop one only by ending.
fn answered(received: Result<Answer, oneshot::RecvError>) -> Answer {
    received.unwrap_or(Err(AppendError::Closed))
}

impl IntoFuture for Append {
    type Output = Answer;
    type IntoFuture = Pin<Box<dyn Future<Output = Answer> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.finish())
    }
}
