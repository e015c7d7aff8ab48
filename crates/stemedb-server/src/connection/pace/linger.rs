//! The moment for which a connection is read that has ended.

use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::Timer;
use crate::limits::{
    LINGER_BURST_BYTES, LINGER_BYTES_MAX, LINGER_PAUSE_MS, LINGER_PAUSE_MS_MAX, LINGER_SECONDS_MAX,
};
use crate::seat::Occupancy;

/// A place for each connection that is read although it has ended.
#[derive(Clone, Debug)]
pub(in crate::connection) struct Lingering {
    places: Arc<Semaphore>,
    occupancy: Occupancy,
}

impl Lingering {
    pub(in crate::connection) fn new(most: usize) -> Self {
        let places = Arc::new(Semaphore::new(most));
        Self {
            occupancy: Occupancy::new(Arc::clone(&places), most),
            places,
        }
    }

    /// Begins to read one, if there is a place for it.
    pub(super) fn begin(&self) -> Option<Linger> {
        let place = Arc::clone(&self.places).try_acquire_owned().ok()?;
        let mut timer = Timer::default();
        timer.start(Instant::now() + Duration::from_secs(LINGER_SECONDS_MAX));
        Some(Linger {
            timer,
            pause: Timer::default(),
            bytes_left: LINGER_BYTES_MAX,
            burst_left: LINGER_BURST_BYTES,
            lingering: self.clone(),
            _place: place,
        })
    }

    /// How long each of them pauses: as if all shared one pace, as long as they are few.
    pub(super) fn pause(&self) -> Duration {
        let pause = LINGER_PAUSE_MS.saturating_mul(self.occupancy.taken() as u64);
        Duration::from_millis(pause.min(LINGER_PAUSE_MS_MAX))
    }
}

/// One that is read, bit by bit: all that send as fast as they can are not to keep the server busy with what nobody wants.
#[derive(Debug)]
pub(super) struct Linger {
    timer: Timer,
    pause: Timer,
    bytes_left: usize,
    /// Of these, what is read before the next pause.
    burst_left: usize,
    lingering: Lingering,
    _place: OwnedSemaphorePermit,
}

impl Linger {
    /// Throws away what comes, until the other side ends, or has sent enough.
    pub(super) fn poll<S: AsyncRead + Unpin>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        let mut thrown_away = [MaybeUninit::uninit(); 8192];
        if self.timer.poll(cx).is_ready() {
            return Poll::Ready(());
        }
        while self.bytes_left > 0 {
            if self.pause.is_running() {
                ready!(self.pause.poll(cx));
                self.pause.stop();
                self.burst_left = LINGER_BURST_BYTES;
            }
            let mut buffer = ReadBuf::uninit(&mut thrown_away);
            match ready!(Pin::new(&mut *stream).poll_read(cx, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => {
                    let read = buffer.filled().len();
                    self.bytes_left = self.bytes_left.saturating_sub(read);
                    self.burst_left = self.burst_left.saturating_sub(read);
                }
                _ => return Poll::Ready(()),
            }
            if self.burst_left == 0 {
                self.pause.start(Instant::now() + self.lingering.pause());
            }
        }
        Poll::Ready(())
    }
}
