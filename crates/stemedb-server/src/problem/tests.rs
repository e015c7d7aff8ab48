use axum::{http::HeaderValue, response::IntoResponse as _};
use stemedb::{Database, ErrorKind};

use super::{Asked, Problem, code_for, render};
use crate::wire::Code;

const KINDS: [ErrorKind; 8] = [
    ErrorKind::Invalid,
    ErrorKind::NotFound,
    ErrorKind::Conflict,
    ErrorKind::Unavailable,
    ErrorKind::Corruption,
    ErrorKind::Unsupported,
    ErrorKind::Closed,
    ErrorKind::Internal,
];

#[test]
fn every_kind_has_its_status() {
    let read = KINDS.map(|kind| code_for(kind, Asked::Read).status());
    assert_eq!(read, [400, 404, 503, 503, 500, 500, 503, 500]);
    let write = KINDS.map(|kind| code_for(kind, Asked::Write).status());
    assert_eq!(write, [422, 404, 503, 503, 500, 500, 503, 500]);
}

#[test]
fn a_failure_of_the_server_names_no_path_and_tells_a_writer_that_the_outcome_is_unknown() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("data");
    let builder = Database::builder().create(stemedb::Create::IfMissing);
    let _held = builder.clone().open(&path).unwrap();
    let locked = builder.open(&path).unwrap_err();
    assert!(locked.to_string().contains("data"), "{locked}");

    let read = Problem::of(&locked, Asked::Read);
    assert_eq!(read.code, Code::Unavailable);
    assert!(!read.detail.contains("data/"), "{}", read.detail);
    assert!(!read.detail.contains("outcome unknown"));
    let write = Problem::of(&locked, Asked::Write);
    assert!(write.detail.contains("outcome unknown; send it again"));
}

#[test]
fn what_passes_says_when_to_come_back() {
    let id = HeaderValue::from_static("one");
    let passing = Problem::shutting_down().into_response();
    let response = render(passing, id.clone());
    assert_eq!(response.status(), 503);
    assert_eq!(response.headers()["connection"], "close");
    assert_eq!(response.headers()["retry-after"], "1");
    assert_eq!(response.headers()["x-request-id"], "one");
    let lasting = Problem::new(Code::BadQuery, "x").into_response();
    let response = render(lasting, id);
    assert!(!response.headers().contains_key("retry-after"));
    assert_eq!(response.headers()["cache-control"], "no-store");
}

#[test]
fn a_full_disk_has_a_code_of_its_own_whatever_was_asked() {
    let full = || stemedb_wal::AppendError::NoSpace {
        path: "place/wal".into(),
    };
    for asked in [Asked::Read, Asked::Write] {
        let problem = Problem::of(&full().into(), asked);
        assert_eq!((problem.code, problem.status), (Code::NoSpace, 507));
        assert!(problem.detail.contains("make room"), "{}", problem.detail);
        assert!(!problem.detail.contains("place"), "{}", problem.detail);
        // The journal kept nothing of it, which is known.
        assert!(!problem.detail.contains("unknown"), "{}", problem.detail);
    }
    // What was written, and is not known to be durable, may have been kept.
    let unknown = stemedb_wal::AppendError::Unknown {
        operation: "sync",
        path: "place/wal".into(),
        source: std::sync::Arc::new(std::io::ErrorKind::StorageFull.into()),
    };
    let problem = Problem::of(&unknown.into(), Asked::Write);
    assert_eq!(problem.code, Code::NoSpace);
    assert!(
        problem.detail.contains("outcome unknown"),
        "{}",
        problem.detail
    );
    let response = render(
        Problem::of(&full().into(), Asked::Write).into_response(),
        HeaderValue::from_static("one"),
    );
    assert_eq!(response.status(), 507);
    assert!(!response.headers().contains_key("retry-after"));
}
