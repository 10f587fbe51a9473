//! The tape as Graphviz source and as a page that a browser shows without a network.
use super::figures::{self, bytes};
use super::{Line, Tape};
use retrograd_tensor::Cost;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;
use std::time::Duration;

/// Text inside an HTML or SVG element, or a quoted attribute. Control characters, which no page may hold, become spaces.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}
fn class(l: &Line) -> &'static str {
    match l {
        l if l.cut.is_some() => "cut",
        l if l.op == "leaf" => "leaf",
        l if l.spent => "spent",
        _ => "op",
    }
}

/// Forward and backward together.
fn time(l: &Line) -> Duration {
    [l.forward, l.backward].iter().flatten().map(|c| c.time).sum()
}
/// Cells of a row.
fn cells(tag: &str, words: &[String]) -> String {
    words.iter().map(|w| format!("<{tag}>{}</td>", escaped(w))).collect()
}

impl Tape {
    /// The graph in the language of Graphviz: `dot -Tsvg`.
    ///
    /// ```
    /// use retrograd_autograd::{Differentiate, Tape};
    /// use retrograd_tensor::Tensor;
    /// let y = Tensor::from([1.0f64, 2.0]).tracked().tanh().sum(());
    /// let dot = Tape::of(&y).dot();
    /// assert!(dot.starts_with("digraph tape {") && dot.contains("tanh"));
    /// ```
    pub fn dot(&self) -> String {
        let mut out = String::from("digraph tape {\n  rankdir=TB; node [shape=box, fontname=monospace];\n");
        for l in self.lines() {
            let label = format!("%{} {}\\n{}\\n{}", l.id, l.op, l.result, bytes(l.saved));
            let style = if l.cut.is_some() { ", style=dashed" } else { "" };
            let tip = l.at.to_string().replace(['"', '\\'], "/");
            let _ = writeln!(out, "  n{} [label=\"{label}\", tooltip=\"{tip}\"{style}];", l.id);
            for i in l.inputs.iter().flatten() {
                let _ = writeln!(out, "  n{i} -> n{};", l.id);
            }
        }
        out + "}\n"
    }
    /// One self-contained page: the graph, to be zoomed with the wheel or buttons and moved by dragging, and the list of
    /// operations with shapes, saved bytes, time and floating-point operations forward and backward, and source lines,
    /// to be searched; the same by line of code. It needs no network. The figures are those of [`Tape::profiled`].
    ///
    /// ```
    /// use retrograd_autograd::{Differentiate, Tape};
    /// use retrograd_tensor::Tensor;
    /// let y = Tensor::from([1.0f64, 2.0]).tracked().tanh().sum(());
    /// let page = Tape::of(&y).html("one <layer>");
    /// assert!(page.contains("<title>one &lt;layer&gt;</title>") && !page.contains("http"));
    /// ```
    pub fn html(&self, title: &str) -> String {
        let places = self.places();
        let mut rows = String::new();
        for l in self.lines() {
            let words = [format!("%{}", l.id), l.op.to_owned(), l.operands(), l.result.clone()];
            let [a, b, c, d] = l.costs();
            let row = cells("td", &words) + &cells("td class=\"n\"", &[l.kept(), a, b, c, d]);
            let line = cells("td", &[l.at.to_string()]);
            let _ = writeln!(rows, "<tr id=\"r{}\" class=\"{}\">{row}{line}</tr>", l.id, class(l));
        }
        let head = format!(
            "{} operations, {} kept for the backward pass",
            self.lines().len(),
            bytes(self.saved_bytes())
        );
        let head = match self.total() {
            Duration::ZERO => head,
            total => format!("{head}, {total:.1?} forward | backward"),
        };
        PAGE.replace("{title}", &escaped(title))
            .replace("{head}", &escaped(&head))
            .replace("{graph}", &self.graph(&places))
            .replace("{rows}", &rows)
            .replace("{lines}", &self.by_line())
    }
    /// Time forward and backward, all in all.
    fn total(&self) -> Duration {
        self.lines().iter().map(time).sum()
    }
    /// The rows of the table by line of code, the dearest first.
    fn by_line(&self) -> String {
        #[derive(Default)]
        struct Sum {
            ops: Vec<&'static str>,
            kept: usize,
            forward: Option<Cost>,
            backward: Option<Cost>,
        }
        let mut sums: BTreeMap<(&str, u32, u32), Sum> = BTreeMap::new();
        for l in self.lines() {
            let sum = sums.entry((l.at.file(), l.at.line(), l.at.column())).or_default();
            if !sum.ops.contains(&l.op) {
                sum.ops.push(l.op);
            }
            sum.kept += l.saved;
            for (sum, cost) in [(&mut sum.forward, l.forward), (&mut sum.backward, l.backward)] {
                if let Some(cost) = cost {
                    *sum.get_or_insert_default() += cost;
                }
            }
        }
        let of = |c: Option<Cost>| c.map_or(["-".to_owned(), "-".to_owned()], figures::cost);
        let total = |s: &Sum| [s.forward, s.backward].iter().flatten().map(|c| c.time).sum::<Duration>();
        let mut sums: Vec<_> = sums.into_iter().collect();
        sums.sort_by_key(|(_, s)| std::cmp::Reverse(total(s)));
        let row = |((file, line, column), s): ((&str, u32, u32), Sum)| {
            let words = cells("td", &[format!("{file}:{line}:{column}"), s.ops.join(", ")]);
            let ([a, b], [c, d]) = (of(s.forward), of(s.backward));
            format!("<tr>{words}{}</tr>\n", cells("td class=\"n\"", &[bytes(s.kept), a, b, c, d]))
        };
        sums.into_iter().map(row).collect()
    }
    /// Column and row of each operation: rows by the longest way from a leaf, leaves right above what reads them
    /// first; columns under the first operand where that is free.
    fn places(&self) -> HashMap<u64, (usize, usize)> {
        let mut rows: HashMap<u64, usize> = HashMap::new();
        let mut leaves: HashMap<u64, usize> = HashMap::new();
        for l in self.lines().iter().filter(|l| !l.inputs.is_empty()) {
            let above = l.inputs.iter().flatten().filter_map(|i| rows.get(i)).max();
            let row = above.map_or(1, |r| r + 1);
            rows.insert(l.id, row);
            for i in l.inputs.iter().flatten().filter(|i| !rows.contains_key(i)) {
                leaves.entry(*i).and_modify(|r| *r = (*r).min(row - 1)).or_insert(row - 1);
            }
        }
        let row_of = |id: &u64| rows.get(id).or(leaves.get(id)).copied().unwrap_or(0);
        let mut places: HashMap<u64, (usize, usize)> = HashMap::new();
        let mut used: Vec<usize> = vec![];
        let (ops, ends): (Vec<&Line>, Vec<&Line>) = self.lines().iter().partition(|l| !l.inputs.is_empty());
        for l in ops.into_iter().chain(ends) {
            let row = row_of(&l.id);
            if used.len() <= row {
                used.resize(row + 1, 0);
            }
            let under = l.inputs.iter().flatten().find_map(|i| places.get(i)).map_or(0, |p| p.0);
            let column = used[row].max(under);
            used[row] = column + 1;
            places.insert(l.id, (column, row));
        }
        places
    }
    fn graph(&self, places: &HashMap<u64, (usize, usize)>) -> String {
        const WIDTH: usize = 190;
        const HEIGHT: usize = 62;
        let dearest = self.lines().iter().map(time).max().unwrap_or_default().as_secs_f64();
        let at = |id: &u64| places.get(id).map(|(c, r)| (c * (WIDTH + 30) + 10, r * (HEIGHT + 34) + 10));
        let (mut edges, mut nodes) = (String::new(), String::new());
        for l in self.lines() {
            let Some((x, y)) = at(&l.id) else { continue };
            for (a, b) in l.inputs.iter().flatten().filter_map(at) {
                let (from, to) = ((a + WIDTH / 2, b + HEIGHT), (x + WIDTH / 2, y));
                let bend = (from.1 + to.1) / 2;
                // An edge past other nodes goes around them.
                let aside = if to.1 - from.1 > HEIGHT + 34 && from.0 == to.0 { WIDTH / 2 + 60 } else { 0 };
                let _ = writeln!(
                    edges,
                    "<path d=\"M{} {} C{} {bend} {} {bend} {} {}\"/>",
                    from.0,
                    from.1,
                    from.0 + aside,
                    to.0 + aside,
                    to.0,
                    to.1
                );
            }
            let (op, result, line) = (escaped(l.op), escaped(&l.result), escaped(&l.at.to_string()));
            let [forward, _, backward, _] = l.costs();
            let share = if dearest > 0.0 { time(l).as_secs_f64() / dearest } else { 0.0 };
            let cost = match (l.forward, l.backward) {
                (None, None) if l.inputs.is_empty() => String::new(),
                (None, None) => bytes(l.saved),
                _ => escaped(&format!("{forward} | {backward}")),
            };
            let _ = writeln!(
                nodes,
                "<g id=\"n{id}\" class=\"{class}\" transform=\"translate({x} {y})\" style=\"--share:{share:.3}\"><title>{line}</title>\
                 <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" rx=\"6\"/><text x=\"8\" y=\"19\">%{id} {op}</text>\
                 <text x=\"8\" y=\"37\" class=\"small\">{result}</text>\
                 <text x=\"8\" y=\"53\" class=\"small\">{cost}</text></g>",
                id = l.id,
                class = class(l),
            );
        }
        let (columns, depth) = places.values().fold((0, 0), |(c, r), p| (c.max(p.0 + 1), r.max(p.1 + 1)));
        // What does not fit at a readable size is reached by dragging.
        let (w, h) = ((columns * (WIDTH + 30) + 20).clamp(900, 1600), (depth * (HEIGHT + 34) + 20).min(560));
        format!(
            "<svg id=\"graph\" preserveAspectRatio=\"xMidYMin\" viewBox=\"0 0 {w} {h}\"><g id=\"edges\">{edges}</g>{nodes}</svg>"
        )
    }
}

const PAGE: &str = include_str!("page.html");
