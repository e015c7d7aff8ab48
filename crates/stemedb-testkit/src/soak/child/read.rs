//! A thread that reads, and compares what views show with each other.

use std::sync::atomic::Ordering;

use stemedb::{Page, Record, Result, Sequence, Stored, View};
use stemedb_testkit::disk::Random;

use super::{Session, count_up};
use crate::soak::record::subject;
use crate::soak::wire::Done;

/// Items of a listing that are looked at.
const ITEMS_MAX: usize = 300;

/// What a look found wrong, if anything.
type Look = Result<Option<String>>;

/// Reads until the session is over.
pub(super) fn run(session: &Session<'_>, mut random: Random) {
    while !session.is_over() {
        match look(session, &mut random) {
            Ok(None) => session.world.done(Done::Read),
            Ok(Some(wrong)) => session.world.violation(wrong),
            Err(error) => session.fail("read", &error),
        }
    }
}

fn look(session: &Session<'_>, random: &mut Random) -> Look {
    let view = session.database.view()?;
    match random.below(6) {
        0 => counts(session),
        1 => subjects(&view, random),
        2 => assertions(&view, random),
        3 => votes(session, &view, random),
        4 => export(session, random),
        _ => as_of(&view, random),
    }
}

/// Every record of the journal is counted once, and counts never go back.
fn counts(session: &Session<'_>) -> Look {
    count_up(session.world, || {
        let view = session.database.view()?;
        let counts = view.counts();
        let sum = counts.assertions + counts.votes + counts.epochs + counts.duplicates;
        let applied = view.applied().map_or(0, Sequence::get);
        if sum != applied {
            session
                .world
                .violation(format!("{counts:?} of {applied} applied records"));
        }
        Ok(counts)
    })
}

/// Each entry of a subject leads to its assertion.
fn assertions(view: &View, random: &mut Random) -> Look {
    let wanted = subject(random).map_err(stemedb::Error::from)?;
    for listed in view
        .assertions(&wanted, None, &Page::default())?
        .take(ITEMS_MAX)
    {
        let stored = listed?.value;
        let is_about = matches!(&stored.record, Record::Assertion(it) if it.subject == wanted);
        if !is_about {
            return Ok(Some(format!("{} is listed under {wanted}", stored.id)));
        }
        if let Some(wrong) = differs(view, &stored)? {
            return Ok(Some(wrong));
        }
    }
    Ok(None)
}

/// What a listing gives is what its id gives.
fn differs(view: &View, stored: &Stored) -> Look {
    if stored.record.id().map_err(stemedb::Error::from)? != stored.id {
        return Ok(Some(format!(
            "{} names a record with another id",
            stored.id
        )));
    }
    Ok(match view.get(stored.id)? {
        Some(found) if found == *stored => None,
        Some(found) => Some(format!("{stored:?} is read by its id as {found:?}")),
        None => Some(format!("{} is listed and not found", stored.id)),
    })
}

/// A subject has as many assertions as its count says, in the same view.
fn subjects(view: &View, random: &mut Random) -> Look {
    let wanted = subject(random).map_err(stemedb::Error::from)?;
    let mut counted = 0;
    for listed in view.subjects(wanted.as_str(), &Page::default())? {
        let count = listed?.value;
        if count.subject == wanted {
            counted = count.assertions;
            break;
        }
    }
    let mut listed = 0_u64;
    for item in view.assertions(&wanted, None, &Page::default())? {
        item?;
        listed += 1;
    }
    let wrong = || format!("{wanted} has {counted} assertions and {listed} are listed");
    Ok((counted != listed).then(wrong))
}

/// Each vote of an assertion is found by its own id, and a vote that is found is among those of its assertion.
fn votes(session: &Session<'_>, view: &View, random: &mut Random) -> Look {
    let next = session.world.next.load(Ordering::Relaxed);
    if next == 0 {
        return Ok(None);
    }
    let records = session.world.records;
    let assertion = records.assertion_before(next, random);
    let assertion = assertion.map_err(stemedb::Error::from)?;
    for listed in view.votes(assertion, &Page::default())?.take(ITEMS_MAX) {
        if let Some(wrong) = differs(view, &listed?.value)? {
            return Ok(Some(wrong));
        }
    }
    let record = records
        .get(random.below(next))
        .map_err(stemedb::Error::from)?;
    let id = record.id().map_err(stemedb::Error::from)?;
    let Record::Vote(vote) = record else {
        return Ok(None);
    };
    if view.get(id)?.is_none() {
        return Ok(None);
    }
    for listed in view.votes(vote.assertion, &Page::default())? {
        if listed?.value.id == id {
            return Ok(None);
        }
    }
    Ok(Some(format!(
        "vote {id} is not among those of its assertion"
    )))
}

/// A view of an earlier time shows what the whole view shows of that time.
fn as_of(view: &View, random: &mut Random) -> Look {
    let applied = view.applied().map_or(0, Sequence::get);
    let Some(then) = Sequence::new(random.below(applied + 1)) else {
        return Ok(None);
    };
    let (wanted, earlier) = (
        subject(random).map_err(stemedb::Error::from)?,
        view.as_of(then)?,
    );
    let page = Page::default();
    let (mut shown, mut expected) = (Vec::new(), Vec::new());
    for listed in earlier.assertions(&wanted, None, &page)?.take(ITEMS_MAX) {
        shown.push(listed?.value.sequence);
    }
    for listed in view.assertions(&wanted, None, &page)? {
        let sequence = listed?.value.sequence;
        expected.extend((sequence <= then).then_some(sequence));
        if expected.len() == ITEMS_MAX {
            break;
        }
    }
    let wrong = || format!("as of {then}, {wanted} has {shown:?} instead of {expected:?}");
    Ok((shown != expected).then(wrong))
}

/// The export is in order, and each record in it is the one of its id.
fn export(session: &Session<'_>, random: &mut Random) -> Look {
    let most = usize::try_from(random.below(1000)).unwrap_or(0);
    let mut last = 0;
    for stored in session.database.export()?.take(most) {
        let stored = stored?;
        let sequence = stored.sequence.get();
        // Every record of this database is new to it, so that none is left out.
        if sequence != last + 1 {
            return Ok(Some(format!("{sequence} follows {last} in the export")));
        }
        last = sequence;
        if stored.record.id().map_err(stemedb::Error::from)? != stored.id {
            return Ok(Some(format!("{} is exported with another id", stored.id)));
        }
    }
    Ok(None)
}
