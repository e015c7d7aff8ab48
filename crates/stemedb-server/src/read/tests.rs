use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::{body::Body, http::Request, response::Response};
use http_body::Body as _;
use stemedb::{Create, Database, ErrorKind, Page, Record};
use tokio::sync::{Semaphore, oneshot};
use tower::ServiceExt as _;

use crate::problem::{Asked, Problem};
use crate::query::At;
use crate::{Service, Settings, service};

const CLAIM: &str = r#"{"type":"assertion","subject":"s","predicate":"p","object":1,"agent":"a"}"#;

/// A service of a database with one claim, and the id of that.
struct One {
    service: Service,
    id: String,
    _directory: tempfile::TempDir,
}

impl One {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let builder = Database::builder().create(Create::IfMissing);
        let database = builder.open(directory.path().join("data")).unwrap();
        let record = Record::from_json(CLAIM.as_bytes()).unwrap();
        let receipts = database.ingest([record]);
        let receipt = receipts.into_iter().next().unwrap().unwrap();
        database.wait_applied(receipt.sequence).wait().unwrap();
        Self {
            service: service(Arc::new(database), &Settings::default()).unwrap(),
            id: receipt.id.to_string(),
            _directory: directory,
        }
    }

    async fn get(&self, path: &str) -> Response {
        let request = Request::get(path).header("host", "localhost");
        let request = request.body(Body::empty()).unwrap();
        bounded(self.service.router().oneshot(request))
            .await
            .unwrap()
    }
}

/// Whoever waits longer waits for ever.
async fn bounded<T>(wait: impl Future<Output = T>) -> T {
    let patience = std::time::Duration::from_secs(100);
    tokio::time::timeout(patience, wait).await.unwrap()
}

/// Takes all places there are.
fn take(places: &Arc<Semaphore>) -> tokio::sync::OwnedSemaphorePermit {
    let all = u32::try_from(places.available_permits()).unwrap();
    Arc::clone(places).try_acquire_many_owned(all).unwrap()
}

#[tokio::test]
async fn who_asks_for_little_does_not_wait_for_those_who_ask_for_much() {
    let one = One::new();
    let _taken = take(&one.service.shared().patient.places);
    for path in ["/v1/subjects", "/v1/subjects?limit=100", "/v1/stats"] {
        assert_eq!(one.get(path).await.status(), 200, "{path}");
    }
    let record = format!("/v1/records/{}", one.id);
    assert_eq!(one.get(&record).await.status(), 200);
}

#[tokio::test]
async fn readiness_waits_for_nobody_who_reads() {
    let one = One::new();
    let shared = one.service.shared();
    let _taken = [&shared.reads, &shared.patient.places, &shared.scrapes].map(take);
    assert_eq!(one.get("/healthz/ready").await.status(), 200);
}

#[tokio::test]
async fn who_asks_for_much_takes_no_place_from_those_who_ask_for_little() {
    let one = One::new();
    let _taken = take(&one.service.shared().reads);
    let long = "/v1/subjects?limit=101";
    assert_eq!(one.get(long).await.status(), 200);
    let totals = format!("/v1/assertions/{}/votes", one.id);
    assert_eq!(one.get(&totals).await.status(), 200);
    let mut feed = one.get("/v1/changes").await.into_body();
    let first = std::future::poll_fn(|cx| std::pin::Pin::new(&mut feed).poll_frame(cx));
    let first = bounded(first).await.unwrap().unwrap().into_data().unwrap();
    assert!(String::from_utf8_lossy(&first).contains(&one.id));
}

/// Ends a read that nothing else has ended, so that a test that fails is over too.
struct Stop(Arc<AtomicBool>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[tokio::test]
async fn a_read_that_is_given_up_ends_and_leaves_its_place() {
    let one = One::new();
    let shared = one.service.shared();
    let places = shared.reads.available_permits();
    let stop = Stop(Arc::default());
    let is_stopped = Arc::clone(&stop.0);
    let (begun, has_begun) = oneshot::channel();
    let (ended, has_ended) = oneshot::channel();
    let reading = tokio::spawn(async move {
        let read = shared.read(At::default(), move |view| {
            begun.send(()).unwrap();
            // A list without an end.
            while !is_stopped.load(Ordering::Relaxed) {
                let mut list = view.subjects("", &Page::default()).unwrap();
                if let Some(Err(error)) = list.next() {
                    ended.send(error.kind()).unwrap();
                    return Err(Problem::of(&error, Asked::Read));
                }
            }
            Ok(())
        });
        read.await
    });
    bounded(has_begun).await.unwrap();
    reading.abort();
    assert_eq!(bounded(has_ended).await, Ok(ErrorKind::GivenUp));
    let places = u32::try_from(places).unwrap();
    let shared = one.service.shared();
    let all = bounded(shared.reads.acquire_many(places)).await;
    assert!(all.is_ok());
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn long_reads_leave_the_processors_to_short_ones() {
    let niceness = |_: &stemedb::View| {
        let this = rustix::thread::gettid();
        Ok(rustix::process::getpriority_process(Some(this)).unwrap())
    };
    let one = One::new();
    let shared = one.service.shared();
    let short = shared.read(At::default(), niceness).await.unwrap();
    let at = At {
        is_long: true,
        ..At::default()
    };
    // Who runs the tests at a niceness of their own finds the higher of both.
    assert_eq!(shared.read(at, niceness).await.unwrap(), short.max(10));
}
