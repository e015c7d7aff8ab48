use super::*;

fn bits(literal: &str) -> u64 {
    double(literal).unwrap().to_bits()
}

#[test]
fn integers_are_exact_or_refused() {
    let exact = [
        ("0", 0.0),
        ("-0", -0.0),
        ("999999999999999", 999_999_999_999_999.0),
        ("9007199254740991", 9_007_199_254_740_991.0),
        ("9007199254740992", 9_007_199_254_740_992.0),
        ("-9007199254740994", -9_007_199_254_740_994.0),
        ("100000000000000000000", 1e20),
        ("18446744073709551616", 18_446_744_073_709_551_616.0),
    ];
    for (literal, expected) in exact {
        assert_eq!(bits(literal), f64::to_bits(expected), "{literal}");
    }
    let largest = format!("{:.0}", f64::MAX);
    assert_eq!(largest.len(), 309);
    assert_eq!(bits(&largest), f64::to_bits(f64::MAX));

    let between = [
        "9007199254740993",
        "-9007199254740993",
        "18446744073709551615",
        "100000000000000000001",
        "1152921504606846977",
    ];
    for literal in between {
        let reason = Reason::InexactInteger {
            literal: literal.into(),
        };
        assert_eq!(double(literal).unwrap_err().reason(), &reason);
    }
    let off_by_one = largest.replace("68", "69");
    assert!(matches!(
        double(&off_by_one).unwrap_err().reason(),
        Reason::InexactInteger { .. }
    ));
    let beyond = format!("1{}", "0".repeat(400));
    assert!(matches!(
        double(&beyond).unwrap_err().reason(),
        Reason::NotFinite { .. }
    ));
}

#[test]
fn an_integer_with_a_fraction_or_an_exponent_is_rounded_like_any_double() {
    assert_eq!(
        bits("9007199254740993.0"),
        f64::to_bits(9_007_199_254_740_992.0)
    );
    assert_eq!(
        bits("9007199254740993e0"),
        f64::to_bits(9_007_199_254_740_992.0)
    );
    assert_eq!(bits("1E+2"), f64::to_bits(100.0));
    assert_eq!(bits("1e-400"), f64::to_bits(0.0));
    // Halfway cases and a double that a parser without big arithmetic gets wrong.
    assert_eq!(bits("2.2250738585072011e-308"), 0x000f_ffff_ffff_ffff);
    assert_eq!(
        bits("0.500000000000000166533453693773481063544750213623046875"),
        f64::to_bits(0.500_000_000_000_000_2)
    );
}

#[test]
fn times_are_integer_literals() {
    for (literal, ms) in [("0", 0), ("-0", 0), ("9007199254740991", TIMESTAMP_MS_MAX)] {
        assert_eq!(timestamp(literal).unwrap().as_ms(), ms, "{literal}");
    }
    for literal in ["9007199254740992", "-1", "99999999999999999999999"] {
        let reason = timestamp(literal).unwrap_err();
        assert!(
            matches!(reason.reason(), Reason::OutsideRange { .. }),
            "{literal}"
        );
    }
    for literal in ["1.0", "1e3", "0E0"] {
        let reason = Reason::NotAnInteger {
            literal: literal.into(),
        };
        assert_eq!(timestamp(literal).unwrap_err().reason(), &reason);
    }
}

#[test]
fn text_is_borrowed_where_it_can_be() {
    assert!(matches!(text(r#""plain""#), Ok(Cow::Borrowed("plain"))));
    assert!(matches!(text(r#""""#), Ok(Cow::Borrowed(""))));
    assert_eq!(
        text(r#""a\"\u00fc\ud83d\ude42\n""#).unwrap(),
        "a\"\u{fc}\u{1f642}\n"
    );
    for lone in [
        r#""\ud800""#,
        r#""\ud800x""#,
        r#""\udc00""#,
        r#""\ud800\u0041""#,
    ] {
        assert_eq!(
            text(lone).unwrap_err().reason(),
            &Reason::LoneSurrogate,
            "{lone}"
        );
    }
}

#[test]
fn an_object_is_the_same_whichever_way_it_is_read() {
    // The escape in the name keeps the scanner from reading it.
    for (plain, escaped) in [
        (r#"{"text":"a"}"#, r#"{"\u0074ext":"a"}"#),
        (r#"{ "number" : -1.50 }"#, r#"{ "\u006eumber" : -1.50 }"#),
        (r#"{"boolean":true}"#, r#"{"\u0062oolean":true}"#),
        (r#"{"reference":"a"}"#, r#"{"\u0072eference":"a"}"#),
        (r#"{"reference":""}"#, r#"{"\u0072eference":""}"#),
        (r#"{"number":"a"}"#, r#"{"\u006eumber":"a"}"#),
        (r#"{"text":null}"#, r#"{"\u0074ext":null}"#),
    ] {
        assert!(scan::only_entry(plain).is_some(), "{plain}");
        assert!(scan::only_entry(escaped).is_none(), "{escaped}");
        assert_eq!(object(plain), object(escaped), "{plain}");
    }
    let unknown = object(r#"{"list":1}"#).unwrap_err();
    assert!(matches!(unknown.reason(), Reason::ObjectKind { .. }));
}
