use super::*;

#[test]
fn only_finite_numbers_are_numbers() {
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let shown = value.to_string();
        let expected = format!("object: {shown} is no finite double");
        assert_eq!(Number::new(value).unwrap_err().to_string(), expected);
        assert!(Confidence::new(value).is_err() && Weight::new(value).is_err());
    }
    assert_eq!(
        Number::new(f64::MAX).map(|it| it.get().to_bits()),
        Ok(f64::MAX.to_bits())
    );
}

#[test]
fn zero_has_one_sign() {
    let bits = [
        Number::new(-0.0).unwrap().get(),
        Confidence::new(-0.0).unwrap().get(),
        Weight::new(-0.0).unwrap().get(),
    ];
    assert_eq!(bits.map(f64::to_bits), [0; 3]);
}

#[test]
fn ranges_include_their_bounds() {
    for (value, fits) in [
        (0.0, true),
        (1.0, true),
        (1.0_f64.next_up(), false),
        (-5e-324, false),
    ] {
        assert_eq!(Confidence::new(value).is_ok(), fits, "{value}");
    }
    for (value, fits) in [
        (-1.0, true),
        (1.0, true),
        (1.0_f64.next_up(), false),
        (-1.1, false),
    ] {
        assert_eq!(Weight::new(value).is_ok(), fits, "{value}");
    }
    let long = Confidence::new(f64::MAX).unwrap_err().to_string();
    assert_eq!(
        long,
        format!(
            "confidence: 17976931348623157{}... is outside 0..=1",
            "0".repeat(23)
        )
    );
}
