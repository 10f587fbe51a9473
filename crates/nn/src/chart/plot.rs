//! A panel with a pair of axes, and what is drawn over them.

use super::axis::Axis;
use super::colour::COLOURS;
use super::heat::{BAR, Heat};
use super::legend::Legend;
use super::pen::{append, label, rule, turned, width_of};
use super::series::{Series, Slot, Style};
use super::{HEIGHT, WIDTH};

/// Room around the plotted area: left, top, right, bottom.
const MARGIN: [f64; 4] = [58.0, 34.0, 14.0, 46.0];
/// The most width for names of rows.
const NAMES: f64 = 150.0;

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Plot {
    pub(super) x_label: String,
    pub(super) y_label: String,
    pub(super) log: bool,
    pub(super) log_x: bool,
    pub(super) series: Vec<Series>,
    pub(super) markers: Vec<(f64, String)>,
    /// Names at 0, 1, 2, ... on the horizontal axis.
    pub(super) categories: Vec<String>,
    pub(super) heat: Option<Heat>,
}

impl Plot {
    pub(super) fn draw(&self, svg: &mut String) {
        let legend = Legend::of(&self.series);
        // Beside the plot if there are many names, or if it would hide too much inside.
        let mut axes = self.axes(if legend.is_long() { legend.width() } else { 0.0 });
        let mut place = legend.beside([&axes[0], &axes[1]]);
        if !legend.is_long() {
            let ([across, up], hidden);
            [across, up] = [&axes[0], &axes[1]];
            (place, hidden) = legend.inside([across, up], &self.covered([across, up]));
            if hidden && self.heat.is_none() && legend.width() < 0.4 * WIDTH {
                axes = self.axes(legend.width());
                place = legend.beside([&axes[0], &axes[1]]);
            }
        }
        let [across, up] = [&axes[0], &axes[1]];
        self.frame(svg, [across, up]);
        for (series, colour, slot) in self.coloured(&legend) {
            series.draw(svg, [across, up], colour, slot);
        }
        for (row, (x, text)) in self.markers.iter().enumerate() {
            marker(svg, [across, up], *x, text, row);
        }
        legend.draw(svg, place);
        let (x, y) = (14.0, f64::midpoint(up.from, up.to));
        label(svg, [f64::midpoint(across.from, across.to), HEIGHT - 10.0], "middle", "12", &self.x_label);
        turned(svg, [x, y], -90, "middle", "12", &self.y_label);
    }

    /// The axes, with room on the right for what stands beside the plot.
    fn axes(&self, beside: f64) -> [Axis; 2] {
        let (left, beside) = match &self.heat {
            Some(heat) => ((heat.longest() + 34.0).clamp(MARGIN[0], NAMES), beside + BAR),
            None => (MARGIN[0], beside),
        };
        let lower = HEIGHT - MARGIN[3] - self.slope();
        if let Some(heat) = &self.heat {
            let [across, up] = [heat.columns, heat.rows].map(Axis::cells);
            return [across.along(left, WIDTH - MARGIN[2] - beside), up.along(MARGIN[1], lower)];
        }
        let heights = self.series.iter().flat_map(Series::heights);
        let widths = self.series.iter().flat_map(|series| series.points.iter().map(|point| point[0]));
        let widths = widths.chain(self.markers.iter().map(|marker| marker.0));
        let across = if self.is_named() {
            let bars = self.series.iter().map(|series| series.points.len()).max().unwrap_or(0);
            Axis::cells(bars.max(self.categories.len())).along(left, WIDTH - MARGIN[2] - beside)
        } else {
            Axis::over(widths, self.log_x).on(left, WIDTH - MARGIN[2] - beside)
        };
        [across, Axis::over(heights, self.log).on(lower, MARGIN[1])]
    }

    /// Whether places across are counted and have names.
    fn is_named(&self) -> bool {
        self.heat.is_some()
            || !self.categories.is_empty()
            || self.series.iter().any(|series| series.style == Style::Bars)
    }

    /// The height of names that have to be written aslope, since they are wider than their places.
    fn slope(&self) -> f64 {
        let longest = self.categories.iter().map(|name| width_of(name)).fold(0.0, f64::max);
        let place = (WIDTH - MARGIN[0] - MARGIN[2]) / self.categories.len().max(1) as f64;
        if self.heat.is_some() || longest <= place { 0.0 } else { (0.45 * longest).min(90.0) }
    }

    /// The grid with its numbers or names; the cells of a heat map.
    fn frame(&self, svg: &mut String, [across, up]: [&Axis; 2]) {
        if let Some(heat) = &self.heat {
            heat.draw(svg, [across, up], self.log);
        } else {
            for (at, text) in up.ticks() {
                rule(svg, [across.from, at, across.to, at]);
                label(svg, [across.from - 6.0, at + 4.0], "end", "11", &text);
            }
        }
        let bottom = up.from.max(up.to);
        if !self.is_named() {
            for (at, text) in across.ticks() {
                rule(svg, [at, up.from, at, up.to]);
                label(svg, [at, bottom + 16.0], "middle", "11", &text);
            }
            return;
        }
        let slope = self.slope() > 0.0;
        let longest = self.categories.iter().map(|name| width_of(name)).fold(24.0, f64::max);
        let (mut free, count) = (f64::NEG_INFINITY, across.count());
        for i in 0..count {
            let name = self.categories.get(i).map_or_else(|| i.to_string(), String::clone);
            let Some(at) = across.place(i as f64) else { continue };
            if !self.categories.is_empty() && self.categories.len() <= i || at < free {
                continue;
            }
            if slope {
                turned(svg, [at + 4.0, bottom + 14.0], -30, "end", "11", &name);
                free = at + 11.0;
            } else {
                label(svg, [at, bottom + 16.0], "middle", "11", &name);
                free = at + longest.min(width_of(&name).max(18.0) + 8.0);
            }
        }
    }

    /// The series with their colours and the places of their bars.
    fn coloured<'a>(
        &'a self,
        legend: &'a Legend<'_>,
    ) -> impl Iterator<Item = (&'a Series, &'static str, Slot)> {
        let of = self.series.iter().filter(|series| series.style == Style::Bars).count();
        let mut position = 0;
        self.series.iter().map(move |series| {
            let slot = Slot { position, of };
            position += usize::from(series.style == Style::Bars);
            (series, COLOURS[legend.position(&series.name) % COLOURS.len()], slot)
        })
    }

    fn covered(&self, axes: [&Axis; 2]) -> Vec<[f64; 2]> {
        let of = self.series.iter().filter(|series| series.style == Style::Bars).count();
        let slots = (0..).map(|position| Slot { position, of });
        self.series.iter().zip(slots).flat_map(|(series, slot)| series.covered(axes, slot)).collect()
    }
}

/// A dashed vertical line, its text beside it, on the side where there is more room.
fn marker(svg: &mut String, [across, up]: [&Axis; 2], x: f64, text: &str, row: usize) {
    let Some(x) = across.place(x) else { return };
    let path = format!("M{x:.1} {:.1}V{:.1}", up.from, up.to);
    append(
        svg,
        format_args!(r##"<path d="{path}" stroke="#666" stroke-width="1.2" stroke-dasharray="4 3"/>"##),
    );
    let left = x > f64::midpoint(across.from, across.to);
    let (at, anchor) = if left { (x - 5.0, "end") } else { (x + 5.0, "start") };
    label(svg, [at, up.from.min(up.to) + 12.0 + 14.0 * (row % 6) as f64], anchor, "11", text);
}
