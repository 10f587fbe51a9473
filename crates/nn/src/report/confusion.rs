//! The confusion matrix as a table whose cells are shaded by their share of the row, or as a picture.

use super::page::number;
use super::picture::Picture;
use crate::chart::sequential;
use crate::metrics::ConfusionMatrix;
use retrograd_autograd::escaped;
use std::fmt::Write;

/// The most classes whose counts fit into a table.
const CLASSES: usize = 30;
/// How many confusions stand beside a picture.
const WORST: usize = 20;

/// The table of `matrix`, with these names of classes as far as they go.
pub(super) fn table(matrix: &ConfusionMatrix, names: &[String]) -> String {
    let classes = matrix.classes();
    let name = |class: usize| names.get(class).map_or_else(|| class.to_string(), |name| escaped(name));
    let total = |label: usize| (0..classes).map(|predicted| matrix.count(label, predicted)).sum::<u64>();
    let totals: Vec<u64> = (0..classes).map(total).collect();
    let share = |label: usize, predicted| matrix.count(label, predicted) as f64 / totals[label].max(1) as f64;
    let head = format!("<p>{} samples, accuracy {}</p>", matrix.total(), percent(matrix.accuracy()));
    if classes > CLASSES {
        let mut picture = Picture::new(classes, classes);
        for (label, predicted) in (0..classes).flat_map(|l| (0..classes).map(move |p| (l, p))) {
            picture.set(predicted, label, sequential(share(label, predicted)));
        }
        let size = (classes * 4).clamp(320, 900);
        let image = format!(
            "<img src=\"{}\" style=\"width:{size}px\" alt=\"a row for each class, a column for each prediction\">",
            picture.address()
        );
        return head + &image + &worst(matrix, &name);
    }
    let mut rows = String::from("<tr><th scope=\"col\">label \\ predicted");
    for class in 0..classes {
        let _ = write!(rows, "<th scope=\"col\" class=\"across\"><span>{}</span>", name(class));
    }
    rows.push_str("<th scope=\"col\" class=\"across\"><span>recall</span></tr>\n");
    for label in 0..classes {
        let _ = write!(rows, "<tr><th scope=\"row\">{}", name(label));
        for predicted in 0..classes {
            let (count, share) = (matrix.count(label, predicted), share(label, predicted));
            let class = if label == predicted { "right" } else { "wrong" };
            let text = if count == 0 { String::new() } else { count.to_string() };
            let tip = format!("{} as {}: {count}, {}", name(label), name(predicted), percent(share));
            let _ = write!(rows, "<td class=\"{class}\" style=\"--share:{share:.3}\" title=\"{tip}\">{text}");
        }
        let _ = writeln!(rows, "<td>{}</tr>", percent(matrix.recall(label)));
    }
    rows.push_str("<tr><th scope=\"row\">precision");
    (0..classes).for_each(|class| {
        let _ = write!(rows, "<td>{}", percent(matrix.precision(class)));
    });
    head + &format!("<div class=\"wide\"><table class=\"confusion\">{rows}<td></tr></table></div>")
}

/// The most frequent confusions.
fn worst(matrix: &ConfusionMatrix, name: &dyn Fn(usize) -> String) -> String {
    let classes = matrix.classes();
    let mut pairs: Vec<(u64, usize, usize)> = (0..classes)
        .flat_map(|label| (0..classes).map(move |predicted| (label, predicted)))
        .filter(|(label, predicted)| label != predicted)
        .map(|(label, predicted)| (matrix.count(label, predicted), label, predicted))
        .filter(|(count, ..)| *count > 0)
        .collect();
    pairs.sort_by_key(|&(count, label, predicted)| (std::cmp::Reverse(count), label, predicted));
    let rows = pairs.iter().take(WORST).map(|&(count, label, predicted)| {
        format!("<tr><th scope=\"row\">{}<td>{}<td>{count}</tr>\n", name(label), name(predicted))
    });
    let rows = rows.collect::<String>();
    format!("<table class=\"plain\"><tr><th>label<th>taken for<th>times</tr>\n{rows}</table>")
}

fn percent(share: f64) -> String {
    if share.is_nan() { "–".to_owned() } else { format!("{} %", number((share * 1000.0).round() / 10.0)) }
}
