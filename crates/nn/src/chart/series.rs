//! What is drawn over a pair of axes: lines with bands, points, bars.

use super::axis::Axis;
use super::pen::append;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Style {
    Line,
    Dashed,
    Dotted,
    Points,
    Bars,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Series {
    pub(super) name: String,
    pub(super) style: Style,
    /// Across, up, and how far the band reaches to either side.
    pub(super) points: Vec<[f64; 3]>,
}

/// Where a bar stands among those of its category.
#[derive(Clone, Copy)]
pub(super) struct Slot {
    pub(super) position: usize,
    pub(super) of: usize,
}

impl Slot {
    /// From where to where the bar reaches around its category.
    fn sides(self) -> [f64; 2] {
        let width = 0.8 / self.of.max(1) as f64;
        let left = -0.4 + width * self.position as f64;
        [left, left + 0.94 * width]
    }
}

impl Series {
    /// All heights that the axis must reach.
    pub(super) fn heights(&self) -> impl Iterator<Item = f64> {
        let base = (self.style == Style::Bars).then_some(0.0);
        self.points.iter().flat_map(|[_, y, spread]| [*y, y - spread, y + spread]).chain(base)
    }

    /// How the path is drawn: a line of no length with round ends is a dot.
    pub(super) fn pen(&self) -> &'static str {
        match self.style {
            Style::Points => r#"stroke-width="4" stroke-linecap="round" opacity="0.75""#,
            Style::Dashed => r#"stroke-width="1.8" stroke-dasharray="7 4""#,
            Style::Dotted => r#"stroke-width="2.2" stroke-dasharray="0.1 4.5" stroke-linecap="round""#,
            Style::Line | Style::Bars => r#"stroke-width="1.8""#,
        }
    }

    pub(super) fn draw(&self, svg: &mut String, axes: [&Axis; 2], colour: &str, slot: Slot) {
        if self.style == Style::Bars {
            let bars = self.bars(axes, slot);
            return append(svg, format_args!(r#"<path d="{bars}" fill="{colour}" fill-opacity="0.85"/>"#));
        }
        let band = self.band(axes);
        if !band.is_empty() {
            append(svg, format_args!(r#"<path d="{band}" fill="{colour}" fill-opacity="0.16"/>"#));
        }
        let (path, lone) = self.path(axes);
        append(svg, format_args!(r#"<path d="{path}" fill="none" stroke="{colour}" {}/>"#, self.pen()));
        if !lone.is_empty() {
            let pen = r#"stroke-width="5" stroke-linecap="round""#;
            append(svg, format_args!(r#"<path d="{lone}" fill="none" stroke="{colour}" {pen}/>"#));
        }
    }

    /// The path data: a move after each gap, lines between; or a dot at each point. Points of a line that have no
    /// neighbour are dots of their own.
    fn path(&self, axes: [&Axis; 2]) -> (String, String) {
        let (mut path, mut lone) = (String::new(), String::new());
        for run in self.placed(axes).split(Option::is_none).filter(|run| !run.is_empty()) {
            let dots = self.style == Style::Points;
            for (i, [x, y, ..]) in run.iter().flatten().enumerate() {
                match (dots, run.len(), i) {
                    (true, ..) => append(&mut path, format_args!("M{x:.1} {y:.1}h0")),
                    (_, 1, _) => append(&mut lone, format_args!("M{x:.1} {y:.1}h0")),
                    _ => append(&mut path, format_args!("{}{x:.1} {y:.1}", if i == 0 { 'M' } else { 'L' })),
                }
            }
        }
        (path, lone)
    }

    /// The outline of the band around each stretch without gaps; a whisker around a lone point.
    fn band(&self, axes: [&Axis; 2]) -> String {
        let mut band = String::new();
        if self.points.iter().all(|point| point[2] == 0.0) {
            return band;
        }
        for run in self.placed(axes).split(Option::is_none) {
            if let [Some([x, _, low, high])] = run {
                append(&mut band, format_args!("M{:.1} {low:.1}h4V{high:.1}h-4Z", x - 2.0));
                continue;
            }
            let upper = run.iter().flatten().map(|[x, _, _, high]| [x, high]);
            let lower = run.iter().flatten().rev().map(|[x, _, low, _]| [x, low]);
            for (i, [x, y]) in upper.chain(lower).enumerate() {
                append(&mut band, format_args!("{}{x:.1} {y:.1}", if i == 0 { 'M' } else { 'L' }));
            }
        }
        band
    }

    /// The places of the points and of the ends of their bands, none for those that cannot be shown. A band that
    /// reaches below a logarithmic axis ends with the plot.
    fn placed(&self, [across, up]: [&Axis; 2]) -> Vec<Option<[f64; 4]>> {
        let place = |&[x, y, spread]: &[f64; 3]| {
            let (x, middle) = (across.place(x)?, up.place(y)?);
            let spread = if spread.is_finite() { spread.abs() } else { 0.0 };
            let [low, high] =
                [(y - spread, up.from), (y + spread, up.to)].map(|(y, edge)| up.place(y).unwrap_or(edge));
            Some([x, middle, low, high])
        };
        self.points.iter().map(place).collect()
    }

    fn bars(&self, [across, up]: [&Axis; 2], slot: Slot) -> String {
        let mut bars = String::new();
        let base = up.place(0.0).unwrap_or(up.from);
        for [x, y, _] in &self.points {
            let sides = slot.sides().map(|side| across.place(x + side));
            if let ([Some(left), Some(right)], Some(top)) = (sides, up.place(*y)) {
                append(&mut bars, format_args!("M{left:.1} {base:.1}V{top:.1}H{right:.1}V{base:.1}Z"));
            }
        }
        bars
    }

    /// Places that the series covers, close enough to each other to tell what a legend would hide.
    pub(super) fn covered(&self, axes: [&Axis; 2], slot: Slot) -> Vec<[f64; 2]> {
        const BETWEEN: u32 = 8;
        let between = |[from, to]: [[f64; 2]; 2]| {
            (0..=BETWEEN).map(move |i| {
                let share = f64::from(i) / f64::from(BETWEEN);
                [0, 1].map(|axis| from[axis] + share * (to[axis] - from[axis]))
            })
        };
        if self.style == Style::Bars {
            let [across, up] = axes;
            let base = up.place(0.0).unwrap_or(up.from);
            let sides = |x: f64| slot.sides().map(|side| across.place(x + side));
            let tops = self.points.iter().filter_map(|[x, y, _]| Some((sides(*x), up.place(*y)?)));
            return tops
                .flat_map(|(sides, top)| sides.into_iter().flatten().map(move |x| [[x, base], [x, top]]))
                .flat_map(between)
                .collect();
        }
        let placed = self.placed(axes);
        let points =
            placed.iter().flatten().flat_map(|[x, y, low, high]| [[*x, *y], [*x, *low], [*x, *high]]);
        let joined = placed.windows(2).filter(|_| self.style != Style::Points);
        let lines = joined.filter_map(|pair| match pair {
            [Some([x, y, ..]), Some([u, v, ..])] => Some([[*x, *y], [*u, *v]]),
            _ => None,
        });
        points.chain(lines.flat_map(between)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{Axis, Series, Slot, Style};

    fn drawn(style: Style, points: &[[f64; 3]], log: bool) -> String {
        let series = Series { name: String::new(), style, points: points.to_vec() };
        let across = Axis::over(points.iter().map(|p| p[0]), false).on(0.0, 100.0);
        let up = Axis::over(series.heights(), log).on(100.0, 0.0);
        let mut svg = String::new();
        series.draw(&mut svg, [&across, &up], "red", Slot { position: 0, of: 1 });
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        svg
    }

    #[test]
    fn gaps_cut_a_line_and_lone_points_are_dots() {
        let points = [[0.0, 1.0, 0.0], [1.0, 2.0, 0.0], [2.0, f64::NAN, 0.0], [3.0, 1.0, 0.0]];
        let svg = drawn(Style::Line, &points, false);
        assert_eq!(
            (svg.matches('M').count(), svg.matches('L').count(), svg.matches("h0").count()),
            (2, 1, 1)
        );
        assert_eq!(drawn(Style::Line, &[], false).matches('M').count(), 0);
    }

    #[test]
    fn bands_go_there_and_back() {
        let svg = drawn(Style::Line, &[[0.0, 1.0, 0.5], [1.0, 2.0, 0.5], [2.0, 2.0, f64::NAN]], false);
        let band = svg.split('"').nth(1).expect("the band comes first");
        assert_eq!(band.matches('L').count(), 5, "{svg}");
        assert!(drawn(Style::Line, &[[0.0, 1.0, 0.5]], false).contains("h4V"));
    }

    #[test]
    fn a_band_below_a_logarithmic_axis_ends_with_the_plot() {
        let svg = drawn(Style::Line, &[[0.0, 1.0, 2.0], [1.0, 10.0, 2.0]], true);
        let band = svg.split('"').nth(1).expect("the band comes first");
        assert!(band.ends_with("100.0"), "{band}");
    }

    #[test]
    fn bars_stand_on_zero_and_hang_from_it() {
        let svg = drawn(Style::Bars, &[[0.0, 2.0, 0.0], [1.0, -2.0, 0.0], [2.0, f64::NAN, 0.0]], false);
        assert_eq!(svg.matches(" 50.0V").count(), 2, "{svg}");
        assert!(drawn(Style::Bars, &[[0.0, 2.0, 0.0]], true).contains('V'));
    }
}
