use super::*;
use crate::format::Place;
use crate::group::GroupFields;
use crate::{Group, GroupHash, JournalId};

fn queue() -> Queue {
    Queue::new(1, Durability::Sync, usize::MAX)
}

fn taken(offer: Offer) -> Taken {
    match offer {
        Offer::Taken(taken) => taken,
        Offer::Full(..) => panic!("there was no room"),
        Offer::Refused(_, error) => panic!("{error}"),
    }
}

/// Hands in so many records of that length, each of which begins with its number.
fn offer(queue: &mut Queue, count: usize, bytes: usize) -> Appended {
    let first = usize::try_from(queue.next_sequence).unwrap();
    let record = |n: usize| {
        let mut record = vec![1; bytes];
        record[..4].copy_from_slice(&u32::try_from(n).unwrap().to_le_bytes());
        record
    };
    let mut records: Vec<_> = (first..first + count).map(record).collect();
    let request = match (count, records.pop()) {
        (1, Some(record)) => Request::one(record, Trust::Verified),
        (_, last) => {
            records.extend(last);
            Request::many(records, Trust::Verified)
        }
    };
    taken(queue.offer(request.unwrap())).appended
}

/// The next group as it would be read back.
fn group(queue: &mut Queue) -> Group {
    let (framed, _answers) = Part::join(queue.take_group()).unwrap();
    let place = Place {
        journal: JournalId([7; 16]),
        segment: 1,
        offset: 128,
    };
    let fields = GroupFields {
        number: 5,
        durable_upto: 4,
        arrived_at_ms: 0,
        previous: GroupHash::ZERO,
    };
    let sealed = framed.finish(fields, place);
    Group::decode(sealed.group_bytes(), place).unwrap()
}

#[test]
fn records_are_numbered_in_the_order_of_their_requests_however_they_were_framed() {
    let mut queue = queue();
    // 300 records of 400 bytes are framed before the lock is taken, the others under it.
    let requests = [1, 3, 300, 1, 2, 300, 300, 1];
    let mut next = 1;
    for count in requests {
        let appended = offer(&mut queue, count, 400);
        assert_eq!(appended.first_sequence, next);
        assert_eq!(appended.records as usize, count);
        next = appended.last_sequence() + 1;
    }
    let group = group(&mut queue);
    let found: Vec<_> = group.records().collect();
    assert_eq!(found.len(), 908);
    for (sequence, record) in (1_u32..).zip(found) {
        assert_eq!(record.sequence, u64::from(sequence));
        assert_eq!(record.bytes[..4], sequence.to_le_bytes());
        assert_eq!(record.trust, Trust::Verified);
    }
    assert!(queue.is_empty());
    assert_eq!(queue.framed_bytes, 0);
}

/// What a group is begun with may have been framed before it was known which number comes next.
#[test]
fn a_group_that_begins_with_records_framed_before_is_numbered_from_its_place() {
    let mut queue = queue();
    offer(&mut queue, 2, 10);
    group(&mut queue);
    offer(&mut queue, 300, 400);
    let group = group(&mut queue);
    assert_eq!(group.header().first_sequence, 3);
    let found: Vec<_> = group.records().map(|record| record.sequence).collect();
    assert_eq!(found, (3..303).collect::<Vec<_>>());
}

#[test]
fn small_requests_share_one_part() {
    let mut queue = queue();
    for _ in 0..1000 {
        offer(&mut queue, 1, 300);
    }
    assert_eq!(queue.parts.len(), 1);
    assert_eq!(queue.take_group().len(), 1);
}

#[test]
fn what_does_not_fit_a_group_goes_into_the_next_one() {
    let mut queue = queue();
    let records = GROUP_PAYLOAD_BYTES_MAX / framed_bytes(1 << 20);
    // Nearly a whole group, which a small request does not fit any more.
    offer(&mut queue, records, 1 << 20);
    offer(&mut queue, 1, 1 << 20);
    offer(&mut queue, 2, 8);
    let first = group(&mut queue);
    assert_eq!(first.records().count(), records);
    let second = group(&mut queue);
    let sequences: Vec<_> = second.records().map(|record| record.sequence).collect();
    let next = records as u64 + 1;
    assert_eq!(sequences, [next, next + 1, next + 2]);
    assert!(queue.is_empty());
}

#[test]
fn a_request_without_room_waits_and_takes_no_number() {
    let mut queue = Queue::new(1, Durability::Sync, 100);
    offer(&mut queue, 1, 80);
    let request = Request::one(vec![1; 8], Trust::Unverified).unwrap();
    let Offer::Full(request, signal) = queue.offer(request) else {
        panic!("there was room");
    };
    assert_eq!(queue.next_sequence, 2);
    queue.take_group();
    signal.recv().unwrap();
    let taken = taken(queue.offer(request));
    assert_eq!(taken.appended.first_sequence, 2);
}

#[test]
fn a_request_that_the_sequences_do_not_suffice_for_is_refused() {
    let mut queue = Queue::new(u64::MAX - 3, Durability::Sync, usize::MAX);
    let request = |count| Request::many(vec![vec![1]; count], Trust::Unverified).unwrap();
    for count in [3, 4, 5] {
        let refused = queue.offer(request(count));
        let is_exhausted = matches!(
            refused,
            Offer::Refused(_, AppendError::Exhausted { what: "sequence" })
        );
        assert!(is_exhausted);
    }
    assert_eq!(
        taken(queue.offer(request(2))).appended.first_sequence,
        u64::MAX - 3
    );
}

#[test]
fn what_is_dropped_unwritten_is_answered() {
    let mut queue = queue();
    let request = Request::one(vec![1], Trust::Unverified).unwrap();
    let taken = taken(queue.offer(request));
    drop(queue.clear());
    assert!(matches!(taken.outcome.wait(), Err(AppendError::Closed)));
}
