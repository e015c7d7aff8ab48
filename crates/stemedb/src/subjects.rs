//! The listing of subjects: runs of index entries with the same subject, counted.

use stemedb_core::{Sequence, Subject};
use stemedb_storage::{Key, key};

use crate::entries::Entries;
use crate::error::{Cause, Result};
use crate::page::{Listed, PageCursor};
use crate::view::SubjectCount;

/// Counts the index entries of one subject after the other.
pub(crate) struct Subjects {
    entries: Entries,
    as_of: Option<Sequence>,
    current: Option<(String, u64)>,
}

impl Subjects {
    pub(crate) fn new(entries: Entries, as_of: Option<Sequence>) -> Self {
        Self {
            entries,
            as_of,
            current: None,
        }
    }

    /// Counts one entry; gives the subject before it if this is another one.
    fn count(&mut self, key: &[u8]) -> Result<Option<(String, u64)>> {
        let Ok(Key::Subject {
            subject, sequence, ..
        }) = Key::decode(key)
        else {
            let key = key::text(key);
            return Err(Cause::Malformed { key }.into());
        };
        if self.as_of.is_some_and(|as_of| sequence > as_of) {
            return Ok(None);
        }
        match &mut self.current {
            Some((current, count)) if *current == subject => {
                *count += 1;
                Ok(None)
            }
            current => Ok(current.replace((subject, 1))),
        }
    }
}

impl Iterator for Subjects {
    type Item = Result<Listed<SubjectCount>>;

    fn next(&mut self) -> Option<Self::Item> {
        while let Some(entry) = self.entries.next() {
            let counted = match entry {
                Ok((key, _)) => self.count(&key),
                Err(error) => Err(error),
            };
            match counted {
                Ok(None) => {}
                Ok(Some(done)) => return Some(listed(done)),
                Err(error) => return Some(Err(error)),
            }
        }
        self.current.take().map(listed)
    }
}

/// This listing goes on between two subjects only: from within one it would count the rest of it as if that were all.
pub(crate) fn check_cursor(cursor: &PageCursor) -> Result<()> {
    let key = cursor.key_in(&key::subjects(""))?;
    // No name holds a zero byte; the key of an entry has two behind its names.
    if key.contains(&0) {
        return Err(Cause::PageCursor.into());
    }
    Ok(())
}

fn listed((name, assertions): (String, u64)) -> Result<Listed<SubjectCount>> {
    let cursor = PageCursor::after(key::after_subject(&name));
    let subject = Subject::new(name)?;
    let value = SubjectCount {
        subject,
        assertions,
    };
    Ok(Listed { value, cursor })
}
