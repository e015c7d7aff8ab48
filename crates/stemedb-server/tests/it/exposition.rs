//! A strict reader of what a scrape is answered with, which fails on all that Prometheus would refuse or take for something else.

use std::collections::{BTreeMap, BTreeSet};

/// What a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

impl Kind {
    pub(crate) fn of(name: &str) -> Self {
        match name {
            "counter" => Self::Counter,
            "gauge" => Self::Gauge,
            "histogram" => Self::Histogram,
            _ => panic!("{name} is no type of ours"),
        }
    }
}

type Labels = BTreeMap<String, String>;

/// All that a scrape said.
#[derive(Debug, Default)]
pub(crate) struct Exposition {
    kinds: BTreeMap<String, Kind>,
    /// Values as they are written.
    samples: BTreeMap<(String, Labels), String>,
    /// Bounds and counts of each histogram, in their order.
    buckets: BTreeMap<(String, Labels), Vec<(f64, u64)>>,
}

impl Exposition {
    pub(crate) fn parse(text: &str) -> Self {
        assert!(text.ends_with('\n'), "it ends in the middle of a line");
        let mut seen = Self::default();
        let mut lines = text.lines();
        let mut family = None;
        while let Some(line) = lines.next() {
            if let Some(about) = line.strip_prefix("# HELP ") {
                let (name, help) = about.split_once(' ').unwrap();
                assert!(!help.trim().is_empty(), "{line}");
                let next = lines.next().unwrap_or_default();
                let kind = next.strip_prefix(&format!("# TYPE {name} "));
                let kind = Kind::of(kind.unwrap_or_else(|| panic!("{next} follows {line}")));
                assert!(
                    seen.kinds.insert(name.to_owned(), kind).is_none(),
                    "{line} again"
                );
                family = Some((name, kind));
            } else {
                let (name, kind) = family.unwrap_or_else(|| panic!("{line} has no head"));
                seen.sample(line, name, kind);
            }
        }
        seen.check_histograms();
        seen.check_families();
        seen
    }

    fn sample(&mut self, line: &str, family: &str, kind: Kind) {
        let (series, value) = line.rsplit_once(' ').unwrap();
        let number: f64 = value.parse().unwrap();
        let (name, mut labels) = series_of(series);
        let suffix = name.strip_prefix(family);
        let suffix = suffix.unwrap_or_else(|| panic!("{line} stands below {family}"));
        let is_sound = match kind {
            Kind::Counter => suffix.is_empty() && family.ends_with("_total") && number >= 0.0,
            Kind::Gauge => suffix.is_empty() && !family.ends_with("_total"),
            Kind::Histogram => ["_bucket", "_sum", "_count"].contains(&suffix),
        };
        assert!(is_sound, "{line}");
        let again = self
            .samples
            .insert((name.to_owned(), labels.clone()), value.to_owned());
        assert!(again.is_none(), "{line} again");
        if suffix == "_bucket" && kind == Kind::Histogram {
            let bound = match labels.remove("le").unwrap().as_str() {
                "+Inf" => f64::INFINITY,
                bound => bound.parse().unwrap(),
            };
            let buckets = self.buckets.entry((family.to_owned(), labels));
            buckets.or_default().push((bound, value.parse().unwrap()));
        }
    }

    fn check_histograms(&self) {
        for ((family, labels), buckets) in &self.buckets {
            assert!(
                buckets.is_sorted_by(|one, next| one.0 < next.0 && one.1 <= next.1),
                "{family}: {buckets:?}"
            );
            let (bound, all) = *buckets.last().unwrap();
            assert!(bound.is_infinite(), "{family}");
            let of = |suffix: &str| &self.samples[&(format!("{family}{suffix}"), labels.clone())];
            assert_eq!(*of("_count"), all.to_string(), "{family}");
            assert!(of("_sum").parse::<f64>().unwrap() >= 0.0, "{family}");
        }
    }

    /// Each has a value, and a histogram has buckets.
    fn check_families(&self) {
        for (family, kind) in &self.kinds {
            let has = if *kind == Kind::Histogram {
                self.buckets.keys().any(|(name, _)| name == family)
            } else {
                self.samples.keys().any(|(name, _)| name == family)
            };
            assert!(has, "{family} has no values");
        }
    }

    /// The value of one series, all of whose labels are given: a whole number.
    #[track_caller]
    pub(crate) fn value(&self, name: &str, labels: &[(&str, &str)]) -> u64 {
        let owned = labels
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let found = self.samples.get(&(name.to_owned(), owned.collect()));
        let found = found.unwrap_or_else(|| panic!("{name} {labels:?} is missing"));
        found.strip_suffix(".0").unwrap_or(found).parse().unwrap()
    }

    pub(crate) fn kinds(&self) -> BTreeSet<(String, Kind)> {
        self.kinds.clone().into_iter().collect()
    }

    /// Whether there is a series of this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.samples.keys().any(|(found, _)| found == name)
    }

    /// How many series there are.
    pub(crate) fn series(&self) -> usize {
        self.samples.len()
    }
}

/// The name of a series and its labels.
fn series_of(series: &str) -> (&str, Labels) {
    let Some((name, labels)) = series.split_once('{') else {
        return (checked_name(series), Labels::new());
    };
    let mut rest = labels.strip_suffix('}').unwrap();
    let mut found = Labels::new();
    while !rest.is_empty() {
        let (label, after) = rest.split_once("=\"").unwrap();
        let (value, after) = after.split_once('"').unwrap();
        assert!(!value.contains('\\'), "{series}: an escape");
        let again = found.insert(checked_name(label).to_owned(), value.to_owned());
        assert!(again.is_none(), "{series}: {label} again");
        rest = after.strip_prefix(',').unwrap_or(after);
        assert!(
            after.is_empty() || !rest.is_empty() && after != rest,
            "{series}"
        );
    }
    (checked_name(name), found)
}

fn checked_name(name: &str) -> &str {
    let sound = |byte: u8| matches!(byte, b'a'..=b'z' | b'_' | b'0'..=b'9');
    assert!(!name.is_empty() && name.bytes().all(sound), "{name:?}");
    name
}
