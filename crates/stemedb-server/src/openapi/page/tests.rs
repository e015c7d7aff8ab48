use data_encoding::BASE64;
use sha2::{Digest as _, Sha256};

use super::super::operation::ALL;
use super::{POLICY, STYLE, html, prose};

#[test]
fn the_policy_allows_the_style_sheet_by_its_hash() {
    let hash = BASE64.encode(&Sha256::digest(STYLE));
    assert!(POLICY.contains(&format!("'sha256-{hash}'")), "{hash}");
}

#[test]
fn the_page_shows_every_operation_and_takes_nothing_from_elsewhere() {
    let html = html();
    for row in ALL {
        assert!(
            html.contains(&format!("<h3 id=\"{}\">", row.id)),
            "{}",
            row.id
        );
    }
    for foreign in [
        "<script", "<link", "<img", "src=", "style=", "@import", "url(", " on",
    ] {
        let found = html.match_indices(foreign);
        // Words of the prose begin with `on` too; handlers of events have an equals sign.
        let handlers = found.filter(|(at, found)| {
            let rest = &html[at + found.len()..];
            let word = rest.trim_start_matches(|letter: char| letter.is_ascii_lowercase());
            *found != " on" || word.starts_with("=\"")
        });
        assert_eq!(handlers.count(), 0, "{foreign}");
    }
}

#[test]
fn the_page_says_who_may_ask() {
    let html = html();
    for needs in [
        "the scope <code>read</code>",
        "the scope <code>write</code>",
        "It needs no token.",
        "authorization: Bearer stdb_ID_SECRET",
        "<tr><th>421</th>",
    ] {
        assert!(html.contains(needs), "{needs}");
    }
}

#[test]
fn every_anchor_is_there() {
    let html = html();
    for link in html.split("href=\"#").skip(1) {
        let name = link.split('"').next().unwrap();
        assert!(html.contains(&format!("id=\"{name}\"")), "{name}");
    }
}

#[test]
fn prose_is_escaped() {
    let shown = prose("a <b> & `<c>`");
    assert_eq!(shown, "<p>a &lt;b&gt; &amp; <code>&lt;c&gt;</code></p>\n");
}
