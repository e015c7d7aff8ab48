//! What commands that print lists share.

use stemedb::Listed;
use stemedb::PageCursor;

use crate::failure::Failure;

/// What was printed of a list.
#[derive(Debug, Default)]
pub(super) struct Printed {
    /// How many entries.
    pub(super) count: u64,
    /// The cursor behind the last one, if there are more.
    pub(super) more: Option<PageCursor>,
}

/// Gives at most `limit` entries to `print`, one by one.
pub(super) fn print<T>(
    entries: impl IntoIterator<Item = Result<Listed<T>, Failure>>,
    limit: Option<u64>,
    mut print: impl FnMut(&T, &PageCursor) -> Result<(), Failure>,
) -> Result<Printed, Failure> {
    let mut printed = Printed::default();
    let mut last = None;
    for entry in entries {
        if limit == Some(printed.count) {
            entry?;
            printed.more = last;
            break;
        }
        let Listed { value, cursor } = entry?;
        print(&value, &cursor)?;
        printed.count += 1;
        last = Some(cursor);
    }
    Ok(printed)
}

/// The words with which a list that was cut off ends.
pub(super) fn continuation(cursor: &PageCursor) -> String {
    format!("there are more; continue with --cursor {cursor}")
}
