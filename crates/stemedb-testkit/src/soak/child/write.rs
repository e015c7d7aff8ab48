//! A thread that hands in records.

use std::sync::atomic::Ordering;

use stemedb::{Durability, Invalid, Prepared, Receipt, Record, RecordId};
use stemedb_testkit::disk::Random;

use super::Session;
use crate::soak::wire::{Level, Line};

/// Hands in batches until there are none left or one fails.
pub(super) fn run(session: &Session<'_>, mut random: Random) {
    while session.take_batch() {
        if let Err(invalid) = batch(session, &mut random) {
            return session
                .world
                .violation(format!("a valid record was refused: {invalid}"));
        }
    }
}

fn batch(session: &Session<'_>, random: &mut Random) -> Result<(), Invalid> {
    let world = session.world;
    let most = random.pick(&[1, 1, 8, 64, 600]).copied().unwrap_or(1);
    let count = 1 + random.below(most);
    let first = world.next.fetch_add(count, Ordering::Relaxed);
    let mut numbers: Vec<u64> = (first..first + count).collect();
    // Duplicates: of what is stored, of what is in flight, and of this very batch.
    for _ in 0..random.below(3) {
        numbers.push(random.below(first + count));
    }
    let mut records = Vec::with_capacity(numbers.len());
    let mut lines = Vec::with_capacity(numbers.len());
    for number in numbers {
        let record = world.records.get(number)?;
        let id = record.id()?;
        lines.push(Line::Submit { number, id });
        records.push((id, record));
    }
    world.say(&lines);
    let Some(receipts) = submit(session, records, random) else {
        return Ok(());
    };
    let lines: Vec<_> = receipts.iter().map(acknowledge).collect();
    world.say(&lines);
    if random.one_in(6) {
        read_back(session, &receipts);
    }
    Ok(())
}

/// Hands in records; `None` where nobody waits for the answer.
fn submit(
    session: &Session<'_>,
    records: Vec<(RecordId, Record)>,
    random: &mut Random,
) -> Option<Vec<Receipt>> {
    let database = session.database;
    let ids: Vec<_> = records.iter().map(|(id, _)| *id).collect();
    let records = records.into_iter().map(|(_, record)| record);
    let results = if random.one_in(4) {
        database.ingest(records)
    } else {
        let mut prepared = Vec::new();
        for one in Prepared::all(records.map(Ok::<_, stemedb::Error>)) {
            prepared.push(one.map_err(|error| session.fail("prepare", &error)).ok()?);
        }
        let submission = database.submit(prepared);
        if random.one_in(100) {
            // Nobody waits; the next session, or the end of this one, comes while it is in flight.
            return None;
        }
        submission.wait()
    };
    let mut receipts = Vec::with_capacity(results.len());
    for (result, id) in results.into_iter().zip(ids) {
        match result {
            Ok(receipt) if receipt.id == id => receipts.push(receipt),
            Ok(receipt) => session
                .world
                .violation(format!("{id} was acknowledged as {}", receipt.id)),
            // The others of the batch may have been acknowledged.
            Err(error) => session.fail("submit", &error),
        }
    }
    Some(receipts)
}

fn acknowledge(receipt: &Receipt) -> Line {
    Line::Acknowledge {
        sequence: receipt.sequence,
        id: receipt.id,
        level: match receipt.durability {
            Durability::Sync => Level::Sync,
            Durability::Interval(_) => Level::Interval,
        },
    }
}

/// What was acknowledged can be read once the store has come that far.
fn read_back(session: &Session<'_>, receipts: &[Receipt]) {
    let last = receipts.iter().map(|receipt| receipt.sequence).max();
    let Some(last) = last else {
        return;
    };
    let read = session.database.wait_applied(last).wait().and_then(|()| {
        let view = session.database.view()?;
        for receipt in receipts.iter().take(20) {
            let found = view.get(receipt.id)?.map(|stored| stored.sequence);
            if found != Some(receipt.sequence) {
                return Ok(Some(format!(
                    "{} was acknowledged at {} and is read at {found:?}",
                    receipt.id, receipt.sequence
                )));
            }
        }
        Ok(None)
    });
    match read {
        Ok(None) => {}
        Ok(Some(wrong)) => session.world.violation(wrong),
        Err(error) => session.fail("read back", &error),
    }
}
