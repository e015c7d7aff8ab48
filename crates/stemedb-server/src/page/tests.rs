use stemedb::{Listed, Listing, PageCursor};

use super::{Cursors, Extent, PAGE_BYTES_MAX, Page};
use crate::wire;

fn listing(items: Vec<String>) -> Listing<String> {
    let numbered = (1_u8..).zip(items);
    Box::new(numbered.map(|(number, value)| {
        let cursor: PageCursor = format!("{number:02x}").parse().unwrap();
        Ok(Listed { value, cursor })
    }))
}

const fn extent(items_max: usize) -> Extent {
    Extent {
        items_max,
        cursors: Cursors::OfNext,
    }
}

fn page(items: &[&str], limit: usize) -> wire::Page<String> {
    let items = items.iter().map(ToString::to_string).collect();
    let page = Page::write(listing(items), extent(limit), |item| item).unwrap();
    serde_json::from_slice(&page.into_json()).unwrap()
}

#[test]
fn a_page_says_where_the_next_one_begins_only_if_there_is_one() {
    assert_eq!(page(&[], 1).next_cursor, None);
    assert_eq!(page(&["a", "b"], 2).next_cursor, None);
    let first = page(&["a", "b", "c"], 2);
    assert_eq!(first.items, ["a", "b"]);
    assert_eq!(first.next_cursor.as_deref(), Some("02"));
}

#[test]
fn a_page_ends_when_it_is_long_and_holds_one_item_at_least() {
    let long = "x".repeat(PAGE_BYTES_MAX);
    let cut = page(&[&long, "b"], 10);
    assert_eq!(cut.items.len(), 1);
    assert_eq!(cut.next_cursor.as_deref(), Some("01"));
    assert_eq!(page(&[&long], 10).next_cursor, None);
}

#[test]
fn fields_stand_behind_the_items() {
    let page = Page::write(listing(Vec::new()), extent(1), |item| item).unwrap();
    let json = page.with("totals", &7).unwrap().into_json();
    assert_eq!(json, br#"{"items":[],"next_cursor":null,"totals":7}"#);
}

#[test]
fn each_item_has_its_cursor_where_that_is_asked_for() {
    let items = || listing(["a", "b", "c"].map(str::to_owned).into());
    let wanted = Extent {
        cursors: Cursors::OfEach,
        ..extent(2)
    };
    let json = Page::write(items(), wanted, |item| item).unwrap();
    let page: wire::Page<String> = serde_json::from_slice(&json.into_json()).unwrap();
    assert_eq!(
        (page.items.len(), page.cursors),
        (2, vec!["01".into(), "02".into()])
    );
    assert_eq!(page.next_cursor.as_deref(), Some("02"));
}
