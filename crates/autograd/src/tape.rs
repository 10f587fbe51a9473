//! The tape as something to look at: the Wengert list of a result.
use retrograd_tensor::Tensor;
use retrograd_tensor::hidden::{self, Record};
use std::collections::BTreeMap;
use std::fmt;
use std::panic::Location;
use std::sync::Arc;

mod page;

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
    }
}
impl fmt::Display for Tape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for l in &self.lines {
            let inputs: Vec<String> =
                l.inputs.iter().map(|i| i.map_or("_".to_owned(), |i| format!("%{i}"))).collect();
            let call = format!("%{} = {}({})", l.id, l.op, inputs.join(", "));
            let note = match (l.cut, l.spent) {
                (Some(why), _) => format!("cut: {why}"),
                (None, true) => "spent".to_owned(),
                (None, false) => format!("{} B saved", l.saved),
            };
            writeln!(f, "{call:<36} {:<18} {note:<16} {}", l.result, l.at)?;
        }
        Ok(())
    }
}
