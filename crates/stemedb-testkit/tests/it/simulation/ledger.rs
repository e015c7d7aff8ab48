//! What the journal must hold, and what a store must show of it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use stemedb_ingest::Quarantined;
use stemedb_storage::{Counts, KeyKind, Snapshot};
use stemedb_testkit::disk::SimDisk;
use stemedb_testkit::engine::StreamModel;
use stemedb_testkit::oracle::{Entry, History, Layout, Model, Violation};
use stemedb_wal::{Group, Item, Link, walk};

pub(super) const LAYOUT: Layout = Layout::Two {
    stream: StreamModel::NAME,
    small: "redb",
};

/// The records of a journal, from outside.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    history: History<Vec<u8>>,
    /// What the journal was given, in order; its end may be lost.
    pub(super) written: Vec<Vec<u8>>,
    model: Model,
    /// The counts after each record.
    counts: Vec<Counts>,
}

impl Ledger {
    pub(super) fn submit(&mut self, payload: Vec<u8>) {
        self.model.push(&payload);
        self.counts.push(self.model.counts());
        self.history.submit(payload.clone());
        self.written.push(payload);
    }

    pub(super) fn acknowledge(&mut self, groups: &[Group]) -> Result<(), Violation> {
        for record in groups.iter().flat_map(Group::records) {
            self.history
                .acknowledge(record.sequence, &record.bytes.to_vec())?;
        }
        Ok(())
    }

    /// Compares what was recovered, and goes on from there: what recovery gives out is durable.
    pub(super) fn recovered(&mut self, groups: &[Group]) -> Result<(), Violation> {
        let records: Vec<(u64, Vec<u8>)> = groups
            .iter()
            .flat_map(Group::records)
            .map(|record| (record.sequence, record.bytes.to_vec()))
            .collect();
        self.history.settle(&records)?;
        let kept = records.len();
        let is_prefix = self.written.len() >= kept
            && self.written.iter().zip(&records).all(|(a, (_, b))| a == b);
        if !is_prefix {
            return Err(Violation::new(
                "what was recovered is no prefix of what was submitted",
            ));
        }
        self.cut(kept);
        Ok(())
    }

    fn cut(&mut self, kept: usize) {
        if kept < self.written.len() {
            self.written.truncate(kept);
            self.counts.truncate(kept);
            self.model = Model::replay(self.written.iter().map(Vec::as_slice));
        }
    }

    /// Takes back what was promised: the disk under the journal lies. What is there must still be a prefix.
    pub(super) fn forgive(&mut self) {
        self.history = History::new();
        for payload in &self.written {
            self.history.submit(payload.clone());
        }
    }

    /// Compares both engines, entry by entry, with a replay of the whole journal.
    pub(super) fn check_whole(&self, view: &dyn Snapshot) -> Result<(), Violation> {
        let raw = view
            .scan_raw()
            .map_err(|error| Violation::new(error.to_string()))?;
        self.model.compare(LAYOUT, raw)?;
        if reached(view) != self.model.last() {
            let text = format!("applied up to {} of {}", reached(view), self.model.last());
            return Err(Violation::new(text));
        }
        self.check_view(view)
    }

    /// Compares what a view shows with the records up to where it says that it is.
    pub(super) fn check_view(&self, view: &dyn Snapshot) -> Result<(), Violation> {
        let upto = reached(view);
        let counts = match usize::try_from(upto).unwrap().checked_sub(1) {
            None => Counts::default(),
            Some(index) => *self
                .counts
                .get(index)
                .ok_or_else(|| Violation::new(format!("a view reaches to {upto}")))?,
        };
        if view.counts() != counts {
            let text = format!("at {upto}: counts {:?}, not {counts:?}", view.counts());
            return Err(Violation::new(text));
        }
        let shown = show(view)?;
        let known = self.model.entries().iter();
        let expected: BTreeMap<&[u8], &Entry> = known
            .filter(|(_, entry)| entry.sequence <= upto)
            .map(|(key, entry)| (&key[..], entry))
            .collect();
        let same = shown.len() == expected.len()
            && shown
                .iter()
                .zip(&expected)
                .all(|((key, entry), (known, wanted))| key == known && entry == *wanted);
        if same {
            return Ok(());
        }
        let text = format!(
            "a view at {upto} shows {} entries of {}",
            shown.len(),
            expected.len()
        );
        Err(Violation::new(text))
    }
}

fn reached(view: &dyn Snapshot) -> u64 {
    view.cursor().map_or(0, |cursor| cursor.sequence.get())
}

fn show(view: &dyn Snapshot) -> Result<BTreeMap<Vec<u8>, Entry>, Violation> {
    let failed = |error: stemedb_storage::Error| Violation::new(format!("a view: {error:?}"));
    let scan = view.scan(b"", std::ops::Bound::Unbounded).map_err(failed)?;
    scan.map(|item| {
        let (key, value) = item.map_err(failed)?;
        let content = match KeyKind::of(&key) {
            Some(KeyKind::Quarantine) => Quarantined::decode(&value.content)
                .map(|it| it.payload)
                .ok_or_else(|| Violation::new("a malformed quarantine"))?,
            _ => value.content,
        };
        let sequence = value.sequence.get();
        Ok((key, Entry { sequence, content }))
    })
    .collect()
}

/// The groups that lie on a disk, read past all faults.
pub(super) fn groups(disk: &SimDisk, directory: &Path) -> Result<Vec<Group>, Violation> {
    let copy = SimDisk::with_files(&disk.files());
    let mut groups = Vec::new();
    let mut damage = None;
    walk(&copy, directory, &mut |item| {
        match item {
            Item::Group {
                group,
                link: Link::Chained,
            } => groups.push(group),
            Item::Segment {
                header: Some(_), ..
            }
            | Item::Zeros { .. } => {}
            other => damage = Some(format!("{other:?}")),
        }
        std::ops::ControlFlow::Continue(())
    })
    .map_err(|error| Violation::new(error.to_string()))?;
    damage.map_or(Ok(groups), |text| {
        Err(Violation::new(format!("damage after recovery: {text}")))
    })
}

/// Everything in both engines.
pub(super) fn content(
    view: &Arc<dyn Snapshot>,
) -> Result<Vec<stemedb_storage::RawEntry>, Violation> {
    let failed = |error: stemedb_storage::Error| Violation::new(error.to_string());
    let raw = view.scan_raw().map_err(failed)?;
    raw.collect::<Result<_, _>>().map_err(failed)
}
