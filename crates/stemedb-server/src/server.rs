//! Serving on a listener until it is told to end.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::connection::{Connections, Peer};
use crate::crowd::{Crowd, Member};
use crate::limits::{ACCEPT_PAUSE_MS, CROWD_LOOK_MS};
use crate::rate::Client;
use crate::seat::{Seat, Seats};
use crate::{Service, Tls};

/// Where connections come in, with TLS or without.
#[derive(Debug)]
pub struct Listener {
    tcp: TcpListener,
    tls: Option<Tls>,
}

impl Listener {
    /// Connections over TLS.
    #[must_use]
    pub fn tls(tcp: TcpListener, tls: Tls) -> Self {
        let tls = Some(tls);
        Self { tcp, tls }
    }
}

impl From<TcpListener> for Listener {
    fn from(tcp: TcpListener) -> Self {
        Self { tcp, tls: None }
    }
}

/// Answers requests until `shutdown` is done; then what is in flight is answered, and later requests are refused.
///
/// It returns when every connection is closed and the intake has ended, so that the caller can close the database; connections
/// that take longer than [`Settings::shutdown_seconds_max`](crate::Settings::shutdown_seconds_max) are broken off.
///
/// On an address that is not loopback every request needs a token.
/// Beyond [`Settings::connections_max`](crate::Settings::connections_max) connections nobody is let in: who comes then waits until
/// another one ends, all but the first with the operating system, which costs nothing here. For whoever waits so, the connection is
/// ended that has longest sent no request, or nothing of one to its end, if that is a second at least; every one that is not being
/// answered ends by itself some time later.
/// One beyond [`Settings::connections_per_address_max`](crate::Settings::connections_per_address_max) is closed at once.
///
/// # Errors
///
/// Those of the listener when it begins; later ones are waited out.
pub async fn serve(
    listener: impl Into<Listener>,
    service: Service,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let listener = listener.into();
    if !listener.tcp.local_addr()?.ip().to_canonical().is_loopback() {
        service.require_tokens();
    }
    let begun = service.shutdown();
    let mut open = Open {
        tasks: JoinSet::new(),
        places: service.connection_places(),
        seats: Seats::new(service.settings().connections_per_address_max),
        crowd: Crowd::default(),
        connections: service.connections(),
        handshake: Duration::from_secs(service.settings().handshake_seconds_max),
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

/// The place of a connection, among all and among those of its network.
struct Place {
    _among_all: OwnedSemaphorePermit,
    _of_network: Seat,
    member: Member,
}

/// The connections that are open.
struct Open {
    tasks: JoinSet<()>,
    places: Arc<Semaphore>,
    seats: Seats,
    crowd: Crowd,
    connections: Connections,
    handshake: Duration,
}

impl Open {
    /// Lets connections in, for ever.
    async fn accept(&mut self, listener: &Listener) -> Infallible {
        loop {
            // Who has left is cleared away.
            while self.tasks.try_join_next().is_some() {}
            match listener.tcp.accept().await {
                Ok((stream, peer)) => {
                    let Some(seat) = self.seats.take(Client::at(peer.ip())) else {
                        tracing::debug!(%peer, "a connection beyond those of one address");
                        continue;
                    };
                    prepare(&stream);
                    let place = Place {
                        _among_all: self.place().await,
                        _of_network: seat,
                        member: self.crowd.enter(),
                    };
                    self.begin(listener, (stream, Peer(peer)), place);
                }
                Err(error) if is_of_one(&error) => {}
                // Files or memory have run out: others have to end before it is worth another try.
                Err(error) => {
                    tracing::error!(%error, "cannot take a connection");
                    sleep(Duration::from_millis(ACCEPT_PAUSE_MS)).await;
                }
            }
        }
    }

    /// Waits for a place; where there is none, somebody goes who waits for nothing but its client.
    async fn place(&self) -> OwnedSemaphorePermit {
        loop {
            if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
                return place;
            }
            self.crowd.make_room();
            let pause = Duration::from_millis(CROWD_LOOK_MS);
            let place = Arc::clone(&self.places).acquire_owned();
            if let Ok(Ok(place)) = timeout(pause, place).await {
                return place;
            }
        }
    }

    /// Answers a connection in a task of its own; nobody else waits for its handshake.
    fn begin(&mut self, listener: &Listener, (stream, peer): (TcpStream, Peer), place: Place) {
        let connections = self.connections.clone();
        let standing = place.member.standing();
        let Some(tls) = &listener.tls else {
            self.tasks.spawn(async move {
                connections.answer(stream, (Some(peer), standing)).await;
                drop(place);
            });
            return;
        };
        let handshake = timeout(self.handshake, tls.acceptor().accept(stream));
        self.tasks.spawn(async move {
            let begun = connections.shutdown();
            let agreed = tokio::select! {
                agreed = handshake => agreed,
                () = begun.begun() => return,
                () = standing.leave() => return,
            };
            match agreed {
                Ok(Ok(stream)) => connections.answer(stream, (Some(peer), standing)).await,
                Ok(Err(error)) => tracing::debug!(%error, "no agreement on TLS"),
                Err(_) => tracing::debug!("a handshake took too long"),
            }
            drop(place);
        });
    }
}

/// An answer is sent when it is there, not when a packet is full.
fn prepare(stream: &TcpStream) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection that waits to fill its packets");
    }
    limit_unsent(stream);
}

/// Has the kernel take no more of an answer than is sent soon: whoever does not read would have it keep megabytes, which were read, written
/// as JSON and copied for nobody.
#[cfg(target_os = "linux")]
fn limit_unsent(stream: &TcpStream) {
    let most = crate::limits::UNSENT_BYTES_MAX;
    let limited = socket2::SockRef::from(stream).set_tcp_notsent_lowat(most);
    if let Err(error) = limited {
        tracing::debug!(%error, "a connection whose answers the kernel may keep");
    }
}

#[cfg(not(target_os = "linux"))]
fn limit_unsent(_: &TcpStream) {}

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
