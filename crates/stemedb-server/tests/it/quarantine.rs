//! What could not be applied, and trying it again.

use serde_json::{Value, json};
use stemedb::{Create, Database, Record, Sequence};
use stemedb_ingest::{Quarantined, cursor, serialize};
use stemedb_server::wire::Code;
use stemedb_storage::{Batch, Entry, HybridStore, KVStore as _, Key, Origin};

use crate::support::{Home, claim};

fn payload(number: u64) -> Vec<u8> {
    let mut claim = claim("subject", "predicate", number);
    claim["type"] = json!("assertion");
    let record = Record::from_json(claim.to_string().as_bytes()).unwrap();
    serialize(&record).unwrap()
}

fn sequence(number: u64) -> Sequence {
    Sequence::new(number).unwrap()
}

/// A database in whose store an older program has put `known` and `unknown` into quarantine.
fn quarantined() -> Home {
    let mut unknown = payload(2);
    unknown[0] = 9;
    let payloads = [payload(1), unknown];
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("data");
    let builder = Database::builder().create(Create::IfMissing);
    builder.open(&path).unwrap().close().unwrap();
    let mut journal = stemedb_wal::Journal::open(path.join("wal")).unwrap();
    for payload in &payloads {
        journal.append(payload.clone()).unwrap();
    }
    let head = journal.state().head.unwrap();
    journal.close().unwrap();
    let store = HybridStore::open(path.join("db")).unwrap();
    let entry = |(number, payload): (u64, &Vec<u8>)| {
        let (sequence, arrived_at_ms) = (sequence(number), 1_700_000_000_123);
        let origin = Origin {
            sequence,
            arrived_at_ms,
        };
        let quarantined = Quarantined {
            reason: "an older program did not know it".to_owned(),
            payload: payload.clone(),
        };
        Entry::new(&Key::Quarantine(sequence), origin, &quarantined.encode()).unwrap()
    };
    let batch = Batch {
        first: sequence(1),
        cursor: cursor(&head),
        entries: (1..).zip(&payloads).map(entry).collect(),
        duplicates: vec![],
    };
    store.apply(batch).unwrap();
    store.persist().unwrap();
    drop(store);
    Home::at(directory)
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_listed_shown_and_what_applies_now_is_stored_once() {
    let home = quarantined();
    let list = home.get("/v1/quarantine").await.ok(200).json();
    let items = list["items"].as_array().unwrap();
    assert_eq!(items.len(), 2);
    let first = json!({
        "sequence": 1,
        "arrived_at": "2023-11-14T22:13:20.123Z",
        "reason": "an older program did not know it",
        "bytes": payload(1).len(),
    });
    assert_eq!(items[0], first);
    let page = home.get("/v1/quarantine?limit=1").await.ok(200).json();
    let next = page["next_cursor"].as_str().unwrap();
    let page = home.get(&format!("/v1/quarantine?cursor={next}")).await;
    assert_eq!(page.ok(200).json()["items"], json!([items[1]]));
    let shown = home.get("/v1/quarantine/1").await.ok(200).json();
    let hex = data_encoding::HEXLOWER.encode(&payload(1));
    assert_eq!(shown["payload"], Value::from(hex));

    let stored = home.post("/v1/quarantine/1/retry", "").await.ok(201).json();
    let again = home.post("/v1/quarantine/1/retry", "").await.ok(200).json();
    assert_eq!(
        (&stored["sequence"], &stored["status"]),
        (&json!(3), &json!("stored"))
    );
    assert_eq!(
        (&again["sequence"], &again["status"]),
        (&json!(3), &json!("already_stored"))
    );
    assert_eq!(stored["durability"], "sync");
    let path = format!(
        "/v1/records/{}?min_sequence=3",
        stored["id"].as_str().unwrap()
    );
    assert_eq!(
        home.get(&path).await.ok(200).json()["object"]["number"],
        1.0
    );

    let refused = home.post("/v1/quarantine/2/retry", "").await;
    let problem = refused.problem(Code::InvalidRecord);
    assert!(
        problem.detail.contains("record type 9 is unknown"),
        "{problem:?}"
    );
    assert_eq!(home.database.stats().unwrap().durable_sequence, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_not_found() {
    let home = Home::new();
    for path in ["/v1/quarantine/0", "/v1/quarantine/7"] {
        home.get(path).await.problem(Code::RecordNotFound);
        let retried = home.post(&format!("{path}/retry"), "").await;
        retried.problem(Code::RecordNotFound);
    }
    home.get("/v1/quarantine/one").await.problem(Code::BadPath);
    home.post("/v1/quarantine/1/retry?all=1", "")
        .await
        .problem(Code::BadQuery);
    home.get("/v1/quarantine?cursor=00")
        .await
        .problem(Code::BadCursor);
}
