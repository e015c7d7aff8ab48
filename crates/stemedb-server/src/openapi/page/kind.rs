//! What a schema admits, in a few words.

use serde_json::Value;

use super::{escape, list, part, text};

/// Schemas within schemas that are spelled out; none of ours goes deeper.
const DEPTH_MAX: usize = 4;

/// What `schema` admits.
pub(super) fn kind(schema: &Value) -> String {
    let words = within(schema, DEPTH_MAX);
    if words.is_empty() {
        return words;
    }
    format!("<span class=\"quiet\">{words}</span>")
}

fn within(schema: &Value, depth: usize) -> String {
    let Some(depth) = depth.checked_sub(1) else {
        return "..".to_owned();
    };
    if let Some(name) = text(schema, "$ref")
        .rsplit('/')
        .next()
        .filter(|name| !name.is_empty())
    {
        return format!("<a href=\"#{name}\">{name}</a>");
    }
    if let Some(line) = schema.get("x-line-schema") {
        return format!("lines of {}", within(line, depth));
    }
    for several in ["/oneOf", "/anyOf"] {
        let choices = list(schema, several).iter();
        let choices: Vec<_> = choices.map(|choice| within(choice, depth)).collect();
        if !choices.is_empty() {
            return choices.join(" or ");
        }
    }
    if let Some(value) = schema.get("const") {
        return code(value);
    }
    let values: Vec<_> = list(schema, "/enum").iter().map(code).collect();
    if !values.is_empty() {
        return values.join(", ");
    }
    let mut words = match schema.get("items") {
        Some(items) => format!("array of {}", within(items, depth)),
        None => types(schema),
    };
    if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
        let keys = properties.iter();
        let keys = keys.map(|(key, value)| format!("{key}: {}", within(value, depth)));
        words = format!("{{ {} }}", keys.collect::<Vec<_>>().join(", "));
    }
    for (limit, said) in [
        ("minLength", "length from"),
        ("maxLength", "length to"),
        ("minItems", "items from"),
        ("maxItems", "items to"),
        ("minimum", "from"),
        ("maximum", "to"),
        ("default", "default"),
    ] {
        if let Some(value) = schema.get(limit) {
            words = format!("{words}, {said} {value}");
        }
    }
    match text(schema, "pattern") {
        "" => words,
        pattern => format!("{words}, <code>{}</code>", escape(pattern)),
    }
}

fn types(schema: &Value) -> String {
    match part(schema, "/type") {
        Value::String(one) => one,
        Value::Array(several) => {
            let names = several.iter().filter_map(Value::as_str);
            names.collect::<Vec<_>>().join(" or ")
        }
        _ => String::new(),
    }
}

fn code(value: &Value) -> String {
    format!("<code>{}</code>", escape(&value.to_string()))
}
