//! Tensors made of a rule: ranges and the identity, for every element type.
use crate::call::by_dtype;
use crate::dtype::{DType, Element, F32, Number};
use crate::error::{Error, ErrorKind, OrRaise, raise};
use crate::memory;
use crate::shape;
use crate::tensor::Tensor;

/// The integer in `v`, if it is one.
fn integer(v: Number) -> Option<i64> {
    match v {
        Number::Int(v) => Some(v),
        Number::Bool(v) => Some(i64::from(v)),
        Number::Float(v) => (v.fract() == 0.0 && v.abs() < 2.0_f64.powi(53)).then_some(v as i64),
    }
}
/// The number of steps from `start` until `end`.
fn steps(start: Number, end: Number, step: Number) -> Result<usize, Error> {
    let refuse = |what: &str, right: &str| {
        let given = format!("{what}: {} to {} by {}", start.to_f64(), end.to_f64(), step.to_f64());
        Err(Error::new("arange", ErrorKind::Value, format!("{given}; {right}")))
    };
    let count = match (integer(start), integer(end), integer(step)) {
        (_, _, Some(0)) => return refuse("step is 0", "it must not be 0"),
        (Some(start), Some(end), Some(step)) => {
            let (room, step) = (i128::from(end) - i128::from(start), i128::from(step));
            usize::try_from((room + step - step.signum()).div_euclid(step).max(0)).ok()
        }
        _ => {
            let count = ((end.to_f64() - start.to_f64()) / step.to_f64()).ceil();
            // Not a number: a bound is infinite or not a number.
            (count < isize::MAX as f64).then_some(count.max(0.0) as usize)
        }
    };
    match count {
        Some(count) if shape::countable("arange", [count].into()).is_ok() => Ok(count),
        _ => refuse("range cannot be counted", "bounds must be finite, and not too far apart"),
    }
}

impl DType {
    /// `start`, `start + step`, ... until `end`, which is not among them.
    ///
    /// Element `i` is `start + i * step`, rounded once.
    ///
    /// ```
    /// use retrograd_tensor::{F64, I64};
    /// assert_eq!(I64.arange(5, 0, -2).to_vec::<i64>(), [5, 3, 1]);
    /// assert_eq!(F64.arange(0.0, 1.0, 0.25).to_vec::<f64>(), [0.0, 0.25, 0.5, 0.75]);
    /// ```
    ///
    /// # Panics
    /// If `step` is 0, a bound is not finite, or a fractional number is given for an integer type.
    #[track_caller]
    pub fn arange(self, start: impl Into<Number>, end: impl Into<Number>, step: impl Into<Number>) -> Tensor {
        let (start, end, step) = (start.into(), end.into(), step.into());
        let count = steps(start, end, step).or_raise();
        match (integer(start), integer(step)) {
            (Some(start), Some(step)) => by_dtype!(self, T => {
                let element = |i: usize| start.wrapping_add(step.wrapping_mul(i as i64));
                listed("arange", (0..count).map(|i| <T as FromInt>::from_int(element(i))))
            }),
            _ if !self.is_float() => {
                let given = format!("fractional numbers for {self}: {} by {}", start.to_f64(), step.to_f64());
                let detail = format!("{given}; give integers, or ask a float type");
                raise(Error::new("arange", ErrorKind::Dtype, detail))
            }
            _ => {
                let (start, step) = (start.to_f64(), step.to_f64());
                by_dtype!(self, T => listed("arange", (0..count).map(|i| T::from_f64(i as f64 * step + start))))
            }
        }
    }
    /// `n` numbers from `start` to `end`, both included, at equal distances.
    ///
    /// ```
    /// use retrograd_tensor::F64;
    /// assert_eq!(F64.linspace(0.0, 1.0, 5).to_vec::<f64>(), [0.0, 0.25, 0.5, 0.75, 1.0]);
    /// ```
    ///
    /// # Panics
    /// If the type is no float.
    #[track_caller]
    pub fn linspace(self, start: f64, end: f64, n: usize) -> Tensor {
        if !self.is_float() {
            let detail =
                format!("element type {self}: the numbers are fractional; ask a float type, or use arange");
            raise(Error::new("linspace", ErrorKind::Dtype, detail));
        }
        shape::countable("linspace", [n].into()).or_raise();
        let step = (end - start) / n.saturating_sub(1).max(1) as f64;
        // From the nearer end, so that both ends are exact and the middle is symmetric.
        let element = |i: usize| {
            if i <= (n - 1) / 2 { start + i as f64 * step } else { end - (n - 1 - i) as f64 * step }
        };
        by_dtype!(self, T => listed("linspace", (0..n).map(|i| T::from_f64(element(i)))))
    }
    /// The identity matrix of `n` rows.
    ///
    /// ```
    /// use retrograd_tensor::I64;
    /// assert_eq!(I64.eye(2).to_vec::<i64>(), [1, 0, 0, 1]);
    /// ```
    ///
    /// # Panics
    /// If the matrix has more elements than memory could hold.
    #[track_caller]
    pub fn eye(self, n: usize) -> Tensor {
        shape::countable("eye", [n, n].into()).or_raise();
        by_dtype!(self, T => {
            let mut data = memory::list("eye", self, &[n, n].into());
            data.resize(n * n, T::from_f64(0.0));
            data.iter_mut().step_by(n + 1).for_each(|one| *one = T::from_f64(1.0));
            Tensor::from_vec(data, [n, n])
        })
    }
}

/// An element that an integer can become, in range or wrapped.
trait FromInt: Element {
    fn from_int(v: i64) -> Self;
}
macro_rules! from_int {
    ($($t:ty: |$v:ident| $e:expr;)*) => {$(
        impl FromInt for $t {
            fn from_int($v: i64) -> $t { $e }
        }
    )*};
}
from_int! {
    i64: |v| v;
    i32: |v| v as i32;
    u8: |v| v as u8;
    bool: |v| v != 0;
    f32: |v| v as f32;
    f64: |v| v as f64;
    half::f16: |v| half::f16::from_f64(v as f64);
    half::bf16: |v| half::bf16::from_f64(v as f64);
}
#[track_caller]
fn listed<T: Element>(op: &'static str, elements: impl ExactSizeIterator<Item = T>) -> Tensor {
    let mut list = memory::list(op, T::DTYPE, &[elements.len()].into());
    list.extend(elements);
    let count = list.len();
    Tensor::from_vec(list, [count])
}

impl Tensor {
    /// `start`, `start + step`, ... until `end`, which is not among them, as `F32`; of another type:
    /// `I64.arange(..)`.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::arange(0, 3, 1).to_vec::<f32>(), [0.0, 1.0, 2.0]);
    /// ```
    ///
    /// # Panics
    /// If `step` is 0, or a bound is not finite.
    #[track_caller]
    pub fn arange(start: impl Into<Number>, end: impl Into<Number>, step: impl Into<Number>) -> Tensor {
        F32.arange(start, end, step)
    }
    /// `n` numbers from `start` to `end`, both included, as `F32`; of another type: `F64.linspace(..)`.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::linspace(-1.0, 1.0, 3).to_vec::<f32>(), [-1.0, 0.0, 1.0]);
    /// ```
    #[track_caller]
    pub fn linspace(start: f64, end: f64, n: usize) -> Tensor {
        F32.linspace(start, end, n)
    }
    /// The identity matrix of `n` rows, as `F32`; of another type: `F64.eye(n)`.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::eye(2).to_vec::<f32>(), [1.0, 0.0, 0.0, 1.0]);
    /// ```
    ///
    /// # Panics
    /// If the matrix has more elements than memory could hold.
    #[track_caller]
    pub fn eye(n: usize) -> Tensor {
        F32.eye(n)
    }
}
