//! The picture of a subject, for people.
//!
//! What holds for all assertions alike, their source for example, is said once at the top.

use std::collections::BTreeSet;

use stemedb::Lifecycle;

use super::group::{Groups, Support, Values};
use crate::{
    failure::Failure,
    output::{Output, Style},
    text::{counted, printable, short_id, shortened},
};

/// Characters of a value that are shown; `--json` has all of it.
const VALUE_CHARS_MAX: usize = 60;

/// To this width values are padded, so that what follows stands in a column.
const VALUE_COLUMN_MAX: usize = 44;

/// Agents, sources and ids that are named; the others are counted.
const AGENTS_MAX: usize = 2;
const SOURCES_MAX: usize = 2;
const IDS_MAX: usize = 1;

/// What is said at the top, and so not again below.
#[derive(Debug, Clone, Copy)]
struct Common {
    source: bool,
    confidence: bool,
    lifecycle: bool,
}

impl Common {
    fn of(all: &Support) -> Self {
        Self {
            source: all.sources.len() == 1,
            confidence: all.confidence().is_uniform(),
            lifecycle: all.lifecycles.len() == 1,
        }
    }
}

/// Prints what is claimed about `subject`.
pub(super) fn print(output: &mut Output, subject: &str, groups: &Groups) -> Result<(), Failure> {
    let all = &groups.all;
    let common = Common::of(all);
    let heading = output.styled(Style::Bold, printable(subject));
    output.line(heading)?;
    output.line(format_args!(
        "  {} by {} on {}, {} disputed",
        counted(count(&all.ids), "assertion", "assertions"),
        counted(count(&all.agents_in_order), "agent", "agents"),
        counted(count_of(groups.predicates.len()), "predicate", "predicates"),
        groups.disputed()
    ))?;
    let shared = details(all, common, Wanted::Shared).join(", ");
    if !shared.is_empty() {
        output.line(format_args!("  all with {shared}"))?;
    }
    for (predicate, values) in &groups.predicates {
        print_predicate(output, predicate.as_str(), values, common)?;
    }
    Ok(())
}

fn print_predicate(
    output: &mut Output,
    predicate: &str,
    values: &Values,
    common: Common,
) -> Result<(), Failure> {
    let by_support = values.by_support();
    let heading = output.styled(Style::Bold, printable(predicate));
    let number = if values.is_disputed() {
        let text = format!("disputed: {} values", by_support.len());
        output.styled(Style::Warn, text)
    } else {
        output.styled(Style::Dim, "1 value")
    };
    output.line("")?;
    output.line(format_args!("{heading}  {number}"))?;
    let shown: Vec<_> = by_support
        .into_iter()
        .map(|(value, support)| (shortened(value, VALUE_CHARS_MAX), support))
        .collect();
    let widths = shown.iter().map(|(value, _)| value.chars().count());
    let width = widths.max().unwrap_or(0).min(VALUE_COLUMN_MAX);
    for (value, support) in shown {
        let ids = some(support.ids.iter().map(|id| short_id(*id)), IDS_MAX);
        let ids = output.styled(Style::Dim, format_args!("[{ids}]"));
        let mut line = format!("  {value:width$}  {}", agents(support));
        for detail in details(support, common, Wanted::Own) {
            line.push_str(", ");
            line.push_str(&detail);
        }
        output.line(format_args!("{line}  {ids}"))?;
    }
    Ok(())
}

/// How many agents, and who: the number stands in a column of its own.
fn agents(support: &Support) -> String {
    let names = &support.agents_in_order;
    let shown = some(
        names.iter().map(|name| printable(name).into_owned()),
        AGENTS_MAX,
    );
    let number = counted(count(names), "agent ", "agents");
    format!("{number:>10}  {shown}")
}

/// Which details are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    /// Those that all assertions share.
    Shared,
    /// The others.
    Own,
}

/// How sure, from where, and how far it has come.
fn details(support: &Support, common: Common, wanted: Wanted) -> Vec<String> {
    let is_wanted = |is_common: bool| is_common == (wanted == Wanted::Shared);
    let mut details = Vec::new();
    if is_wanted(common.confidence) {
        details.push(support.confidence().to_string());
    }
    if is_wanted(common.source) {
        let sources = support.sources.iter().map(|source| match source {
            Some(source) => printable(source).into_owned(),
            None => "no source".to_owned(),
        });
        let from = if support.sources.iter().all(Option::is_none) {
            ""
        } else {
            "from "
        };
        details.push(format!("{from}{}", some(sources, SOURCES_MAX)));
    }
    if is_wanted(common.lifecycle) && !is_usual(&support.lifecycles) {
        let lifecycles = support.lifecycles.iter().map(ToString::to_string);
        details.push(some(lifecycles, Lifecycle::ALL.len()));
    }
    details
}

fn is_usual(lifecycles: &BTreeSet<Lifecycle>) -> bool {
    lifecycles.iter().all(Lifecycle::is_proposed)
}

/// The first `max` of `items`, and how many there are beside them.
fn some(items: impl ExactSizeIterator<Item = String>, max: usize) -> String {
    let rest = items.len().saturating_sub(max);
    let shown = items.take(max).collect::<Vec<_>>().join(", ");
    match rest {
        0 => shown,
        _ => format!("{shown} +{rest}"),
    }
}

fn count<T>(items: &[T]) -> u64 {
    count_of(items.len())
}

fn count_of(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::some;

    #[test]
    fn what_is_not_named_is_counted() {
        let names = |count: usize| (0..count).map(|at| at.to_string()).collect::<Vec<_>>();
        assert_eq!(some(names(1).into_iter(), 2), "0");
        assert_eq!(some(names(2).into_iter(), 2), "0, 1");
        assert_eq!(some(names(5).into_iter(), 2), "0, 1 +3");
    }
}
