use std::future::pending;
use std::sync::Arc;

use axum::{Router, body::Body, extract::Request, routing::get};
use stemedb::{Create, Database};
use tower::ServiceExt as _;

use crate::inlet::Inlet;
use crate::route::Guarded;
use crate::state::Shared;
use crate::{Settings, service};

/// These routes, on a server of their own.
fn served(settings: &Settings, routes: Router<Arc<Shared>>) -> (Router, tempfile::TempDir) {
    let parent = tempfile::tempdir().unwrap();
    let builder = Database::builder().create(Create::IfMissing);
    let database = builder.open(parent.path().join("data")).unwrap();
    let service = service(Arc::new(database), settings).unwrap();
    (routes.with_state(service.shared()), parent)
}

async fn ask(routes: &Router, method: &str, path: &str) -> (u16, String) {
    let request = Request::builder().method(method).uri(path);
    let request = request.body(Body::empty()).unwrap();
    let response = routes.clone().oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let body = axum::body::to_bytes(response.into_body(), 10_000).await;
    (status, String::from_utf8(body.unwrap().to_vec()).unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_writer_whose_request_takes_too_long_is_told_that_the_outcome_is_unknown() {
    async fn endless(request: Request) -> &'static str {
        let mut inlet = Inlet::new(request, &Settings::default());
        assert_eq!(inlet.next().await.unwrap(), None);
        pending().await
    }
    let endless = Guarded::refusal(endless);
    let routes = Router::new().route("/endless", get(endless.clone()).post(endless));
    let (routes, _parent) = served(&Settings::default(), routes);
    let (status, text) = ask(&routes, "POST", "/endless").await;
    assert_eq!(status, 503);
    assert!(text.contains(r#""code":"request_timeout""#), "{text}");
    assert!(text.contains("outcome unknown; send it again"), "{text}");
    let (_, text) = ask(&routes, "GET", "/endless").await;
    assert!(!text.contains("outcome unknown"), "{text}");
}

#[tokio::test]
async fn a_handler_that_panics_is_an_internal_failure_and_the_next_request_is_answered() {
    async fn panics() -> &'static str {
        panic!("on purpose")
    }
    let panics = Guarded::refusal(panics);
    let routes = Router::new()
        .route("/panics", get(panics.clone()).post(panics))
        .route("/fine", get(Guarded::refusal(async || "fine")));
    let (routes, _parent) = served(&Settings::default(), routes);
    let (status, text) = ask(&routes, "GET", "/panics").await;
    assert_eq!(status, 500);
    assert!(text.contains(r#""code":"internal""#), "{text}");
    assert!(!text.contains("on purpose") && !text.contains("outcome unknown"));
    let (_, text) = ask(&routes, "POST", "/panics").await;
    assert!(text.contains("outcome unknown; send it again"), "{text}");
    assert_eq!(ask(&routes, "GET", "/fine").await, (200, "fine".to_owned()));
}
