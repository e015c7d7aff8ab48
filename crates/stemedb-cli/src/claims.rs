//! Where the claims are: in a directory of this machine, or with a server. Commands ask in one way.

use std::path::Path;

use stemedb::{
    Database, ErrorKind, Listed, Page, Predicate, RecordId, Sequence, Stored, Subject,
    SubjectCount, backup::BackupReport, maintenance::Progress,
};
use stemedb_server::wire;

use crate::{
    failure::{Failure, chain},
    remote::{Server, ServerView},
};

/// The items of a list, read as they are asked for.
pub(crate) type List<'a, T> = Box<dyn Iterator<Item = Result<Listed<T>, Failure>> + 'a>;

/// A database, wherever it is.
#[derive(Debug)]
pub(crate) enum Claims {
    /// Opened by this process.
    Here(Box<Database>),
    /// Asked over HTTP.
    There(Box<Server>),
}

/// What became of a record in quarantine that was tried again.
#[derive(Debug)]
pub(crate) enum Retry {
    /// It is stored.
    Admitted(wire::Retried),
    /// It still cannot be applied, for this reason.
    Kept(String),
}

/// All records, as they are read.
pub(crate) type Records<'a> = Box<dyn Iterator<Item = Result<Stored, Failure>> + 'a>;

/// What it held when it was asked.
#[derive(Debug)]
pub(crate) enum View<'a> {
    Here(stemedb::View),
    There(ServerView<'a>),
}

impl Claims {
    /// A view that stays as it is.
    pub(crate) fn view(&self) -> Result<View<'_>, Failure> {
        Ok(match self {
            Self::Here(database) => View::Here(database.view()?),
            Self::There(server) => View::There(server.view()?),
        })
    }

    /// Counts, sequences and sizes.
    pub(crate) fn stats(&self) -> Result<wire::Stats, Failure> {
        match self {
            Self::Here(database) => Ok(wire::Stats::from(&database.stats()?)),
            Self::There(server) => server.stats(),
        }
    }

    /// All records, in the order of their arrival.
    pub(crate) fn records(&self) -> Result<Records<'_>, Failure> {
        Ok(match self {
            Self::Here(database) => {
                let export = database.export()?;
                Box::new(export.map(|stored| stored.map_err(Failure::from)))
            }
            Self::There(server) => Box::new(server.records()?),
        })
    }

    /// Brings a backup up to date.
    pub(crate) fn backup(
        &self,
        destination: &Path,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<BackupReport, Failure> {
        match self {
            Self::Here(database) => Ok(database.backup(destination, progress)?),
            Self::There(server) => server.backup(destination, progress),
        }
    }

    /// Appends a record in quarantine again, if it would apply now.
    pub(crate) fn retry(&self, sequence: Sequence) -> Result<Retry, Failure> {
        match self {
            Self::Here(database) => match database.retry_quarantined(sequence) {
                Ok(receipt) => Ok(Retry::Admitted((&receipt).into())),
                Err(error) if error.kind() == ErrorKind::Invalid => Ok(Retry::Kept(chain(&error))),
                Err(error) => Err(error.into()),
            },
            Self::There(server) => server.retry(sequence),
        }
    }

    /// Waits until `last` can be read.
    pub(crate) fn wait_applied(&self, last: Sequence) -> Result<(), Failure> {
        match self {
            Self::Here(database) => Ok(database.wait_applied(last).wait()?),
            Self::There(server) => server.wait_applied(last),
        }
    }

    /// Lets go of it.
    pub(crate) fn close(self) -> Result<(), Failure> {
        match self {
            Self::Here(database) => Ok(database.close()?),
            Self::There(_) => Ok(()),
        }
    }
}

/// A list of the library.
fn here<'a, T: 'a>(listing: stemedb::Listing<T>) -> List<'a, T> {
    Box::new(listing.map(|listed| listed.map_err(Failure::from)))
}

impl<'a> View<'a> {
    /// The record with an id, of any type.
    pub(crate) fn get(&self, id: RecordId) -> Result<Option<Stored>, Failure> {
        match self {
            Self::Here(view) => Ok(view.get(id)?),
            Self::There(view) => view.get(id),
        }
    }

    /// What is asserted of a subject.
    pub(crate) fn assertions(
        &self,
        subject: &Subject,
        predicate: Option<&Predicate>,
        page: &Page,
    ) -> Result<List<'a, Stored>, Failure> {
        match self {
            Self::Here(view) => Ok(here(view.assertions(subject, predicate, page)?)),
            Self::There(view) => view.assertions(subject, predicate, page),
        }
    }

    /// The votes on an assertion.
    pub(crate) fn votes(&self, id: RecordId, page: &Page) -> Result<List<'a, Stored>, Failure> {
        match self {
            Self::Here(view) => Ok(here(view.votes(id, page)?)),
            Self::There(view) => view.votes(id, page),
        }
    }

    /// All epochs.
    pub(crate) fn epochs(&self, page: &Page) -> Result<List<'a, Stored>, Failure> {
        match self {
            Self::Here(view) => Ok(here(view.epochs(page)?)),
            Self::There(view) => view.epochs(page),
        }
    }

    /// An epoch with those that it supersedes; empty where there is none.
    pub(crate) fn epoch_chain(&self, id: RecordId) -> Result<Vec<Stored>, Failure> {
        match self {
            Self::Here(view) => Ok(view.epoch_chain(id)?),
            Self::There(view) => view.epoch_chain(id),
        }
    }

    /// The records that could not be applied, without their bytes.
    pub(crate) fn quarantine(&self, page: &Page) -> Result<List<'a, wire::Quarantined>, Failure> {
        let entry = |entry| wire::Quarantined {
            payload: None,
            ..wire::Quarantined::from(entry)
        };
        match self {
            Self::Here(view) => Ok(Box::new(here(view.quarantine(page)?).map(move |listed| {
                let Listed { value, cursor } = listed?;
                let value = entry(value);
                Ok(Listed { value, cursor })
            }))),
            Self::There(view) => view.quarantine(page),
        }
    }

    /// The record in quarantine under a sequence, with its bytes.
    pub(crate) fn quarantined(
        &self,
        sequence: Sequence,
    ) -> Result<Option<wire::Quarantined>, Failure> {
        match self {
            Self::Here(view) => Ok(view.quarantined(sequence)?.map(Into::into)),
            Self::There(view) => view.quarantined(sequence),
        }
    }

    /// The subjects whose names begin with `prefix`.
    pub(crate) fn subjects(
        &self,
        prefix: &str,
        page: &Page,
    ) -> Result<List<'a, SubjectCount>, Failure> {
        match self {
            Self::Here(view) => Ok(here(view.subjects(prefix, page)?)),
            Self::There(view) => view.subjects(prefix, page),
        }
    }
}
