//! What is counted of reading, through the views that a database gives.

use std::hint::black_box;
use std::path::Path;

use stemedb::{Create, Database, Page, Prepared, Subject, View};

use crate::failure::Failure;

use super::line::{SUBJECT_RECORDS, record, subject};
use super::workload::{Extent, failed};

/// Records in the database.
const RECORDS: u64 = 5000;
/// Every so many records one is read by its id.
const STRIDE: usize = 17;

/// A database that was closed.
pub(super) fn make_database(directory: &Path) -> Result<(), Failure> {
    let builder = Database::builder().create(Create::IfMissing);
    let database = builder.open(directory.join("data")).map_err(failed)?;
    let prepared = (0..RECORDS).map(|number| Prepared::new(&record(number)?).map_err(failed));
    let prepared = prepared.collect::<Result<Vec<_>, Failure>>()?;
    for receipt in database.submit(prepared).wait() {
        receipt.map_err(failed)?;
    }
    database.close().map_err(failed)
}

/// Reads records by their ids, each of which was read before.
pub(super) fn points(directory: &Path, extent: Extent) -> Result<(), Failure> {
    let database = Database::open(directory.join("data")).map_err(failed)?;
    let view = database.view().map_err(failed)?;
    let ids = (0..RECORDS)
        .step_by(STRIDE)
        .map(|number| record(number)?.id().map_err(failed));
    let ids = ids.collect::<Result<Vec<_>, Failure>>()?;
    let once = ids.len();
    let count = usize::try_from(extent.operations).map_err(failed)?;
    for id in ids.iter().cycle().take(once + count) {
        let found = view.get(black_box(*id)).map_err(failed)?;
        black_box(found.ok_or_else(missing)?);
    }
    drop(view);
    database.close().map_err(failed)
}

/// Reads the pages of subjects, each of which was read before.
pub(super) fn pages(directory: &Path, extent: Extent) -> Result<(), Failure> {
    let database = Database::open(directory.join("data")).map_err(failed)?;
    let view = database.view().map_err(failed)?;
    let subjects = extent.operations_max;
    let subjects = (0..subjects).map(|it| Subject::new(subject(it * SUBJECT_RECORDS)));
    let subjects = subjects.collect::<Result<Vec<_>, _>>().map_err(failed)?;
    let once = subjects.len();
    let count = usize::try_from(extent.operations).map_err(failed)?;
    for subject in subjects.iter().cycle().take(once + count) {
        page(&view, subject)?;
    }
    drop(view);
    database.close().map_err(failed)
}

fn page(view: &View, subject: &Subject) -> Result<(), Failure> {
    let listing = view.assertions(subject, None, &Page::default());
    let mut read = 0;
    for listed in listing.map_err(failed)? {
        black_box(listed.map_err(failed)?);
        read += 1;
    }
    if read == SUBJECT_RECORDS {
        Ok(())
    } else {
        Err(missing())
    }
}

fn missing() -> Failure {
    Failure::Usage("a record that was written is not read".to_owned())
}
