//! Which interleavings are tried: so many random ones, and as many of few preemptions, at places that matter (PCT).
//!
//! `STEMEDB_SCHEDULES` says how many of each; a failure prints its schedule, and `STEMEDB_SCHEDULE` has the one test run that one again.

use std::env;

use shuttle::scheduler::{PctScheduler, RandomScheduler, ReplayScheduler};
use shuttle::{Config, Runner};

const SCHEDULES: usize = 300;
/// How many preemptions at the right places a fault may need for PCT to look for it.
const PREEMPTIONS_MAX: usize = 3;
const STACK_BYTES: usize = 512 << 10;

pub(crate) fn check(body: fn()) {
    if let Ok(schedule) = env::var("STEMEDB_SCHEDULE") {
        // It is printed in lines.
        let schedule: String = schedule.split_whitespace().collect();
        let replay = ReplayScheduler::new_from_encoded(&schedule);
        Runner::new(replay, config()).run(body);
        return;
    }
    let schedules = env::var("STEMEDB_SCHEDULES").map_or(SCHEDULES, |text| text.parse().unwrap());
    Runner::new(RandomScheduler::new(schedules), config()).run(body);
    Runner::new(PctScheduler::new(PREEMPTIONS_MAX, schedules), config()).run(body);
}

fn config() -> Config {
    let mut config = Config::new();
    config.stack_size = STACK_BYTES;
    config
}
