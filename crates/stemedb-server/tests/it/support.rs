//! A database and its service in a directory of their own.

use std::path::{Path, PathBuf};
use std::{sync::Arc, time::Duration};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use serde_json::Value;
use stemedb::{Builder, Create, Database, Sequence};
use stemedb_server::wire::{Code, Problem};
use stemedb_server::{Service, Settings, service};
use tempfile::TempDir;
use tower::ServiceExt as _;

/// A database that is served.
pub(crate) struct Home {
    pub(crate) database: Arc<Database>,
    pub(crate) service: Service,
    directory: TempDir,
}

/// What a request was answered with.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self::with(&Settings::default())
    }

    pub(crate) fn with(settings: &Settings) -> Self {
        Self::of(Database::builder(), settings)
    }

    pub(crate) fn of(builder: Builder, settings: &Settings) -> Self {
        Self::open(tempfile::tempdir().unwrap(), builder, settings)
    }

    /// The database that lies in a directory.
    pub(crate) fn at(directory: TempDir) -> Self {
        Self::open(directory, Database::builder(), &Settings::default())
    }

    fn open(directory: TempDir, builder: Builder, settings: &Settings) -> Self {
        let path = directory.path().join("data");
        let database = builder.create(Create::IfMissing).open(path).unwrap();
        let database = Arc::new(database);
        Self {
            service: service(Arc::clone(&database), settings).unwrap(),
            database,
            directory,
        }
    }

    /// A database whose journal lies in `journal`, which is a directory somewhere else.
    pub(crate) fn with_journal_in(journal: &Path) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("data");
        let wal = journal.join("wal");
        std::fs::create_dir_all(&wal).unwrap();
        let creating = Database::builder().create(Create::IfMissing);
        creating.clone().open(&path).unwrap().close().unwrap();
        for file in std::fs::read_dir(path.join("wal")).unwrap() {
            let file = file.unwrap();
            std::fs::copy(file.path(), wal.join(file.file_name())).unwrap();
        }
        std::fs::remove_dir_all(path.join("wal")).unwrap();
        std::os::unix::fs::symlink(&wal, path.join("wal")).unwrap();
        let database = Arc::new(creating.open(path).unwrap());
        Self {
            service: service(Arc::clone(&database), &Settings::default()).unwrap(),
            database,
            directory,
        }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        ask(self.service.router(), request("GET", path, &[], "")).await
    }

    pub(crate) async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        ask(self.service.router(), request("GET", path, headers, "")).await
    }

    pub(crate) async fn post(&self, path: &str, body: impl Into<Text>) -> Answer {
        ask(self.service.router(), post(path, body)).await
    }

    /// Waits until everything that is durable can be read.
    pub(crate) fn settle(&self) {
        let durable = self.database.stats().unwrap().durable_sequence;
        if let Some(sequence) = Sequence::new(durable) {
            self.database.wait_applied(sequence).wait().unwrap();
        }
    }

    /// Closes both, and opens the database again.
    pub(crate) async fn reopened(self) -> (Database, TempDir) {
        let path = self.path();
        self.service.close().await;
        // A stream whose end was read may hold the database for a moment longer.
        let shared = self.database;
        for _ in 0..2_000 {
            if Arc::strong_count(&shared) == 1 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let database = Arc::into_inner(shared).expect("nobody holds the database");
        database.close().unwrap();
        (Database::open(path).unwrap(), self.directory)
    }
}

/// The text of a body.
pub(crate) struct Text(String);

impl From<Value> for Text {
    fn from(value: Value) -> Self {
        Self(value.to_string())
    }
}

impl From<&Value> for Text {
    fn from(value: &Value) -> Self {
        Self(value.to_string())
    }
}

impl<'a> From<&'a str> for Text {
    fn from(text: &'a str) -> Self {
        Self(text.to_owned())
    }
}

pub(crate) fn request(
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: impl AsRef<str>,
) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::from(body.as_ref().to_owned())).unwrap()
}

pub(crate) fn post(path: &str, body: impl Into<Text>) -> Request<Body> {
    request(
        "POST",
        path,
        &[("content-type", "application/json")],
        body.into().0,
    )
}

pub(crate) async fn ask(router: Router, request: Request<Body>) -> Answer {
    let response = router.oneshot(request).await.unwrap();
    let (head, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    let answer = Answer {
        status: head.status.as_u16(),
        headers: head.headers,
        text: String::from_utf8(body.to_vec()).unwrap(),
    };
    assert!(answer.headers.contains_key("x-request-id"));
    answer
}

impl Answer {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.headers["content-type"], "application/json");
        serde_json::from_str(&self.text).unwrap()
    }

    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    /// It was answered with this status.
    #[track_caller]
    pub(crate) fn ok(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }

    /// It is a problem with this code, complete in every part.
    #[track_caller]
    pub(crate) fn problem(&self, code: Code) -> Problem {
        assert_eq!(self.headers["content-type"], "application/problem+json");
        let problem: Problem = serde_json::from_str(&self.text).unwrap();
        assert_eq!(problem.code, code, "{}", self.text);
        assert_eq!(problem.status, self.status);
        assert_eq!(self.status, code.status());
        assert!(StatusCode::from_u16(self.status).is_ok());
        assert_eq!(
            problem.r#type,
            format!("urn:stemedb:problem:{}", code.name())
        );
        assert_eq!(problem.request_id, self.header("x-request-id"));
        assert!(!problem.detail.is_empty());
        assert_eq!(self.header("cache-control"), "no-store");
        problem
    }
}

/// An assertion about `subject` that says `object`.
pub(crate) fn claim(subject: &str, predicate: &str, object: u64) -> Value {
    serde_json::json!({"subject": subject, "predicate": predicate, "object": object, "agent": "agent:1"})
}
