use stemedb::{
    Agent, Create, Database, Epoch, EpochName, Page, Record, RecordId, Sequence, View, Vote, Weight,
};

use super::sum::Sum;
use super::{Known, KnownTotals, Totals, count};
use crate::limits::TOTALS_KEPT_MAX;
use crate::wire::VoteTotals;

fn sum(numbers: &[f64]) -> f64 {
    let mut sum = Sum::default();
    for number in numbers {
        sum.add(*number);
    }
    sum.rounded()
}

#[test]
fn a_sum_is_rounded_once_whatever_the_order() {
    let half = f64::EPSILON / 2.0;
    for (numbers, expected) in [
        (vec![], 0.0),
        (vec![0.0, -0.0], 0.0),
        (vec![1.0, 1e-300, -1.0], 1e-300),
        (vec![1.0, 5e-324, -1.0, -5e-324], 0.0),
        (vec![0.1; 10], 1.0),
        // Just in the middle of two numbers, and to either side of it.
        (vec![1.0, half], 1.0),
        (vec![1.0, half, 1e-300], 1.0 + f64::EPSILON),
        (vec![1.0, half, -1e-300], 1.0),
        (vec![1.0, half, half, half], 1.0 + 2.0 * f64::EPSILON),
        (vec![1.0, half, 1e-300, -1e-300], 1.0),
    ] {
        let mut numbers = numbers;
        for _ in 0..=numbers.len() {
            assert!(sum(&numbers).total_cmp(&expected).is_eq(), "{numbers:?}");
            numbers.reverse();
            assert!(sum(&numbers).total_cmp(&expected).is_eq(), "{numbers:?}");
            numbers.reverse();
            if !numbers.is_empty() {
                numbers.rotate_left(1);
            }
        }
    }
}

#[test]
fn votes_without_weight_are_neither_for_nor_against() {
    let mut totals = Totals::default();
    for weight in [1.0, -0.5, 0.0] {
        totals.add(weight);
    }
    let expected = VoteTotals {
        count: 3,
        r#for: 1,
        against: 1,
        weight_sum: 0.5,
    };
    assert_eq!(VoteTotals::from(&totals), expected);
}

/// Numbers that look like random ones, and are the same each time.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        self.0 >> 33
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    #[expect(clippy::cast_precision_loss, reason = "the number has 31 bits")]
    fn weight(&mut self) -> f64 {
        let number = self.next() as f64 / f64::from(1 << 30) - 1.0;
        number.clamp(-1.0, 1.0) / 3_f64.powi(i32::try_from(self.below(40)).unwrap())
    }
}

fn assertion(number: u64) -> RecordId {
    RecordId::from_bytes([u8::try_from(number).unwrap(); 32])
}

fn vote_on(assertion: RecordId, weight: f64) -> Record {
    let agent = Agent::new("a").unwrap();
    Vote::new(assertion, agent, Weight::new(weight).unwrap()).into()
}

fn database() -> (Database, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let builder = Database::builder().create(Create::IfMissing);
    let database = builder.open(directory.path().join("data")).unwrap();
    (database, directory)
}

/// Stores records, and waits until they can be read.
fn store(database: &Database, records: Vec<Record>) {
    let receipts = database.ingest(records).into_iter().map(Result::unwrap);
    if let Some(last) = receipts.map(|receipt| receipt.sequence).max() {
        database.wait_applied(last).wait().unwrap();
    }
}

fn counted(view: &View, assertion: RecordId) -> VoteTotals {
    VoteTotals::from(&count(assertion, view).unwrap())
}

#[test]
fn totals_are_those_of_a_count_of_all_whatever_is_kept() {
    let (database, _directory) = database();
    let known = KnownTotals::of_votes(1);
    let mut random = Random(7);
    let mut extended = 0;
    for step in 0..300 {
        let mut records = Vec::new();
        for number in 0..random.below(6) {
            records.push(match random.below(8) {
                0 => {
                    let name = EpochName::new(format!("{step}.{number}")).unwrap();
                    Epoch::new(name, Agent::new("a").unwrap()).into()
                }
                other => vote_on(assertion(other % 3), random.weight()),
            });
        }
        store(&database, records);
        let now = database.view().unwrap();
        let last = now.applied().map_or(0, Sequence::get);
        let as_of = Sequence::new(last.saturating_sub(random.below(40)));
        let view = match as_of {
            Some(sequence) if random.below(2) == 0 => now.as_of(sequence).unwrap(),
            _ => now,
        };
        let id = assertion(random.below(3));
        let upto = view.applied().map_or(0, Sequence::get);
        let before = known.find(id, upto);
        extended += u64::from(before.is_some_and(|before| before.upto < upto));
        let found = known.of(id, &view, &database).unwrap();
        assert_eq!(found, counted(&view, id), "step {step}, up to {upto}");
        let listed = view.votes(id, &Page::default()).unwrap().count();
        assert_eq!(found.count, listed as u64);
    }
    assert!(extended > 50, "{extended}");
}

#[test]
fn a_later_page_counts_only_what_is_new() {
    let (database, _directory) = database();
    let known = KnownTotals::of_votes(100);
    let weights = |range: std::ops::Range<u32>| {
        let votes = range.map(|number| vote_on(assertion(1), f64::from(number) / 1000.0));
        votes.collect()
    };
    store(&database, weights(0..99));
    let first = database.view().unwrap();
    assert_eq!(known.of(assertion(1), &first, &database).unwrap().count, 99);
    assert_eq!(known.kept().len(), 0, "they are few");
    store(&database, weights(99..200));
    let second = database.view().unwrap();
    let all = known.of(assertion(1), &second, &database).unwrap();
    assert_eq!((all.count, known.kept().len()), (200, 1));
    // What is kept says which votes were not counted again.
    known.kept()[0].totals.count += 1000;
    let same = known.of(assertion(1), &second, &database).unwrap();
    assert_eq!(same.count, 1200);
    store(&database, weights(200..250));
    let third = database.view().unwrap();
    let more = known.of(assertion(1), &third, &database).unwrap();
    assert_eq!(more.count, 1250);
    // What is older than all that is kept is counted, and so is what has too much behind it.
    let older = known.of(assertion(1), &first, &database).unwrap();
    assert_eq!(older.count, 99);
    store(&database, weights(250..900));
    let last = database.view().unwrap();
    let all = known.of(assertion(1), &last, &database).unwrap();
    assert_eq!(all, counted(&last, assertion(1)));
}

#[test]
fn what_was_used_last_is_kept() {
    let known = KnownTotals::of_votes(1);
    let keep = |upto| {
        known.keep(Known {
            assertion: assertion(1),
            upto,
            totals: Totals::default(),
        });
    };
    let most = TOTALS_KEPT_MAX as u64;
    (0..most).for_each(keep);
    keep(0);
    keep(most);
    assert_eq!(known.kept().len(), TOTALS_KEPT_MAX);
    let upto = |upto| known.find(assertion(1), upto).map(|known| known.upto);
    assert_eq!(upto(0), Some(0));
    assert_eq!(upto(1), Some(0));
    assert_eq!(upto(2), Some(2));
    assert_eq!(upto(most), Some(most));
    assert_eq!(known.find(assertion(2), most), None);
}
