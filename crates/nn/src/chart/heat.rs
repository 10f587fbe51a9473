//! A table of numbers as colours, with the scale beside it.

use super::axis::{Axis, range};
use super::colour::{NONE, sequential};
use super::pen::{coarse, label, table, width_of};

/// The width that the colour bar takes with its numbers.
pub(super) const BAR: f64 = 62.0;
/// Colours told apart.
const LEVELS: f64 = 64.0;

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Heat {
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) values: Vec<f64>,
    /// Names of the rows, or none.
    pub(super) names: Vec<String>,
}

impl Heat {
    /// The width of the longest name.
    pub(super) fn longest(&self) -> f64 {
        self.names.iter().map(|name| width_of(name)).fold(0.0, f64::max)
    }

    /// The cells, the names of the rows and the colour bar.
    pub(super) fn draw(&self, svg: &mut String, [across, up]: [&Axis; 2], log: bool) {
        let (top, bottom) = (up.from.min(up.to), up.from.max(up.to));
        let scaled = |value: f64| if log { value.log10() } else { value };
        let (low, high) = range(self.values.iter().map(|v| scaled(*v)).filter(|v| v.is_finite()));
        let span = (high - low).max(f64::MIN_POSITIVE);
        let colour = |value: &f64| {
            let share = (scaled(*value) - low) / span;
            if share.is_finite() { sequential(coarse(share, LEVELS)) } else { NONE }
        };
        let colours: Vec<[u8; 3]> = self.values.iter().map(colour).collect();
        let area = [across.from, top, across.to - across.from, bottom - top];
        table(svg, area, self.columns, &colours);
        let mut free = f64::NEG_INFINITY;
        for row in 0..self.rows {
            let name = self.names.get(row).map_or_else(|| row.to_string(), String::clone);
            if let Some(y) = up.place(row as f64).filter(|y| *y >= free) {
                label(svg, [across.from - 6.0, y + 4.0], "end", "11", &name);
                free = y + 11.0;
            }
        }
        let x = across.to + 10.0;
        if low <= high {
            let steps = LEVELS as usize;
            let bar: Vec<_> = (0..steps).rev().map(|i| sequential(i as f64 / (steps - 1) as f64)).collect();
            let bar = if low == high { vec![sequential(0.0)] } else { bar };
            table(svg, [x, top, 12.0, bottom - top], 1, &bar);
            let scale = Axis::over(self.values.iter().copied(), log).along(bottom, top);
            for (y, text) in scale.ticks() {
                label(svg, [x + 16.0, y + 4.0], "start", "10", &text);
            }
        }
        if colours.contains(&NONE) {
            let y = bottom + 8.0;
            table(svg, [x, y, 12.0, 10.0], 1, &[NONE]);
            label(svg, [x + 16.0, y + 9.0], "start", "10", if log { "0, ∞" } else { "none" });
        }
    }
}
