use std::sync::Arc;

use axum::http::{HeaderMap, HeaderValue, Method, Uri, header};

use super::{Caller, Gate, check_origin, is_local};
use crate::limits::LOOK_MS;
use crate::token::{NewToken, Scope, TokenFile};
use crate::wire::Code;

fn new() -> NewToken {
    NewToken {
        name: "a".to_owned(),
        scopes: vec![Scope::Read],
        days: None,
    }
}

fn with(name: header::HeaderName, value: &str) -> HeaderMap {
    HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())])
}

fn sends(token: &str) -> HeaderMap {
    with(header::AUTHORIZATION, &format!("Bearer {token}"))
}

async fn second() {
    let look_ms = u64::try_from(LOOK_MS).unwrap();
    tokio::time::advance(std::time::Duration::from_millis(look_ms)).await;
}

#[tokio::test(start_paused = true)]
async fn the_first_token_closes_a_server_and_nothing_opens_it_again() {
    let directory = tempfile::tempdir().unwrap();
    let file = TokenFile::of(directory.path());
    let gate = Gate::new(file.clone()).unwrap();
    let none = HeaderMap::new();
    assert_eq!(gate.caller(&none), Caller::Anyone);
    let (token, secret) = file.create(new()).unwrap();
    second().await;
    assert!(matches!(gate.caller(&none), Caller::Nobody(_)));
    assert_eq!(
        gate.caller(&sends(secret.reveal())),
        Caller::Bearer(token.clone())
    );

    file.revoke(&token.id).unwrap();
    second().await;
    assert!(matches!(
        gate.caller(&sends(secret.reveal())),
        Caller::Nobody(_)
    ));
    std::fs::remove_file(file.path()).unwrap();
    second().await;
    assert!(matches!(gate.caller(&none), Caller::Nobody(_)));
}

#[tokio::test(start_paused = true)]
async fn where_the_last_token_was_revoked_a_new_server_is_closed_too() {
    let directory = tempfile::tempdir().unwrap();
    let file = TokenFile::of(directory.path());
    let (token, _) = file.create(new()).unwrap();
    file.revoke(&token.id).unwrap();
    let gate = Gate::new(file).unwrap();
    assert!(matches!(gate.caller(&HeaderMap::new()), Caller::Nobody(_)));
}

#[tokio::test(start_paused = true)]
async fn a_file_that_cannot_be_read_lets_nobody_in_until_it_can() {
    let directory = tempfile::tempdir().unwrap();
    let file = TokenFile::of(directory.path());
    let (_, secret) = file.create(new()).unwrap();
    let gate = Gate::new(file.clone()).unwrap();
    let aside = directory.path().join("aside");
    std::fs::rename(file.path(), &aside).unwrap();
    std::fs::create_dir(file.path()).unwrap();
    second().await;
    let headers = sends(secret.reveal());
    assert_eq!(gate.caller(&headers), Caller::Unknown);
    second().await;
    assert_eq!(gate.caller(&headers), Caller::Unknown);
    assert!(Gate::new(file.clone()).is_err());
    std::fs::remove_dir(file.path()).unwrap();
    std::fs::rename(&aside, file.path()).unwrap();
    second().await;
    assert!(matches!(gate.caller(&headers), Caller::Bearer(_)));
}

#[expect(
    clippy::disallowed_methods,
    reason = "tokens are no files of the journal"
)]
fn write(file: &TokenFile, text: &str) {
    std::fs::write(file.path(), text).unwrap();
}

#[tokio::test(start_paused = true)]
async fn who_was_let_in_is_so_for_as_long_as_the_token_is_good() {
    let directory = tempfile::tempdir().unwrap();
    let file = TokenFile::of(directory.path());
    let gate = Gate::new(file.clone()).unwrap();
    let check = |caller: &Caller, scope| gate.check(caller, scope).map_err(|problem| problem.code);
    assert_eq!(check(&Caller::Anyone, Scope::Write), Ok(()));
    let (token, _) = file.create(new()).unwrap();
    second().await;
    let over = Err(Code::Unauthenticated);
    assert_eq!(check(&Caller::Anyone, Scope::Write), over);
    let caller = Caller::Bearer(token.clone());
    assert_eq!(check(&caller, Scope::Read), Ok(()));
    assert_eq!(check(&caller, Scope::Write), over);
    // As it was let in it had no end; now it has one, which is over.
    let text = std::fs::read_to_string(file.path()).unwrap();
    let mut document: serde_json::Value = serde_json::from_str(&text).unwrap();
    let row = &mut document["tokens"][0];
    row["expires_at"] = row["created_at"].clone();
    write(&file, &document.to_string());
    second().await;
    assert_eq!(check(&caller, Scope::Read), over);
    write(&file, &text);
    second().await;
    assert_eq!(check(&caller, Scope::Read), Ok(()));
    file.revoke(&token.id).unwrap();
    assert_eq!(
        gate.ended(&caller, Scope::Read).await.code,
        Code::Unauthenticated
    );
    assert_eq!(check(&Caller::Nobody("x"), Scope::Read), over);
}

#[tokio::test(start_paused = true)]
async fn only_a_bearer_has_a_token() {
    let directory = tempfile::tempdir().unwrap();
    let file = TokenFile::of(directory.path());
    let (_, secret) = file.create(new()).unwrap();
    let gate = Arc::new(Gate::new(file).unwrap());
    let secret = secret.reveal();
    for (field, is_let_in) in [
        (format!("Bearer {secret}"), true),
        (format!("bearer  {secret} "), true),
        (format!("Basic {secret}"), false),
        (format!("Bearer{secret}"), false),
        (secret.to_owned(), false),
        (format!("Bearer {secret},Bearer {secret}"), false),
        ("Bearer ".to_owned(), false),
        (String::new(), false),
    ] {
        let caller = gate.caller(&with(header::AUTHORIZATION, &field));
        assert_eq!(matches!(caller, Caller::Bearer(_)), is_let_in, "{field}");
    }
}

#[test]
fn this_machine_has_few_names() {
    for host in [
        "localhost",
        "LOCALHOST:80",
        "a.localhost",
        "127.0.0.1",
        "127.8.9.1:1",
        "[::1]:8642",
        "[::ffff:127.0.0.1]",
    ] {
        assert!(is_local(host), "{host}");
    }
    for host in [
        "",
        "example.org",
        "localhost.example.org",
        "notlocalhost",
        "127.0.0.1.example.org",
        "0.0.0.0",
        "10.0.0.1",
        "[::]",
        "localhost@example.org",
        "x@localhost",
        "localhost/",
        "::1",
        "2130706433",
    ] {
        assert!(!is_local(host), "{host}");
    }
}

#[test]
fn pages_of_other_sites_are_refused() {
    let path = Uri::from_static("/v1/stats");
    let asks = |method: &Method, uri: &Uri, host: &str, origin: Option<&str>| {
        let mut headers = with(header::HOST, host);
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, HeaderValue::from_str(origin).unwrap());
        }
        check_origin(method, uri, &headers).map_err(|problem| problem.code.name())
    };
    let (get, post) = (Method::GET, Method::POST);
    assert_eq!(
        asks(&get, &path, "rebound.example", None),
        Err("misdirected")
    );
    let absolute = Uri::from_static("http://rebound.example/v1/stats");
    assert_eq!(asks(&get, &absolute, "localhost", None), Err("misdirected"));
    assert_eq!(
        asks(&get, &path, "localhost:1", Some("https://x.example")),
        Ok(())
    );
    assert_eq!(
        asks(&post, &path, "localhost:1", Some("http://localhost:1")),
        Ok(())
    );
    for origin in [
        "https://x.example",
        "http://localhost:2",
        "null",
        "",
        "localhost:1",
    ] {
        let refused = asks(&post, &path, "localhost:1", Some(origin));
        assert_eq!(refused, Err("cross_origin"), "{origin}");
    }
}
