//! Rules about documents.

use super::Finding;

/// Finds what keeps a document from having exactly one first-level heading.
pub(super) fn not_one_title(text: &str) -> Vec<Finding> {
    let titles = title_lines(text);
    match titles.as_slice() {
        [] => vec![Finding::new(1, "no first-level heading")],
        [_, more @ ..] => more
            .iter()
            .map(|&line| Finding::new(line, "a second first-level heading"))
            .collect(),
    }
}

/// Numbers of the lines, outside fenced code, that are first-level headings.
fn title_lines(text: &str) -> Vec<usize> {
    let titles = prose_lines(text)
        .into_iter()
        .filter(|(_, line)| line.starts_with("# "));
    titles.map(|(number, _)| number).collect()
}

/// The lines outside fenced code, with their numbers.
fn prose_lines(text: &str) -> Vec<(usize, &str)> {
    let mut fence: Option<&str> = None;
    let mut prose = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        let mark = ["```", "~~~"]
            .into_iter()
            .find(|mark| line.trim_start().starts_with(mark));
        match (fence, mark) {
            (None, Some(_)) => fence = mark,
            (Some(open), Some(mark)) if open == mark => fence = None,
            (None, None) => prose.push((number, line)),
            _ => {}
        }
    }
    prose
}

/// Finds the links of the document at `path` to files of the repository that are not there.
pub(super) fn dead_links(path: &str, text: &str, exists: impl Fn(&str) -> bool) -> Vec<Finding> {
    let mut dead = Vec::new();
    for (number, line) in prose_lines(text) {
        for rest in line.split("](").skip(1) {
            let link = rest.split_once(')').map_or(rest, |(link, _)| link);
            let file = link.split_once('#').map_or(link, |(file, _)| file);
            if !file.is_empty() && !file.contains("://") && !exists(&resolve(path, file)) {
                dead.push(Finding::new(number, format!("{link} leads nowhere")));
            }
        }
    }
    dead
}

/// The path from the root of what `link` names in the document at `path`.
fn resolve(path: &str, link: &str) -> String {
    let mut parts: Vec<&str> = path.split('/').collect();
    parts.pop();
    for part in link.split('/') {
        match part {
            ".." => drop(parts.pop()),
            "." => {}
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// Returns the decisions to which the index has no link.
pub(super) fn not_indexed<'a>(index: &str, files: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    files
        .filter(|file| *file != "README.md" && !index.contains(&format!("]({file})")))
        .collect()
}

#[test]
fn a_document_without_or_with_two_titles_is_found() {
    assert_eq!(
        not_one_title("# One\n\n## Two\n```sh\n# a comment\n~~~\n# still code\n```\n"),
        []
    );
    assert_eq!(not_one_title("## Two\n#three\n").len(), 1);
    let found = not_one_title("# One\n~~~\n# code\n~~~\n# Two\n# Three\n");
    assert_eq!(
        found.iter().map(|found| found.line).collect::<Vec<_>>(),
        [5, 6]
    );
}

#[test]
fn a_decision_that_the_index_does_not_link_is_found() {
    let index = "- [One](0001-one.md)\n- 0002-two.md\n";
    let files = ["README.md", "0001-one.md", "0002-two.md"].into_iter();
    assert_eq!(not_indexed(index, files), ["0002-two.md"]);
}

#[test]
fn a_link_that_leads_nowhere_is_found() {
    let text =
        "[a](../b/c.md#d) [e](#f), [g](https://h.i)\n```\n[j](k)\n```\n[l](m.md), [n](o.md)\n";
    let exists = |path: &str| ["b/c.md", "a/m.md"].contains(&path);
    let found = dead_links("a/text.md", text, exists);
    assert_eq!(found, [Finding::new(5, "o.md leads nowhere")]);
}
