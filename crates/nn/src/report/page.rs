//! The page: sections of what there is, in one file that needs nothing from outside.

use super::{Activity, Report};
use super::{confusion, curves, heat, ridges};
use crate::report::track::{Named, Track};
use retrograd_autograd::escaped;
use std::fmt::Write;

const PAGE: &str = include_str!("page.html");
/// How wide the pictures of filters may be on the page, in pixels.
const WIDTH: usize = 1100;
/// The most units that are listed by number.
const UNITS: usize = 24;

/// A number to four significant digits, shortly.
pub(super) fn number(value: f64) -> String {
    if !value.is_finite() {
        return "not finite".to_owned();
    }
    let size = value.abs();
    if value == 0.0 {
        "0".to_owned()
    } else if (1e-3..1e6).contains(&size) {
        let decimals = (3 - size.log10().floor() as i32).clamp(0, 6) as usize;
        let text = format!("{value:.decimals$}");
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
    } else {
        format!("{value:.2e}")
    }
}

/// The page of `report`.
pub(super) fn page(report: &Report) -> String {
    let sections = [
        ("Curves", curve_section(&report.scalars)),
        ("Learning rate", rate_section(report)),
        (
            "Gradient norms",
            heat_section(
                &report.gradients,
                "Euclidean norm of each parameter's gradient; at the right the latest.",
            ),
        ),
        (
            "Updates",
            heat_section(
                &report.updates,
                "Norm of what a step changed, as a share of the parameter's norm before it; around 1e-3 is usual, far more \
                 is unstable, far less hardly learns.",
            ),
        ),
        ("Weights", cards(&report.weights)),
        ("Activations", activation_section(report)),
        ("Filters", filter_section(report)),
        (
            "Confusion",
            report.confusion.as_ref().map_or(String::new(), |m| confusion::table(m, &report.classes)),
        ),
    ];
    let (mut links, mut text) = (String::new(), String::new());
    for (position, (title, content)) in sections.iter().filter(|(_, content)| !content.is_empty()).enumerate()
    {
        let _ = write!(links, "<a href=\"#part{position}\">{title}</a>");
        let _ = writeln!(text, "<section id=\"part{position}\"><h2>{title}</h2>\n{content}</section>");
    }
    let facts = report
        .facts
        .iter()
        .map(|(name, value)| format!("<div><dt>{}</dt><dd>{}</dd></div>", escaped(name), escaped(value)));
    let facts = facts.collect::<String>();
    let facts = if facts.is_empty() { facts } else { format!("<dl>{facts}</dl>\n") };
    fill(&[
        ("{title}", &escaped(&report.title)),
        ("{links}", &links),
        ("{facts}", &facts),
        ("{sections}", &text),
    ])
}

/// The page with these texts in their places. What a text holds is not looked at, so that a name may look like a place.
fn fill(texts: &[(&str, &str)]) -> String {
    let (mut out, mut rest) = (String::new(), PAGE);
    while let Some((at, place, text)) = texts
        .iter()
        .filter_map(|(place, text)| Some((rest.find(place)?, place, text)))
        .min_by_key(|(at, ..)| *at)
    {
        out.push_str(&rest[..at]);
        out.push_str(text);
        rest = &rest[at + place.len()..];
    }
    out + rest
}

/// A panel for each part before a `/`, with a line for each part after it.
fn curve_section(scalars: &Named<Track>) -> String {
    let mut panels: Vec<(&str, Vec<(&str, &Track)>)> = Vec::new();
    for (tag, track) in scalars.items() {
        let (title, name) = tag.split_once('/').unwrap_or((tag, tag));
        match panels.iter_mut().find(|(known, _)| *known == title) {
            Some((_, series)) => series.push((name, track)),
            None => panels.push((title, vec![(name, track)])),
        }
    }
    grid("grid2", panels.iter().map(|(title, series)| curves::panel(title, series)))
}

fn rate_section(report: &Report) -> String {
    let track = &report.rate;
    let panels =
        (!track.bins().is_empty()).then(|| curves::panel("learning rate", &[("learning rate", track)]));
    grid("grid2", panels.into_iter())
}

fn heat_section(rows: &Named<Track>, text: &str) -> String {
    if rows.items().is_empty() {
        return String::new();
    }
    format!("<p>{text}</p><div class=\"wide\">{}</div>\n", heat::heat(rows.items()))
}

fn cards(all: &Named<super::Snapshots>) -> String {
    grid("grid3", all.items().iter().map(|(name, snapshots)| ridges::card(name, snapshots, |share| share)))
}

fn activation_section(report: &Report) -> String {
    let layers = report.activations.items();
    if layers.is_empty() {
        return String::new();
    }
    let shares = layers.iter().map(|(name, layer)| (name.as_str(), &layer.dead)).collect::<Vec<_>>();
    let mut rows = String::new();
    for (name, layer) in layers {
        let _ =
            writeln!(rows, "<tr><th scope=\"row\">{}<td>{}</tr>", escaped(name), escaped(&dead_units(layer)));
    }
    let dead = curves::panel("dead units (share of those that were 0 for a whole batch)", &shares);
    let table = format!("<figure><h3>Dead now</h3><table class=\"plain\">{rows}</table></figure>\n");
    let histograms = layers.iter().map(|(name, layer)| ridges::card(name, &layer.histograms, f64::sqrt));
    grid("grid2", [dead, table].into_iter())
        + "<p>Heights are square roots of counts, as zeros outnumber the rest.</p>"
        + &grid("grid3", histograms)
}

/// Which units of a layer are dead, in words.
fn dead_units(layer: &Activity) -> String {
    let dead = layer.dead_units();
    let all = layer.silent.len();
    let list = dead.iter().take(UNITS).map(ToString::to_string).collect::<Vec<_>>().join(", ");
    match dead.len() {
        0 => format!("none of {all}"),
        n if n > UNITS => format!("{n} of {all}: {list}, …"),
        n => format!("{n} of {all}: {list}"),
    }
}

fn filter_section(report: &Report) -> String {
    let mut out = String::new();
    for (name, filters) in report.filters.items() {
        let Some(filters) = filters else { continue };
        let picture = &filters.picture;
        let size = picture.width * (WIDTH / picture.width).clamp(1, 10);
        let ([f, c], [all_f, all_c]) = (filters.shown, filters.all);
        let part = if (f, c) == (all_f, all_c) { "" } else { "; a part is shown" };
        let colours = match filters.scale {
            scale if scale > 0.0 => format!("blue {} to red {}", number(-scale), number(scale)),
            _ => "colours from least to greatest of each filter".to_owned(),
        };
        let _ = writeln!(
            out,
            "<figure><h3>{}</h3><img src=\"{}\" style=\"width:{size}px\" alt=\"filters\">\
             <figcaption>step {}: {all_f} filters of {all_c} channels{part}; {colours}</figcaption></figure>",
            escaped(name),
            picture.address(),
            filters.step
        );
    }
    grid("grid2", std::iter::once(out).filter(|out| !out.is_empty()))
}

fn grid(class: &str, items: impl Iterator<Item = String>) -> String {
    let items = items.collect::<String>();
    if items.is_empty() { items } else { format!("<div class=\"{class}\">\n{items}</div>\n") }
}

#[cfg(test)]
mod tests {
    use super::{escaped, number};

    #[test]
    fn numbers_are_short() {
        let texts = [0.0, 1.0, 0.25, -1234.5678, 0.001_234_567, 1e-12, 3e9, f64::NAN].map(number);
        assert_eq!(texts, ["0", "1", "0.25", "-1235", "0.001235", "1.00e-12", "3.00e9", "not finite"]);
    }

    #[test]
    fn nothing_of_a_text_is_markup() {
        assert_eq!(escaped("<a b='c' d=\"e\">&\u{0}"), "&lt;a b=&#39;c&#39; d=&quot;e&quot;&gt;&amp; ");
    }
}
