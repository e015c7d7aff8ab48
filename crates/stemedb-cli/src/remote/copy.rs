//! All that a server has: its records in the order of their arrival, and the bytes of its journal.

use std::path::Path;

use stemedb::{
    Stored,
    backup::{BackupReport, BackupWriter, Segment},
    maintenance::Progress,
};
use stemedb_server::wire::{ChangeEnd, ChangeLine, Problem, Segments};

use super::{Answer, Client, Route, Trouble, answer::Lines, convert, patience::wait_applied};
use crate::failure::Failure;

/// The records of a server, as they come.
pub(crate) struct Records<'a> {
    client: &'a Client,
    lines: Lines<'a>,
    last_sequence: u64,
    has_ended: bool,
}

impl<'a> Records<'a> {
    /// Begins with the first record; those that come later than now are left out.
    pub(super) fn begin(client: &'a Client) -> Result<Self, Trouble> {
        wait_applied(client, None)?;
        let route = Route::new("/v1/changes")
            .with("since", 0)
            .with("live", false);
        Ok(Self {
            client,
            lines: client.get(&route)?.lines(),
            last_sequence: 0,
            has_ended: false,
        })
    }

    /// The next record; none at the end that the server says is one.
    fn read(&mut self) -> Result<Option<Stored>, Failure> {
        loop {
            let line = self.lines.next_json();
            match line.map_err(|trouble| trouble.failure(self.client.url()))? {
                Some(ChangeLine::Record(record)) => return self.take(convert::stored(*record)?),
                Some(ChangeLine::Heartbeat(_)) => {}
                Some(ChangeLine::End(end)) => return self.end(end),
                None => return self.trouble(Trouble::Lost("its answer broke off".to_owned())),
            }
        }
    }

    fn take(&mut self, stored: Stored) -> Result<Option<Stored>, Failure> {
        let sequence = stored.sequence.get();
        if sequence <= self.last_sequence {
            let text = format!("it gives sequence {sequence} behind {}", self.last_sequence);
            return self.trouble(Trouble::Strange(text));
        }
        self.last_sequence = sequence;
        Ok(Some(stored))
    }

    fn end(&self, end: ChangeEnd) -> Result<Option<Stored>, Failure> {
        let ChangeEnd { reason, detail, .. } = end;
        let Some(code) = reason else {
            return Ok(None);
        };
        let problem = Problem {
            r#type: String::new(),
            title: code.title().to_owned(),
            status: code.status(),
            detail,
            code,
            request_id: "of a feed".to_owned(),
            errors: Vec::new(),
        };
        self.trouble(Trouble::Refused {
            problem: Box::new(problem),
            retry_after: None,
        })
    }

    fn trouble<T>(&self, trouble: Trouble) -> Result<T, Failure> {
        Err(trouble.failure(self.client.url()))
    }
}

impl Iterator for Records<'_> {
    type Item = Result<Stored, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.has_ended {
            return None;
        }
        let next = self.read().transpose();
        self.has_ended = !matches!(next, Some(Ok(_)));
        next
    }
}

/// Brings the backup in `destination` up to date with what the server has.
pub(super) fn backup(
    client: &Client,
    destination: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<BackupReport, Failure> {
    let failed = |trouble: Trouble| trouble.failure(client.url());
    let route = Route::new("/v1/backup");
    let segments: Segments = client.get(&route).and_then(Answer::json).map_err(failed)?;
    let Some(segments) = segments.to_backup() else {
        let text = format!("it has a store that is not known here: {}", segments.store);
        return Err(failed(Trouble::Strange(text)));
    };
    let place = client.url().to_string();
    let mut writer = BackupWriter::begin(destination, &segments, &place, progress)?;
    let total = writer.wanted_bytes();
    let mut copying = Copying {
        client,
        progress,
        done: 0,
        total,
    };
    while let Some(segment) = writer.wanted() {
        copying.copy(&segment, &mut writer)?;
    }
    Ok(writer.finish()?)
}

struct Copying<'a> {
    client: &'a Client,
    progress: &'a mut dyn FnMut(Progress),
    done: u64,
    total: u64,
}

impl Copying<'_> {
    /// Copies a segment from its first byte to the last one that is wanted of it.
    fn copy(&mut self, segment: &Segment, writer: &mut BackupWriter) -> Result<(), Failure> {
        let url = self.client.url();
        let route = Route::new(format!("/v1/backup/segments/{}", segment.number));
        let answer = self.client.get(&route.with("bytes", segment.bytes));
        let mut answer = answer.map_err(|trouble| trouble.failure(url))?;
        let mut rest = segment.bytes;
        while let Some(piece) = answer.piece().map_err(|trouble| trouble.failure(url))? {
            let length = u64::try_from(piece.len()).unwrap_or(u64::MAX);
            let Some(less) = rest.checked_sub(length) else {
                let text = format!(
                    "it gives more of segment {} than was asked for",
                    segment.number
                );
                return Err(Trouble::Strange(text).failure(url));
            };
            rest = less;
            writer.write(&piece)?;
            self.done += length;
            (self.progress)(Progress {
                stage: "copied",
                done: self.done,
                total: self.total,
            });
        }
        if rest == 0 {
            return Ok(());
        }
        let text = format!(
            "its answer broke off: {rest} bytes of segment {} are missing",
            segment.number
        );
        Err(Trouble::Lost(text).failure(url))
    }
}
