//! A system call that fails: the program ends in order or goes on, and loses nothing.

use std::collections::BTreeMap;

use super::{
    super::support::{Home, can_trace, errors},
    check::{completes, recovered},
    kill::{Base, CALLS, ENGINES, JOURNAL, sample},
    life::{INGEST, Life},
    trace::{Effect, Fault},
};

/// How many runs ended with each exit code.
type Codes = BTreeMap<i32, usize>;

/// Which calls fail, and how.
struct Ways<'a> {
    calls: &'a [&'static str],
    effects: &'a [Effect],
    /// With what the program may end then.
    codes: &'a [i32],
}

impl Ways<'static> {
    /// Every call answers with an error.
    const ERRORS: Self = Self {
        calls: &CALLS,
        effects: &[
            Effect::Error("EIO"),
            Effect::Error("ENOSPC"),
            Effect::Error("EINTR"),
            Effect::Error("EDQUOT"),
            Effect::Error("EROFS"),
            Effect::Error("ENOMEM"),
            Effect::Error("EMFILE"),
            Effect::Error("EACCES"),
        ],
        codes: &[0, 4],
    };

    /// A read gives nothing, or one byte of garbage, once.
    const SHORT: Self = Self {
        calls: &["pread64", "read"],
        effects: &[Effect::Returns(0), Effect::Returns(1)],
        codes: &[0, 4],
    };
}

impl Ways<'_> {
    /// What happens at a place in the sample: each of the effects in turn, or all of them with `STEMEDB_ALL_ERRORS`.
    fn effects_at(&self, at: usize) -> &[Effect] {
        if std::env::var_os("STEMEDB_ALL_ERRORS").is_some() {
            return self.effects;
        }
        let at = at % self.effects.len();
        &self.effects[at..=at]
    }
}

/// Has each call in the sample of each kind fail once, in processes that begin on copies of `base`; then looks at what they left.
fn fail_at_each(base: &Base, files: &'static [&'static str], ways: &Ways<'_>) -> Codes {
    let mut codes = Codes::new();
    for &call in ways.calls {
        for (at, nth) in sample().enumerate() {
            let mut failed = 0;
            for &effect in ways.effects_at(at) {
                let fault = Fault {
                    call,
                    nth,
                    effect,
                    files,
                };
                let ended = fail_once(base, &fault, ways);
                failed += usize::from(ended != Ended::WithoutFault);
                if let Ended::Judged(code) = ended {
                    *codes.entry(code).or_default() += 1;
                }
            }
            if failed == 0 {
                break;
            }
        }
    }
    eprintln!("exit codes: {codes:?}");
    codes
}

/// How a process in which a call was to fail has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    /// There was no such call.
    WithoutFault,
    /// The program had not begun, or could not say why it ended.
    Unjudged,
    /// With this exit code, and words that go with it.
    Judged(i32),
}

/// Has one call fail, and looks at what is left.
fn fail_once(base: &Base, fault: &Fault, ways: &Ways<'_>) -> Ended {
    let home = base.copy();
    let life = Life::of(fault.command(&home, &INGEST), &base.work, base.acknowledged);
    let Some(injected) = fault.injected(&home) else {
        assert!(life.status.success(), "{fault}: {}", life.stderr);
        return Ended::WithoutFault;
    };
    eprintln!(
        "{fault}: {:?}, {} acknowledged, {injected:.80}",
        life.status.code(),
        life.acknowledged.len()
    );
    let calls = fault.calls(&home);
    let is_mute = calls
        .iter()
        .any(|call| call.starts_with("write(2,") && call.contains("(INJECTED)"));
    let judged = if is_mute {
        // Each thread has its N-th call, and this one's was the line that should have said why.
        life.status.code().filter(|code| ways.codes.contains(code))
    } else {
        judged(fault, &life, ways.codes)
    };
    let Some(code) = judged else {
        return Ended::Unjudged;
    };
    if fault.files == JOURNAL && fault.call == "fdatasync" && !injected.contains("EINTR") {
        is_final(fault, &home, code);
    }
    let whole = life.acknowledged_upto() == base.work.ids.len();
    assert!(code != 0 || whole, "{fault}: {life:?}");
    rebuild_if_asked(&home, fault);
    let acknowledged = life.acknowledged_upto().max(base.acknowledged);
    recovered(&home, &base.work, acknowledged);
    completes(&home, &base.work);
    Ended::Judged(code)
}

/// Its exit code, if that is one that it may end with, and its words are those that go with it.
fn judged(fault: &Fault, life: &Life, codes: &[i32]) -> Option<i32> {
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
    let errors = errors(words);
    if code == 0 {
        assert_eq!(errors, [""; 0], "{fault}");
        return Some(code);
    }
    // The configuration is read before the database, and a file that cannot be read is a bad configuration.
    let is_of_configuration = code == 78 && words.contains("stemedb.toml");
    assert!(
        codes.contains(&code) || is_of_configuration,
        "{fault}: {code}, {words}"
    );
    assert_eq!(errors.len(), 1, "{fault}: {words}");
    let is_of_output = errors[0].contains("/dev/stdout") || errors[0].contains("standard output");
    let named = errors[0].contains("/stemedb-data")
        || errors[0].contains("engine ")
        || is_of_configuration
        || is_of_output;
    assert!(named, "{fault}: no place in {words}");
    assert!(
        errors[0].contains("; ") || is_of_output || is_of_configuration,
        "{fault}: no next step in {words}"
    );
    let is_full = ["os error 28", "os error 122"]
        .iter()
        .any(|number| errors[0].contains(number));
    assert!(
        !is_full || is_of_output || is_of_configuration || errors[0].contains("make room"),
        "{fault}: {words}"
    );
    Some(code)
}

/// A failed sync of the journal ends the process, and is never tried again.
fn is_final(fault: &Fault, home: &Home, code: i32) {
    assert_eq!(code, 4, "{fault}: it was not told of");
    let calls = fault.calls(home);
    let failed = calls.iter().position(|call| call.contains("(INJECTED)"));
    let after = &calls[failed.unwrap()..];
    let file = |call: &str| call.split(['(', ')', ' ']).nth(1).map(str::to_owned);
    let again = after[1..].iter().find(|call| file(call) == file(&after[0]));
    assert_eq!(again, None, "{fault}: it was tried again");
}

/// Where an engine could not sync, it may hold less than it says, and only a rebuild will do.
fn rebuild_if_asked(home: &Home, fault: &Fault) {
    let stats = home.run(["stats"]);
    if stats.code == 5 {
        assert!(
            stats.stderr.contains("`stemedb rebuild`"),
            "{fault}: {}",
            stats.stderr
        );
        home.run(["rebuild"]).fine();
    }
}

#[test]
fn an_error_of_any_call_from_creating_to_closing_ends_in_order() {
    if can_trace() {
        let codes = fail_at_each(&Base::nothing(), &[], &Ways::ERRORS);
        assert!(codes[&0] > 5 && codes[&4] > 20, "{codes:?}");
    }
}

#[test]
fn an_error_of_any_call_of_the_journal_ends_in_order() {
    if can_trace() {
        let codes = fail_at_each(&Base::nothing(), &JOURNAL, &Ways::ERRORS);
        assert!(codes[&0] > 0 && codes[&4] > 10, "{codes:?}");
    }
}

#[test]
fn an_error_of_any_call_of_the_engines_ends_in_order() {
    if can_trace() {
        let codes = fail_at_each(&Base::nothing(), &ENGINES, &Ways::ERRORS);
        assert!(codes[&0] > 0 && codes[&4] > 5, "{codes:?}");
    }
}

#[test]
fn an_error_of_any_call_of_recovery_ends_in_order() {
    if can_trace() {
        let codes = fail_at_each(&Base::killed(), &[], &Ways::ERRORS);
        assert!(codes[&0] > 0 && codes[&4] > 10, "{codes:?}");
    }
}

/// A bad read of the journal is no damage: what does not verify is read again before anything is dropped.
#[test]
fn a_read_that_gives_nothing_or_garbage_once_loses_nothing() {
    if can_trace() {
        let codes = fail_at_each(&Base::killed(), &JOURNAL, &Ways::SHORT);
        assert!(codes.values().sum::<usize>() > 2, "{codes:?}");
    }
}

/// The kernel cuts a write short at the greatest size that a file may have, and refuses the rest.
#[test]
fn a_write_that_is_cut_short_ends_in_order() {
    for kib in [100, 300, 800, 1500] {
        let base = Base::nothing();
        base.home.run(["init"]).fine();
        let script = format!("trap '' XFSZ; ulimit -f {}; exec \"$@\"", 2 * kib);
        let args = ["-c", &script, "sh", env!("CARGO_BIN_EXE_stemedb")];
        let mut command = base.home.program("sh", args);
        command.args(INGEST);
        let life = Life::of(command, &base.work, 0);
        eprintln!("{kib} KiB: {:?} {}", life.status.code(), life.stderr);
        let errors = errors(&life.stderr).len();
        assert_eq!((life.status.code(), errors), (Some(4), 1), "{life:?}");
        assert!(life.stderr.contains("File too large"), "{life:?}");
        recovered(&base.home, &base.work, life.acknowledged_upto());
        completes(&base.home, &base.work);
    }
}
