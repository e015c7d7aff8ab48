//! Serving on a listener until it is told to end.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::Service;
use crate::connection::{Connections, Peer};
use crate::limits::ACCEPT_PAUSE_MS;

/// Answers requests until `shutdown` is done; then what is in flight is answered, and later requests are refused.
///
/// It returns when every connection is closed and the intake has ended, so that the caller can close the database; connections
/// that take longer than [`Settings::shutdown_seconds_max`](crate::Settings::shutdown_seconds_max) are broken off.
///
/// Beyond [`Settings::connections_max`](crate::Settings::connections_max) connections nobody is let in: who comes then waits with
/// the operating system, which costs nothing here, until another one ends. Every connection that is not being answered ends by itself.
///
/// # Errors
///
/// Those of the listener when it begins; later ones are waited out.
pub async fn serve(
    listener: TcpListener,
    service: Service,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let begun = service.shutdown();
    let mut open = Open {
        tasks: JoinSet::new(),
        places: Arc::new(Semaphore::new(service.settings().connections_max)),
        connections: service.connections(),
    };
    tokio::select! {
        () = shutdown => begun.begin(),
        () = begun.begun() => {}
        never = open.accept(&listener) => match never {},
    }
    drop(listener);
    let limit = Duration::from_secs(service.settings().shutdown_seconds_max);
    let ended = timeout(limit, async {
        while open.tasks.join_next().await.is_some() {}
    });
    if ended.await.is_err() {
        tracing::warn!("some connections did not end in time");
        open.tasks.shutdown().await;
    }
    service.close().await;
    Ok(())
}

/// The connections that are open.
struct Open {
    tasks: JoinSet<()>,
    places: Arc<Semaphore>,
    connections: Connections,
}

impl Open {
    /// Lets connections in, for ever.
    async fn accept(&mut self, listener: &TcpListener) -> std::convert::Infallible {
        loop {
            let place = self.place().await;
            match listener.accept().await {
                Ok((stream, peer)) => self.begin(stream, Peer(peer), place),
                Err(error) if is_of_one(&error) => {}
                // Files or memory have run out: others have to end before it is worth another try.
                Err(error) => {
                    tracing::error!(%error, "cannot take a connection");
                    sleep(Duration::from_millis(ACCEPT_PAUSE_MS)).await;
                }
            }
        }
    }

    /// Waits for a place, and clears away who has left meanwhile.
    async fn place(&mut self) -> OwnedSemaphorePermit {
        loop {
            while self.tasks.try_join_next().is_some() {}
            // It is never closed.
            if let Ok(place) = Arc::clone(&self.places).acquire_owned().await {
                return place;
            }
        }
    }

    fn begin(&mut self, stream: TcpStream, peer: Peer, place: OwnedSemaphorePermit) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection that waits to fill its packets");
        }
        let connections = self.connections.clone();
        self.tasks.spawn(async move {
            connections.answer(stream, Some(peer)).await;
            drop(place);
        });
    }
}

/// Whether an error is that of a connection which ended before it was taken.
fn is_of_one(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}
