//! The listener.

use tracing::{info, warn};

use super::{RUNS_MAX, warnings, warnings_of_one_run};

#[test]
fn a_warning_is_a_line_with_its_fields_and_nothing_else_is_heard() {
    let lines = warnings(|| {
        info!("all is well");
        warn!(bytes = 7, "something is odd");
    });
    assert_eq!(lines, ["message=something is odd bytes=7 "]);
}

#[test]
fn work_that_warns_late_is_heard_and_then_left_alone() {
    let mut runs = 0;
    let lines = warnings(|| {
        runs += 1;
        if runs > 2 {
            warn!(runs, "at last");
        }
    });
    assert_eq!(lines.len(), 1);
    // A warning may be missed, but not in every run.
    assert!((3..RUNS_MAX).contains(&runs), "{runs}");
}

#[test]
fn work_that_never_warns_is_not_done_for_ever() {
    let mut runs = 0;
    assert!(warnings(|| runs += 1).is_empty());
    assert_eq!(runs, RUNS_MAX);
    assert!(warnings_of_one_run(|| info!("nothing")).is_empty());
}

#[test]
fn a_place_that_another_thread_met_first_is_heard() {
    // On a busy machine a test of the watchdog heard nothing: another test had its warning while this one waited for its own.
    let say = || warn!("again");
    let mut runs = 0;
    let lines = warnings(|| {
        runs += 1;
        if runs == 1 {
            std::thread::spawn(say).join().unwrap();
        }
        say();
    });
    // The first run is not heard, but where another test listens as well.
    assert_eq!(lines.len(), 1);
    assert!(runs <= 2, "{runs}");
}
