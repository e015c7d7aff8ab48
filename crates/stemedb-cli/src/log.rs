//! The log of a server, on standard error: what is said there is written by a thread of its own, and dropped where nobody reads it.

use std::{
    fmt, io,
    str::FromStr as _,
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use clap::ValueEnum;
use tracing::{level_filters::LevelFilter, subscriber::set_global_default};
use tracing_subscriber::{
    field::{RecordFields, VisitOutput as _},
    filter::Targets,
    fmt::{
        FormatFields,
        format::{DefaultVisitor, Writer},
        layer,
    },
    layer::SubscriberExt as _,
    registry,
};

use crate::{output::Talk, text};

mod queue;

use queue::{Line, Queue};

/// The lines of a log that was begun.
static QUEUE: OnceLock<&'static Queue> = OnceLock::new();

/// How long the end of the program waits for whoever reads its log.
const END_WAIT: Duration = Duration::from_secs(2);

/// What the fields of a request take, and some more.
const FIELDS_BYTES: usize = 256;

/// Whether every line of standard error is JSON.
static IS_JSON: AtomicBool = AtomicBool::new(false);

/// What this program says itself, whatever is logged of the rest.
const OWN: &str = "stemedb_cli";

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// One line for people
    Text,
    /// One JSON document a line
    Json,
}

/// What is logged: levels, one for all and others by module.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LogFilter(Targets);

/// Reads what is to be logged, as `info` or `warn,stemedb_wal=debug`.
pub(crate) fn parse_filter(text: &str) -> Result<LogFilter, String> {
    if text.is_empty() {
        // A variable that is empty says nothing.
        return Ok(LogFilter::of(Talk::Normal));
    }
    let mut targets = Targets::new();
    for part in text.split(',') {
        let (module, name) = part.split_once('=').unwrap_or(("", part));
        // The crate takes no name for `error`, and digits for levels.
        let named = Some(name).filter(|name| name.starts_with(|first: char| first.is_alphabetic()));
        let level = named.and_then(|name| LevelFilter::from_str(name).ok());
        let unknown = || format!("\"{name}\" is none of off, error, warn, info, debug, trace");
        let level = level.ok_or_else(unknown)?;
        targets = if module.is_empty() {
            targets.with_default(level)
        } else {
            targets.with_target(module, level)
        };
    }
    Ok(LogFilter(targets))
}

impl LogFilter {
    /// What is logged unless something is asked for.
    pub(crate) fn of(talk: Talk) -> Self {
        let level = match talk {
            Talk::Normal => LevelFilter::WARN,
            Talk::Quiet => LevelFilter::ERROR,
        };
        Self(Targets::new().with_default(level))
    }
}

/// Begins to log; what the program says otherwise becomes part of a log of JSON.
pub(crate) fn begin(format: LogFormat, filter: LogFilter) {
    let LogFilter(filter) = filter;
    let filter = filter.with_target(OWN, LevelFilter::INFO);
    let queue: &'static Queue = Box::leak(Box::default());
    if queue.start(io::stderr(), tell_dropped).is_err() || QUEUE.set(queue).is_err() {
        // Without a thread nothing is logged, and what the program says itself is written as ever.
        return;
    }
    let lines = layer()
        .with_writer(move || Line(queue))
        .with_ansi(false)
        .log_internal_errors(false);
    let begun = match format {
        LogFormat::Text => {
            let lines = lines.fmt_fields(AtOnce);
            set_global_default(registry().with(filter).with(lines))
        }
        LogFormat::Json => {
            let lines = lines.json().flatten_event(true).with_span_list(false);
            set_global_default(registry().with(filter).with(lines))
        }
    };
    IS_JSON.store(
        begun.is_ok() && format == LogFormat::Json,
        Ordering::Relaxed,
    );
}

/// Writes the fields of a span or an event in one piece: text that grows field by field is moved as often, for each request.
#[derive(Debug)]
struct AtOnce;

impl<'writer> FormatFields<'writer> for AtOnce {
    fn format_fields<R: RecordFields>(&self, mut out: Writer<'writer>, fields: R) -> fmt::Result {
        let mut text = String::with_capacity(FIELDS_BYTES);
        let mut visitor = DefaultVisitor::new(Writer::new(&mut text), true);
        fields.record(&mut visitor);
        visitor.finish()?;
        out.write_str(&text)
    }
}

fn tell_dropped(dropped: u64) {
    tracing::warn!(target: OWN, dropped, "lines of the log were dropped: standard error was not read");
}

/// Waits for whoever reads the log, but not for long.
pub(crate) fn end() {
    if let Some(queue) = QUEUE.get() {
        queue.flush(END_WAIT);
    }
}

/// Says a line in the log, if one was begun; whether it did.
pub(crate) fn say(line: &str) -> bool {
    let Some(queue) = QUEUE.get() else {
        return false;
    };
    if IS_JSON.load(Ordering::Relaxed) {
        if let Some(error) = line.strip_prefix("error: ") {
            tracing::error!(target: OWN, "{error}");
        } else {
            tracing::info!(target: OWN, "{line}");
        }
    } else {
        queue.push(format!("{}\n", text::printable(line)).into_bytes());
    }
    true
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::{LogFilter, parse_filter};
    use crate::output::Talk;

    #[test]
    fn levels_hold_for_all_or_for_a_module() {
        let LogFilter(filter) = parse_filter("warn,stemedb_wal=debug,stemedb_storage=off").unwrap();
        assert!(filter.would_enable("stemedb_server::trace", &Level::WARN));
        assert!(!filter.would_enable("stemedb_server::trace", &Level::INFO));
        assert!(filter.would_enable("stemedb_wal::log", &Level::DEBUG));
        assert!(!filter.would_enable("stemedb_storage", &Level::ERROR));
        for text in ["warn", ""] {
            assert_eq!(parse_filter(text).unwrap(), LogFilter::of(Talk::Normal));
        }
    }

    #[test]
    fn what_is_no_level_is_refused() {
        for text in [
            "loud",
            "stemedb_wal",
            "warn,",
            "info,stemedb_wal=",
            "a=b",
            "3",
        ] {
            assert!(parse_filter(text).is_err(), "{text}");
        }
    }
}
