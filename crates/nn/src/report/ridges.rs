//! Distributions over a run, as ridges behind each other: the oldest at the back, the latest in front.

use super::histogram::{Histogram, Snapshots};
use super::page::number;
use crate::chart::range;
use retrograd_autograd::escaped;
use std::fmt::Write;

const WIDTH: f64 = 340.0;
/// Where the ridges lie across.
const LEFT: f64 = 8.0;
const RIGHT: f64 = 286.0;
/// How high a ridge is, and how far it lies in front of the one before.
const PEAK: f64 = 46.0;
const STEP: f64 = 11.0;

/// The card of one tensor; `height_of` gives the height for a share of the greatest count.
pub(super) fn card(name: &str, snapshots: &Snapshots, height_of: fn(f64) -> f64) -> String {
    let all = snapshots.all();
    let filled = all.iter().map(|(_, histogram)| histogram).filter(|histogram| histogram.total() > 0);
    let (low, high) = range(filled.flat_map(|histogram| [histogram.low(), histogram.high()]));
    let (low, high) = if low / 2.0 < high / 2.0 { (low, high) } else { around(low) };
    let height = PEAK + STEP * all.len() as f64 + 22.0;
    let mut svg = format!("<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\">");
    // By halves, as the whole range may be infinite.
    let place = |value: f64| {
        let share = (value / 2.0 - low / 2.0) / (high / 2.0 - low / 2.0);
        LEFT + share.clamp(0.0, 1.0) * (RIGHT - LEFT)
    };
    for (position, (step, histogram)) in all.iter().enumerate() {
        let base = PEAK + STEP * (position + 1) as f64;
        let share = (position + 1) as f64 / all.len() as f64;
        let _ = write!(
            svg,
            "<g class=\"ridge\" style=\"--share:{share:.2}\"><path d=\"{}\"/><title>step {step}: {}</title></g>",
            ridge(histogram, place, base, height_of),
            escaped(&summary(histogram))
        );
        if position == 0 || position + 1 == all.len() || position % 3 == 0 && position + 3 < all.len() {
            let _ = write!(svg, "<text x=\"{}\" y=\"{base}\" class=\"dim\">{step}</text>", RIGHT + 8.0);
        }
    }
    let base = height - 5.0;
    let _ = write!(
        svg,
        "<text x=\"{LEFT}\" y=\"{base}\" class=\"dim\">{}</text><text x=\"{RIGHT}\" y=\"{base}\" class=\"end dim\">{}</text>",
        number(low),
        number(high)
    );
    if low < 0.0 && high > 0.0 {
        let (x, bottom) = (place(0.0), height - 20.0);
        let _ = write!(svg, "<path class=\"grid\" d=\"M{x:.1} 4V{bottom}\"/>");
        // Where it would not touch the ends.
        if (LEFT + 70.0..RIGHT - 60.0).contains(&x) {
            let _ = write!(svg, "<text x=\"{x:.1}\" y=\"{base}\" class=\"mid dim\">0</text>");
        }
    }
    svg.push_str("</svg>");
    let text = all.last().map_or(String::new(), |(_, histogram)| summary(histogram));
    format!("<figure><h3>{}</h3>{svg}<figcaption>{}</figcaption></figure>\n", escaped(name), escaped(&text))
}

fn around(value: f64) -> (f64, f64) {
    if value.is_finite() {
        let room = (0.1 * value.abs()).max(0.5);
        (value - room, value / 2.0 + room + value / 2.0)
    } else {
        (-0.5, 0.5)
    }
}

/// The outline of one histogram, its mode at full height.
fn ridge(histogram: &Histogram, place: impl Fn(f64) -> f64, base: f64, height_of: fn(f64) -> f64) -> String {
    let edges = histogram.edges();
    let most = histogram.counts().iter().copied().max().unwrap_or(0).max(1) as f64;
    let mut path = format!("M{LEFT} {base}");
    for (bin, &count) in histogram.counts().iter().enumerate() {
        let (from, to) = (place(edges[bin]), place(edges[bin + 1]));
        // Where all elements are equal, a needle that can be seen.
        let to = if histogram.counts().len() == 1 { from + 1.5 } else { to };
        let y = base - PEAK * height_of(count as f64 / most);
        let outline =
            if bin == 0 { format!("H{from:.1}V{y:.1}H{to:.1}") } else { format!("V{y:.1}H{to:.1}") };
        path.push_str(&outline);
    }
    let _ = write!(path, "V{base}H{RIGHT}");
    path
}

fn summary(histogram: &Histogram) -> String {
    let lost = match histogram.not_finite() {
        0 => String::new(),
        lost => format!(", {lost} not finite"),
    };
    match histogram.total() {
        0 => format!("no finite element{lost}"),
        total => format!(
            "{total} elements, mean {}, std {}, {} to {}{lost}",
            number(histogram.mean()),
            number(histogram.std()),
            number(histogram.low()),
            number(histogram.high())
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::card;
    use crate::report::histogram::{Histogram, Snapshots};
    use retrograd_tensor::Tensor;

    #[test]
    fn any_value_makes_a_drawing_with_finite_places() {
        for values in [
            vec![],
            vec![0.0],
            vec![f64::MAX],
            vec![f64::NAN],
            vec![-f64::MAX, f64::MAX],
            vec![0.0, 5e-324],
            vec![1.0, f64::INFINITY],
        ] {
            let mut snapshots = Snapshots::default();
            snapshots.push(1, Histogram::of(&Tensor::from(values.clone()), 64));
            let html = card("a", &snapshots, f64::sqrt);
            let drawing = html.split("<svg").nth(1).and_then(|rest| rest.split("<title>").next());
            let drawing = drawing.expect("a drawing");
            assert!(!drawing.contains("NaN") && !drawing.contains("inf"), "{values:?}: {html}");
        }
    }
}
