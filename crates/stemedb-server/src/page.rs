//! Pages: items are written as they are read, so that a page takes its own bytes and no more.

use serde::Serialize;
use stemedb::{Listing, PageCursor};

use crate::limits::PAGE_BYTES_MAX;
use crate::problem::{Asked, Problem};

#[cfg(test)]
mod tests;

/// How much a page gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    /// Items at most.
    pub(crate) items_max: usize,
    /// Which cursors stand beside them.
    pub(crate) cursors: Cursors,
}

/// The cursors of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cursors {
    /// The one of the next page.
    OfNext,
    /// That of each item too.
    OfEach,
}

/// The JSON of a page so far.
#[derive(Debug)]
pub(crate) struct Page {
    json: Vec<u8>,
}

impl Page {
    /// Writes as many items of a list as `extent` says, and where the next page begins.
    pub(crate) fn write<T, I: Serialize>(
        listing: Listing<T>,
        extent: Extent,
        item: impl Fn(T) -> I,
    ) -> Result<Self, Problem> {
        let mut json = b"{\"items\":[".to_vec();
        let mut last: Option<PageCursor> = None;
        let mut next = None;
        let mut cursors = Vec::new();
        for (count, listed) in listing.enumerate() {
            let listed = listed.map_err(|error| Problem::of(&error, Asked::Read))?;
            if count == extent.items_max || json.len() > PAGE_BYTES_MAX {
                next = last;
                break;
            }
            if count > 0 {
                json.push(b',');
            }
            append(&mut json, &item(listed.value))?;
            if extent.cursors == Cursors::OfEach {
                cursors.push(listed.cursor.to_string());
            }
            last = Some(listed.cursor);
        }
        json.extend(b"],\"next_cursor\":");
        append(&mut json, &next.map(|cursor| cursor.to_string()))?;
        let page = Self { json };
        match extent.cursors {
            Cursors::OfNext => Ok(page),
            Cursors::OfEach => page.with("cursors", &cursors),
        }
    }

    /// Adds a field behind the items.
    pub(crate) fn with(mut self, name: &str, value: &impl Serialize) -> Result<Self, Problem> {
        self.json.push(b',');
        append(&mut self.json, &name)?;
        self.json.push(b':');
        append(&mut self.json, value)?;
        Ok(self)
    }

    /// The whole of it.
    pub(crate) fn into_json(mut self) -> Vec<u8> {
        self.json.push(b'}');
        self.json
    }
}

fn append(json: &mut Vec<u8>, value: &impl Serialize) -> Result<(), Problem> {
    serde_json::to_writer(json, value).map_err(|error| {
        tracing::error!(%error, "an answer cannot be written");
        Problem::internal("an answer cannot be written")
    })
}
