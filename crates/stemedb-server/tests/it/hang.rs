//! A disk whose sync hangs: readiness says so.
//!
//! No switch of ours makes a sync hang: strace holds up those of the journal's segment, in a child process.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread::spawn;
use std::time::Duration;

use stemedb::Database;
use stemedb_server::wire::Code;
use stemedb_server::{Settings, service};
use stemedb_testkit::skip::can_trace;
use tokio::time::sleep;

use crate::support::{Home, ask, claim, post, request};

/// Tells the child where the database is.
const DIRECTORY: &str = "STEMEDB_HANG_DIRECTORY";
/// What the child tells its parent when all was as it should be.
const TOLD: &str = "= told";
/// For how long the sync hangs: far longer than anybody waits.
const DELAY_US: u64 = 600_000_000;
/// Longest that the child may take before it counts as hanging.
const CHILD_MAX: Duration = Duration::from_mins(5);

/// A child under strace; without that nothing is held up any more, and it ends by itself.
struct Traced(Child);

impl Drop for Traced {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Runs `test` in a child in which no sync of `segment` returns.
fn start(database: &Path, segment: &Path, test: &str) -> (Traced, Receiver<String>) {
    let mut strace = Command::new("strace");
    strace.args(["-f", "--seccomp-bpf", "-o", "/dev/null", "-P"]);
    strace.arg(segment).args(["-e", "trace=fdatasync"]);
    strace.args(["-e", &format!("inject=fdatasync:delay_enter={DELAY_US}")]);
    strace.arg(std::env::current_exe().unwrap());
    strace.args(["--exact", test, "--nocapture"]);
    strace.env(DIRECTORY, database).stdout(Stdio::piped());
    let mut traced = Traced(strace.spawn().unwrap());
    let stdout = BufReader::new(traced.0.stdout.take().unwrap());
    let (sender, lines) = channel();
    spawn(move || {
        for line in stdout.lines().map_while(Result::ok) {
            drop(sender.send(line));
        }
    });
    (traced, lines)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_that_does_not_return_makes_the_server_unready() {
    if !can_trace() {
        return;
    }
    let (database, directory) = Home::new().reopened().await;
    let path = database.directory().to_owned();
    database.close().unwrap();
    let segment = path.join("wal/0000000000000001.wal");
    assert!(segment.exists());
    let child = "hang::child_whose_sync_hangs";
    let (_traced, lines) = start(&path, &segment, child);
    loop {
        let line = lines.recv_timeout(CHILD_MAX).expect("it tells");
        if line.ends_with(TOLD) {
            break;
        }
    }
    drop(directory);
}

#[tokio::test(flavor = "multi_thread")]
async fn child_whose_sync_hangs() {
    let Some(path) = std::env::var_os(DIRECTORY).map(PathBuf::from) else {
        return;
    };
    let database = Arc::new(Database::open(path).unwrap());
    let service = service(database, &Settings::default()).unwrap();
    let router = || service.router();
    let get = |path| ask(router(), request("GET", path, &[], ""));
    get("/healthz/ready").await.ok(200);
    let writing = tokio::spawn(ask(router(), post("/v1/assertions", claim("s", "p", 1))));
    let unready = loop {
        let ready = get("/healthz/ready").await;
        if ready.status != 200 {
            break ready;
        }
        assert!(!writing.is_finished());
        sleep(Duration::from_millis(50)).await;
    };
    let problem = unready.problem(Code::Unavailable);
    let detail = &problem.detail;
    assert!(detail.starts_with("a sync has taken 1"), "{detail}");
    get("/healthz/live").await.ok(200);
    let metrics = get("/metrics").await.ok(200).text;
    assert!(metrics.contains("\nstemedb_ready 0\n"), "{metrics}");
    println!("\n{TOLD}");
    drop(writing.await);
}
