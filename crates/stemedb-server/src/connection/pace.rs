//! How long the other side of a connection may take.
//!
//! The stream ends a connection that stays silent: between requests, in the middle of a head, or while an answer waits to be read.
//! One that waits for its client goes sooner where its place is wanted. While a request is answered silence is its right: the limits of time on requests bound that.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::allowance::Allowance;
use crate::courtesy::poll_go_on;
use crate::crowd::{Standing, Wait};

mod linger;
#[cfg(test)]
mod tests;

use linger::Linger;
pub(super) use linger::Lingering;

/// How long each kind of silence may last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Patience {
    /// From the first byte of a head to its last, and from the beginning of a connection to the end of its first head.
    pub(super) head: Duration,
    /// Between an answer and the next request.
    pub(super) idle: Duration,
    /// While not a byte of an answer is taken.
    pub(super) write: Duration,
    /// Bytes of an answer that are taken a second, while there are any to take; 0 where it does not matter.
    pub(super) bytes_per_second_min: u64,
}

impl Patience {
    pub(super) fn longest(&self) -> Duration {
        self.head.max(self.idle)
    }
}

/// What pieces of an answer have together that are sent as one.
const JOINED_BYTES_MAX: usize = 1024;

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// A head is coming in.
    Head,
    /// A request is answered.
    Busy,
    /// Nothing has come since the last answer.
    Idle,
}

const HEAD: u8 = 0;
const BUSY: u8 = 1;
const IDLE: u8 = 2;
/// Busy, or idle behind it, with a body that may not have been read.
const BODY: u8 = 4;

/// Tells the stream of a connection when requests begin and end.
///
/// One task polls the stream and the requests, so that these are never out of step; a body that outlives it does no harm.
#[derive(Clone, Debug)]
pub(super) struct Pace {
    state: Arc<AtomicU8>,
    standing: Standing,
}

impl Pace {
    pub(super) fn new(standing: Standing) -> Self {
        Self {
            state: Arc::new(AtomicU8::new(HEAD)),
            standing,
        }
    }

    /// A request begins, which is over when what this returns is gone.
    pub(super) fn begin(&self, has_body: bool) -> Busy {
        self.set(if has_body { BUSY | BODY } else { BUSY });
        self.standing.answer();
        Busy(self.clone())
    }

    fn phase(&self) -> Phase {
        match self.get() & !BODY {
            HEAD => Phase::Head,
            BUSY => Phase::Busy,
            _ => Phase::Idle,
        }
    }

    /// Whether bytes may be on their way that nobody reads.
    fn may_have_more(&self) -> bool {
        let state = self.get();
        state == HEAD || state & BODY != 0
    }

    // Ordering: nothing else is told by it.
    fn get(&self) -> u8 {
        self.state.load(Ordering::Relaxed)
    }

    fn set(&self, state: u8) {
        self.state.store(state, Ordering::Relaxed);
    }
}

/// A request that is answered.
#[derive(Debug)]
pub(super) struct Busy(Pace);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.set(self.0.get() & BODY | IDLE);
    }
}

/// A stream that ends when the other side takes too long.
#[derive(Debug)]
pub(super) struct Paced<S> {
    stream: S,
    pace: Pace,
    patience: Patience,
    /// For which phase the time of reading runs.
    seen: Option<Phase>,
    reading: Timer,
    writing: Timer,
    allowance: Allowance,
    closing: Option<Linger>,
    lingering: Lingering,
    /// Whether the other side took too long, and gets no more patience.
    is_late: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Paced<S> {
    pub(super) fn new(stream: S, pace: Pace, (patience, lingering): (Patience, Lingering)) -> Self {
        let rate = patience.bytes_per_second_min;
        let allowance = Allowance::new(patience.write, rate, Instant::now());
        Self {
            stream,
            pace,
            patience,
            lingering,
            seen: None,
            reading: Timer::default(),
            writing: Timer::default(),
            allowance,
            closing: None,
            is_late: false,
        }
    }

    /// What the connection is doing: an answer that waits to be taken is not over, though its request is, for its body is gone once
    /// the last of it is queued.
    fn phase(&self) -> Phase {
        if self.writing.is_running() {
            Phase::Busy
        } else {
            self.pace.phase()
        }
    }

    /// Lets the time run that the phase gives.
    fn follow(&mut self) {
        let phase = self.phase();
        if self.seen == Some(phase) {
            return;
        }
        self.seen = Some(phase);
        let now = Instant::now();
        match phase {
            Phase::Head => {
                self.reading.start(now + self.patience.head);
                self.pace.standing.wait(Wait::Rest, now);
            }
            Phase::Idle => {
                self.reading.start(now + self.patience.idle);
                self.pace.standing.wait(Wait::Request, now);
            }
            Phase::Busy => {
                self.reading.stop();
                self.pace.standing.answer();
            }
        }
    }

    /// What a write came to, and how many bytes it took: one that waits may do so for a while.
    fn written<T>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<T>>,
        taken: impl FnOnce(&T) -> usize,
    ) -> Poll<io::Result<T>> {
        if let Poll::Ready(written) = written {
            if self.writing.is_running() {
                self.allowance.stop(Instant::now());
                self.writing.stop();
                // The time of what comes next begins when reading is tried again, for which there may be no other reason.
                cx.waker().wake_by_ref();
            }
            self.allowance.earn(written.as_ref().map_or(0, taken));
            return Poll::Ready(written);
        }
        if !self.writing.is_running() {
            let end = self.allowance.wait(Instant::now());
            self.writing.start(end);
        }
        ready!(self.writing.poll(cx));
        Poll::Ready(Err(self.late("the answer is not read")))
    }

    fn late(&mut self, what: &str) -> io::Error {
        self.is_late = true;
        io::Error::new(io::ErrorKind::TimedOut, what)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Paced<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(poll_go_on(cx));
        let this = self.get_mut();
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(cx, buffer);
        if read.is_ready() {
            if this.pace.phase() == Phase::Idle && buffer.filled().len() > before {
                this.pace.set(HEAD);
                // Its time begins where more of it has to be waited for: most heads come whole.
                this.seen = None;
            }
            return read;
        }
        this.follow();
        if this.pace.standing.poll_leave(cx).is_pending() {
            ready!(this.reading.poll(cx));
        }
        Poll::Ready(Err(this.late("no request comes")))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(cx, bytes);
        this.written(cx, written, |bytes| *bytes)
    }

    /// Long pieces stay where they are: what a copy of them takes would be counted by nobody. Short ones cost the kernel less as one.
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let mut joined = Joined::default();
        let written = if parts.iter().all(|part| joined.push(part)) {
            Pin::new(&mut this.stream).poll_write(cx, joined.as_slice())
        } else {
            Pin::new(&mut this.stream).poll_write_vectored(cx, parts)
        };
        this.written(cx, written, |bytes| *bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = Pin::new(&mut this.stream).poll_flush(cx);
        this.written(cx, flushed, |()| 0)
    }

    /// Ends the answers. Where a client may still be sending, what comes is thrown away for a moment: closing with bytes unread would
    /// reset the connection, and take the answer away from a client that has not read it.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.closing.is_none() {
            let ended = Pin::new(&mut this.stream).poll_shutdown(cx);
            ready!(this.written(cx, ended, |()| 0))?;
            if this.is_late || !this.pace.may_have_more() {
                return Poll::Ready(Ok(()));
            }
        }
        if this.closing.is_none() {
            let Some(linger) = this.lingering.begin() else {
                return Poll::Ready(Ok(()));
            };
            this.closing = Some(linger);
            this.pace.standing.wait(Wait::Rest, Instant::now());
        }
        if this.pace.standing.poll_leave(cx).is_ready() {
            return Poll::Ready(Ok(()));
        }
        match &mut this.closing {
            Some(linger) => linger.poll(&mut this.stream, cx).map(Ok),
            None => Poll::Ready(Ok(())),
        }
    }
}

/// Short pieces, one behind the other: the head and the body of most answers.
struct Joined {
    bytes: [u8; JOINED_BYTES_MAX],
    length: usize,
}

impl Default for Joined {
    fn default() -> Self {
        Self {
            bytes: [0; JOINED_BYTES_MAX],
            length: 0,
        }
    }
}

impl Joined {
    /// Adds a piece, if there is room for it.
    fn push(&mut self, piece: &[u8]) -> bool {
        let end = self.length + piece.len();
        let Some(place) = self.bytes.get_mut(self.length..end) else {
            return false;
        };
        place.copy_from_slice(piece);
        self.length = end;
        true
    }

    fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

/// A time that may run.
///
/// Most times are stopped long before they end, and begin anew at once. So the sleep is left as it is where it ends before the time does,
/// and goes on then.
#[derive(Debug, Default)]
struct Timer {
    sleep: Option<Pin<Box<Sleep>>>,
    end: Option<Instant>,
}

impl Timer {
    fn start(&mut self, end: Instant) {
        self.end = Some(end);
        match &mut self.sleep {
            Some(sleep) if sleep.deadline() <= end => {}
            Some(sleep) => sleep.as_mut().reset(end),
            None => self.sleep = Some(Box::pin(sleep_until(end))),
        }
    }

    fn stop(&mut self) {
        self.end = None;
    }

    fn is_running(&self) -> bool {
        self.end.is_some()
    }

    /// Ready when the time is over.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let (Some(sleep), Some(end)) = (&mut self.sleep, self.end) else {
            return Poll::Pending;
        };
        loop {
            ready!(sleep.as_mut().poll(cx));
            if sleep.deadline() >= end {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(end);
        }
    }
}
