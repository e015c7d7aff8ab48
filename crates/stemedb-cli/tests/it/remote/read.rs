//! What is read: each command says the same here and there.

use std::io::{BufRead as _, BufReader, Read as _};

use super::{Served, ids, variety};
use crate::support::{examples, shared};

/// Every way to look at `subjects`, the ids of `assertions`, and lists.
fn compare(served: &Served, subjects: &[&str], assertions: &[String]) {
    for form in [&[][..], &["--json"][..], &["-q"][..]] {
        let same = |args: &[&str]| served.same(&[args, form].concat());
        for subject in subjects {
            same(&["subject", subject]);
            same(&["subject", subject, "--limit", "1"]);
            same(&["subject", subject, "--predicate", "height (m)"]);
        }
        for id in assertions {
            same(&["get", id]);
            same(&["votes", id]);
            same(&["votes", id, "--limit", "1"]);
            same(&["epochs", id]);
        }
        same(&["subjects"]);
        for limit in ["1", "99", "100", "101", "1000"] {
            same(&["subjects", "--limit", limit]);
        }
        for prefix in ["E", "Eiffel", "..", "\u{1f5fc}", "nothing like it", "\u{1}"] {
            same(&["subjects", "--prefix", prefix]);
        }
        same(&["epochs"]);
    }
}

#[test]
fn every_command_says_the_same_of_claims_of_all_shapes() {
    let served = Served::with(&variety());
    let home = &served.home;
    let mut some = ids(home, "copy", "assertion");
    some.truncate(40);
    let some: Vec<_> = some.into_iter().step_by(13).collect();
    let subjects = [
        "Eiffel Tower",
        "Eiffel/Tower?&#%41+",
        "..",
        ".",
        "a b",
        "T\u{fc}rme \u{1f5fc} \u{202e}x",
        "100%",
        "\u{9b}31m red",
        "Eiffel",
        "nobody",
        "many",
    ];
    compare(&served, &subjects, &some);
    compare(&served, &[], &ids(home, "copy", "epoch"));
}

#[test]
fn every_command_says_the_same_of_real_data() {
    let names = [
        "crowd_bluebird.ndjson.gz",
        "crowd_bluebird_votes.ndjson.gz",
        "paris_monuments.ndjson",
    ];
    let mut files: Vec<_> = names.map(|name| examples().join(name)).into();
    files.extend(shared().map(|directory| directory.join("google_re.ndjson.gz")));
    let served = Served::files(&files);
    let subjects = served.here(&["subjects", "--json"]).fine().ndjson();
    let name = |at: usize| subjects[at]["subject"].as_str().unwrap();
    let some: Vec<_> = (0..subjects.len())
        .step_by(subjects.len() / 6)
        .map(name)
        .collect();
    let every = |record_type, part: usize| {
        let all = ids(&served.home, "copy", record_type);
        let step = all.len().div_ceil(part).max(1);
        all.into_iter().step_by(step).collect::<Vec<_>>()
    };
    let mut records = every("assertion", 4);
    records.extend(every("vote", 2));
    compare(&served, &some, &records);
}

#[test]
fn lists_go_on_behind_any_cursor_and_stop_at_any_sequence() {
    let served = Served::with(&variety());
    for list in [&["subjects"][..], &["subject", "many"], &["epochs"]] {
        let args = [list, &["--json"]].concat();
        let whole = served.same(&args).fine().ndjson();
        for at in [0, whole.len() / 2, whole.len() - 1] {
            let cursor = whole[at]["cursor"].as_str().unwrap();
            let rest = served
                .same(&[&args[..], &["--cursor", cursor]].concat())
                .fine();
            assert_eq!(rest.ndjson(), whole[at + 1..]);
            served.same(&[list, &["--cursor", cursor, "--limit", "2"]].concat());
        }
        for sequence in ["1", "31", "60", "1000", "2579"] {
            served.same(&[&args[..], &["--as-of", sequence]].concat());
        }
        let beyond = served.same(&[&args[..], &["--as-of", "1000000"]].concat());
        beyond.failed(2, &["sequence 1000000 is not applied yet"]);
        served.same(&[list, &["--as-of", "0"]].concat()).ended(2);
        served.same(&[list, &["--cursor", "xyz"]].concat()).ended(2);
        served.same(&[list, &["--cursor", "00"]].concat()).ended(2);
    }
}

/// A server gives a chain of so many in parts.
#[test]
fn a_long_chain_of_epochs_is_followed_to_its_end() {
    let (mut lines, mut last) = (String::new(), "5".repeat(64));
    for number in 0..250 {
        let line =
            format!(r#"{{"type":"epoch","name":"{number}","agent":"a","supersedes":"{last}"}}"#);
        let epoch = stemedb::Record::from_json(line.as_bytes()).unwrap();
        last = epoch.id().unwrap().to_string();
        lines += &(line + "\n");
    }
    let served = Served::with(&lines);
    let chain = served.same(&["epochs", &last, "--json"]).fine().ndjson();
    assert_eq!(chain.len(), 250);
    assert_eq!(chain[249]["name"], "0");
}

#[test]
fn what_is_not_there_is_not_found() {
    let served = Served::with(&variety());
    let unknown = "0f".repeat(32);
    for args in [
        ["get", &unknown],
        ["votes", &unknown],
        ["epochs", &unknown],
        ["subject", "nobody"],
    ] {
        served.same(&args).ended(3);
    }
    let vote = ids(&served.home, "copy", "assertion").remove(0);
    served.same(&["epochs", &vote]).ended(3);
    for args in [
        ["get", "xyz"],
        ["votes", ""],
        ["epochs", "0F"],
        ["subject", ""],
    ] {
        served.same(&args).ended(2);
    }
}

#[test]
fn an_empty_database_has_nothing() {
    let served = Served::with("");
    for args in [
        &["subjects"][..],
        &["epochs"],
        &["epochs", "--json"],
        &["subject", "x"],
        &["subjects", "--as-of", "1"],
    ] {
        served.same(args);
    }
}

#[test]
fn figures_are_the_same() {
    let served = Served::with(&variety());
    // Bytes of files depend on when the store tidied up.
    let figures = |run: crate::support::Run| {
        let mut figures = run.fine().json();
        figures["store"]["bytes"] = 0.into();
        figures["journal"]["bytes"] = 0.into();
        figures
    };
    assert_eq!(
        figures(served.there(&["stats", "--json"])),
        figures(served.here(&["stats", "--json"]))
    );
    let words = |run: crate::support::Run| {
        let lines = run.fine().stdout;
        let lines = lines.lines().filter(|line| !line.contains(" bytes "));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(
        words(served.there(&["stats"])),
        words(served.here(&["stats"]))
    );
}

/// The pipe is full long before the end of the list, so that most of it is asked for after the new claims have come.
#[test]
fn a_list_stays_as_it_is_while_claims_come() {
    let served = Served::with(&variety());
    let url = served.server.url();
    let mut child = served
        .home
        .start(["--url", &url, "subject", "many", "--json"]);
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut said = String::new();
    stdout.read_line(&mut said).unwrap();
    let more = |number| {
        format!(
            r#"{{"type":"assertion","subject":"many","predicate":"z{number}","object":1,"agent":"late"}}"#
        )
    };
    let more: Vec<_> = (0..50).map(more).collect();
    served.home.write("more.ndjson", more.join("\n"));
    served.there(&["ingest", "-q", "more.ndjson"]).fine();
    stdout.read_to_string(&mut said).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(said.lines().count(), 2500);
    let now = served.there(&["subject", "many", "--json"]).fine();
    assert_eq!(now.ndjson().len(), 2550);
}
