//! Lists: pages to their end, as of a sequence, and what begins with a prefix.

use serde_json::{Value, json};
use stemedb::Record;
use stemedb_server::wire::{Chain, Code, Page, StoredRecord, SubjectCount, VotePage, VoteTotals};

use crate::support::{Home, claim};

/// A home with `count` assertions about `s`, by turns under two predicates.
async fn claims(count: u64) -> Home {
    let home = Home::new();
    let predicate = |number| if number % 2 == 0 { "even" } else { "odd" };
    let claims: Vec<Value> = (0..count)
        .map(|number| claim("s", predicate(number), number))
        .collect();
    home.post("/v1/assertions", json!(claims)).await.ok(201);
    home.settle();
    home
}

async fn page(home: &Home, path: &str) -> Page<StoredRecord> {
    serde_json::from_str(&home.get(path).await.ok(200).text).unwrap()
}

/// The sequences of a whole list, read in pages of `limit`.
async fn all(home: &Home, path: &str, limit: usize) -> Vec<u64> {
    let mut sequences = Vec::new();
    let mut next = format!("{path}&limit={limit}");
    loop {
        let Page {
            items,
            next_cursor,
            cursors,
        } = page(home, &format!("{next}&cursors=true")).await;
        assert_eq!(cursors.len(), items.len());
        assert!(items.len() <= limit);
        sequences.extend(items.iter().map(|item| item.sequence.get()));
        match next_cursor {
            Some(cursor) => {
                assert_eq!(cursors.last(), Some(&cursor));
                next = format!("{path}&limit={limit}&cursor={cursor}");
            }
            None => return sequences,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_read_to_its_end_in_pages_of_any_length() {
    let home = claims(23).await;
    let whole = all(&home, "/v1/subjects/s/assertions?", 1000).await;
    assert_eq!(whole.len(), 23);
    for limit in [1, 2, 22, 23] {
        let parts = all(&home, "/v1/subjects/s/assertions?", limit).await;
        assert_eq!(parts, whole, "{limit}");
    }
    let even = all(&home, "/v1/subjects/s/assertions?predicate=even", 5).await;
    assert_eq!(even, (1..=23).step_by(2).collect::<Vec<_>>());
    let none = page(&home, "/v1/subjects/nobody/assertions").await;
    assert_eq!((none.items.len(), none.next_cursor), (0, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn as_of_shows_what_had_arrived() {
    let home = claims(10).await;
    let known = all(&home, "/v1/subjects/s/assertions?as_of=4", 3).await;
    assert_eq!(known.len(), 4);
    let subjects = home.get("/v1/subjects?as_of=7").await.ok(200).json();
    assert_eq!(
        subjects["items"],
        json!([{"subject": "s", "assertions": 7}])
    );
    let id = page(&home, "/v1/subjects/s/assertions?limit=1&predicate=odd")
        .await
        .items[0]
        .id;
    home.get(&format!("/v1/records/{id}?as_of=2")).await.ok(200);
    let before = home.get(&format!("/v1/records/{id}?as_of=1")).await;
    before.problem(Code::RecordNotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn subjects_are_listed_by_prefix_with_their_counts() {
    let home = Home::new();
    let names = ["Tesla", "Tesla_Inc", "Tesl\u{e4}", "a/b c", "Eiffel Tower"];
    let mut claims: Vec<Value> = names.iter().map(|name| claim(name, "p", 1)).collect();
    claims.push(claim("Tesla", "p", 2));
    home.post("/v1/assertions", json!(claims)).await.ok(201);
    home.settle();
    let list = async |query: &str| -> Vec<(String, u64)> {
        let listed = home.get(&format!("/v1/subjects{query}")).await.ok(200);
        let listed: Page<SubjectCount> = serde_json::from_str(&listed.text).unwrap();
        let counts = listed.items.into_iter();
        counts
            .map(|count| (count.subject, count.assertions))
            .collect()
    };
    let tesla = [("Tesla".to_owned(), 2), ("Tesla_Inc".to_owned(), 1)];
    assert_eq!(list("?prefix=Tesla").await, tesla);
    assert_eq!(list("?prefix=Tesl%C3%A4").await[0].1, 1);
    assert_eq!(list("?prefix=Eiffel+T").await.len(), 1);
    assert_eq!(list("").await.len(), 5);
    let slash = page(&home, "/v1/subjects/a%2Fb%20c/assertions").await;
    assert_eq!(slash.items.len(), 1);

    let first = home.get("/v1/subjects?limit=2").await.ok(200).json();
    let cursor = first["next_cursor"].as_str().unwrap();
    assert_eq!(list(&format!("?cursor={cursor}")).await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn votes_come_with_their_sums_whatever_the_page() {
    let home = Home::new();
    let assertion = home
        .post("/v1/assertions", claim("s", "p", 1))
        .await
        .ok(201)
        .json();
    let id = assertion["id"].as_str().unwrap();
    let votes = [1.0, 0.5, -0.25, 0.0]
        .map(|weight| json!({"assertion": id, "agent": "a", "weight": weight}));
    home.post("/v1/votes", json!(votes)).await.ok(201);
    home.settle();
    let path = format!("/v1/assertions/{id}/votes");
    let votes = home.get(&format!("{path}?limit=3")).await.ok(200);
    let votes: VotePage = serde_json::from_str(&votes.text).unwrap();
    let totals = VoteTotals {
        count: 4,
        r#for: 2,
        against: 1,
        weight_sum: 1.25,
    };
    assert_eq!((votes.items.len(), votes.totals), (3, totals));
    let cursor = votes.next_cursor.unwrap();
    let rest = home.get(&format!("{path}?cursor={cursor}")).await.ok(200);
    let rest: VotePage = serde_json::from_str(&rest.text).unwrap();
    assert_eq!((rest.items.len(), rest.totals), (1, totals));
    // Sequence 1 is the assertion, 2 and 3 are the first votes.
    let before = home.get(&format!("{path}?as_of=3")).await.ok(200).json();
    assert_eq!(
        before["totals"],
        json!({"count": 2, "for": 2, "against": 0, "weight_sum": 1.5})
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn votes_on_what_is_not_known_yet_are_shown_and_others_not_found() {
    let home = Home::new();
    let unknown = "7".repeat(64);
    let vote = json!({"assertion": unknown, "agent": "a", "weight": -1});
    let vote = home.post("/v1/votes", vote).await.ok(201).json();
    home.settle();
    let shown = home
        .get(&format!("/v1/assertions/{unknown}/votes"))
        .await
        .ok(200);
    assert_eq!(shown.json()["totals"]["against"], 1);
    let none = format!("/v1/assertions/{}/votes", "8".repeat(64));
    home.get(&none).await.problem(Code::RecordNotFound);
    let of_vote = format!("/v1/assertions/{}/votes", vote["id"].as_str().unwrap());
    home.get(&of_vote).await.problem(Code::RecordNotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_epoch_comes_with_what_it_supersedes() {
    let home = Home::new();
    let first = json!({"name": "first", "agent": "a"});
    let mut ids = vec![home.post("/v1/epochs", first).await.ok(201).json()["id"].clone()];
    for name in ["second", "third"] {
        let epoch = json!({"name": name, "agent": "a", "supersedes": ids.last()});
        ids.push(home.post("/v1/epochs", epoch).await.ok(201).json()["id"].clone());
    }
    let lone = json!({"name": "lone", "agent": "a", "supersedes": "5".repeat(64)});
    let lone = home.post("/v1/epochs", lone).await.ok(201).json();
    home.settle();

    let chain = async |id: &Value| -> Chain {
        let path = format!("/v1/epochs/{}", id.as_str().unwrap());
        serde_json::from_str(&home.get(&path).await.ok(200).text).unwrap()
    };
    let whole = chain(&ids[2]).await;
    let found: Vec<Value> = whole.items.iter().map(|item| json!(item.id)).collect();
    assert_eq!(found, [ids[2].clone(), ids[1].clone(), ids[0].clone()]);
    assert_eq!((whole.missing, whole.next), (None, None));
    assert_eq!(chain(&lone["id"]).await.missing, Some("5".repeat(64)));
    assert_eq!(page(&home, "/v1/epochs").await.items.len(), 4);
    assert_eq!(all(&home, "/v1/epochs?", 1).await.len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_chain_of_epochs_comes_in_parts() {
    // By their bytes, and by their number.
    for (epochs, description) in [(90, 64_000), (150, 1)] {
        let home = Home::new();
        let mut expected: Vec<String> = vec!["5".repeat(64)];
        let records = (0..epochs).map(|number| {
            let text = "d".repeat(description);
            let epoch = json!({"type": "epoch", "name": format!("{number}"), "agent": "a",
                "description": text, "supersedes": expected.last()});
            let epoch = Record::from_json(epoch.to_string().as_bytes()).unwrap();
            expected.push(epoch.id().unwrap().to_string());
            epoch
        });
        let records: Vec<Record> = records.collect();
        let receipts = home.database.ingest(records);
        assert!(receipts.iter().all(Result::is_ok));
        home.settle();
        let (mut found, mut parts) = (Vec::new(), 0);
        let mut next = expected.last().cloned();
        let mut missing = None;
        while let Some(id) = next {
            assert_eq!(missing, None);
            let text = home.get(&format!("/v1/epochs/{id}")).await.ok(200).text;
            assert!(text.len() < (4 << 20) + (70 << 10), "{}", text.len());
            let chain: Chain = serde_json::from_str(&text).unwrap();
            assert!((1..=100).contains(&chain.items.len()));
            found.extend(chain.items.iter().map(|item| item.id.to_string()));
            (missing, next) = (chain.missing, chain.next);
            parts += 1;
        }
        assert_eq!(parts, 2);
        assert_eq!(missing.as_ref(), expected.first());
        assert!(found.iter().eq(expected.iter().skip(1).rev()));
    }
}
