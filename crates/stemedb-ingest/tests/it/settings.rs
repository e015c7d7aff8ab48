//! Settings out of their limits, and who hears of them.

use stemedb_ingest::{Error, Health, Options};

use crate::support::{Kind, Pipeline, Place, options};

/// Starts a worker with a setting that is out of its limits.
fn expect_refused(expected: &str, options: Options) {
    let place = Place::new(Kind::Memory);
    let pipeline = Pipeline::start(place.journal(), place.store(), options);
    let is_named = |error: &Error| matches!(error, Error::Option { name, .. } if *name == expected);
    let waited = pipeline.ingestor.wait_applied(0).wait();
    assert!(waited.is_err_and(|error| is_named(&error)), "{expected}");
    assert!(matches!(pipeline.ingestor.health(), Health::Failed(error) if is_named(&error)));
    let stopped = pipeline.ingestor.stop();
    assert!(stopped.is_err_and(|error| is_named(&error)), "{expected}");
}

#[test]
fn a_setting_with_which_nothing_would_be_applied_is_refused_by_its_name() {
    // A worker with empty batches applied nothing and said that it followed; one that may not be behind at all holds back every append.
    let least = || Options {
        batch_records_max: 1,
        batch_bytes_max: 1,
        behind_bytes_max: 1 << 20,
        threads: 1,
        ..options()
    };
    for behind_bytes_max in [0, (1 << 20) - 1] {
        let options = Options {
            behind_bytes_max,
            ..least()
        };
        expect_refused("behind_bytes_max", options);
    }
    let records = Options {
        batch_records_max: 0,
        ..least()
    };
    expect_refused("batch_records_max", records);
    let bytes = Options {
        batch_bytes_max: 0,
        ..least()
    };
    expect_refused("batch_bytes_max", bytes);
    let threads = Options {
        threads: 0,
        ..least()
    };
    expect_refused("threads", threads);
    let place = Place::new(Kind::Memory);
    let pipeline = Pipeline::start(place.journal(), place.store(), least());
    pipeline.settle();
    pipeline.stop();
}
