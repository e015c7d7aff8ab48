//! Bodies that are counted while they pass.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use http_body::{Frame, SizeHint};

use super::Passage;

/// A body whose bytes are counted.
#[derive(Debug)]
pub(super) struct Watched {
    body: Body,
    bytes: Arc<AtomicU64>,
    /// The request that ends with the body.
    _passage: Option<Passage>,
}

impl Watched {
    pub(super) fn new(body: Body, bytes: Arc<AtomicU64>) -> Self {
        Self {
            body,
            bytes,
            _passage: None,
        }
    }

    pub(super) fn until_end(self, passage: Passage) -> Self {
        Self {
            _passage: Some(passage),
            ..self
        }
    }
}

impl http_body::Body for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            let bytes = frame.data_ref().map_or(0, Bytes::len);
            // Ordering: it is read when the request is over.
            self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
