use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::HeaderValue,
    middleware::{Next, from_fn_with_state},
    routing::get,
};
use stemedb::{Create, Database};
use tower::ServiceExt as _;

use super::guard;
use crate::route::Around;
use crate::{Settings, service};

#[tokio::test]
async fn a_handler_that_panics_is_an_internal_failure_and_the_next_request_is_answered() {
    async fn panics() -> &'static str {
        panic!("on purpose")
    }
    let parent = tempfile::tempdir().unwrap();
    let builder = Database::builder().create(Create::IfMissing);
    let database = builder.open(parent.path().join("data")).unwrap();
    let service = service(Arc::new(database), &Settings::default()).unwrap();
    let around = Around {
        shared: service.shared(),
        need: None,
    };
    let guarded = from_fn_with_state(
        around,
        async |State(around): State<Around>, request: Request, next: Next| {
            let id = HeaderValue::from_static("some");
            guard(&around, request, (next, id)).await
        },
    );
    let routes = Router::new()
        .route("/panics", get(panics).post(panics))
        .route("/fine", get(async || "fine"))
        .layer(guarded);
    let ask = async |method: &str, path: &str| {
        let request = Request::builder().method(method).uri(path);
        let request = request.body(Body::empty()).unwrap();
        let response = routes.clone().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let body = axum::body::to_bytes(response.into_body(), 10_000).await;
        (status, String::from_utf8(body.unwrap().to_vec()).unwrap())
    };
    let (status, text) = ask("GET", "/panics").await;
    assert_eq!(status, 500);
    assert!(text.contains(r#""code":"internal""#), "{text}");
    assert!(!text.contains("on purpose") && !text.contains("outcome unknown"));
    let (_, text) = ask("POST", "/panics").await;
    assert!(text.contains("outcome unknown; send it again"), "{text}");
    assert_eq!(ask("GET", "/fine").await, (200, "fine".to_owned()));
}
