//! Bodies that are counted while they pass.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use http_body::{Frame, SizeHint};

/// A body whose bytes are told to `count`, which goes when it does.
#[derive(Debug)]
pub(super) struct Counted<C> {
    body: Body,
    count: C,
}

impl<C> Counted<C> {
    pub(super) fn new(body: Body, count: C) -> Self {
        Self { body, count }
    }
}

impl<C: FnMut(usize) + Unpin> http_body::Body for Counted<C> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            (self.count)(frame.data_ref().map_or(0, Bytes::len));
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
