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
