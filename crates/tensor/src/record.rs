//! A line of the tape: what an operation on tracked tensors leaves behind so that it can be differentiated.
//!
//! This crate fills records in and never reads them; reading (order, accumulation, unbroadcasting, errors) is
//! `autograd`'s, through [`crate::hidden`]. Records hold bare values, only what the rule reads; edges are put on
//! again when the rule runs, and only if recording is on, so there is no cycle and first and higher order share
//! one path. A record that a backward pass has taken keeps operation, line and the word "spent".
use crate::mode;
use crate::op::{Op, Spec};
use crate::scalar::{Derivative, Expr};
use crate::shape::Shape;
use crate::tensor::Tensor;
use crate::value::{Arg, Held, Saved};
use crate::watch;
use smallvec::SmallVec;
use std::fmt;
use std::panic::Location;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

mod context;
pub use context::Context;

/// One output of a record, as a tensor's place on the tape.
#[derive(Clone)]
pub struct Edge {
    pub(crate) record: Arc<Record>,
    pub(crate) out: u32,
}
/// A line of the tape.
pub struct Record {
    id: u64,
    name: &'static str,
    at: &'static Location<'static>,
    kind: Kind,
    /// One bit per leaf (by id, modulo 64) that this record reads, through cuts too.
    leaves: u64,
    /// Of its output; a leaf and a cut have none.
    spec: Option<Spec>,
    flow: Flow,
    state: Mutex<State>,
}
/// How a cotangent goes through a record, known without its lock.
#[derive(Clone, Copy, Default)]
struct Flow {
    /// Whether the rule only records elementwise work, so that a pending cotangent may stay pending.
    fuses: bool,
    /// The operands (by bit) whose cotangent is the output's.
    passes: u64,
}
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Leaf,
    Op,
    /// The gradient ends here, for this reason.
    Cut(&'static str),
}
#[derive(Default)]
struct State {
    inputs: SmallVec<[Option<Edge>; 2]>,
    /// For diagnosis only: what a cut cut off.
    weak: SmallVec<[Weak<Record>; 1]>,
    rule: Option<Rule>,
}
enum Rule {
    Map(MapRule),
    Op(Box<OpRule>),
}
/// The rule of every elementwise operation: all it knows is the expression.
struct MapRule {
    expr: Arc<Expr>,
    out: usize,
    saved: SmallVec<[Slot; 2]>,
    output: Option<Saved>,
    /// Shapes of the operands, where one differs from the output's.
    shapes: Option<Box<[Shape]>>,
}
enum Slot {
    No,
    Value(Saved),
    Number(crate::dtype::Number),
}
struct OpRule {
    op: Box<dyn Op>,
    inputs: SmallVec<[Option<Saved>; 2]>,
    outputs: SmallVec<[Option<Saved>; 1]>,
    specs: SmallVec<[Spec; 2]>,
}

/// The cotangent of one operand.
#[derive(Clone, Debug)]
pub enum Cotangent {
    /// Not differentiated, or not asked for.
    None,
    /// Identically 0, of this shape and type.
    Zero(Spec),
    /// This tensor; it may still have to be summed to the operand's shape.
    Some(Tensor),
}
impl From<Tensor> for Cotangent {
    fn from(t: Tensor) -> Cotangent {
        Cotangent::Some(t)
    }
}
impl From<Option<Tensor>> for Cotangent {
    fn from(t: Option<Tensor>) -> Cotangent {
        t.map_or(Cotangent::None, Cotangent::Some)
    }
}
/// One cotangent per operand.
pub type Cotangents = SmallVec<[Cotangent; 2]>;

impl Record {
    fn new(
        name: &'static str,
        at: &'static Location<'static>,
        kind: Kind,
        leaves: u64,
        spec: Option<Spec>,
        flow: Flow,
        state: State,
    ) -> Arc<Record> {
        Arc::new(Record {
            id: crate::value::next_id(),
            name,
            at,
            kind,
            leaves,
            spec,
            flow,
            state: Mutex::new(state),
        })
    }
    pub(crate) fn leaf(at: &'static Location<'static>) -> Arc<Record> {
        let id = crate::value::next_id();
        let (flow, state) = (Flow::default(), Mutex::new(State::default()));
        let leaves = 1 << (id % 64);
        Arc::new(Record { id, name: "leaf", at, kind: Kind::Leaf, leaves, spec: None, flow, state })
    }
    /// Shape and dtype of the output of an operation.
    pub fn spec(&self) -> Option<&Spec> {
        self.spec.as_ref()
    }
    /// Whether the leaf with this id may be among what this record reads. With more than 64 leaves alive a yes can
    /// be wrong; a no never is.
    pub fn may_read(&self, leaf: u64) -> bool {
        self.leaves >> (leaf % 64) & 1 == 1
    }
    /// Larger than the ids of all records that this one reads.
    pub fn id(&self) -> u64 {
        self.id
    }
    /// The operation's name.
    pub fn name(&self) -> &'static str {
        self.name
    }
    /// The user's line.
    pub fn at(&self) -> &'static Location<'static> {
        self.at
    }
    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// Whether gradients reach through this record.
    pub(crate) fn is_tracked(&self) -> bool {
        !matches!(self.kind, Kind::Cut(_))
    }
    pub(crate) fn edges(&self) -> SmallVec<[Option<Edge>; 2]> {
        self.state().inputs.clone()
    }
    pub(crate) fn cut_off(&self) -> SmallVec<[Arc<Record>; 1]> {
        self.state().weak.iter().filter_map(Weak::upgrade).collect()
    }
    /// Bytes that the tape keeps for this record's rule.
    pub(crate) fn saved_values(&self) -> SmallVec<[Held; 2]> {
        let state = self.state();
        match &state.rule {
            Some(Rule::Map(m)) => {
                let inputs =
                    m.saved.iter().filter_map(|s| if let Slot::Value(v) = s { Some(v) } else { None });
                inputs.chain(&m.output).map(Saved::hold).collect()
            }
            Some(Rule::Op(o)) => o.inputs.iter().chain(&o.outputs).flatten().map(Saved::hold).collect(),
            None => SmallVec::new(),
        }
    }
    /// Whether an earlier backward pass has taken what the rule needs.
    pub(crate) fn is_spent(&self) -> bool {
        self.kind == Kind::Op && self.state().rule.is_none()
    }
    /// Shape and dtype of operand `i` of an operation that is not spent.
    pub(crate) fn operand(&self, i: usize) -> Option<Spec> {
        match self.state().rule.as_ref()? {
            Rule::Map(m) => Some(m.operand(i, self.spec.as_ref()?)),
            Rule::Op(o) => o.specs.get(i).cloned(),
        }
    }
    /// Gives up what the rule needs without running it.
    pub(crate) fn spend(&self) {
        let mut state = self.state();
        let (_rule, _inputs) = (state.rule.take(), std::mem::take(&mut state.inputs));
        drop(state);
    }
    /// Whether the rule only records elementwise work, so that a pending cotangent may stay pending.
    pub(crate) fn fuses(&self) -> bool {
        self.flow.fuses
    }
}
impl Drop for Record {
    /// A graph may be a million records deep: a worklist instead of recursion.
    fn drop(&mut self) {
        let own = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        let mut stack: SmallVec<[Edge; 4]> = own.inputs.drain(..).flatten().collect();
        while let Some(edge) = stack.pop() {
            // Not `get_mut`: the weak edges of a mark may outlive the record.
            if let Some(mut record) = Arc::into_inner(edge.record) {
                let state = record.state.get_mut().unwrap_or_else(PoisonError::into_inner);
                stack.extend(state.inputs.drain(..).flatten());
            }
        }
    }
}
impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "%{} {} at {}", self.id, self.name, self.at)
    }
}
impl fmt::Debug for Edge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}.{}", self.record, self.out)
    }
}

/// The bit of operand `i`; none beyond the 64th, which only rules without saved operands have.
fn bit(i: usize) -> u64 {
    1_u64.checked_shl(i as u32).unwrap_or(0)
}
/// Edges of an operation's operands, if gradients are to reach any of them.
pub(crate) fn tracked(edges: &[Option<Edge>]) -> u64 {
    let reached = |e: &Option<Edge>| e.as_ref().is_some_and(|e| e.record.is_tracked());
    edges.iter().enumerate().fold(0, |m, (i, e)| m | if reached(e) { bit(i) } else { 0 })
}
fn leaves(edges: &[Option<Edge>]) -> u64 {
    edges.iter().flatten().fold(0, |m, e| m | e.record.leaves)
}
/// A cut of `edges` for a reason; an existing cut is handed on when no operand is tracked.
pub(crate) fn cut(
    name: &'static str,
    at: &'static Location<'static>,
    why: &'static str,
    keep: bool,
    edges: &[Option<Edge>],
) -> Option<Edge> {
    let mut marks = edges.iter().flatten();
    if tracked(edges) == 0
        && let (Some(first), None) = (marks.next(), marks.next())
    {
        return Some(first.clone());
    }
    let mut state = State::default();
    if keep {
        state.weak = edges.iter().flatten().map(|e| Arc::downgrade(&e.record)).collect();
    }
    let record = Record::new(name, at, Kind::Cut(why), leaves(edges), None, Flow::default(), state);
    Some(Edge { record, out: 0 })
}
/// The record of an elementwise operation in the making: before its operands go into the value.
pub(crate) struct Saving {
    expr: Arc<Expr>,
    out: usize,
    saved: SmallVec<[Slot; 2]>,
    output: bool,
    shapes: Option<Box<[Shape]>>,
}
impl Saving {
    /// Saves those of `args` that the derivatives read. `shape` is the result's.
    pub(crate) fn of(
        expr: &Arc<Expr>,
        out: usize,
        edges: &[Option<Edge>],
        args: &[Arg],
        shape: &Shape,
    ) -> Saving {
        let reached = tracked(edges);
        let used = |(i, d): (usize, &Derivative)| if reached >> i & 1 == 1 { d.reads } else { 0 };
        let reads = expr.pullback(out).iter().enumerate().map(used).fold(0, |m, r| m | r);
        let slot = |(i, a): (usize, &Arg)| match a {
            _ if reads >> i & 1 == 0 => Slot::No,
            Arg::Value(v) => Slot::Value(v.save()),
            Arg::Number(n) => Slot::Number(*n),
        };
        let differs = |a: &Arg| matches!(a, Arg::Value(v) if v.shape != *shape);
        let of = |a: &Arg| if let Arg::Value(v) = a { v.shape.clone() } else { Shape::scalar() };
        Saving {
            expr: expr.clone(),
            out,
            saved: args.iter().enumerate().map(slot).collect(),
            output: reads >> args.len() & 1 == 1,
            shapes: args.iter().any(differs).then(|| args.iter().map(of).collect()),
        }
    }
    pub(crate) fn record(
        self,
        edges: SmallVec<[Option<Edge>; 2]>,
        value: &Held,
        at: &'static Location<'static>,
    ) -> Edge {
        let name = self.expr.name;
        let output = self.output.then(|| value.save());
        let rule = MapRule { expr: self.expr, out: self.out, saved: self.saved, output, shapes: self.shapes };
        let leaves = leaves(&edges);
        let spec = Some(value.spec());
        let state = State { inputs: edges, weak: SmallVec::new(), rule: Some(Rule::Map(rule)) };
        let flow = Flow { fuses: true, passes: 0 };
        Edge { record: Record::new(name, at, Kind::Op, leaves, spec, flow, state), out: 0 }
    }
}
/// Records a structural operation.
pub(crate) fn op(
    op: Box<dyn Op>,
    fuses: bool,
    edges: SmallVec<[Option<Edge>; 2]>,
    inputs: &[&Tensor],
    outputs: &[Held],
    specs: SmallVec<[Spec; 2]>,
    at: &'static Location<'static>,
) -> Arc<Record> {
    let saves = op.saves(tracked(&edges));
    let spec = outputs.first().map(|v| v.spec());
    let name = op.name();
    let inputs = inputs.iter().enumerate().map(|(i, t)| saves.keeps(i).then(|| t.value.save())).collect();
    let outputs =
        outputs.iter().enumerate().map(|(i, v)| (saves.outputs >> i & 1 == 1).then(|| v.save())).collect();
    let flow = Flow { fuses, passes: op.passes() };
    let rule = Some(Rule::Op(Box::new(OpRule { op, inputs, outputs, specs })));
    let leaves = leaves(&edges);
    Record::new(name, at, Kind::Op, leaves, spec, flow, State { inputs: edges, weak: SmallVec::new(), rule })
}

/// What a backward pass takes out of a record, or looks at.
pub(crate) struct Taken {
    pub(crate) edges: SmallVec<[Option<Edge>; 2]>,
    rule: Option<Rule>,
}
/// Runs the record's rule on the cotangent of its output, for the operands that `wanted` picks among the tracked
/// ones. With `take` the record is spent; `None` if it already was.
pub(crate) fn pull(
    record: &Arc<Record>,
    g: &Tensor,
    take: bool,
    wanted: &dyn Fn(&Edge) -> bool,
) -> Option<(Taken, Cotangents)> {
    let mut state = record.state();
    state.rule.as_ref()?;
    if take {
        let taken = Taken { edges: std::mem::take(&mut state.inputs), rule: state.rule.take() };
        drop(state);
        let parts = run(record, taken.rule.as_ref()?, &taken.edges, g, wanted);
        return Some((taken, parts));
    }
    let edges = state.inputs.clone();
    let parts = run(record, state.rule.as_ref()?, &edges, g, wanted);
    Some((Taken { edges, rule: None }, parts))
}
/// The cotangents that are the output's, `g`, summed: of those operands that the operation says and `wanted` picks.
pub(crate) fn pass(
    record: &Record,
    g: &Tensor,
    wanted: &dyn Fn(&Edge) -> bool,
) -> SmallVec<[(Edge, Tensor); 1]> {
    let passes = record.flow.passes;
    if passes == 0 {
        return SmallVec::new();
    }
    let state = record.state();
    let Some(Rule::Op(rule)) = &state.rule else { return SmallVec::new() };
    let edges = || state.inputs.iter().enumerate().filter(|(i, _)| passes & bit(*i) != 0);
    let reached = |e: &&Edge| e.record.is_tracked() && wanted(e);
    let found =
        edges().filter_map(|(i, e)| Some((e.as_ref().filter(reached)?.clone(), rule.specs[i].shape.clone())));
    let found: SmallVec<[(Edge, Shape); 1]> = found.collect();
    drop(state);
    let run = || found.into_iter().map(|(edge, shape)| (edge, g.sum_to(&shape))).collect();
    if watch::on() { watch::within_rule(record.name, record.at, run) } else { run() }
}
fn run(
    record: &Arc<Record>,
    rule: &Rule,
    edges: &[Option<Edge>],
    g: &Tensor,
    wanted: &dyn Fn(&Edge) -> bool,
) -> Cotangents {
    let need = |e: &Option<Edge>| e.as_ref().is_some_and(|e| e.record.is_tracked() && wanted(e));
    let needs = edges.iter().enumerate().fold(0, |m, (i, e)| m | if need(e) { bit(i) } else { 0 });
    let run = || match rule {
        Rule::Map(m) => m.run(record, edges, needs, g),
        Rule::Op(o) => {
            let needs = needs & !record.flow.passes;
            o.op.vjp(&Context { record, edges, needs, rule: o }, g)
        }
    };
    if watch::on() { watch::within_rule(record.name, record.at, run) } else { run() }
}
impl MapRule {
    fn run(&self, record: &Arc<Record>, edges: &[Option<Edge>], needs: u64, g: &Tensor) -> Cotangents {
        let pullback = self.expr.pullback(self.out);
        let part = |i: usize| {
            if needs >> i & 1 == 1 { self.part(record, edges, &pullback[i], i, g) } else { Cotangent::None }
        };
        (0..edges.len()).map(part).collect()
    }
    /// Shape and dtype of operand `i`, given the output's.
    fn operand(&self, i: usize, out: &Spec) -> Spec {
        let shape = self.shapes.as_ref().map_or(&out.shape, |s| &s[i]);
        Spec { shape: shape.clone(), dtype: out.dtype }
    }
    fn part(
        &self,
        record: &Arc<Record>,
        edges: &[Option<Edge>],
        d: &Derivative,
        i: usize,
        g: &Tensor,
    ) -> Cotangent {
        if d.zero {
            return Cotangent::Zero(Spec {
                shape: self.shapes.as_ref().map_or(g.shape(), |s| &s[i]).clone(),
                dtype: g.dtype(),
            });
        }
        let part = if d.identity { g.clone() } else { self.apply(record, edges, d, g) };
        match &self.shapes {
            Some(s) => part.sum_to(&s[i]).into(),
            None => part.into(),
        }
    }
    /// The derivative as one elementwise operation over what was saved.
    fn apply(&self, record: &Arc<Record>, edges: &[Option<Edge>], d: &Derivative, g: &Tensor) -> Tensor {
        let n = self.saved.len();
        let keep = mode::recording();
        let operand = |k: usize| -> crate::operand::Operand {
            if d.reads >> k & 1 == 0 {
                return 0.0.into();
            }
            if k == n + 1 {
                return g.into();
            }
            if k == n {
                let value = self.output.as_ref().expect("saved, since the derivative reads it").hold();
                let edge = keep.then(|| Edge { record: record.clone(), out: 0 });
                return Tensor { value, edge, label: None }.into();
            }
            match &self.saved[k] {
                Slot::Value(v) => {
                    let edge = if keep { edges[k].clone() } else { None };
                    Tensor { value: v.hold(), edge, label: None }.into()
                }
                Slot::Number(v) => crate::operand::Operand::Number(*v),
                Slot::No => unreachable!("saved, since the derivative reads it"),
            }
        };
        let mut x: SmallVec<[crate::operand::Operand; 6]> = (0..n + 2).map(operand).collect();
        crate::apply::expr(&d.expr, 0, &mut x, record.at)
    }
}
