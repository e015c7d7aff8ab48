//! The way out for a stream: pieces of a body, as fast as the client takes them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::{Body, Bytes};
use futures_util::stream::unfold;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::limits::PIECES_WAITING_MAX;

/// Where the pieces of a body are handed in.
///
/// Dropped before [`finish`](Self::finish) it breaks the body off, so that a client cannot take it for whole.
#[derive(Debug)]
pub(crate) struct Outlet {
    pieces: mpsc::Sender<Bytes>,
    stall: Duration,
    is_whole: Arc<AtomicBool>,
}

/// Nobody takes the pieces: the client is gone, or has taken none for too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unheard;

/// A body ended before its time.
#[derive(Debug, thiserror::Error)]
#[error("the stream broke off")]
struct BrokenOff;

/// A body, and where its pieces are handed in.
pub(crate) fn outlet(stall_seconds_max: u64) -> (Outlet, Body) {
    let (pieces, waiting) = mpsc::channel(PIECES_WAITING_MAX);
    let is_whole = Arc::new(AtomicBool::new(false));
    let outlet = Outlet {
        pieces,
        stall: Duration::from_secs(stall_seconds_max),
        is_whole: Arc::clone(&is_whole),
    };
    let stream = unfold(Some((waiting, is_whole)), async |state| {
        let (mut waiting, is_whole) = state?;
        match waiting.recv().await {
            Some(piece) => Some((Ok(piece), Some((waiting, is_whole)))),
            // Ordering: it is said before the sender is dropped.
            None if is_whole.load(Ordering::Acquire) => None,
            None => Some((Err(BrokenOff), None)),
        }
    });
    (outlet, Body::from_stream(stream))
}

impl Outlet {
    /// Hands in a piece, once there is room for it.
    pub(crate) async fn send(&self, piece: Vec<u8>) -> Result<(), Unheard> {
        if piece.is_empty() {
            return Ok(());
        }
        let sent = timeout(self.stall, self.pieces.send(piece.into())).await;
        match sent {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Unheard),
        }
    }

    /// Returns when the client is gone.
    pub(crate) async fn closed(&self) {
        self.pieces.closed().await;
    }

    /// Says that the body is whole.
    pub(crate) fn finish(self) {
        self.is_whole.store(true, Ordering::Release);
    }
}
