//! Tokens: what is let in, by route and by scope, and what is not.

use std::time::Duration;

use stemedb_server::token::{NewToken, Scope, Secret, Token, TokenFile};
use stemedb_server::wire::Code;
use stemedb_server::{Settings, service};
use tokio::time::sleep;

use crate::support::{Answer, Home, ask, claim, request};
use crate::wire::{LIVE, Running, header, status};

/// After so many looks without a change, it does not come.
const PATIENCE_LOOKS: u32 = 3000;

/// Every route that needs a token, and which scope.
const ROUTES: [(&str, &str, Scope); 22] = [
    ("GET", "/metrics", Scope::Read),
    ("POST", "/v1/records", Scope::Write),
    // What it asks for is refused, or the answer would not end.
    ("GET", "/v1/changes?since=x", Scope::Read),
    ("POST", "/v1/assertions", Scope::Write),
    ("POST", "/v1/votes", Scope::Write),
    ("POST", "/v1/epochs", Scope::Write),
    ("GET", "/v1/epochs", Scope::Read),
    ("HEAD", "/v1/epochs", Scope::Read),
    ("GET", "/v1/records/x", Scope::Read),
    ("GET", "/v1/assertions/x", Scope::Read),
    ("GET", "/v1/assertions/x/votes", Scope::Read),
    ("GET", "/v1/epochs/x", Scope::Read),
    ("GET", "/v1/subjects", Scope::Read),
    ("GET", "/v1/subjects/s/assertions", Scope::Read),
    ("GET", "/v1/stats", Scope::Read),
    ("HEAD", "/v1/stats", Scope::Read),
    ("GET", "/v1/journal/head", Scope::Read),
    ("GET", "/v1/quarantine", Scope::Read),
    ("GET", "/v1/quarantine/1", Scope::Read),
    ("POST", "/v1/quarantine/1/retry", Scope::Admin),
    ("GET", "/v1/backup", Scope::Admin),
    ("GET", "/v1/backup/segments/x", Scope::Admin),
];

fn token(home: &Home, scopes: &[Scope]) -> (Token, Secret) {
    let new = NewToken {
        name: "test".to_owned(),
        scopes: scopes.to_vec(),
        days: None,
    };
    TokenFile::of(home.path()).create(new).unwrap()
}

/// A home to which a token is needed from the beginning, and one token for each scope.
fn closed() -> (Home, [String; 3]) {
    let mut home = Home::new();
    let secrets = Scope::ALL.map(|scope| token(&home, &[scope]).1.reveal().to_owned());
    home.service = service(home.database.clone(), &Settings::default()).unwrap();
    (home, secrets)
}

async fn send(home: &Home, method: &str, path: &str, token: Option<&str>) -> Answer {
    let field = token.map(|token| format!("Bearer {token}"));
    let mut headers = vec![("content-type", "application/json")];
    headers.extend(field.as_deref().map(|field| ("authorization", field)));
    ask(home.service.router(), request(method, path, &headers, "{")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_needs_a_token_with_its_scope() {
    let (home, [read, write, admin]) = closed();
    for (method, path, scope) in ROUTES {
        let none = send(&home, method, path, None).await.ok(401);
        assert_eq!(none.header("www-authenticate"), "Bearer");
        let wrong = read.replace(&read[read.len() - 4..], "0000");
        send(&home, method, path, Some(&wrong)).await.ok(401);
        let (right, others) = match scope {
            Scope::Write => (&write, vec![&read]),
            Scope::Admin => (&admin, vec![&read, &write]),
            _ => (&read, vec![&write]),
        };
        for other in others {
            let refused = send(&home, method, path, Some(other)).await.ok(403);
            if method != "HEAD" {
                none.problem(Code::Unauthenticated);
                let problem = refused.problem(Code::Forbidden);
                assert!(problem.detail.contains(scope.name()), "{}", problem.detail);
            }
        }
        for token in [right, &admin] {
            let status = send(&home, method, path, Some(token)).await.status;
            assert!(![401, 403].contains(&status), "{method} {path}: {status}");
        }
    }
    for path in ["/healthz/live", "/healthz/ready"] {
        send(&home, "GET", path, None).await.ok(200);
        send(&home, "GET", path, Some("nonsense")).await.ok(200);
    }
    assert_eq!(home.database.stats().unwrap().durable_sequence, 0);
}

/// A route that is added without its scope is missing here, or is answered to nobody.
#[tokio::test(flavor = "multi_thread")]
async fn no_route_is_open_but_those_for_health() {
    let home = Home::new();
    home.service.require_tokens();
    let source = include_str!("../../src/route.rs");
    let added = [".read(", ".write(", ".admin("]
        .map(|add| source.matches(&format!("\n        {add}")).count());
    let gets = ROUTES.iter().filter(|(method, ..)| *method != "HEAD");
    assert_eq!(added.iter().sum::<usize>(), gets.count());
    assert_eq!(source.matches("\n        .open(").count(), 4);
    // Only these four add a route, and each says what it needs.
    assert_eq!(source.matches(".route(").count(), 1);
    assert_eq!(source.matches("self.add(").count(), 4);
    assert_eq!(source.matches(", None)").count(), 1);
    for (method, path, _) in ROUTES {
        send(&home, method, path, None).await.ok(401);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_is_not_read_before_its_token() {
    let (home, [read, ..]) = closed();
    let field = format!("Bearer {read}");
    for token in [None, Some(("authorization", field.as_str()))] {
        let mut headers = vec![("content-length", "99999999999")];
        headers.extend(token);
        let refused = ask(
            home.service.router(),
            request("POST", "/v1/votes", &headers, ""),
        )
        .await;
        assert!([401, 403].contains(&refused.status), "{refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_come_and_go_beside_a_running_server_also_on_an_open_connection() {
    let running = Running::start(&Settings::default()).await;
    let file = TokenFile::of(running.database.directory());
    let mut wire = running.connect().await;
    let stats = |token: &str| {
        format!(
            "GET /v1/stats HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\r\n"
        )
    };
    wire.send(stats("none")).await;
    assert_eq!(wire.status().await, 200);
    let new = NewToken {
        name: "a".to_owned(),
        scopes: vec![Scope::Read],
        days: Some(1),
    };
    let (token, secret) = file.create(new).unwrap();
    let moment = Duration::from_millis(20);
    let mut looks = 0..PATIENCE_LOOKS;
    loop {
        looks.next().unwrap();
        wire.send(stats("none")).await;
        let (head, _) = wire.next().await;
        if status(&head) == 401 {
            assert_eq!(header(&head, "www-authenticate"), Some("Bearer"));
            break;
        }
        sleep(moment).await;
    }
    wire.send(stats(secret.reveal())).await;
    assert_eq!(wire.status().await, 200);
    file.revoke(&token.id).unwrap();
    let mut looks = 0..PATIENCE_LOOKS;
    loop {
        looks.next().unwrap();
        wire.send(stats(secret.reveal())).await;
        if wire.status().await == 401 {
            break;
        }
        sleep(moment).await;
    }
    wire.send(LIVE).await;
    assert_eq!(wire.status().await, 200);
    drop(wire);
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_tokens_other_sites_are_refused() {
    let home = Home::new();
    let send = async |method: &str, headers: &[(&str, &str)]| {
        let mut all = vec![("content-type", "application/json")];
        all.extend(headers);
        let path = if method == "GET" {
            "/v1/stats"
        } else {
            "/v1/assertions"
        };
        let body = claim("s", "p", 1).to_string();
        ask(home.service.router(), request(method, path, &all, body)).await
    };
    let rebound = [("host", "rebound.example:8642")];
    for method in ["GET", "POST"] {
        send(method, &rebound).await.problem(Code::Misdirected);
    }
    let page = [
        ("host", "localhost:8642"),
        ("origin", "https://page.example"),
    ];
    send("POST", &page).await.problem(Code::CrossOrigin);
    send("GET", &page).await.ok(200);
    assert_eq!(home.database.stats().unwrap().durable_sequence, 0);
    let own = [
        ("host", "localhost:8642"),
        ("origin", "http://localhost:8642"),
    ];
    send("POST", &own).await.ok(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_too_often_is_told_to_wait() {
    let mut settings = Settings::default();
    settings.requests_per_second_max = 1;
    let home = Home::with(&settings);
    let answers = [home.get("/v1/stats").await, home.get("/v1/stats").await];
    let refused = answers.iter().find(|answer| answer.status == 429);
    let refused = refused.unwrap();
    refused.problem(Code::RateLimited);
    assert_eq!(refused.header("retry-after"), "1");
    for _ in 0..10 {
        home.get("/healthz/live").await.ok(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_tokens_are_damaged_does_not_start() {
    let home = Home::new();
    std::fs::write(home.path().join("tokens.json"), "{").unwrap();
    let refused = service(home.database.clone(), &Settings::default()).unwrap_err();
    assert!(refused.to_string().contains("tokens"), "{refused}");
}
