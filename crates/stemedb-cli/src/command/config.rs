//! `config`: the settings in force, and where each is from.

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
}

/// Runs the command.
pub(super) fn run(context: &mut Context) -> Result<Exit, Failure> {
    let Settings {
        dir,
        store,
        json,
        quiet,
    } = &context.settings;
    let document = Document {
        dir: shown(dir, dir.value.display().to_string()),
        store: shown(store, super::store_kind(store.value).name()),
        json: shown(json, json.value),
        quiet: shown(quiet, quiet.value),
    };
    let output = &mut context.output;
    if output.form() == Form::Json {
        output.json(&document)?;
        return Ok(Exit::Fine);
    }
    let rows = [
        ("dir", document.dir.value, document.dir.from),
        (
            "store",
            document.store.value.to_owned(),
            document.store.from,
        ),
        ("json", document.json.value.to_string(), document.json.from),
        (
            "quiet",
            document.quiet.value.to_string(),
            document.quiet.from,
        ),
    ];
    let width = rows
        .iter()
        .map(|(_, value, _)| value.len())
        .max()
        .unwrap_or(0);
    for (name, value, from) in rows {
        let line = format!("{name:5}  {value:width$}  ({from})");
        output.line(printable(&line))?;
    }
    Ok(Exit::Fine)
}

fn shown<T, U>(setting: &Setting<T>, value: U) -> Json<U> {
    let from = match &setting.origin {
        Origin::File(path) => path.display().to_string(),
        other => other.to_string(),
    };
    Json { value, from }
}
