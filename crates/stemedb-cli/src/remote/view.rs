//! The questions of a view, asked of a server.

use std::path::Path;

use stemedb::{
    Page, Predicate, Record, RecordId, Sequence, Stored, Subject, SubjectCount,
    backup::BackupReport, maintenance::Progress,
};
use stemedb_server::wire::{self, Code};

use super::{
    Client, Route, Trouble,
    client::encode,
    convert,
    copy::{self, Records},
    pager::{Pager, nothing},
};
use crate::{
    claims::{List, Retry},
    failure::{Exit, Failure},
};

/// A database that a server has.
#[derive(Debug)]
pub(crate) struct Server {
    pub(super) client: Client,
}

/// What it held when the view was taken.
///
/// Whatever was acknowledged before that is in it: reads wait until it is applied. What comes later is not.
#[derive(Debug)]
pub(crate) struct ServerView<'a> {
    client: &'a Client,
    /// The last sequence that is shown; none of an empty database.
    last: Option<Sequence>,
}

impl Server {
    /// The server that `client` asks.
    pub(crate) const fn new(client: Client) -> Self {
        Self { client }
    }

    /// All records, in the order of their arrival.
    pub(crate) fn records(&self) -> Result<Records<'_>, Failure> {
        Records::begin(&self.client).map_err(|trouble| trouble.failure(self.client.url()))
    }

    /// See [`stemedb::Database::backup`].
    pub(crate) fn backup(
        &self,
        destination: &Path,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<BackupReport, Failure> {
        copy::backup(&self.client, destination, progress)
    }

    /// See [`stemedb::Database::retry_quarantined`].
    pub(crate) fn retry(&self, sequence: Sequence) -> Result<Retry, Failure> {
        let route = Route::new(format!("/v1/quarantine/{sequence}/retry"));
        let answer = self.client.post(&route, None);
        match answer.and_then(super::Answer::json) {
            Ok(retried) => Ok(Retry::Admitted(retried)),
            Err(Trouble::Refused { problem, .. }) if problem.code == Code::InvalidRecord => {
                Ok(Retry::Kept(problem.detail))
            }
            Err(trouble) => Err(trouble.failure(self.client.url())),
        }
    }

    /// Waits until everything that is durable can be read.
    pub(crate) fn wait_applied(&self, last: Sequence) -> Result<(), Failure> {
        let waited = super::wait_applied(&self.client, Some(last));
        waited.map_err(|trouble| trouble.failure(self.client.url()))
    }

    /// Counts, sequences and sizes.
    pub(crate) fn stats(&self) -> Result<wire::Stats, Failure> {
        stats(&self.client).map_err(|trouble| trouble.failure(self.client.url()))
    }

    /// A view that stays as it is.
    pub(crate) fn view(&self) -> Result<ServerView<'_>, Failure> {
        let stats = self.stats()?;
        let last = Sequence::new(stats.durable_sequence);
        if let Some(last) = last
            && stats.applied_sequence < last.get()
        {
            self.wait_applied(last)?;
        }
        Ok(ServerView {
            client: &self.client,
            last,
        })
    }
}

/// Where the database of a server stands.
pub(crate) fn stats(client: &Client) -> Result<wire::Stats, Trouble> {
    client.get(&Route::new("/v1/stats"))?.json()
}

impl<'a> ServerView<'a> {
    fn failure(&self, trouble: Trouble) -> Failure {
        trouble.failure(self.client.url())
    }

    /// `route`, as of the last sequence.
    fn at(&self, route: String) -> Route {
        Route::new(route).with_some("as_of", self.last)
    }

    fn check(&self, page: &Page) -> Result<(), Failure> {
        let Some(wanted) = page.as_of.filter(|wanted| Some(*wanted) > self.last) else {
            return Ok(());
        };
        let applied = self.last.map_or(0, Sequence::get);
        let text = format!("sequence {wanted} is not applied yet; the last is {applied}");
        Err(Failure::new(Exit::Usage, text))
    }

    fn list<W, T>(
        &self,
        route: Route,
        page: &Page,
        convert: fn(W) -> Result<T, Failure>,
    ) -> Result<List<'a, T>, Failure>
    where
        W: serde::de::DeserializeOwned + 'a,
        T: 'a,
    {
        self.check(page)?;
        match Pager::begin(self.client, (route, page), self.last, convert) {
            Ok(pager) => Ok(Box::new(pager)),
            Err(trouble) if trouble.code() == Some(Code::RecordNotFound) => Ok(Box::new(nothing())),
            Err(trouble) => Err(self.failure(trouble)),
        }
    }

    /// See [`stemedb::View::get`].
    pub(crate) fn get(&self, id: RecordId) -> Result<Option<Stored>, Failure> {
        let route = self.at(format!("/v1/records/{id}"));
        let answer = self.client.get(&route);
        let found: wire::StoredRecord = match answer.and_then(super::Answer::json) {
            Ok(found) => found,
            Err(trouble) if trouble.code() == Some(Code::RecordNotFound) => return Ok(None),
            Err(trouble) => return Err(self.failure(trouble)),
        };
        let stored = convert::stored(found)?;
        if stored.id == id {
            Ok(Some(stored))
        } else {
            let text = format!("{}: it gives another record than {id}", self.client.url());
            Err(Failure::new(Exit::Corruption, text))
        }
    }

    /// See [`stemedb::View::assertions`].
    pub(crate) fn assertions(
        &self,
        subject: &Subject,
        predicate: Option<&Predicate>,
        page: &Page,
    ) -> Result<List<'a, Stored>, Failure> {
        let subject = encode(subject.as_str());
        let route = Route::new(format!("/v1/subjects/{subject}/assertions"));
        let route = route.with_some("predicate", predicate.map(Predicate::as_str));
        self.list(route, page, convert::stored)
    }

    /// See [`stemedb::View::votes`].
    pub(crate) fn votes(&self, id: RecordId, page: &Page) -> Result<List<'a, Stored>, Failure> {
        let route = Route::new(format!("/v1/assertions/{id}/votes"));
        self.list(route, page, convert::stored)
    }

    /// See [`stemedb::View::epochs`].
    pub(crate) fn epochs(&self, page: &Page) -> Result<List<'a, Stored>, Failure> {
        self.list(Route::new("/v1/epochs"), page, convert::stored)
    }

    /// See [`stemedb::View::epoch_chain`].
    pub(crate) fn epoch_chain(&self, id: RecordId) -> Result<Vec<Stored>, Failure> {
        let mut stored = Vec::new();
        let mut ahead = Some(id);
        while let Some(from) = ahead {
            let answer = self.client.get(&self.at(format!("/v1/epochs/{from}")));
            let chain: wire::Chain = match answer.and_then(super::Answer::json) {
                Ok(chain) => chain,
                Err(trouble)
                    if trouble.code() == Some(Code::RecordNotFound) && stored.is_empty() =>
                {
                    return Ok(stored);
                }
                Err(trouble) => return Err(self.failure(trouble)),
            };
            let next = self.add_part(&mut stored, chain.items, from)?;
            if chain.next.is_none() {
                break;
            }
            if next == Some(from) || chain.next != next.map(|id| id.to_string()) {
                return Err(self.no_chain(id));
            }
            ahead = next;
        }
        Ok(stored)
    }

    /// Adds a part of a chain, which has to begin with `id`; gives the id at which the chain goes on.
    fn add_part(
        &self,
        stored: &mut Vec<Stored>,
        items: Vec<wire::StoredRecord>,
        id: RecordId,
    ) -> Result<Option<RecordId>, Failure> {
        let mut next = Some(id);
        for item in items {
            let item = convert::stored(item)?;
            let Record::Epoch(epoch) = &item.record else {
                return Err(self.no_chain(id));
            };
            if Some(item.id) != next {
                return Err(self.no_chain(id));
            }
            next = epoch.supersedes;
            stored.push(item);
        }
        Ok(next)
    }

    fn no_chain(&self, id: RecordId) -> Failure {
        let text = format!("{}: it gives no chain of epoch {id}", self.client.url());
        Failure::new(Exit::Corruption, text)
    }

    /// See [`stemedb::View::quarantine`].
    pub(crate) fn quarantine(&self, page: &Page) -> Result<List<'a, wire::Quarantined>, Failure> {
        self.list(Route::new("/v1/quarantine"), page, Ok)
    }

    /// See [`stemedb::View::quarantined`].
    pub(crate) fn quarantined(
        &self,
        sequence: Sequence,
    ) -> Result<Option<wire::Quarantined>, Failure> {
        let route = Route::new(format!("/v1/quarantine/{sequence}"));
        let answer = self.client.get(&route.with_some("min_sequence", self.last));
        match answer.and_then(super::Answer::json) {
            Ok(entry) => Ok(Some(entry)),
            Err(trouble) if trouble.code() == Some(Code::RecordNotFound) => Ok(None),
            Err(trouble) => Err(self.failure(trouble)),
        }
    }

    /// See [`stemedb::View::subjects`].
    pub(crate) fn subjects(
        &self,
        prefix: &str,
        page: &Page,
    ) -> Result<List<'a, SubjectCount>, Failure> {
        self.check(page)?;
        // No name begins so, and a server would refuse it.
        if !prefix.is_empty() && Subject::new(prefix).is_err() {
            return Ok(Box::new(nothing()));
        }
        let prefix = Some(prefix).filter(|prefix| !prefix.is_empty());
        let route = Route::new("/v1/subjects").with_some("prefix", prefix);
        self.list(route, page, convert::subject)
    }
}
