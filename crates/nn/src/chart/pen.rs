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

/// Coloured cells over the box `[x, y, width, height]`, `columns` in a row.
pub(super) fn table(svg: &mut String, [x, y, width, height]: [f64; 4], columns: usize, colours: &[[u8; 3]]) {
    if columns == 0 || colours.is_empty() {
        return;
    }
    let (wide, high) = (width / columns as f64, height / colours.len().div_ceil(columns) as f64);
    append(svg, format_args!(r#"<g transform="translate({x:.1} {y:.1}) scale({wide:.4} {high:.4})">"#));
    cells(svg, 1.0, columns, [([0.0, 0.0], colours)]);
    svg.push_str("</g>");
}

/// Square cells of some `size`, `columns` in a row, in blocks with their left upper corners. Neighbours of one colour are one
/// stroke, and all strokes of a colour are one path: a cell takes a few bytes, however many blocks there are.
pub(super) fn cells<'a>(
    svg: &mut String,
    size: f64,
    columns: usize,
    blocks: impl IntoIterator<Item = ([f64; 2], &'a [[u8; 3]])>,
) {
    let mut paths: BTreeMap<[u8; 3], String> = BTreeMap::new();
    for ([left, top], colours) in blocks {
        let mut begun: BTreeMap<[u8; 3], [i64; 2]> = BTreeMap::new();
        for (row, line) in colours.chunks(columns.max(1)).enumerate() {
            let mut column = 0;
            for run in line.chunk_by(|a, b| a == b) {
                let path = paths.entry(run[0]).or_default();
                let (x, y) = (column as i64, row as i64);
                match begun.get(&run[0]) {
                    Some([at_x, at_y]) => append(path, format_args!("m{} {}", x - at_x, y - at_y)),
                    None => {
                        let corner = [left / size + x as f64, top / size + y as f64 + 0.5];
                        append(path, format_args!("M{:.2} {:.2}", corner[0], corner[1]));
                    }
                }
                append(path, format_args!("h{}", run.len()));
                column += run.len();
                begun.insert(run[0], [column as i64, y]);
            }
        }
    }
    append(svg, format_args!(r#"<g transform="scale({size:.4})" fill="none" shape-rendering="crispEdges">"#));
    for (colour, path) in paths {
        append(svg, format_args!(r#"<path d="{path}" stroke="{}"/>"#, hex(colour)));
    }
    svg.push_str("</g>");
}

/// `share` in `levels` steps, so that cells of nearly one value have one colour.
pub(super) fn coarse(share: f64, levels: f64) -> f64 {
    (share * levels).round() / levels
}

#[cfg(test)]
mod tests {
    use super::{cells, table};

    const RED: [u8; 3] = [255, 0, 0];
    const BLUE: [u8; 3] = [0, 0, 255];

    #[test]
    fn cells_of_one_colour_are_one_path() {
        let mut svg = String::new();
        table(&mut svg, [0.0, 0.0, 30.0, 20.0], 3, &[RED, RED, BLUE, RED, BLUE, BLUE]);
        assert!(svg.contains("scale(10.0000 10.0000)"), "{svg}");
        assert!(svg.contains(r##"d="M0.00 0.50h2m-2 1h1" stroke="#ff0000""##), "{svg}");
        assert!(svg.contains(r##"d="M2.00 0.50h1m-2 1h2" stroke="#0000ff""##), "{svg}");
    }

    #[test]
    fn blocks_share_their_paths() {
        let mut svg = String::new();
        cells(&mut svg, 2.0, 1, [([0.0, 0.0], &[RED, BLUE][..]), ([10.0, 4.0], &[BLUE, RED])]);
        assert_eq!(svg.matches("<path").count(), 2, "{svg}");
        assert!(svg.contains(r##"d="M0.00 0.50h1M5.00 3.50h1" stroke="#ff0000""##), "{svg}");
    }
}
