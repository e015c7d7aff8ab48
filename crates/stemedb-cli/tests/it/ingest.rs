//! Counts, results, rejects, and inputs of all forms.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    time::Duration,
};

use serde_json::{Value, json};

use super::support::{Home, claims, ndjson, say_skipped};

/// What `ingest --json` gave, without the time it took.
fn summary(answer: &Value) -> Value {
    let mut summary = answer.clone();
    let elapsed = summary.as_object_mut().unwrap().remove("elapsed_ms");
    assert!(elapsed.unwrap().is_u64());
    summary
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

const VOTE: &str = r#"{"type":"vote","assertion":"2bae1b6a26ea2a39a4b0f9d5d3c9dbbd3a0cdc5f7f9a7f4bb24ea10d16c2b0d1","agent":"a","weight":1}"#;
const EPOCH: &str = r#"{"type":"epoch","name":"2024","agent":"a"}"#;

#[test]
fn the_answer_has_exactly_these_fields() {
    let home = Home::new();
    let lines = format!(
        "{}\n\n{VOTE}\r\n  \t\r\n{EPOCH}\nnonsense\n{EPOCH}",
        claims(2)
    );
    home.write("x.ndjson", lines);
    let run = home.run(["ingest", "x.ndjson", "--json"]).ended(1);
    assert_eq!(
        summary(&run.json()),
        json!({"lines": 6, "stored": 4, "duplicates": 1, "rejected": 1, "assertions": 2,
               "votes": 1, "epochs": 1, "durable_sequence": 4, "applied_sequence": 4})
    );
    assert!(
        run.stderr.contains("rejected x.ndjson:8: malformed JSON"),
        "{}",
        run.stderr
    );
}

#[test]
fn results_tell_every_line_in_order() {
    let home = Home::new();
    home.write("a.ndjson", format!("{EPOCH}\nnonsense\n{EPOCH}\n"));
    home.write("b.ndjson", format!("{{\"type\":\"vote\"}}\n{VOTE}\n"));
    home.write("results", "left from another run");
    let args = [
        "ingest",
        "a.ndjson",
        "b.ndjson",
        "--results",
        "results",
        "--rejects",
        "rejects",
    ];
    home.run(args).ended(1);
    let told = ndjson(&home.read("results"));
    let short: Vec<_> = told
        .iter()
        .map(|line| {
            format!(
                "{}:{} {}",
                line["file"].as_str().unwrap(),
                line["line"],
                line["status"].as_str().unwrap()
            )
        })
        .collect();
    assert_eq!(
        short,
        [
            "a.ndjson:1 stored",
            "a.ndjson:2 rejected",
            "a.ndjson:3 duplicate",
            "b.ndjson:1 rejected",
            "b.ndjson:2 stored"
        ]
    );
    let keys = |line: &Value| {
        line.as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(keys(&told[0]), ["file", "id", "line", "status"]);
    assert_eq!(keys(&told[1]), ["file", "line", "reason", "status"]);
    assert_eq!(told[0]["id"], told[2]["id"]);
    let ids = home.run(["export", "--ids"]).fine().stdout;
    let stored = format!(
        "{}\n{}\n",
        told[0]["id"].as_str().unwrap(),
        told[4]["id"].as_str().unwrap()
    );
    assert_eq!(ids, stored);
    assert_eq!(home.read("rejects"), "nonsense\n{\"type\":\"vote\"}\n");
}

/// Bad lines, and words of the reason for which each is refused.
fn bad_lines(good: &str) -> Vec<(String, &'static str)> {
    let field = |old: &str, new: &str| good.trim_end().replace(old, new);
    let agent = "\"agent\":\"agent:0\"";
    vec![
        ("{".to_owned(), "malformed JSON"),
        (
            field("\"size\"", "\"size\",\"colour\":1"),
            "colour: unknown field",
        ),
        (field("\"predicate\":\"size\",", ""), "predicate: missing"),
        (
            field(agent, "\"agent\":\"a\",\"agent\":\"a\""),
            "agent: given twice",
        ),
        (field("\"size\"", "7"), "predicate: expected"),
        (
            field("subject 0", &"x".repeat(1025)),
            "subject: is 1025 bytes long",
        ),
        (
            field("{\"type", "{\"confidence\":1.5,\"type"),
            "confidence: 1.5 is outside",
        ),
        (
            VOTE.replace("\"weight\":1", "\"weight\":-2"),
            "weight: -2 is outside",
        ),
        (field("\"object\":0", "\"object\":NaN"), "malformed JSON"),
        (
            field("\"object\":0", "\"object\":9007199254740993"),
            "object: the integer",
        ),
        (
            field("subject 0", "a\\u0007"),
            "subject: holds the control character U+0007",
        ),
        (
            VOTE.replace("2bae", "2BAE"),
            "assertion: expected 64 lower-case hex digits",
        ),
        (
            field(
                "agent:0",
                "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK",
            ),
            "signature: missing",
        ),
        (
            field(agent, "\"agent\":\"a\",\"signature\":\"00\""),
            "signature: expected 128",
        ),
        (format!("{} 1", good.trim_end()), "malformed JSON"),
    ]
}

#[test]
fn each_bad_line_is_refused_with_its_field_and_the_others_go_in() {
    let good = claims(1);
    let cases = bad_lines(&good);
    let bad: Vec<_> = cases.iter().map(|(line, _)| line.as_str()).collect();
    let home = Home::new();
    home.write("x", format!("{}\n{good}", bad.join("\n")));
    let run = home
        .run(["ingest", "x", "--json", "--results", "r"])
        .ended(1);
    assert_eq!(
        (&run.json()["rejected"], &run.json()["stored"]),
        (&json!(cases.len()), &json!(1))
    );
    for ((line, words), told) in cases.iter().zip(ndjson(&home.read("r"))) {
        let reason = told["reason"].as_str().unwrap_or("none");
        assert!(reason.contains(words), "{line}: {reason}");
    }
    let shown = run
        .stderr
        .lines()
        .filter(|line| line.starts_with("rejected x:"))
        .count();
    assert_eq!(shown, 10, "{}", run.stderr);
    assert!(
        run.stderr.contains("5 more rejected lines"),
        "{}",
        run.stderr
    );
}

#[test]
fn the_form_of_a_file_does_not_matter() {
    let lines = claims(50);
    let (front, back) = lines.split_at(lines.len() / 2);
    let members = [gzip(front), gzip(back)].concat();
    let frames = [front, back].map(|part| zstd::encode_all(part.as_bytes(), 1).unwrap());
    let expected = Home::with(&lines).run(["export"]).fine().stdout;
    let forms = [
        members,
        frames.concat(),
        format!("\u{feff}{lines}").into_bytes(),
        lines.replace('\n', "\r\n").into_bytes(),
        lines.trim_end().as_bytes().to_vec(),
    ];
    for (at, form) in forms.iter().enumerate() {
        let home = Home::new();
        home.write("without-extension", form);
        let run = home.run(["ingest", "without-extension", "--json"]).fine();
        assert_eq!(run.json()["lines"], 50, "form {at}");
        assert_eq!(home.run(["export"]).fine().stdout, expected, "form {at}");
        let home = Home::new();
        home.run_on(form, ["ingest", "-"]).fine();
        assert_eq!(
            home.run(["export"]).fine().stdout,
            expected,
            "form {at} from a pipe"
        );
    }
}

#[test]
fn a_line_over_4_mib_is_one_rejected_line() {
    let home = Home::new();
    let long = format!("{{\"type\":\"{}\"}}", "x".repeat(9 << 20));
    home.write("x", format!("{EPOCH}\n{long}\n{}", claims(1)));
    let run = home
        .run(["ingest", "x", "--json", "--results", "r", "--rejects", "j"])
        .ended(1);
    assert_eq!(run.json()["lines"], 3);
    let told = ndjson(&home.read("r"));
    assert_eq!(told[1]["line"], 2);
    assert_eq!(told[1]["reason"], "the line is longer than 4194304 bytes");
    assert_eq!(told[2]["status"], "stored");
    assert_eq!(home.read("j"), "");
}

#[test]
fn a_damaged_archive_gives_what_stands_before_the_damage() {
    let home = Home::new();
    let whole = gzip(&claims(60_000));
    home.write("x.gz", &whole[..whole.len() / 2]);
    let run = home.run(["ingest", "x.gz", EPOCH_FILE, "--json"]);
    // The second file is looked for before anything is read.
    run.failed(2, &[EPOCH_FILE]);
    assert!(!home.path("stemedb-data").exists());

    let run = home.run(["ingest", "x.gz", "--json"]).ended(1);
    let answer = run.json();
    let lines = answer["lines"].as_u64().unwrap();
    assert!(lines > 0 && lines < 60_000, "{lines}");
    assert_eq!(answer["stored"], lines);
    assert!(
        run.stderr.contains(&format!("error: x.gz:{}: ", lines + 1)),
        "{}",
        run.stderr
    );
    let ids = home.run(["export", "--ids"]).fine().stdout;
    assert_eq!(ids.lines().count() as u64, lines);
}

#[test]
fn behind_a_damaged_file_the_next_ones_go_in() {
    let home = Home::new();
    let whole = zstd::encode_all(claims(60_000).as_bytes(), 1).unwrap();
    home.write("trunc.zst", &whole[..whole.len() / 2]);
    home.write("no.zst", &whole[..5]);
    home.write("good", format!("{EPOCH}\n{VOTE}\n"));
    let inputs = ["ingest", "--json", "trunc.zst", "no.zst", "good"];
    let run = home.run(inputs).ended(1);
    let answer = run.json();
    assert_eq!(
        (&answer["epochs"], &answer["votes"]),
        (&json!(1), &json!(1))
    );
    assert!(answer["assertions"].as_u64().unwrap() > 0, "{answer}");
    assert_eq!(answer["durable_sequence"], answer["stored"]);
    assert_eq!(answer["applied_sequence"], answer["stored"]);
    let errors: Vec<_> = run
        .stderr
        .lines()
        .filter(|line| line.starts_with("error: "))
        .collect();
    assert_eq!(errors.len(), 2, "{}", run.stderr);
    assert!(errors[0].starts_with("error: trunc.zst:"), "{errors:?}");
    assert!(errors[1].starts_with("error: no.zst:1:"), "{errors:?}");

    let home = Home::new();
    home.write("no.zst", &whole[..5]);
    home.write("good", claims(3));
    let run = home.run(["ingest", "--json", "--stop-on-error", "no.zst", "good"]);
    assert_eq!(run.ended(1).json()["lines"], 0);
}

#[test]
fn a_failure_leaves_an_answer_and_everything_readable() {
    if !std::path::Path::new("/dev/full").exists() {
        say_skipped("there is no /dev/full");
        return;
    }
    let home = Home::new();
    home.write("x", claims(30_000));
    let run = home
        .run(["ingest", "x", "--results", "/dev/full", "--json"])
        .ended(4);
    assert_eq!(run.stderr.matches("error: ").count(), 1, "{}", run.stderr);
    let answer = run.json();
    assert_ne!(answer["stored"], 0);
    assert_eq!(answer["stored"], answer["durable_sequence"]);
    assert_eq!(answer["applied_sequence"], answer["durable_sequence"]);
}

const EPOCH_FILE: &str = "not-there.ndjson";

#[test]
fn stop_on_error_keeps_what_stands_before_and_nothing_behind() {
    let home = Home::new();
    home.write("x", format!("{}nonsense\n{EPOCH}\n", claims(3)));
    home.write("y", claims(9));
    let args = [
        "ingest",
        "x",
        "y",
        "--json",
        "--stop-on-error",
        "--results",
        "r",
    ];
    let run = home.run(args).ended(1);
    let answer = run.json();
    assert_eq!(
        (&answer["lines"], &answer["stored"], &answer["rejected"]),
        (&json!(4), &json!(3), &json!(1))
    );
    assert_eq!(
        home.run(["export", "--ids"]).fine().stdout.lines().count(),
        3
    );
    assert_eq!(home.read("r").lines().count(), 4);
}

#[test]
fn an_empty_input_is_no_error() {
    let home = Home::new();
    let run = home.run_on(b"", ["ingest", "-", "--json"]).fine();
    assert_eq!(run.json()["lines"], 0);
    assert_eq!(run.json()["durable_sequence"], 0);
}

#[test]
fn records_from_a_pipe_do_not_wait_for_its_end() {
    let home = Home::new();
    let mut child = home.start(["ingest", "-", "--results", "r"]);
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(claims(3).as_bytes()).unwrap();
    stdin.flush().unwrap();
    for _ in 0..12_000 {
        if home.path("r").exists() && home.read("r").lines().count() == 3 {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let told = home.read("r").lines().count();
    drop(stdin);
    assert!(child.wait().unwrap().success());
    assert_eq!(told, 3);
}

#[test]
fn a_second_process_is_refused_at_once() {
    let home = Home::new();
    let mut first = home.start(["ingest", "-"]);
    let mut said = String::new();
    let mut stderr = BufReader::new(first.stderr.take().unwrap());
    stderr.read_line(&mut said).unwrap();
    assert_eq!(said, "created a database in ./stemedb-data\n");
    let pid = first.id().to_string();
    home.write("r", "of another run");
    for args in [
        &["stats"][..],
        &["verify"],
        &["rebuild"],
        &["ingest", "-", "--results", "r"],
    ] {
        home.run(args).failed(4, &[&pid]);
    }
    assert_eq!(home.read("r"), "of another run");
    drop(first.stdin.take());
    assert!(first.wait().unwrap().success());
    home.run(["stats"]).fine();
}
