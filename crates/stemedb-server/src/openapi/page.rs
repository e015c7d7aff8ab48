//! The document as a page for people: all of it in one answer, without a script and without anything from elsewhere.

use std::sync::LazyLock;

use serde_json::Value;

use super::{document, operation::ALL};
use kind::kind;

mod kind;

#[cfg(test)]
mod tests;

const STYLE: &str = include_str!("page.css");

/// What a browser may do with the page: apply its style sheet, which has this hash, and nothing else.
pub(crate) const POLICY: &str = "default-src 'none'; style-src 'sha256-zgeYzWkrGIVM0vECagaRSU470eBFXo8JM24kfp/Myl4='; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

static HTML: LazyLock<String> = LazyLock::new(|| {
    let document = serde_json::to_value(document()).unwrap_or_default();
    render(&document)
});

/// The page.
pub(crate) fn html() -> &'static str {
    &HTML
}

fn render(document: &Value) -> String {
    let info = &part(document, "/info");
    let (title, version) = (text(info, "title"), text(info, "version"));
    let mut html = String::new();
    html.push_str("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    html.push_str("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    push(
        &mut html,
        format_args!("<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"),
    );
    contents(&mut html, document);
    push(
        &mut html,
        format_args!("<main>\n<h1>{title} <span class=\"quiet\">{version}</span></h1>\n"),
    );
    html.push_str(&prose(text(info, "summary")));
    html.push_str(&prose(text(info, "description")));
    html.push_str("<p>For programs: <a href=\"/v1/openapi.json\">/v1/openapi.json</a></p>\n");
    for tag in list(document, "/tags") {
        section(&mut html, document, tag);
    }
    schemes(&mut html, document);
    codes(&mut html, document);
    schemas(&mut html, document);
    html.push_str("</main>\n</body>\n</html>\n");
    html
}

/// The operations under a heading, as the table has them.
fn operations<'a>(
    document: &'a Value,
    tag: &'a str,
) -> impl Iterator<Item = (&'static str, &'static str, &'a Value)> {
    ALL.iter().filter_map(move |row| {
        let operation = document.get("paths")?.get(row.path)?.get(row.method)?;
        let is_under = part(operation, "/tags/0").as_str() == Some(tag);
        is_under.then_some((row.method, row.path, operation))
    })
}

/// The column by which readers find their way.
fn contents(html: &mut String, document: &Value) {
    html.push_str("<nav>\n");
    for tag in list(document, "/tags") {
        let name = text(tag, "name");
        push(html, format_args!("<h2>{name}</h2>\n"));
        for (method, path, operation) in operations(document, name) {
            let id = text(operation, "operationId");
            push(
                html,
                format_args!(
                    "<a href=\"#{id}\"><span class=\"method {method}\">{}</span>{path}</a>\n",
                    method.to_uppercase()
                ),
            );
        }
    }
    html.push_str("<h2>Reference</h2>\n<a href=\"#tokens\">Tokens</a>\n<a href=\"#codes\">Problems</a>\n<a href=\"#schemas\">Schemas</a>\n</nav>\n");
}

fn section(html: &mut String, document: &Value, tag: &Value) {
    let name = text(tag, "name");
    push(html, format_args!("<h2>{name}</h2>\n"));
    html.push_str(&prose(text(tag, "description")));
    for (method, path, operation) in operations(document, name) {
        let id = text(operation, "operationId");
        push(
            html,
            format_args!(
                "<h3 id=\"{id}\"><span class=\"method {method}\">{}</span><code>{path}</code></h3>\n",
                method.to_uppercase()
            ),
        );
        html.push_str(&prose(&format!("{}.", text(operation, "summary"))));
        html.push_str(&prose(text(operation, "description")));
        html.push_str(&prose(&need(operation)));
        parameters(html, operation);
        request(html, path, operation);
        answers(html, operation);
    }
}

/// What an operation needs, in words.
fn need(operation: &Value) -> String {
    match part(operation, "/security/0/bearer/0").as_str() {
        Some(scope) => {
            format!("It needs a token with the scope `{scope}`, where the server has tokens.")
        }
        None => "It needs no token.".to_owned(),
    }
}

fn parameters(html: &mut String, operation: &Value) {
    let all = list(operation, "/parameters");
    if all.is_empty() {
        return;
    }
    html.push_str("<h4>Parameters</h4>\n<table>\n");
    for parameter in all {
        let (name, place) = (text(parameter, "name"), text(parameter, "in"));
        let kind = kind(&part(parameter, "/schema"));
        let text = prose(text(parameter, "description"));
        push(
            html,
            format_args!(
                "<tr><th><code>{name}</code> <span class=\"quiet\">{place}</span></th><td>{text}{kind}</td></tr>\n"
            ),
        );
    }
    html.push_str("</table>\n");
}

/// The body and the command that sends it.
fn request(html: &mut String, path: &str, operation: &Value) {
    let bodies = part(operation, "/requestBody/content");
    let body = bodies.as_object().and_then(|bodies| bodies.iter().next());
    if let Some((media, content)) = body {
        let kind = kind(&part(content, "/schema"));
        push(
            html,
            format_args!("<h4>Body</h4>\n<p><code>{media}</code> {kind}</p>\n"),
        );
    }
    let (mut target, mut query) = (path.to_owned(), String::new());
    for parameter in list(operation, "/parameters") {
        let Some(example) = parameter.get("example") else {
            continue;
        };
        let example = example
            .as_str()
            .map_or_else(|| example.to_string(), str::to_owned);
        let (name, example) = (text(parameter, "name"), encoded(&example));
        if text(parameter, "in") == "path" {
            target = target.replace(&format!("{{{name}}}"), &example);
        } else {
            let mark = if query.is_empty() { '?' } else { '&' };
            push(&mut query, format_args!("{mark}{name}={example}"));
        }
    }
    let mut command = format!("curl 'http://127.0.0.1:8642{target}{query}'");
    if let Some((media, content)) = body {
        let body = part(content, "/example");
        let body = body
            .as_str()
            .map_or_else(|| format!("{body:#}"), |lines| lines.trim_end().to_owned());
        // What ends a text of the shell is written so that it does not.
        let body = body.replace('\'', r"'\''");
        push(
            &mut command,
            format_args!(" -H 'content-type: {media}' \\\n  --data-binary '{body}'"),
        );
    }
    push(
        html,
        format_args!("<h4>Example</h4>\n<pre>{}</pre>\n", escape(&command)),
    );
}

fn answers(html: &mut String, operation: &Value) {
    let responses = part(operation, "/responses");
    let responses = responses.as_object().into_iter().flatten();
    let (mut rows, mut example) = (String::new(), None);
    for (status, response) in responses {
        let content = part(response, "/content");
        let content = content.as_object().and_then(|kinds| kinds.values().next());
        if let Some(shown) = content.and_then(|content| content.get("example")) {
            example = Some((status.clone(), shown.clone()));
        }
        let kind = content
            .filter(|_| !status.starts_with(['4', '5']))
            .map(|content| kind(&part(content, "/schema")))
            .unwrap_or_default();
        let text = prose(text(response, "description"));
        push(
            &mut rows,
            format_args!("<tr><th>{status}</th><td>{text}{kind}</td></tr>\n"),
        );
    }
    if let Some((status, example)) = example {
        let example = example
            .as_str()
            .map_or_else(|| format!("{example:#}"), str::to_owned);
        let example = escape(&example);
        push(
            html,
            format_args!("<p class=\"quiet\">{status}</p>\n<pre>{example}</pre>\n"),
        );
    }
    push(
        html,
        format_args!("<h4>Answers</h4>\n<table>\n{rows}</table>\n"),
    );
}

/// How clients say who they are.
fn schemes(html: &mut String, document: &Value) {
    html.push_str("<h2 id=\"tokens\">Tokens</h2>\n");
    let schemes = part(document, "/components/securitySchemes");
    for scheme in schemes.as_object().into_iter().flat_map(|all| all.values()) {
        html.push_str(&prose(text(scheme, "description")));
        let form = format!("authorization: Bearer {}", text(scheme, "bearerFormat"));
        push(html, format_args!("<pre>{}</pre>\n", escape(&form)));
    }
}

fn codes(html: &mut String, document: &Value) {
    html.push_str("<h2 id=\"codes\">Problems</h2>\n");
    html.push_str("<p>The form of each is <a href=\"#Problem\">Problem</a>.</p>\n<table>\n");
    let codes = part(document, "/components/schemas/Code");
    for code in list(&codes, "/enum") {
        let code = code.as_str().unwrap_or_default();
        let status = part(&codes, &format!("/x-status/{code}"));
        let title = part(&codes, &format!("/x-title/{code}"));
        let title = escape(title.as_str().unwrap_or_default());
        push(
            html,
            format_args!(
                "<tr><th><code>{code}</code></th><td>{status}</td><td>{title}</td></tr>\n"
            ),
        );
    }
    html.push_str("</table>\n");
}

fn schemas(html: &mut String, document: &Value) {
    html.push_str("<h2 id=\"schemas\">Schemas</h2>\n");
    let schemas = part(document, "/components/schemas");
    for (name, schema) in schemas.as_object().into_iter().flatten() {
        push(html, format_args!("<h3 id=\"{name}\">{name}</h3>\n"));
        html.push_str(&prose(text(schema, "description")));
        let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
            push(html, format_args!("<p>{}</p>\n", kind(schema)));
            continue;
        };
        html.push_str("<table>\n");
        let required = list(schema, "/required");
        let required = required.iter().filter_map(Value::as_str);
        let required: Vec<_> = required.collect();
        let optional = properties.keys().map(String::as_str);
        let optional = optional.filter(|name| !required.contains(name));
        for (names, said) in [
            (required.clone(), ""),
            (optional.collect(), " <span class=\"quiet\">optional</span>"),
        ] {
            for name in names {
                let Some(property) = properties.get(name) else {
                    continue;
                };
                let (text, kind) = (prose(text(property, "description")), kind(property));
                push(
                    html,
                    format_args!(
                        "<tr><th><code>{name}</code>{said}</th><td>{text}{kind}</td></tr>\n"
                    ),
                );
            }
        }
        html.push_str("</table>\n");
    }
}

/// A part of a value, `null` where there is none.
fn part(value: &Value, pointer: &str) -> Value {
    value.pointer(pointer).cloned().unwrap_or_default()
}

fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    let list = value.pointer(pointer).and_then(Value::as_array);
    list.map(Vec::as_slice).unwrap_or_default()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn push(html: &mut String, text: std::fmt::Arguments<'_>) {
    html.push_str(&text.to_string());
}

/// Text of a description: its paragraphs, and what stands between back-ticks as code.
fn prose(text: &str) -> String {
    let mut html = String::new();
    for paragraph in text.split('\n').filter(|line| !line.is_empty()) {
        let mut parts = paragraph.split('`');
        push(
            &mut html,
            format_args!("<p>{}", escape(parts.next().unwrap_or_default())),
        );
        while let Some(code) = parts.next() {
            let after = escape(parts.next().unwrap_or_default());
            push(
                &mut html,
                format_args!("<code>{}</code>{after}", escape(code)),
            );
        }
        html.push_str("</p>\n");
    }
    html
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            _ => escaped.push(character),
        }
    }
    escaped
}

/// Percent-encodes everything but letters, digits and `-._~`.
pub(super) fn encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            push(&mut encoded, format_args!("%{byte:02X}"));
        }
    }
    encoded
}
