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
    /// How many items are in it.
    count: usize,
}

impl Page {
    /// Writes as many items of a list as `extent` says, and where the next page begins.
    pub(crate) fn write<T, I: Serialize>(
        listing: Listing<T>,
        extent: Extent,
        item: impl Fn(T) -> I,
    ) -> Result<Self, Problem> {
        let mut page = Self::begin();
        let mut last: Option<PageCursor> = None;
        let mut next = None;
        let mut cursors = Vec::new();
        for listed in listing {
            let listed = listed.map_err(|error| Problem::of(&error, Asked::Read))?;
            if !page.has_room(extent.items_max) {
                next = last;
                break;
            }
            page.push(&item(listed.value))?;
            if extent.cursors == Cursors::OfEach {
                cursors.push(listed.cursor.to_string());
            }
            last = Some(listed.cursor);
        }
        let next = next.map(|cursor| cursor.to_string());
        let page = page.end().with("next_cursor", &next)?;
        match extent.cursors {
            Cursors::OfNext => Ok(page),
            Cursors::OfEach => page.with("cursors", &cursors),
        }
    }

    /// One without items.
    pub(crate) fn begin() -> Self {
        Self {
            json: b"{\"items\":[".to_vec(),
            count: 0,
        }
    }

    /// Whether another item may be given; the first one always may.
    pub(crate) fn has_room(&self, items_max: usize) -> bool {
        self.count == 0 || (self.count < items_max && self.json.len() <= PAGE_BYTES_MAX)
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Adds an item.
    pub(crate) fn push(&mut self, item: &impl Serialize) -> Result<(), Problem> {
        if self.count > 0 {
            self.json.push(b',');
        }
        self.count += 1;
        append(&mut self.json, item)
    }

    /// Ends the items.
    pub(crate) fn end(mut self) -> Self {
        self.json.push(b']');
        self
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
