//! A system call that fails: the program ends in order or goes on, and loses nothing.

use std::collections::BTreeMap;

use super::{
    super::support::Home,
    check::{completes, recovered},
    kill::{Base, CALLS, ENGINES, JOURNAL, sample},
    life::{INGEST, Life},
    trace::{Effect, Fault, can_trace},
};

/// What the calls answer, one after the other.
const ERRORS: [&str; 8] = [
    "EIO", "ENOSPC", "EINTR", "EDQUOT", "EROFS", "ENOMEM", "EMFILE", "EACCES",
];

/// How many runs ended with each exit code.
type Codes = BTreeMap<i32, usize>;

/// Has each call in the sample of each kind fail once, in processes that begin on copies of `base`; then looks at what they left.
fn fail_at_each(base: &Base, files: &'static [&'static str], effects: &[Effect]) -> Codes {
    let mut codes = Codes::new();
    for call in CALLS {
        for (at, nth) in sample().enumerate() {
            let effect = effects[at % effects.len()];
            let fault = Fault {
                call,
                nth,
                effect,
                files,
            };
            let home = base.copy();
            let life = Life::of(fault.command(&home, &INGEST), &base.work, base.acknowledged);
            let Some(injected) = fault.injected(&home) else {
                assert!(life.status.success(), "{fault}: {}", life.stderr);
                break;
            };
            eprintln!(
                "{fault}: {:?}, {} acknowledged, {injected:.80}",
                life.status.code(),
                life.acknowledged.len()
            );
            let Some(code) = judged(&fault, &life, base) else {
                continue;
            };
            *codes.entry(code).or_default() += 1;
            rebuild_if_asked(&home, &fault);
            recovered(
                &home,
                &base.work,
                life.acknowledged_upto().max(base.acknowledged),
            );
            completes(&home, &base.work);
        }
    }
    eprintln!("exit codes: {codes:?}");
    codes
}

/// Its exit code, if that is one that it may end with, and its words are those that go with it.
fn judged(fault: &Fault, life: &Life, base: &Base) -> Option<i32> {
    let words = &life.stderr;
    let code = life
        .status
        .code()
        .unwrap_or_else(|| panic!("{fault}: {life:?}"));
    if code == 127 && words.contains("error while loading shared libraries") {
        // It was not ours yet.
        return None;
    }
    assert!(
        !words.contains("panicked") && !words.contains("internal failure"),
        "{fault}: {words}"
    );
    let errors: Vec<_> = words
        .lines()
        .filter(|line| line.starts_with("error: "))
        .collect();
    if code == 0 {
        assert_eq!(errors, [""; 0], "{fault}");
        assert_eq!(life.acknowledged_upto(), base.work.ids.len(), "{fault}");
        return Some(code);
    }
    assert_eq!(code, 4, "{fault}: {words}");
    assert_eq!(errors.len(), 1, "{fault}: {words}");
    let named = errors[0].contains("/stemedb-data")
        || errors[0].contains("engine ")
        || errors[0].contains("/dev/stdout");
    assert!(named, "{fault}: no place in {words}");
    let is_of_output = errors[0].contains("/dev/stdout") || errors[0].contains("standard output");
    assert!(
        errors[0].contains("; ") || is_of_output,
        "{fault}: no next step in {words}"
    );
    let is_full = ["os error 28", "os error 122"]
        .iter()
        .any(|number| errors[0].contains(number));
    assert!(
        !is_full || is_of_output || errors[0].contains("make room"),
        "{fault}: {words}"
    );
    Some(code)
}

/// Where an engine could not sync, it may hold less than it says, and only a rebuild will do.
fn rebuild_if_asked(home: &Home, fault: &Fault) {
    let stats = home.run(["stats"]);
    if stats.code == 5 {
        assert!(
            stats.stderr.contains("engine fjall had failed to write"),
            "{fault}: {}",
            stats.stderr
        );
        assert!(
            stats.stderr.contains("`stemedb rebuild`"),
            "{fault}: {}",
            stats.stderr
        );
        home.run(["rebuild"]).fine();
    }
}

fn errors() -> Vec<Effect> {
    ERRORS.map(Effect::Error).to_vec()
}

#[test]
fn an_error_of_any_call_from_creating_to_closing_ends_in_order() {
    if can_trace() {
        let codes = fail_at_each(&Base::nothing(), &[], &errors());
        assert!(codes[&0] > 5 && codes[&4] > 20, "{codes:?}");
    }
}

#[test]
fn an_error_of_any_call_of_the_journal_ends_in_order() {
    if can_trace() {
        let codes = fail_at_each(&Base::nothing(), &JOURNAL, &errors());
        assert!(codes[&0] > 0 && codes[&4] > 10, "{codes:?}");
    }
}

#[test]
fn an_error_of_any_call_of_the_engines_ends_in_order() {
    if can_trace() {
        let codes = fail_at_each(&Base::nothing(), &ENGINES, &errors());
        assert!(codes[&0] > 0 && codes[&4] > 5, "{codes:?}");
    }
}

#[test]
fn an_error_of_any_call_of_recovery_ends_in_order() {
    if can_trace() {
        let codes = fail_at_each(&Base::killed(), &[], &errors());
        assert!(codes[&0] > 0 && codes[&4] > 10, "{codes:?}");
    }
}
