use std::collections::HashSet;
use std::hash::BuildHasher;

use stemedb_core::{RecordId, Sequence};

use super::{Arrivals, Seeds};

fn id(number: u64) -> RecordId {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&number.to_le_bytes());
    RecordId::from_bytes(bytes)
}

#[test]
fn the_first_arrival_stays() {
    let mut arrivals = Arrivals::default();
    let [one, two] = [1, 2].map(|number| Sequence::new(number).unwrap());
    assert_eq!(arrivals.get(id(7)), None);
    assert_eq!(arrivals.first(id(7), one), one);
    assert_eq!(arrivals.first(id(7), two), one);
    assert_eq!(arrivals.first(id(8), two), two);
    assert_eq!(
        [7, 8, 9].map(|number| arrivals.get(id(number))),
        [Some(one), Some(two), None]
    );
}

/// Ids that agree in all but a few bits of one word, which somebody could have looked for.
#[test]
fn ids_that_were_made_up_do_not_collide() {
    let seeds = Seeds::default();
    for shift in [0, 16, 32, 48] {
        let hashes: Vec<u64> = (0..4_096)
            .map(|number| seeds.hash_one(id(number << shift)))
            .collect();
        let low: HashSet<_> = hashes.iter().map(|hash| hash & 0xffff).collect();
        let high: HashSet<_> = hashes.iter().map(|hash| hash >> 48).collect();
        assert!(
            low.len() > 3_500 && high.len() > 3_500,
            "{shift}: {} {}",
            low.len(),
            high.len()
        );
    }
}
