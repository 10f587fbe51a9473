//! Running sums, products and extremes along an axis, and the linear recurrence that their gradients are.
//!
//! A line is walked element by element, so the order of arithmetic is the axis's; only lines are spread over
//! workers. Of a scalar axes 0 and -1 may be named: it counts as a list of one.
//!
//! The recurrence `h[k] = a[k] h[k-1] + b[k]` is closed under differentiation, which makes the gradients of products
//! exact where elements are 0, in every order: nothing is ever divided.
use crate::Tensor;
use crate::apply;
use crate::call::{Call, View, ViewMut, by_dtype, for_chunks};
use crate::dtype::{BF16, DType, Element, F16, F32, F64, I64};
use crate::entry::Entry;
use crate::error::Error;
use crate::op::{Batch, Kernel, Op, Saves, Spec, Specs};
use crate::ops::reduce::floats;
use crate::ops::sort::{lined, pair, span, unlined};
use crate::record::{Context, Cotangents};
use crate::shape::{AxisVec, Shape};
use half::{bf16, f16};
use smallvec::smallvec;

mod extreme;

/// What a line carries from element to element: a type with room for sums.
trait Carry: Copy + Send + Sync {
    fn plus(self, o: Self) -> Self;
    fn times(self, o: Self) -> Self;
    /// log(exp(self) + exp(o)).
    fn log_plus(self, o: Self) -> Self;
}
macro_rules! carry_float { ($($t:ty)*) => {$( impl Carry for $t {
    fn plus(self, o: $t) -> $t { self + o }
    fn times(self, o: $t) -> $t { self * o }
    fn log_plus(self, o: $t) -> $t {
        let (low, high) = if self < o { (self, o) } else { (o, self) };
        // Equal infinities have no difference.
        if low == high && high.is_infinite() { high } else { high + (low - high).exp().ln_1p() }
    }
} )*}; }
carry_float!(f32 f64);
impl Carry for i64 {
    fn plus(self, o: i64) -> i64 {
        self.wrapping_add(o)
    }
    fn times(self, o: i64) -> i64 {
        self.wrapping_mul(o)
    }
    fn log_plus(self, _: i64) -> i64 {
        unreachable!("integers are refused")
    }
}
/// An element that is scanned in a carried type.
trait Scanned: Element {
    type Carried: Carry;
    fn up(self) -> Self::Carried;
    fn down(v: Self::Carried) -> Self;
}
macro_rules! scanned { ($($t:ty, $c:ty, |$v:ident| $up:expr, $down:expr;)*) => {$( impl Scanned for $t {
    type Carried = $c;
    fn up(self) -> $c { let $v = self; $up }
    fn down($v: $c) -> $t { $down }
} )*}; }
scanned! {
    f32, f32, |v| v, v;
    f64, f64, |v| v, v;
    i64, i64, |v| v, v;
    f16, f32, |v| v.to_f32(), f16::from_f32(v);
    bf16, f32, |v| v.to_f32(), bf16::from_f32(v);
}
macro_rules! by_scanned {
    ($dtype:expr, $t:ident => $e:expr) => {
        match $dtype {
            F32 => {
                type $t = f32;
                $e
            }
            F64 => {
                type $t = f64;
                $e
            }
            I64 => {
                type $t = i64;
                $e
            }
            F16 => {
                type $t = f16;
                $e
            }
            BF16 => {
                type $t = bf16;
                $e
            }
            d => unreachable!("{d} is cast first"),
        }
    };
}

/// Walks `inner` interleaved lines of one group. `first` and `next` give what a line carries at an element, by its
/// place in the group.
fn walk<T, C: Copy>(
    part: &mut [T],
    inner: usize,
    reverse: bool,
    first: impl Fn(usize) -> C,
    next: impl Fn(C, usize) -> C,
    put: impl Fn(C) -> T,
) {
    let n = part.len() / inner;
    let row = |k: usize| if reverse { (n - 1 - k) * inner } else { k * inner };
    if inner == 1 {
        let mut carried = first(row(0));
        part[row(0)] = put(carried);
        for k in 1..n {
            carried = next(carried, row(k));
            part[row(k)] = put(carried);
        }
        return;
    }
    let mut carried: Vec<C> = (row(0)..row(0) + inner).map(first).collect();
    part[row(0)..][..inner].iter_mut().zip(&carried).for_each(|(p, &c)| *p = put(c));
    for k in 1..n {
        for ((j, p), c) in part[row(k)..][..inner].iter_mut().enumerate().zip(&mut carried) {
            *c = next(*c, row(k) + j);
            *p = put(*c);
        }
    }
}
/// As [`walk`] for every group of a result, each from its own part of the operands.
fn groups<T: Element>(
    out: &mut ViewMut<'_>,
    axis: usize,
    work: usize,
    f: impl Fn(usize, usize, &mut [T]) + Sync,
) {
    let (n, inner) = span(out.shape(), axis);
    for_chunks(out.data::<T>(), n * inner, work, |i, part| f(i * n * inner, inner, part));
}

#[derive(Clone, Copy, Debug)]
enum Running {
    Sum,
    Product,
    LogSumExp,
}
/// The reduction of each element and those before it, or after it if `reverse`.
#[derive(Debug)]
struct Cumulative {
    running: Running,
    axis: usize,
    reverse: bool,
}
impl Cumulative {
    fn run<T: Scanned>(&self, x: &View<'_>, out: &mut ViewMut<'_>) {
        match self.running {
            Running::Sum => self.scan::<T>(x, out, 1, Carry::plus),
            Running::Product => self.scan::<T>(x, out, 1, Carry::times),
            Running::LogSumExp => self.scan::<T>(x, out, 16, Carry::log_plus),
        }
    }
    fn scan<T: Scanned>(
        &self,
        x: &View<'_>,
        out: &mut ViewMut<'_>,
        work: usize,
        join: impl Fn(T::Carried, T::Carried) -> T::Carried + Sync,
    ) {
        let x = x.dense::<T>();
        groups::<T>(out, self.axis, work, |at, inner, part| {
            let x = &x[at..at + part.len()];
            walk(part, inner, self.reverse, |i| x[i].up(), |c, i| join(c, x[i].up()), T::down);
        });
    }
}
impl Op for Cumulative {
    fn name(&self) -> &'static str {
        match self.running {
            Running::Sum => "cumsum",
            Running::Product => "cumprod",
            Running::LogSumExp => "logcumsumexp",
        }
    }
    fn infer(&self, x: &[Spec]) -> Result<Specs, Error> {
        let dtype = match self.running {
            Running::LogSumExp => floats(self.name(), x[0].dtype)?,
            _ => x[0].dtype,
        };
        Ok(smallvec![Spec { shape: x[0].shape.clone(), dtype }])
    }
    fn kernel(&self, _: &[Spec], _: &[Spec]) -> Kernel {
        let this = Cumulative { ..*self };
        let run = move |x: &[View<'_>], out: &mut [ViewMut<'_>]| {
            by_scanned!(x[0].dtype(), T => this.run::<T>(&x[0], &mut out[0]));
        };
        Kernel::Call(Call::new(self.name(), run))
    }
    fn saves(&self, _: u64) -> Saves {
        match self.running {
            Running::Sum => Saves::NOTHING,
            _ => Saves::inputs([0]).and_output(),
        }
    }
    fn flops(&self, x: &[Spec], _: &[Spec]) -> u64 {
        x.iter().map(|x| x.shape.numel() as u64).sum()
    }
    fn vjp(&self, cx: &Context<'_>, g: &Tensor) -> Cotangents {
        let Cumulative { running, axis, reverse } = *self;
        let part = match running {
            Running::Sum => apply::op(Cumulative { running, axis, reverse: !reverse }, &[g]),
            Running::Product => {
                let before = cx.output(0).shifted(axis, reverse, 1.0);
                before * cx.input(0).recurrence(g, axis, !reverse, true)
            }
            // Both exponents are differences to something larger: the running result, and its next value.
            Running::LogSumExp => {
                let o = cx.output(0);
                let finite = o.map(|o| o.eq(f64::NEG_INFINITY).where_(0.0, o));
                let decay = (o.shifted(axis, reverse, f64::NEG_INFINITY) - &finite).exp();
                (cx.input(0) - finite).exp() * decay.recurrence(g, axis, !reverse, true)
            }
        };
        smallvec![part.into()]
    }
    fn batch(&self, _: &[Spec], lead: &[usize], _: u64) -> Batch {
        Batch::whole(Cumulative { axis: self.axis + lead.len(), ..*self })
    }
}

/// h[k] = a[k] h[k-1] + b[k] from 0; `lagged` takes the `a` of the element before, `reverse` goes from the end.
///
/// The adjoint of the recurrence is the other one: from the other end, with the other lag.
#[derive(Debug)]
struct Recurrence {
    axis: usize,
    reverse: bool,
    lagged: bool,
}
impl Recurrence {
    fn run<T: Scanned>(&self, a: &View<'_>, b: &View<'_>, out: &mut ViewMut<'_>) {
        let (a, b) = (a.dense::<T>(), b.dense::<T>());
        groups::<T>(out, self.axis, 1, |at, inner, part| {
            let (a, b) = (&a[at..at + part.len()], &b[at..at + part.len()]);
            let factor = |i: usize| match (self.lagged, self.reverse) {
                (false, _) => a[i].up(),
                (true, false) => a[i - inner].up(),
                (true, true) => a[i + inner].up(),
            };
            walk(
                part,
                inner,
                self.reverse,
                |i| b[i].up(),
                |h, i| factor(i).times(h).plus(b[i].up()),
                T::down,
            );
        });
    }
}
impl Op for Recurrence {
    fn name(&self) -> &'static str {
        "recurrence"
    }
    fn infer(&self, x: &[Spec]) -> Result<Specs, Error> {
        debug_assert_eq!(x[0], x[1]);
        Ok(smallvec![x[1].clone()])
    }
    fn kernel(&self, _: &[Spec], _: &[Spec]) -> Kernel {
        let this = Recurrence { ..*self };
        Kernel::Call(Call::new("recurrence", move |x, out| {
            by_scanned!(x[0].dtype(), T => this.run::<T>(&x[0], &x[1], &mut out[0]));
        }))
    }
    fn saves(&self, tracked: u64) -> Saves {
        let a = Saves::inputs([0]);
        if tracked & 1 == 1 { a.and_output() } else { a }
    }
    fn flops(&self, x: &[Spec], _: &[Spec]) -> u64 {
        x.iter().map(|x| x.shape.numel() as u64).sum()
    }
    fn vjp(&self, cx: &Context<'_>, g: &Tensor) -> Cotangents {
        let Recurrence { axis, reverse, lagged } = *self;
        let b = cx.input(0).recurrence(g, axis, !reverse, !lagged);
        let a = cx.needs(0).then(|| match lagged {
            false => &b * cx.output(0).shifted(axis, reverse, 0.0),
            true => b.shifted(axis, !reverse, 0.0) * cx.output(0),
        });
        smallvec![a.into(), b.into()]
    }
    fn batch(&self, _: &[Spec], lead: &[usize], _: u64) -> Batch {
        Batch::whole(Recurrence { axis: self.axis + lead.len(), ..*self })
    }
}

/// Every element in the place of its neighbour, and `fill` in the place that has none.
#[derive(Debug)]
struct Shift {
    axis: usize,
    /// Towards the front.
    back: bool,
    fill: f64,
}
impl Op for Shift {
    fn name(&self) -> &'static str {
        "shift"
    }
    fn infer(&self, x: &[Spec]) -> Result<Specs, Error> {
        Ok(smallvec![x[0].clone()])
    }
    fn kernel(&self, _: &[Spec], _: &[Spec]) -> Kernel {
        let Shift { axis, back, fill } = *self;
        Kernel::Call(Call::new("shift", move |x, out| {
            by_dtype!(x[0].dtype(), T => {
                let x = x[0].dense::<T>();
                groups::<T>(&mut out[0], axis, 1, |at, inner, part| {
                    let rest = part.len() - inner;
                    let (from, to, free) = if back { (at + inner, 0, rest) } else { (at, inner, 0) };
                    part[to..to + rest].copy_from_slice(&x[from..from + rest]);
                    part[free..free + inner].fill(T::from_f64(fill));
                });
            });
        }))
    }
    fn vjp(&self, _: &Context<'_>, g: &Tensor) -> Cotangents {
        smallvec![g.shifted(self.axis, !self.back, 0.0).into()]
    }
    fn batch(&self, _: &[Spec], lead: &[usize], _: u64) -> Batch {
        Batch::whole(Shift { axis: self.axis + lead.len(), ..*self })
    }
}

/// Integers as `I64`, which their running sums are.
#[track_caller]
fn summable(x: &Tensor) -> Tensor {
    let dtype: DType = apply::sum_dtype(x.dtype());
    if x.dtype() == dtype { x.clone() } else { x.cast(dtype) }
}

impl Tensor {
    /// The sum of each element and all before it along `axis`; of bool and integers as `I64`.
    ///
    /// *Gradient:* the sum of `g` from each element to the end.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([1.0f32, 2.0, 3.0]).cumsum(0).to_vec::<f32>(), [1.0, 3.0, 6.0]);
    /// ```
    ///
    /// # Panics
    /// If there is no such axis.
    #[track_caller]
    pub fn cumsum(&self, axis: isize) -> Tensor {
        self.running("cumsum", Running::Sum, axis)
    }
    /// The product of each element and all before it along `axis`; of bool and integers as `I64`.
    ///
    /// *Gradient:* exact where elements are 0, in every order.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([2.0f32, 3.0, 0.0]).cumprod(0).to_vec::<f32>(), [2.0, 6.0, 0.0]);
    /// ```
    ///
    /// # Panics
    /// If there is no such axis.
    #[track_caller]
    pub fn cumprod(&self, axis: isize) -> Tensor {
        self.running("cumprod", Running::Product, axis)
    }
    /// log(sum(exp(x))) of each element and all before it along `axis`, without overflow.
    ///
    /// *Gradient:* the sum of g exp(x - o) from each element to the end, o the output; 0 where x is -infinity.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([-1e4f32, 0.0, 1e4]).logcumsumexp(0).to_vec::<f32>(), [-1e4, 0.0, 1e4]);
    /// ```
    ///
    /// # Panics
    /// If the elements are not floats or there is no such axis.
    #[track_caller]
    pub fn logcumsumexp(&self, axis: isize) -> Tensor {
        self.running("logcumsumexp", Running::LogSumExp, axis)
    }
    #[track_caller]
    fn running(&self, name: &'static str, running: Running, axis: isize) -> Tensor {
        let x = if let Running::LogSumExp = running { self.clone() } else { summable(self) };
        let (x, axis) = lined(&x, name, axis);
        unlined(apply::op(Cumulative { running, axis, reverse: false }, &[&x]), self)
    }
    #[track_caller]
    fn shifted(&self, axis: usize, back: bool, fill: f64) -> Tensor {
        apply::op(Shift { axis, back, fill }, &[self])
    }
    /// The recurrence with these factors.
    #[track_caller]
    pub(super) fn recurrence(&self, b: &Tensor, axis: usize, reverse: bool, lagged: bool) -> Tensor {
        apply::op(Recurrence { axis, reverse, lagged }, &[self, b])
    }
    /// For each element the product of all others over `axes`.
    #[track_caller]
    pub(crate) fn product_of_others(&self, axes: &[usize]) -> Tensor {
        if let [axis] = *axes {
            let side = |reverse| {
                let whole = apply::op(Cumulative { running: Running::Product, axis, reverse }, &[self]);
                whole.shifted(axis, reverse, 1.0)
            };
            return side(false) * side(true);
        }
        let mut order: AxisVec = (0..self.rank()).filter(|i| !axes.contains(i)).collect();
        let last = order.len();
        order.extend_from_slice(axes);
        let moved = self.permute(&order[..]);
        let mut flat: Shape = moved.shape()[..last].iter().copied().collect();
        flat.push(moved.shape()[last..].iter().product());
        let mut back: AxisVec = smallvec![0; order.len()];
        for (i, &a) in order.iter().enumerate() {
            back[a] = i;
        }
        moved.reshaped(&flat).product_of_others(&[last]).reshaped(moved.shape()).permute(&back[..])
    }
}

/// These operators as the reference cases call them.
pub(crate) const ENTRIES: &[Entry] = &[
    Entry::new("cumsum", |x, a| vec![x[0].cumsum(a.int("dim"))]),
    Entry::new("cumprod", |x, a| vec![x[0].cumprod(a.int("dim"))]),
    Entry::new("logcumsumexp", |x, a| vec![x[0].logcumsumexp(a.int("dim"))]),
    Entry::new("cummax", |x, a| pair(x[0].cummax(a.int("dim")))),
    Entry::new("cummin", |x, a| pair(x[0].cummin(a.int("dim")))),
];
