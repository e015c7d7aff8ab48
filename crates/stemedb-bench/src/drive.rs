//! Many clients at once, each with one request after the other, for a while.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::Barrier;

use crate::clock;
use crate::failure::{Doing, Result};
use crate::number::{float, percentile};
use crate::report::{Quantity, Report};

/// Somebody who appends.
pub(crate) trait Client: Send + 'static {
    /// Makes one request, and comes back when it is acknowledged; gives the records that it held.
    ///
    /// No number is given twice.
    fn append(&mut self, number: u64) -> impl Future<Output = Result<u64>> + Send;
}

/// The payloads of a request: `batch` of them, from one on that its number chooses, and from the first again behind the last.
pub(crate) fn batch_of(
    payloads: &[Vec<u8>],
    number: u64,
    batch: u64,
) -> impl Iterator<Item = &Vec<u8>> {
    let first = usize::try_from(number).unwrap_or(0) % payloads.len();
    let chosen = payloads.iter().cycle().skip(first);
    chosen.zip(0..batch).map(|(payload, _)| payload)
}

/// What the clients did.
#[derive(Debug)]
pub(crate) struct Driven {
    records: u64,
    time: Duration,
    /// Nanoseconds of every request, sorted.
    latencies: Vec<u64>,
}

impl Driven {
    /// Writes the figures down.
    pub(crate) fn report(&self, report: &mut Report, benchmark: &str, subject: &str) {
        let us = |part: f64| float(percentile(&self.latencies, part)) / 1e3;
        let rate = float(self.records) / self.time.as_secs_f64();
        report.of(benchmark, subject).add(Quantity::Rate, rate);
        report.of(benchmark, subject).add(Quantity::P50Us, us(0.5));
        report.of(benchmark, subject).add(Quantity::P99Us, us(0.99));
    }
}

/// Lets the clients work side by side for a time.
///
/// # Errors
///
/// What the first of them that failed met.
pub(crate) fn drive<C: Client>(
    runtime: &Runtime,
    clients: Vec<C>,
    time: Duration,
) -> Result<Driven> {
    runtime.block_on(async {
        let ready = Arc::new(Barrier::new(clients.len() + 1));
        let numbers = Arc::new(AtomicU64::new(0));
        let spawn =
            |client| tokio::spawn(work(client, Arc::clone(&ready), Arc::clone(&numbers), time));
        let tasks: Vec<_> = clients.into_iter().map(spawn).collect();
        ready.wait().await;
        let start = clock::now();
        let mut driven = Driven {
            records: 0,
            time,
            latencies: Vec::new(),
        };
        for task in tasks {
            let (records, latencies) = task.await.doing("wait for a client")??;
            driven.records += records;
            driven.latencies.extend(latencies);
        }
        driven.time = start.elapsed();
        driven.latencies.sort_unstable();
        Ok(driven)
    })
}

async fn work<C: Client>(
    mut client: C,
    ready: Arc<Barrier>,
    numbers: Arc<AtomicU64>,
    time: Duration,
) -> Result<(u64, Vec<u64>)> {
    ready.wait().await;
    let start = clock::now();
    let (mut records, mut latencies) = (0, Vec::new());
    let mut before = start.elapsed();
    while before < time {
        records += client
            .append(numbers.fetch_add(1, Ordering::Relaxed))
            .await?;
        let after = start.elapsed();
        latencies.push(u64::try_from(after.saturating_sub(before).as_nanos()).unwrap_or(u64::MAX));
        before = after;
    }
    Ok((records, latencies))
}
