//! Whether the server lives, and whether it serves.

use std::sync::Arc;

use axum::{extract::State, http::StatusCode, response::Response};
use stemedb::{Health, Page, RecordId, SyncStats};

use super::json;
use crate::limits::SYNC_SECONDS_MAX;
use crate::problem::{Asked, Problem, code_of};
use crate::query::{At, NoQuery};
use crate::read::Places;
use crate::state::Shared;
use crate::wire::{Code, Readiness};

/// `GET /healthz/live`: the process answers, also while it ends.
pub(super) async fn live(NoQuery: NoQuery) -> Result<Response, Problem> {
    answer("live", None)
}

/// `GET /healthz/ready`: reads from every engine, and asks whether writes are still made durable.
///
/// It waits for no other read, so that it tells of the database and not of those who use it.
pub(super) async fn ready(
    State(shared): State<Arc<Shared>>,
    NoQuery: NoQuery,
) -> Result<Response, Problem> {
    let read = shared.read_among(Places::Prompt(&shared.probes), At::default(), |view| {
        let nothing = RecordId::from_bytes([0; 32]);
        let failed = |error: stemedb::Error| Problem::of(&error, Asked::Read);
        view.get(nothing).map_err(failed)?;
        let first = view.epochs(&Page::default()).map_err(failed)?.next();
        first.transpose().map_err(failed)
    });
    read.await.map_err(unready)?;
    if !shared.intake.is_open() {
        let detail = "no records are taken any more; start the server again";
        return Err(Problem::new(Code::Unavailable, detail));
    }
    if let Some(problem) = slow_sync(shared.database.syncs()) {
        return Err(problem);
    }
    match shared.database.health() {
        Health::Good => answer("ready", None),
        Health::Stalled(stall) => answer("stalled", Some(stall.text)),
        Health::NotWritable(error) => Err(not_ready("no records are accepted any more", &error)),
        Health::NotApplying(error) => Err(not_ready("records are not applied any more", &error)),
        _ => Err(Problem::new(
            Code::Unavailable,
            "the database is not well; start the server again",
        )),
    }
}

fn answer(status: &str, detail: Option<String>) -> Result<Response, Problem> {
    let status = status.to_owned();
    json(StatusCode::OK, &Readiness { status, detail })
}

/// What is wrong where a sync goes on and on: whoever writes waits for it.
fn slow_sync(syncs: SyncStats) -> Option<Problem> {
    let seconds = syncs.pending?.as_secs();
    if seconds < SYNC_SECONDS_MAX {
        return None;
    }
    let detail = format!(
        "a sync has taken {seconds} s, and nothing is made durable until it ends; look at the disk"
    );
    Some(Problem::new(Code::Unavailable, detail))
}

/// Why nothing more is accepted or applied, and what whoever runs the server is to do: the handle of the database is of no more use.
fn not_ready(reason: &str, error: &stemedb::Error) -> Problem {
    tracing::error!(error = stemedb::error_chain(error), reason);
    let code = code_of(error, Asked::Read);
    let step = if code == Code::NoSpace {
        "the disk is full: make room, and start the server again"
    } else {
        "what was acknowledged is in the journal: see the log for the cause, mend it, and start the server again"
    };
    unready(Problem::new(code, format!("{reason}; {step}")))
}

/// Whoever asks for readiness looks at the status alone, and may try again.
fn unready(problem: Problem) -> Problem {
    match problem.code {
        Code::NoSpace | Code::Corruption => Problem {
            status: Code::Unavailable.status(),
            ..problem
        },
        _ => problem,
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;
    use std::time::Duration;

    use stemedb::SyncStats;
    use stemedb_wal::AppendError;

    use super::{not_ready, slow_sync};
    use crate::wire::Code;

    #[test]
    fn a_sync_may_go_on_for_a_while_and_not_for_ever() {
        let after = |seconds| {
            let pending = Some(Duration::from_secs(seconds));
            slow_sync(SyncStats {
                pending,
                ..SyncStats::default()
            })
        };
        assert_eq!(slow_sync(SyncStats::default()), None);
        assert_eq!(after(9), None);
        let problem = after(10).unwrap();
        assert_eq!((problem.code, problem.status), (Code::Unavailable, 503));
        assert!(problem.detail.starts_with("a sync has taken 10 s,"));
    }

    #[test]
    fn a_full_disk_and_a_poisoned_journal_say_what_to_do() {
        let path = std::path::PathBuf::from("data/wal");
        let full = AppendError::NoSpace { path: path.clone() };
        let full = not_ready("no", &full.into());
        assert_eq!((full.code, full.status), (Code::NoSpace, 503));
        assert!(
            full.detail
                .contains("make room, and start the server again")
        );
        let poisoned = AppendError::Poisoned {
            operation: "sync",
            path,
            source: Arc::new(io::Error::other("broken")),
        };
        let poisoned = not_ready("no", &poisoned.into());
        assert_eq!((poisoned.code, poisoned.status), (Code::Unavailable, 503));
        assert!(poisoned.detail.contains("start the server again"));
        assert!(!poisoned.detail.contains("data"), "{}", poisoned.detail);
    }
}
