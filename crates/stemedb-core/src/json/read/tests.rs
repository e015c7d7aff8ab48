use super::*;

#[test]
fn every_field_belongs_to_a_type_and_stands_at_its_own_index() {
    for (index, field) in Field::ALL.into_iter().enumerate() {
        assert_eq!(field as usize, index);
        assert_eq!(Field::parse(field.name()), Some(field));
        let shapes = [ASSERTION, VOTE, EPOCH];
        assert!(
            shapes.iter().any(|shape| shape.fields.contains(&field)),
            "{field:?}"
        );
    }
    assert_eq!(Field::parse("Type"), None);
}

#[test]
fn a_key_is_the_name_that_its_escapes_spell() {
    let fields = parse(r#"{"sub\u006aect":"s","subject":"t"}"#).unwrap();
    assert_eq!(fields.repeated, Some(Field::Subject));
}

#[test]
fn the_first_problem_of_each_kind_is_kept() {
    let fields = parse(r#"{"a":1,"b":[{}],"type":null,"agent":1,"agent":2,"type":3}"#).unwrap();
    assert_eq!(fields.unknown.as_deref(), Some("a"));
    assert_eq!(fields.repeated, Some(Field::Agent));
    assert_eq!(fields.given(Field::Weight), None);
}
