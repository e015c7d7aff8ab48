use std::fmt::Result;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, text::encode};
use prometheus_client::registry::Registry;
use stemedb::CacheLookups;

use super::sheet::Sheet;
use super::source::caches;
use super::text::of_prometheus;

#[test]
fn a_counter_is_named_in_its_head_as_in_its_samples() {
    let open_metrics = "\
# HELP a_seconds Time of a.
# TYPE a_seconds counter
# UNIT a_seconds seconds
a_seconds_total 1
# HELP b How many # TYPE there are
# TYPE b gauge
b{x=\"# TYPE b counter\"} 2
# EOF
";
    let prometheus = "\
# HELP a_seconds_total Time of a.
# TYPE a_seconds_total counter
a_seconds_total 1
# HELP b How many # TYPE there are
# TYPE b gauge
b{x=\"# TYPE b counter\"} 2
";
    assert_eq!(of_prometheus(open_metrics), prometheus);
}

#[derive(Debug)]
struct Caches([CacheLookups; 2]);

impl Collector for Caches {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> Result {
        caches(&mut Sheet(encoder), &self.0)
    }
}

#[test]
fn lookups_in_a_cache_are_told_by_where_they_were_answered_and_not_where_only_a_part_is_counted() {
    let cache = |content, hits, misses| CacheLookups {
        engine: "e",
        content,
        hits,
        misses,
    };
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Caches([
        cache("a", Some(1), 2),
        cache("b", None, 3),
    ])));
    let mut told = String::new();
    encode(&mut told, &registry).unwrap();
    let samples: Vec<_> = told.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(
        samples,
        [
            r#"store_cache_lookups_total{engine="e",content="a",answered_by="cache"} 1"#,
            r#"store_cache_lookups_total{engine="e",content="a",answered_by="file"} 2"#,
            r#"store_cache_lookups_total{engine="e",content="b",answered_by="file"} 3"#,
        ]
    );
}
