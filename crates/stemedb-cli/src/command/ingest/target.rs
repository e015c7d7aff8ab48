//! Where records go: into a database of this machine, or to a server.

use std::sync::mpsc::Receiver;

use stemedb::{Database, Prepared, Receipt, Sequence, Submission};
use stemedb_server::wire::Code;

use super::{
    parse::Text,
    upload::{Settled, Uploader},
};
use crate::{
    failure::{Exit, Failure},
    remote::{Client, stats, wait_applied},
};

/// Where records go.
#[derive(Debug)]
pub(super) enum Target {
    /// Into a database that this process has open.
    Here(Box<Database>),
    /// To a server.
    There {
        /// Sends.
        uploader: Uploader,
        /// Asks how far it is.
        client: Box<Client>,
    },
}

/// Records that were handed in.
#[derive(Debug)]
pub(super) enum Pending {
    Here(Submission),
    There(Receiver<Vec<Settled>>),
}

/// How far a database is; absent where it does not say, as to those who may only write.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sequences {
    pub(super) durable: Option<u64>,
    pub(super) applied: Option<u64>,
}

impl Target {
    /// Whether the lines of records are needed.
    pub(super) const fn takes_text(&self) -> bool {
        matches!(self, Self::There { .. })
    }

    /// Chunks that may be on their way: a server is farther away.
    pub(super) const fn flying_max(&self) -> usize {
        match self {
            Self::Here(_) => 4,
            Self::There { .. } => 12,
        }
    }

    /// Hands records in, whose lines are `text`.
    pub(super) fn submit(&self, records: Vec<Prepared>, text: Text) -> Pending {
        match self {
            Self::Here(database) => Pending::Here(database.submit(records)),
            Self::There { uploader, .. } => {
                let ids = records.iter().map(Prepared::id).collect();
                Pending::There(uploader.submit(ids, text))
            }
        }
    }

    /// Waits until all that is durable is readable.
    pub(super) fn wait_applied(&self, last: Option<Sequence>) -> Result<(), Failure> {
        match self {
            Self::Here(database) => {
                let durable = database.stats()?.durable_sequence;
                match last.max(Sequence::new(durable)) {
                    Some(last) => Ok(database.wait_applied(last).wait()?),
                    None => Ok(()),
                }
            }
            Self::There { client, .. } => match wait_applied(client, last) {
                // Who may only deliver is told no more.
                Err(trouble) if trouble.code() == Some(Code::Forbidden) => Ok(()),
                Err(trouble) => Err(trouble.failure(client.url())),
                Ok(()) => Ok(()),
            },
        }
    }

    /// What the database says; if it does not, what is known for certain.
    pub(super) fn sequences(&self, last: Option<Sequence>) -> Sequences {
        let said = match self {
            Self::Here(database) => database.stats().ok().map(|stats| Sequences {
                durable: Some(stats.durable_sequence),
                applied: Some(stats.applied_sequence),
            }),
            Self::There { client, .. } => stats(client).ok().map(|stats| Sequences {
                durable: Some(stats.durable_sequence),
                applied: Some(stats.applied_sequence),
            }),
        };
        said.unwrap_or(Sequences {
            durable: last.map(Sequence::get),
            applied: None,
        })
    }

    /// Lets go of it.
    pub(super) fn close(self) -> Result<(), Failure> {
        match self {
            Self::Here(database) => Ok(database.close()?),
            Self::There { .. } => Ok(()),
        }
    }
}

impl Pending {
    /// Blocks until every record has come to its end.
    pub(super) fn wait(self) -> Vec<Settled> {
        match self {
            Self::Here(submission) => submission.wait().into_iter().map(settled).collect(),
            Self::There(receiver) => receiver.recv().unwrap_or_else(|_| {
                let text = "the thread that sends has failed";
                vec![Settled::Failed(Failure::new(Exit::Corruption, text))]
            }),
        }
    }
}

fn settled(receipt: stemedb::Result<Receipt>) -> Settled {
    match receipt {
        Ok(receipt) => Settled::Durable {
            id: receipt.id,
            sequence: receipt.sequence,
            status: receipt.status,
        },
        Err(error) => Settled::Failed(error.into()),
    }
}
