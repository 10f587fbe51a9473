//! Levels: what is open of `vmap`, and tensors that vary under it.
//!
//! Inside `vmap` a tensor may stand for one of many: its value has a leading axis for each level that it varies
//! under, in the order in which these were opened, and `shape()`, axes and printing do not see them. Only `apply`
//! asks: operands of a labelled operation are aligned here to plain tensors with all leading axes, the operation
//! runs on these as any other, and its result is labelled. So records know nothing of levels: they are those of
//! plain operations. A cotangent may carry labels of its own, of levels that its record does not vary under; rules
//! are tensor code, so that needs nothing.
//!
//! `Lift` gives a tensor an axis that it does not vary along. While the level is open its rule labels the
//! cotangent (a gradient for each example); afterwards it sums.
use crate::apply;
use crate::dry;
use crate::error::{Error, ErrorKind, raise};
use crate::op::{Batch, Kernel, Op, Outputs, Saves, Spec, Specs};
use crate::operand::Operand;
use crate::record::{Context, Cotangents};
use crate::scalar::Expr;
use crate::shape::{AxisVec, Shape};
use crate::tensor::Tensor;
use smallvec::{SmallVec, smallvec};
use std::cell::{Cell, RefCell};
use std::panic::Location;
use std::sync::Arc;

/// Levels in the order in which they were opened.
pub(crate) type Levels = SmallVec<[u64; 2]>;

/// The label of a tensor.
#[derive(Clone, Debug)]
pub(crate) struct Label {
    levels: Levels,
    /// Without the leading axes.
    pub(crate) shape: Shape,
}

thread_local! {
    static OPEN: RefCell<Vec<u64>> = const { RefCell::new(vec![]) };
    static SLICED: Cell<u64> = const { Cell::new(0) };
}

/// Runs `f` with a new level open; its name is given to `f`.
pub fn scoped<R>(f: impl FnOnce(u64) -> R) -> R {
    struct Close;
    impl Drop for Close {
        fn drop(&mut self) {
            OPEN.with_borrow_mut(Vec::pop);
        }
    }
    let level = crate::value::next_id();
    OPEN.with_borrow_mut(|open| open.push(level));
    let _close = Close;
    f(level)
}
fn is_open(level: u64) -> bool {
    OPEN.with_borrow(|open| open.contains(&level))
}
/// Whether this thread is inside a `vmap`.
pub(crate) fn any_open() -> bool {
    OPEN.with_borrow(|open| !open.is_empty())
}
/// Operations of this thread under `vmap` that had no batched form and ran slice by slice.
///
/// ```
/// assert_eq!(retrograd_tensor::levels::sliced(), 0);
/// ```
pub fn sliced() -> u64 {
    SLICED.get()
}

impl Tensor {
    /// The levels that this tensor varies under.
    pub(crate) fn levels(&self) -> &[u64] {
        self.label.as_ref().map_or(&[], |l| &l.levels)
    }
    /// Inside `vmap`, the elements for all examples, examples along the first axes; elsewhere this tensor. For code that
    /// checks elements, as a loss checks its labels, and gives none of them back.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([1i64, 2]).of_all_examples().to_vec::<i64>(), [1, 2]);
    /// ```
    #[track_caller]
    pub fn of_all_examples(&self) -> Tensor {
        self.bare()
    }
    /// The tensor with its leading axes.
    fn bare(&self) -> Tensor {
        Tensor { value: self.value.clone(), edge: self.edge.clone(), label: None }
    }
    /// Computes the elements, to be read. Panics if this tensor stands for many, or a dry run has planned it.
    #[track_caller]
    pub(crate) fn read_by(&self, op: &'static str) {
        if self.label.is_some() {
            let detail = format!("reading inside vmap: a tensor of shape {} stands for many", self.shape());
            raise(Error::new(op, ErrorKind::Value, format!("{detail}; read what vmap returns")));
        }
        if dry::is_blank(self) {
            dry::refuse(op, &self.value);
        }
    }
}
/// A plain tensor whose first axes are those of `levels`, which ascend.
fn labelled(t: Tensor, levels: Levels) -> Tensor {
    if levels.is_empty() {
        return t;
    }
    debug_assert!(t.label.is_none() && levels.is_sorted());
    let shape = t.value.shape[levels.len()..].into();
    Tensor { label: Some(Box::new(Label { levels, shape })), ..t }
}
/// As [`labelled`], the levels in any order.
#[track_caller]
fn relabelled(t: &Tensor, levels: &[u64]) -> Tensor {
    let mut order: AxisVec = (0..levels.len()).collect();
    order.sort_by_key(|&i| levels[i]);
    let sorted: Levels = order.iter().map(|&i| levels[i]).collect();
    order.extend(levels.len()..t.rank());
    labelled(t.permuted(&order), sorted)
}
/// `t` with its first axes as these levels, which ascend.
#[track_caller]
pub fn hide(t: &Tensor, levels: &[u64]) -> Tensor {
    if levels.is_empty() {
        return t.clone();
    }
    let all: Levels = t.levels().iter().chain(levels).copied().collect();
    relabelled(&t.bare(), &all)
}
/// `t`, which varies under `levels` or is made to, with their axes in front of its own; `sizes` for each of them.
#[track_caller]
pub fn show(t: &Tensor, levels: &[u64], sizes: &[usize]) -> Tensor {
    if levels.is_empty() {
        return t.clone();
    }
    let mut all: SmallVec<[(u64, usize); 2]> = levels.iter().copied().zip(sizes.iter().copied()).collect();
    for (&level, &size) in t.levels().iter().zip(t.value.shape.iter()) {
        if !levels.contains(&level) {
            all.push((level, size));
        }
    }
    all.sort_unstable();
    let plain = align(t, &all, t.rank(), true);
    let rest: Levels = all.iter().map(|l| l.0).filter(|l| !levels.contains(l)).collect();
    let (others, shown): (AxisVec, AxisVec) = (0..all.len()).partition(|&i| !levels.contains(&all[i].0));
    let order: AxisVec = others.into_iter().chain(shown).chain(all.len()..plain.rank()).collect();
    labelled(plain.permuted(&order), rest)
}
/// The levels of `t` with their sizes.
pub fn of(t: &Tensor) -> (Levels, SmallVec<[usize; 2]>) {
    let levels: Levels = t.levels().into();
    let sizes = t.value.shape[..levels.len()].into();
    (levels, sizes)
}

/// All levels of these tensors with their sizes.
pub fn union(x: &[&Tensor]) -> (Levels, SmallVec<[usize; 2]>) {
    all_of(x.iter().copied()).into_iter().unzip()
}
/// `t`, varying under all of `levels`.
#[track_caller]
pub fn vary(t: &Tensor, levels: &[u64], sizes: &[usize]) -> Tensor {
    hide(&show(t, levels, sizes), levels)
}
/// All levels of the operands, with their sizes.
fn all_of<'a>(x: impl Iterator<Item = &'a Tensor>) -> SmallVec<[(u64, usize); 2]> {
    let mut all: SmallVec<[(u64, usize); 2]> = SmallVec::new();
    for t in x {
        for (&level, &size) in t.levels().iter().zip(t.value.shape.iter()) {
            if let Err(at) = all.binary_search_by_key(&level, |l| l.0) {
                all.insert(at, (level, size));
            }
        }
    }
    all
}
/// `t` as a plain tensor with axes for all of these levels and then `rank` of its own. Where it does not vary it is
/// repeated if `whole`, or if gradients must be told apart; else the axis has size 1.
#[track_caller]
fn align(t: &Tensor, all: &[(u64, usize)], rank: usize, whole: bool) -> Tensor {
    let own = t.levels();
    if own.len() == all.len() && t.rank() == rank {
        return t.bare();
    }
    let varies = |level: u64| own.contains(&level);
    let mut shape: Shape = all.iter().map(|&(level, size)| if varies(level) { size } else { 1 }).collect();
    (t.rank()..rank).for_each(|_| shape.push(1));
    t.shape().iter().for_each(|&size| shape.push(size));
    let plain = t.bare().reshaped(&shape);
    let missing = || all.iter().enumerate().filter(|(_, (level, _))| !varies(*level));
    for (axis, &(_, size)) in missing() {
        shape[axis] = size;
    }
    if crate::hidden::is_tracked(t) {
        let axes = missing().map(|(axis, &(level, _))| (axis, level)).collect();
        apply::op(Lift { axes, to: shape }, &[&plain])
    } else if whole {
        plain.broadcast_to(&shape)
    } else {
        plain
    }
}

/// The operand repeated along axes of size 1, each of them a level's.
#[derive(Debug)]
struct Lift {
    axes: SmallVec<[(usize, u64); 2]>,
    to: Shape,
}
impl Op for Lift {
    fn name(&self) -> &'static str {
        "vmap"
    }
    fn infer(&self, x: &[Spec]) -> Result<Specs, Error> {
        Ok(smallvec![Spec { shape: self.to.clone(), dtype: x[0].dtype }])
    }
    fn kernel(&self, _: &[Spec], _: &[Spec]) -> Kernel {
        Kernel::Expand
    }
    fn saves(&self, _: u64) -> Saves {
        Saves::NOTHING
    }
    fn vjp(&self, cx: &Context<'_>, g: &Tensor) -> Cotangents {
        let (open, closed): (SmallVec<[_; 2]>, SmallVec<[_; 2]>) =
            self.axes.iter().copied().partition(|&(_, level)| is_open(level));
        let mut shape = g.shape().clone();
        closed.iter().for_each(|&(axis, _)| shape[axis] = 1);
        let g = g.sum_to(&shape);
        let mut order: AxisVec = open.iter().map(|l| l.0).collect();
        let rest: AxisVec = (0..g.rank()).filter(|axis| !order.contains(axis)).collect();
        order.extend(rest);
        let mut to: Shape = open.iter().map(|l| shape[l.0]).collect();
        cx.shape(0).iter().for_each(|&size| to.push(size));
        let levels: Levels = open.iter().map(|l| l.1).collect();
        smallvec![hide(&g.permuted(&order).reshaped(&to), &levels).into()]
    }
}

/// An elementwise operation of which an operand is labelled.
#[track_caller]
pub(crate) fn map(
    expr: &Arc<Expr>,
    out: usize,
    x: &[Operand],
    at: &'static Location<'static>,
) -> Result<Tensor, Error> {
    let tensors = || x.iter().filter_map(|o| if let Operand::Tensor(t) = o { Some(t) } else { None });
    let all = all_of(tensors());
    let rank = tensors().map(Tensor::rank).max().unwrap_or(0);
    let plain = |o: &Operand| match o {
        Operand::Tensor(t) => Operand::Tensor(align(t, &all, rank, false)),
        Operand::Number(n) => Operand::Number(*n),
    };
    let mut plain: SmallVec<[Operand; 8]> = x.iter().map(plain).collect();
    let y = apply::try_expr(expr, out, &mut plain, at)?;
    Ok(labelled(y, all.iter().map(|l| l.0).collect()))
}
/// A structural operation of which an operand is labelled.
#[track_caller]
pub(crate) fn op(op: impl Op, x: &[&Tensor]) -> Outputs {
    let all = all_of(x.iter().copied());
    let sizes: SmallVec<[usize; 2]> = all.iter().map(|l| l.1).collect();
    let levels: Levels = all.iter().map(|l| l.0).collect();
    let varies = |t: &Tensor| t.label.is_some() || crate::hidden::is_tracked(t);
    let varying = x.iter().enumerate().fold(0, |m, (i, t)| m | u64::from(varies(t)) << i);
    let specs: SmallVec<[Spec; 2]> = x.iter().map(|t| t.spec()).collect();
    let plain = |fixed: u64| -> SmallVec<[Tensor; 3]> {
        let one = |(i, &t): (usize, &&Tensor)| {
            if fixed >> i & 1 == 1 { t.clone() } else { align(t, &all, t.rank(), true) }
        };
        x.iter().enumerate().map(one).collect()
    };
    let out = match op.batch(&specs, &sizes, varying) {
        Batch::Whole(op) => apply::op_n(op, &plain(0).iter().collect::<SmallVec<[_; 3]>>()),
        Batch::Fixed(op, fixed) => apply::op_n(op, &plain(fixed).iter().collect::<SmallVec<[_; 3]>>()),
        Batch::Formula(f) => f(&plain(0)),
        Batch::Slices => slices(&(Arc::new(op) as Arc<dyn Op>), &plain(0), &sizes),
    };
    out.into_iter().map(|t| labelled(t, levels.clone())).collect()
}
/// The operation on each slice of the leading axes, and the results put together.
#[track_caller]
fn slices(op: &Arc<dyn Op>, x: &[Tensor], sizes: &[usize]) -> Outputs {
    SLICED.set(SLICED.get() + 1);
    let (lead, n) = (sizes.len(), sizes.iter().product::<usize>());
    let rows = |t: &Tensor| {
        let mut shape: Shape = t.shape()[lead..].into();
        shape.insert(0, n);
        t.reshaped(&shape)
    };
    let x: Vec<Tensor> = x.iter().map(rows).collect();
    let one = |i: usize| {
        let part: Vec<Tensor> = x.iter().map(|t| t.select(0, i as isize)).collect();
        apply::op_n(op.clone(), &part.iter().collect::<Vec<_>>())
    };
    let parts: Vec<Outputs> = (0..n).map(one).collect();
    let Some(first) = parts.first() else {
        raise(Error::new("vmap", ErrorKind::Shape, format!("{} over no examples", op.name())));
    };
    let joined = |k: usize| {
        let column: Vec<&Tensor> = parts.iter().map(|p| &p[k]).collect();
        let mut shape: Shape = sizes.into();
        first[k].shape().iter().for_each(|&size| shape.push(size));
        crate::stack(&column, 0).reshaped(&shape)
    };
    (0..first.len()).map(joined).collect()
}
