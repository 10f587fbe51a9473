//! What `autograd` and `nn` see of records, and nobody else.
//!
//! Reading: id, operation, line, inputs, and take or peek of what was saved. Making: leaves, and marks that cut. And what
//! the rules of users are held to.
pub use crate::mode::recording_gradient;
pub use crate::op::custom::{answers, few, fitting};
use crate::op::{Op, Spec};
use crate::record::{self, Kind};
pub use crate::record::{Cotangent, Cotangents, Edge, Record};
use crate::tensor::Tensor;
use smallvec::SmallVec;
use std::panic::Location;
use std::sync::Arc;

/// A leaf of the tape: an identity that tensors are attached to, and that gradients are looked up by.
#[derive(Clone, Debug)]
pub struct Leaf(Arc<Record>);
impl Leaf {
    /// A fresh leaf.
    #[track_caller]
    #[expect(clippy::new_without_default, reason = "each leaf is another identity")]
    pub fn new() -> Leaf {
        Leaf(Record::leaf(Location::caller()))
    }
    /// The id that gradients are looked up by.
    pub fn id(&self) -> u64 {
        self.0.id()
    }
    /// The same elements, tracked as this leaf.
    pub fn attach(&self, t: &Tensor) -> Tensor {
        with_edge(t, Some(Edge { record: self.0.clone(), out: 0 }))
    }
}

/// Whether operations on tracked tensors write records on this thread.
pub fn recording() -> bool {
    crate::mode::recording()
}
/// The tensor's place on the tape, cut ones included.
pub fn edge(t: &Tensor) -> Option<&Edge> {
    t.edge.as_ref()
}
/// Whether gradients reach through this tensor.
pub fn is_tracked(t: &Tensor) -> bool {
    t.edge.as_ref().is_some_and(|e| e.record.is_tracked())
}
/// The same elements without a past; a mark of `op` and line is left if there was one.
pub fn cut(t: &Tensor, op: &'static str, why: &'static str, at: &'static Location<'static>) -> Tensor {
    let edges: [Option<Edge>; 1] = [t.edge.clone()];
    with_edge(t, record::cut(op, at, why, false, &edges))
}
/// The same value at another place on the tape.
pub fn with_edge(t: &Tensor, edge: Option<Edge>) -> Tensor {
    Tensor { value: t.value.clone(), edge, label: t.label.clone() }
}
/// The value of `y` as the result of `op` over operands at these places of the tape. Its rule may read `inputs`, if
/// they are given: the operands themselves, as plain tensors.
pub fn ruled(
    y: &Tensor,
    op: Box<dyn Op>,
    edges: &[Option<Edge>],
    inputs: &[Tensor],
    at: &'static Location<'static>,
) -> Tensor {
    let spec =
        |e: &Option<Edge>| e.as_ref().and_then(|e| e.record.spec().cloned()).unwrap_or_else(|| y.spec());
    let specs = edges.iter().map(spec).collect();
    let inputs: SmallVec<[&Tensor; 4]> = inputs.iter().collect();
    let record = record::op(op, false, edges.into(), &inputs, std::slice::from_ref(&y.value), specs, at);
    with_edge(y, Some(Edge { record, out: 0 }))
}
/// The identity of the tensor's value, shared by its handles.
pub fn value_id(t: &Tensor) -> u64 {
    t.value.id
}
/// Whether the value is a call's that is left until it is read.
pub fn is_waiting(t: &Tensor) -> bool {
    t.value.is_waiting()
}
/// Whether the value is still to be computed.
pub fn is_pending(t: &Tensor) -> bool {
    t.value.is_pending()
}

impl Edge {
    /// The record.
    pub fn record(&self) -> &Arc<Record> {
        &self.record
    }
    /// The record, of an edge that is not needed any more.
    pub fn into_record(self) -> Arc<Record> {
        self.record
    }
    /// Which of its outputs.
    pub fn out(&self) -> usize {
        self.out as usize
    }
}
impl Record {
    /// Whether this is a leaf.
    pub fn is_leaf(&self) -> bool {
        self.kind() == Kind::Leaf
    }
    /// Why gradients end here, if they do.
    pub fn cut_reason(&self) -> Option<&'static str> {
        match self.kind() {
            Kind::Cut(why) => Some(why),
            _ => None,
        }
    }
    /// Whether a backward pass has taken what the rule needs.
    pub fn spent(&self) -> bool {
        self.is_spent()
    }
    /// Whether the rule is elementwise work only, so that a pending cotangent may stay pending.
    pub fn fusable(&self) -> bool {
        self.fuses()
    }
    /// The records that it reads, by operand.
    pub fn inputs(&self) -> SmallVec<[Option<Edge>; 2]> {
        self.edges()
    }
    /// For a cut, what it cut off, where that is still alive.
    pub fn cut_from(&self) -> SmallVec<[Arc<Record>; 1]> {
        self.cut_off()
    }
    /// Shape and dtype of operand `i`, if this is an operation that is not spent.
    pub fn operand_spec(&self, i: usize) -> Option<Spec> {
        self.operand(i)
    }
    /// Whether a dry run is on that this record was there before.
    pub fn precedes_dry_run(&self) -> bool {
        crate::dry::precedes(self.id())
    }
    /// Spends the record without running its rule.
    pub fn forget(&self) {
        self.spend();
    }
    /// The values kept for the rule, as tensors without a past.
    pub fn saved(&self) -> Vec<Tensor> {
        self.saved_values().into_iter().map(Tensor::untracked).collect()
    }
}
/// Runs what belongs to the gradient of a record, so that a profile knows.
pub fn within_rule<R>(record: &Record, run: impl FnOnce() -> R) -> R {
    crate::profile::within_rule(record.id(), (record.name(), record.at()), run)
}
/// Runs a record's rule on the cotangent of its output: the edges of its operands and a cotangent for each of those
/// that are tracked and `wanted`. With `take` the record is spent. `None` if it already was.
pub fn pull(
    record: &Arc<Record>,
    g: &Tensor,
    take: bool,
    wanted: &dyn Fn(&Edge) -> bool,
) -> Option<(SmallVec<[Option<Edge>; 2]>, Cotangents)> {
    record::pull(record, g, take, wanted).map(|(taken, parts)| (taken.edges, parts))
}
/// The cotangents that are the output's, `g`, summed, with the edges of their operands. [`pull`] does not give these.
pub fn pass(record: &Record, g: &Tensor, wanted: &dyn Fn(&Edge) -> bool) -> SmallVec<[(Edge, Tensor); 1]> {
    record::pass(record, g, wanted)
}
/// Runs `walk`, which pulls records, to its end: what it has left to other threads is done after.
pub fn to_the_end<R>(walk: impl FnOnce() -> R) -> R {
    struct Settle;
    impl Drop for Settle {
        fn drop(&mut self) {
            crate::plan::settle();
        }
    }
    let _settle = Settle;
    walk()
}
