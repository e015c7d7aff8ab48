//! kill -9 at random moments: what was reported is there, and the same command goes on.

use std::{
    collections::HashSet,
    process::Stdio,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use super::support::{Home, claims, long_tests, reported, shared};

/// A generator of moments that can be replayed: set `STEMEDB_TEST_SEED` to what a failure printed.
struct Moments(u64);

impl Moments {
    fn new() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let given = std::env::var("STEMEDB_TEST_SEED").ok();
        let seed = given.map_or(u64::from(now.subsec_nanos()), |seed| seed.parse().unwrap());
        eprintln!("STEMEDB_TEST_SEED={seed}");
        Self(seed | 1)
    }

    /// A moment before `end`.
    fn next(&mut self, end: Duration) -> Duration {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        let parts = u32::try_from(self.0 >> 32).unwrap();
        end.mul_f64(f64::from(parts) / f64::from(u32::MAX))
    }
}

/// Kills the ingest of `input` `count` times; then lets it end.
fn kill_often(input: &str, count: usize) {
    let undisturbed = Home::new();
    let started = Instant::now();
    undisturbed.run(["ingest", input]).fine();
    let whole = started.elapsed();
    let expected = undisturbed.run(["export"]).fine().stdout;

    let home = Home::new();
    let mut moments = Moments::new();
    let (mut interrupted, mut kept) = (0, 0);
    for _ in 0..count {
        let args = ["ingest", input, "--results", "results"];
        let mut child = home
            .command(args)
            .stderr(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(moments.next(whole.mul_f64(0.7)));
        child.kill().unwrap();
        interrupted += usize::from(!child.wait().unwrap().success());
        // It may have died before it had a database.
        if !home.path("stemedb-data/stemedb.marker").exists() {
            continue;
        }
        let ids = home.run(["export", "--ids"]).fine().stdout;
        let ids: HashSet<_> = ids.lines().collect();
        let results = if home.path("results").exists() {
            home.read("results")
        } else {
            String::new()
        };
        for id in reported(&results) {
            assert!(
                ids.contains(id.as_str()),
                "{id} was reported and is not there"
            );
            kept += 1;
        }
        std::fs::write(home.path("results"), "").unwrap();
    }
    eprintln!("{interrupted} of {count} runs were killed; {kept} reported records were looked for");
    assert!(interrupted > 0, "no run was interrupted");
    home.run(["ingest", input]).fine();
    assert!(
        home.run(["export"]).fine().stdout == expected,
        "the export differs"
    );
    home.run(["verify"]).fine();
}

#[test]
fn what_was_reported_survives_a_kill_and_the_same_command_goes_on() {
    let home = Home::new();
    home.write("x.ndjson", claims(60_000));
    kill_often(&home.path("x.ndjson").display().to_string(), 8);
}

#[test]
fn the_flight_file_survives_twenty_kills() {
    let Some(directory) = shared().filter(|_| long_tests()) else {
        return;
    };
    kill_often(
        &directory
            .join("flight_1-12_dec.ndjson.gz")
            .display()
            .to_string(),
        20,
    );
}
