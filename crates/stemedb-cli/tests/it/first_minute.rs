//! What a newcomer types first.

use super::support::{Home, examples};

fn paris() -> String {
    examples()
        .join("paris_monuments.ndjson")
        .display()
        .to_string()
}

#[test]
fn the_two_commands_of_the_readme() {
    let home = Home::new();
    let ingest = home.run(["ingest", &paris()]).fine();
    assert_eq!(ingest.stderr, "created a database in ./stemedb-data\n");
    let lines: Vec<_> = ingest.stdout.lines().collect();
    assert!(lines[0].starts_with("1,173 lines read in "), "{}", lines[0]);
    assert_eq!(
        lines[1],
        "  stored      941 (941 assertions, 0 votes, 0 epochs)"
    );
    assert_eq!(lines[2], "  duplicates  232");
    assert_eq!(lines[3], "  rejected    0");
    let end = "durable up to sequence 941, readable up to 941, in ./stemedb-data";
    assert_eq!(lines[4..], [end]);

    let subject = home.run(["subject", "Eiffel Tower"]).fine();
    for line in [
        "  223 assertions by 99 agents on 24 predicates, 21 disputed",
        "  all with confidence 1, from https://www.wikidata.org/wiki/Q243",
        "architect  disputed: 5 values",
        "country  disputed: 14 values",
        "height (m)  disputed: 5 values",
        "  324       6 agents  wikidata-editor:459b60e3, wikidata-editor:f7ab9788 +4  [a75983a6a315 +5]",
        "  125        1 agent  wikidata-editor:d92c463c  [1b5f1b76a58d]",
    ] {
        let printed = subject.stdout.lines().map(str::trim_end);
        let squeezed = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            printed
                .clone()
                .any(|other| squeezed(other) == squeezed(line)),
            "{line:?} is not in\n{}",
            subject.stdout
        );
    }
    assert!(
        !subject.stdout.contains('\u{1b}'),
        "colour without a terminal"
    );
}

#[test]
fn help_shows_examples_and_exit_codes() {
    let home = Home::new();
    let help = home.run(["--help"]).fine().stdout;
    for code in [
        "   0  fine",
        "   1  ",
        "   2  ",
        "   3  ",
        "   4  ",
        "   5  ",
        "  78  ",
    ] {
        assert!(help.contains(code), "{help}");
    }
    assert!(
        home.run(["help", "ingest"])
            .fine()
            .stdout
            .contains("Examples:")
    );
    assert!(
        home.run(["journal", "salvage", "--help"])
            .fine()
            .stdout
            .contains("Examples:")
    );
}

#[test]
fn the_version_is_that_of_the_package() {
    let version = Home::new().run(["--version"]).fine().stdout;
    let expected = concat!("stemedb ", env!("CARGO_PKG_VERSION"));
    assert!(version.starts_with(expected), "{version}");
    assert!(!version.contains("unknown"), "{version}");
}

#[test]
fn shells_get_completions() {
    let home = Home::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = home.run(["completions", shell]).fine().stdout;
        assert!(script.contains("quarantine"), "{shell}");
    }
}

#[test]
fn settings_come_from_flag_variable_file_and_default_in_this_order() {
    let home = Home::new();
    let from = |args: &[&str], variable: &[(&str, &str)]| {
        let mut command = home.command(args);
        let output = command.envs(variable.iter().copied()).output().unwrap();
        let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let text = |key: &str| document["dir"][key].as_str().unwrap().to_owned();
        (text("value"), text("from"))
    };
    let pair = |value: &str, from: &str| (value.to_owned(), from.to_owned());
    let env = [("STEMEDB_DIR", "from-variable")];
    assert_eq!(
        from(&["config", "--json"], &[]),
        pair("./stemedb-data", "default")
    );
    home.write("stemedb.toml", "dir = \"from-file\"\n");
    assert_eq!(
        from(&["config", "--json"], &[]),
        pair("from-file", "stemedb.toml")
    );
    assert_eq!(
        from(&["config", "--json"], &env),
        pair("from-variable", "STEMEDB_DIR")
    );
    let flag = ["config", "--json", "--dir", "from-flag"];
    assert_eq!(from(&flag, &env), pair("from-flag", "flag"));

    let people = home.run(["config"]).fine().stdout;
    // How wide a column is depends on the other settings.
    let first = people.lines().next().unwrap();
    let cells: Vec<&str> = first.split_whitespace().collect();
    assert_eq!(cells, ["dir", "from-file", "(stemedb.toml)"], "{people}");
    home.run(["init"]).fine();
    assert!(home.path("from-file").is_dir());
}
