//! A heat map: a row for each name, steps from left to right, magnitudes as colours on a logarithmic scale.

use super::page::number;
use super::track::{Bin, Track};
use crate::chart::{hex, range, sequential};
use retrograd_autograd::escaped;
use std::fmt::Write;

const WIDTH: f64 = 1120.0;
/// Where the cells lie, between the names and the latest values.
const LEFT: f64 = 210.0;
const RIGHT: f64 = 1030.0;
const ROW: f64 = 18.0;
/// The most cells: rows get coarser before a page gets slow.
const CELLS: usize = 16_000;
/// How far down the scale goes below the greatest value, in powers of ten.
const DECADES: f64 = 12.0;
/// The most characters of a name that fit.
const NAME: usize = 30;

/// The heat map of these tracks. A row is what a parameter had; grey is no value, red a value that is not finite, dark
/// violet with a dot zero.
pub(super) fn heat(rows: &[(String, Track)]) -> String {
    let most = (CELLS / rows.len().max(1)).clamp(8, 256);
    let rows: Vec<(&str, Vec<Bin>, Option<f64>)> =
        rows.iter().map(|(name, track)| (name.as_str(), track.thinned(most), track.latest())).collect();
    let bins = || rows.iter().flat_map(|(_, bins, _)| bins);
    let (Some(first), Some(last)) = (bins().map(|bin| bin.first).min(), bins().map(|bin| bin.last).max())
    else {
        return String::new();
    };
    let columns = rows.iter().map(|(_, bins, _)| bins.len()).max().unwrap_or(1).max(1);
    // The last column gets a width too.
    let span = (last - first) as f64 * (1.0 + 1.0 / (columns.max(2) - 1) as f64)
        + f64::from(u8::from(first == last));
    let place = |step: u64| LEFT + (step.saturating_sub(first)) as f64 / span * (RIGHT - LEFT);
    let scale = Scale::of(bins().filter_map(Bin::values).map(|[mean, ..]| mean));
    let height = ROW * rows.len() as f64;
    let mut svg = format!(
        "<svg class=\"heat\" viewBox=\"0 0 {WIDTH} {}\" role=\"img\">\
         <rect class=\"none\" x=\"{LEFT}\" y=\"0\" width=\"{}\" height=\"{height}\"/>",
        height + 62.0,
        RIGHT - LEFT
    );
    for (row, (name, bins, latest)) in rows.iter().enumerate() {
        let y = ROW * row as f64;
        let (label, whole, base) = (escaped(&shortened(name)), escaped(name), y + 13.0);
        let _ = write!(
            svg,
            "<text x=\"{}\" y=\"{base}\" class=\"end\">{label}<title>{whole}</title></text>\
             <text x=\"{}\" y=\"{base}\">{}</text>",
            LEFT - 8.0,
            RIGHT + 8.0,
            latest.map_or("–".to_owned(), number)
        );
        for (position, bin) in bins.iter().enumerate() {
            let from = place(bin.first);
            let to = bins.get(position + 1).map_or(RIGHT, |next| place(next.first));
            cell(&mut svg, bin, &scale, [from, y, to - from]);
        }
    }
    axis(&mut svg, [first, last], place, height);
    scale.legend(&mut svg, height + 38.0);
    svg.push_str("</svg>");
    svg
}

fn cell(svg: &mut String, bin: &Bin, scale: &Scale, [x, y, width]: [f64; 3]) {
    // A run that went back to an earlier step.
    if width <= 0.0 {
        return;
    }
    let (steps, height) = (bin.steps(), ROW - 1.0);
    let (fill, text) = match bin.values() {
        _ if bin.lost > 0 => ("class=\"lost\"".to_owned(), "not finite".to_owned()),
        None => return,
        Some([mean, low, high]) if low == high => (scale.fill(mean), number(mean)),
        Some([mean, low, high]) => {
            (scale.fill(mean), format!("{} ({} to {})", number(mean), number(low), number(high)))
        }
    };
    let _ = write!(
        svg,
        "<rect x=\"{x:.1}\" y=\"{y:.0}\" width=\"{width:.1}\" height=\"{height:.0}\" {fill}><title>{steps}: {text}</title></rect>"
    );
}

/// About six round steps below the cells.
fn axis(svg: &mut String, [first, last]: [u64; 2], place: impl Fn(u64) -> f64, height: f64) {
    let least = (last - first).div_ceil(6).max(1);
    let power = 10u64.pow(least.ilog10());
    // The largest factor is for the last step that a number can hold.
    let factor =
        [1, 2, 5, 10].into_iter().find(|factor| power.saturating_mul(*factor) >= least).unwrap_or(10);
    let apart = power.saturating_mul(factor);
    for step in (first.div_ceil(apart)..=last / apart).map(|i| i * apart) {
        let (x, y) = (place(step), height + 15.0);
        let _ = write!(svg, "<text x=\"{x:.1}\" y=\"{y}\" class=\"mid dim\">{step}</text>");
    }
}

/// Logarithms to base ten, from dark to light.
struct Scale {
    low: f64,
    high: f64,
}

impl Scale {
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let logs = values.filter(|value| *value > 0.0).map(f64::log10);
        let (low, high) = range(logs);
        if low > high {
            return Self { low: -1.0, high: 0.0 };
        }
        let low = low.floor().max(high.ceil() - DECADES);
        Self { low, high: high.ceil().max(low + 1.0) }
    }

    fn colour(&self, log: f64) -> String {
        hex(sequential((log - self.low) / (self.high - self.low)))
    }

    fn fill(&self, value: f64) -> String {
        if value > 0.0 {
            format!("fill=\"{}\"", self.colour(value.log10()))
        } else {
            "class=\"zero\"".to_owned()
        }
    }

    /// The colours with their values.
    fn legend(&self, svg: &mut String, y: f64) {
        const STEPS: u32 = 48;
        let width = 300.0 / f64::from(STEPS);
        for i in 0..STEPS {
            let share = f64::from(i) / f64::from(STEPS - 1);
            let (x, fill) =
                (LEFT + f64::from(i) * width, self.colour(self.low + (self.high - self.low) * share));
            let _ = write!(
                svg,
                "<rect x=\"{x:.1}\" y=\"{y}\" width=\"{:.1}\" height=\"10\" fill=\"{fill}\"/>",
                width + 0.4
            );
        }
        let (base, end) = (y + 9.0, LEFT + 306.0);
        let _ = write!(
            svg,
            "<text x=\"{}\" y=\"{base}\" class=\"end dim\">1e{}</text><text x=\"{end}\" y=\"{base}\" class=\"dim\">1e{}</text>",
            LEFT - 8.0,
            self.low,
            self.high
        );
        for (x, class, text) in
            [(600.0, "zero", "zero"), (670.0, "none", "no value"), (770.0, "lost", "not finite")]
        {
            let _ = write!(
                svg,
                "<rect x=\"{x}\" y=\"{y}\" width=\"10\" height=\"10\" class=\"{class}\"/><text x=\"{}\" y=\"{base}\" class=\"dim\">{text}</text>",
                x + 15.0
            );
        }
    }
}

/// A name with its middle left out, if it is long: what tells layers apart stands at both ends.
fn shortened(name: &str) -> String {
    let letters = name.chars().collect::<Vec<_>>();
    if letters.len() <= NAME {
        return name.to_owned();
    }
    let (start, end) = (&letters[..NAME / 2 - 1], &letters[letters.len() - NAME / 2..]);
    start.iter().chain(&['…']).chain(end).collect()
}

#[cfg(test)]
mod tests {
    use super::{NAME, heat, shortened};
    use crate::report::track::Track;

    #[test]
    fn long_names_keep_both_ends() {
        let short = shortened(&format!("encoder.{}.weight", "x".repeat(50)));
        assert!(short.starts_with("encoder.") && short.ends_with(".weight"));
        assert_eq!(short.chars().count(), NAME);
    }

    #[test]
    fn steps_below_are_round_however_many() {
        for (last, text) in [(1, ">1<"), (3, ">2<"), (399, ">300<"), (u64::MAX, ">5000000000000000000<")] {
            let mut track = Track::default();
            [0, last].into_iter().for_each(|step| track.push(step, Some(1.0)));
            let svg = heat(&[("a".to_owned(), track)]);
            assert!(svg.contains(text) && svg.matches("mid dim").count() <= 8, "{last}: {svg}");
        }
    }

    #[test]
    fn any_value_makes_a_drawing_with_finite_places() {
        for values in [vec![], vec![f64::NAN], vec![0.0], vec![1e-320, 1e308], vec![f64::INFINITY, 0.0, 3.0]]
        {
            let mut track = Track::default();
            values.iter().enumerate().for_each(|(i, v)| track.push(i as u64 * 1000, Some(*v)));
            let svg = heat(&[("a".to_owned(), track)]);
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{values:?}: {svg}");
        }
    }
}
