//! Pieces of SVG that all panels are drawn of.

use super::colour::hex;
use retrograd_autograd::escaped;
use std::collections::BTreeMap;
use std::fmt::Write;

/// A thin line of the grid.
pub(super) fn rule(svg: &mut String, [x1, y1, x2, y2]: [f64; 4]) {
    append(
        svg,
        format_args!(r##"<line x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}" stroke="#e4e4e4"/>"##),
    );
}

pub(super) fn label(svg: &mut String, [x, y]: [f64; 2], anchor: &str, size: &str, text: &str) {
    let text = escaped(text);
    append(
        svg,
        format_args!(
            r#"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}" font-size="{size}">{text}</text>"#
        ),
    );
}

/// A text turned by `angle` degrees about its place.
pub(super) fn turned(svg: &mut String, [x, y]: [f64; 2], angle: i32, anchor: &str, size: &str, text: &str) {
    let text = escaped(text);
    let place = format!(r#"x="{x:.1}" y="{y:.1}" transform="rotate({angle} {x:.1} {y:.1})""#);
    append(svg, format_args!(r#"<text {place} text-anchor="{anchor}" font-size="{size}">{text}</text>"#));
}

pub(super) fn append(text: &mut String, part: std::fmt::Arguments<'_>) {
    text.write_fmt(part).expect("writing to a String cannot fail");
}

/// About the width of a text of font size 11.
pub(super) fn width_of(text: &str) -> f64 {
    6.4 * text.chars().count() as f64
}

/// Coloured cells, `columns` in a row, over the box `[x, y, width, height]`. Neighbours of one colour are one stroke, and
/// all strokes of a colour are one path: a cell takes a few bytes.
pub(super) fn cells(svg: &mut String, [x, y, width, height]: [f64; 4], columns: usize, colours: &[[u8; 3]]) {
    if columns == 0 || colours.is_empty() {
        return;
    }
    let rows = colours.len().div_ceil(columns);
    let mut paths: BTreeMap<[u8; 3], (String, [i64; 2])> = BTreeMap::new();
    for (row, line) in colours.chunks(columns).enumerate() {
        let mut column = 0;
        for run in line.chunk_by(|a, b| a == b) {
            let (path, [at_x, at_y]) = paths.entry(run[0]).or_insert((String::new(), [0, 0]));
            let (to_x, to_y) = (column as i64, row as i64);
            append(path, format_args!("m{} {}h{}", to_x - *at_x, to_y - *at_y, run.len()));
            column += run.len();
            (*at_x, *at_y) = (column as i64, to_y);
        }
    }
    let (wide, high) = (width / columns as f64, height / rows as f64);
    let place = format!("translate({x:.1} {:.2}) scale({wide:.4} {high:.4})", y + high / 2.0);
    append(svg, format_args!(r#"<g transform="{place}" fill="none" shape-rendering="crispEdges">"#));
    for (colour, (path, _)) in paths {
        append(svg, format_args!(r#"<path d="M0 0{path}" stroke="{}"/>"#, hex(colour)));
    }
    svg.push_str("</g>");
}

/// `share` in `levels` steps, so that cells of nearly one value have one colour.
pub(super) fn coarse(share: f64, levels: f64) -> f64 {
    (share * levels).round() / levels
}

#[cfg(test)]
mod tests {
    use super::cells;

    #[test]
    fn cells_of_one_colour_are_one_path() {
        let mut svg = String::new();
        let (red, blue) = ([255, 0, 0], [0, 0, 255]);
        cells(&mut svg, [0.0, 0.0, 30.0, 20.0], 3, &[red, red, blue, red, blue, blue]);
        assert!(svg.contains(r##"d="M0 0m0 0h2m-2 1h1" stroke="#ff0000""##), "{svg}");
        assert!(svg.contains(r##"d="M0 0m2 0h1m-2 1h2" stroke="#0000ff""##), "{svg}");
    }
}
