use super::*;

fn id(number: u64) -> RecordId {
    RecordId::from_bytes(*blake3::hash(&number.to_le_bytes()).as_bytes())
}

/// A filter of an empty database.
fn complete(options: Options) -> Filling {
    let mut filling = Filling::new(options, 0);
    filling.complete();
    filling
}

/// Links of so many bytes and more, together at most so many.
fn links(link_bytes_min: u64, bytes_max: u64) -> Options {
    Options {
        bytes_max,
        link_bytes_min,
        ..Options::default()
    }
}

/// How many of ids that were never inserted seem to be there, of a hundred thousand.
fn false_positives(known: &Known) -> usize {
    const FOREIGN: u64 = 1 << 40;
    let ids = (0..100_000).map(|number| id(FOREIGN + number));
    ids.filter(|id| known.may_hold(*id)).count()
}

#[test]
fn every_id_of_a_million_is_held_and_few_others_seem_to_be() {
    const IDS: u64 = 1_000_000;
    let mut filling = complete(Options::default());
    let known = filling.known();
    for number in 0..IDS {
        filling.insert(id(number));
    }
    assert_eq!(filling.links, 3);
    assert!((0..IDS).all(|number| known.may_hold(id(number))));
    assert!(false_positives(&known) < 1000);
}

#[test]
fn five_full_links_hold_what_they_were_given_and_few_others_seem_to_be_there() {
    // 20 ids for each of (1 + 4 + 16 + 64 + 256) * 32 blocks.
    let bytes = 341 << 10;
    let mut filling = complete(links(1 << 10, bytes));
    let known = filling.known();
    let mut inserted = Vec::new();
    for number in 0.. {
        filling.insert(id(number));
        if filling.is_full() {
            break;
        }
        inserted.push(id(number));
        assert!(known.has(id(number)));
    }
    assert_eq!((filling.links, filling.bytes_left, filling.room), (5, 0, 0));
    assert_eq!(filling.inserted, bytes / BLOCK_BYTES * BLOCK_IDS);
    assert!(inserted.iter().all(|id| known.has(*id)));
    // As if it were complete all the same: 0.4 % for each link.
    known.is_complete.store(true, Ordering::Release);
    let seem = false_positives(&known);
    assert!((500..3000).contains(&seem), "{seem}");
}

#[test]
fn an_id_that_finds_no_room_ends_completeness_for_good() {
    // The second link takes what the first one left; a third one would be smaller than any may be.
    let mut filling = complete(links(1 << 10, (3 << 10) + 512));
    let known = filling.known();
    let room = (32 + 80) * BLOCK_IDS;
    let mut number = 0;
    while filling.inserted < room {
        filling.insert(id(number));
        number += 1;
    }
    assert_eq!((filling.links, filling.bytes_left), (2, 0));
    assert!(!known.may_hold(id(1 << 40)));
    // An id that is held needs no room.
    filling.insert(id(0));
    assert!(!known.may_hold(id(1 << 40)));
    let homeless = (number..number + 1000)
        .map(id)
        .find(|id| !known.has(*id))
        .unwrap();
    filling.insert(homeless);
    assert!(known.may_hold(homeless) && known.may_hold(id(1 << 40)));
    filling.complete();
    filling.insert(id(0));
    assert!(filling.is_full() && known.may_hold(homeless) && !filling.take_due());
}

#[test]
fn a_remainder_that_is_too_small_makes_no_link() {
    let mut filling = complete(links(1 << 10, (2 << 10) - 1));
    for number in 0..2000 {
        filling.insert(id(number));
    }
    assert!(filling.is_full());
    assert_eq!(filling.links, 1);
}

#[test]
fn what_is_not_complete_says_nothing_of_any_id() {
    for (options, stored) in [(Options::default(), 1), (links(1 << 10, 0), 0)] {
        let mut filling = Filling::new(options, stored);
        let known = filling.known();
        filling.insert(id(1));
        assert!(known.may_hold(id(1)) && known.may_hold(id(2)));
        filling.complete();
        assert!(known.may_hold(id(1)));
        assert_eq!(known.may_hold(id(2)), options.bytes_max == 0);
    }
}

#[test]
fn a_scan_is_due_once_after_enough_new_records() {
    for (stored, after) in [(0, 100), (799, 100), (808, 101)] {
        let options = Options {
            scan_after_records_min: 100,
            ..Options::default()
        };
        let mut filling = Filling::new(options, stored);
        for number in 0..after {
            filling.insert(id(number));
            filling.insert(id(number));
        }
        assert!(!filling.take_due(), "{stored}");
        filling.insert(id(after));
        assert!(filling.take_due() && !filling.take_due(), "{stored}");
    }
    let mut filling = complete(Options::default());
    for number in 0..=1 << 16 {
        filling.insert(id(number));
    }
    assert!(!filling.take_due(), "everything is known");
}

#[test]
fn where_more_is_stored_than_has_room_nothing_is_remembered() {
    let options = Options {
        bytes_max: 1 << 20,
        scan_after_records_min: 1,
        ..Options::default()
    };
    let room = (1 << 20) / BLOCK_BYTES * BLOCK_IDS;
    for (stored, is_due) in [(room / 1_000, true), (room, false), (u64::MAX, false)] {
        let mut filling = Filling::new(options, stored);
        for number in 0..2 + stored.min(room) / 8 {
            filling.insert(id(number));
        }
        assert_eq!(filling.take_due(), is_due, "{stored}");
        assert_eq!(filling.is_full(), !is_due, "{stored}");
        assert_eq!(filling.known().has(id(0)), is_due, "{stored}");
    }
}

#[test]
fn the_bits_of_an_id_are_those_of_its_bytes() {
    let mut bytes = [0; 32];
    bytes[7] = 0x80;
    // Five bits each, from the lowest on: 0, 1, 2, .. 7.
    let bits = (0..8).fold(0, |bits, word| bits | word << (5 * word));
    bytes[8..16].copy_from_slice(&u64::to_le_bytes(bits));
    let spot = Spot::of(RecordId::from_bytes(bytes));
    let words = [1 | 2 << 32, 4 | 8 << 32, 16 | 32 << 32, 64 | 128 << 32];
    assert_eq!((spot.at, spot.mask), (1 << 63, words));
    let link: Box<[Block]> = (0..10).map(|_| Block::default()).collect();
    let block = spot.block(&link).unwrap();
    assert!(std::ptr::eq(block, &raw const link[5]));
    block.set(&spot.mask);
    assert!(link[5].has(&spot.mask) && !link[4].has(&spot.mask));
    // Each of the eight bits counts.
    for bit in (0..256).filter(|bit| spot.mask[bit / 64] >> (bit % 64) & 1 == 1) {
        let lacking = Block::default();
        lacking.set(&spot.mask);
        lacking.0[bit / 64].fetch_and(!(1 << (bit % 64)), Ordering::Relaxed);
        assert!(!lacking.has(&spot.mask), "{bit}");
    }
}

#[test]
fn the_bound_of_a_filter_is_within_its_limits() {
    let allowed = |bytes_max| {
        let options = Options::default();
        Options {
            bytes_max,
            ..options
        }
        .is_allowed()
    };
    for bytes in [0, 256 << 10, 64 << 20, 1 << 40] {
        assert!(allowed(bytes), "{bytes}");
    }
    for bytes in [1, (256 << 10) - 1, (1 << 40) + 1] {
        assert!(!allowed(bytes), "{bytes}");
    }
    // The links reach the largest bound.
    let reached = (0..LINKS_MAX).fold((0, 256 << 10), |(sum, link): (u64, u64), _| {
        (sum + link, link * LINK_GROWTH)
    });
    assert!(reached.0 >= 1 << 40);
}
