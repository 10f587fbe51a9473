//! Functions of numbers as differentiable operations: any code generic over floats, loops and branches too.
//!
//! The value is the function at plain numbers; its partial derivatives, to the fourth order, are the same function at
//! [`Dual`] numbers nested as deep. So the operation and all its derivatives are one `Op` with the list of inputs
//! that it is derived by, and its rule appends to this list. It saves its operands, nothing else.
use crate::call::{Call, View, for_chunks};
use crate::dtype::{BF16, DType, Element, F16, F32};
use crate::dual::{Dual, Part};
use crate::error::{Error, ErrorKind, raise};
use crate::op::{Batch, Kernel, Op, Saves, Spec, Specs};
use crate::record::{Context, Cotangent, Cotangents};
use crate::shape;
use crate::tensor::Tensor;
use crate::{OrRaise, apply};
use smallvec::{SmallVec, smallvec};
use std::fmt;
use std::sync::Arc;

pub use crate::dual::Real;

/// A function of `N` numbers that becomes one elementwise operation over tensors.
///
/// It is called with plain numbers for values and with numbers that carry derivatives for gradients of up to the
/// fourth order; what it computes must not depend on which. Comparisons look at values; at kinks derivatives are
/// those of the table (`abs` 0 at 0, ties of `max` share); what leaves the type, as by `to_f64`, is a constant.
///
/// ```
/// use retrograd_tensor::{Real, ScalarFn, Tensor};
/// /// The solution y of y + exp(y) = x, by Newton's method.
/// struct Omega;
/// impl ScalarFn<1> for Omega {
///     fn call<T: Real>(&self, [x]: [T; 1]) -> T {
///         let mut y = T::zero();
///         for _ in 0..40 {
///             y = y - (y + y.exp() - x) / (T::one() + y.exp());
///         }
///         y
///     }
/// }
/// let y = Omega.apply([&Tensor::from([1.0f64])]);
/// assert_eq!(y.to_vec::<f64>(), [0.0]);
/// ```
pub trait ScalarFn<const N: usize>: Send + Sync + 'static {
    /// The name that errors and tapes show.
    fn name(&self) -> &'static str {
        "scalar_fn"
    }
    /// The function.
    fn call<T: Real>(&self, x: [T; N]) -> T;
    /// The function of every element of these tensors, broadcast.
    ///
    /// *Gradient:* derived from the function; exact to the fourth order, and refused beyond.
    ///
    /// # Panics
    /// If the operands are not floats of one type, or do not broadcast; if the function does.
    #[track_caller]
    fn apply(self, x: [&Tensor; N]) -> Tensor
    where
        Self: Sized,
    {
        run(self, &x)
    }
}
/// The most derivatives in a row.
const ORDER: usize = 4;

#[track_caller]
fn run<F: ScalarFn<N>, const N: usize>(f: F, x: &[&Tensor; N]) -> Tensor {
    let name = f.name();
    let Some(first) = x.first() else {
        raise(Error::new(name, ErrorKind::Value, "a function of no tensors: it needs at least one"))
    };
    let (dtype, mut shape) = (first.dtype(), first.shape().clone());
    for t in x {
        if t.dtype() != dtype || !dtype.is_float() {
            let detail = format!("operands are {dtype} and {}; it takes floats of one type", t.dtype());
            raise(Error::new(name, ErrorKind::Dtype, detail));
        }
        shape = shape::broadcast(name, &shape, t.shape()).or_raise();
    }
    let compute = if matches!(dtype, F16 | BF16) { F32 } else { dtype };
    let x: Vec<Tensor> = x.iter().map(|t| t.cast(compute).broadcast_to(&shape)).collect();
    let op = Pointwise::<F, N> { f: Arc::new(f), by: smallvec![] };
    apply::op(op, &x.iter().collect::<Vec<_>>()).cast(dtype)
}

/// The derivative of the function by these inputs, in ascending order; by none, the function itself.
struct Pointwise<F, const N: usize> {
    f: Arc<F>,
    by: SmallVec<[usize; ORDER]>,
}
impl<F, const N: usize> Pointwise<F, N> {
    fn same(&self) -> Self {
        Pointwise { f: self.f.clone(), by: self.by.clone() }
    }
    fn by(&self, i: usize) -> Self {
        let mut by = self.by.clone();
        by.push(i);
        by.sort_unstable();
        Pointwise { f: self.f.clone(), by }
    }
}
impl<F: ScalarFn<N>, const N: usize> fmt::Debug for Pointwise<F, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.f.name(), self.by)
    }
}
impl<F: ScalarFn<N>, const N: usize> Op for Pointwise<F, N> {
    fn name(&self) -> &'static str {
        self.f.name()
    }
    fn infer(&self, x: &[Spec]) -> Result<Specs, Error> {
        debug_assert!(x.iter().all(|s| *s == x[0]));
        Ok(smallvec![x[0].clone()])
    }
    fn kernel(&self, x: &[Spec], _: &[Spec]) -> Kernel {
        let (this, dtype) = (self.same(), x[0].dtype);
        Kernel::Call(Call::new(self.f.name(), move |x, out| match dtype {
            DType::F64 => this.fill::<f64>(x, out[0].data()),
            _ => this.fill::<f32>(x, out[0].data()),
        }))
    }
    fn saves(&self, _: u64) -> Saves {
        Saves::inputs(0..N)
    }
    fn vjp(&self, cx: &Context<'_>, g: &Tensor) -> Cotangents {
        if self.by.len() == ORDER {
            let detail = format!("the derivative of order {}: scalar functions have {ORDER}", ORDER + 1);
            raise(Error::new(
                self.f.name(),
                ErrorKind::Gradient,
                format!("{detail}; compose it of tensor operations"),
            ));
        }
        let x: Vec<Tensor> = (0..N).map(|i| cx.input(i)).collect();
        let operands: Vec<&Tensor> = x.iter().collect();
        let part = |i: usize| match cx.needs(i) {
            true => g.gate(apply::op(self.by(i), &operands)).into(),
            false => Cotangent::None,
        };
        (0..N).map(part).collect()
    }
    fn batch(&self, _: &[Spec], _: &[usize], _: u64) -> Batch {
        Batch::whole(self.same())
    }
}
impl<F: ScalarFn<N>, const N: usize> Pointwise<F, N> {
    fn fill<T: Element + Part>(&self, x: &[View<'_>], out: &mut [T]) {
        const BLOCK: usize = 256;
        let x: [_; N] = std::array::from_fn(|k| x[k].dense::<T>());
        for_chunks(out, BLOCK, 64, |block, part| {
            for (i, to) in part.iter_mut().enumerate() {
                let at: [T; N] = std::array::from_fn(|k| x[k][block * BLOCK + i]);
                *to = match self.by[..] {
                    [] => self.f.call(at),
                    [a] => self.first(at, a),
                    [a, b] => self.second(at, a, b),
                    [a, b, c] => self.third(at, a, b, c),
                    [a, b, c, d] => self.third(moving(at, d), a, b, c).slope,
                    _ => unreachable!("refused by the rule"),
                };
            }
        });
    }
    fn first<T: Part>(&self, x: [T; N], a: usize) -> T {
        self.f.call(moving(x, a)).slope
    }
    fn second<T: Part>(&self, x: [T; N], a: usize, b: usize) -> T {
        self.first(moving(x, b), a).slope
    }
    fn third<T: Part>(&self, x: [T; N], a: usize, b: usize, c: usize) -> T {
        self.second(moving(x, c), a, b).slope
    }
}
/// `x` with input `k` moving.
fn moving<T: Part, const N: usize>(x: [T; N], k: usize) -> [Dual<T>; N] {
    std::array::from_fn(|i| Dual { value: x[i], slope: if i == k { T::one() } else { T::zero() } })
}

/// A function of numbers as a function of tensors; see [`ScalarFn`]. The body sees its arguments as values of a type
/// `T` that is [`Real`].
///
/// ```
/// use retrograd_tensor::{Tensor, scalar_fn};
/// scalar_fn! {
///     /// The square root by Newton's method.
///     pub fn newton_sqrt<T>(x) {
///         let mut y = x.max(T::one());
///         while (y * y - x).abs() > y * T::epsilon() * T::of(4.0) {
///             y = (y + x / y) / T::of(2.0);
///         }
///         y
///     }
/// }
/// assert_eq!(newton_sqrt(&Tensor::from([9.0f64, 2.25])).to_vec::<f64>(), [3.0, 1.5]);
/// ```
#[macro_export]
macro_rules! scalar_fn {
    ($(#[$doc:meta])* $vis:vis fn $name:ident<$t:ident>($($x:ident),+ $(,)?) $body:block) => {
        $(#[$doc])*
        #[track_caller]
        $vis fn $name($($x: &$crate::Tensor),+) -> $crate::Tensor {
            const N: usize = [$(stringify!($x)),+].len();
            struct Function;
            impl $crate::ScalarFn<N> for Function {
                fn name(&self) -> &'static str {
                    stringify!($name)
                }
                fn call<$t: $crate::Real>(&self, [$($x),+]: [$t; N]) -> $t $body
            }
            $crate::ScalarFn::apply(Function, [$($x),+])
        }
    };
}
