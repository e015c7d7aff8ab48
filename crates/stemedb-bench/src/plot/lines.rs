//! Charts of lines.

use super::svg::{Anchor, Canvas};
use crate::number;

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 400.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 190.0;
const TOP: f64 = 44.0;
const BOTTOM: f64 = 48.0;

/// How values become places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scale {
    /// From nothing.
    Linear,
    /// By powers of ten.
    Log,
}

/// One line.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) name: String,
    pub(super) colour: &'static str,
    /// Where it is, and how far the rounds lie apart there.
    pub(super) points: Vec<Point>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Point {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) low: f64,
    pub(super) high: f64,
}

/// What a chart shows.
#[derive(Clone, Debug)]
pub(super) struct Chart<'a> {
    pub(super) title: &'a str,
    pub(super) x: (&'a str, Scale),
    pub(super) y: (&'a str, Scale),
    pub(super) lines: Vec<Line>,
}

/// An axis: the range of its values, and that of their places.
#[derive(Clone, Copy, Debug)]
struct Axis {
    scale: Scale,
    values: (f64, f64),
    places: (f64, f64),
}

impl Axis {
    fn new(scale: Scale, values: impl Iterator<Item = f64>, places: (f64, f64)) -> Self {
        let (mut low, mut high) = (f64::INFINITY, 0.0_f64);
        for value in values.filter(|value| value.is_finite() && *value > 0.0) {
            (low, high) = (low.min(value), high.max(value));
        }
        let values = match scale {
            Scale::Linear => (0.0, if high > 0.0 { high * 1.08 } else { 1.0 }),
            Scale::Log if high > 0.0 => (low / 1.3, high * 1.3),
            Scale::Log => (1.0, 10.0),
        };
        Self {
            scale,
            values,
            places,
        }
    }

    fn place(&self, value: f64) -> f64 {
        let (low, high) = self.values;
        let part = match self.scale {
            Scale::Linear => (value - low) / (high - low),
            Scale::Log => (value.max(low).ln() - low.ln()) / (high.ln() - low.ln()),
        };
        self.places.0 + part * (self.places.1 - self.places.0)
    }

    /// Values that are written beside it.
    fn ticks(&self) -> Vec<f64> {
        let (low, high) = self.values;
        match self.scale {
            Scale::Log => {
                let powers = (-3..=9).map(|power| 10_f64.powi(power));
                powers
                    .filter(|value| *value >= low && *value <= high)
                    .collect()
            }
            Scale::Linear => {
                let rough = high / 5.0;
                let power = 10_f64.powf(rough.log10().floor());
                let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * power);
                let step = steps
                    .into_iter()
                    .find(|step| *step >= rough)
                    .unwrap_or(rough);
                (0..=10_u32)
                    .map(|count| f64::from(count) * step)
                    .filter(|value| *value <= high)
                    .collect()
            }
        }
    }
}

impl Chart<'_> {
    /// Draws it; `marks` are the values that are written at the horizontal axis, the ticks where there are none.
    pub(super) fn draw(&self, marks: &[f64]) -> String {
        let mut canvas = Canvas::new(WIDTH, HEIGHT, self.title);
        let points = || self.lines.iter().flat_map(|line| &line.points);
        let x = Axis::new(
            self.x.1,
            points().map(|point| point.x),
            (LEFT, WIDTH - RIGHT),
        );
        let values = points().flat_map(|point| [point.low, point.y, point.high]);
        let y = Axis::new(self.y.1, values, (HEIGHT - BOTTOM, TOP));
        self.draw_axes(&mut canvas, (&x, &y), marks);
        for line in &self.lines {
            let places: Vec<(f64, f64)> = line
                .points
                .iter()
                .map(|point| (x.place(point.x), y.place(point.y)))
                .collect();
            canvas.path(&places, line.colour);
            let is_sparse = line.points.len() <= 10;
            for (point, place) in line.points.iter().zip(&places).filter(|_| is_sparse) {
                canvas.dot(*place, line.colour);
                let (low, high) = (y.place(point.low), y.place(point.high));
                canvas.stroke((place.0, low), (place.0, high), line.colour);
            }
        }
        self.draw_legend(&mut canvas);
        canvas.finish()
    }

    fn draw_axes(&self, canvas: &mut Canvas, (x, y): (&Axis, &Axis), marks: &[f64]) {
        let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
        for tick in y.ticks() {
            let at = y.place(tick);
            canvas.rule((LEFT, at), (right, at), "grid");
            let text = number::tick(tick);
            canvas.text((LEFT - 8.0, at + 4.0), Anchor::End, ("small", &text));
        }
        let ticks = if marks.is_empty() {
            x.ticks()
        } else {
            marks.to_vec()
        };
        for tick in ticks {
            let at = x.place(tick);
            canvas.rule((at, bottom), (at, bottom + 5.0), "axis");
            let text = number::tick(tick);
            canvas.text((at, bottom + 18.0), Anchor::Middle, ("small", &text));
        }
        canvas.rule((LEFT, bottom), (right, bottom), "axis");
        let middle = f64::midpoint(LEFT, right);
        canvas.text((middle, HEIGHT - 10.0), Anchor::Middle, ("small", self.x.0));
        canvas.text((16.0, TOP - 6.0), Anchor::Start, ("small", self.y.0));
    }

    fn draw_legend(&self, canvas: &mut Canvas) {
        let left = WIDTH - RIGHT + 16.0;
        let mut at = TOP + 8.0;
        for line in &self.lines {
            canvas.bar((left, at - 9.0), (12.0, 10.0), line.colour);
            canvas.text((left + 18.0, at), Anchor::Start, ("small", &line.name));
            at += 19.0;
        }
    }
}
