//! Looking at records.

use super::support::{Home, claims};

const TOWER: &str = r#"{"type":"assertion","subject":"Tower","predicate":"height","object":300,"agent":"ann","confidence":0.5,"source":"book","timestamp":1289241912007}
{"type":"assertion","subject":"Tower","predicate":"height","object":324,"agent":"bob"}
{"type":"assertion","subject":"Tower","predicate":"height","object":324,"agent":"cyd","confidence":0.9}
{"type":"assertion","subject":"Tower","predicate":"city","object":{"reference":"Paris"},"agent":"ann"}
{"type":"assertion","subject":"Tower_Inc","predicate":"city","object":"Pa\u009bris","agent":"ann"}
"#;

#[test]
fn a_record_is_shown_with_what_the_database_knows_of_it() {
    let home = Home::with(TOWER);
    let ids = home.run(["export", "--ids"]).fine().stdout;
    let id = ids.lines().next().unwrap();
    let json = home.run(["get", id, "--json"]).fine().json();
    assert_eq!(
        (json["id"].as_str().unwrap(), json["sequence"].as_u64()),
        (id, Some(1))
    );
    let arrived = json["arrived_at"].as_str().unwrap();
    assert!(
        arrived.len() == 24 && arrived.ends_with('Z') && arrived.contains('T'),
        "{arrived}"
    );
    assert_eq!(json["object"]["number"], 300.0);
    assert_eq!(json["timestamp"], 1_289_241_912_007_u64);
    let keys: Vec<_> = json
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(
        keys,
        [
            "agent",
            "arrived_at",
            "confidence",
            "id",
            "object",
            "predicate",
            "sequence",
            "source",
            "subject",
            "timestamp",
            "type"
        ]
    );
    let people = home.run(["get", id]).fine().stdout;
    assert!(people.starts_with(&format!("assertion {id}\n")), "{people}");
    assert!(
        people.contains("  timestamp   2010-11-08T18:45:12.007Z\n"),
        "{people}"
    );
    home.run(["get", &"0".repeat(64)]).failed(3, &["no record"]);
    home.run(["get", "beef"])
        .failed(2, &["ID: expected 64 lower-case hex digits"]);
}

#[test]
fn disagreement_is_seen_at_a_glance() {
    let home = Home::with(TOWER);
    let shown = home.run(["subject", "Tower"]).fine().stdout;
    let ids: Vec<_> = home
        .run(["export", "--ids"])
        .fine()
        .stdout
        .lines()
        .map(|id| id[..12].to_owned())
        .collect();
    let expected = format!(
        "Tower\n  4 assertions by 3 agents on 2 predicates, 1 disputed\n\
         \n\
         city  1 value\n  -> Paris    1 agent   ann, confidence 1, no source  [{}]\n\
         \n\
         height  disputed: 2 values\n  \
         324    2 agents  bob, cyd, confidence 0.9 to 1, no source  [{} +1]\n  \
         300    1 agent   ann, confidence 0.5, from book  [{}]\n",
        ids[3], ids[1], ids[0]
    );
    assert_eq!(shown, expected);
    let hostile = home.run(["subject", "Tower_Inc"]).fine().stdout;
    assert!(hostile.contains("\"Pa\\u{9b}ris\""), "{hostile}");
}

#[test]
fn lists_are_cut_and_continued_without_gap_or_overlap() {
    let home = Home::with(TOWER);
    let all = home.run(["subject", "Tower", "--json"]).fine().ndjson();
    assert_eq!(all.len(), 4);
    let mut pages = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let mut args = vec![
            "subject".to_owned(),
            "Tower".into(),
            "--json".into(),
            "--limit=3".into(),
        ];
        args.extend(cursor.map(|cursor| format!("--cursor={cursor}")));
        let page = home.run(args).fine().ndjson();
        let Some(last) = page.last() else { break };
        cursor = Some(last["cursor"].as_str().unwrap().to_owned());
        pages.extend(page);
    }
    assert_eq!(pages, all);

    let people = home.run(["subjects", "--limit", "1"]).fine();
    assert_eq!(people.stdout, "           4  Tower\n");
    assert!(
        people.stderr.contains("continue with --cursor "),
        "{}",
        people.stderr
    );
    let subjects = home
        .run(["subjects", "--json", "--limit", "1"])
        .fine()
        .ndjson();
    let cursor = subjects[0]["cursor"].as_str().unwrap();
    let rest = home
        .run(["subjects", "--json", "--cursor", cursor])
        .fine()
        .ndjson();
    assert_eq!((rest.len(), &rest[0]["subject"]), (1, &"Tower_Inc".into()));
    assert_eq!(rest[0]["assertions"], 1);
    home.run(["subjects", "--cursor", "nonsense"])
        .failed(2, &["cursor"]);
}

#[test]
fn the_past_and_one_predicate_can_be_asked_for() {
    let home = Home::with(TOWER);
    let count = |args: &[&str]| home.run(args).fine().stdout.lines().count();
    assert_eq!(count(&["subject", "Tower", "--json", "--as-of", "2"]), 2);
    assert_eq!(
        count(&["subject", "Tower", "--json", "--predicate", "city"]),
        1
    );
    assert_eq!(count(&["subjects", "--json", "--prefix", "Tower_"]), 1);
    assert_eq!(count(&["subjects", "--json", "--as-of", "4"]), 1);
    home.run(["subject", "Tower", "--as-of", "6"])
        .failed(2, &["6", "not applied yet"]);
    home.run(["subject", "Tower", "--as-of", "0"])
        .failed(2, &["begin at 1"]);
    home.run(["subject", "Tower", "--predicate", "x"]).failed(
        3,
        &["with predicate \"x\"; it has predicates \"city\", \"height\""],
    );
    // What is not there yet is not proposed.
    let early = ["subject", "Tower", "--predicate", "x", "--as-of", "1"];
    let run = home.run(early).failed(3, &["it has predicates \"height\""]);
    assert!(!run.stderr.contains("city"), "{}", run.stderr);
    let home = Home::with(
        &"abcdefg"
            .chars()
            .map(|name| {
                TOWER
                    .lines()
                    .next()
                    .unwrap()
                    .replace("height", &name.to_string())
                    + "\n"
            })
            .collect::<String>(),
    );
    let run = home.run(["subject", "Tower", "--predicate", "x"]);
    run.failed(3, &["\"a\", \"b\", \"c\", \"d\", \"e\", ..."]);
}

#[test]
fn an_unknown_subject_gets_near_names() {
    let home = Home::with(TOWER);
    home.run(["subject", "Towel"])
        .failed(3, &["\"Towel\"", "\"Tower\", \"Tower_Inc\""]);
    home.run(["subject", "Nile"])
        .failed(3, &["stemedb subjects"]);
}

#[test]
fn votes_are_shown_with_their_sums() {
    let home = Home::with(TOWER);
    let ids = home.run(["export", "--ids"]).fine().stdout;
    let id = ids.lines().next().unwrap();
    let unknown = "1".repeat(64);
    let vote = |id: &str, agent: &str, weight: f64| {
        format!(
            "{{\"type\":\"vote\",\"assertion\":\"{id}\",\"agent\":\"{agent}\",\"weight\":{weight}}}\n"
        )
    };
    let votes = [
        vote(id, "a", 1.0),
        vote(id, "b", -0.5),
        vote(id, "c", 0.0),
        vote(&unknown, "a", 1.0),
    ];
    home.run_on(votes.concat().as_bytes(), ["ingest", "-"])
        .fine();

    let people = home.run(["votes", id]).fine().stdout;
    assert!(
        people.starts_with("Tower  height  300\nsays ann\n"),
        "{people}"
    );
    assert!(
        people.ends_with("1 for, 1 against, 1 neutral; weights sum to 0.5\n"),
        "{people}"
    );
    let json = home.run(["votes", id, "--json"]).fine().ndjson();
    assert_eq!(json.len(), 3);
    assert!(
        json.iter()
            .all(|vote| vote["type"] == "vote" && vote["cursor"].is_string())
    );
    // A vote may come before its assertion.
    home.run(["votes", &unknown]).fine();
    home.run(["votes", &"2".repeat(64)])
        .failed(3, &["no assertion"]);
    let other = ids.lines().nth(1).unwrap();
    assert_eq!(home.run(["votes", other, "--json"]).fine().stdout, "");
}

#[test]
fn an_epoch_is_shown_with_those_before_it() {
    let home = Home::with("{\"type\":\"epoch\",\"name\":\"first\",\"agent\":\"a\"}\n");
    let first = home
        .run(["export", "--ids"])
        .fine()
        .stdout
        .trim()
        .to_owned();
    let second = format!(
        "{{\"type\":\"epoch\",\"name\":\"second\",\"agent\":\"a\",\"supersedes\":\"{first}\"}}"
    );
    home.run_on(second.as_bytes(), ["ingest", "-"]).fine();
    let ids = home.run(["export", "--ids"]).fine().stdout;
    let second = ids.lines().nth(1).unwrap();
    let chain = home.run(["epochs", second, "--json"]).fine().ndjson();
    let names: Vec<_> = chain
        .iter()
        .map(|epoch| epoch["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["second", "first"]);
    assert_eq!(home.run(["epochs", "--json"]).fine().ndjson().len(), 2);
    assert!(
        home.run(["epochs"])
            .fine()
            .stdout
            .contains("  second  by a  supersedes ")
    );
    home.run(["epochs", &"0".repeat(64)])
        .failed(3, &["no epoch"]);
}

#[test]
fn statistics_have_exactly_these_fields() {
    let home = Home::with(&claims(3));
    let stats = home.run(["stats", "--json"]).fine().json();
    let keys = |value: &serde_json::Value| {
        value
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(
        keys(&stats),
        [
            "applied_sequence",
            "assertions",
            "durable_sequence",
            "epochs",
            "journal",
            "quarantined",
            "store",
            "votes"
        ]
    );
    assert_eq!(
        keys(&stats["journal"]),
        ["bytes", "head_hash", "id", "segments"]
    );
    assert_eq!(keys(&stats["store"]), ["bytes", "kind"]);
    assert_eq!(stats["store"]["kind"], "hybrid");
    assert_eq!(stats["assertions"], 3);
}
