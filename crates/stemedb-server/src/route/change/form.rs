//! How a feed is written: as server-sent events, or as lines of JSON.

use axum::http::{HeaderMap, HeaderValue, header};
use serde::Serialize;

use crate::route::bulk::NDJSON;
use crate::wire::{ChangeEnd, ChangeLine, Heartbeat, StoredRecord};

#[cfg(test)]
mod tests;

const EVENT_STREAM: &str = "text/event-stream";

/// How a feed is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Events,
    Lines,
}

impl Form {
    /// The one that a client accepts: lines, unless it names events.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let accepted = headers.get_all(header::ACCEPT).iter();
        let mut kinds = accepted
            .filter_map(|kinds| kinds.to_str().ok())
            .flat_map(|kinds| kinds.split(','))
            .map(|kind| kind.split(';').next().unwrap_or_default().trim());
        if kinds.any(|kind| kind.eq_ignore_ascii_case(EVENT_STREAM)) {
            Self::Events
        } else {
            Self::Lines
        }
    }

    pub(super) const fn content_type(self) -> HeaderValue {
        match self {
            Self::Events => HeaderValue::from_static(EVENT_STREAM),
            Self::Lines => HeaderValue::from_static(NDJSON),
        }
    }

    /// Appends a record.
    pub(super) fn record(self, text: &mut Vec<u8>, stored: StoredRecord) {
        if self == Self::Events {
            let (id, name) = (stored.sequence, stored.record.type_name());
            text.extend(format!("id: {id}\nevent: {name}\ndata: ").into_bytes());
        }
        self.line(text, &ChangeLine::Record(Box::new(stored)));
    }

    /// Appends that the feed lives. Where a client goes on as of the last id, that of a comment counts as well.
    pub(super) fn heartbeat(self, text: &mut Vec<u8>, heartbeat: Heartbeat) {
        match self {
            Self::Events => {
                let id = heartbeat.next_since;
                text.extend(format!(": heartbeat\nid: {id}\n\n").into_bytes());
            }
            Self::Lines => self.line(text, &ChangeLine::Heartbeat(heartbeat)),
        }
    }

    /// Appends the end.
    pub(super) fn end(self, text: &mut Vec<u8>, end: ChangeEnd) {
        if self == Self::Events {
            let id = end.next_since;
            text.extend(format!("id: {id}\nevent: end\ndata: ").into_bytes());
        }
        self.line(text, &ChangeLine::End(end));
    }

    /// Appends a line of JSON, which is the last one of an event.
    fn line(self, text: &mut Vec<u8>, line: &impl Serialize) {
        if let Err(error) = serde_json::to_writer(&mut *text, line) {
            // Nothing in a line can fail to be written; a client would not take what is there for a line.
            tracing::error!(%error, "a line cannot be written");
        }
        text.push(b'\n');
        if self == Self::Events {
            text.push(b'\n');
        }
    }
}
