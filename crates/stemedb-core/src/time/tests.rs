use super::*;

#[test]
fn a_time_is_an_integer_that_a_double_holds() {
    assert_eq!(
        Timestamp::from_ms(TIMESTAMP_MS_MAX).unwrap().as_ms(),
        9_007_199_254_740_991
    );
    assert_eq!(
        Timestamp::from_ms(TIMESTAMP_MS_MAX + 1)
            .unwrap_err()
            .to_string(),
        "timestamp: 9007199254740992 is outside 0..=9007199254740991 (Unix milliseconds)"
    );
}

#[test]
fn sequences_are_dense_and_never_wrap() {
    let first_three: Vec<_> = std::iter::successors(Some(Sequence::FIRST), |it| it.next())
        .take(3)
        .collect();
    assert_eq!(
        first_three.iter().map(|it| it.get()).collect::<Vec<_>>(),
        [1, 2, 3]
    );
    assert!(first_three.is_sorted());
    assert_eq!(Sequence::new(u64::MAX).unwrap().next(), None);
}
