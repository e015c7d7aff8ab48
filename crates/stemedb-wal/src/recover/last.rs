//! The last segment: the only one that can have been written to, and the only one that a crash can have torn.

use super::{Plan, Rewrite, Survey, behind};
use crate::decision::{Action, Behind, Header, Position, Witness, decide};
use crate::directory::{SegmentFile, segment_path};
use crate::error::IoContext;
use crate::format::{SEGMENT_HEADER_BYTES, SegmentHeader};
use crate::scan::{Scan, Segment};
use crate::{Corruption, Error, Fault, JournalId};

impl Survey<'_> {
    /// The last segment, whose header is sound.
    pub(super) fn scan_last(&self, header: SegmentHeader, plan: &mut Plan) -> Result<Scan, Error> {
        let (bytes, scan) = self.scan_segment(&header)?;
        let segment = Segment {
            journal: header.journal,
            number: header.number,
            bytes: &bytes,
        };
        let (behind, fault) = behind(scan.tail);
        let damaged = scan.chain.next_group;
        let is_proven = behind == Behind::Damage
            && segment
                .proven_durable_behind(scan.end, scan.chain)
                .says_durable(damaged);
        let witness = self.witness(header.journal, is_proven, &scan);
        let position = if header.number == 1 {
            Position::First
        } else {
            Position::Last
        };
        match decide(position, Header::Sound, behind, witness) {
            Action::Accept if !self.is_shared(header.number)? => {}
            Action::RefuseStoreAhead => return Err(self.store_ahead(&scan)),
            Action::RefuseCorruption => return Err(self.damaged(header.number, &scan, fault)),
            _ => plan.rewrite = Some(Rewrite::up_to(&header, bytes, &scan)),
        }
        Ok(scan)
    }

    /// Whether a segment's file has another name as well, and may belong to a snapshot or to the journal that this is one of.
    fn is_shared(&self, number: u64) -> Result<bool, Error> {
        let segment = SegmentFile::open(self.vfs, self.directory, number)?;
        let names = segment.file.names();
        Ok(names.context("count the names of", &segment.path)? > 1)
    }

    /// The last segment's header is bad: its predecessor is the last one again, unless something says that it must not be.
    pub(super) fn drop_last(
        &self,
        header: SegmentHeader,
        last: u64,
        plan: &mut Plan,
    ) -> Result<Scan, Error> {
        let (bytes, scan) = self.scan_segment(&header)?;
        let (behind, fault) = behind(scan.tail);
        let is_shared = self.is_shared(header.number)?;
        match decide(Position::Sealed, Header::Sound, behind, Witness::None) {
            Action::Accept | Action::FinishSeal if is_shared => {
                plan.rewrite = Some(Rewrite::up_to(&header, bytes, &scan));
            }
            Action::Accept => {}
            Action::FinishSeal => plan.finish_seals.push((header.number, scan.end)),
            _ => return Err(self.damaged(header.number, &scan, fault)),
        }
        let dropped = self.read_segment(last)?;
        let unborn = Segment {
            journal: header.journal,
            number: last,
            bytes: &dropped,
        };
        let proof = unborn.proven_durable_behind(SEGMENT_HEADER_BYTES as u64, scan.chain);
        let is_proven = proof.says_durable(scan.chain.next_group);
        let witness = self.witness(header.journal, is_proven, &scan);
        match decide(Position::Last, Header::Bad, behind, witness) {
            Action::RefuseStoreAhead => return Err(self.store_ahead(&scan)),
            Action::RefuseCorruption => {
                return Err(Corruption {
                    path: segment_path(self.directory, last),
                    offset: 0,
                    group: Some(scan.chain.next_group),
                    sequence: Some(scan.chain.next_sequence),
                    fault: Fault::SegmentHeader,
                }
                .into());
            }
            _ => plan.drop_segment = Some((last, dropped)),
        }
        Ok(scan)
    }

    /// A cursor of another journal bears no witness: it is refused as what it is, by [`check_mark`].
    fn witness(&self, journal: JournalId, group_says_so: bool, scan: &Scan) -> Witness {
        if group_says_so {
            Witness::Group
        } else if self
            .cursors
            .iter()
            .any(|cursor| cursor.journal == journal && cursor.group >= scan.chain.next_group)
        {
            Witness::Store
        } else {
            Witness::None
        }
    }

    fn store_ahead(&self, scan: &Scan) -> Error {
        let ahead = self.cursors.iter().max_by_key(|cursor| cursor.group);
        Error::StoreAheadOfJournal {
            store: ahead.map_or(0, |cursor| cursor.sequence),
            group: ahead.map_or(0, |cursor| cursor.group),
            journal: scan.chain.next_sequence.saturating_sub(1),
        }
    }
}

impl Rewrite {
    /// Keeps the groups that were scanned.
    fn up_to(header: &SegmentHeader, mut kept: Vec<u8>, scan: &Scan) -> Self {
        let dropped = kept.split_off(usize::try_from(scan.end).unwrap_or(usize::MAX));
        // The groups verified as they were read here; of the header another reading did.
        for (to, from) in kept.iter_mut().zip(header.encode()) {
            *to = from;
        }
        Self {
            number: header.number,
            kept,
            dropped,
        }
    }
}
