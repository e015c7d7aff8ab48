//! Every command by way of a server, against the same command on the directory; and servers that break, or are none.

use std::{path::PathBuf, process::Command};

use serde_json::Value;

use super::{
    serve::Server,
    support::{Home, Run, claims},
};

mod copy;
mod fake;
mod intake;
mod read;
mod secure;
mod setting;

/// A home with a server on its database, and a copy of that database beside it.
pub(super) struct Served {
    pub(super) home: Home,
    pub(super) server: Server,
}

impl Served {
    /// Serves what `lines` say.
    pub(super) fn with(lines: &str) -> Self {
        Self::of(Home::with(lines))
    }

    /// Serves what `files` hold.
    pub(super) fn files(files: &[PathBuf]) -> Self {
        let home = Home::new();
        let files = files.iter().map(|file| file.display().to_string());
        let args: Vec<String> = ["ingest", "-q"]
            .map(str::to_owned)
            .into_iter()
            .chain(files)
            .collect();
        home.run(args).fine();
        Self::of(home)
    }

    pub(super) fn of(home: Home) -> Self {
        let copied = Command::new("cp")
            .args(["-a", "--sparse=always"])
            .args([home.path("stemedb-data"), home.path("copy")])
            .status();
        assert!(copied.unwrap().success());
        let server = Server::start(&home);
        Self { home, server }
    }

    /// Runs the program on the server.
    pub(super) fn there(&self, args: &[&str]) -> Run {
        let url = self.server.url();
        self.home.run([&["--url", &url], args].concat())
    }

    /// Runs the program on the copy.
    pub(super) fn here(&self, args: &[&str]) -> Run {
        self.home.run([&["--dir", "copy"], args].concat())
    }

    /// Both say the same, but for where it is.
    #[track_caller]
    pub(super) fn same(&self, args: &[&str]) -> Run {
        let (here, there) = (self.here(args), self.there(args));
        let url = self.server.url();
        let placed = |text: &str| text.replace(&format!(" in {url}"), " in copy");
        assert_eq!(placed(&there.stderr), here.stderr, "{args:?}");
        assert!(
            placed(&there.stdout) == here.stdout,
            "{args:?}\n{}\n{}",
            here.stdout,
            there.stdout
        );
        assert_eq!(there.code, here.code, "{args:?}");
        there
    }
}

/// Claims, votes and epochs of all shapes, with names that a URL cannot hold as they are.
pub(super) fn variety() -> String {
    let mut lines = claims(30);
    let object = |subject: &str, predicate: &str, object: &str, agent: &str| {
        let text = |text: &str| Value::from(text).to_string();
        let (subject, predicate, agent) = (text(subject), text(predicate), text(agent));
        format!(
            r#"{{"type":"assertion","subject":{subject},"predicate":{predicate},"object":{object},"agent":{agent},"confidence":0.1,"timestamp":1700000000000}}"#
        ) + "\n"
    };
    let subjects = [
        "Eiffel Tower",
        "Eiffel/Tower?&#%41+",
        "..",
        ".",
        "a b",
        "T\u{fc}rme \u{1f5fc} \u{202e}x",
        "100%",
        "\u{9b}31m red",
    ];
    for (at, subject) in subjects.iter().enumerate() {
        for agent in ["one", "tw\u{f6} & \"more\""] {
            lines += &object(
                subject,
                "height (m)",
                &format!("{}.1", at + agent.len()),
                agent,
            );
            lines += &object(subject, "a&b=c", "{\"reference\":\"x\"}", agent);
            lines += &object(subject, "said", "\"\\u001b[31m\\n\"", agent);
        }
    }
    for number in 0..2500 {
        lines += &object(
            "many",
            &format!("p{}", number % 3),
            &number.to_string(),
            "one",
        );
    }
    lines += r#"{"type":"epoch","name":"first","agent":"a","starts_at":5,"description":"d"}"#;
    lines.push('\n');
    lines
}

/// The ids of what is stored, by type.
pub(super) fn ids(home: &Home, dir: &str, record_type: &str) -> Vec<String> {
    let all = home.run(["--dir", dir, "export", "--ids"]).fine();
    let records = home.run(["--dir", dir, "export"]).fine();
    let is_wanted = |line: &&str| line.contains(&format!(r#""type":"{record_type}""#));
    let lines = all.stdout.lines().zip(records.stdout.lines());
    lines
        .filter(|(_, record)| is_wanted(record))
        .map(|(id, _)| id.to_owned())
        .collect()
}
