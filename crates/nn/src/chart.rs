//! Curves and clouds of points as SVG: what an example shows of its run without any other program.
//!
//! A [`Chart`] is a titled panel of lines and points; [`save_svg`] puts panels beside each other into one file. Only text is
//! written here; no fonts, scripts or styles from outside, so that the file shows the same anywhere.

mod axis;

pub(crate) use axis::{Axis, range};
use retrograd_autograd::escaped;
use retrograd_tensor::{Error, ErrorKind};
use std::fmt::Write;
use std::path::Path;

const WIDTH: f64 = 460.0;
const HEIGHT: f64 = 320.0;
/// Room around the plotted area: left, top, right, bottom.
const MARGIN: [f64; 4] = [58.0, 34.0, 14.0, 46.0];
/// Okabe and Ito's colours, told apart by colour-blind readers too; two of Tol's make them ten.
const COLOURS: [&str; 10] = [
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#882255", "#999999",
    "#f0e442",
];

/// The most series whose legend lies inside the plot.
const INSIDE: usize = 7;

/// A panel of lines and points over a common pair of axes.
///
/// ```
/// use retrograd_nn::chart::Chart;
/// let chart = Chart::new("Loss", "epoch", "mean loss").line("train", [(1.0, 2.0), (2.0, 0.5)]).log();
/// assert!(chart.to_svg().starts_with("<svg"));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Chart {
    title: String,
    x_label: String,
    y_label: String,
    log: bool,
    series: Vec<Series>,
}

#[derive(Clone, Debug, PartialEq)]
struct Series {
    name: String,
    points: Vec<(f64, f64)>,
    /// Whether lines join the points; otherwise each is a dot.
    joined: bool,
}

impl Chart {
    /// An empty panel with a title and the names of its axes.
    pub fn new(title: impl Into<String>, x_label: impl Into<String>, y_label: impl Into<String>) -> Self {
        let (title, x_label, y_label) = (title.into(), x_label.into(), y_label.into());
        Self { title, x_label, y_label, log: false, series: Vec::new() }
    }

    /// The same with one more line. Points that are not finite, or not positive on a logarithmic axis, leave a
    /// gap.
    #[must_use]
    pub fn line(self, name: impl Into<String>, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        self.with(name.into(), points.into_iter().collect(), true)
    }

    /// The same with a cloud of points, each of them a dot. Those that are not finite, or not positive on a
    /// logarithmic axis, are left out.
    ///
    /// ```
    /// use retrograd_nn::chart::Chart;
    /// let chart = Chart::new("Codes", "first", "second").scatter("zeros", [(0.1, 2.0), (0.3, 1.5)]);
    /// assert_eq!(chart.to_svg().matches("h0").count(), 2);              // lines of no length are dots
    /// ```
    #[must_use]
    pub fn scatter(self, name: impl Into<String>, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        self.with(name.into(), points.into_iter().collect(), false)
    }

    fn with(mut self, name: String, points: Vec<(f64, f64)>, joined: bool) -> Self {
        self.series.push(Series { name, points, joined });
        self
    }

    /// The same with a logarithmic vertical axis.
    #[must_use]
    pub fn log(self) -> Self {
        Self { log: true, ..self }
    }

    /// The panel as the text of an SVG file.
    pub fn to_svg(&self) -> String {
        to_svg(std::slice::from_ref(self))
    }

    /// The drawing of this panel, its left edge at `left`.
    fn draw(&self, svg: &mut String, left: f64) {
        let values =
            |part: fn(&(f64, f64)) -> f64| self.series.iter().flat_map(|series| &series.points).map(part);
        let across = Axis::over(values(|p| p.0), false)
            .on(left + MARGIN[0], left + WIDTH - MARGIN[2] - self.room_beside());
        let up = Axis::over(values(|p| p.1), self.log).on(HEIGHT - MARGIN[3], MARGIN[1]);
        for (at, text) in up.ticks() {
            rule(svg, [across.from, at, across.to, at]);
            label(svg, [across.from - 6.0, at + 4.0], "end", "11", &text);
        }
        for (at, text) in across.ticks() {
            rule(svg, [at, up.from, at, up.to]);
            label(svg, [at, up.from + 16.0], "middle", "11", &text);
        }
        for (series, colour) in self.series.iter().zip(COLOURS.iter().cycle()) {
            let (path, pen) = (series.path(&across, &up), series.pen());
            append(svg, format_args!(r#"<path d="{path}" fill="none" stroke="{colour}" {pen}/>"#));
        }
        self.legend(svg, &across, &up);
        let middle = f64::midpoint(across.from, across.to);
        label(svg, [middle, 20.0], "middle", "14", &self.title);
        label(svg, [middle, HEIGHT - 10.0], "middle", "12", &self.x_label);
        let (x, y, text) = (left + 14.0, f64::midpoint(up.from, up.to), escaped(&self.y_label));
        let place = format!(r#"x="{x:.1}" y="{y:.1}" transform="rotate(-90 {x:.1} {y:.1})""#);
        append(svg, format_args!(r#"<text {place} text-anchor="middle" font-size="12">{text}</text>"#));
    }

    /// Width and height of the legend.
    fn legend_size(&self) -> [f64; 2] {
        let longest = self.series.iter().map(|series| series.name.chars().count()).max().unwrap_or(0);
        [34.0 + 6.6 * longest as f64, 8.0 + 16.0 * self.series.len() as f64]
    }

    /// The width kept free beside the plot for a legend that would hide too much of it.
    fn room_beside(&self) -> f64 {
        if self.series.len() > INSIDE { self.legend_size()[0] } else { 0.0 }
    }

    /// The corner of the legend: beside the plot, or at the place along its sides where it hides the least.
    fn legend_place(&self, across: &Axis, up: &Axis) -> (f64, f64) {
        let [width, height] = self.legend_size();
        if self.series.len() > INSIDE {
            return (across.to + 6.0, up.to);
        }
        let (left, right) = (across.from + 6.0, across.to - width - 6.0);
        let (top, bottom) = (up.to + 6.0, up.from - height - 6.0);
        let hidden = |&(x, y): &(f64, f64)| {
            let under = |&(px, py): &(f64, f64)| {
                let (px, py) = (across.place(px), up.place(py));
                px.is_some_and(|px| (x..x + width).contains(&px))
                    && py.is_some_and(|py| (y..y + height).contains(&py))
            };
            self.series.iter().flat_map(|series| &series.points).filter(|point| under(point)).count()
        };
        let middle = f64::midpoint(top, bottom);
        let places = [top, bottom, middle].into_iter().flat_map(|y| [(right, y), (left, y)]);
        places.min_by_key(hidden).unwrap_or((right, top))
    }

    /// Names of the series in their colours.
    fn legend(&self, svg: &mut String, across: &Axis, up: &Axis) {
        if self.series.is_empty() {
            return;
        }
        let ((x, y), [width, height]) = (self.legend_place(across, up), self.legend_size());
        let place = format!(r#"x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}""#);
        append(svg, format_args!(r##"<rect {place} fill="#fff" fill-opacity="0.85" stroke="#ccc"/>"##));
        for (row, (series, colour)) in self.series.iter().zip(COLOURS.iter().cycle()).enumerate() {
            let middle = y + 12.0 + 16.0 * row as f64;
            let (from, to) = (x + 6.0, x + 22.0);
            let dash = format!("M{from:.1} {middle:.1}H{to:.1}");
            append(svg, format_args!(r#"<path d="{dash}" stroke="{colour}" stroke-width="3"/>"#));
            label(svg, [x + 27.0, middle + 4.0], "start", "11", &series.name);
        }
    }
}

impl Series {
    /// How the path is drawn: a line of no length with round ends is a dot.
    fn pen(&self) -> &'static str {
        if self.joined {
            r#"stroke-width="1.8""#
        } else {
            r#"stroke-width="4" stroke-linecap="round" opacity="0.75""#
        }
    }

    /// The path data: a move after each gap, lines between; or a dot at each point.
    fn path(&self, across: &Axis, up: &Axis) -> String {
        let mut path = String::new();
        let mut pen = 'M';
        for &(x, y) in &self.points {
            match (across.place(x), up.place(y)) {
                (Some(x), Some(y)) if !self.joined => append(&mut path, format_args!("M{x:.1} {y:.1}h0")),
                (Some(x), Some(y)) => {
                    append(&mut path, format_args!("{pen}{x:.1} {y:.1}"));
                    pen = 'L';
                }
                _ => pen = 'M',
            }
        }
        path
    }
}

/// Panels beside each other, as the text of an SVG file.
pub fn to_svg(charts: &[Chart]) -> String {
    let width = WIDTH * charts.len() as f64;
    let mut svg = format!(
        concat!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {0} {1}" width="{0}" height="{1}" "#,
            r##"font-family="sans-serif" fill="#222"><rect width="100%" height="100%" fill="#fff"/>"##,
        ),
        width, HEIGHT
    );
    for (position, chart) in charts.iter().enumerate() {
        chart.draw(&mut svg, WIDTH * position as f64);
    }
    svg.push_str("</svg>\n");
    svg
}

/// Writes panels beside each other into the SVG file at `path`, making its folder if need be.
///
/// # Errors
/// If the file cannot be written.
pub fn save_svg(path: impl AsRef<Path>, charts: &[Chart]) -> Result<(), Error> {
    let path = path.as_ref();
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder
        .map_or(Ok(()), std::fs::create_dir_all)
        .and_then(|()| std::fs::write(path, to_svg(charts)))
        .map_err(|e| {
            Error::new("save_svg", ErrorKind::Io, format!("{}: cannot be written: {e}", path.display()))
        })
}

fn rule(svg: &mut String, [x1, y1, x2, y2]: [f64; 4]) {
    append(
        svg,
        format_args!(r##"<line x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}" stroke="#e4e4e4"/>"##),
    );
}

fn label(svg: &mut String, [x, y]: [f64; 2], anchor: &str, size: &str, text: &str) {
    let text = escaped(text);
    append(
        svg,
        format_args!(
            r#"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}" font-size="{size}">{text}</text>"#
        ),
    );
}

fn append(text: &mut String, part: std::fmt::Arguments<'_>) {
    text.write_fmt(part).expect("writing to a String cannot fail");
}
