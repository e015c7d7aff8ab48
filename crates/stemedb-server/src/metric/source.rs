//! What is read at the moment of a scrape: the database, and what handlers hold.

use std::fmt::Result;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::counter::Counter;
use stemedb::{CacheLookups, Database, Health, KnownIds, Observations};

use super::sheet::Sheet;
use crate::held::Bodies;
use crate::intake::Intake;
use crate::limits::SYNC_SECONDS_MAX;
use crate::seat::Occupancy;

/// Nanoseconds of a second.
const NS: f64 = 1e9;

/// Where values are read from.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) database: Arc<Database>,
    pub(crate) intake: Intake,
    /// What bodies take.
    pub(crate) bodies: Bodies,
    /// What is counted and bounded, by its name.
    pub(crate) places: Vec<(&'static str, Occupancy)>,
}

/// A source together with what the server counts of records.
#[derive(Debug)]
pub(super) struct Counting {
    source: Source,
    rejected: Counter,
}

impl Source {
    pub(super) fn counting(self, rejected: Counter) -> Counting {
        Counting {
            source: self,
            rejected,
        }
    }
}

impl Collector for Counting {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> Result {
        let sheet = &mut Sheet(encoder);
        self.server(sheet)?;
        let seen = match self.source.database.observe() {
            Ok(seen) => seen,
            Err(error) => {
                // What the server knows itself is told all the same.
                let error = stemedb::error_chain(&error);
                tracing::error!(error, "the database cannot be observed");
                return Ok(());
            }
        };
        self.submitted(sheet, &seen)?;
        journal(sheet, &seen)?;
        ingest(sheet, &seen)?;
        stored(sheet, &seen)?;
        views(sheet, &seen)?;
        known_ids(sheet, &seen)?;
        caches(sheet, &seen.caches)
    }
}

impl Counting {
    fn server(&self, sheet: &mut Sheet<'_>) -> Result {
        let source = &self.source;
        let build = ("build_info", "The version of the program; always 1");
        sheet.gauges(build, "version", &[(env!("CARGO_PKG_VERSION"), 1)])?;
        let health = source.database.health();
        let state = match health {
            Health::Good => "good",
            Health::Stalled(_) => "stalled",
            Health::NotWritable(_) => "not_writable",
            Health::NotApplying(_) => "not_applying",
            _ => "unknown",
        };
        let states = ["good", "stalled", "not_writable", "not_applying", "unknown"];
        sheet.state(
            (
                "health",
                "Whether the database works: 1 for the state that it is in",
            ),
            &states,
            state,
        )?;
        let syncing = source.database.syncs().pending.unwrap_or_default();
        let is_syncing_long = syncing.as_secs() >= SYNC_SECONDS_MAX;
        let is_ready =
            source.intake.is_open() && matches!(state, "good" | "stalled") && !is_syncing_long;
        sheet.gauge(
            (
                "ready",
                "Whether records are accepted, made durable and applied",
            ),
            u64::from(is_ready),
        )?;
        sheet.gauge(
            (
                "journal_sync_pending_seconds",
                "For how long an fsync has been going on that appending waits for",
            ),
            syncing.as_secs_f64(),
        )?;
        let held = source.bodies.held_bytes();
        sheet.gauge(
            (
                "http_bodies_held_bytes",
                "Bytes of bodies that are read and not acknowledged",
            ),
            held as u64,
        )?;
        sheet.gauge(
            (
                "http_bodies_limit_bytes",
                "Bytes of bodies that may be held; who comes then waits",
            ),
            source.bodies.bytes_max() as u64,
        )?;
        self.places(sheet)
    }

    fn places(&self, sheet: &mut Sheet<'_>) -> Result {
        let of_each = |count: fn(&Occupancy) -> usize| -> Vec<(&str, u64)> {
            let places = self.source.places.iter();
            places
                .map(|(of, places)| (*of, count(places) as u64))
                .collect()
        };
        let head = (
            "http_places_taken",
            "Connections, uploads and feeds that go on",
        );
        sheet.gauges(head, "of", &of_each(Occupancy::taken))?;
        let head = (
            "http_places",
            "Connections, uploads and feeds that may go on at the same time",
        );
        sheet.gauges(head, "of", &of_each(Occupancy::most))
    }

    fn submitted(&self, sheet: &mut Sheet<'_>, seen: &Observations) -> Result {
        let records = seen.submitted;
        let outcomes = [
            ("stored", records.stored),
            ("duplicate", records.duplicates),
            ("rejected", self.rejected.get()),
            ("failed", records.failed),
        ];
        let head = (
            "submitted_records",
            "Records that were handed in, by what became of them",
        );
        sheet.counters(head, "outcome", &outcomes)
    }
}

fn journal(sheet: &mut Sheet<'_>, seen: &Observations) -> Result {
    let journal = &seen.journal;
    sheet.histogram(
        (
            "journal_append_seconds",
            "Time from the arrival of the first record of a group until all of it is durable",
        ),
        &journal.append_ns,
        NS,
    )?;
    sheet.histogram(
        (
            "journal_sync_seconds",
            "Time of each fsync that appending waited for",
        ),
        &journal.sync_ns,
        NS,
    )?;
    sheet.histogram(
        ("journal_group_records", "Records of each group"),
        &journal.group_records,
        1.0,
    )?;
    sheet.histogram(
        ("journal_group_bytes", "Bytes of each group"),
        &journal.group_bytes,
        1.0,
    )?;
    sheet.gauge(
        ("journal_durable_sequence", "Last sequence that is durable"),
        journal.durable_sequence,
    )?;
    sheet.gauge(
        ("journal_segments", "Segments of the journal"),
        journal.segments,
    )?;
    sheet.gauge(
        ("journal_bytes", "Bytes of all groups of the journal"),
        journal.bytes,
    )
}

fn ingest(sheet: &mut Sheet<'_>, seen: &Observations) -> Result {
    let ingest = &seen.ingest;
    sheet.gauge(
        ("ingest_applied_sequence", "Last sequence that can be read"),
        ingest.applied_sequence,
    )?;
    sheet.gauge(
        (
            "ingest_lag_records",
            "Records that are durable and cannot be read yet",
        ),
        ingest.lag_records,
    )?;
    if let Some(bytes) = ingest.lag_bytes {
        sheet.gauge(
            (
                "ingest_lag_bytes",
                "Bytes of groups that are durable and not applied yet",
            ),
            bytes,
        )?;
    }
    sheet.counter(
        (
            "ingest_records",
            "Records applied, duplicates and quarantined ones included",
        ),
        ingest.records,
    )?;
    sheet.counter(("ingest_batches", "Batches applied"), ingest.batches)?;
    sheet.counter(
        ("ingest_checkpoints", "Checkpoints made"),
        ingest.checkpoints,
    )?;
    sheet.gauge(
        (
            "store_stalled",
            "Whether a call into an engine takes longer than it should",
        ),
        u64::from(seen.stall.is_some()),
    )?;
    let stalled = seen
        .stall
        .as_ref()
        .map_or(0.0, |stall| stall.waited.as_secs_f64());
    sheet.gauge(
        ("store_stalled_seconds", "For how long that call has taken"),
        stalled,
    )
}

fn stored(sheet: &mut Sheet<'_>, seen: &Observations) -> Result {
    let counts = &seen.counts;
    let types = [
        ("assertion", counts.assertions),
        ("vote", counts.votes),
        ("epoch", counts.epochs),
    ];
    sheet.gauges(
        ("stored_records", "Records that are stored, by type"),
        "type",
        &types,
    )?;
    sheet.gauge(
        ("quarantined_records", "Records that could not be applied"),
        counts.quarantined,
    )
}

fn views(sheet: &mut Sheet<'_>, seen: &Observations) -> Result {
    let views = seen.views;
    sheet.gauge(
        (
            "views_outdated",
            "Views that are held although there is a newer one",
        ),
        views.outdated,
    )?;
    let age = std::time::Duration::from_millis(views.oldest_outdated_ms).as_secs_f64();
    sheet.gauge(
        (
            "views_oldest_outdated_seconds",
            "For how long the oldest of them has been out of date",
        ),
        age,
    )
}

fn known_ids(sheet: &mut Sheet<'_>, seen: &Observations) -> Result {
    let known = seen.known_ids;
    sheet.gauge(
        ("known_ids_bytes", "Memory of the filter of known ids"),
        known.bytes,
    )?;
    let extent = match known.extent {
        KnownIds::Partial => "partial",
        KnownIds::Scanning => "scanning",
        KnownIds::Complete => "complete",
        KnownIds::Full => "full",
    };
    let extents = ["partial", "scanning", "complete", "full"];
    sheet.state(
        (
            "known_ids_extent",
            "Of which records the filter knows the ids: 1 for the state that it is in",
        ),
        &extents,
        extent,
    )?;
    let asked = [("filter", known.answered), ("store", known.passed_on)];
    sheet.counters(
        (
            "known_ids_lookups",
            "Ids that were looked up, by who answered",
        ),
        "answered_by",
        &asked,
    )
}

pub(super) fn caches(sheet: &mut Sheet<'_>, caches: &[CacheLookups]) -> Result {
    let head = (
        "store_cache_lookups",
        "Blocks and pages of the engines that were needed, by where they were found",
    );
    let lookups = caches.iter().flat_map(|cache| {
        let labelled = |answered_by, count| {
            let labels = [
                ("engine", cache.engine),
                ("content", cache.content),
                ("answered_by", answered_by),
            ];
            (labels, count)
        };
        let hits = cache.hits.map(|hits| labelled("cache", hits));
        hits.into_iter().chain([labelled("file", cache.misses)])
    });
    sheet.labelled_counters(head, lookups)
}
