//! Receipts, many writers, order, signatures.

use std::sync::Barrier;
use std::thread;

use stemedb::{
    Assertion, Database, Durability, Epoch, EpochName, ErrorKind, Object, Prepared, Record,
    RecordType, Signature, Status, Vote, Weight,
};
use stemedb_testkit::record::{keys, with_agent};

use crate::support::{
    Place, agent, answer, creating, exported, id, kinds, numbered, predicate, refused, settle,
    store, subject, vote_on,
};

fn prepared(records: impl IntoIterator<Item = Record>) -> Vec<Prepared> {
    let records = records.into_iter();
    records.map(|it| Prepared::new(&it).unwrap()).collect()
}

fn signed(number: u64) -> Record {
    keys()[0]
        .sign(&with_agent(numbered(number), keys()[0].did()))
        .unwrap()
}

#[test]
fn a_record_of_each_type_is_stored_once_and_answered_with_its_first_sequence() {
    for kind in kinds() {
        let place = Place::new();
        let builder = creating().store(kind);
        let mut database = builder.open(place.path()).unwrap();
        for (round, status) in [
            (0, Status::Stored),
            (1, Status::AlreadyStored),
            (2, Status::AlreadyStored),
        ] {
            let claimed = Assertion::new(subject("s"), predicate("p"), Object::text(""), agent());
            let first = database.assert(claimed.clone()).unwrap();
            let vote = Vote::new(first.id, agent(), Weight::new(1.0).unwrap());
            let second = database.vote(vote).unwrap();
            let period = Epoch::new(EpochName::new("2026").unwrap(), agent());
            let third = database.define_epoch(period).unwrap();
            for (receipt, sequence) in [first, second, third].into_iter().zip(1..) {
                assert_eq!((receipt.sequence.get(), receipt.status), (sequence, status));
                assert_eq!(receipt.durability, Durability::Sync);
                database.wait_applied(receipt.sequence).wait().unwrap();
                let stored = database.view().unwrap().get(receipt.id).unwrap().unwrap();
                assert_eq!((stored.id, stored.sequence), (receipt.id, receipt.sequence));
            }
            assert_eq!(first.id, id(&claimed.into()));
            if round == 1 {
                database.close().unwrap();
                database = reopen(&place);
            }
        }
        assert_eq!(database.stats().unwrap().durable_sequence, 3);
    }
}

/// Opens a database again; the sled engine lets go of its lock a moment after it was closed.
fn reopen(place: &Place) -> Database {
    for _ in 0..12_000 {
        match Database::open(place.path()) {
            Err(error) if error.kind() == ErrorKind::Unavailable => {
                thread::park_timeout(std::time::Duration::from_millis(10));
            }
            opened => return opened.unwrap(),
        }
    }
    Database::open(place.path()).unwrap()
}

#[test]
fn of_many_threads_with_the_same_record_exactly_one_stores_it() {
    const THREADS: usize = 8;
    const ROUNDS: u64 = 60;
    let place = Place::new();
    let database = place.database();
    for round in 0..ROUNDS {
        let barrier = Barrier::new(THREADS);
        let receipts: Vec<_> = thread::scope(|scope| {
            let work = || {
                barrier.wait();
                database.add(numbered(round)).unwrap()
            };
            let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
            threads.into_iter().map(|it| it.join().unwrap()).collect()
        });
        let stored = receipts.iter().filter(|it| it.status == Status::Stored);
        assert_eq!(stored.count(), 1);
        assert!(receipts.iter().all(|it| it.sequence.get() == round + 1));
    }
    settle(&database);
    let stats = database.stats().unwrap();
    assert_eq!(
        (stats.durable_sequence, stats.counts.duplicates),
        (ROUNDS, 0)
    );
}

#[test]
fn overlapping_loads_of_many_threads_store_every_record_once() {
    const RECORDS: u64 = 3000;
    let place = Place::new();
    let database = place.database();
    let stored: usize = thread::scope(|scope| {
        let load = |stride: u64| {
            let database = &database;
            move || {
                // Every thread has all of the records, in an order of its own.
                let order = (0..RECORDS).map(|step| numbered(step * stride % RECORDS));
                let receipts = database.ingest(order);
                let stored = receipts.iter().filter(|it| answer(it).1 == Status::Stored);
                stored.count()
            }
        };
        let threads: Vec<_> = [1, 7, 11, 13, 2999]
            .map(load)
            .map(|it| scope.spawn(it))
            .into();
        threads.into_iter().map(|it| it.join().unwrap()).sum()
    });
    assert_eq!(stored as u64, RECORDS);
    settle(&database);
    let stats = database.stats().unwrap();
    assert_eq!(
        (stats.durable_sequence, stats.counts.duplicates),
        (RECORDS, 0)
    );
    assert_eq!(exported(&database).len() as u64, RECORDS);
}

#[test]
fn what_is_applied_while_a_submission_looks_for_it_is_stored_once() {
    // The look takes long, for a record that is stored already is looked for again and again. Meanwhile the others of the submission are
    // stored, applied and forgotten by the map of what is in flight: the view of the look shows none of them. Those that come first
    // were not even known when they were looked for.
    const LOOKS: usize = 200_000;
    const LATE: u64 = 20;
    for are_first in [false, true] {
        let place = Place::new();
        let database = place.database();
        store(&database, vec![numbered(0)]);
        let looks = vec![prepared([numbered(0)]).remove(0); LOOKS];
        let mut parts = [looks, prepared((1..=LATE).map(numbered))];
        if are_first {
            parts.reverse();
        }
        let records: Vec<_> = parts.into_iter().flatten().collect();
        let barrier = Barrier::new(2);
        let receipts = thread::scope(|scope| {
            let looking = scope.spawn(|| {
                barrier.wait();
                database.submit(records).wait()
            });
            barrier.wait();
            for number in 1..=LATE {
                database.add(numbered(number)).unwrap();
                settle(&database);
            }
            looking.join().unwrap()
        });
        assert!(receipts.iter().all(Result::is_ok));
        settle(&database);
        let stats = database.stats().unwrap();
        assert_eq!(
            (stats.durable_sequence, stats.counts.duplicates),
            (1 + LATE, 0)
        );
    }
}

#[test]
fn a_record_twice_in_a_submission_is_stored_once() {
    let place = Place::new();
    let database = place.database();
    let records = [numbered(1), numbered(2), numbered(1)];
    let receipts = database.submit(prepared(records)).wait();
    let answers: Vec<_> = receipts.iter().map(answer).collect();
    let expected = [
        (1, Status::Stored),
        (2, Status::Stored),
        (1, Status::AlreadyStored),
    ];
    assert_eq!(answers, expected);
    assert_eq!(database.stats().unwrap().durable_sequence, 2);
}

#[test]
fn submissions_in_flight_keep_their_order() {
    let place = Place::new();
    let database = place.database();
    let submissions: Vec<_> = (0..20_u64)
        .map(|chunk| database.submit(prepared((chunk * 10..chunk * 10 + 12).map(numbered))))
        .collect();
    for (submission, chunk) in submissions.into_iter().zip(0..) {
        let receipts = submission.wait();
        for (receipt, number) in receipts.iter().zip(chunk * 10..) {
            // The first two of each but the first were in the one before.
            let is_repeated = chunk > 0 && number < chunk * 10 + 2;
            let status = if is_repeated {
                Status::AlreadyStored
            } else {
                Status::Stored
            };
            assert_eq!(answer(receipt), (number + 1, status));
        }
    }
}

#[tokio::test]
async fn a_submission_can_be_awaited() {
    let place = Place::new();
    let database = place.database();
    let first = database.submit(prepared((0..5).map(numbered))).finish();
    let second = database.submit(prepared((3..7).map(numbered))).finish();
    let answers: Vec<_> = second.await.iter().map(answer).collect();
    let (new, old) = (Status::Stored, Status::AlreadyStored);
    assert_eq!(answers, [(4, old), (5, old), (6, new), (7, new)]);
    let last = first.await.pop().unwrap().unwrap();
    database.wait_applied(last.sequence).await.unwrap();
    assert!(database.view().unwrap().get(last.id).unwrap().is_some());
}

#[test]
fn a_submission_that_is_dropped_is_stored_all_the_same() {
    let place = Place::new();
    let database = place.database();
    drop(database.submit(prepared([numbered(1)])));
    assert_eq!(answer(&database.add(numbered(2))), (2, Status::Stored));
    assert_eq!(
        answer(&database.add(numbered(1))),
        (1, Status::AlreadyStored)
    );
}

#[test]
fn an_empty_submission_has_no_receipts() {
    let place = Place::new();
    let database = place.database();
    assert!(database.submit(Vec::new()).wait().is_empty());
    assert!(database.ingest(Vec::new()).is_empty());
    assert_eq!(database.stats().unwrap().durable_sequence, 0);
}

/// More records than one chunk, with some that are refused at its edges.
#[test]
fn what_is_refused_comes_out_in_its_place() {
    let place = Place::new();
    let database = place.database();
    let refused_at = [0, 1, 1023, 1024, 1500, 2499];
    let records = (0..2500_u64).map(|number| {
        if refused_at.contains(&number) {
            with_agent(numbered(number), keys()[0].did())
        } else {
            numbered(number)
        }
    });
    let receipts = database.ingest(records);
    assert_eq!(receipts.len(), 2500);
    let mut sequence = 0;
    for (receipt, number) in receipts.iter().zip(0..) {
        if refused_at.contains(&number) {
            let error = receipt.as_ref().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid);
            assert_eq!(error.invalid().unwrap().field(), Some("signature"));
        } else {
            sequence += 1;
            assert_eq!(answer(receipt), (sequence, Status::Stored));
        }
    }
    assert_eq!(database.stats().unwrap().durable_sequence, sequence);
}

#[test]
fn a_key_speaks_only_with_its_signature() {
    let place = Place::new();
    let database = place.database();
    let wrong = signed(1).with_signature(signed(2).signature());
    let missing = signed(1).with_signature(None);
    let by_nobody = numbered(1).with_signature(Some(Signature::from_bytes([7; 64])));
    for (record, words) in [
        (wrong, "does not verify"),
        (missing, "signature: missing"),
        (by_nobody, "the agent is no did:key"),
    ] {
        let error = refused(database.add(record.clone()), ErrorKind::Invalid);
        assert!(error.to_string().contains(words), "{error}");
        let receipts = database.ingest([record]);
        assert_eq!(
            receipts[0].as_ref().unwrap_err().to_string(),
            error.to_string()
        );
    }
    assert_eq!(answer(&database.add(signed(1))), (1, Status::Stored));
    assert_eq!(answer(&database.add(signed(1))), (1, Status::AlreadyStored));
    settle(&database);
    let stored = database.view().unwrap().get(id(&signed(1))).unwrap();
    assert_eq!(stored.unwrap().record, signed(1));
    assert_eq!(database.stats().unwrap().counts.quarantined, 0);
}

#[test]
fn one_wrong_signature_among_many_takes_nobody_with_it() {
    let records = (0..300).map(|number| match number {
        77 => Ok(signed(77).with_signature(signed(1).signature())),
        number => Ok::<_, stemedb::Error>(signed(number)),
    });
    let mut refusals = 0;
    let all = Prepared::all_or(records, || refusals += 1);
    assert_eq!(refusals, 300, "each is verified singly");
    for (prepared, number) in all.into_iter().zip(0..) {
        assert_eq!(prepared.is_err(), number == 77, "{number}");
        if let Ok(prepared) = prepared {
            assert_eq!(prepared.id(), id(&signed(number)));
            assert_eq!(prepared.record_type(), RecordType::Assertion);
        }
    }
}

#[test]
fn a_record_over_its_limit_is_refused_and_the_largest_is_stored() {
    let place = Place::new();
    let database = place.database();
    let of = |bytes| {
        let text = Object::text("x".repeat(bytes));
        Assertion::new(subject("s"), predicate("p"), text, agent())
    };
    refused(database.assert(of(1 << 20)), ErrorKind::Invalid);
    let receipt = database.assert(of((1 << 20) - 120)).unwrap();
    database.wait_applied(receipt.sequence).wait().unwrap();
    assert!(database.view().unwrap().get(receipt.id).unwrap().is_some());
    // Many of them take several requests of the journal.
    let many = (0..9).map(|number| Record::from(of((1 << 20) - 200 - number)));
    assert_eq!(store(&database, many.collect()), 10);
}

#[test]
fn a_vote_may_come_before_its_assertion() {
    let place = Place::new();
    let database = place.database();
    let vote = vote_on(id(&numbered(1)), -1.0);
    store(&database, vec![vote.clone(), numbered(1)]);
    let stored = database.view().unwrap().get(id(&vote)).unwrap().unwrap();
    assert_eq!((stored.record, stored.sequence.get()), (vote, 1));
}
