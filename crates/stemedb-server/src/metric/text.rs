//! The older of the two texts that Prometheus reads, made of the newer one: every tool reads it.

use std::borrow::Cow;

/// Writes in the text format 0.0.4 of Prometheus what is written in that of `OpenMetrics`.
///
/// They differ in the name that a counter has in its head, and in lines that the older one does not know.
pub(super) fn of_prometheus(open_metrics: &str) -> String {
    let mut text = String::with_capacity(open_metrics.len() + 1024);
    let mut help = None;
    for line in open_metrics.lines() {
        if let Some(about) = line.strip_prefix("# HELP ") {
            // What it is about is told by the next line.
            help = about.split_once(' ').map(|(_, help)| help);
        } else if let Some((name, kind)) = head(line) {
            if let Some(help) = help.take() {
                push(&mut text, &["# HELP ", &name, " ", help]);
            }
            push(&mut text, &["# TYPE ", &name, " ", kind]);
        } else if !line.starts_with('#') {
            push(&mut text, &[line]);
        }
    }
    text
}

/// The name of a metric and its type.
fn head(line: &str) -> Option<(Cow<'_, str>, &str)> {
    let (name, kind) = line.strip_prefix("# TYPE ")?.split_once(' ')?;
    Some(match kind {
        "counter" => (Cow::Owned(format!("{name}_total")), kind),
        _ => (Cow::Borrowed(name), kind),
    })
}

fn push(text: &mut String, parts: &[&str]) {
    text.extend(parts.iter().copied());
    text.push('\n');
}
