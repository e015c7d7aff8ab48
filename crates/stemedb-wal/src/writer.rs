//! Handles that append, many at a time.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use crate::queue::{Offer, Request, Taken};
use crate::shared::{Answer, Appended, Shared};
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
        self.submit(Request::one(record.into(), self.trust))
    }

    /// Appends records in order, in one group: after a crash all of them are there, or none.
    ///
    /// Together, with 16 bytes for each and padding, they must fit a group
    /// ([`GROUP_PAYLOAD_BYTES_MAX`](crate::format::GROUP_PAYLOAD_BYTES_MAX)), or they are answered [`AppendError::TooLarge`]; no records
    /// at all are answered [`AppendError::Empty`].
    pub fn append_all(&self, records: Vec<Vec<u8>>) -> Append {
        self.submit(Request::many(records, self.trust))
    }

    fn submit(&self, request: Result<Request, AppendError>) -> Append {
        Append(match request {
            Err(error) => State::Refused(error),
            Ok(request) => offer(&self.shared, request),
        })
    }

    /// Appends records in order, in one group, and has the outcome reported to `then`: by the log thread, where it must be quick, or
    /// by this call, where the records are refused.
    ///
    /// This blocks while the queue is full. `then` is dropped without a call only if the log thread dies.
    pub fn append_all_then(
        &self,
        records: Vec<Vec<u8>>,
        then: impl FnOnce(Answer) + Send + 'static,
    ) {
        let mut request = match Request::many(records, self.trust) {
            Ok(request) => request.then(Box::new(then)),
            Err(error) => return then(Err(error)),
        };
        loop {
            match self.shared.offer(request) {
                Offer::Taken(_) => return,
                Offer::Refused(refused, error) => {
                    return refused.into_then().map_or((), |then| then(Err(error)));
                }
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
pub struct Append(State);

#[derive(Debug)]
enum State {
    Refused(AppendError),
    Taken(Taken),
    Waiting {
        shared: Arc<Shared>,
        request: Request,
        room: oneshot::Receiver<()>,
    },
}

impl Append {
    /// Blocks until the answer is there. It may be called in asynchronous code as well, where it blocks the thread.
    ///
    /// # Errors
    ///
    /// [`AppendError`].
    pub fn wait(self) -> Result<Appended, AppendError> {
        let mut state = self.0;
        loop {
            state = match state {
                State::Refused(error) => return Err(error),
                State::Taken(taken) => return taken.outcome.wait().map(|()| taken.appended),
                State::Waiting {
                    shared,
                    request,
                    room,
                } => {
                    // A signal that was dropped means the same as one that was sent: try again.
                    let (Ok(()) | Err(oneshot::RecvError)) = room.recv();
                    offer(&shared, request)
                }
            };
        }
    }
}

fn offer(shared: &Arc<Shared>, request: Request) -> State {
    match shared.offer(request) {
        Offer::Taken(taken) => State::Taken(taken),
        Offer::Full(request, room) => State::Waiting {
            shared: Arc::clone(shared),
            request,
            room,
        },
        Offer::Refused(_, error) => State::Refused(error),
    }
}

impl IntoFuture for Append {
    type Output = Result<Appended, AppendError>;
    type IntoFuture = Answered;

    fn into_future(self) -> Answered {
        Answered(match self.0 {
            State::Refused(error) => Step::Refused(Some(error)),
            State::Taken(taken) => Step::Taken(taken, None),
            State::Waiting {
                shared,
                request,
                room,
            } => Step::Waiting(Box::pin(after_waiting(shared, request, room))),
        })
    }
}

async fn after_waiting(
    shared: Arc<Shared>,
    mut request: Request,
    mut room: oneshot::Receiver<()>,
) -> Result<Taken, AppendError> {
    loop {
        // As in `wait`.
        let (Ok(()) | Err(oneshot::RecvError)) = room.await;
        match shared.offer(request) {
            Offer::Taken(taken) => return Ok(taken),
            Offer::Refused(_, error) => return Err(error),
            Offer::Full(again, signal) => (request, room) = (again, signal),
        }
    }
}

/// The answer to an [`Append`], as it is awaited.
#[derive(Debug)]
#[must_use = "nothing is answered unless this is awaited"]
pub struct Answered(Step);

enum Step {
    Refused(Option<AppendError>),
    Waiting(Pin<Box<dyn Future<Output = Result<Taken, AppendError>> + Send>>),
    /// And where its waker stands.
    Taken(Taken, Option<usize>),
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(error) => f.debug_tuple("Refused").field(error).finish(),
            Self::Waiting(_) => f.write_str("Waiting"),
            Self::Taken(taken, _) => taken.fmt(f),
        }
    }
}

impl Future for Answered {
    type Output = Result<Appended, AppendError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            match &mut self.0 {
                Step::Refused(error) => {
                    // Asked again after its answer it says that nothing more comes.
                    return Poll::Ready(Err(error.take().unwrap_or(AppendError::Closed)));
                }
                Step::Taken(taken, waker) => {
                    let written = ready!(taken.outcome.poll(context, waker));
                    return Poll::Ready(written.map(|()| taken.appended));
                }
                Step::Waiting(taking) => {
                    self.0 = match ready!(taking.as_mut().poll(context)) {
                        Ok(taken) => Step::Taken(taken, None),
                        Err(error) => Step::Refused(Some(error)),
                    };
                }
            }
        }
    }
}
