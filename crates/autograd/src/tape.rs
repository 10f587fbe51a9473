//! The tape as something to look at: the Wengert list of a result.
use retrograd_tensor::hidden::{self, Record};
use retrograd_tensor::{Cost, Profile, Tensor};
use std::collections::BTreeMap;
use std::fmt;
use std::panic::Location;
use std::sync::Arc;

mod figures;
mod page;

pub use page::escaped;

/// One operation of a [`Tape`].
#[derive(Clone, Debug)]
pub struct Line {
    /// The record's id; larger than those of its inputs.
    pub id: u64,
    /// The operation.
    pub op: &'static str,
    /// Ids of the records of its operands; `None` for one that is not tracked.
    pub inputs: Vec<Option<u64>>,
    /// Shape and dtype of the result, as `f32 [2, 3]`; empty for a leaf.
    pub result: String,
    /// Bytes that the gradient rule keeps, each value counted once for the whole tape, where it is saved first.
    pub saved: usize,
    /// Why gradients end here, if they do.
    pub cut: Option<&'static str>,
    /// Whether a backward pass has taken what was saved.
    pub spent: bool,
    /// The user's line.
    pub at: &'static Location<'static>,
    /// What the operation has cost; see [`Tape::profiled`].
    pub forward: Option<Cost>,
    /// What its gradient rule has cost.
    pub backward: Option<Cost>,
}
/// The records between the leaves and a result, in the order in which they were made.
///
/// ```
/// use retrograd_autograd::{Differentiate, Tape};
/// use retrograd_tensor::Tensor;
/// let x = Tensor::from([1.0f64, 2.0]).tracked();
/// let y = (x.tanh() * 2.0).sum(());
/// let tape = Tape::of(&y);
/// let ops: Vec<&str> = tape.lines().iter().map(|l| l.op).collect();
/// assert_eq!(ops, ["leaf", "tanh", "mul", "sum"]);
/// ```
#[derive(Clone, Debug)]
pub struct Tape {
    lines: Vec<Line>,
}
impl Tape {
    /// The tape that leads to `y`. It is empty if `y` is not tracked.
    pub fn of(y: &Tensor) -> Tape {
        let mut found: BTreeMap<u64, Arc<Record>> = BTreeMap::new();
        let mut stack: Vec<Arc<Record>> = hidden::edge(y).map(|e| e.record().clone()).into_iter().collect();
        while let Some(record) = stack.pop() {
            if found.contains_key(&record.id()) {
                continue;
            }
            stack.extend(record.inputs().into_iter().flatten().map(|e| e.record().clone()));
            found.insert(record.id(), record);
        }
        let mut seen = std::collections::HashSet::new();
        let lines = found.values().map(|r| line(r, &mut seen)).collect();
        Tape { lines }
    }
    /// The same tape with what each operation and its gradient rule have cost.
    ///
    /// ```
    /// use retrograd_autograd::{Differentiate, Tape};
    /// use retrograd_tensor::{Tensor, profile};
    /// let x = Tensor::from_vec(vec![0.5f32; 400], [20, 20]).tracked();
    /// let (tape, profile) = profile(|| {
    ///     let loss = x.matmul(&x).tanh().sum(());
    ///     let tape = Tape::of(&loss);
    ///     loss.backward();
    ///     tape
    /// });
    /// let tape = tape.profiled(&profile);
    /// let product = tape.lines().iter().find(|l| l.op == "matmul").unwrap();
    /// assert_eq!(product.forward.unwrap().flops, 2 * 20 * 20 * 20);
    /// assert!(product.backward.unwrap().flops >= 2 * product.forward.unwrap().flops);
    /// assert!(tape.to_string().contains("16.0 k"));
    /// ```
    #[must_use]
    pub fn profiled(mut self, profile: &Profile) -> Tape {
        let costs = profile.by_record();
        for line in &mut self.lines {
            if let Some(&(forward, backward)) = costs.get(&line.id) {
                (line.forward, line.backward) = (forward, backward);
            }
        }
        self
    }
    /// The operations, leaves first.
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }
    /// Bytes that the whole tape keeps for backward.
    pub fn saved_bytes(&self) -> usize {
        self.lines.iter().map(|l| l.saved).sum()
    }
}
fn line(r: &Arc<Record>, seen: &mut std::collections::HashSet<u64>) -> Line {
    let fresh = |t: &Tensor| if seen.insert(hidden::value_id(t)) { t.numel() * t.dtype().size() } else { 0 };
    Line {
        id: r.id(),
        op: r.name(),
        inputs: r.inputs().iter().map(|e| e.as_ref().map(|e| e.record().id())).collect(),
        result: r.spec().map(|s| format!("{} {}", s.dtype, s.shape)).unwrap_or_default(),
        saved: r.saved().iter().map(fresh).sum(),
        cut: r.cut_reason(),
        spent: r.spent(),
        at: r.at(),
        forward: None,
        backward: None,
    }
}
impl Line {
    /// Operands by id.
    fn operands(&self) -> String {
        let name = |i: &Option<u64>| i.map_or("_".to_owned(), |i| format!("%{i}"));
        self.inputs.iter().map(name).collect::<Vec<_>>().join(", ")
    }
    /// Bytes kept, or why none are.
    fn kept(&self) -> String {
        match (self.cut, self.spent) {
            (Some(why), _) => format!("cut: {why}"),
            (None, true) => "spent".to_owned(),
            (None, false) => figures::bytes(self.saved),
        }
    }
    /// Time and operations, forward and backward; dashes where nothing was measured.
    fn costs(&self) -> [String; 4] {
        let of = |c: Option<Cost>| c.map_or(["-".to_owned(), "-".to_owned()], figures::cost);
        let ([a, b], [c, d]) = (of(self.forward), of(self.backward));
        [a, b, c, d]
    }
}
/// The table: operations in order with what they keep and cost.
impl fmt::Display for Tape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = |l: &Line| {
            let [forward, flop, backward, back_flop] = l.costs();
            let call = format!("%{} = {}({})", l.id, l.op, l.operands());
            [call, l.result.clone(), l.kept(), forward, flop, backward, back_flop, l.at.to_string()]
        };
        let head = ["operation", "result", "kept", "forward", "flop", "backward", "flop", "line"];
        let mut rows = vec![head.map(str::to_owned)];
        rows.extend(self.lines.iter().map(row));
        let width = |k: usize| rows.iter().map(|r| r[k].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..head.len()).map(width).collect();
        for r in &rows {
            for (k, (cell, width)) in r.iter().zip(&widths).enumerate() {
                // Figures to the right, words to the left; the last column has no margin.
                match k {
                    2..7 => write!(f, "{cell:>width$}  ")?,
                    7 => writeln!(f, "{cell}")?,
                    _ => write!(f, "{cell:<width$}  ")?,
                }
            }
        }
        Ok(())
    }
}
