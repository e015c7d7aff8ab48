//! Looking for records that are stored already.

use std::panic::resume_unwind;
use std::thread;

use stemedb_ingest::identity_key;
use stemedb_storage::Snapshot;

use crate::known::Known;
use crate::submit::{Receipt, Status};
use crate::{Durability, Prepared, Result};

#[cfg(test)]
mod tests;

/// Look-ups that are worth a thread: each takes some microseconds, since a record that is there lies in a block of its own at a random place.
const SHARE_MIN: usize = 256;

/// Looks for records in one view.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Find<'a> {
    pub(crate) view: &'a dyn Snapshot,
    /// An id that is not known costs no look into the view.
    pub(crate) known: &'a Known,
    pub(crate) durability: Durability,
    /// Threads that share the look-ups of many records.
    pub(crate) threads: usize,
}

impl Find<'_> {
    /// The receipts of those records that are stored.
    pub(crate) fn all(self, records: &[Prepared]) -> Result<Vec<Option<Receipt>>> {
        let mut found = vec![None; records.len()];
        self.missing(records, &mut found)?;
        Ok(found)
    }

    /// Looks for those records of which there is no receipt yet.
    pub(crate) fn missing(self, records: &[Prepared], found: &mut [Option<Receipt>]) -> Result<()> {
        let asked = records.iter().zip(found.iter_mut());
        let mut answered = 0;
        let mut is_asked_for = |record: &Prepared| {
            let may_be_there = self.known.may_hold(record.id);
            answered += usize::from(!may_be_there);
            may_be_there
        };
        let mut asked: Vec<_> = asked
            .filter(|(record, found)| found.is_none() && is_asked_for(record))
            .collect();
        self.known.count(answered, asked.len());
        let wanted: Vec<&Prepared> = asked.iter().map(|(record, _)| *record).collect();
        let receipts = self.shared(&wanted)?;
        for ((_, found), receipt) in asked.iter_mut().zip(receipts) {
            **found = receipt;
        }
        Ok(())
    }

    /// Looks for records, by several threads where they are many.
    fn shared(self, records: &[&Prepared]) -> Result<Vec<Option<Receipt>>> {
        let shares = (records.len() / SHARE_MIN).clamp(1, self.threads.max(1));
        let (own, others) = records.split_at(records.len().div_ceil(shares));
        if others.is_empty() {
            return self.each(own);
        }
        thread::scope(|scope| {
            let spawn = |share| {
                let thread = thread::Builder::new().name("stemedb-find".to_owned());
                let spawned = thread.spawn_scoped(scope, move || self.each(share));
                (share, spawned)
            };
            let others: Vec<_> = others.chunks(own.len()).map(spawn).collect();
            let mut receipts = self.each(own)?;
            for (share, spawned) in others {
                receipts.extend(match spawned {
                    Ok(thread) => thread.join().unwrap_or_else(|panic| resume_unwind(panic))?,
                    // There are no more threads to be had: then it is done here.
                    Err(_) => self.each(share)?,
                });
            }
            Ok(receipts)
        })
    }

    /// Looks for records one by one.
    fn each(self, records: &[&Prepared]) -> Result<Vec<Option<Receipt>>> {
        let mut key = Vec::new();
        let find = |prepared: &&Prepared| {
            key.clear();
            identity_key(prepared.id, prepared.record_type).encode_into(&mut key);
            let stored = self.view.sequence(&key)?;
            Ok(stored.map(|sequence| Receipt {
                id: prepared.id,
                sequence,
                durability: self.durability,
                status: Status::AlreadyStored,
            }))
        };
        records.iter().map(find).collect()
    }
}
