//! Curves, bars, heat maps and small images as SVG: what an example shows of its run without any other program.
//!
//! A [`Chart`] is a titled panel; [`save_svg`] puts panels beside each other into one file, three in a row. Only text is
//! written here; no fonts, scripts or styles from outside, so that the file shows the same anywhere. The ground is
//! white, on dark pages too.
//!
//! | file | what it holds |
//! |---|---|
//! | `plot`, `legend` | a panel with a pair of axes, and the names of its series |
//! | `series` | lines with bands, points, bars |
//! | `axis` | which values an axis spans, and round numbers on it |
//! | `heat`, `tiles` | tables of numbers as colours; images in a grid |
//! | `colour`, `pen` | colours; the pieces of SVG that all are drawn of |

mod axis;
mod colour;
mod heat;
mod legend;
mod pen;
mod plot;
mod series;
mod tiles;

pub(crate) use axis::{Axis, range};
#[cfg(feature = "report")]
pub(crate) use colour::{diverging, hex, sequential};
use heat::Heat;
use pen::{append, label};
use plot::Plot;
use retrograd_tensor::{Error, ErrorKind, F64, Tensor, no_grad, raise};
use series::{Series, Style};
use std::path::Path;
use tiles::Tiles;

const WIDTH: f64 = 460.0;
const HEIGHT: f64 = 320.0;
/// Panels beside each other.
const PER_ROW: usize = 3;

/// A panel: series over a common pair of axes, a heat map, or images in a grid.
///
/// Series of one name have one colour and stand in the legend once, so a dashed line can go with a drawn one.
///
/// ```
/// use retrograd_nn::chart::Chart;
/// let chart = Chart::new("Loss", "epoch", "mean loss")
///     .line("small", [(1.0, 2.0), (2.0, 0.5)])
///     .dashed("small", [(1.0, 2.1), (2.0, 0.9)])
///     .log();
/// let svg = chart.to_svg();
/// assert!(svg.starts_with("<svg") && svg.matches(">small<").count() == 1);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Chart {
    title: String,
    body: Body,
}

#[derive(Clone, Debug, PartialEq)]
enum Body {
    Plot(Plot),
    Tiles(Tiles),
}

impl Chart {
    /// An empty panel with a title and the names of its axes.
    pub fn new(title: impl Into<String>, x_label: impl Into<String>, y_label: impl Into<String>) -> Self {
        let plot = Plot { x_label: x_label.into(), y_label: y_label.into(), ..Plot::default() };
        Self { title: title.into(), body: Body::Plot(plot) }
    }

    /// The same with one more line. Points that are not finite, or not positive on a logarithmic axis, leave a
    /// gap; one that has no neighbours is a dot.
    #[must_use]
    #[track_caller]
    pub fn line(self, name: impl Into<String>, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        self.with("line", name.into(), Style::Line, points)
    }

    /// As [`line`](Self::line), but dashed.
    #[must_use]
    #[track_caller]
    pub fn dashed(self, name: impl Into<String>, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        self.with("dashed", name.into(), Style::Dashed, points)
    }

    /// As [`line`](Self::line), but dotted.
    #[must_use]
    #[track_caller]
    pub fn dotted(self, name: impl Into<String>, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        self.with("dotted", name.into(), Style::Dotted, points)
    }

    /// The same with a line through means and a band around it, from points `(x, mean, sd)`: the band reaches from
    /// `mean - sd` to `mean + sd`, or to the edge of the plot where that is not positive on a logarithmic axis.
    ///
    /// ```
    /// use retrograd_nn::chart::Chart;
    /// let chart = Chart::new("Error", "width", "test error").band("tanh", [(1.0, 0.3, 0.1), (2.0, 0.2, 0.02)]);
    /// assert!(chart.to_svg().contains("fill-opacity=\"0.16\""));
    /// ```
    #[must_use]
    #[track_caller]
    pub fn band(self, name: impl Into<String>, points: impl IntoIterator<Item = (f64, f64, f64)>) -> Self {
        self.with_spread("band", name.into(), Style::Line, points)
    }

    /// As [`band`](Self::band), with a dashed line.
    #[must_use]
    #[track_caller]
    pub fn dashed_band(
        self,
        name: impl Into<String>,
        points: impl IntoIterator<Item = (f64, f64, f64)>,
    ) -> Self {
        self.with_spread("dashed_band", name.into(), Style::Dashed, points)
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
    #[track_caller]
    pub fn scatter(self, name: impl Into<String>, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        self.with("scatter", name.into(), Style::Points, points)
    }

    /// The same with a bar for each value, at 0, 1, 2, ... across: the bars of several calls stand side by side. What is
    /// not finite has no bar. [`categories`](Self::categories) names the places.
    ///
    /// ```
    /// use retrograd_nn::chart::Chart;
    /// let chart = Chart::new("Accuracy", "", "%")
    ///     .bars("hard labels", [73.0, 82.0])
    ///     .bars("soft labels", [87.0, 94.0])
    ///     .categories(["8 units", "32 units"]);
    /// assert!(chart.to_svg().contains(">32 units<"));
    /// ```
    #[must_use]
    #[track_caller]
    pub fn bars(self, name: impl Into<String>, values: impl IntoIterator<Item = f64>) -> Self {
        let points = values.into_iter().enumerate().map(|(i, value)| (i as f64, value));
        self.with("bars", name.into(), Style::Bars, points)
    }

    /// The same with names at 0, 1, 2, ... on the horizontal axis, instead of numbers.
    #[must_use]
    #[track_caller]
    pub fn categories<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.plot("categories").categories = names.into_iter().map(Into::into).collect();
        self
    }

    /// The same with a dashed vertical line at `x` and a text beside it.
    ///
    /// ```
    /// use retrograd_nn::chart::Chart;
    /// let chart = Chart::new("Error", "k", "error").line("", [(1.0, 2.0), (900.0, 1.0)]).log_x().marker(400.0, "k = n");
    /// assert!(chart.to_svg().contains(">k = n<"));
    /// ```
    #[must_use]
    #[track_caller]
    pub fn marker(mut self, x: f64, text: impl Into<String>) -> Self {
        self.plot("marker").markers.push((x, text.into()));
        self
    }

    /// The same with a logarithmic vertical axis; for a heat map, with colours by the logarithm, and grey for what is not
    /// positive.
    #[must_use]
    #[track_caller]
    pub fn log(mut self) -> Self {
        self.plot("log").log = true;
        self
    }

    /// The same with a logarithmic horizontal axis.
    #[must_use]
    #[track_caller]
    pub fn log_x(mut self) -> Self {
        self.plot("log_x").log_x = true;
        self
    }

    /// A heat map of `values [rows, columns]`, of any number type: the first row above, colours from dark violet for the
    /// least to yellow for the greatest, a colour bar beside them, and grey for what is not finite. Series are drawn
    /// over it, their points in columns and rows from 0, at the middle of a cell.
    ///
    /// # Panics
    /// If `values` has not two axes.
    ///
    /// ```
    /// use retrograd_nn::chart::Chart;
    /// use retrograd_tensor::Tensor;
    /// let gradients = Tensor::from([[1e-9f32, 1e-4, 0.2], [0.0, 0.3, 0.2]]);
    /// let chart = Chart::heat("Gradients", "layer", "", &gradients).rows(["sigmoid", "ReLU"]).columns(["1", "2", "3"]).log();
    /// let svg = chart.to_svg();
    /// assert!(svg.contains(">ReLU<") && svg.contains("#c8c8c8"));       // 0 has no logarithm
    /// ```
    #[track_caller]
    pub fn heat(
        title: impl Into<String>,
        x_label: impl Into<String>,
        y_label: impl Into<String>,
        values: &Tensor,
    ) -> Self {
        let [rows, columns] = values.shape()[..] else {
            refuse("heat", format!("values of shape {}; a heat map is [rows, columns]", values.shape()))
        };
        let mut chart = Self::new(title, x_label, y_label);
        let values = numbers(values);
        chart.plot("heat").heat = Some(Heat { rows, columns, values, names: Vec::new() });
        chart
    }

    /// The same heat map with names of its rows.
    ///
    /// # Panics
    /// If this is no heat map, or there are not as many names as rows.
    #[must_use]
    #[track_caller]
    pub fn rows<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        match &mut self.plot("rows").heat {
            Some(heat) if heat.rows == names.len() => heat.names = names,
            Some(heat) => {
                refuse("rows", format!("{} names; the heat map has {} rows", names.len(), heat.rows))
            }
            None => refuse("rows", "names of rows are for `Chart::heat`"),
        }
        self
    }

    /// The same heat map with names of its columns; where they would run into each other some are left out.
    ///
    /// # Panics
    /// If this is no heat map, or there are not as many names as columns.
    #[must_use]
    #[track_caller]
    pub fn columns<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        let plot = self.plot("columns");
        match &plot.heat {
            Some(heat) if heat.columns == names.len() => plot.categories = names,
            Some(heat) => {
                refuse("columns", format!("{} names; the heat map has {} columns", names.len(), heat.columns))
            }
            None => refuse("columns", "names of columns are for `Chart::heat`; others have `categories`"),
        }
        self
    }

    /// The images `[n, height, width]`, of any number type, in a grid with `per_row` in a row, large enough to fill the
    /// panel. Red is positive, white 0, blue negative, yellow not finite, on one scale for all: the deepest colour is the
    /// greatest magnitude.
    ///
    /// # Panics
    /// If `images` has not three axes, or `per_row` is 0.
    ///
    /// ```
    /// use retrograd_nn::chart::Chart;
    /// use retrograd_tensor::Tensor;
    /// let filters = Tensor::from([[[1.0f32, -1.0]], [[0.5, 0.0]]]);
    /// let chart = Chart::tiles("Filters", &filters, 2).captions(["edge", "spot"]).strokes([(0, 0.0, 0.5, 2.0, 0.5)]);
    /// assert!(chart.to_svg().contains(">spot<"));
    /// ```
    #[track_caller]
    pub fn tiles(title: impl Into<String>, images: &Tensor, per_row: usize) -> Self {
        let [count, height, width] = images.shape()[..] else {
            refuse("tiles", format!("images of shape {}; they are [n, height, width]", images.shape()))
        };
        if per_row == 0 {
            refuse("tiles", "0 images in a row; there must be at least 1");
        }
        let tiles = Tiles::new([count, height, width], per_row, numbers(images));
        Self { title: title.into(), body: Body::Tiles(tiles) }
    }

    /// The same images from white for the least (or 0, if none is less) to black for the greatest.
    ///
    /// # Panics
    /// If this is no panel of images.
    #[must_use]
    #[track_caller]
    pub fn grey(mut self) -> Self {
        self.images("grey").grey = true;
        self
    }

    /// The same images with a line of text under each, as far as the names go.
    ///
    /// # Panics
    /// If this is no panel of images.
    #[must_use]
    #[track_caller]
    pub fn captions<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.images("captions").captions = names.into_iter().map(Into::into).collect();
        self
    }

    /// The same images with straight lines over them, `(image, x0, y0, x1, y1)` in pixels of the image from its upper left
    /// corner, clipped to it. What is not finite is left out.
    ///
    /// # Panics
    /// If this is no panel of images, or has no such image.
    #[must_use]
    #[track_caller]
    pub fn strokes(mut self, lines: impl IntoIterator<Item = (usize, f64, f64, f64, f64)>) -> Self {
        let tiles = self.images("strokes");
        for (image, x0, y0, x1, y1) in lines {
            if image >= tiles.count {
                refuse("strokes", format!("no image {image}; there are {}, counted from 0", tiles.count));
            }
            tiles.strokes.push((image, [x0, y0, x1, y1]));
        }
        self
    }

    /// The panel as the text of an SVG file.
    pub fn to_svg(&self) -> String {
        to_svg(std::slice::from_ref(self))
    }

    #[track_caller]
    fn with(
        self,
        call: &'static str,
        name: String,
        style: Style,
        points: impl IntoIterator<Item = (f64, f64)>,
    ) -> Self {
        self.with_spread(call, name, style, points.into_iter().map(|(x, y)| (x, y, 0.0)))
    }

    #[track_caller]
    fn with_spread(
        mut self,
        call: &'static str,
        name: String,
        style: Style,
        points: impl IntoIterator<Item = (f64, f64, f64)>,
    ) -> Self {
        let points = points.into_iter().map(|(x, y, spread)| [x, y, spread]).collect();
        self.plot(call).series.push(Series { name, style, points });
        self
    }

    #[track_caller]
    fn plot(&mut self, call: &'static str) -> &mut Plot {
        match &mut self.body {
            Body::Plot(plot) => plot,
            Body::Tiles(_) => refuse(call, "a panel of images has no axes; use a panel of `Chart::new`"),
        }
    }

    #[track_caller]
    fn images(&mut self, call: &'static str) -> &mut Tiles {
        match &mut self.body {
            Body::Tiles(tiles) => tiles,
            Body::Plot(_) => refuse(call, "no panel of images; it is for one of `Chart::tiles`"),
        }
    }

    fn draw(&self, svg: &mut String) {
        label(svg, [WIDTH / 2.0, 20.0], "middle", "14", &self.title);
        match &self.body {
            Body::Plot(plot) => plot.draw(svg),
            Body::Tiles(tiles) => tiles.draw(svg),
        }
    }
}

/// Panels beside each other, three in a row, as the text of an SVG file.
pub fn to_svg(charts: &[Chart]) -> String {
    let width = WIDTH * charts.len().clamp(1, PER_ROW) as f64;
    let height = HEIGHT * charts.len().div_ceil(PER_ROW).max(1) as f64;
    let mut svg = format!(
        concat!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {0} {1}" width="{0}" height="{1}" "#,
            r##"font-family="sans-serif" fill="#222"><rect width="100%" height="100%" fill="#fff"/>"##,
        ),
        width, height
    );
    for (position, chart) in charts.iter().enumerate() {
        let (left, top) = (WIDTH * (position % PER_ROW) as f64, HEIGHT * (position / PER_ROW) as f64);
        append(&mut svg, format_args!(r#"<g transform="translate({left} {top})">"#));
        chart.draw(&mut svg);
        svg.push_str("</g>\n");
    }
    svg.push_str("</svg>\n");
    svg
}

/// Writes panels beside each other, three in a row, into the SVG file at `path`, making its folder if need be.
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

fn numbers(values: &Tensor) -> Vec<f64> {
    no_grad(|| values.cast(F64).to_vec::<f64>())
}

#[track_caller]
fn refuse(call: &'static str, detail: impl Into<String>) -> ! {
    raise(Error::new(call, ErrorKind::Value, detail))
}

#[cfg(test)]
mod tests;
