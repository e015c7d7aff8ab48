use super::*;

fn scanned(text: &str) -> Option<Vec<(&str, &str)>> {
    let mut found = Vec::new();
    entries(text, |name, value| found.push((name, value)))?;
    Some(found)
}

#[test]
fn a_plain_map_gives_its_entries_as_they_stand() {
    let text = " { \"a\" : \"b c\" ,\"\":-1.50,\"a\":{ \"\u{fc}\": 0 } , \"d\":null,\"e\":true,\"f\":false} \r";
    let expected = [
        ("a", "\"b c\""),
        ("", "-1.50"),
        ("a", "{ \"\u{fc}\": 0 }"),
        ("d", "null"),
        ("e", "true"),
        ("f", "false"),
    ];
    assert_eq!(scanned(text).unwrap(), expected);
    assert_eq!(only_entry("{ \"\u{fc}\": 0 }"), Some(("\u{fc}", "0")));
}

#[test]
fn what_is_not_plain_is_left_to_the_parser() {
    let values = [
        r#""\n""#,
        "\"\n\"",
        "\"\u{1f}\"",
        "\"a",
        "[]",
        "[1]",
        "{}",
        r#"{"a":1,"b":1}"#,
        r#"{"a":{"b":1}}"#,
        r#"{"\u0061":1}"#,
        r#"{"a":1"#,
        r#"{"a"}"#,
        "01",
        "-",
        "-01",
        "1.",
        ".5",
        "+1",
        "1e3",
        "1E3",
        "1.5e3",
        "1x",
        "tru",
        "truee",
        "True",
        "nul",
        "nan",
        "inf",
        "",
        "0x10",
        "1_0",
        "\u{fc}",
    ];
    for value in values {
        let text = format!(r#"{{"a":{value}}}"#);
        assert_eq!(scanned(&text), None, "{text}");
        let text = format!(r#"{{"z":1,"a":{value},"b":2}}"#);
        assert_eq!(scanned(&text), None, "{text}");
    }
    let texts = [
        "",
        " ",
        "{",
        "{}",
        "[]",
        "null",
        r#"{"a":1"#,
        r#"{"a":1,}"#,
        r#"{,"a":1}"#,
        r#"{"a":1}}"#,
        r#"{"a":1} x"#,
        r#"{"a" 1}"#,
        r#"{"a":1 "b":2}"#,
        r"{a:1}",
        "{\"a\":1}\u{a0}",
        "\u{feff}{\"a\":1}",
        r#"{"a":1}{"a":1}"#,
    ];
    for text in texts {
        assert_eq!(scanned(text), None, "{text}");
    }
    for text in [r#"{"a":1} "#, r#"{"a":1,"b":2}"#, "{}", "1", r#"{"a":[1]}"#] {
        assert_eq!(only_entry(text), None, "{text}");
    }
}
