//! `Value`: shape and dtype at once, elements on demand.
//!
//! A value is ready (a view of a buffer) or pending (an expression over other values). This room decides what may
//! stay pending together: [`Value::pending`] joins the iteration spaces of its operands and forces those that do
//! not fit or would keep too much alive. What to compute, and how, is `plan`'s.
use crate::buffer::Buffer;
use crate::call::Call;
use crate::cell::Cell;
use crate::cpu::fold::Red;
use crate::dry;
use crate::dtype::{DType, Number};
use crate::layout::Layout;
use crate::mode;
use crate::op::Spec;
use crate::profile;
use crate::scalar::Expr;
use crate::shape::Shape;
use smallvec::SmallVec;
use std::cell::RefCell;
use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

mod space;
use space::{Place, join};
pub(crate) use space::{ROW_MAX, Space};

/// Instructions of one pending expression, at most.
const MAX_INSTRUCTIONS: u64 = 64;
/// Bytes that a pending expression may read for each byte of its space, above [`FREE_KIB`].
const MAX_READ_RATIO: u64 = 8;
const FREE_KIB: u64 = 1024;
/// What unread reductions of one thread may keep alive.
const MAX_OWED_KIB: u64 = 64 << 10;
/// What a reduction may keep alive without being noted.
const OWED_KIB: u64 = 256;

/// Elements in memory.
#[derive(Clone)]
pub(crate) struct View {
    pub(crate) buffer: Arc<Buffer>,
    /// Where they lie; `None`: dense, from the buffer's start.
    pub(crate) layout: Option<Box<Layout>>,
}
/// An operand of a pending value.
#[derive(Clone)]
pub(crate) enum Arg {
    Value(Held),
    Number(Number),
}
pub(crate) struct Pending {
    pub(crate) kind: Kind,
    pub(crate) args: SmallVec<[Arg; 3]>,
    /// The operation that it belongs to, in a profile.
    pub(crate) tag: u64,
    /// The line that made it.
    pub(crate) at: &'static Location<'static>,
}
/// What a pending value is of its operands.
#[derive(Clone)]
pub(crate) enum Kind {
    /// One output of an elementwise expression.
    Map {
        expr: Arc<Expr>,
        out: usize,
        /// The type that it computes in; truth values apart.
        compute: DType,
    },
    /// The operand's elements as this value's dtype.
    Cast,
    /// The operand's elements under another shape: a reshape in logical order, or a row value over its rows.
    Same,
    /// A reduction.
    Fold { red: Red, over: Over },
    /// A loop over whole operands, left until it is read. It is never part of a program.
    Call(Arc<Waiting>),
}
/// A call that was left, and what it is in a profile.
pub(crate) struct Waiting {
    pub(crate) call: Call,
    /// The operation that it belongs to.
    pub(crate) op: &'static str,
    pub(crate) flops: u64,
}
impl Kind {
    /// The operation, as a user knows it.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Kind::Map { expr, .. } => expr.name,
            Kind::Cast => "cast",
            Kind::Same => "contiguous",
            Kind::Fold { red: Red::Sum, .. } => "sum",
            Kind::Fold { red: Red::Prod, .. } => "prod",
            Kind::Fold { red: Red::Max, .. } => "amax",
            Kind::Fold { red: Red::Min, .. } => "amin",
            Kind::Call(waiting) => waiting.op,
        }
    }
    /// Instructions of its own.
    fn work(&self) -> u64 {
        match self {
            Kind::Map { expr, .. } => expr.work.max(1) as u64,
            _ => 1,
        }
    }
    /// Floating-point operations for each element that it computes; of a reduction, for each that it reads.
    pub(crate) fn flops(&self) -> u64 {
        match self {
            Kind::Map { expr, .. } => expr.work as u64,
            Kind::Cast | Kind::Same => 0,
            Kind::Fold { .. } => 1,
            Kind::Call(waiting) => waiting.flops,
        }
    }
}
/// The elements that a reduction combines, of an operand seen as `[outer, len, inner]`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Over {
    /// The last axis, of this length.
    Rows(usize),
    /// The middle one.
    Columns { outer: usize, len: usize, inner: usize },
}

pub(crate) struct Value {
    pub(crate) id: u64,
    pub(crate) dtype: DType,
    pub(crate) shape: Shape,
    pub(crate) numel: usize,
    /// Elements of the program that computes this, and their row structure (0: none).
    pub(crate) space: Space,
    /// A reduction whose result is known only when the program ends: nothing can be fused after it.
    pub(crate) sink: bool,
    /// Reads a sink, so it is computed in a later pass than that ends in.
    pub(crate) after: bool,
    /// No pending value below this one has a second holder, so its cost counts nothing twice.
    tree: bool,
    /// The result of a call, which is not computed in programs.
    called: bool,
    pub(crate) cell: Cell<Pending, View>,
    /// Smallest and largest element of an index tensor, once asked for.
    pub(crate) range: std::sync::OnceLock<(i64, i64)>,
}
/// A counted handle of a user or an operand.
pub(crate) struct Held(Arc<Value>);
/// A counted handle inside a tape record; it alone does not make a value worth writing to memory.
pub(crate) struct Saved(Arc<Value>);
macro_rules! handle {
    ($h:ident, $inc:ident, $dec:ident) => {
        impl Clone for $h {
            fn clone(&self) -> $h {
                self.0.cell.$inc();
                $h(self.0.clone())
            }
        }
        impl Drop for $h {
            fn drop(&mut self) {
                self.0.cell.$dec();
            }
        }
        impl std::ops::Deref for $h {
            type Target = Value;
            fn deref(&self) -> &Value {
                &self.0
            }
        }
    };
}
handle!(Held, hold, release);
handle!(Saved, save, unsave);
impl Held {
    #[inline]
    pub(crate) fn new(mut value: Value) -> Held {
        value.cell.hold_first();
        Held(Arc::new(value))
    }
    /// A way back to this value for a caller whose handles may be lost by a panic, which is not counted as a holder.
    pub(crate) fn uncounted(&self) -> Uncounted {
        Uncounted(self.0.clone())
    }
    pub(crate) fn save(&self) -> Saved {
        self.cell.save();
        Saved(self.0.clone())
    }
}
/// See [`Held::uncounted`].
pub(crate) struct Uncounted(Arc<Value>);
impl Uncounted {
    pub(crate) fn hold(&self) -> Held {
        self.0.cell.hold();
        Held(self.0.clone())
    }
}
impl Saved {
    pub(crate) fn hold(&self) -> Held {
        self.cell.hold();
        Held(self.0.clone())
    }
}

/// Ids of values and of records come from one counter: a result has a larger one than what it was made of.
pub(crate) fn next_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Relaxed)
}

impl View {
    pub(crate) fn dense(buffer: Arc<Buffer>) -> View {
        View { buffer, layout: None }
    }
}
impl Value {
    #[inline]
    fn make(dtype: DType, shape: Shape, place: Place, cell: Cell<Pending, View>) -> Held {
        let (numel, range) = (shape.numel(), std::sync::OnceLock::new());
        let Place { space, sink, after, tree, called } = place;
        Held::new(Value { id: next_id(), dtype, shape, numel, space, sink, after, tree, called, cell, range })
    }
    /// A value whose elements are in memory.
    pub(crate) fn ready(dtype: DType, shape: Shape, view: View) -> Held {
        let place = Place::apart(shape.numel());
        Value::make(dtype, shape, place, Cell::ready(view))
    }
    /// A value that `waiting` computes from `args`, which are in memory, when it is read.
    #[track_caller]
    pub(crate) fn waiting(waiting: Waiting, dtype: DType, shape: Shape, args: SmallVec<[Arg; 3]>) -> Held {
        let kind = Kind::Call(Arc::new(waiting));
        let cell = Cell::pending(Pending { kind, args, tag: profile::tag(), at: Location::caller() }, 1);
        let place = Place { called: true, ..Place::apart(shape.numel()) };
        Value::make(dtype, shape, place, cell)
    }
    /// Whether a call is still to be run for this value.
    pub(crate) fn is_waiting(&self) -> bool {
        self.called && self.is_pending()
    }
    pub(crate) fn is_pending(&self) -> bool {
        self.cell.cost() != 0
    }
    /// Whether a dry run has made this value: ready, without elements.
    pub(crate) fn is_planned(&self) -> bool {
        self.cell.result().is_some_and(|view| view.buffer.is_planned())
    }
    /// Shape and dtype.
    pub(crate) fn spec(&self) -> Spec {
        Spec { shape: self.shape.clone(), dtype: self.dtype }
    }
    /// KiB of elements.
    pub(crate) fn kib(&self) -> u64 {
        self.numel.saturating_mul(self.dtype.size()) as u64 >> 10
    }

    /// A value to be computed on demand (at once in eager mode). Whatever of its operands cannot share a pass
    /// with it is computed here.
    #[track_caller]
    pub(crate) fn pending(kind: Kind, dtype: DType, shape: Shape, args: SmallVec<[Arg; 3]>) -> Held {
        if dry::planning() {
            dry::settle(values(&args));
        }
        for v in values(&args).filter(|v| v.is_waiting()) {
            v.force();
        }
        let place = join(&kind, &shape, &args);
        let own = kind.work();
        let size = place.space.n.saturating_mul(dtype.size()) as u64 >> 10;
        let cost = settle_cost(own, size, &args, place.tree);
        // What a reduction keeps alive, counted once.
        let read = match cost >> 32 {
            kib if !place.sink || kib < OWED_KIB || place.tree => kib,
            _ => exact_cost(own, &args).kib,
        };
        let value = Value::make(
            dtype,
            shape,
            place,
            Cell::pending(Pending { kind, args, tag: profile::tag(), at: Location::caller() }, cost),
        );
        if mode::is_eager() {
            crate::plan::force(&[&value]);
        } else if value.sink {
            owe(&value, read.saturating_sub(value.kib()));
        }
        value
    }
}
impl Held {
    #[track_caller]
    pub(crate) fn force(&self) {
        if self.is_pending() {
            crate::plan::force(&[self]);
        }
    }
    /// The pending sinks below this value, each once.
    pub(crate) fn sinks_below(&self, found: &mut Vec<Held>) {
        let mut seen: SmallVec<[u64; 64]> = SmallVec::new();
        let mut stack: Vec<Held> = vec![self.clone()];
        while let Some(v) = stack.pop() {
            let Err(at) = seen.binary_search(&v.id) else { continue };
            seen.insert(at, v.id);
            if v.sink && v.id != self.id && v.is_pending() && !found.iter().any(|f| f.is(&v)) {
                found.push(v.clone());
            }
            if v.after
                && let Some(guard) = v.cell.lock()
            {
                let below = values(&guard.recipe().args).filter(|v| v.is_pending() && (v.sink || v.after));
                stack.extend(below.cloned());
            }
        }
    }
    /// The identity of what a pending value reads first.
    pub(crate) fn first_operand(&self) -> Option<u64> {
        let guard = self.cell.lock()?;
        values(&guard.recipe().args).next().map(|v| v.id)
    }
    pub(crate) fn is(&self, o: &Held) -> bool {
        Arc::ptr_eq(&self.0, &o.0)
    }
    #[track_caller]
    pub(crate) fn ready_view(&self) -> &View {
        self.force();
        self.cell.result().expect("forced")
    }
    #[track_caller]
    pub(crate) fn layout(&self) -> Layout {
        match &self.ready_view().layout {
            Some(l) => (**l).clone(),
            None => Layout::dense(self.shape.clone()),
        }
    }
}
pub(crate) fn values(args: &[Arg]) -> impl Iterator<Item = &Held> {
    args.iter().filter_map(|a| if let Arg::Value(v) = a { Some(v) } else { None })
}

/// Instructions and KiB read of a new value, packed; forces the dearest operand until it is within the caps.
#[track_caller]
fn settle_cost(own: u64, size: u64, args: &[Arg], tree: bool) -> u64 {
    let dear =
        |c: Cost| c.instructions > MAX_INSTRUCTIONS || (c.kib > FREE_KIB && c.kib > MAX_READ_RATIO * size);
    loop {
        let (mut cost, worst) = summed_cost(own, args);
        // The sum counts what operands share once for each; before anything is forced, count it once.
        if worst.is_some() && dear(cost) && !tree {
            cost = exact_cost(own, args);
        }
        match worst {
            Some((_, v)) if dear(cost) => v.force(),
            _ => return cost.packed(),
        }
    }
}
/// The cost of `own` instructions over `args` and what is below each, and the dearest pending one.
fn summed_cost(own: u64, args: &[Arg]) -> (Cost, Option<(u64, &Held)>) {
    let (mut cost, mut worst) = (Cost { instructions: own, kib: 0 }, None::<(u64, &Held)>);
    for (i, v) in values(args).enumerate() {
        if values(args).take(i).any(|w| w.is(v)) {
            continue; // the same operand twice is computed once
        }
        let c = v.cell.cost();
        if c == 0 {
            cost.kib += v.kib();
            continue;
        }
        cost.instructions += c & u64::from(u32::MAX);
        cost.kib += c >> 32;
        if worst.is_none_or(|(w, _)| c > w) {
            worst = Some((c, v));
        }
    }
    (cost, worst)
}
impl Pending {
    /// What computing this costs now that some of its operands may be ready.
    pub(crate) fn cost(&self) -> u64 {
        summed_cost(self.kind.work(), &self.args).0.packed()
    }
}
#[derive(Clone, Copy)]
struct Cost {
    instructions: u64,
    kib: u64,
}
impl Cost {
    fn packed(self) -> u64 {
        self.instructions | self.kib << 32
    }
}
/// The cost of `own` instructions over `args`, every pending value below counted once.
fn exact_cost(own: u64, args: &[Arg]) -> Cost {
    let mut cost = Cost { instructions: own, kib: 0 };
    let mut seen: SmallVec<[u64; 64]> = SmallVec::new();
    let mut stack: SmallVec<[Arc<Value>; 64]> = values(args).map(|v| v.0.clone()).collect();
    while let Some(v) = stack.pop() {
        let Err(at) = seen.binary_search(&v.id) else { continue };
        seen.insert(at, v.id);
        match v.cell.lock() {
            None => cost.kib += v.kib(),
            Some(g) => {
                cost.instructions += g.recipe().kind.work();
                stack.extend(values(&g.recipe().args).map(|v| v.0.clone()));
            }
        }
    }
    cost
}

/// KiB owed, and what each unread reduction owes of it.
type Owed = (u64, Vec<(u64, std::sync::Weak<Value>)>);
thread_local! { static OWED: RefCell<Owed> = const { RefCell::new((0, vec![])) }; }
/// Notes that a pending reduction keeps `kib` alive. Past the thread's budget the unread ones are computed.
#[track_caller]
fn owe(value: &Held, kib: u64) {
    if kib < OWED_KIB {
        return;
    }
    let due: Vec<Held> = OWED.with_borrow_mut(|(total, list)| {
        let alive = |w: &std::sync::Weak<Value>| w.upgrade().filter(|v| v.is_pending());
        if *total + kib > MAX_OWED_KIB {
            list.retain(|(_, w)| alive(w).is_some());
            *total = list.iter().map(|(kib, _)| kib).sum();
        }
        *total += kib;
        list.push((kib, Arc::downgrade(&value.0)));
        if *total <= MAX_OWED_KIB {
            return vec![];
        }
        *total = 0;
        let due = list.drain(..).filter_map(|(_, w)| alive(&w));
        due.map(|v| {
            v.cell.hold();
            Held(v)
        })
        .collect()
    });
    crate::plan::force(&due.iter().collect::<Vec<_>>());
}

/// Computes the elements of all these tensors now, in as few passes over memory as their shapes allow.
///
/// ```
/// use retrograd_tensor::{Tensor, force_all, memory};
/// let x = Tensor::from(vec![1.0f32; 100]);
/// let (y, z) = (&x + 1.0, &x * 2.0);
/// let before = memory::stats().programs;
/// force_all(&[&y, &z]);
/// assert_eq!(memory::stats().programs, before + 1);
/// ```
#[track_caller]
pub fn force_all(tensors: &[&crate::Tensor]) {
    let values: SmallVec<[&Held; 16]> = tensors.iter().map(|t| &t.value).collect();
    crate::plan::force(&values);
}
