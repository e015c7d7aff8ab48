use super::*;

#[test]
fn an_excerpt_is_short_and_printable() {
    assert_eq!(&*excerpt("plain it's"), "plain it's");
    assert_eq!(&*excerpt("a\u{1b}[31m\n\"b\""), "a\\u{1b}[31m\\n\\\"b\\\"");
    let long = "\u{fc}".repeat(EXCERPT_CHARS_MAX);
    assert_eq!(*excerpt(&long), *long);
    assert_eq!(*excerpt(&format!("{long}x")), *format!("{long}..."));
}

#[test]
fn a_refusal_is_small_enough_to_be_returned_by_value() {
    assert!(size_of::<Invalid>() <= 72, "{}", size_of::<Invalid>());
}
