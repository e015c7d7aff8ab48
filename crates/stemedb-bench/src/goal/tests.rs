use super::{GOALS, Verdict, judge};
use crate::machine::Machine;
use crate::report::{Quantity, Report, Setting};
use crate::subject::{BARE_LOOP, JOURNAL, STEMEDB};

fn report() -> Report {
    Report::new(Setting {
        command: String::new(),
        date: String::new(),
        rounds: 1,
        records: 1,
        is_quick: true,
        machine: Machine::here(std::path::Path::new(".")),
        peers: [].into(),
    })
}

#[test]
fn what_was_not_measured_is_neither_met_nor_missed() {
    let judged = judge(&report());
    assert_eq!(judged.len(), GOALS.len());
    assert!(
        judged
            .iter()
            .all(|goal| goal.verdict == Verdict::NotMeasured)
    );
}

#[test]
fn ratios_are_made_round_by_round_and_their_median_decides() {
    let mut report = report();
    for (ours, bare) in [(90.0, 100.0), (70.0, 100.0), (170.0, 200.0)] {
        report
            .of("append/producers=64", JOURNAL)
            .add(Quantity::Rate, ours);
        report
            .of("append/producers=64", BARE_LOOP)
            .add(Quantity::Rate, bare);
    }
    let judged = judge(&report);
    let goal = judged.first().unwrap();
    let spread = goal.measured.unwrap();
    assert_eq!(goal.verdict, Verdict::Met);
    assert!((spread.median - 0.85).abs() < 1e-9 && (spread.min - 0.7).abs() < 1e-9);

    report
        .of("append/producers=64", JOURNAL)
        .add(Quantity::Rate, 10.0);
    report
        .of("append/producers=64", BARE_LOOP)
        .add(Quantity::Rate, 100.0);
    assert_eq!(judge(&report).first().unwrap().verdict, Verdict::Missed);
}

#[test]
fn a_bound_from_above_is_missed_from_above() {
    let mut report = report();
    report
        .of("open/killed", STEMEDB)
        .add(Quantity::Seconds, 2.5);
    let judged = judge(&report);
    let goal = judged
        .iter()
        .find(|goal| goal.name == "open/killed")
        .unwrap();
    assert_eq!(goal.verdict, Verdict::Missed);
    report
        .of("open/killed", STEMEDB)
        .add(Quantity::Seconds, 1.0);
    report
        .of("open/killed", STEMEDB)
        .add(Quantity::Seconds, 1.0);
    let judged = judge(&report);
    let goal = judged
        .iter()
        .find(|goal| goal.name == "open/killed")
        .unwrap();
    assert_eq!(goal.verdict, Verdict::Met);
}

#[test]
fn names_of_goals_are_distinct() {
    let mut names: Vec<_> = GOALS.iter().map(|goal| goal.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), GOALS.len());
}
