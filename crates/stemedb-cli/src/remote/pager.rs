//! A list of a server, page by page as it is read.

use std::{collections::VecDeque, vec};

use serde::de::DeserializeOwned;
use stemedb::{Listed, Page, Sequence};
use stemedb_server::wire;

use super::{Client, Route, Trouble, convert};
use crate::failure::Failure;

/// Items of the first page: most readers want few.
const FIRST_ITEMS: u64 = 100;

/// Items of the others.
const ITEMS: u64 = 1000;

/// The items of a list, as of one sequence.
pub(super) struct Pager<'a, W, T> {
    client: &'a Client,
    /// Without the cursor.
    route: Route,
    convert: fn(W) -> Result<T, Failure>,
    ready: VecDeque<(W, String)>,
    /// Where the next page begins; nothing at the end.
    next: Option<String>,
}

impl<'a, W: DeserializeOwned, T> Pager<'a, W, T> {
    /// Reads the first page, so that what is wrong with the question shows at once.
    pub(super) fn begin(
        client: &'a Client,
        (route, page): (Route, &Page),
        as_of: Option<Sequence>,
        convert: fn(W) -> Result<T, Failure>,
    ) -> Result<Self, Trouble> {
        let route = route
            .with_some("as_of", page.as_of.or(as_of))
            .with("cursors", true);
        let first = route.clone().with_some("cursor", page.after.as_ref());
        let mut pager = Self {
            client,
            route,
            convert,
            ready: VecDeque::new(),
            next: None,
        };
        pager.fetch(&first.with("limit", FIRST_ITEMS))?;
        Ok(pager)
    }

    fn fetch(&mut self, route: &Route) -> Result<(), Trouble> {
        let page: wire::Page<W> = self.client.get(route)?.json()?;
        let wire::Page {
            items,
            next_cursor,
            cursors,
        } = page;
        if items.len() != cursors.len() || (items.is_empty() && next_cursor.is_some()) {
            let text = "a page of it has other cursors than items";
            return Err(Trouble::Strange(text.to_owned()));
        }
        self.ready = items.into_iter().zip(cursors).collect();
        self.next = next_cursor;
        Ok(())
    }

    fn listed(&self, (item, cursor): (W, String)) -> Result<Listed<T>, Failure> {
        Ok(Listed {
            value: (self.convert)(item)?,
            cursor: convert::cursor(&cursor)?,
        })
    }
}

impl<W: DeserializeOwned, T> Iterator for Pager<'_, W, T> {
    type Item = Result<Listed<T>, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ready.is_empty()
            && let Some(cursor) = self.next.take()
        {
            let route = self.route.clone().with("cursor", cursor);
            if let Err(trouble) = self.fetch(&route.with("limit", ITEMS)) {
                return Some(Err(trouble.failure(self.client.url())));
            }
        }
        let item = self.ready.pop_front()?;
        Some(self.listed(item))
    }
}

/// A list that has nothing.
pub(super) fn nothing<T>() -> vec::IntoIter<Result<Listed<T>, Failure>> {
    Vec::new().into_iter()
}
