//! The seam: every operation of user code, rules, layers and optimizers passes through here.
//!
//! It checks (types, shapes; a forced computation cannot fail for a reason that could be seen here), makes the
//! pending value, and, if an operand is tracked and recording is on, writes the tape's record. Only this room
//! makes values and records.
use crate::buffer::Buffer;
use crate::call::{Call, View as CallView, by_dtype};
use crate::cpu::fold::Red;
use crate::dry;
use crate::dtype::{BF16, Bool, DType, Element, F16, F32, I64, Number, promote};
use crate::elementwise::{Class, Elementwise};
use crate::error::{Error, ErrorKind, OrRaise, attempt, raise};
use crate::layout::Layout;
use crate::levels;
use crate::memory;
use crate::mode;
use crate::op::{Gradient, Kernel, Op, Outputs, Spec, Specs};
use crate::operand::Operand;
use crate::plan::{self, Caller};
use crate::profile;
use crate::record::{self, Edge, Saving};
use crate::scalar::Expr;
use crate::shape::{self, Shape};
use crate::tensor::Tensor;
use crate::value::{Arg, Held, Kind, Over, ROW_MAX, Value, View, Waiting};
use crate::watch;
use smallvec::{SmallVec, smallvec};
use std::panic::Location;
use std::sync::Arc;

mod assign;
pub(crate) use assign::assign;

type Edges = SmallVec<[Option<Edge>; 2]>;
type Args = SmallVec<[Arg; 3]>;

/// One elementwise operation of the table.
#[track_caller]
pub(crate) fn map<const N: usize>(op: &'static Elementwise, mut x: [Operand; N]) -> Tensor {
    expr(Expr::of(op), 0, &mut x, Location::caller())
}
/// Output `out` of an elementwise expression; the operands are taken out of `x`.
#[track_caller]
pub(crate) fn expr(
    expr: &Arc<Expr>,
    out: usize,
    x: &mut [Operand],
    at: &'static Location<'static>,
) -> Tensor {
    try_expr(expr, out, x, at).or_raise()
}
#[track_caller]
pub(crate) fn try_expr(
    expr: &Arc<Expr>,
    out: usize,
    x: &mut [Operand],
    at: &'static Location<'static>,
) -> Result<Tensor, Error> {
    let (compute, shape) = infer(expr, x)?;
    let _entered = profile::enter(expr.name, at);
    if x.iter().any(|o| matches!(o, Operand::Tensor(Tensor { label: Some(_), .. }))) {
        return levels::map(expr, out, x, at);
    }
    if watch::on() {
        return watch::map(expr, out, x, at);
    }
    if !compute.is_float() {
        check_integers(expr, x, compute)?;
    }
    let marked = x.iter().any(|o| matches!(o, Operand::Tensor(Tensor { edge: Some(_), .. })));
    let mut edges = Edges::new();
    let mut args = Args::new();
    for (k, operand) in x.iter_mut().enumerate() {
        let (arg, edge) = match std::mem::replace(operand, Operand::Number(Number::Bool(false))) {
            Operand::Number(v) => (Arg::Number(v), None),
            Operand::Tensor(Tensor { value, edge, label: _ }) => {
                let want = if expr.truths >> k & 1 == 1 { Bool } else { compute };
                let fits = value.dtype == want;
                (Arg::Value(if fits { value } else { cast_value(value, want) }), edge)
            }
        };
        args.push(arg);
        if marked {
            edges.push(edge);
        }
    }
    let dtype = if expr.is_truth(out) { Bool } else { compute };
    let kind = Kind::Map { expr: expr.clone(), out, compute };
    if !marked {
        return Ok(Tensor::untracked(mapped(kind, dtype, shape, args)));
    }
    let why = refuses(expr, dtype);
    let saving = (why.is_none() && mode::recording() && record::tracked(&edges) != 0)
        .then(|| Saving::of(expr, out, &edges, &args, &shape));
    let value = mapped(kind, dtype, shape, args);
    let edge = match saving {
        Some(s) => Some(s.record(edges, &value, at)).inspect(|e| profile::recorded(e.record.id())),
        None => cut(expr.name, at, why, &edges),
    };
    Ok(Tensor { value, edge, label: None })
}
#[track_caller]
fn mapped(kind: Kind, dtype: DType, shape: Shape, args: Args) -> Held {
    if shape.contains(&0) { empty(dtype, shape) } else { Value::pending(kind, dtype, shape, args) }
}
fn refuses(expr: &Expr, dtype: DType) -> Option<&'static str> {
    expr.no_gradient().or((!dtype.is_float()).then_some("its result is not a float"))
}
/// The mark on an untracked result of tracked operands.
fn cut(
    name: &'static str,
    at: &'static Location<'static>,
    why: Option<&'static str>,
    edges: &[Option<Edge>],
) -> Option<Edge> {
    match why {
        Some(why) => record::cut(name, at, why, true, edges),
        // It would have been recorded if one of its operands were tracked: they are cut, the first of them as good as any.
        None if mode::recording() => edges.iter().flatten().next().cloned(),
        None => record::cut(name, at, "it ran under no_grad", false, edges),
    }
}

/// The type to compute in, and the broadcast shape.
fn infer(expr: &Expr, x: &[Operand]) -> Result<(DType, Shape), Error> {
    let name = expr.name;
    let (mut dtype, mut shape): (Option<DType>, Option<&Shape>) = (None, None);
    let mut broadcast = None;
    for (k, operand) in x.iter().enumerate() {
        let Operand::Tensor(t) = operand else { continue };
        let v = &t.value;
        if expr.truths >> k & 1 == 0 {
            dtype = Some(dtype.map_or(Ok(v.dtype), |d| promote(name, d, v.dtype))?);
        } else if v.dtype != Bool && expr.single().is_none_or(|op| op.class == Class::Choose) {
            let detail =
                format!("the condition is {}; it must be bool, as from x.gt(0.0) or x.ne(0)", v.dtype);
            return Err(Error::new(name, ErrorKind::Dtype, detail));
        }
        match (&broadcast, shape) {
            (None, None) => shape = Some(t.shape()),
            (None, Some(s)) if s == t.shape() => {}
            (None, Some(s)) => broadcast = Some(shape::broadcast(name, s, t.shape())?),
            (Some(b), _) => broadcast = Some(shape::broadcast(name, b, t.shape())?),
        }
    }
    let shape = broadcast.or(shape.cloned()).unwrap_or_else(Shape::scalar);
    let numbers = || x.iter().filter_map(|o| if let Operand::Number(n) = o { Some(*n) } else { None });
    Ok((computing(expr, dtype, numbers)?, shape))
}
/// The type to compute in, given the common type of the tensors and the numbers beside them.
fn computing<I: Iterator<Item = Number>>(
    expr: &Expr,
    tensors: Option<DType>,
    numbers: impl Fn() -> I,
) -> Result<DType, Error> {
    let dtype = match tensors {
        None if numbers().all(|n| matches!(n, Number::Bool(_))) => Bool,
        None => F32,
        Some(d) if d.is_float() => d,
        Some(_) if expr.floats => F32,
        Some(Bool) if numbers().any(|n| matches!(n, Number::Int(_) | Number::Float(_))) => I64,
        Some(d) => d,
    };
    let fractional = numbers().find(|n| matches!(n, Number::Float(v) if v.fract() != 0.0));
    if let (false, Some(n)) = (dtype.is_float(), fractional) {
        let given = format!("a fractional number with integers: {} and {dtype}", n.to_f64());
        return Err(Error::new(
            expr.name,
            ErrorKind::Dtype,
            format!("{given}; cast the tensor, as in x.cast(F32)"),
        ));
    }
    // 4.0 is as good as 4 for sums and products; a quotient would be cut toward 0, which nobody means by it.
    let quotient = expr.single().is_some_and(|op| op.class == Class::Quotient);
    let float = numbers().find(|n| matches!(n, Number::Float(_)));
    if let (false, true, Some(n)) = (dtype.is_float(), quotient, float) {
        let given = format!("a float with integers: {:?} and {dtype}", n.to_f64());
        let right = "cast the tensor, as in x.cast(F32), or use an integer, which cuts toward 0";
        return Err(Error::new(expr.name, ErrorKind::Dtype, format!("{given}; {right}")));
    }
    if dtype == Bool && expr.numbers {
        let detail = "arithmetic on bool: both operands are bool; use logical_and and kin, or x.cast(I64)";
        return Err(Error::new(expr.name, ErrorKind::Dtype, detail));
    }
    if expr.integers && !dtype.is_int() {
        let detail =
            format!("no integers: the operands are {dtype}; use logical_and and kin, or x.cast(I64)");
        return Err(Error::new(expr.name, ErrorKind::Dtype, detail));
    }
    Ok(dtype)
}
/// Refuses integers that an operation of the table has no result for, which means to compute them now. A closure
/// that divides by 0 gives 0.
#[track_caller]
fn check_integers(expr: &Expr, x: &[Operand], compute: DType) -> Result<(), Error> {
    let Some(op) = expr.single().filter(|op| matches!(op.class, Class::Quotient | Class::Power)) else {
        return Ok(());
    };
    let refused = match &x[1] {
        Operand::Number(n) => {
            let wraps_to_zero = n.bits(compute) == 0;
            op.class.refuses(if wraps_to_zero { 0 } else { n.to_f64() as i64 })
        }
        Operand::Tensor(t) if dry::is_blank(t) => None,
        Operand::Tensor(t) => {
            let view = CallView::of(&t.value);
            by_dtype!(t.value.dtype, T => view.dense::<T>().iter().find_map(|v| op.class.refuses(v.to_i64())))
        }
    };
    let right = "use other operands, or floats, as from x.cast(F32)";
    let refuse =
        |why| Error::new(op.name, ErrorKind::Value, format!("{why}: operands of type {compute}; {right}"));
    refused.map_or(Ok(()), |why| Err(refuse(why)))
}

/// Several outputs of one expression, each its own value; the operands' handles end here, so their buffers may be
/// reused for the outputs.
#[track_caller]
pub(crate) fn outputs(expr: &Arc<Expr>, x: &mut [Operand]) -> Vec<Tensor> {
    let at = Location::caller();
    let n = expr.outs.len();
    if n == 1 {
        return vec![self::expr(expr, 0, x, at)];
    }
    let again = |x: &[Operand]| x.iter().cloned().collect::<SmallVec<[Operand; 8]>>();
    let mut out: Vec<Tensor> = (0..n - 1).map(|k| self::expr(expr, k, &mut again(x), at)).collect();
    out.push(self::expr(expr, n - 1, x, at));
    out
}

/// The same elements as another type, unrecorded.
#[track_caller]
pub(crate) fn cast_value(value: Held, dtype: DType) -> Held {
    let shape = value.shape.clone();
    if shape.contains(&0) {
        return empty(dtype, shape);
    }
    Value::pending(Kind::Cast, dtype, shape, smallvec![Arg::Value(value)])
}
#[track_caller]
fn same_value(value: Held, shape: Shape) -> Held {
    Value::pending(Kind::Same, value.dtype, shape, smallvec![Arg::Value(value)])
}
#[track_caller]
fn empty(dtype: DType, shape: Shape) -> Held {
    Value::ready(dtype, shape, View::dense(Arc::new(room(dtype))))
}
/// One element everywhere.
#[track_caller]
pub(crate) fn filled(dtype: DType, shape: Shape, v: Number) -> Held {
    let one = scalar(dtype, v.bits(dtype));
    let layout = Layout::dense(Shape::scalar()).broadcast_to(&shape);
    Value::ready(dtype, shape, View { buffer: one, layout: Some(Box::new(layout)) })
}
/// Memory for one element.
#[track_caller]
fn room(dtype: DType) -> Buffer {
    memory::room("full", dtype, &Shape::scalar())
}
/// A buffer with one element, whose `F32` bits are given for the half types.
#[track_caller]
fn scalar(dtype: DType, bits: u64) -> Arc<Buffer> {
    let mut buffer = room(dtype);
    let bits = match dtype {
        F16 => half::f16::from_f32(f32::from_bits(bits as u32)).to_bits().into(),
        BF16 => half::bf16::from_f32(f32::from_bits(bits as u32)).to_bits().into(),
        _ => bits,
    };
    buffer.fill(bits, dtype, 1);
    Arc::new(buffer)
}

/// One structural operation with a single output.
#[track_caller]
pub(crate) fn op(op: impl Op, x: &[&Tensor]) -> Tensor {
    let mut out = op_n(op, x);
    debug_assert_eq!(out.len(), 1);
    out.pop().expect("one output")
}
/// One structural operation.
#[track_caller]
pub(crate) fn op_n(op: impl Op, x: &[&Tensor]) -> Outputs {
    let at = Location::caller();
    let specs: SmallVec<[Spec; 2]> = x.iter().map(|t| t.spec()).collect();
    let out = op.infer(&specs).or_raise();
    let _entered = profile::enter(op.name(), at);
    if x.iter().any(|t| t.label.is_some()) {
        return levels::op(op, x);
    }
    if watch::on() {
        return watch::op(op, x, at).or_raise();
    }
    let kernel = op.kernel(&specs, &out);
    let counted = matches!(&kernel, Kernel::Call(call) if profile::on() || call.waits());
    let flops = if counted { op.flops(&specs, &out) } else { 0 };
    let fuses = kernel.fuses();
    let values = run(kernel, op.name(), flops, x, out);
    let edge = mark(op, fuses, x, &values, specs, at);
    let place = |out| edge.clone().map(|e| Edge { record: e.record, out });
    values
        .into_iter()
        .enumerate()
        .map(|(k, value)| Tensor { value, edge: place(k as u32), label: None })
        .collect()
}
/// The record, or the cut, of a structural operation.
fn mark(
    op: impl Op,
    fuses: bool,
    x: &[&Tensor],
    values: &[Held],
    specs: SmallVec<[Spec; 2]>,
    at: &'static Location<'static>,
) -> Option<Edge> {
    if x.iter().all(|t| t.edge.is_none()) {
        return None;
    }
    let edges: Edges = x.iter().map(|t| t.edge.clone()).collect();
    let why = match op.gradient() {
        Gradient::None(why) => Some(why),
        Gradient::Rule if values.iter().any(|v| !v.dtype.is_float()) => Some("its result is not a float"),
        Gradient::Rule => None,
    };
    if why.is_some() || !mode::recording() || record::tracked(&edges) == 0 {
        return cut(op.name(), at, why, &edges);
    }
    let record = record::op(Box::new(op), fuses, edges, x, values, specs, at);
    profile::recorded(record.id());
    Some(Edge { record, out: 0 })
}
#[track_caller]
fn run(kernel: Kernel, op: &'static str, flops: u64, x: &[&Tensor], out: Specs) -> SmallVec<[Held; 1]> {
    match kernel {
        Kernel::Call(call) => run_call(call, op, flops, x, out),
        Kernel::Compose(f) => {
            let x: SmallVec<[Tensor; 3]> = x.iter().map(|&t| t.clone()).collect();
            let made = match attempt(|| crate::no_grad(|| f(&x))) {
                Ok(made) => made,
                Err(e) => raise(plan::blamed(op, e)),
            };
            made.into_iter().map(|t| t.value).collect()
        }
        Kernel::Expand => smallvec![expand(&x[0].value, only(out).shape)],
        Kernel::View(f) => smallvec![view(&x[0].value, &*f, only(out))],
        Kernel::Cast => smallvec![cast_value(x[0].value.clone(), only(out).dtype)],
        Kernel::Reshape => smallvec![reshape(&x[0].value, only(out).shape)],
        Kernel::Fold(red, axes) => smallvec![fold(&x[0].value, red, &axes, &only(out))],
    }
}
fn only(mut out: Specs) -> Spec {
    out.pop().expect("views and reductions have one output")
}
/// Repeats `x`: inside its program if that is row by row, else as a view.
#[track_caller]
fn expand(x: &Held, shape: Shape) -> Held {
    if x.spreads(&shape) {
        return same_value(x.clone(), shape);
    }
    let to = shape.clone();
    view(x, &|l| Some(l.broadcast_to(&to)), Spec { shape, dtype: x.dtype })
}
/// A view of a pending value forces it.
#[track_caller]
fn view(x: &Held, f: &dyn Fn(&Layout) -> Option<Layout>, out: Spec) -> Held {
    if let Some(layout) = f(&x.layout()) {
        debug_assert_eq!(layout.shape, out.shape, "a view has the inferred shape");
        let view = View { buffer: x.ready_view().buffer.clone(), layout: Some(Box::new(layout)) };
        return Value::ready(x.dtype, out.shape, view);
    }
    let dense = same_value(x.clone(), x.shape.clone());
    let layout = f(&dense.layout()).expect("a dense layout has every view");
    Value::ready(
        x.dtype,
        out.shape,
        View { buffer: dense.ready_view().buffer.clone(), layout: Some(Box::new(layout)) },
    )
}
/// Elements of a reduction's result that cost less to copy than to compute it by a pass of its own.
const SHORT: usize = 4096;
#[track_caller]
fn reshape(x: &Held, shape: Shape) -> Held {
    if x.shape == shape {
        return x.clone();
    }
    // A short sink is copied rather than forced: it may end the same pass as others that are still to come.
    if x.is_pending() && (!x.sink || x.numel <= SHORT) {
        return same_value(x.clone(), shape);
    }
    let ready = x.ready_view();
    let layout = match &ready.layout {
        None => return Value::ready(x.dtype, shape, ready.clone()),
        Some(l) => l.reshape(&shape),
    };
    match layout {
        Some(l) => {
            Value::ready(x.dtype, shape, View { buffer: ready.buffer.clone(), layout: Some(Box::new(l)) })
        }
        None => same_value(x.clone(), shape),
    }
}
#[track_caller]
fn run_call(call: Call, op: &'static str, flops: u64, x: &[&Tensor], out: Specs) -> SmallVec<[Held; 1]> {
    let x: SmallVec<[&Held; 4]> = x.iter().map(|t| &t.value).collect();
    plan::force(&x);
    if call.waits() {
        let (args, Spec { shape, dtype }) = (x.iter().map(|&v| Arg::Value(v.clone())).collect(), only(out));
        return smallvec![Value::waiting(Waiting { call, op, flops }, dtype, shape, args)];
    }
    let of = Caller { op, at: None, tag: profile::tag(), flops };
    let buffers = plan::call(&call, &of, &x, &out);
    let value = |(s, b): (Spec, Buffer)| Value::ready(s.dtype, s.shape, View::dense(Arc::new(b)));
    out.into_iter().zip(buffers).map(value).collect()
}

/// Two results whose calls, if they may wait and are small, run beside each other.
#[track_caller]
pub(crate) fn beside(f: impl FnOnce() -> (Tensor, Tensor)) -> (Tensor, Tensor) {
    let (a, b) = mode::waiting(f);
    if !mode::is_waiting() {
        plan::beside(&a.value, &b.value);
    }
    (a, b)
}

/// A reduction, as one pending value per group of adjacent reduced axes, last group first. Which trees these are
/// depends on shape and axes alone. Half types are folded in `F32`.
#[track_caller]
fn fold(x: &Held, red: Red, axes: &[usize], out: &Spec) -> Held {
    let start = match x.dtype {
        F16 | BF16 => cast_value(x.clone(), F32),
        d if d == out.dtype => x.clone(),
        _ => cast_value(x.clone(), out.dtype),
    };
    let mut sizes: SmallVec<[(usize, bool); 6]> = smallvec![];
    let whole = (0..x.shape.rank()).all(|i| axes.contains(&i) || x.shape[i] == 1);
    for (i, &size) in x.shape.iter().enumerate() {
        let reduced = axes.contains(&i);
        match sizes.last_mut() {
            _ if size == 1 => {}
            Some((n, r)) if *r == reduced && !whole => *n *= size,
            _ => sizes.push((size, reduced)),
        }
    }
    if whole {
        merge_whole(&mut sizes);
    }
    let mut value = start;
    while let Some(at) = sizes.iter().rposition(|s| s.1) {
        let (len, _) = sizes.remove(at);
        let count = |s: &[(usize, bool)]| s.iter().map(|s| s.0).product::<usize>();
        let (outer, inner) = (count(&sizes[..at]), count(&sizes[at..]));
        let done = !sizes.iter().any(|s| s.1);
        let shape = if done { out.shape.clone() } else { sizes.iter().map(|s| s.0).collect() };
        let over = if inner == 1 { Over::Rows(len) } else { Over::Columns { outer, len, inner } };
        value = fold_once(value, red, over, shape);
    }
    if value.shape != out.shape {
        value = reshape(&value, out.shape.clone());
    }
    if value.dtype == out.dtype { value } else { cast_value(value, out.dtype) }
}
/// Sums over everything go row by row first, with rows as a program over such a tensor has them, so that they end
/// the pass that made their operand.
fn merge_whole(sizes: &mut SmallVec<[(usize, bool); 6]>) {
    const SHORT: usize = 64;
    while sizes.len() > 1 && sizes[sizes.len() - 1].0 < SHORT {
        let (n, _) = sizes.pop().expect("more than one");
        sizes.last_mut().expect("more than one").0 *= n;
    }
    if sizes.is_empty() {
        return;
    }
    let rest: usize = sizes.iter().map(|s| s.0).product();
    let row = sizes.last().map_or(1, |s| s.0);
    sizes.clear();
    match row {
        0 => sizes.push((0, true)),
        row if row > ROW_MAX || row == rest => sizes.push((rest, true)),
        row => sizes.extend([(rest / row, true), (row, true)]),
    }
}
#[track_caller]
fn fold_once(x: Held, red: Red, over: Over, shape: Shape) -> Held {
    let dtype = x.dtype;
    if shape.contains(&0) {
        return empty(dtype, shape);
    }
    if x.numel == 0 {
        let buffer = scalar(dtype, red.fold(dtype).identity);
        let layout = Layout::dense(Shape::scalar()).broadcast_to(&shape);
        return Value::ready(dtype, shape, View { buffer, layout: Some(Box::new(layout)) });
    }
    Value::pending(Kind::Fold { red, over }, dtype, shape, smallvec![Arg::Value(x)])
}
/// The type of a sum or product of elements of `dtype`.
pub(crate) fn sum_dtype(dtype: DType) -> DType {
    if dtype.is_float() { dtype } else { I64 }
}
