//! What is told of each line: the file of results, the file of rejects, and a few words to people.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::Path,
};

use serde::Serialize;
use stemedb::RecordId;

use crate::{
    args::Ingest,
    failure::{Exit, Failure},
    file, input, output,
};

/// Rejected lines that are shown to people.
const SHOWN_MAX: u64 = 10;

/// One line of the file of results.
#[derive(Debug, Serialize)]
pub(super) struct Told<'a> {
    /// The input file as it was named.
    pub(super) file: &'a str,
    /// The number of the line, from 1.
    pub(super) line: u64,
    /// What became of it.
    #[serde(flatten)]
    pub(super) fate: Fate<'a>,
}

/// What became of a line.
#[derive(Debug, Serialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub(super) enum Fate<'a> {
    /// A new record, durable now.
    Stored {
        /// Its id.
        id: RecordId,
    },
    /// A record that had been stored before, durable too.
    Duplicate {
        /// Its id.
        id: RecordId,
    },
    /// No record.
    Rejected {
        /// Why not.
        reason: &'a str,
    },
}

/// Where it is told.
#[derive(Debug)]
pub(super) struct Outlets {
    results: Option<Sink>,
    rejects: Option<Sink>,
    shown: u64,
    unshown: u64,
}

impl Outlets {
    /// Begins the files that `args` names anew.
    pub(super) fn create(args: &Ingest) -> Result<Self, Failure> {
        let sink = |path: &Option<_>| path.as_deref().map(Sink::create).transpose();
        Ok(Self {
            results: sink(&args.results)?,
            rejects: sink(&args.rejects)?,
            shown: 0,
            unshown: 0,
        })
    }

    /// Whether rejected lines are to be kept.
    pub(super) const fn wants_rejects(&self) -> bool {
        self.rejects.is_some()
    }

    /// Tells what became of a line.
    pub(super) fn tell(&mut self, told: &Told<'_>) -> Result<(), Failure> {
        match &mut self.results {
            Some(sink) => sink.write(|file| {
                serde_json::to_writer(&mut *file, told)?;
                file.write_all(b"\n")
            }),
            None => Ok(()),
        }
    }

    /// Keeps a rejected line.
    pub(super) fn keep(&mut self, raw: &[u8]) -> Result<(), Failure> {
        match &mut self.rejects {
            Some(sink) => sink.write(|file| {
                file.write_all(raw)?;
                file.write_all(b"\n")
            }),
            None => Ok(()),
        }
    }

    /// The first few rejected lines in the words that people are shown; the others are counted.
    pub(super) fn show(&mut self, told: &Told<'_>) -> Option<String> {
        let Fate::Rejected { reason } = told.fate else {
            return None;
        };
        if self.shown == SHOWN_MAX {
            self.unshown += 1;
            return None;
        }
        self.shown += 1;
        Some(format!("{}:{}: {reason}", told.file, told.line))
    }

    /// How many rejected lines were not shown.
    pub(super) const fn unshown(&self) -> u64 {
        self.unshown
    }

    /// Hands over everything that was told.
    pub(super) fn flush(&mut self) -> Result<(), Failure> {
        let sinks = self.results.iter_mut().chain(&mut self.rejects);
        sinks
            .into_iter()
            .try_for_each(|sink| sink.write(Write::flush))
    }
}

/// A file and its name.
#[derive(Debug)]
struct Sink {
    name: String,
    file: BufWriter<File>,
    /// A write has failed, which was said: a gap in the middle would be worse than a missing end.
    is_ended: bool,
}

impl Sink {
    fn create(path: &Path) -> Result<Self, Failure> {
        let name = input::name(path);
        match file::begin_anew(path) {
            Ok(file) => Ok(Self {
                name,
                file: BufWriter::with_capacity(256 * 1024, file),
                is_ended: false,
            }),
            Err(error) => Err(Failure::file(Exit::Unavailable, &name, &error)),
        }
    }

    fn write(
        &mut self,
        write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
    ) -> Result<(), Failure> {
        if self.is_ended {
            return Ok(());
        }
        write(&mut self.file).map_err(|error| {
            self.is_ended = true;
            Failure::file(Exit::Unavailable, &self.name, &error)
        })
    }
}

/// Says what is wrong with a line to standard error.
pub(super) fn say_rejected(text: &str) {
    output::say(format_args!("rejected {text}"));
}
