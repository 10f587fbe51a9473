//! The tape as Graphviz source and as a page that a browser shows without a network.
use super::{Line, Tape};
use std::collections::HashMap;
use std::fmt::Write;

/// Text inside an HTML or SVG element, or a quoted attribute.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
    out
}
/// `12 B`, `3.4 KiB`, `5.6 MiB`.
fn bytes(n: usize) -> String {
    match n {
        0..1024 => format!("{n} B"),
        1024..1_048_576 => format!("{:.1} KiB", n as f64 / 1024.0),
        _ => format!("{:.1} MiB", n as f64 / 1_048_576.0),
    }
}
fn class(l: &Line) -> &'static str {
    match l {
        l if l.cut.is_some() => "cut",
        l if l.op == "leaf" => "leaf",
        l if l.spent => "spent",
        _ => "op",
    }
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
    /// One self-contained page: the graph, to be zoomed with the wheel and moved by dragging, and the list of
    /// operations with shapes, saved bytes and source lines, to be searched. It needs no network.
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
            let inputs: Vec<String> =
                l.inputs.iter().map(|i| i.map_or("_".to_owned(), |i| format!("%{i}"))).collect();
            let note = match (l.cut, l.spent) {
                (Some(why), _) => format!("cut: {why}"),
                (None, true) => "spent".to_owned(),
                (None, false) => bytes(l.saved),
            };
            let cells = [
                format!("%{}", l.id),
                l.op.to_owned(),
                inputs.join(", "),
                l.result.clone(),
                note,
                l.at.to_string(),
            ];
            let cells: String = cells.iter().map(|c| format!("<td>{}</td>", escaped(c))).collect();
            let _ = writeln!(rows, "<tr id=\"r{}\" class=\"{}\">{cells}</tr>", l.id, class(l));
        }
        let head = format!(
            "{} operations, {} kept for the backward pass",
            self.lines().len(),
            bytes(self.saved_bytes())
        );
        PAGE.replace("{title}", &escaped(title))
            .replace("{head}", &escaped(&head))
            .replace("{graph}", &self.graph(&places))
            .replace("{rows}", &rows)
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
        const HEIGHT: usize = 46;
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
            let _ = writeln!(
                nodes,
                "<g id=\"n{id}\" class=\"{class}\" transform=\"translate({x} {y})\"><title>{line}</title>\
                 <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" rx=\"6\"/><text x=\"8\" y=\"19\">%{id} {op}</text>\
                 <text x=\"8\" y=\"37\" class=\"small\">{result}</text></g>",
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

const PAGE: &str = r##"<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>
:root { color-scheme: light dark; --line: #8886; --op: #4a7fd0; --leaf: #3a9a5b; --cut: #c05a3c; --spent: #888; }
body { font: 14px/1.4 system-ui, sans-serif; margin: 0; display: grid; grid-template-rows: auto 1fr 1fr; height: 100vh; }
header { padding: 8px 14px; border-bottom: 1px solid var(--line); display: flex; gap: 16px; align-items: baseline; }
h1 { font-size: 17px; margin: 0; } input { margin-left: auto; width: 22em; font: inherit; padding: 2px 6px; }
#graph { width: 100%; height: 100%; cursor: grab; border-bottom: 1px solid var(--line); }
#edges path { fill: none; stroke: #8889; stroke-width: 1.5; }
rect { fill: Canvas; stroke: var(--op); stroke-width: 1.5; } .leaf rect { stroke: var(--leaf); }
.cut rect { stroke: var(--cut); stroke-dasharray: 5 3; } .spent rect { stroke: var(--spent); }
text { font: 13px ui-monospace, monospace; fill: CanvasText; } .small { font-size: 11px; opacity: .75; }
svg g.off, tr.off { opacity: .18; } tr.off { display: none; } .on rect { stroke-width: 4; }
#list { overflow: auto; } table { border-collapse: collapse; width: 100%; }
th { position: sticky; top: 0; background: Canvas; text-align: left; }
td, th { padding: 2px 14px; border-bottom: 1px solid var(--line); font-family: ui-monospace, monospace; font-size: 13px; }
tr:hover, tr.on { background: #4a7fd022; }
</style></head><body>
<header><h1>{title}</h1><span>{head}</span><input id="find" placeholder="find an operation, a shape, a line" autofocus></header>
{graph}
<div id="list"><table><thead><tr><th>id<th>operation<th>operands<th>result<th>kept<th>line</tr></thead><tbody>
{rows}</tbody></table></div>
<script>
const svg = document.getElementById("graph"), box = svg.viewBox.baseVal;
svg.addEventListener("wheel", e => {
  e.preventDefault();
  const k = e.deltaY > 0 ? 1.15 : 1 / 1.15, r = svg.getBoundingClientRect();
  const fx = (e.clientX - r.left) / r.width, fy = (e.clientY - r.top) / r.height;
  box.x += box.width * fx * (1 - k); box.y += box.height * fy * (1 - k); box.width *= k; box.height *= k;
}, { passive: false });
let drag = null;
svg.addEventListener("pointerdown", e => { drag = [e.clientX, e.clientY]; svg.setPointerCapture(e.pointerId); });
svg.addEventListener("pointerup", () => drag = null);
svg.addEventListener("pointermove", e => {
  if (!drag) return;
  const k = Math.max(box.width / svg.clientWidth, box.height / svg.clientHeight);
  box.x -= (e.clientX - drag[0]) * k; box.y -= (e.clientY - drag[1]) * k; drag = [e.clientX, e.clientY];
});
const rows = [...document.querySelectorAll("tbody tr")];
const node = r => document.getElementById("n" + r.id.slice(1));
document.getElementById("find").addEventListener("input", e => {
  const word = e.target.value.toLowerCase();
  for (const r of rows) {
    const off = word && !r.textContent.toLowerCase().includes(word);
    r.classList.toggle("off", off); node(r)?.classList.toggle("off", off);
  }
});
for (const r of rows) {
  const n = node(r), mark = on => { r.classList.toggle("on", on); n?.classList.toggle("on", on); };
  for (const x of [r, n]) { x?.addEventListener("mouseenter", () => mark(true)); x?.addEventListener("mouseleave", () => mark(false)); }
  n?.addEventListener("click", () => r.scrollIntoView({ block: "center" }));
}
</script></body></html>
"##;
