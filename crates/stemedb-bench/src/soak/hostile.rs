//! The bad clients: slow, broken, greedy and hostile ones, each kind from an address of its own.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::client::{connect, status};
use super::log::Log;
use super::rank::{Rank, rank};
use crate::failure::{Doing, Result};

mod broken; // what is no HTTP, no JSON, or too long
mod flood; // many connections at once, and connections that are reset
mod greedy; // little to send, much to do
mod slow; // little by little, or nothing at all

/// After this long a client that wants to harm others gives up.
const PATIENCE: Duration = Duration::from_secs(40);

/// What one attempt came to.
type Outcome = io::Result<String>;
type Attempt = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// A kind of bad client.
struct Kind {
    name: &'static str,
    /// How many do it at the same time.
    count: u32,
    /// What each of them does between two attempts.
    pause: Duration,
    attempt: fn(Attacker) -> Attempt,
}

const fn kind(
    name: &'static str,
    (count, pause_ms): (u32, u64),
    attempt: fn(Attacker) -> Attempt,
) -> Kind {
    Kind {
        name,
        count,
        pause: Duration::from_millis(pause_ms),
        attempt,
    }
}

/// All kinds.
const KINDS: [Kind; 20] = [
    kind("slow head", (100, 100), |it| Box::pin(slow::head(it))),
    kind("slow body", (40, 100), |it| Box::pin(slow::body(it))),
    kind("body that stops", (40, 100), |it| {
        Box::pin(slow::half_body(it))
    }),
    kind("upload whose results nobody reads", (24, 100), |it| {
        Box::pin(slow::deaf_upload(it))
    }),
    kind("feed that nobody reads", (80, 100), |it| {
        Box::pin(slow::deaf_feed(it))
    }),
    kind("answer taken byte by byte", (20, 100), |it| {
        Box::pin(slow::sip(it))
    }),
    kind("malformed head", (4, 50), |it| Box::pin(broken::head(it))),
    kind("malformed chunks", (4, 50), |it| {
        Box::pin(broken::chunks(it))
    }),
    kind("invalid JSON", (4, 50), |it| Box::pin(broken::json(it))),
    kind("deep JSON", (1, 200), |it| Box::pin(broken::deep(it))),
    kind("garbage cursor", (4, 50), |it| Box::pin(broken::cursor(it))),
    kind("long path", (4, 50), |it| Box::pin(broken::path(it))),
    kind("giant length", (4, 50), |it| Box::pin(broken::length(it))),
    kind("body over the limit", (2, 500), |it| {
        Box::pin(broken::too_large(it))
    }),
    kind("gzip bomb", (2, 200), |it| Box::pin(greedy::gzip(it))),
    kind("zstd bomb", (2, 200), |it| Box::pin(greedy::zstd(it))),
    kind("wide read", (4, 50), |it| Box::pin(greedy::wide(it))),
    kind("totals of many votes", (2, 50), |it| {
        Box::pin(greedy::votes(it))
    }),
    kind("reset", (8, 50), |it| Box::pin(flood::reset(it))),
    kind("flood", (1, 4000), |it| Box::pin(flood::flood(it))),
];

/// Zeros, compressed.
#[derive(Debug)]
pub(super) struct Bombs {
    gzip: Vec<u8>,
    zstd: Vec<u8>,
}

impl Bombs {
    pub(super) fn new() -> Result<Self> {
        Ok(Self {
            gzip: greedy::zeros_as_gzip().doing("compress zeros")?,
            zstd: greedy::zeros_as_zstd().doing("compress zeros")?,
        })
    }
}

/// What is made once for all attempts.
#[derive(Debug)]
pub(super) struct Arms {
    pub(super) server: SocketAddr,
    pub(super) log: Arc<Log>,
    pub(super) bombs: Bombs,
    /// The path of an assertion's votes, of which there are many.
    pub(super) votes: String,
}

/// One of the bad clients.
#[derive(Clone)]
struct Attacker {
    arms: Arc<Arms>,
    own: Ipv4Addr,
}

impl Attacker {
    async fn connect(&self) -> io::Result<TcpStream> {
        connect(self.arms.server, self.own).await
    }

    /// Sends bytes on a connection of their own; gives the status of the first answer.
    async fn say(&self, bytes: &[u8]) -> Outcome {
        let mut stream = self.connect().await?;
        // What is refused may be so before all of it is sent.
        let sent = timeout(PATIENCE, stream.write_all(bytes)).await;
        match listen(&mut stream).await {
            Ok(answer) => Ok(answer),
            Err(heard) => sent.map_err(io::Error::from)?.and(Err(heard)),
        }
    }
}

/// Reads the beginning of an answer; gives its status.
async fn listen(stream: &mut TcpStream) -> Outcome {
    let mut answer = vec![0; 1024];
    let read = timeout(PATIENCE, stream.read(&mut answer)).await??;
    Ok(answered(answer.get(..read).unwrap_or_default()))
}

fn answered(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    match status(&text) {
        Some(status) => status.to_string(),
        None if bytes.is_empty() => "closed".to_owned(),
        None => "no status".to_owned(),
    }
}

/// The bad clients, at work on a thread of their own; they end when this is dropped.
///
/// That thread runs where nobody else wants a processor.
pub(super) struct Hostile(Option<Runtime>);

impl Hostile {
    /// Lets those begin whose kind begins with one of the names; all where there are none.
    pub(super) fn begin(arms: &Arc<Arms>, names: &[String]) -> Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("hostile")
            // Where that is not to be had they are as important as the others.
            .on_thread_start(|| _ = rank(Rank::Last))
            .enable_all()
            .build();
        let runtime = runtime.doing("start a thread")?;
        for (kind, number) in KINDS.iter().zip(1..) {
            if names.is_empty() || names.iter().any(|name| kind.name.starts_with(name)) {
                let own = Ipv4Addr::new(127, 0, 2, number);
                let arms = Arc::clone(arms);
                begin(runtime.handle(), kind, &Attacker { arms, own });
            }
        }
        Ok(Self(Some(runtime)))
    }
}

impl Drop for Hostile {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

fn begin(runtime: &Handle, kind: &'static Kind, attacker: &Attacker) {
    for _ in 0..kind.count {
        let attacker = attacker.clone();
        drop(runtime.spawn(async move {
            loop {
                let outcome = (kind.attempt)(attacker.clone()).await;
                let outcome = outcome.unwrap_or_else(|error| error.kind().to_string());
                attacker.arms.log.tally.count(kind.name, outcome);
                sleep(kind.pause).await;
            }
        }));
    }
}

/// A set of tasks that end with it.
type Crowd = JoinSet<io::Result<()>>;
