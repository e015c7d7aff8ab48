//! The README prints what the program prints.

use std::process::Command;

use super::{
    serve::Server,
    support::{Home, say_skipped},
};

const README: &str = include_str!("../../../../README.md");

/// The commands of the README that run the program, and what it says they print, up to where it serves.
fn printed_in_readme() -> Vec<(Vec<String>, Vec<String>)> {
    let (readme, _) = README.split_once("## Over HTTP").unwrap();
    let blocks = readme
        .split("```console\n$ cargo run --release -- ")
        .skip(1);
    let block = |text: &str| {
        let text = text.split("```").next().unwrap();
        let (command, output) = text.split_once('\n').unwrap();
        let words = command.split('"').enumerate().flat_map(|(index, part)| {
            let is_quoted = index % 2 == 1;
            let words: Vec<String> = if is_quoted {
                vec![part.to_owned()]
            } else {
                part.split_whitespace().map(str::to_owned).collect()
            };
            words
        });
        (words.collect(), output.lines().map(str::to_owned).collect())
    };
    blocks.map(block).collect()
}

/// Times differ from run to run; `...` stands for lines that are left out.
fn same(readme: &str, printed: &str) -> bool {
    const TIMED: &str = " lines read in ";
    match (readme.split_once(TIMED), printed.split_once(TIMED)) {
        (Some((readme, _)), Some((printed, _))) => readme == printed,
        _ => readme.trim_end() == printed.trim_end(),
    }
}

#[test]
fn the_readme_prints_what_the_reader_will_see() {
    let home = Home::new();
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples");
    std::os::unix::fs::symlink(root, home.path("examples")).unwrap();
    let blocks = printed_in_readme();
    assert_eq!(blocks.len(), 2);
    for (args, expected) in blocks {
        let run = home.run(&args).fine();
        let printed = format!("{}{}", run.stderr, run.stdout);
        let mut printed = printed.lines();
        let mut gap = false;
        for line in &expected {
            if line == "..." {
                gap = true;
                continue;
            }
            let found = if gap {
                printed.any(|next| same(line, next))
            } else {
                printed.next().is_some_and(|next| same(line, next))
            };
            assert!(found, "{args:?} does not print {line:?} there");
            gap = false;
        }
        assert!(
            gap || printed.next().is_none(),
            "{args:?} prints more than the README"
        );
    }
}

/// The commands of the tour over HTTP, each with what it prints.
fn tour() -> Vec<(String, String)> {
    let (_, readme) = README.split_once("## Over HTTP").unwrap();
    let (readme, _) = readme.split_once("\n## ").unwrap();
    let blocks = readme.split("```console\n").skip(1);
    let blocks = blocks.map(|text| text.split("```").next().unwrap());
    let commands = blocks.flat_map(|block| block.split("$ ").skip(1).collect::<Vec<_>>());
    let command = |text: &str| {
        let (mut command, mut rest) = text.split_once('\n').unwrap();
        while command.ends_with('\\') {
            let (_, behind) = rest.split_once('\n').unwrap();
            command = &text[..text.len() - behind.len() - 1];
            rest = behind;
        }
        (command.to_owned(), rest.trim_end().to_owned())
    };
    // A command may name another one in brackets.
    let text = |text: &str| text.replace("$(", "(");
    commands.map(|part| command(&text(part))).collect()
}

/// What differs from run to run: when a record arrived.
fn masked(text: &str) -> String {
    const NAME: &str = "\"arrived_at\":\"";
    let mut parts = text.trim_end().split(NAME);
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |masked, part| {
        let (_, rest) = part.split_once('"').unwrap();
        format!("{masked}{NAME}\"{rest}")
    })
}

#[test]
fn the_tour_over_http_goes_as_it_is_written() {
    if Command::new("curl").arg("--version").output().is_err() {
        say_skipped("the tour of the README: there is no curl");
        return;
    }
    let home = Home::new();
    let mut server: Option<Server> = None;
    let steps = tour();
    assert_eq!(steps.len(), 8, "{steps:?}");
    for (command, expected) in steps {
        if command.starts_with("kill -9 ") {
            // Dropped it is killed with that signal.
            server = None;
        } else if command.ends_with(" --dir tour serve") {
            let serve = ["--dir", "tour", "serve", "--listen", "127.0.0.1:0"];
            let (started, said) = Server::of(home.command(serve));
            let port = started.address.to_string();
            assert_eq!(said.replace(&port, "127.0.0.1:8642").trim_end(), expected);
            server = Some(started);
        } else {
            let address = server.as_ref().unwrap().address.to_string();
            let command = command
                .replace("127.0.0.1:8642", &address)
                .replace("cargo run --release -- ", "stemedb ")
                .replace("stemedb ", concat!(env!("CARGO_BIN_EXE_stemedb"), " "))
                .replace("curl ", "curl --silent --show-error --max-time 60 ");
            let run = Command::new("sh").args(["-c", &command]).output().unwrap();
            let printed = String::from_utf8(run.stdout).unwrap();
            let noted = String::from_utf8(run.stderr).unwrap();
            assert!(run.status.success(), "{command}: {noted}");
            assert_eq!(masked(&printed), masked(&expected), "{command}");
        }
    }
}
