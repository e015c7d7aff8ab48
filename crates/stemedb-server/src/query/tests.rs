use axum::http::Uri;

use super::{LIST, Query, decode};
use crate::page::Cursors;
use crate::wire::Code;

fn query(text: &str) -> Result<Query, (Code, String)> {
    let uri: Uri = format!("/x?{text}").parse().unwrap();
    Query::of(&uri, &LIST).map_err(|problem| (problem.code, problem.detail))
}

#[test]
fn unknown_and_repeated_parameters_are_refused() {
    let refused = |text: &str| query(text).unwrap_err();
    let (code, detail) = refused("limit=1&offset=2");
    assert_eq!(code, Code::BadQuery);
    assert_eq!(
        detail,
        "offset: unknown parameter; known are limit, cursor, cursors, as_of, min_sequence"
    );
    assert_eq!(refused("limit=1&limit=1").1, "limit: given twice");
    assert_eq!(refused("li%6Dit=1&limit=1").1, "limit: given twice");
    assert_eq!(refused("limit=%zz").1, "limit: not percent-encoded UTF-8");
    assert_eq!(refused("limit=%ff").1, "limit: not percent-encoded UTF-8");
    assert!(query("&&").is_ok());
}

#[test]
fn limits_and_sequences_are_plain_numbers_in_their_range() {
    for text in ["0", "1001", "+1", "-1", "1.0", "", "99999999999999999999"] {
        let text = text.replace('+', "%2B");
        assert!(
            query(&format!("limit={text}")).unwrap().limit().is_err(),
            "{text}"
        );
    }
    for text in ["0", "%2B1", "x", "99999999999999999999"] {
        assert!(
            query(&format!("as_of={text}")).unwrap().at().is_err(),
            "{text}"
        );
    }
    let items_max = |text| query(text).unwrap().limit().unwrap().items_max;
    assert_eq!(items_max("limit=1000"), 1000);
    assert_eq!(items_max(""), 100);
    let at = query("as_of=3&min_sequence=5").unwrap().at().unwrap();
    assert_eq!(at.wanted().map(stemedb::Sequence::get), Some(5));
}

#[test]
fn cursors_are_asked_for_in_one_way() {
    let cursors = |text| query(text).unwrap().limit().map(|extent| extent.cursors);
    assert_eq!(cursors("cursors=true").unwrap(), Cursors::OfEach);
    assert_eq!(cursors("cursors=false").unwrap(), Cursors::OfNext);
    assert_eq!(cursors("").unwrap(), Cursors::OfNext);
    for text in ["cursors", "cursors=1", "cursors=TRUE"] {
        assert!(cursors(text).is_err(), "{text}");
    }
}

#[test]
fn percent_encoding_is_read_strictly() {
    assert_eq!(decode("a%2Fb+c").as_deref(), Some("a/b+c"));
    assert_eq!(decode("%C3%BC").as_deref(), Some("\u{fc}"));
    for malformed in ["%", "%4", "%g0", "%+1", "%C3", "100%"] {
        assert_eq!(decode(malformed), None, "{malformed}");
    }
}
