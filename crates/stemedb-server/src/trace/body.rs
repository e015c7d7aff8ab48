//! Bodies that are counted while they pass.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use http_body::{Frame, SizeHint};

use super::Passage;

/// The body of a request, whose bytes are counted.
#[derive(Debug)]
pub(super) struct Incoming {
    body: Body,
    bytes: Arc<AtomicU64>,
}

impl Incoming {
    pub(super) fn new(body: Body, bytes: Arc<AtomicU64>) -> Self {
        Self { body, bytes }
    }
}

impl http_body::Body for Incoming {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        // Ordering: it is read when the request is over.
        self.bytes.fetch_add(bytes_of(&polled), Ordering::Relaxed);
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The body of an answer, whose bytes are counted; the request ends with it.
#[derive(Debug)]
pub(super) struct Outgoing {
    body: Body,
    passage: Passage,
}

impl Outgoing {
    pub(super) fn new(body: Body, passage: Passage) -> Self {
        Self { body, passage }
    }
}

impl http_body::Body for Outgoing {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        self.passage.bytes_out += bytes_of(&polled);
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

fn bytes_of<E>(polled: &Poll<Option<Result<Frame<Bytes>, E>>>) -> u64 {
    match polled {
        Poll::Ready(Some(Ok(frame))) => frame.data_ref().map_or(0, Bytes::len) as u64,
        _ => 0,
    }
}
