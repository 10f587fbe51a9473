//! What a model is made of and what a forward pass takes, layer by layer.
//!
//! Each layer of this crate opens a row when its `forward` begins and closes it with what it gives back: `enter`,
//! `Call::leave`. Without a summary under way that is one look at a flag. Rows know their layer's name by the places
//! in memory of its parameters and buffers, which the model's walk names.
//!
//! What is no layer of this crate opens no row: a struct of one's own, a list of blocks. Such a part gets one when the
//! first layer within it begins, and holds it as long as layers follow whose names are below its own.

use crate::module::{Module, Slot};
use retrograd_tensor::{Tensor, eager, no_grad, profile, profiled_flops};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fmt;

thread_local! {
    /// Whether a summary is under way.
    static ON: Cell<bool> = const { Cell::new(false) };
    /// What it has so far.
    static TRACE: RefCell<Trace> = RefCell::new(Trace::default());
}

/// A row of a [`Summary`]: one call of one layer, or a part of the model that is none, such as a struct of one's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The layer's path in the model; empty for a layer without parameters and buffers, which has none.
    pub name: String,
    /// The layer's type; empty for a part that is no layer.
    pub layer: &'static str,
    /// How many rows it lies within. A layer without a name lies where the one before it does.
    pub depth: usize,
    /// The shape of its output, of several the first; empty for a part, whose `forward` is not seen.
    pub output: Vec<usize>,
    /// The bytes of its outputs.
    pub output_bytes: usize,
    /// How many numbers its parameters hold.
    pub parameters: usize,
    /// Floating-point operations of the call, those of layers within included; of a part, those of its layers alone.
    pub flops: u64,
}

/// A model as a table, made by [`Module::summary`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The calls in their order, a layer before those within it.
    pub rows: Vec<Row>,
    /// How many numbers the model's parameters hold.
    pub parameters: usize,
    /// Those of parameters that are not frozen.
    pub trainable: usize,
    /// The bytes of parameters and buffers.
    pub model_bytes: usize,
    /// Floating-point operations of the whole pass, also between layers.
    pub flops: u64,
}

impl Summary {
    /// The bytes of the outputs of all layers that have none within.
    ///
    /// ```
    /// use retrograd_nn::{Linear, Module, Relu, Sequential};
    /// use retrograd_tensor::{Rng, Tensor};
    /// let net = Sequential::new().then(Linear::new(4, 3, &mut Rng::new(0))).then(Relu);
    /// let summary = net.summary(|net| net.forward(&Tensor::ones([5, 4])));
    /// assert_eq!(summary.output_bytes(), 2 * 5 * 3 * 4);
    /// ```
    pub fn output_bytes(&self) -> usize {
        let next = self.rows.iter().skip(1).map(|row| row.depth).chain([0]);
        let leaves = self.rows.iter().zip(next).filter(|(row, next)| *next <= row.depth);
        leaves.map(|(row, _)| row.output_bytes).sum()
    }
}

/// The summary of `model` running `run`.
pub(crate) fn of<M: Module, R>(model: &M, run: impl FnOnce(&M) -> R) -> Summary {
    struct Restore(bool, Option<Trace>);
    impl Drop for Restore {
        fn drop(&mut self) {
            ON.set(self.0);
            TRACE.set(self.1.take().unwrap_or_default());
        }
    }
    let trace = Trace::of(model);
    // What a pass changes: running statistics, random streams.
    let buffers = model.named_buffers();
    let before: Vec<Tensor> = buffers.iter().map(|(_, buffer)| buffer.value()).collect();
    let restore = Restore(ON.replace(true), Some(TRACE.replace(trace)));
    let (flops, _) = profile(|| {
        // At once, so that each operation falls to the layer that asked for it.
        drop(no_grad(|| eager(|| run(model))));
        profiled_flops().unwrap_or(0)
    });
    let rows = TRACE.take().rows;
    drop(restore);
    for ((_, buffer), value) in buffers.into_iter().zip(before) {
        drop(buffer.replace(&value));
    }
    let (mut parameters, mut trainable, mut model_bytes) = (0, 0, 0);
    model.visit("", &mut |_, slot| match slot {
        Slot::Param(param) => {
            parameters += param.numel();
            trainable += if param.is_trainable() { param.numel() } else { 0 };
            model_bytes += param.numel() * param.dtype().size();
        }
        Slot::Buffer(buffer) => model_bytes += bytes(&buffer.value()),
    });
    Summary { rows, parameters, trainable, model_bytes, flops }
}

/// A summary under way.
#[derive(Default)]
struct Trace {
    rows: Vec<Row>,
    /// The model, and the calls that are open.
    open: Vec<Frame>,
    /// The names of the slots of the model, by their places.
    names: HashMap<usize, String>,
    /// How many numbers each of its parameters holds.
    sizes: Vec<(String, usize)>,
}

/// What layers are called within.
#[derive(Default)]
struct Frame {
    /// Its path in the model.
    path: String,
    /// The parts within it that the last layer lay in, from the outside, each with its row.
    parts: Vec<(String, usize)>,
}

impl Trace {
    fn of(model: &dyn Module) -> Self {
        let mut trace = Self { open: vec![Frame::default()], ..Self::default() };
        model.visit("", &mut |name, slot| {
            trace.names.insert(place(&slot), name.to_owned());
            if let Slot::Param(param) = slot {
                trace.sizes.push((name.to_owned(), param.numel()));
            }
        });
        trace
    }

    /// How many rows are open.
    fn depth(&self) -> usize {
        self.open.iter().map(|frame| 1 + frame.parts.len()).sum::<usize>().saturating_sub(1)
    }

    /// Closes the parts that the layer at `path` does not lie in, and opens those that it does.
    fn enter_parts(&mut self, path: &str) {
        let Some(frame) = self.open.last_mut() else { return };
        frame.parts.retain(|(part, _)| below(path, part).is_some_and(|rest| !rest.is_empty()));
        let rest = below(path, &frame.path).unwrap_or_default();
        let start = path.len() - rest.len();
        let ends = rest.match_indices('.').map(|(dot, _)| start + dot);
        for part in ends.map(|end| &path[..end]).skip(frame.parts.len()).collect::<Vec<_>>() {
            let within = self.sizes.iter().filter(|(name, _)| below(name, part).is_some());
            let parameters = within.map(|(_, size)| size).sum();
            let depth = self.depth();
            self.rows.push(Row { parameters, ..row(part.to_owned(), "", depth) });
            if let Some(frame) = self.open.last_mut() {
                frame.parts.push((part.to_owned(), self.rows.len() - 1));
            }
        }
    }
}

/// What `path` has after `part`, if it lies in it; every path lies in the model's, which is empty.
fn below<'a>(path: &'a str, part: &str) -> Option<&'a str> {
    let rest = path.strip_prefix(part)?;
    if part.is_empty() || rest.is_empty() { Some(rest) } else { rest.strip_prefix('.') }
}

fn row(name: String, layer: &'static str, depth: usize) -> Row {
    Row { name, layer, depth, output: Vec::new(), output_bytes: 0, parameters: 0, flops: 0 }
}

fn place(slot: &Slot<'_>) -> usize {
    match *slot {
        Slot::Param(param) => std::ptr::from_ref(param).addr(),
        Slot::Buffer(buffer) => std::ptr::from_ref(buffer).addr(),
    }
}

/// A call of a layer that is under way.
#[must_use]
pub(crate) struct Call {
    row: Option<usize>,
    flops: u64,
}

/// Notes that a layer begins to compute, if a summary is under way.
#[inline]
pub(crate) fn enter(layer: &'static str, module: &dyn Module) -> Call {
    if ON.get() { begin(layer, module) } else { Call { row: None, flops: 0 } }
}

#[cold]
fn begin(layer: &'static str, module: &dyn Module) -> Call {
    let flops = profiled_flops().unwrap_or(0);
    TRACE.with_borrow_mut(|trace| {
        let (mut path, mut parameters) = (None, 0);
        module.visit("", &mut |own, slot| {
            if let Slot::Param(param) = slot {
                parameters += param.numel();
            }
            // `fc1.weight` in the model, `weight` in the layer.
            let whole = trace.names.get(&place(&slot));
            let start = whole.and_then(|whole| whole.strip_suffix(own));
            path = path.take().or(start.map(|start| start.trim_end_matches('.').to_owned()));
        });
        if let Some(path) = &path {
            trace.enter_parts(path);
        }
        let (path, depth) = (path.unwrap_or_default(), trace.depth());
        trace.rows.push(Row { parameters, ..row(path.clone(), layer, depth) });
        trace.open.push(Frame { path, parts: Vec::new() });
        Call { row: Some(trace.rows.len() - 1), flops }
    })
}

impl Call {
    /// Notes what the layer gives back.
    #[inline]
    pub(crate) fn leave<R: Results>(self, results: R) -> R {
        if let Some(row) = self.row {
            let flops = profiled_flops().unwrap_or(0) - self.flops;
            TRACE.with_borrow_mut(|trace| {
                if let Some(row) = trace.rows.get_mut(row) {
                    results.each(&mut |t: &Tensor| {
                        if row.output_bytes == 0 {
                            row.output = t.shape().to_vec();
                        }
                        row.output_bytes += bytes(t);
                    });
                    row.flops = flops;
                }
                // The frame before the one that this call opened.
                let parts = trace.open.iter().rev().nth(1).map_or(&[][..], |frame| &frame.parts);
                parts.iter().for_each(|&(_, part)| trace.rows[part].flops += flops);
            });
        }
        results
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if self.row.is_some() {
            TRACE.with_borrow_mut(|trace| drop(trace.open.pop()));
        }
    }
}

/// What layers give back.
pub(crate) trait Results {
    fn each(&self, f: &mut dyn FnMut(&Tensor));
}

impl Results for Tensor {
    fn each(&self, f: &mut dyn FnMut(&Tensor)) {
        f(self);
    }
}

impl<A: Results, B: Results> Results for (A, B) {
    fn each(&self, f: &mut dyn FnMut(&Tensor)) {
        self.0.each(f);
        self.1.each(f);
    }
}

/// What a layer computes, as a row of a summary if one is under way. A macro, since a closure would be what operations
/// report as their caller.
macro_rules! layer {
    ($self:ident, $name:expr, $value:expr) => {{
        let call = $crate::summary::enter($name, $self);
        let value = $value;
        call.leave(value)
    }};
}
pub(crate) use layer;

fn bytes(t: &Tensor) -> usize {
    t.numel() * t.dtype().size()
}

/// A line for each call, then the totals.
impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let title = |row: &Row| {
            let indent = "  ".repeat(row.depth);
            let layer = if row.layer.is_empty() { String::new() } else { format!("({})", row.layer) };
            let space = if row.name.is_empty() || layer.is_empty() { "" } else { " " };
            format!("{indent}{}{space}{layer}", row.name)
        };
        let shape = |row: &Row| {
            if row.layer.is_empty() { String::new() } else { format!("{:?}", row.output) }
        };
        let head = ["layer", "output", "parameters", "FLOPs", "memory"].map(str::to_owned);
        let mut table = vec![head];
        for row in &self.rows {
            let numbers = [row.parameters as u64, row.flops].map(grouped);
            let [parameters, flops] = numbers;
            table.push([title(row), shape(row), parameters, flops, size(row.output_bytes)]);
        }
        let widths = [0, 1, 2, 3, 4].map(|column| {
            table.iter().map(|cells: &[String; 5]| cells[column].chars().count()).max().unwrap_or(0)
        });
        let line = "-".repeat(widths.iter().sum::<usize>() + 8);
        for (index, [layer, output, parameters, flops, memory]) in table.iter().enumerate() {
            let [a, b, c, d, e] = widths;
            writeln!(f, "{layer:<a$}  {output:<b$}  {parameters:>c$}  {flops:>d$}  {memory:>e$}")?;
            if index == 0 {
                writeln!(f, "{line}")?;
            }
        }
        writeln!(f, "{line}")?;
        let (all, trainable) = (grouped(self.parameters as u64), grouped(self.trainable as u64));
        writeln!(f, "parameters: {all}, {trainable} of them trainable, {}", size(self.model_bytes))?;
        write!(f, "forward: {} FLOPs, outputs of {}", grouped(self.flops), size(self.output_bytes()))
    }
}

/// Digits in threes.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Bytes for people.
fn size(bytes: usize) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let (mut value, mut unit) = (bytes as f64, 0);
    while value >= 1024.0 && unit + 1 < units.len() {
        (value, unit) = (value / 1024.0, unit + 1);
    }
    if unit == 0 { format!("{bytes} B") } else { format!("{value:.1} {}", units[unit]) }
}

#[cfg(test)]
mod tests {
    use super::{grouped, size};

    #[test]
    fn numbers_are_readable() {
        assert_eq!([0, 999, 1000, 1234567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([0, 1023, 1536, 3 << 20].map(size), ["0 B", "1023 B", "1.5 KiB", "3.0 MiB"]);
    }
}
