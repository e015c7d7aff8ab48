//! Pages: items are written as they are read, so that a page takes its own bytes and no more.

use serde::Serialize;
use stemedb::{Listing, PageCursor};

use crate::limits::PAGE_BYTES_MAX;
use crate::problem::{Asked, Problem};

#[cfg(test)]
mod tests;

/// The JSON of a page so far.
#[derive(Debug)]
pub(crate) struct Page {
    json: Vec<u8>,
}

impl Page {
    /// Writes up to `limit` items of a list, and where the next page begins.
    pub(crate) fn write<T, I: Serialize>(
        listing: Listing<T>,
        limit: usize,
        item: impl Fn(T) -> I,
    ) -> Result<Self, Problem> {
        let mut json = b"{\"items\":[".to_vec();
        let mut last: Option<PageCursor> = None;
        let mut next = None;
        for (count, listed) in listing.enumerate() {
            let listed = listed.map_err(|error| Problem::of(&error, Asked::Read))?;
            if count == limit || json.len() > PAGE_BYTES_MAX {
                next = last;
                break;
            }
            if count > 0 {
                json.push(b',');
            }
            append(&mut json, &item(listed.value))?;
            last = Some(listed.cursor);
        }
        json.extend(b"],\"next_cursor\":");
        append(&mut json, &next.map(|cursor| cursor.to_string()))?;
        Ok(Self { json })
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
