//! Curves over the steps, with the range of what was thinned out, for the page.

use super::page::number;
use super::track::{Bin, Track};
use crate::chart::{Axis, range};
use retrograd_autograd::escaped;
use std::fmt::Write;

const WIDTH: f64 = 540.0;
const HEIGHT: f64 = 270.0;
/// Where the plot lies: left, top, right, bottom.
const PLOT: [f64; 4] = [64.0, 10.0, 530.0, 236.0];
/// From this ratio of the greatest to the least on, positive values are shown on a logarithmic axis.
const LOG: f64 = 100.0;

/// A panel with a legend under its title.
pub(super) fn panel(title: &str, series: &[(&str, &Track)]) -> String {
    let values = || series.iter().flat_map(|(_, track)| track.bins()).filter_map(Bin::values);
    let (low, high) = range(values().flat_map(|[_, low, high]| [low, high]));
    let log = low > 0.0 && high / low >= LOG;
    let steps = series.iter().flat_map(|(_, t)| t.bins()).flat_map(|bin| [bin.first as f64, bin.last as f64]);
    let across = Axis::over(steps, false).on(PLOT[0], PLOT[2]);
    let up = Axis::over(values().flatten(), log).on(PLOT[3], PLOT[1]);
    let mut svg = format!("<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\">");
    for (y, text) in up.ticks() {
        let _ = write!(
            svg,
            "<path class=\"grid\" d=\"M{} {y:.1}H{}\"/><text x=\"{}\" y=\"{:.1}\" class=\"end dim\">{text}</text>",
            PLOT[0],
            PLOT[2],
            PLOT[0] - 6.0,
            y + 4.0
        );
    }
    // Steps are whole numbers.
    for (x, text) in across.ticks().into_iter().filter(|(_, text)| !text.contains('.')) {
        let _ = write!(
            svg,
            "<path class=\"grid\" d=\"M{x:.1} {}V{}\"/><text x=\"{x:.1}\" y=\"{}\" class=\"mid dim\">{text}</text>",
            PLOT[1],
            PLOT[3],
            PLOT[3] + 16.0
        );
    }
    let _ = write!(
        svg,
        "<text x=\"{}\" y=\"{}\" class=\"mid dim\">step</text>",
        (PLOT[0] + PLOT[2]) / 2.0,
        HEIGHT - 3.0
    );
    let mut legend = String::new();
    for (position, (name, track)) in series.iter().enumerate() {
        let class = format!("s{}", position % 8);
        line(&mut svg, &class, track, &across, &up);
        let latest = track.latest().map_or("–".to_owned(), number);
        let _ = write!(legend, "<span class=\"{class}\"><i></i>{} <b>{latest}</b></span>", escaped(name));
    }
    svg.push_str("</svg>");
    let scale = if log { " <small>(logarithmic)</small>" } else { "" };
    format!("<figure><h3>{}{scale}</h3><div class=\"legend\">{legend}</div>{svg}</figure>\n", escaped(title))
}

/// The line through the means, a band from least to greatest, and a dot under the pointer for each bin.
fn line(svg: &mut String, class: &str, track: &Track, across: &Axis, up: &Axis) {
    let (mut path, mut band, mut dots) = (String::new(), String::new(), String::new());
    let (mut upper, mut lower) = (Vec::new(), Vec::new());
    let place = |axis: &Axis, value| axis.place(value).filter(|at: &f64| at.abs() < 1e5);
    let mut pen = 'M';
    let mut close = |upper: &mut Vec<[f64; 2]>, lower: &mut Vec<[f64; 2]>| {
        for (i, [x, y]) in upper.drain(..).chain(lower.drain(..).rev()).enumerate() {
            let _ = write!(band, "{}{x:.1} {y:.1}", if i == 0 { 'M' } else { 'L' });
        }
    };
    for bin in track.bins() {
        let x = place(across, f64::midpoint(bin.first as f64, bin.last as f64));
        if let Some(x) = x.filter(|_| bin.lost > 0) {
            let _ = write!(
                dots,
                "<path class=\"bad\" d=\"M{x:.1} {}v{}\"><title>{}: not finite</title></path>",
                PLOT[1],
                PLOT[3] - PLOT[1],
                bin.steps()
            );
        }
        let values = bin.values();
        let ys =
            values.and_then(|[mean, low, high]| Some([place(up, mean)?, place(up, low)?, place(up, high)?]));
        let (Some(x), Some([y, low, high]), Some([mean, least, most])) = (x, ys, values) else {
            pen = 'M';
            close(&mut upper, &mut lower);
            continue;
        };
        let _ = write!(path, "{pen}{x:.1} {y:.1}");
        pen = 'L';
        upper.push([x, high]);
        lower.push([x, low]);
        let range =
            if least < most { format!(" ({} to {})", number(least), number(most)) } else { String::new() };
        let _ = write!(
            dots,
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\"><title>{}: {}{range}</title></circle>",
            bin.steps(),
            number(mean)
        );
    }
    close(&mut upper, &mut lower);
    // A single point has no line.
    if track.bins().len() == 1 {
        path.push_str("h0.1");
    }
    let _ = write!(
        svg,
        "<g class=\"{class}\"><path class=\"band\" d=\"{band}\"/><path class=\"line\" d=\"{path}\"/>{dots}</g>"
    );
}

#[cfg(test)]
mod tests {
    use super::panel;
    use crate::report::track::Track;

    fn track(values: &[f64]) -> Track {
        let mut track = Track::default();
        values.iter().enumerate().for_each(|(step, value)| track.push(step as u64, Some(*value)));
        track
    }

    #[test]
    fn any_value_makes_a_drawing_with_finite_places() {
        let extremes: [&[f64]; 8] = [
            &[],
            &[f64::NAN],
            &[1.0, f64::INFINITY, 2.0],
            &[-f64::MAX, f64::MAX],
            &[0.0, 5e-324],
            &[1e300, 1e300],
            &[1e17, 1e17 + 16.0],
            &[1e-300, 1e300],
        ];
        for values in extremes {
            let html = panel("x", &[("a", &track(values))]);
            assert!(!html.contains("NaN") && !html.contains("inf"), "{values:?}: {html}");
            assert!(html.len() < 20_000, "{values:?}: {}", html.len());
        }
    }

    #[test]
    fn wide_positive_ranges_are_logarithmic() {
        assert!(panel("x", &[("a", &track(&[1.0, 1e-3]))]).contains("logarithmic"));
        assert!(!panel("x", &[("a", &track(&[1.0, 0.5]))]).contains("logarithmic"));
        assert!(!panel("x", &[("a", &track(&[1.0, -1e-3]))]).contains("logarithmic"));
    }
}
