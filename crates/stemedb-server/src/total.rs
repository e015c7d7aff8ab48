//! Totals of votes that are kept, so that not every page of a long list counts all of it anew.
//!
//! Totals are those of the votes up to some sequence: a later read counts what the journal has behind that, and no more. What is kept
//! takes part in no answer that does not show all of it, so that each is the same as without.

use std::sync::{Mutex, MutexGuard, PoisonError};

use stemedb::{Database, Record, RecordId, Sequence, View};

use crate::courtesy::let_others_run;
use crate::limits::{FEED_PART, TOTALS_KEPT_MAX, TOTALS_VOTES_MIN};
use crate::problem::{Asked, Problem};
use crate::wire::VoteTotals;

mod sum;
#[cfg(test)]
mod tests;

use sum::Sum;

/// How many records behind it are looked at for each vote that need not be counted again: finding one in the journal costs a few times
/// as much as counting one in the store.
const VOTES_PER_RECORD: u64 = 4;

/// Counts of votes, to which others can be added in any order.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Totals {
    count: u64,
    votes_for: u64,
    votes_against: u64,
    weight: Sum,
}

impl Totals {
    fn add(&mut self, weight: f64) {
        self.count += 1;
        self.votes_for += u64::from(weight > 0.0);
        self.votes_against += u64::from(weight < 0.0);
        self.weight.add(weight);
    }
}

impl From<&Totals> for VoteTotals {
    fn from(totals: &Totals) -> Self {
        Self {
            count: totals.count,
            r#for: totals.votes_for,
            against: totals.votes_against,
            weight_sum: totals.weight.rounded(),
        }
    }
}

/// The totals of the votes on an assertion up to a sequence.
#[derive(Clone, Debug, PartialEq)]
struct Known {
    assertion: RecordId,
    /// 0 before the first sequence.
    upto: u64,
    totals: Totals,
}

/// Totals of assertions with many votes that were asked for last.
#[derive(Debug)]
pub(crate) struct KnownTotals {
    /// What was used last comes last.
    kept: Mutex<Vec<Known>>,
    /// With fewer votes they are counted each time.
    votes_min: u64,
}

impl Default for KnownTotals {
    fn default() -> Self {
        Self::of_votes(TOTALS_VOTES_MIN)
    }
}

impl KnownTotals {
    fn of_votes(votes_min: u64) -> Self {
        Self {
            kept: Mutex::default(),
            votes_min,
        }
    }

    /// The totals of the votes on an assertion that `view` of `database` shows.
    pub(crate) fn of(
        &self,
        assertion: RecordId,
        view: &View,
        database: &Database,
    ) -> Result<VoteTotals, Problem> {
        let upto = view.applied().map_or(0, Sequence::get);
        let known = self.find(assertion, upto);
        let extended = known.and_then(|known| extend(&known, upto, view, database));
        let totals = match extended {
            Some(totals) => totals,
            None => count(assertion, view)?,
        };
        let found = VoteTotals::from(&totals);
        if totals.count >= self.votes_min {
            self.keep(Known {
                assertion,
                upto,
                totals,
            });
        }
        Ok(found)
    }

    /// The newest of what is known, as far as it is not newer than `upto`.
    fn find(&self, assertion: RecordId, upto: u64) -> Option<Known> {
        let kept = self.kept();
        let usable = kept
            .iter()
            .filter(|known| known.assertion == assertion && known.upto <= upto);
        usable.max_by_key(|known| known.upto).cloned()
    }

    fn keep(&self, known: Known) {
        let mut kept = self.kept();
        kept.retain(|other| (other.assertion, other.upto) != (known.assertion, known.upto));
        if kept.len() >= TOTALS_KEPT_MAX {
            kept.remove(0);
        }
        kept.push(known);
    }

    fn kept(&self) -> MutexGuard<'_, Vec<Known>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is known together with what came behind it, if that is less work than to count all.
fn extend(known: &Known, upto: u64, view: &View, database: &Database) -> Option<Totals> {
    let mut totals = known.totals.clone();
    let records = upto.checked_sub(known.upto)?;
    if records > totals.count / VOTES_PER_RECORD {
        return None;
    }
    let mut looked_at = known.upto;
    let mut changes = database.changes(Sequence::new(known.upto));
    while looked_at < upto && !view.is_given_up() {
        // Where the journal cannot be read the store is asked.
        let batch = changes.next_batch_with(FEED_PART, let_others_run).ok()?;
        if batch.upto <= looked_at {
            return None;
        }
        looked_at = batch.upto;
        for stored in batch.records {
            if let Record::Vote(vote) = stored.record
                && vote.assertion == known.assertion
                && stored.sequence.get() <= upto
            {
                totals.add(vote.weight.get());
            }
        }
    }
    (looked_at >= upto).then_some(totals)
}

/// Counts all votes that a view shows.
fn count(assertion: RecordId, view: &View) -> Result<Totals, Problem> {
    let failed = |error: stemedb::Error| Problem::of(&error, Asked::Read);
    let mut totals = Totals::default();
    let all = stemedb::Page::default();
    for vote in view.votes(assertion, &all).map_err(failed)? {
        if let Record::Vote(vote) = vote.map_err(failed)?.value.record {
            totals.add(vote.weight.get());
        }
    }
    Ok(totals)
}
