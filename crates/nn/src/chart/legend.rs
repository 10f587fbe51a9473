//! The names of the series in their colours.

use super::axis::Axis;
use super::colour::COLOURS;
use super::pen::{append, label};
use super::series::{Series, Style};

/// The most names that lie inside the plot.
const INSIDE: usize = 7;
/// The share of what is drawn that a legend may hide.
const HIDDEN: f64 = 0.005;

/// Each name once, with its first series.
pub(super) struct Legend<'a> {
    entries: Vec<&'a Series>,
}

impl<'a> Legend<'a> {
    pub(super) fn of(series: &'a [Series]) -> Self {
        let mut entries: Vec<&Series> = Vec::new();
        for one in series {
            if entries.iter().all(|entry| entry.name != one.name) {
                entries.push(one);
            }
        }
        Self { entries }
    }

    /// The place of a name, which is that of its colour.
    pub(super) fn position(&self, name: &str) -> usize {
        self.entries.iter().position(|entry| entry.name == name).unwrap_or(0)
    }

    pub(super) fn is_long(&self) -> bool {
        self.entries.len() > INSIDE
    }

    pub(super) fn width(&self) -> f64 {
        let longest = self.entries.iter().map(|entry| entry.name.chars().count()).max().unwrap_or(0);
        34.0 + 6.6 * longest as f64
    }

    fn height(&self) -> f64 {
        8.0 + 16.0 * self.entries.len() as f64
    }

    /// The corner of a legend to the right of the plot.
    pub(super) fn beside(&self, [across, up]: [&Axis; 2]) -> [f64; 2] {
        [across.to + 6.0, up.to.min(up.from)]
    }

    /// The place in the plot where the legend hides the least, and whether it hides too much even
    /// there.
    pub(super) fn inside(&self, [across, up]: [&Axis; 2], covered: &[[f64; 2]]) -> ([f64; 2], bool) {
        let (width, height) = (self.width(), self.height());
        let (left, right) = (across.from + 6.0, across.to - width - 6.0);
        let (top, bottom) = (up.to.min(up.from) + 6.0, up.from.max(up.to) - height - 6.0);
        let hidden = |[x, y]: &[f64; 2]| {
            let under = |[px, py]: &&[f64; 2]| (*x..x + width).contains(px) && (*y..y + height).contains(py);
            covered.iter().filter(under).count()
        };
        // Corners first, then along the sides, then anywhere: of equal places the first is taken.
        let steps = |from: f64, to: f64| [0.0, 1.0, 0.5, 0.25, 0.75].map(|share| from + share * (to - from));
        let rows = steps(top, bottom);
        let places = steps(right, left).into_iter().flat_map(|x| rows.map(|y| [x, y]));
        let place = places.min_by_key(hidden).unwrap_or([right, top]);
        (place, hidden(&place) as f64 > HIDDEN * covered.len() as f64)
    }

    pub(super) fn draw(&self, svg: &mut String, [x, y]: [f64; 2]) {
        // One series without a name needs no legend.
        if self.entries.iter().all(|entry| entry.name.is_empty()) {
            return;
        }
        let place =
            format!(r#"x="{x:.1}" y="{y:.1}" width="{:.1}" height="{:.1}""#, self.width(), self.height());
        append(svg, format_args!(r##"<rect {place} fill="#fff" fill-opacity="0.85" stroke="#ccc"/>"##));
        for (row, (entry, colour)) in self.entries.iter().zip(COLOURS.iter().cycle()).enumerate() {
            let middle = y + 12.0 + 16.0 * row as f64;
            let dash = format!("M{:.1} {middle:.1}H{:.1}", x + 6.0, x + 23.0);
            let pen = match entry.style {
                Style::Dashed | Style::Dotted => entry.pen(),
                _ => r#"stroke-width="3""#,
            };
            append(svg, format_args!(r#"<path d="{dash}" stroke="{colour}" {pen}/>"#));
            label(svg, [x + 27.0, middle + 4.0], "start", "11", &entry.name);
        }
    }
}
