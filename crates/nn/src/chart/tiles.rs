//! Small images in a grid.

use super::axis::range;
use super::colour::{diverging, grey};
use super::pen::{append, cells, coarse, label};
use super::{HEIGHT, WIDTH};
use std::fmt::Write;

/// Where the grid lies: left, top, right, bottom.
const AREA: [f64; 4] = [14.0, 32.0, WIDTH - 14.0, HEIGHT - 10.0];
const GAP: f64 = 4.0;
const CAPTION: f64 = 13.0;
/// Colours told apart, from white to the deepest.
const LEVELS: f64 = 16.0;

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tiles {
    pub(super) count: usize,
    height: usize,
    width: usize,
    per_row: usize,
    values: Vec<f64>,
    pub(super) grey: bool,
    pub(super) captions: Vec<String>,
    pub(super) strokes: Vec<(usize, [f64; 4])>,
}

impl Tiles {
    pub(super) fn new([count, height, width]: [usize; 3], per_row: usize, values: Vec<f64>) -> Self {
        let (captions, strokes) = (Vec::new(), Vec::new());
        Self { count, height, width, per_row, values, grey: false, captions, strokes }
    }

    fn colours(&self) -> Vec<[u8; 3]> {
        let finite = self.values.iter().copied().filter(|value| value.is_finite());
        let (low, high) = range(finite.chain([0.0]));
        let colour = |value: &f64| {
            if self.grey {
                grey(coarse((value - low) / (high - low).max(f64::MIN_POSITIVE), 2.0 * LEVELS))
            } else {
                diverging(coarse(value / high.max(-low).max(f64::MIN_POSITIVE), LEVELS))
            }
        };
        self.values.iter().map(colour).collect()
    }

    pub(super) fn draw(&self, svg: &mut String) {
        if self.values.is_empty() {
            return;
        }
        let columns = self.per_row.min(self.count);
        let rows = self.count.div_ceil(columns);
        let below = if self.captions.is_empty() { 0.0 } else { CAPTION };
        let [left, top, right, bottom] = AREA;
        // A pixel is square, and as large as fits.
        let wide = ((right - left + GAP) / columns as f64 - GAP) / self.width as f64;
        let high = ((bottom - top + GAP) / rows as f64 - GAP - below) / self.height as f64;
        let pixel = wide.min(high).max(0.05);
        let (width, height) = (pixel * self.width as f64, pixel * self.height as f64);
        let used = (width + GAP) * columns as f64 - GAP;
        let left = left + ((right - left - used) / 2.0).max(0.0);
        let corner = |tile: usize| {
            let x = left + (width + GAP) * (tile % columns) as f64;
            [x, top + (height + GAP + below) * (tile / columns) as f64]
        };
        let colours = self.colours();
        let tiles = colours.chunks(self.height * self.width).enumerate();
        cells(svg, pixel, self.width, tiles.map(|(tile, colours)| (corner(tile), colours)));
        for tile in 0..self.count {
            let [x, y] = corner(tile);
            let frame = format!(r#"x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}""#);
            append(svg, format_args!(r##"<rect {frame} fill="none" stroke="#bbb" stroke-width="0.6"/>"##));
            if let Some(text) = self.captions.get(tile) {
                label(svg, [x + width / 2.0, y + height + 10.0], "middle", "9", text);
            }
            let mut path = String::new();
            for (_, line) in self.strokes.iter().filter(|(at, _)| *at == tile) {
                if let Some([x0, y0, x1, y1]) = clipped(*line, [self.width as f64, self.height as f64]) {
                    let [x0, x1] = [x0, x1].map(|at| x + pixel * at);
                    let [y0, y1] = [y0, y1].map(|at| y + pixel * at);
                    let _ = write!(path, "M{x0:.1} {y0:.1}L{x1:.1} {y1:.1}");
                }
            }
            if !path.is_empty() {
                let pen = r##"stroke="#009e73" stroke-width="1.6" stroke-linecap="round""##;
                append(svg, format_args!(r#"<path d="{path}" fill="none" {pen}/>"#));
            }
        }
    }
}

/// The part of a line within a box from 0 to `size`, if any.
fn clipped([x0, y0, x1, y1]: [f64; 4], size: [f64; 2]) -> Option<[f64; 4]> {
    let (mut from, mut to) = (0.0f64, 1.0f64);
    for (start, end, most) in [(x0, x1, size[0]), (y0, y1, size[1])] {
        let step = end - start;
        if !step.is_finite() {
            return None;
        }
        if step == 0.0 {
            if !(0.0..=most).contains(&start) {
                return None;
            }
            continue;
        }
        let [a, b] = [-start / step, (most - start) / step];
        (from, to) = (from.max(a.min(b)), to.min(a.max(b)));
    }
    let at = |share: f64| [x0 + share * (x1 - x0), y0 + share * (y1 - y0)];
    let ([a, b], [c, d]) = (at(from), at(to));
    (from <= to).then_some([a, b, c, d])
}

#[cfg(test)]
mod tests {
    use super::clipped;

    #[test]
    fn lines_end_with_their_image() {
        assert_eq!(clipped([-1.0, 1.0, 3.0, 1.0], [2.0, 2.0]), Some([0.0, 1.0, 2.0, 1.0]));
        assert_eq!(clipped([1.0, 1.0, 1.5, 2.0], [2.0, 2.0]), Some([1.0, 1.0, 1.5, 2.0]));
        assert_eq!(clipped([-1.0, 0.5, -1.0, 1.0], [2.0, 2.0]), None);
        assert_eq!(clipped([3.0, 0.0, 4.0, 1.0], [2.0, 2.0]), None);
        assert_eq!(clipped([f64::NAN, 0.0, 4.0, 1.0], [2.0, 2.0]), None);
    }
}
