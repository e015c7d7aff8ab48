//! From what goes over the wire to what the library gives.

use stemedb::{PageCursor, Stored, Subject, SubjectCount};
use stemedb_server::wire;

use crate::failure::{Exit, Failure};

/// A stored record, whose id has to be the hash of what it says.
pub(super) fn stored(record: wire::StoredRecord) -> Result<Stored, Failure> {
    let wire::StoredRecord {
        id,
        sequence,
        arrived_at,
        record,
    } = record;
    if record.id()? != id {
        let text = format!("the server gives {id} for a record that has another id");
        return Err(Failure::new(Exit::Corruption, text));
    }
    Ok(Stored {
        id,
        sequence,
        arrived_at_ms: milliseconds(&arrived_at)?,
        record,
    })
}

/// A subject, and how much is asserted of it.
pub(super) fn subject(count: wire::SubjectCount) -> Result<SubjectCount, Failure> {
    let subject = Subject::new(count.subject).map_err(|invalid| {
        let text = format!("the server gives a subject that is none: {invalid}");
        Failure::new(Exit::Corruption, text)
    })?;
    Ok(SubjectCount {
        subject,
        assertions: count.assertions,
    })
}

/// A place in a list.
pub(super) fn cursor(text: &str) -> Result<PageCursor, Failure> {
    let cursor = text.parse().ok();
    let text = "the server gives a cursor that is none";
    cursor.ok_or_else(|| Failure::new(Exit::Corruption, text))
}

/// The other way round than [`time`](crate::text::time).
pub(super) fn milliseconds(time: &str) -> Result<u64, Failure> {
    let far = time.strip_suffix(" ms after 1970");
    let near = || {
        let time: jiff::Timestamp = time.parse().ok()?;
        u64::try_from(time.as_millisecond()).ok()
    };
    let ms = far.map_or_else(near, |ms| ms.parse().ok());
    ms.ok_or_else(|| {
        let text = format!("the server gives a time that is none: {time}");
        Failure::new(Exit::Corruption, text)
    })
}
