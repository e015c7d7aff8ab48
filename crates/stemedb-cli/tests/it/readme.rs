//! The README prints what the program prints.

use super::support::Home;

/// The commands of the README that run the program, and what it says they print.
fn printed_in_readme() -> Vec<(Vec<String>, Vec<String>)> {
    let readme = include_str!("../../../../README.md");
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
