//! The one handle through which the program answers.
//!
//! The answer goes to standard output, everything else to standard error. A write that fails ends the
//! command; it never panics.

use std::{
    fmt::Display,
    io::{self, BufWriter, IsTerminal, Stdout, Write},
};

use serde::Serialize;

use crate::{failure::Failure, log, text};

/// In which form the answer is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// A table for people.
    People,
    /// One JSON document, or one a line for lists.
    Json,
}

/// Whether what is not the answer is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Talk {
    /// Progress and notes go to standard error.
    Normal,
    /// Nothing but errors.
    Quiet,
}

/// What stands out on a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// A heading.
    Bold,
    /// A detail.
    Dim,
    /// Something to look at.
    Warn,
}

impl Style {
    const fn code(self) -> &'static str {
        match self {
            Self::Bold => "1",
            Self::Dim => "2",
            Self::Warn => "33",
        }
    }
}

/// Standard output, and how to speak to it.
#[derive(Debug)]
pub(crate) struct Output {
    stdout: BufWriter<Stdout>,
    form: Form,
    talk: Talk,
    is_terminal: bool,
    is_coloured: bool,
}

impl Output {
    /// Answers in `form`; colours go to a terminal only, and not if `NO_COLOR` is set.
    pub(crate) fn new(form: Form, talk: Talk) -> Self {
        let stdout = io::stdout();
        let is_terminal = stdout.is_terminal();
        let refuses_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self {
            stdout: BufWriter::with_capacity(64 * 1024, stdout),
            form,
            talk,
            is_terminal,
            is_coloured: is_terminal && !refuses_colour,
        }
    }

    /// In which form the answer is given.
    pub(crate) const fn form(&self) -> Form {
        self.form
    }

    /// Whether the answer goes to a terminal.
    pub(crate) const fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    /// Whether progress is shown.
    pub(crate) fn shows_progress(&self) -> bool {
        self.talk == Talk::Normal && io::stderr().is_terminal()
    }

    /// Writes one line, which has to be printable.
    pub(crate) fn line(&mut self, line: impl Display) -> Result<(), Failure> {
        writeln!(self.stdout, "{line}").map_err(|error| Failure::stdout(&error))
    }

    /// Writes one line of JSON.
    pub(crate) fn json(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        let line = serde_json::to_vec(value)
            .map_err(|error| Failure::caused(crate::failure::Exit::Corruption, "JSON", &error))?;
        self.json_bytes(&line)
    }

    /// Writes one line of JSON that is ready.
    pub(crate) fn json_bytes(&mut self, line: &[u8]) -> Result<(), Failure> {
        let written = if self.is_terminal {
            let text = String::from_utf8_lossy(line);
            writeln!(self.stdout, "{}", escape_json(&text))
        } else {
            self.stdout
                .write_all(line)
                .and_then(|()| self.stdout.write_all(b"\n"))
        };
        written.map_err(|error| Failure::stdout(&error))
    }

    /// Writes bytes as they are.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let written = self.stdout.write_all(bytes);
        written.map_err(|error| Failure::stdout(&error))
    }

    /// Hands over what is buffered.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        self.stdout.flush().map_err(|error| Failure::stdout(&error))
    }

    /// `text` in `style`, where colours are shown.
    pub(crate) fn styled(&self, style: Style, text: impl Display) -> String {
        if self.is_coloured {
            format!("\u{1b}[{}m{text}\u{1b}[0m", style.code())
        } else {
            text.to_string()
        }
    }

    /// Says something that is not the answer, unless the program is to be quiet.
    pub(crate) fn note(&self, note: impl Display) {
        if self.talk == Talk::Normal {
            say(note);
        }
    }
}

/// Writes a line to standard error, which may be a log.
pub(crate) fn say(line: impl Display) {
    let line = line.to_string();
    if log::say(&line) {
        return;
    }
    if writeln!(io::stderr(), "{}", text::printable(&line)).is_err() {
        // There is nowhere left to say it.
    }
}

/// JSON that means the same and holds none of the characters that steer a terminal.
fn escape_json(json: &str) -> String {
    let mut shown = String::with_capacity(json.len());
    for character in json.chars() {
        // Only inside strings can such a character stand, and all of them lie below U+10000.
        if text::printable(character.encode_utf8(&mut [0; 4])).len() == character.len_utf8() {
            shown.push(character);
        } else {
            shown.extend(format!("\\u{:04x}", u32::from(character)).chars());
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::escape_json;

    #[test]
    fn escaped_json_means_the_same() {
        let value = serde_json::json!({"a": "x\u{9b}\u{7f}\u{202e}\u{1f5fc}\u{e9}"});
        let shown = escape_json(&value.to_string());
        assert!(shown.contains("\\u009b\\u007f\\u202e\u{1f5fc}"), "{shown}");
        let read: serde_json::Value = serde_json::from_str(&shown).unwrap();
        assert_eq!(read, value);
    }
}
