use super::*;

#[test]
fn control_characters_are_refused_and_nothing_else_is_touched() {
    for code in 0..=0x9f_u8 {
        let text = format!("ab{}c", char::from(code));
        let refused = code < 0x20 || code == 0x7f;
        match Subject::new(text.as_str()) {
            Ok(subject) => assert_eq!((subject.as_str(), refused), (&*text, false)),
            Err(invalid) => {
                assert_eq!(invalid.reason(), &Reason::ControlCharacter { code, at: 2 });
                assert!(refused);
            }
        }
        assert_eq!(Quote::new(text.as_str()).unwrap().as_str(), text);
    }
    assert_eq!(Subject::new(" e\u{301} ").unwrap().as_str(), " e\u{301} ");
}

#[test]
fn limits_count_bytes_and_are_inclusive() {
    let umlauts = "\u{fc}".repeat(128);
    assert_eq!(Predicate::new(umlauts.as_str()).unwrap().as_str(), umlauts);
    assert_eq!(
        Predicate::new(umlauts + "x").unwrap_err().to_string(),
        "predicate: is 257 bytes long; at most 256 are allowed"
    );
    let limit = |max: usize| ("x".repeat(max), "x".repeat(max + 1));
    let (fits, over) = limit(1024);
    assert!(Subject::new(&*fits).is_ok() && Subject::new(&*over).is_err());
    assert!(Reference::new(&*fits).is_ok() && Reference::new(&*over).is_err());
    let (fits, over) = limit(512);
    assert!(Agent::new(&*fits).is_ok() && Agent::new(&*over).is_err());
    assert!(Source::new(&*fits).is_ok() && Source::new(&*over).is_err());
    let (fits, over) = limit(256);
    assert!(EpochName::new(&*fits).is_ok() && EpochName::new(&*over).is_err());
    let (fits, over) = limit(65536);
    assert!(Quote::new(&*fits).is_ok() && Quote::new(&*over).is_err());
    assert!(Description::new(&*fits).is_ok() && Description::new(&*over).is_err());
}

#[test]
fn names_have_a_character_and_texts_need_none() {
    assert_eq!(Subject::new("").unwrap_err().reason(), &Reason::Empty);
    assert_eq!(Agent::new("").unwrap_err().reason(), &Reason::Empty);
    assert_eq!(Quote::new("").unwrap().as_str(), "");
}
