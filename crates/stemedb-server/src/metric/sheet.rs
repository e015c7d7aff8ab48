//! Metrics whose values are read at the moment of a scrape, written one below the other.

use std::fmt::Result;

use prometheus_client::encoding::{DescriptorEncoder, EncodeGaugeValue, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use stemedb::Distribution;

/// What a metric is called, and what it means.
pub(super) type Head = (&'static str, &'static str);

/// Where metrics are written.
#[derive(Debug)]
pub(super) struct Sheet<'a>(pub(super) DescriptorEncoder<'a>);

impl Sheet<'_> {
    fn begin(
        &mut self,
        (name, help): Head,
        kind: MetricType,
    ) -> std::result::Result<MetricEncoder<'_>, std::fmt::Error> {
        self.0.encode_descriptor(name, help, None, kind)
    }

    /// Something that only grows.
    pub(super) fn counter(&mut self, head: Head, value: u64) -> Result {
        let mut metric = self.begin(head, MetricType::Counter)?;
        metric.encode_counter::<NoLabelSet, _, u64>(&value, None)
    }

    /// Something that only grows, by the values of a label.
    pub(super) fn counters(&mut self, head: Head, label: &str, values: &[(&str, u64)]) -> Result {
        let values = values
            .iter()
            .map(|(name, value)| ([(label, *name)], *value));
        self.labelled_counters(head, values)
    }

    /// Something that only grows, by the values of more than one label.
    pub(super) fn labelled_counters<'l, const LABELS: usize>(
        &mut self,
        head: Head,
        values: impl IntoIterator<Item = ([(&'l str, &'l str); LABELS], u64)>,
    ) -> Result {
        let mut metric = self.begin(head, MetricType::Counter)?;
        for (labels, value) in values {
            let mut labelled = metric.encode_family(&labels)?;
            labelled.encode_counter::<NoLabelSet, _, u64>(&value, None)?;
        }
        Ok(())
    }

    /// Something that goes up and down.
    pub(super) fn gauge(&mut self, head: Head, value: impl EncodeGaugeValue + Copy) -> Result {
        self.begin(head, MetricType::Gauge)?.encode_gauge(&value)
    }

    /// Something that goes up and down, by the values of a label.
    pub(super) fn gauges(&mut self, head: Head, label: &str, values: &[(&str, u64)]) -> Result {
        let mut metric = self.begin(head, MetricType::Gauge)?;
        for (name, value) in values {
            metric
                .encode_family(&[(label, *name)])?
                .encode_gauge(value)?;
        }
        Ok(())
    }

    /// Which one of some states it is: 1 for that, 0 for the others.
    pub(super) fn state(&mut self, head: Head, states: &[&str], now: &str) -> Result {
        let values: Vec<_> = states
            .iter()
            .map(|state| (*state, u64::from(*state == now)))
            .collect();
        self.gauges(head, "state", &values)
    }

    /// A distribution, where `unit` of its values make one of what the name says.
    pub(super) fn histogram(&mut self, head: Head, values: &Distribution, unit: f64) -> Result {
        let mut before = 0;
        let buckets = values.buckets().map(|(bound, upto)| {
            let bound = bound.map_or(f64::INFINITY, |bound| number(bound) / unit);
            let within = upto - before;
            before = upto;
            (bound, within)
        });
        let buckets: Vec<_> = buckets.collect();
        // Of one reading with the buckets, while others add.
        let count = buckets.iter().map(|(_, within)| within).sum();
        let mut metric = self.begin(head, MetricType::Histogram)?;
        metric.encode_histogram::<NoLabelSet>(number(values.sum()) / unit, count, &buckets, None)
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a sum may be rounded, and bounds are small"
)]
const fn number(value: u64) -> f64 {
    value as f64
}
