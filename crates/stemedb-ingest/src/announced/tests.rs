use super::*;

fn id(sequence: u64) -> RecordId {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&sequence.to_le_bytes());
    RecordId::from_bytes(bytes)
}

/// Announces the sequences from `first` up to `end`.
fn announce(announcements: &Announcements, (first, end): (u64, u64)) {
    announcements.announce(first, Arc::new((first..end).map(id).collect()));
}

/// Which of the sequences up to `last` are announced under their ids; none may be under another.
fn announced(announcements: &[Announcement], last: u64) -> Vec<u64> {
    let mut announced = Announced::new(announcements);
    let is_known = |sequence: &u64| match announced.id(*sequence) {
        Some(found) => {
            assert_eq!(found, id(*sequence));
            true
        }
        None => false,
    };
    (1..=last).filter(is_known).collect()
}

#[test]
fn what_is_announced_is_found_under_its_sequence_and_nothing_else() {
    let announcements = Announcements::default();
    for range in [(2, 4), (4, 5), (5, 5), (8, 10)] {
        announce(&announcements, range);
    }
    let taken = announcements.take_upto(20);
    assert_eq!(announced(&taken, 20), [2, 3, 4, 8, 9]);
    assert!(announcements.take_upto(u64::MAX).is_empty());
}

#[test]
fn what_comes_later_stays() {
    let announcements = Announcements::default();
    for range in [(1, 4), (4, 8), (8, 9)] {
        announce(&announcements, range);
    }
    assert_eq!(
        announced(&announcements.take_upto(7), 10),
        [1, 2, 3, 4, 5, 6, 7]
    );
    assert!(announced(&announcements.take_upto(7), 10).is_empty());
    assert_eq!(announced(&announcements.take_upto(8), 10), [8]);
}

#[test]
fn what_contradicts_an_announcement_is_none() {
    let announcements = Announcements::default();
    for range in [(5, 8), (3, 5), (7, 9), (8, 9)] {
        announce(&announcements, range);
    }
    assert_eq!(announced(&announcements.take_upto(20), 20), [5, 6, 7, 8]);
}
