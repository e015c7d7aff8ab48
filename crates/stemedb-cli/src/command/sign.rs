//! `sign`: NDJSON in, signed NDJSON out.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use serde_json::value::RawValue;
use stemedb::ndjson::{Chunk, Content};
use stemedb::{Record, RecordId, SigningKey};

use super::Context;
use crate::{
    args::Sign,
    failure::{Exit, Failure, chain},
    file, input,
    output::{Output, say},
    text::counted,
};

/// Length of a file of a key at most; `keygen` writes 65 bytes.
const KEY_BYTES_MAX: u64 = 512;

/// Runs the command.
pub(super) fn run(context: &mut Context, args: Sign) -> Result<Exit, Failure> {
    let key = read_key(&args.key)?;
    let files = if args.files.is_empty() {
        vec![PathBuf::from("-")]
    } else {
        args.files
    };
    input::check(&files)?;
    let mut refused = 0;
    for path in &files {
        refused += sign_file(&mut context.output, &key, path)?;
    }
    if refused == 0 {
        return Ok(Exit::Fine);
    }
    let count = counted(refused, "line was", "lines were");
    context.output.note(format_args!("{count} refused"));
    Ok(Exit::Found)
}

fn read_key(path: &Path) -> Result<SigningKey, Failure> {
    let name = input::name(path);
    let text = file::read_text(path, KEY_BYTES_MAX)
        .map_err(|error| Failure::file(Exit::Usage, &name, &error))?;
    let secret = text.trim_end().parse::<RecordId>().ok();
    let secret = secret.ok_or_else(|| {
        let text = format!("{name}: is no key; `stemedb keygen FILE` writes one");
        Failure::new(Exit::Usage, text)
    })?;
    Ok(SigningKey::from_bytes(*secret.as_bytes()))
}

/// Signs the lines of a file; gives how many were refused.
fn sign_file(output: &mut Output, key: &SigningKey, path: &Path) -> Result<u64, Failure> {
    let name = input::name(path);
    let unreadable = |error| Failure::file(Exit::Found, &name, &error);
    let mut lines = input::open(path, Arc::default()).map_err(unreadable)?;
    let mut refused = 0;
    while let Some(chunk) = lines.next_chunk().map_err(unreadable)? {
        refused += sign_chunk(output, key, &name, &chunk)?;
    }
    Ok(refused)
}

fn sign_chunk(
    output: &mut Output,
    key: &SigningKey,
    name: &str,
    chunk: &Chunk,
) -> Result<u64, Failure> {
    if chunk.content == Content::TooLong {
        let line = chunk.first_line;
        say(format_args!("{name}:{line}: the line is too long"));
        return Ok(1);
    }
    let mut refused = 0;
    for (number, line) in chunk.lines() {
        match sign(key, line) {
            Ok(signed) => output.line(signed)?,
            Err(reason) => {
                say(format_args!("{name}:{number}: {reason}"));
                refused += 1;
            }
        }
    }
    // A pipe may wait for these lines before it gives more.
    output.flush()?;
    Ok(refused)
}

/// The signed form of the record in `line`.
fn sign(key: &SigningKey, line: &[u8]) -> Result<String, String> {
    let filled = with_agent(key, line);
    let line = filled.as_deref().unwrap_or(line);
    let record = Record::from_json(line).map_err(|error| chain(&error))?;
    let signed = key.sign(&record).map_err(|error| chain(&error))?;
    signed.verify().map_err(|error| chain(&error))?;
    Ok(signed.to_json())
}

/// `line` with the key as its agent, if it is a JSON map without one.
///
/// The rest of the line is kept to the letter, so that it is read, or refused, like any other.
fn with_agent(key: &SigningKey, line: &[u8]) -> Option<Vec<u8>> {
    let names: Names = serde_json::from_slice(line).ok()?;
    if names.agent.is_some() {
        return None;
    }
    let body = line.trim_ascii().strip_suffix(b"}")?;
    let comma = if body.trim_ascii() == b"{" { "" } else { "," };
    let mut filled = body.to_vec();
    filled.extend_from_slice(format!("{comma}\"agent\":\"{}\"}}", key.did()).as_bytes());
    Some(filled)
}

/// Whether a record names its agent; anything else in it is the parser's business.
#[derive(serde::Deserialize)]
struct Names {
    agent: Option<Box<RawValue>>,
}

#[cfg(test)]
mod tests {
    use stemedb::{Record, SigningKey};

    use super::sign;

    fn key() -> SigningKey {
        SigningKey::from_bytes([7; 32])
    }

    #[test]
    fn a_record_without_an_agent_gets_that_of_the_key() {
        let line = br#" {"type":"epoch","name":"2024" } "#;
        let signed = Record::from_json(sign(&key(), line).unwrap().as_bytes()).unwrap();
        assert_eq!(signed.agent(), &key().did());
        assert!(signed.verify().is_ok());
    }

    #[test]
    fn a_record_of_this_agent_is_signed_and_one_of_another_refused() {
        let of = |agent: &str| format!(r#"{{"type":"epoch","name":"2024","agent":"{agent}"}}"#);
        let own = sign(&key(), of(key().did().as_str()).as_bytes()).unwrap();
        let filled = sign(&key(), br#"{"type":"epoch","name":"2024"}"#).unwrap();
        assert_eq!(own, filled);
        let refused = sign(&key(), of("somebody").as_bytes()).unwrap_err();
        assert!(
            refused.starts_with("agent: is not the signing key"),
            "{refused}"
        );
    }

    #[test]
    fn what_is_no_record_is_refused_as_an_ingest_would() {
        for line in [
            "",
            "{}",
            "[1]",
            "nonsense",
            r#"{"type":"epoch","name":"a","name":"b"}"#,
        ] {
            let refused = sign(&key(), line.as_bytes());
            assert!(refused.is_err(), "{line}");
        }
    }
}
