//! One connection: HTTP/1.1 by hyper, with a limit of time on everything that waits for the other side.
//!
//! A head that is no HTTP is answered by hyper itself, with 400, 414 or 431 and no body, and its connection closed.

use std::convert::Infallible;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use axum::{
    Router,
    body::{Body, Bytes, HttpBody},
    http::{Request, Response},
};
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::rt::{Sleep, Timer};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tower::ServiceExt as _;

use crate::courtesy::poll_in_turn;
use crate::crowd::Standing;
use crate::limits::{HEAD_BYTES_MAX, LINGERING_MAX};
use crate::{Settings, Shutdown};

mod pace;

use pace::{Busy, Lingering, Pace, Paced, Patience};

/// Whose request it is. A request that came without a connection has no peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// What the connections of a server share.
#[derive(Clone, Debug)]
pub(crate) struct Connections {
    router: Router,
    shutdown: Shutdown,
    patience: Patience,
    lingering: Lingering,
}

impl Connections {
    pub(crate) fn new(router: Router, shutdown: Shutdown, settings: &Settings) -> Self {
        let patience = Patience {
            head: Duration::from_secs(settings.head_seconds_max),
            idle: Duration::from_secs(settings.idle_seconds_max),
            write: Duration::from_secs(settings.write_stall_seconds_max),
            bytes_per_second_min: settings.answer_bytes_per_second_min,
        };
        Self {
            router,
            shutdown,
            patience,
            lingering: Lingering::new(LINGERING_MAX),
        }
    }

    /// What tells the connections that the server ends.
    pub(crate) fn shutdown(&self) -> Shutdown {
        self.shutdown.clone()
    }

    /// Answers the requests of one connection, until either side ends it.
    pub(crate) async fn answer<S>(self, stream: S, (peer, standing): (Option<Peer>, Standing))
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let pace = Pace::new(standing);
        let stream = Paced::new(stream, pace.clone(), (self.patience, self.lingering));
        let router = self.router;
        let service = service_fn(move |mut request: Request<Incoming>| {
            if let Some(peer) = peer {
                request.extensions_mut().insert(peer);
            }
            let busy = pace.begin(!request.body().is_end_stream());
            answer(router.clone(), request, busy)
        });
        let connection = http1::Builder::new()
            // With a time hyper reads again behind an answer, which is where a pause begins; it is the stream that ends one.
            .timer(Never)
            .header_read_timeout(self.patience.longest())
            // The first ends a head that is not complete by then, the second one that came at once.
            .max_buf_size(HEAD_BYTES_MAX)
            .max_header_size(HEAD_BYTES_MAX)
            .serve_connection(TokioIo::new(stream), service);
        let mut connection = pin!(connection);
        let mut begun = pin!(self.shutdown.begun());
        let (mut is_ending, mut woken) = (false, None::<Waker>);
        let ended = poll_fn(|cx| {
            // What has come is read before the end is looked at, so that it is told of it.
            if let Poll::Ready(ended) = poll_in_turn(|| connection.as_mut().poll(cx)) {
                return Poll::Ready(ended);
            }
            // All connections wait for the one end, behind one lock: each asks for it once, as long as the same task is to be woken.
            let is_known = woken.as_ref().is_some_and(|it| it.will_wake(cx.waker()));
            if !is_ending && (!is_known || self.shutdown.has_begun()) {
                woken = Some(cx.waker().clone());
                if begun.as_mut().poll(cx).is_ready() {
                    is_ending = true;
                    // Once more outside of its turn, in which a read may have been put off.
                    if let Poll::Ready(ended) = connection.as_mut().poll(cx) {
                        return Poll::Ready(ended);
                    }
                    connection.as_mut().graceful_shutdown();
                    return connection.as_mut().poll(cx);
                }
            }
            Poll::Pending
        });
        let ended = ended.await;
        if let Err(error) = ended {
            // Whoever goes away in the middle, or sends what is no HTTP, is no event for whoever runs the server.
            let error = stemedb::error_chain(&error);
            tracing::debug!(error, "a connection broke off");
        }
    }
}

/// A timer that never ends, and costs nothing.
#[derive(Clone, Copy, Debug)]
struct Never;

impl Timer for Never {
    fn sleep(&self, _: Duration) -> Pin<Box<dyn Sleep>> {
        Box::pin(Self)
    }

    fn sleep_until(&self, _: Instant) -> Pin<Box<dyn Sleep>> {
        Box::pin(Self)
    }
}

impl Sleep for Never {}

impl Future for Never {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }
}

async fn answer(
    router: Router,
    request: Request<Incoming>,
    busy: Busy,
) -> Result<Response<Answer>, Infallible> {
    let response = router.oneshot(request).await?;
    Ok(response.map(|body| Answer { body, _busy: busy }))
}

/// The body of an answer; when it is gone the request is over.
#[derive(Debug)]
struct Answer {
    body: Body,
    _busy: Busy,
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
