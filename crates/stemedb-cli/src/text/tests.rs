use stemedb::{Object, RecordId};

use super::{counted, grouped, object, printable, rate, short_id, shortened, time};

#[test]
fn nothing_that_steers_a_terminal_is_printed() {
    let hostile = "a\u{1b}[31mb\u{7}\u{9b}c\u{202e}d\u{7f}\n";
    assert_eq!(
        printable(hostile),
        "a\\u{1b}[31mb\\u{7}\\u{9b}c\\u{202e}d\\u{7f}\\n"
    );
    for character in ('\0'..='\u{ffff}').filter(|c| c.is_control()) {
        let text = character.to_string();
        assert!(
            !printable(&text).contains(char::is_control),
            "{character:?}"
        );
    }
}

#[test]
fn ordinary_text_is_printed_as_it_is() {
    let ordinary = "St\u{e9}phen \u{5d0}\u{1f5fc} \\ \"x\"";
    assert_eq!(printable(ordinary), ordinary);
}

#[test]
fn long_text_is_cut_between_characters() {
    assert_eq!(
        shortened("\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}", 5),
        "\u{e9}".repeat(5)
    );
    assert_eq!(
        shortened("\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}", 5),
        "\u{e9}\u{e9}..."
    );
}

#[test]
fn values_of_different_kinds_look_different() {
    assert_eq!(object(&Object::text("1")), "\"1\"");
    assert_eq!(object(&Object::number(1.0).unwrap()), "1");
    assert_eq!(object(&Object::number(324.16).unwrap()), "324.16");
    assert_eq!(object(&Object::from(true)), "true");
    assert_eq!(object(&Object::reference("Paris").unwrap()), "-> Paris");
}

#[test]
fn numbers_are_grouped_by_thousands() {
    let cases = [
        (0, "0"),
        (999, "999"),
        (1000, "1,000"),
        (1_234_567, "1,234,567"),
    ];
    for (number, shown) in cases {
        assert_eq!(grouped(number), shown);
    }
    assert_eq!(counted(1, "line", "lines"), "1 line");
    assert_eq!(counted(1000, "line", "lines"), "1,000 lines");
}

#[test]
fn times_are_rfc_3339_with_milliseconds() {
    assert_eq!(time(0), "1970-01-01T00:00:00.000Z");
    assert_eq!(time(1_289_241_912_007), "2010-11-08T18:45:12.007Z");
    assert_eq!(time(u64::MAX), "18446744073709551615 ms after 1970");
}

#[test]
fn short_ids_are_the_beginning_of_the_id() {
    let id = RecordId::from_bytes([0xab; 32]);
    assert_eq!(short_id(id), "ab".repeat(6));
}

#[test]
fn a_rate_over_no_time_is_a_number() {
    assert_eq!(rate(5, 0), 5000);
    assert_eq!(rate(u64::MAX, 1), u64::MAX);
}
