//! Reads of one thread, idle and while others load: points by id, and pages of a hundred records of a subject.

use std::path::Path;
use std::time::Duration;

use stemedb::{Create, Database, Page, RecordId, Subject};
use tempfile::TempDir;

use super::Bench;
use crate::claim::{Generator, mix};
use crate::clock;
use crate::failure::{Doing, Failure, Result, joined};
use crate::load::{Deadline, Generated, Signing, load};
use crate::number::{float, floor, percentile};
use crate::peer::engine::{self, Engine, Fjall, Level};
use crate::report::Quantity;
use crate::subject::{FJALL, STEMEDB};

const POINT: &str = "read/point";
const PAGE: &str = "read/page";
const LOADING: &str = "read/loading";

/// Records of a page.
const PAGE_RECORDS: usize = 100;
/// Records of a batch of the bare engine.
const BATCH: u64 = 1000;
/// Subjects whose pages are read, where there are enough records: the most frequent ones.
const SUBJECTS: usize = 300;
/// Records that are loaded at most while others read.
const LOAD_MAX: u64 = 100_000_000;

/// The same records in our database and in the bare engine.
pub(crate) struct Stores {
    database: Database,
    fjall: Fjall,
    ids: Vec<RecordId>,
    subjects: Vec<Subject>,
    generator: Generator,
    /// The number of the next record that is not stored yet, in ours and in the bare engine.
    next: u64,
    next_bare: u64,
    /// Removed when everything above is closed.
    _directory: TempDir,
}

impl std::fmt::Debug for Stores {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stores").finish_non_exhaustive()
    }
}

impl Stores {
    fn make(bench: &Bench<'_>) -> Result<Self> {
        bench.tell(POINT, "making the databases");
        let records = bench.options.records;
        let generator = Generator::new(records);
        let directory = bench.directory()?;
        let database = create(directory.path())?;
        load(
            &database,
            &Generated::new(generator, Signing::Unsigned, (0, records)),
        )?;
        let fjall = Fjall::open(directory.path())?;
        for from in (0..records).step_by(1000) {
            commit(&fjall, generator, (from, records.min(from + BATCH)))?;
        }
        let mut ids = Vec::new();
        for number in 0..records {
            let id = generator.record(number).and_then(|record| record.id());
            ids.push(id.doing("name a record")?);
        }
        let subjects: Result<Vec<_>, _> = (1..=SUBJECTS)
            .map(|rank| Subject::new(Generator::subject(rank)))
            .collect();
        Ok(Self {
            database,
            fjall,
            ids,
            subjects: subjects.doing("name subjects")?,
            generator,
            next: records,
            next_bare: records,
            _directory: directory,
        })
    }
}

fn create(directory: &Path) -> Result<Database> {
    let builder = Database::builder().create(Create::IfMissing);
    builder
        .open(directory.join("data"))
        .doing("create a database")
}

fn commit(fjall: &Fjall, generator: Generator, (from, upto): (u64, u64)) -> Result<()> {
    let mut batch = Vec::new();
    for number in from..upto {
        batch.extend(engine::pairs(generator, number)?);
    }
    fjall.commit(batch, Level::Visible)
}

/// One round, idle and loading.
pub(crate) fn round(bench: &mut Bench<'_>) -> Result<()> {
    let mut stores = match bench.state.stores.take() {
        Some(stores) => stores,
        None => Stores::make(bench)?,
    };
    let done = idle(bench, &stores).and_then(|()| loading(bench, &mut stores));
    bench.state.stores = Some(stores);
    done
}

/// One read; the numbers are as random as the reader likes.
type Read<'a> = &'a dyn Fn(u64) -> Result<()>;

fn idle(bench: &mut Bench<'_>, stores: &Stores) -> Result<()> {
    let time = bench.options.slice();
    for subject in bench.rotated(&[STEMEDB, FJALL]) {
        let (point, page): (Read<'_>, Read<'_>) = if subject == STEMEDB {
            (&|number| stores.point(number), &|number| {
                stores.page(number)
            })
        } else {
            (&|number| stores.bare_point(number), &|number| {
                stores.bare_page(number)
            })
        };
        for (name, read) in [(POINT, point), (PAGE, page)] {
            bench.tell(name, subject);
            // Once to warm it, once to measure it.
            measure(read, &Deadline::after(time / 2))?;
            let times = measure(read, &Deadline::after(time))?;
            report(bench, (name, subject), &times);
        }
    }
    Ok(())
}

fn loading(bench: &mut Bench<'_>, stores: &mut Stores) -> Result<()> {
    let time = bench.options.slice() * 4;
    for subject in bench.rotated(&[STEMEDB, FJALL]) {
        bench.tell(LOADING, subject);
        let (times, rate) = if subject == STEMEDB {
            stores.read_while_loading(time)?
        } else {
            stores.read_while_committing(time)?
        };
        report(bench, (LOADING, subject), &times);
        bench.report.of(LOADING, subject).add(Quantity::Rate, rate);
    }
    Ok(())
}

/// Reads until the time is over; gives how long each read took, in nanoseconds, sorted.
fn measure(read: Read<'_>, deadline: &Deadline) -> Result<Vec<u64>> {
    let mut times = Vec::new();
    let mut number = 0;
    while !deadline.is_over() {
        let start = clock::now();
        read(mix(number))?;
        times.push(u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX));
        number += 1;
    }
    times.sort_unstable();
    Ok(times)
}

fn report(bench: &mut Bench<'_>, (name, subject): (&str, &str), times: &[u64]) {
    let us = |part: f64| float(percentile(times, part)) / 1e3;
    bench.report.of(name, subject).add(Quantity::P50Us, us(0.5));
    bench
        .report
        .of(name, subject)
        .add(Quantity::P99Us, us(0.99));
    bench.report.of(name, subject).add(Quantity::MaxUs, us(1.0));
}

fn pick<T>(items: &[T], number: u64) -> Result<&T> {
    let place = floor(float(number >> 11) / float(1_u64 << 53) * float(items.len()));
    items.get(place).doing("pick an item")
}

impl Stores {
    fn point(&self, number: u64) -> Result<()> {
        let view = self.database.view().doing("take a view")?;
        let found = view.get(*pick(&self.ids, number)?).doing("read a record")?;
        found.doing("find a record").map(drop)
    }

    fn page(&self, number: u64) -> Result<()> {
        let view = self.database.view().doing("take a view")?;
        let subject = pick(&self.subjects, number)?;
        let listing = view
            .assertions(subject, None, &Page::default())
            .doing("list a subject")?;
        for listed in listing.take(PAGE_RECORDS) {
            std::hint::black_box(listed.doing("read a record")?);
        }
        Ok(())
    }

    fn bare_point(&self, number: u64) -> Result<()> {
        let key = engine::record_key(*pick(&self.ids, number)?);
        let found = self.fjall.get(&self.fjall.snapshot(), &key)?;
        found.doing("find a record").map(drop)
    }

    fn bare_page(&self, number: u64) -> Result<()> {
        let snapshot = self.fjall.snapshot();
        let prefix = engine::subject_prefix(pick(&self.subjects, number)?);
        for id in self.fjall.page(&snapshot, &prefix, PAGE_RECORDS)? {
            let id: [u8; 32] = id.as_ref().try_into().doing("read an id")?;
            let found = self
                .fjall
                .get(&snapshot, &engine::record_key(RecordId::from_bytes(id)))?;
            std::hint::black_box(found.doing("find a record")?);
        }
        Ok(())
    }

    /// Points read while our database loads at full speed, and the rate of the load.
    fn read_while_loading(&mut self, time: Duration) -> Result<(Vec<u64>, f64)> {
        let source = Generated::new(
            self.generator,
            Signing::Unsigned,
            (self.next, self.next + LOAD_MAX),
        );
        let before = self.next;
        let start = clock::now();
        let times = std::thread::scope(|scope| {
            let loader = scope.spawn(|| load(&self.database, &source));
            let times = measure(&|number| self.point(number), &Deadline::after(time));
            source.stop();
            joined(loader.join())??;
            times
        })?;
        let stored = self
            .database
            .stats()
            .doing("count the records")?
            .counts
            .assertions;
        self.next = stored;
        Ok((
            times,
            float(stored - before) / start.elapsed().as_secs_f64(),
        ))
    }

    /// The same in the bare engine.
    fn read_while_committing(&mut self, time: Duration) -> Result<(Vec<u64>, f64)> {
        let (generator, from) = (self.generator, self.next_bare);
        let deadline = Deadline::after(time);
        let start = clock::now();
        let (times, next) = std::thread::scope(|scope| {
            let loader = scope.spawn(|| {
                let mut next = from;
                while !deadline.is_over() {
                    commit(&self.fjall, generator, (next, next + BATCH))?;
                    next += BATCH;
                }
                Ok::<u64, Failure>(next)
            });
            let times = measure(&|number| self.bare_point(number), &deadline)?;
            let next = joined(loader.join())??;
            Ok::<_, Failure>((times, next))
        })?;
        self.next_bare = next;
        Ok((times, float(next - from) / start.elapsed().as_secs_f64()))
    }
}
