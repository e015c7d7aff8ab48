//! Charts of bars.

use super::svg::{Anchor, Canvas};
use crate::number;
use crate::report::Spread;

const WIDTH: f64 = 760.0;
const LEFT: f64 = 170.0;
const RIGHT: f64 = 170.0;
const TOP: f64 = 40.0;
const ROW: f64 = 22.0;
const GAP: f64 = 30.0;

/// One bar.
#[derive(Clone, Debug)]
pub(super) struct Bar {
    pub(super) name: String,
    pub(super) colour: &'static str,
    pub(super) value: Spread,
}

/// Bars that are compared with each other: each group has a scale of its own.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) title: String,
    pub(super) bars: Vec<Bar>,
}

/// Draws groups below each other.
pub(super) fn draw(title: &str, groups: &[Group]) -> String {
    let rows: usize = groups.iter().map(|group| group.bars.len()).sum();
    let height = TOP + ROW * number::float(rows) + GAP * number::float(groups.len()) + 10.0;
    let mut canvas = Canvas::new(WIDTH, height, title);
    let mut at = TOP;
    for group in groups {
        at += GAP;
        canvas.text((16.0, at - 8.0), Anchor::Start, ("small", &group.title));
        let longest = group
            .bars
            .iter()
            .map(|bar| bar.value.max)
            .fold(0.0, f64::max);
        let place = |value: f64| LEFT + value / longest.max(1e-9) * (WIDTH - LEFT - RIGHT);
        for bar in &group.bars {
            let middle = at + ROW / 2.0;
            let Spread { median, min, max } = bar.value;
            canvas.text(
                (LEFT - 8.0, middle + 4.0),
                Anchor::End,
                ("small", &bar.name),
            );
            canvas.bar(
                (LEFT, at + 3.0),
                (place(median) - LEFT, ROW - 6.0),
                bar.colour,
            );
            canvas.rule((place(min), middle), (place(max), middle), "axis");
            let text = bar.value.text();
            canvas.text(
                (place(max) + 8.0, middle + 4.0),
                Anchor::Start,
                ("small", &text),
            );
            at += ROW;
        }
    }
    canvas.finish()
}
