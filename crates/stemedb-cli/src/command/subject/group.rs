//! Assertions about one subject, grouped by predicate and value.

use std::collections::{BTreeMap, BTreeSet};

use stemedb::{Assertion, Lifecycle, Predicate, RecordId};

use crate::text;

/// All that is claimed, by predicate.
#[derive(Debug, Default)]
pub(super) struct Groups {
    pub(super) predicates: BTreeMap<Predicate, Values>,
    /// What holds for all assertions together.
    pub(super) all: Support,
}

/// What is claimed of one predicate, by value as it is shown.
#[derive(Debug, Default)]
pub(super) struct Values(BTreeMap<String, Support>);

/// Who stands behind something, from where, and how sure.
#[derive(Debug, Default)]
pub(super) struct Support {
    /// In the order of their first assertion.
    pub(super) ids: Vec<RecordId>,
    agents: BTreeSet<String>,
    /// Agents in the order of their first assertion.
    pub(super) agents_in_order: Vec<String>,
    /// Where it is from; none stands for assertions that do not say.
    pub(super) sources: BTreeSet<Option<String>>,
    /// Lowest and highest confidence.
    confidence: Option<(f64, f64)>,
    /// How far it has come.
    pub(super) lifecycles: BTreeSet<Lifecycle>,
}

impl Groups {
    /// Adds an assertion.
    pub(super) fn add(&mut self, id: RecordId, assertion: &Assertion) {
        self.all.add(id, assertion);
        let values = self
            .predicates
            .entry(assertion.predicate.clone())
            .or_default();
        let value = text::object(&assertion.object);
        values.0.entry(value).or_default().add(id, assertion);
    }

    /// How many predicates have more than one value.
    pub(super) fn disputed(&self) -> usize {
        let values = self.predicates.values();
        values.filter(|values| values.is_disputed()).count()
    }
}

impl Values {
    /// Whether agents state different values.
    pub(super) fn is_disputed(&self) -> bool {
        self.0.len() > 1
    }

    /// The values, the one with most agents first.
    pub(super) fn by_support(&self) -> Vec<(&str, &Support)> {
        let mut values: Vec<_> = self
            .0
            .iter()
            .map(|(value, it)| (value.as_str(), it))
            .collect();
        values.sort_by_key(|(_, support)| std::cmp::Reverse(support.agents_in_order.len()));
        values
    }
}

impl Support {
    fn add(&mut self, id: RecordId, assertion: &Assertion) {
        self.ids.push(id);
        let agent = assertion.agent.as_str();
        if self.agents.insert(agent.to_owned()) {
            self.agents_in_order.push(agent.to_owned());
        }
        let source = assertion.source.as_ref();
        self.sources.insert(source.map(ToString::to_string));
        let confidence = assertion.confidence.get();
        let (low, high) = self.confidence.unwrap_or((confidence, confidence));
        self.confidence = Some((low.min(confidence), high.max(confidence)));
        self.lifecycles.insert(assertion.lifecycle);
    }

    /// How sure the agents are.
    pub(super) fn confidence(&self) -> Confidence {
        let (low, high) = self.confidence.unwrap_or_default();
        Confidence { low, high }
    }
}

/// How sure some agents are: from the least to the most.
#[derive(Debug, Clone, Copy)]
pub(super) struct Confidence {
    low: f64,
    high: f64,
}

impl Confidence {
    /// Whether all are equally sure.
    pub(super) fn is_uniform(self) -> bool {
        self.low.total_cmp(&self.high).is_eq()
    }
}

impl std::fmt::Display for Confidence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.is_uniform() {
            write!(f, "confidence {}", self.low)
        } else {
            write!(f, "confidence {} to {}", self.low, self.high)
        }
    }
}
