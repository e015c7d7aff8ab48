//! Large commits of fjall, which are written as tables: whole or not at all, whatever is killed when, and above what was there.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    process::{Command, Stdio},
};

use stemedb_storage::{
    Entry, HybridStore, KVStore, Key, Origin,
    engine::{Engine, FjallEngine, Level, Range, RedbEngine},
};
use stemedb_testkit::skip::can_trace;

use crate::support::{
    await_flush, batch, catch_up, crash_image, cursor, expect_exactly, id, scratch,
};

/// Names the store to a child, which applies [`BATCHES`] to it.
const CHILD: &str = "STEMEDB_LOAD";
/// Names the store to a child, which waits until fjall has flushed it.
const FLUSHING_CHILD: &str = "STEMEDB_FLUSH";
/// What that child says then.
const FLUSHED: &str = "flushed";
/// What the child says once a batch is applied: its last record follows.
const APPLIED: &str = "applied up to ";

/// Bytes of a commit that is written as tables: more than a few records have, and fewer than many.
const LOAD_BYTES: usize = 6_000;
/// Records that were applied before, and lie in fjall's journal and memtable.
const BEFORE: u64 = 12;
/// The last records of the batches that are applied then: a load upon a full memtable, another upon an empty one, a small batch, a load.
const BATCHES: [u64; 4] = [60, 110, 114, 160];
/// Where all is applied.
const END: u64 = 170;

/// Calls at which children are killed, and how many of them are left out as a rule.
const CALLS: [(&str, usize); 8] = [
    ("fsync", 1),
    ("fdatasync", 1),
    ("rename,renameat,renameat2", 1),
    ("unlink,unlinkat", 2),
    ("ftruncate", 1),
    ("openat", 5),
    ("write", 7),
    ("pread64", 11),
];

fn open(path: &Path) -> HybridStore {
    let stream = FjallEngine::open(&path.join("fjall")).unwrap();
    let stream = stream.with_load_bytes_min(LOAD_BYTES);
    let small = RedbEngine::open(&path.join("redb")).unwrap();
    HybridStore::with_engines(Box::new(stream), Box::new(small)).unwrap()
}

/// How far fjall is.
fn reached(store: &dyn KVStore) -> u64 {
    let cursors = store.cursors().unwrap();
    let cursor = cursors[0].cursor;
    cursor.map_or(0, |cursor| cursor.sequence.get())
}

/// The numbers of the newest table and of the newest file of blobs, which are above all before them; `None` where there is none.
fn newest(path: &Path) -> [Option<u64>; 2] {
    ["tables", "blobs"].map(|directory| {
        let files = fs::read_dir(path.join("fjall/keyspaces/1").join(directory)).unwrap();
        let number = |file: fs::DirEntry| file.file_name().to_str().unwrap().parse().unwrap();
        files.map(|file| number(file.unwrap())).max()
    })
}

/// A store with a few records, none of them in a table.
fn before() -> tempfile::TempDir {
    let directory = scratch();
    fs::create_dir_all(directory.path()).unwrap();
    drop(HybridStore::open(directory.path()).unwrap());
    let store = open(directory.path());
    catch_up(&store, BEFORE);
    store.persist().unwrap();
    drop(store);
    assert_eq!(newest(directory.path()), [None; 2]);
    directory
}

/// What a kill leaves of a store whose engine may be merging tables: nothing is taken from one version and something from the next.
fn image(of: &Path) -> tempfile::TempDir {
    let current = || fs::read(of.join("fjall/keyspaces/1/current")).unwrap();
    for _ in 0..1_000 {
        let (image, before) = (scratch(), current());
        let copied = std::panic::catch_unwind(|| crash_image(of, image.path()));
        if copied.is_ok() && current() == before {
            return image;
        }
    }
    panic!("it never stands still");
}

fn apply_all(store: &dyn KVStore, mut tell: impl FnMut(u64)) {
    let mut first = BEFORE + 1;
    for last in BATCHES {
        store.apply(batch(first, last)).unwrap();
        tell(last);
        first = last + 1;
    }
}

#[test]
fn a_kill_after_any_load_finds_it_and_what_came_before() {
    let directory = before();
    let store = open(directory.path());
    let mut known = [None; 2];
    apply_all(&store, |last| {
        let image = image(directory.path());
        let again = HybridStore::open(image.path()).unwrap();
        assert_eq!(reached(&again), last);
        catch_up(&again, END);
        expect_exactly(&again, END);
        let newest = newest(directory.path());
        assert!(
            newest
                .iter()
                .zip(known)
                .all(|(newest, known)| *newest > known)
                || last == 114,
            "no table and blobs were made of the load up to {last}"
        );
        known = newest;
    });
}

#[test]
fn a_view_stands_still_while_a_load_comes_in() {
    let directory = before();
    let store = open(directory.path());
    catch_up(&store, BEFORE);
    let view = store.snapshot().unwrap();
    apply_all(&store, |_| assert_eq!(view.cursor(), Some(cursor(BEFORE))));
    let entries = |view: &dyn stemedb_storage::Snapshot| {
        view.scan(b"", std::ops::Bound::Unbounded).unwrap().count()
    };
    let seen = entries(&*view);
    store.publish().unwrap();
    assert!(entries(&*store.snapshot().unwrap()) > seen);
    assert_eq!(entries(&*view), seen);
    expect_exactly(&store, 160);
}

/// The notes of an engine on itself are overwritten by every commit: what was written last must be what is read, whichever way
/// each value went, and after a crash too.
#[test]
fn the_last_of_many_values_is_the_one_that_is_read() {
    let directory = scratch();
    let path = directory.path().join("fjall");
    let mut engine = FjallEngine::open(&path).unwrap().with_load_bytes_min(600);
    let (key, apart) = (b"M:cursor".to_vec(), b"V:apart".to_vec());
    let mut state = 1_u64;
    for round in 0_u64..120 {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let value = round.to_be_bytes().to_vec();
        // Long enough to be kept apart from its key, and not to be compressed away.
        let long: Vec<u8> = (0..30)
            .flat_map(|salt| id(round << 8 | salt).as_bytes()[..8].to_vec())
            .collect();
        let filler = |number: u64| {
            let key = [b"H:".as_slice(), &(round * 100 + number).to_be_bytes()].concat();
            (key.into(), value.clone().into())
        };
        let fillers = if state >> 63 == 0 { 2 } else { 40 };
        let mut writes: Vec<_> = (0..fillers).map(filler).collect();
        writes.push((key.clone().into(), value.clone().into()));
        writes.push((apart.clone().into(), long.clone().into()));
        let level = if (state >> 40).is_multiple_of(9) {
            Level::Durable
        } else {
            Level::Visible
        };
        engine.commit(writes, level).unwrap();
        if (state >> 50).is_multiple_of(5) {
            let image = image(directory.path());
            let again = FjallEngine::open(&image.path().join("fjall")).unwrap();
            let reader = again.reader().unwrap();
            for (key, value) in [(&key, &value), (&apart, &long)] {
                let found = reader.get(key).unwrap();
                assert_eq!(
                    found.as_deref(),
                    Some(&**value),
                    "round {round}, after a kill"
                );
            }
        }
        if (state >> 45).is_multiple_of(17) {
            drop(engine);
            engine = FjallEngine::open(&path).unwrap().with_load_bytes_min(600);
        }
        let reader = engine.reader().unwrap();
        for (key, value) in [(&key, &value), (&apart, &long)] {
            let found = reader.get(key).unwrap();
            assert_eq!(found.as_deref(), Some(&**value), "round {round}");
        }
        let fillers = reader.range(Range::ALL).unwrap().count();
        assert!(fillers > usize::try_from(round).unwrap());
    }
}

/// fjall panics at a load whose keys are not strictly ascending: one that comes twice in a batch comes once in its commit.
#[test]
fn a_key_that_comes_twice_in_a_load_keeps_its_later_value() {
    let directory = before();
    let store = open(directory.path());
    let mut twice = batch(BEFORE + 1, END);
    let origin = |entry: &Entry| Origin {
        sequence: entry.sequence(),
        arrived_at_ms: 0,
    };
    let stale = |entry: &Entry| {
        let key = Key::decode(entry.key()).unwrap();
        Entry::new(&key, origin(entry), b"stale").unwrap()
    };
    let entries = twice.entries.clone();
    twice.entries = entries.iter().map(stale).chain(entries.clone()).collect();
    store.apply(twice).unwrap();
    store.publish().unwrap();
    let view = store.snapshot().unwrap();
    for entry in &entries {
        let stored = view.get(entry.key()).unwrap().expect("it is there");
        assert_ne!(stored.content, b"stale");
    }
    let [newest_table, _] = newest(directory.path());
    assert!(newest_table.is_some(), "it was written as tables");
}

/// Not a test of its own: what runs in a child.
#[test]
fn child() {
    if let Some(path) = std::env::var_os(CHILD) {
        apply_all(&open(Path::new(&path)), |last| {
            println!("\n{APPLIED}{last}");
        });
    }
}

/// A child under strace, which is told what to do by `orders`.
fn traced(child: &str, orders: &[&str], log: &Path) -> Command {
    let mut command = Command::new("strace");
    command.arg("-f").arg("-o").arg(log).args(orders);
    command.arg(std::env::current_exe().unwrap());
    let child = format!("load::{child}");
    command.args(["--exact", &child, "--nocapture", "--test-threads=1"]);
    command.stderr(Stdio::null());
    command
}

/// Orders to kill at the `nth` such call.
fn orders(call: &str, nth: usize) -> [String; 4] {
    let trace = format!("trace={call}");
    let inject = format!("inject={call}:signal=SIGKILL:when={nth}");
    ["-e".into(), trace, "-e".into(), inject]
}

fn is_killed(log: &Path) -> bool {
    let log = fs::read_to_string(log).unwrap();
    log.contains("killed by SIGKILL")
}

/// Every call is tried where there is time.
fn step_of(step: usize) -> usize {
    let is_long = std::env::var_os("STEMEDB_LONG_TESTS").is_some();
    if is_long { 1 } else { step }
}

/// Runs the child on a copy of `base` and kills it at the `nth` such call; then looks at what it left. `false` where there is no such call.
fn kill_at(base: &Path, call: &str, nth: usize) -> bool {
    let directory = scratch();
    let (store, log) = (directory.path().join("store"), directory.path().join("log"));
    crash_image(base, &store);
    let orders = orders(call, nth);
    let orders: Vec<_> = orders.iter().map(String::as_str).collect();
    let mut child = traced("child", &orders, &log);
    let output = child.env(CHILD, &store).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let applied = said.lines().filter_map(|line| line.strip_prefix(APPLIED));
    let applied = applied
        .map(|last| last.parse().unwrap())
        .max()
        .unwrap_or(BEFORE);
    let is_killed = is_killed(&log);
    assert!(is_killed || output.status.success(), "{call} {nth}: {said}");
    let again = HybridStore::open(&store).unwrap();
    let found = reached(&again);
    let next = BATCHES.into_iter().find(|last| *last > applied);
    assert!(
        found == applied || Some(found) == next,
        "{call} {nth}: {found} is there, {applied} was applied"
    );
    catch_up(&again, END);
    expect_exactly(&again, END);
    is_killed
}

#[test]
fn a_kill_at_any_call_of_a_load_leaves_it_whole_or_not_at_all() {
    if !can_trace() {
        return;
    }
    let base = before();
    let mut killed = 0;
    for (call, step) in CALLS {
        let mut nth = 1;
        while kill_at(base.path(), call, nth) {
            nth += step_of(step);
            killed += 1;
        }
    }
    println!("{killed} kills");
    assert!(killed > 40, "{killed}");
}

/// A store all of whose records lie in a sealed journal of fjall: opening it flushes them, in the background.
fn sealed() -> tempfile::TempDir {
    let directory = scratch();
    let store = HybridStore::open(directory.path()).unwrap();
    catch_up(&store, BATCHES[0]);
    store.persist().unwrap();
    drop(store);
    assert_eq!(newest(directory.path()), [None; 2]);
    fs::File::create(directory.path().join("fjall/1.jnl")).unwrap();
    directory
}

/// Not a test of its own: what runs in a child, until what was sealed is flushed and there is a checkpoint.
#[test]
fn flushing_child() {
    let Some(path) = std::env::var_os(FLUSHING_CHILD) else {
        return;
    };
    let path = Path::new(&path);
    let store = HybridStore::open(path).unwrap();
    await_flush(path);
    store.persist().unwrap();
    println!("\n{FLUSHED}");
}

/// A flush of what was committed, which fjall does by itself: what it flushes is in its journal until it is in tables and blobs.
#[test]
fn a_kill_at_any_call_of_a_flush_loses_nothing() {
    if !can_trace() {
        return;
    }
    let base = sealed();
    let (mut killed, mut flushed) = (0, 0);
    for (call, step) in CALLS {
        for nth in (1..).step_by(step_of(step)) {
            let directory = scratch();
            let (store, log) = (directory.path().join("store"), directory.path().join("log"));
            crash_image(base.path(), &store);
            let orders = orders(call, nth);
            let orders: Vec<_> = orders.iter().map(String::as_str).collect();
            let mut child = traced("flushing_child", &orders, &log);
            let output = child.env(FLUSHING_CHILD, &store).output().unwrap();
            let again = HybridStore::open(&store).unwrap();
            assert_eq!(reached(&again), BATCHES[0], "{call} {nth}");
            catch_up(&again, END);
            expect_exactly(&again, END);
            flushed += usize::from(newest(&store).iter().all(Option::is_some));
            if !is_killed(&log) {
                let said = String::from_utf8(output.stdout).unwrap();
                assert!(said.contains(FLUSHED), "{call} {nth}: {said}");
                break;
            }
            killed += 1;
        }
    }
    println!("{killed} kills, {flushed} stores with blobs");
    assert!(killed > 30 && flushed > 30, "{killed}, {flushed}");
}

/// What a file system may forget in a power cut, as strace tells.
#[derive(Default)]
struct Unsynced {
    paths: BTreeSet<String>,
    /// Calls that have not returned, by thread.
    pending: BTreeMap<String, String>,
    versions: usize,
    /// Files of blobs that were synced.
    blobs: usize,
    /// How the path ends that need not be synced.
    excused: Option<&'static str>,
}

impl Unsynced {
    fn see(&mut self, line: &str) {
        let (thread, call) = line.split_once(' ').unwrap();
        let call = call.trim_start();
        if let Some(begun) = call.strip_suffix("<unfinished ...>") {
            self.pending.insert(thread.to_owned(), begun.to_owned());
            self.begins(begun);
        } else if call.starts_with("<... ") {
            let begun = self.pending.remove(thread).unwrap_or_default();
            self.ends(&begun);
        } else {
            self.begins(call);
            self.ends(call);
        }
    }

    /// The file of the call's descriptor.
    fn file(call: &str) -> Option<String> {
        let (_, rest) = call.split_once('<')?;
        Some(rest.split_once('>')?.0.to_owned())
    }

    fn begins(&mut self, call: &str) {
        if call.starts_with("write(") || call.starts_with("pwrite64(") {
            self.paths.extend(Self::file(call));
        } else if call.starts_with("rename") && call.contains("/keyspaces/1/current\"") {
            self.versions += 1;
            let unsynced = |path: &&String| {
                let is_excused = self.excused.is_some_and(|end| path.ends_with(end));
                path.contains("/keyspaces/1/") && !is_excused
            };
            let unsynced: Vec<_> = self.paths.iter().filter(unsynced).collect();
            assert_eq!(unsynced, [""; 0], "{call}");
        }
    }

    fn ends(&mut self, call: &str) {
        if call.starts_with("fsync(") || call.starts_with("fdatasync(") {
            if let Some(file) = Self::file(call) {
                self.blobs += usize::from(file.contains("/blobs/"));
                self.paths.remove(&file);
            }
        } else if call.starts_with("openat(") && call.contains("O_CREAT") {
            let path = call.split('"').nth(1).unwrap_or_default();
            if let Some((directory, name)) = path.rsplit_once('/')
                && (["/tables", "/blobs"]
                    .iter()
                    .any(|end| directory.ends_with(end))
                    || name.starts_with('v'))
            {
                self.paths.insert(directory.to_owned());
            }
        }
    }
}

/// A kill keeps what was written; a power cut keeps what was synced. So tables, blobs, the version that names them, and the directories
/// of all three must be synced before the version is made the current one.
#[test]
fn what_a_version_names_is_on_the_disk_before_it_is_named() {
    if !can_trace() {
        return;
    }
    let directory = before();
    let unsynced = watch("child", CHILD, directory.path(), None);
    // Each load has a version, and one for the memtable where that held something.
    assert!(unsynced.versions >= 5, "{}", unsynced.versions);
    assert!(unsynced.blobs >= 3, "{}", unsynced.blobs);
}

/// The same of a flush, but for the directory of the blobs, which fjall leaves to the file system there: the next checkpoint syncs it.
#[test]
fn what_a_flush_names_is_on_the_disk_but_for_the_names_of_blobs() {
    if !can_trace() {
        return;
    }
    let directory = sealed();
    let unsynced = watch(
        "flushing_child",
        FLUSHING_CHILD,
        directory.path(),
        Some("/blobs"),
    );
    assert!(
        unsynced.versions > 0 && unsynced.blobs > 0,
        "nothing was flushed"
    );
    let is_name = |path: &&String| path.ends_with("/blobs");
    assert_eq!(unsynced.paths.iter().find(is_name), None);
}

/// What a child syncs before it names anything.
fn watch(child: &str, variable: &str, store: &Path, excused: Option<&'static str>) -> Unsynced {
    let log = store.join("log");
    let trace = "trace=openat,write,pwrite64,fsync,fdatasync,rename,renameat,renameat2";
    let mut child = traced(child, &["-y", "-e", trace], &log);
    let child = child.env(variable, store);
    let status = child.stdout(Stdio::null()).status();
    assert!(status.unwrap().success());
    let mut unsynced = Unsynced {
        excused,
        ..Unsynced::default()
    };
    for line in fs::read_to_string(&log).unwrap().lines() {
        unsynced.see(line);
    }
    unsynced
}
