//! Where the claims are: in a directory of this machine, or with a server. Commands ask in one way.

use stemedb::{Database, Listed, Page, Predicate, RecordId, Stored, Subject, SubjectCount};
use stemedb_server::wire;

use crate::{
    failure::Failure,
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
