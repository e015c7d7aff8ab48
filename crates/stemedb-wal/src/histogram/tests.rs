use super::{BYTES, Distribution, Histogram, NANOSECONDS, RECORDS};

#[test]
fn a_value_counts_in_every_bucket_whose_bound_it_does_not_exceed() {
    let histogram = Histogram::new(&[1, 10, 100]);
    for value in [0, 1, 2, 10, 11, 100, 101, 5000] {
        histogram.add(value);
    }
    let read = histogram.read();
    let buckets: Vec<_> = read.buckets().collect();
    assert_eq!(
        buckets,
        [(Some(1), 2), (Some(10), 4), (Some(100), 6), (None, 8)]
    );
    assert_eq!((read.count(), read.sum()), (8, 5225));
}

#[test]
fn an_empty_one_has_all_its_buckets() {
    let read = Histogram::new(&[1, 10]).read();
    let buckets: Vec<_> = read.buckets().collect();
    assert_eq!(buckets, [(Some(1), 0), (Some(10), 0), (None, 0)]);
    assert_eq!((read.count(), read.sum()), (0, 0));
    assert_eq!(Distribution::default().count(), 0);
}

#[test]
fn bounds_ascend() {
    for bounds in [NANOSECONDS, RECORDS, BYTES] {
        assert!(bounds.windows(2).all(|pair| pair[0] < pair[1]));
    }
}

#[test]
fn threads_that_add_at_the_same_time_lose_nothing() {
    let histogram = Histogram::new(RECORDS);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..1000).for_each(|value| histogram.add(value)));
        }
    });
    let read = histogram.read();
    assert_eq!((read.count(), read.sum()), (4000, 4 * 499_500));
}
