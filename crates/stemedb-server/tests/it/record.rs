//! Storing records, and reading them by their ids.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::{Value, json};
use stemedb::{Database, Record};
use stemedb_server::Settings;
use stemedb_server::wire::{Code, Receipt, Receipts, Status, StoredRecord};

use crate::support::{Answer, Home, ask, claim, post};

#[tokio::test(flavor = "multi_thread")]
async fn a_record_is_stored_once_and_read_by_its_id() {
    let home = Home::new();
    let first = home
        .post("/v1/assertions", claim("s", "p", 1))
        .await
        .ok(201);
    let receipt = first.json();
    let id = receipt["id"].as_str().unwrap();
    let expected = json!({"id": id, "type": "assertion", "sequence": 1, "durability": "sync", "status": "stored"});
    assert_eq!(receipt, expected);
    assert_eq!(first.header("location"), format!("/v1/records/{id}"));
    assert_eq!(first.header("etag"), format!("\"{id}\""));

    let again = home
        .post("/v1/assertions", claim("s", "p", 1))
        .await
        .ok(200);
    let mut expected = expected;
    expected["status"] = json!("already_stored");
    assert_eq!(again.json(), expected);

    let read = home
        .get(&format!("/v1/records/{id}?min_sequence=1"))
        .await
        .ok(200);
    let record = read.json();
    assert_eq!(record["id"], receipt["id"]);
    assert_eq!(record["object"], json!({"number": 1.0}));
    assert_eq!(home.database.stats().unwrap().counts.assertions, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_array_is_stored_whole_or_not_at_all() {
    let home = Home::new();
    let mut claims: Vec<Value> = (0..5).map(|number| claim("s", "p", number)).collect();
    claims[3]["confidence"] = json!(2);
    claims[4]["agent"] = json!("did:key:z6MkehRgf7yJbgaGfYsdoAsKdBPE3dj2CYhowQdcjqSJgvVd");
    let refused = home.post("/v1/assertions", json!(claims)).await;
    let problem = refused.problem(Code::InvalidRecord);
    let indexes: Vec<_> = problem.errors.iter().map(|error| error.index).collect();
    assert_eq!(indexes, [3, 4]);
    assert_eq!(problem.errors[0].detail, "confidence: 2 is outside 0..=1");
    assert_eq!(home.database.stats().unwrap().durable_sequence, 0);

    claims.truncate(3);
    claims.push(claims[0].clone());
    let stored = home.post("/v1/assertions", json!(claims)).await.ok(201);
    let receipts: Receipts = serde_json::from_str(&stored.text).unwrap();
    let told: Vec<_> = receipts
        .results
        .iter()
        .map(|receipt| (receipt.sequence, receipt.status))
        .collect();
    let stored = Status::Stored;
    assert_eq!(
        told,
        [
            (1, stored),
            (2, stored),
            (3, stored),
            (1, Status::AlreadyStored)
        ]
    );
    home.post("/v1/assertions", json!(claims)).await.ok(200);
    assert_eq!(home.database.stats().unwrap().durable_sequence, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_are_those_of_the_reference() {
    let vectors = include_str!("../../../stemedb-core/tests/data/vectors.json");
    let vectors: Value = serde_json::from_str(vectors).unwrap();
    let home = Home::new();
    let vectors = vectors["vectors"].as_array().unwrap();
    for vector in vectors {
        let mut record = vector["record"].clone();
        if let Some(signature) = vector.get("signature") {
            record["signature"] = signature.clone();
        }
        let route = route_of(&record["type"]);
        let stored = home.post(route, &record).await;
        assert!([200, 201].contains(&stored.status), "{}", stored.text);
        assert_eq!(stored.json()["id"], vector["id"], "{record}");
        // The type of the route need not be said.
        record.as_object_mut().unwrap().remove("type");
        let again = home.post(route, &record).await.ok(200);
        assert_eq!(again.json()["sequence"], stored.json()["sequence"]);
    }
    assert!(vectors.len() > 10);
}

fn route_of(record_type: &Value) -> &'static str {
    match record_type.as_str().unwrap() {
        "assertion" => "/v1/assertions",
        "vote" => "/v1/votes",
        _ => "/v1/epochs",
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_type_has_its_route_and_is_read_by_any_that_fits() {
    let home = Home::new();
    let stored = |answer: Answer| answer.ok(201).json()["id"].as_str().unwrap().to_owned();
    let assertion = stored(home.post("/v1/assertions", claim("s", "p", 1)).await);
    let vote = json!({"assertion": assertion, "agent": "a", "weight": 1});
    let vote = stored(home.post("/v1/votes", vote).await);
    let epoch = stored(
        home.post("/v1/epochs", json!({"name": "n", "agent": "a"}))
            .await,
    );
    home.settle();
    for (id, type_name) in [
        (&assertion, "assertion"),
        (&vote, "vote"),
        (&epoch, "epoch"),
    ] {
        let record = home.get(&format!("/v1/records/{id}")).await.ok(200);
        assert_eq!(record.json()["type"], type_name);
        let read: StoredRecord = serde_json::from_str(&record.text).unwrap();
        assert_eq!(read.record.id().unwrap().to_string(), *id);
    }
    home.get(&format!("/v1/assertions/{assertion}"))
        .await
        .ok(200);
    home.get(&format!("/v1/epochs/{epoch}")).await.ok(200);
    for path in [
        format!("/v1/assertions/{vote}"),
        format!("/v1/epochs/{assertion}"),
    ] {
        home.get(&path).await.problem(Code::RecordNotFound);
    }
    let wrong = home.post(
        "/v1/votes",
        json!({"type": "epoch", "name": "n", "agent": "a"}),
    );
    let problem = wrong.await.problem(Code::InvalidRecord);
    assert_eq!(
        problem.detail,
        "type: this route takes records of type vote, found epoch"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_the_client_has_is_not_sent_again() {
    let home = Home::new();
    let stored = home
        .post("/v1/assertions", claim("s", "p", 1))
        .await
        .ok(201);
    home.settle();
    let id = stored.json()["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/records/{id}");
    let etag = format!("\"{id}\"");
    let fresh = home.get(&path).await.ok(200);
    assert_eq!(fresh.header("etag"), etag);
    assert_eq!(fresh.header("cache-control"), "max-age=31536000, immutable");
    for tags in [etag.clone(), format!("\"x\", W/{etag}"), "*".to_owned()] {
        let known = home
            .get_with(&path, &[("if-none-match", &tags)])
            .await
            .ok(304);
        assert_eq!(
            (known.text.as_str(), known.header("etag")),
            ("", etag.as_str())
        );
    }
    home.get_with(&path, &[("if-none-match", &id)])
        .await
        .ok(200);
    let unknown = format!("/v1/records/{}", "0".repeat(64));
    let unknown = home.get_with(&unknown, &[("if-none-match", "*")]).await;
    unknown.problem(Code::RecordNotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_of_many_that_come_at_once_is_told_of_its_own_records() {
    let home = Home::new();
    let writers = (0..128).map(|writer: u64| {
        let router = home.service.router();
        tokio::spawn(async move {
            // From one to four records, as an array where there are several.
            let records: Vec<_> = (0..=writer % 4)
                .map(|number| claim("s", "p", 10 * writer + number))
                .collect();
            let ids = records.iter().map(|record| {
                let record = Record::from_json_of("assertion", record.to_string().as_bytes());
                record.unwrap().verify().unwrap().to_string()
            });
            let ids: Vec<_> = ids.collect();
            let body = match records.as_slice() {
                [one] => one.clone(),
                many => json!(many),
            };
            let answer = ask(router, post("/v1/assertions", body)).await.ok(201);
            let told = match ids.len() {
                1 => vec![serde_json::from_str(&answer.text).unwrap()],
                _ => {
                    serde_json::from_str::<Receipts>(&answer.text)
                        .unwrap()
                        .results
                }
            };
            let told: Vec<_> = told.iter().map(|it: &Receipt| it.id.to_string()).collect();
            assert_eq!(told, ids);
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_of_the_same_record_are_given_one_sequence() {
    let home = Home::new();
    let writers = (0..64).map(|writer: u64| {
        let router = home.service.router();
        // Each record has eight writers.
        tokio::spawn(async move {
            ask(router, post("/v1/assertions", claim("s", "p", writer % 8))).await
        })
    });
    let writers: Vec<_> = writers.collect();
    let mut sequences: HashMap<String, Vec<(u64, bool)>> = HashMap::new();
    for writer in writers {
        let answer = writer.await.unwrap();
        let receipt: Receipt = serde_json::from_str(&answer.text).unwrap();
        let is_new = receipt.status == Status::Stored;
        assert_eq!(answer.status, if is_new { 201 } else { 200 });
        let told = sequences.entry(receipt.id.to_string()).or_default();
        told.push((receipt.sequence, is_new));
    }
    assert_eq!(sequences.len(), 8);
    for told in sequences.values() {
        assert_eq!(told.len(), 8);
        assert!(told.iter().all(|(sequence, _)| *sequence == told[0].0));
        assert_eq!(told.iter().filter(|(_, is_new)| *is_new).count(), 1);
    }
    assert_eq!(home.database.stats().unwrap().durable_sequence, 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn waived_durability_is_said() {
    let day = Duration::from_hours(24);
    let builder = Database::builder().durability(stemedb::Durability::Interval(day));
    let home = Home::of(builder, &Settings::default());
    let stored = home
        .post("/v1/assertions", claim("s", "p", 1))
        .await
        .ok(202);
    assert_eq!(stored.json()["durability"], "interval");
    let again = home
        .post("/v1/assertions", claim("s", "p", 1))
        .await
        .ok(200);
    assert_eq!(again.json()["status"], "already_stored");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_is_there_when_the_database_is_opened_again() {
    let home = Home::new();
    let claims: Vec<Value> = (0..1000).map(|number| claim("s", "p", number)).collect();
    home.post("/v1/assertions", json!(claims)).await.ok(201);
    let (database, _directory) = home.reopened().await;
    assert_eq!(database.stats().unwrap().counts.assertions, 1000);
}
