use super::*;

#[test]
fn text_is_lower_case_hex_and_reads_back() {
    let bytes: [u8; 32] = std::array::from_fn(|at| u8::try_from(at * 8).unwrap());
    let id = RecordId::from_bytes(bytes);
    assert!(id.to_string().starts_with("000810182028303840"));
    assert_eq!(id.to_string().parse(), Ok(id));
    assert_eq!(format!("{id:?}"), format!("RecordId({id})"));
    let signature = Signature::from_bytes([0xc3; 64]);
    assert_eq!(signature.to_string(), "c3".repeat(64));
    assert_eq!(signature.to_string().parse(), Ok(signature));
}

#[test]
fn any_other_text_is_refused() {
    let digits = "ab".repeat(32);
    let cases = [
        (digits[1..].to_owned(), "found 63 bytes of text"),
        (format!("{digits}0"), "found 65 bytes of text"),
        (
            format!(" {}", &digits[1..]),
            "found another character at byte 0",
        ),
        (
            digits.replacen('b', "B", 1),
            "found another character at byte 1",
        ),
        (
            format!("{}\u{fc}", &digits[2..]),
            "found another character at byte 62",
        ),
        (
            format!("0x{}", &digits[2..]),
            "found another character at byte 1",
        ),
    ];
    for (text, expected) in cases {
        let refused = text.parse::<RecordId>().unwrap_err().to_string();
        assert_eq!(
            refused,
            format!("expected 64 lower-case hex digits, {expected}"),
            "{text}"
        );
    }
}

#[test]
fn every_byte_at_every_place_is_a_lower_case_digit_or_refused() {
    for byte in 0..0x80_u8 {
        for place in 0..128 {
            let mut text = "0123456789abcdef".repeat(8).into_bytes();
            text[place] = byte;
            let text = String::from_utf8(text).unwrap();
            let found = text.parse::<Signature>();
            match data_encoding::HEXLOWER.decode(text.as_bytes()) {
                Ok(bytes) => assert_eq!(found.unwrap().as_bytes()[..], bytes),
                Err(error) => {
                    let reason = Reason::HexDigit {
                        digits: 128,
                        at: error.position,
                    };
                    assert_eq!(found.unwrap_err().reason(), &reason, "{text}");
                }
            }
        }
    }
}
