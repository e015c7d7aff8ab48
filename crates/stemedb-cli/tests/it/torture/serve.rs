//! SIGKILL of the server under the load of many clients, who send again what was not acknowledged.
//!
//! A kill ends the process and takes nothing from the page cache. So it shows whether an acknowledgement comes before the record was
//! written to the journal at all, whether a start after any kill recovers what is there, and whether a second attempt makes a second
//! copy. It cannot show whether an acknowledgement waits for the fsync: that is what the simulated disk and the tests with strace are for.

use std::{
    collections::HashMap,
    process::{Command, Stdio},
    sync::atomic::Ordering,
    thread::{self, Scope, ScopedJoinHandle, park_timeout},
    time::Duration,
};

use stemedb::RecordId;
use stemedb_testkit::oracle::{History, directory};

use super::{
    super::{
        serve::Server,
        support::{Home, Moments, say},
    },
    check::DIRECTORY,
};

mod feed; // a reader of the feed
mod load; // what the clients share
mod upload; // a client that uploads lines
mod wire; // connections
mod writer; // a client that posts single records

use feed::Seen;
use load::{Abandon, Load, Told};

/// Clients that post single records.
const CLIENTS: usize = 256;

/// Acknowledgements between two kills, at most.
const ACKNOWLEDGED_MAX: usize = 3000;

/// What all clients were told, and what the feed gave.
struct Heard {
    told: Vec<Told>,
    seen: Seen,
}

/// A server whose address no client can have as its own: one that connects to a free port of its own address could meet itself.
fn serve(home: &Home, address: &str) -> Command {
    home.command(["serve", "--listen", address])
}

/// How often it is killed: a few times, or as often as it was asked for with `STEMEDB_LONG_TESTS`.
fn kills() -> usize {
    match std::env::var_os("STEMEDB_LONG_TESTS") {
        Some(_) => 20,
        None => 2,
    }
}

#[test]
fn kills_of_a_server_under_load_lose_nothing_and_double_nothing() {
    let home = Home::new();
    let mut moments = Moments::new();
    let (server, _) = Server::of(serve(&home, "127.0.0.2:0"));
    let load = Load::on(server.address);
    let heard = thread::scope(|scope| {
        let abandon = Abandon(&load);
        let clients = begin(scope, &load);
        let server = kill_often(&home, &mut moments, (server, &load));
        let heard = end(&load, server, clients);
        drop(abandon);
        heard
    });
    check(&home, &heard);
}

type Clients<'s> = (
    Vec<ScopedJoinHandle<'s, Vec<Told>>>,
    ScopedJoinHandle<'s, Seen>,
);

fn begin<'s>(scope: &'s Scope<'s, '_>, load: &'s Load) -> Clients<'s> {
    let small = || thread::Builder::new().stack_size(256 << 10);
    let write = |number| move || writer::write(load, number);
    let mut writers: Vec<_> = (0..CLIENTS)
        .map(|number| small().spawn_scoped(scope, write(number)).unwrap())
        .collect();
    writers.push(scope.spawn(|| upload::upload(load)));
    (writers, scope.spawn(|| feed::follow(load)))
}

/// Kills it again and again, now and then in the middle of its start; gives the last one, which lives.
fn kill_often(home: &Home, moments: &mut Moments, (mut server, load): (Server, &Load)) -> Server {
    for _ in 0..kills() {
        let wanted = load.acknowledged() + 1 + moments.below(ACKNOWLEDGED_MAX);
        load.until("an acknowledgement", |load| load.acknowledged() >= wanted);
        park_timeout(moments.next(Duration::from_millis(30)));
        server.child.kill().unwrap();
        server.child.wait().unwrap();
        let address = load.address.to_string();
        if moments.below(3) == 0 {
            let mut starting = serve(home, &address);
            let mut starting = starting.stderr(Stdio::null()).spawn().unwrap();
            park_timeout(moments.next(Duration::from_millis(100)));
            starting.kill().unwrap();
            starting.wait().unwrap();
        }
        server = Server::of(serve(home, &address)).0;
    }
    server
}

/// Lets every client come to its end, and then the feed and the server.
fn end(load: &Load, mut server: Server, (writers, feed): Clients<'_>) -> Heard {
    let wanted = load.acknowledged() + CLIENTS;
    load.until("an acknowledgement", |load| load.acknowledged() >= wanted);
    load.end();
    let told = writers
        .into_iter()
        .flat_map(|writer| writer.join().unwrap());
    let told: Vec<_> = told.collect();
    let last = told.iter().map(|told| told.sequence).max().unwrap();
    load.until("the end of the feed", |load| {
        load.fed.load(Ordering::Relaxed) >= last
    });
    server.signal("TERM");
    let seen = feed.join().unwrap();
    assert_eq!(server.code(), Some(0));
    Heard { told, seen }
}

/// Holds what is there against what was told.
fn check(home: &Home, heard: &Heard) {
    let mut history = History::new();
    let by_id = by_id(&heard.told);
    for id in by_id.keys() {
        // Once, however often it was sent: more copies are a violation.
        history.submit(*id);
    }
    for told in &heard.told {
        history.acknowledge(told.sequence, &told.id).unwrap();
    }
    let found = directory::check(&home.path(DIRECTORY), &history);
    let found = found
        .unwrap_or_else(|violation| panic!("{violation}"))
        .records;
    assert_eq!(found.len(), by_id.len(), "every client was answered");
    assert!(heard.seen == found, "{}", difference(&heard.seen, &found));
    let exported = home.run(["export", "--ids"]).fine().stdout;
    let ids: Vec<_> = found.iter().map(|(_, id)| id.to_string()).collect();
    assert!(exported.lines().eq(ids), "the export is another");
    home.run(["verify"]).fine();
    let retried = by_id.values().filter(|told| is_retried(told));
    say(&format!(
        "{} kills: {} acknowledgements for {} records, {} of which were sent again; in the feed {}, all in order",
        kills(),
        heard.told.len(),
        by_id.len(),
        retried.count(),
        heard.seen.len()
    ));
}

fn is_retried(told: &[&Told]) -> bool {
    told.iter().any(|told| told.attempts > 1)
}

/// What was told of each record, which has to agree: it was new once, or never where an answer was lost.
fn by_id(told: &[Told]) -> HashMap<RecordId, Vec<&Told>> {
    let mut by_id: HashMap<_, Vec<_>> = HashMap::new();
    for told in told {
        by_id.entry(told.id).or_default().push(told);
    }
    for told in by_id.values() {
        let sequence = told[0].sequence;
        let agree = told.iter().all(|told| told.sequence == sequence);
        assert!(agree, "two sequences: {told:?}");
        let new = told.iter().filter(|told| told.is_new).count();
        assert!(new == 1 || new == 0 && is_retried(told), "{told:?}");
    }
    by_id
}

/// Where two lists part.
fn difference(seen: &Seen, found: &Seen) -> String {
    let at = seen.iter().zip(found).take_while(|(a, b)| a == b).count();
    let (seen, found) = (seen.get(at), found.get(at));
    format!("in the feed comes {seen:?} where {found:?} is stored, behind {at} others")
}
