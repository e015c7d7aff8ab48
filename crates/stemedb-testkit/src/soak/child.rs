//! The process that is killed: it opens the database, uses it from several threads, closes it, and begins again.

use std::io::{self, Read, Write};
use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use stemedb::{Counts, Create, Database, Durability};
use stemedb_testkit::disk::Random;

use super::record::Records;
use super::wire::{Done, Line};
use super::{ChildOptions, check};
use crate::clock;
use crate::failure::chain;

mod read;
mod write;

/// What the threads of a child share.
#[derive(Debug)]
struct World {
    records: Records,
    /// The number of the next record that nobody has handed in.
    next: AtomicU64,
    /// The life is to end in order.
    is_over: AtomicBool,
    is_violated: AtomicBool,
    /// The highest counts that any view of this process has shown.
    counts: Mutex<Counts>,
}

impl World {
    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    /// Tells the parent. Once nobody listens there is nothing to go on for.
    fn say(&self, lines: &[Line]) {
        if !write_lines(lines) {
            self.is_over.store(true, Ordering::Relaxed);
        }
    }

    fn done(&self, done: Done) {
        self.say(&[Line::Done(done)]);
    }

    fn error(&self, doing: &str, error: &stemedb::Error) {
        let text = format!("{doing}: {:?}: {}", error.kind(), chain(error));
        self.say(&[Line::Error(text)]);
    }

    fn violation(&self, text: String) {
        self.say(&[Line::Violation(text)]);
        self.is_violated.store(true, Ordering::Relaxed);
        self.is_over.store(true, Ordering::Relaxed);
    }
}

/// One opening of the database.
#[derive(Debug)]
struct Session<'a> {
    world: &'a World,
    database: &'a Database,
    /// Batches that are still to be handed in.
    batches: AtomicU64,
    has_failed: AtomicBool,
}

impl Session<'_> {
    fn is_over(&self) -> bool {
        self.world.is_over() || self.has_failed.load(Ordering::Relaxed)
    }

    /// Takes one batch of those that are left.
    fn take_batch(&self) -> bool {
        let take = |left: u64| left.checked_sub(1);
        !self.is_over()
            && self
                .batches
                .try_update(Ordering::Relaxed, Ordering::Relaxed, take)
                .is_ok()
    }

    fn fail(&self, doing: &str, error: &stemedb::Error) {
        self.world.error(doing, error);
        self.has_failed.store(true, Ordering::Relaxed);
    }
}

/// Lives until it is killed, told to end by the end of its input, or finds something wrong.
pub(crate) fn run(options: &ChildOptions) -> ExitCode {
    let world = World {
        records: Records::new(options.seed),
        next: AtomicU64::new(options.from),
        is_over: AtomicBool::new(false),
        is_violated: AtomicBool::new(false),
        counts: Mutex::new(Counts::default()),
    };
    panic::set_hook(Box::new(|panic| {
        let message = panic.payload_as_str().unwrap_or("no message");
        let place = panic
            .location()
            .map(ToString::to_string)
            .unwrap_or_default();
        write_lines(&[Line::Panic(format!("{place}: {message}"))]);
    }));
    let mut random = Random::new(options.seed ^ options.life.rotate_left(32));
    thread::scope(|scope| {
        let world = &world;
        // Not joined before the process ends: it waits for the parent.
        scope.spawn(move || {
            let mut nothing = [0; 16];
            while matches!(io::stdin().read(&mut nothing), Ok(1..)) {}
            world.is_over.store(true, Ordering::Relaxed);
        });
        while !world.is_over() {
            let session = AssertUnwindSafe(|| session(world, options, &mut random));
            if panic::catch_unwind(session).is_err() {
                world.violation("a thread of the child panicked".to_owned());
            }
        }
        if world.is_violated.load(Ordering::Relaxed) {
            // The thread above would wait for the parent, and the parent for this process.
            std::process::abort();
        }
    });
    ExitCode::SUCCESS
}

fn write_lines(lines: &[Line]) -> bool {
    let mut text = String::new();
    for line in lines {
        text.push_str(&line.to_string());
        text.push('\n');
    }
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(text.as_bytes());
    written.and_then(|()| stdout.flush()).is_ok()
}

fn session(world: &World, options: &ChildOptions, random: &mut Random) {
    let builder = builder(random);
    let database = match builder.open(&options.directory) {
        Ok(database) => database,
        Err(error) if check::wants_rebuild(&error) => return rebuild(world, options),
        Err(error) => {
            world.error("open", &error);
            return clock::pause(Duration::from_millis(100));
        }
    };
    world.done(Done::Open);
    let most = 1 << random.below(11);
    let session = Session {
        world,
        database: &database,
        batches: AtomicU64::new(1 + random.below(most)),
        has_failed: AtomicBool::new(false),
    };
    let (writers, readers) = (1 + random.below(4), 1 + random.below(2));
    thread::scope(|scope| {
        let session = &session;
        let mut seeds = || Random::new(random.next_u64());
        let writers: Vec<_> = (0..writers)
            .map(|_| (session, seeds()))
            .map(|(session, random)| scope.spawn(move || write::run(session, random)))
            .collect();
        for _ in 0..readers {
            let random = seeds();
            scope.spawn(move || read::run(session, random));
        }
        for writer in writers {
            if writer.join().is_err() {
                world.violation("a writing thread panicked".to_owned());
            }
        }
        session.has_failed.store(true, Ordering::Relaxed);
    });
    end(world, database, random);
}

/// Does what the refusal to open asks for; whether it may ask, the parent knows.
fn rebuild(world: &World, options: &ChildOptions) {
    match stemedb::maintenance::rebuild(&options.directory, &mut |_| ()) {
        Ok(_) => world.done(Done::Rebuild),
        Err(error) => {
            world.error("rebuild", &error);
            clock::pause(Duration::from_millis(100));
        }
    }
}

/// Closes the database, or lets go of it.
fn end(world: &World, database: Database, random: &mut Random) {
    if random.one_in(4) {
        drop(database);
        return world.done(Done::Drop);
    }
    match database.close() {
        Ok(()) => world.done(Done::Close),
        Err(error) => world.error("close", &error),
    }
}

/// Settings that make segments and back-pressure frequent.
fn builder(random: &mut Random) -> stemedb::Builder {
    let durability = match random.below(5) {
        0 => Durability::Interval(Duration::from_millis(1 + random.below(50))),
        _ => Durability::Sync,
    };
    let segment_bytes_max = [16 << 10, 64 << 10, 256 << 10, 1 << 20, 8 << 20];
    let behind_bytes_max = [1 << 20, 8 << 20, 256 << 20];
    Database::builder()
        .create(Create::IfMissing)
        .durability(durability)
        .segment_bytes_max(random.pick(&segment_bytes_max).copied().unwrap_or(1 << 20))
        .behind_bytes_max(random.pick(&behind_bytes_max).copied().unwrap_or(8 << 20))
}

/// Compares the counts of a view with all that were shown before it was taken, and gives what went back.
fn count_up(
    world: &World,
    take: impl FnOnce() -> stemedb::Result<Counts>,
) -> stemedb::Result<Option<String>> {
    let mut highest = world.counts.lock().unwrap_or_else(PoisonError::into_inner);
    // Taken under the lock, so that no other thread can have shown a later view in between.
    let counts = take()?;
    let pairs = [
        (counts.assertions, highest.assertions),
        (counts.votes, highest.votes),
        (counts.epochs, highest.epochs),
        (counts.duplicates, highest.duplicates),
    ];
    if counts.quarantined > 0 || pairs.iter().any(|(now, before)| now < before) {
        return Ok(Some(format!("counts went from {highest:?} to {counts:?}")));
    }
    *highest = counts;
    Ok(None)
}
