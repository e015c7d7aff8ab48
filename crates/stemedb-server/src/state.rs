//! What handlers share, and the service that is made of them.

use std::num::NonZero;
use std::sync::Arc;
use std::thread::{JoinHandle, available_parallelism};

use axum::Router;
use stemedb::Database;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::auth::Gate;
use crate::connection::Connections;
use crate::crowd::Standing;
use crate::held::Bodies;
use crate::intake::Intake;
use crate::limits::BACKUPS_MAX;
use crate::metric::{Metrics, Source};
use crate::rate::Rate;
use crate::read::Patient;
use crate::request_id::RequestIds;
use crate::room::Room;
use crate::seat::{Occupancy, Places};
use crate::token::TokenFile;
use crate::total::KnownTotals;
use crate::trace::TraceIds;
use crate::{Settings, Shutdown, StartError, route};

/// What handlers share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) database: Arc<Database>,
    pub(crate) settings: Settings,
    pub(crate) intake: Intake,
    pub(crate) shutdown: Shutdown,
    pub(crate) request_ids: RequestIds,
    pub(crate) gate: Gate,
    pub(crate) rate: Rate,
    /// A place for each read that goes on.
    pub(crate) reads: Arc<Semaphore>,
    /// A place for each large body that is checked, which is work for the processor alone: for half of the processors, so that single
    /// claims find one.
    pub(crate) checks: Arc<Semaphore>,
    /// A place for what takes long or goes on and on, and for one that asked for much: long pages, totals, batches of feeds, and what is
    /// decompressed. There are fewer than processors, so that those who ask for little do not wait for those who ask for much.
    pub(crate) patient: Patient,
    /// A place for each connection to [`serve`](crate::serve).
    pub(crate) connections: Arc<Semaphore>,
    /// A place for each upload that goes on.
    pub(crate) uploads: Places,
    /// A place for each feed that is open.
    pub(crate) feeds: Places,
    /// A place for each segment that is given out: whoever may only read keeps nobody from a backup.
    pub(crate) backups: Arc<Semaphore>,
    /// The place of the one retry that goes on: it waits for the database, and bodies do not wait for it.
    pub(crate) retries: Arc<Semaphore>,
    /// What bodies take that are not acknowledged.
    pub(crate) bodies: Bodies,
    /// What long answers take that are not sent.
    pub(crate) room: Room,
    /// The place of the one look whether the database can be read: whoever probes does not wait for whoever reads.
    pub(crate) probes: Arc<Semaphore>,
    /// The place of the one scrape that does work.
    pub(crate) scrapes: Arc<Semaphore>,
    /// What is known of the votes on assertions that have many.
    pub(crate) totals: KnownTotals,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) trace_ids: TraceIds,
}

/// A database behind HTTP: the routes, and what ends with them.
#[derive(Debug)]
pub struct Service {
    router: Router,
    shared: Arc<Shared>,
    intake: JoinHandle<()>,
}

/// Makes a service of a database; it is called on a runtime of tokio, on which requests are answered later.
///
/// # Errors
///
/// Where a setting is outside its limits, there is no runtime, a thread cannot be started, the tokens cannot be read, or the database
/// does not answer.
pub fn service(database: Arc<Database>, settings: &Settings) -> Result<Service, StartError> {
    settings.check()?;
    let runtime = Handle::try_current().map_err(StartError::Runtime)?;
    drop(database.view().map_err(StartError::Database)?);
    let request_ids = RequestIds::new().map_err(StartError::Random)?;
    let gate = Gate::new(TokenFile::of(database.directory())).map_err(StartError::Tokens)?;
    let trace_ids = TraceIds::new().map_err(StartError::Random)?;
    let processors = available_parallelism().map_or(1, NonZero::get);
    let queue = settings.queued_requests_max;
    let (intake, thread) =
        Intake::start(Arc::clone(&database), queue, runtime).map_err(StartError::Thread)?;
    let bodies = Bodies::new(settings);
    let connections = Arc::new(Semaphore::new(settings.connections_max));
    let uploads = Places::new(settings.uploads_max);
    let feeds = Places::new(settings.feeds_max);
    let most = settings.connections_max;
    let places = vec![
        (
            "connections",
            Occupancy::new(Arc::clone(&connections), most),
        ),
        ("uploads", uploads.occupancy()),
        ("feeds", feeds.occupancy()),
    ];
    let metrics = Arc::new(Metrics::new(Source {
        database: Arc::clone(&database),
        intake: intake.clone(),
        bodies: bodies.clone(),
        places,
    }));
    let shared = Arc::new(Shared {
        database,
        settings: settings.clone(),
        intake,
        shutdown: Shutdown::new(),
        request_ids,
        gate,
        rate: Rate::new(settings.requests_per_second_max),
        reads: Arc::new(Semaphore::new(settings.reads_max)),
        checks: Arc::new(Semaphore::new(processors.div_ceil(2))),
        patient: Patient::start(processors.div_ceil(2)).map_err(StartError::Thread)?,
        connections,
        uploads,
        feeds,
        backups: Arc::new(Semaphore::new(BACKUPS_MAX)),
        retries: Arc::new(Semaphore::new(1)),
        bodies,
        room: Room::new(settings.answers_bytes_max),
        probes: Arc::new(Semaphore::new(1)),
        scrapes: Arc::new(Semaphore::new(1)),
        totals: KnownTotals::default(),
        metrics,
        trace_ids,
    });
    Ok(Service {
        router: route::router(Arc::clone(&shared)),
        shared,
        intake: thread,
    })
}

impl Service {
    /// The routes, for a connection or a test; each clone shares the rest.
    pub fn router(&self) -> Router {
        self.router.clone()
    }

    /// The handle by which it is told to end.
    #[must_use]
    pub fn shutdown(&self) -> Shutdown {
        self.shared.shutdown.clone()
    }

    #[cfg(test)]
    pub(crate) fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }

    /// From now on every request needs a token, also if there is none: others than this machine can send requests.
    ///
    /// [`serve`](crate::serve) does so for an address that is not loopback.
    pub fn require_tokens(&self) {
        self.shared.gate.close();
    }

    /// The places of the connections of a server.
    pub(crate) fn connection_places(&self) -> Arc<Semaphore> {
        Arc::clone(&self.shared.connections)
    }

    /// What the connections of a server share.
    pub(crate) fn connections(&self) -> Connections {
        Connections::new(self.router(), self.shutdown(), self.settings())
    }

    /// Answers the requests of one connection that somebody else has taken, until either side ends it.
    ///
    /// It counts for no limit on connections; each of its waits is limited as ever.
    pub async fn answer<S>(&self, stream: S)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let alone = (None, Standing::new());
        self.connections().answer(stream, alone).await;
    }

    /// The settings that it was made with.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.shared.settings
    }

    /// Ends it: what was handed in is given to the database, nothing more is taken, and the thread of the intake is gone.
    ///
    /// It does not wait for requests, and does not close the database. Call it when no request is in flight, or when those that are may
    /// hear that their outcome is unknown.
    pub async fn close(self) {
        self.shared.shutdown.begin();
        self.shared.intake.end().await;
        let ended = spawn_blocking(move || self.intake.join()).await;
        if !matches!(ended, Ok(Ok(()))) {
            tracing::error!("the intake had ended before");
        }
    }
}
