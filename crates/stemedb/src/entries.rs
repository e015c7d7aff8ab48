//! The entries of a scan, for as long as anybody wants them.

use stemedb_storage::{Scan, Value};

use crate::error::{Cause, Result};
use crate::view::View;

/// A scan that ends when whoever asked for it has given it up.
pub(crate) struct Entries {
    scan: Scan,
    view: View,
    is_over: bool,
}

impl Entries {
    pub(crate) fn new(scan: Scan, view: View) -> Self {
        Self {
            scan,
            view,
            is_over: false,
        }
    }
}

impl Iterator for Entries {
    type Item = Result<(Vec<u8>, Value)>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        if self.view.is_given_up() {
            self.is_over = true;
            return Some(Err(Cause::GivenUp.into()));
        }
        self.scan.next().map(|entry| Ok(entry?))
    }
}
