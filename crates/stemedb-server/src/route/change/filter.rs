//! Which records a feed gives.

use stemedb::{Record, RecordType};

use crate::problem::Problem;
use crate::query::{Query, bad};

/// What records have to be, to be given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Filter {
    record_type: Option<RecordType>,
    /// Only assertions have a subject, so that no others pass where this is not empty.
    subject_prefix: String,
}

impl Filter {
    pub(super) fn of(query: &Query) -> Result<Self, Problem> {
        let filter = Self {
            record_type: query.record_type()?,
            subject_prefix: query.prefix("subject_prefix")?,
        };
        match filter.record_type {
            Some(RecordType::Vote | RecordType::Epoch) if !filter.subject_prefix.is_empty() => {
                Err(bad("subject_prefix: only assertions have a subject"))
            }
            _ => Ok(filter),
        }
    }

    pub(super) fn passes(&self, record: &Record) -> bool {
        if self
            .record_type
            .is_some_and(|wanted| wanted != RecordType::of(record))
        {
            return false;
        }
        match record {
            Record::Assertion(assertion) => {
                assertion.subject.as_str().starts_with(&self.subject_prefix)
            }
            Record::Vote(_) | Record::Epoch(_) => self.subject_prefix.is_empty(),
        }
    }
}
