//! Comparisons, truth values, selection, and the bounds that are made of them.
use crate::apply;
use crate::dtype::F64;
use crate::elementwise::{Class, Elementwise, Rule, Sample, choose, elementwise};
use crate::entry::Entry;
use crate::{Operand, Scalar, Tensor};
use smallvec::smallvec;
use std::sync::OnceLock;

elementwise! { (o, g)
    /// Whether each element equals that of `y`, as a bool tensor. NaN equals nothing.
    ///
    /// *Gradient:* none.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([1i64, 2]).eq(2).to_vec::<bool>(), [false, true]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast or the float types differ.
    EQ: test eq(x, y) = x == y; none "a comparison is constant almost everywhere"; Distinct;
    /// Whether each element differs from that of `y`, as a bool tensor. NaN differs from everything.
    ///
    /// *Gradient:* none.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([1i64, 2]).ne(2).to_vec::<bool>(), [true, false]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast or the float types differ.
    NE: test ne(x, y) = x != y; none "a comparison is constant almost everywhere"; Distinct;
    /// Whether each element is less than that of `y`, as a bool tensor. False for NaN.
    ///
    /// *Gradient:* none.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([1.0f32, 2.0]).lt(2.0).to_vec::<bool>(), [true, false]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast or the float types differ.
    LT: test lt(x, y) = x < y; none "a comparison is constant almost everywhere"; Distinct;
    /// Whether each element is at most that of `y`, as a bool tensor. False for NaN.
    ///
    /// *Gradient:* none.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([1.0f32, 3.0]).le(1.0).to_vec::<bool>(), [true, false]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast or the float types differ.
    LE: test le(x, y) = x <= y; none "a comparison is constant almost everywhere"; Distinct;
    /// Whether each element is greater than that of `y`, as a bool tensor. False for NaN.
    ///
    /// *Gradient:* none.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([1.0f32, 3.0]).gt(1.0).to_vec::<bool>(), [false, true]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast or the float types differ.
    GT: test gt(x, y) = x > y; none "a comparison is constant almost everywhere"; Distinct;
    /// Whether each element is at least that of `y`, as a bool tensor. False for NaN.
    ///
    /// *Gradient:* none.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([1.0f32, 3.0]).ge(2.0).to_vec::<bool>(), [false, true]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast or the float types differ.
    GE: test ge(x, y) = x >= y; none "a comparison is constant almost everywhere"; Distinct;
    /// Whether each element is NaN, as a bool tensor.
    ///
    /// *Gradient:* none.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([f32::NAN, f32::INFINITY]).isnan().to_vec::<bool>(), [true, false]);
    /// ```
    ISNAN: test isnan(x) = x.is_nan(); none "a test is constant almost everywhere"; Real;
    /// Whether each element is an infinity, as a bool tensor.
    ///
    /// *Gradient:* none.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([f32::NAN, f32::NEG_INFINITY]).isinf().to_vec::<bool>(), [false, true]);
    /// ```
    ISINF: test isinf(x) = !(x.is_finite() | x.is_nan()); none "a test is constant almost everywhere"; Real;
    /// Whether each element is neither infinite nor NaN, as a bool tensor.
    ///
    /// *Gradient:* none.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([f32::NAN, 1.0]).isfinite().to_vec::<bool>(), [false, true]);
    /// ```
    ISFINITE: test isfinite(x) = x.is_finite(); none "a test is constant almost everywhere"; Real;
    /// Whether both hold. Numbers other than 0 count as true, NaN too.
    ///
    /// *Gradient:* none.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([true, false]).logical_and(true).to_vec::<bool>(), [true, false]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    LOGICAL_AND: logic logical_and(x, y) = x & y; none "truth values have no gradient"; Real;
    /// Whether one or both hold. Numbers other than 0 count as true, NaN too.
    ///
    /// *Gradient:* none.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([2i64, 0]).logical_or(false).to_vec::<bool>(), [true, false]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    LOGICAL_OR: logic logical_or(x, y) = x | y; none "truth values have no gradient"; Real;
    /// Whether exactly one holds. Numbers other than 0 count as true, NaN too.
    ///
    /// *Gradient:* none.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([true, false]).logical_xor(true).to_vec::<bool>(), [false, true]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    LOGICAL_XOR: logic logical_xor(x, y) = x ^ y; none "truth values have no gradient"; Real;
    /// Whether each element does not hold, or is 0.
    ///
    /// *Gradient:* none.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([true, false]).logical_not().to_vec::<bool>(), [false, true]);
    /// ```
    LOGICAL_NOT: logic logical_not(x) = !x; none "truth values have no gradient"; Real;
    /// The larger of two elements; NaN if either is NaN.
    ///
    /// *Gradient:* `g` for the larger; a tie shares it equally.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([1.0f32, 3.0]).maximum(2.0).to_vec::<f32>(), [2.0, 3.0]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast or the float types differ.
    MAXIMUM: arith maximum(x, y) = x.maximum(y); [
        select(x.eq(y), 0.5 * g, select(x.lt(y), 0.0, g)),
        select(x.eq(y), 0.5 * g, select(x.gt(y), 0.0, g))
    ]; Distinct;
    /// The smaller of two elements; NaN if either is NaN.
    ///
    /// *Gradient:* `g` for the smaller; a tie shares it equally.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([1.0f32, 3.0]).minimum(2.0).to_vec::<f32>(), [1.0, 2.0]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast or the float types differ.
    MINIMUM: arith minimum(x, y) = x.minimum(y); [
        select(x.eq(y), 0.5 * g, select(x.gt(y), 0.0, g)),
        select(x.eq(y), 0.5 * g, select(x.lt(y), 0.0, g))
    ]; Distinct;
    /// Each element, or `min` where it is less, or `max` where that is greater still; all `max` if `min > max`.
    ///
    /// *Gradient:* `g` for `self` from `min` to `max` inclusive, else `g` for the bound that is the result.
    /// NaN stays NaN.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([-2.0f32, 0.5, 2.0]).clamp(-1.0, 1.0).to_vec::<f32>(), [-1.0, 0.5, 1.0]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast or the float types differ.
    CLAMP: arith clamp(x, min, max) = {
        let x = if x < min { min } else { x };
        if x > max { max } else { x }
    }; [
        select(x.ge(min).logical_and(x.le(max)), g, 0.0),
        select(x.lt(min).logical_and(min.le(max)), g, 0.0),
        select(x.gt(max).logical_or(min.gt(max)), g, 0.0)
    ]; Distinct;
    /// Each element, or `min` where it is less.
    ///
    /// *Gradient:* `g` for `self` from `min` on inclusive, else for `min`. NaN stays NaN.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([-2.0f32, 0.5]).clamp_min(0.0).to_vec::<f32>(), [0.0, 0.5]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast or the float types differ.
    CLAMP_MIN: arith clamp_min(x, min) = x.maximum(min);
        [select(x.ge(min), g, 0.0), select(x.lt(min), g, 0.0)]; Distinct;
    /// Each element, or `max` where it is greater.
    ///
    /// *Gradient:* `g` for `self` up to `max` inclusive, else for `max`. NaN stays NaN.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([-2.0f32, 0.5]).clamp_max(0.0).to_vec::<f32>(), [-2.0, 0.0]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast or the float types differ.
    CLAMP_MAX: arith clamp_max(x, max) = x.minimum(max);
        [select(x.le(max), g, 0.0), select(x.gt(max), g, 0.0)]; Distinct;
}

/// The second operand where the first holds, else the third.
pub(crate) static WHERE: Elementwise = Elementwise {
    name: "where_",
    class: Class::Choose,
    arity: 3,
    kernel: |dtype| Some(choose(dtype)),
    basic: None,
    rule: Rule::Grad(|x, _, g| smallvec![0.0.into(), select(x[0], g, 0.0), select(x[0], 0.0, g)]),
    simplify: |x, _| x[1].same(x[2]).then_some(x[1]),
    sample: Sample::Real,
    expr: OnceLock::new(),
};
/// `a` where `c` holds, else `b`.
pub(crate) fn select(c: Scalar, a: impl Into<Scalar>, b: impl Into<Scalar>) -> Scalar {
    Scalar::apply(&WHERE, &[c, a.into(), b.into()])
}
impl Scalar {
    /// `a` where this truth value holds, else `b`.
    #[must_use]
    pub fn where_(self, a: impl Into<Scalar>, b: impl Into<Scalar>) -> Scalar {
        select(self, a, b)
    }
}
impl Tensor {
    /// The elements of `a` where this bool tensor holds, else those of `b`: PyTorch's `where`.
    ///
    /// *Gradient:* `g` for the one that was taken, 0 for the other.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let x = Tensor::from([-1.0f32, 4.0]);
    /// assert_eq!(x.gt(0.0).where_(x.sqrt(), 0.0).to_vec::<f32>(), [0.0, 2.0]);
    /// ```
    ///
    /// # Panics
    /// If this is not a bool tensor, the shapes do not broadcast or the float types differ.
    #[track_caller]
    pub fn where_(&self, a: impl Into<Operand>, b: impl Into<Operand>) -> Tensor {
        apply::map(&WHERE, [self.into(), a.into(), b.into()])
    }
    /// Whether `|x - y| <= atol + rtol * |y|`, or both are the same infinity, as a bool tensor. False for NaN.
    /// Integers are compared as `F64`.
    ///
    /// *Gradient:* none.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let x = Tensor::from([1.0f64, 1.0 + 1e-9, 2.0]);
    /// assert_eq!(x.isclose(1.0, 1e-5, 1e-8).to_vec::<bool>(), [true, true, false]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast or the float types differ.
    #[track_caller]
    pub fn isclose(&self, y: impl Into<Operand>, rtol: f64, atol: f64) -> Tensor {
        let x = if self.dtype().is_float() { self.clone() } else { self.cast(F64) };
        crate::map::named("isclose", [x.into(), y.into()], |v| {
            let (x, y) = (v[0], v[1]);
            let near = (x - y).abs().le(atol + rtol * y.abs());
            // Next to an infinity the bound above is infinite.
            x.eq(y).logical_or(near.logical_and(y.isfinite()))
        })
    }
}

/// The functions of this family that are not rows.
pub(crate) const ENTRIES: &[Entry] = &[Entry::new("where", |x, _| vec![x[0].ne(0).where_(&x[1], &x[2])])];
