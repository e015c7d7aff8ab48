//! `config`: the settings in force, and where each is from.

use std::path::PathBuf;

use serde::Serialize;

use super::Context;
use crate::{
    config::{Origin, Setting, Settings},
    failure::{Exit, Failure},
    output::Form,
    text::printable,
};

/// A setting with `--json`.
#[derive(Debug, Serialize)]
struct Json<T> {
    value: T,
    from: String,
}

#[derive(Debug, Serialize)]
struct Document {
    dir: Json<String>,
    store: Json<&'static str>,
    json: Json<bool>,
    quiet: Json<bool>,
    stream_cache_bytes_max: Json<u64>,
    small_cache_bytes_max: Json<u64>,
    known_ids_bytes_max: Json<u64>,
    listen: Json<String>,
    tls_cert: Json<Option<String>>,
    tls_key: Json<Option<String>>,
    insecure_http: Json<bool>,
    connections_max: Json<u64>,
    connections_per_address_max: Json<u64>,
    requests_per_second_max: Json<u64>,
    url: Json<Option<String>>,
    token: Json<Option<&'static str>>,
    token_file: Json<Option<String>>,
    ca: Json<Option<String>>,
}

/// Runs the command.
pub(super) fn run(context: &mut Context) -> Result<Exit, Failure> {
    let Settings {
        dir,
        store,
        json,
        quiet,
        stream_cache_bytes_max,
        small_cache_bytes_max,
        known_ids_bytes_max,
        serve,
        remote,
    } = &context.settings;
    let path = |setting: &Setting<Option<PathBuf>>| {
        let text = setting
            .value
            .as_ref()
            .map(|path| path.display().to_string());
        shown(setting, text)
    };
    let document = Document {
        dir: shown(dir, dir.value.display().to_string()),
        store: shown(store, super::store_kind(store.value).name()),
        json: shown(json, json.value),
        quiet: shown(quiet, quiet.value),
        stream_cache_bytes_max: shown(stream_cache_bytes_max, stream_cache_bytes_max.value),
        small_cache_bytes_max: shown(small_cache_bytes_max, small_cache_bytes_max.value),
        known_ids_bytes_max: shown(known_ids_bytes_max, known_ids_bytes_max.value),
        listen: shown(&serve.listen, serve.listen.value.to_string()),
        tls_cert: path(&serve.tls_cert),
        tls_key: path(&serve.tls_key),
        insecure_http: shown(&serve.insecure_http, serve.insecure_http.value),
        connections_max: shown(&serve.connections_max, serve.connections_max.value),
        connections_per_address_max: shown(
            &serve.connections_per_address_max,
            serve.connections_per_address_max.value,
        ),
        requests_per_second_max: shown(
            &serve.requests_per_second_max,
            serve.requests_per_second_max.value,
        ),
        url: shown(
            &remote.url,
            remote.url.value.as_ref().map(ToString::to_string),
        ),
        // That there is one, and nothing of it.
        token: shown(&remote.token, remote.token.value.as_ref().map(|_| "set")),
        token_file: path(&remote.token_file),
        ca: path(&remote.ca),
    };
    let output = &mut context.output;
    if output.form() == Form::Json {
        output.json(&document)?;
        return Ok(Exit::Fine);
    }
    for line in lines(document) {
        output.line(printable(&line))?;
    }
    Ok(Exit::Fine)
}

/// A line for each setting, for people.
fn lines(document: Document) -> Vec<String> {
    let text = |number: Json<u64>| (number.value.to_string(), number.from);
    let switch = |switch: Json<bool>| (switch.value.to_string(), switch.from);
    let path = |path: Json<Option<String>>| (path.value.unwrap_or("none".to_owned()), path.from);
    let rows = [
        ("dir", (document.dir.value, document.dir.from)),
        (
            "store",
            (document.store.value.to_owned(), document.store.from),
        ),
        ("json", switch(document.json)),
        ("quiet", switch(document.quiet)),
        (
            "stream_cache_bytes_max",
            text(document.stream_cache_bytes_max),
        ),
        (
            "small_cache_bytes_max",
            text(document.small_cache_bytes_max),
        ),
        ("known_ids_bytes_max", text(document.known_ids_bytes_max)),
        ("listen", (document.listen.value, document.listen.from)),
        ("tls_cert", path(document.tls_cert)),
        ("tls_key", path(document.tls_key)),
        ("insecure_http", switch(document.insecure_http)),
        ("connections_max", text(document.connections_max)),
        (
            "connections_per_address_max",
            text(document.connections_per_address_max),
        ),
        (
            "requests_per_second_max",
            text(document.requests_per_second_max),
        ),
        ("url", path(document.url)),
        (
            "token",
            (
                document.token.value.unwrap_or("none").to_owned(),
                document.token.from,
            ),
        ),
        ("token_file", path(document.token_file)),
        ("ca", path(document.ca)),
    ];
    let names = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let values = rows.iter().map(|(_, (value, _))| value.len());
    let width = values.max().unwrap_or(0);
    let line = |(name, (value, from))| format!("{name:names$}  {value:width$}  ({from})");
    rows.into_iter().map(line).collect()
}

fn shown<T, U>(setting: &Setting<T>, value: U) -> Json<U> {
    let from = match &setting.origin {
        Origin::File(path) => path.display().to_string(),
        other => other.to_string(),
    };
    Json { value, from }
}
