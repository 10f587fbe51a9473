//! Arithmetic: the operators, and what is close to them.
//!
//! The rewrites here keep derivatives small: a trace drops what is a derivative of 0, and what is multiplied by 1. A 0
//! that a formula holds, and elements that happen to be 0, are numbers as others, and follow IEEE arithmetic.
use crate::Scalar;
use crate::elementwise::elementwise;
use crate::entry::Entry;

fn is_one(known: Option<f64>) -> bool {
    known == Some(1.0)
}
fn simplify_add(x: &[Scalar], _: &[Option<f64>]) -> Option<Scalar> {
    if x[0].vanishes() { Some(x[1]) } else { x[1].vanishes().then_some(x[0]) }
}
fn simplify_sub(x: &[Scalar], _: &[Option<f64>]) -> Option<Scalar> {
    if x[1].vanishes() { Some(x[0]) } else { x[0].vanishes().then(|| -x[1]) }
}
fn simplify_mul(x: &[Scalar], k: &[Option<f64>]) -> Option<Scalar> {
    if x[0].vanishes() || is_one(k[1]) {
        Some(x[0])
    } else {
        (x[1].vanishes() || is_one(k[0])).then_some(x[1])
    }
}
fn simplify_div(x: &[Scalar], k: &[Option<f64>]) -> Option<Scalar> {
    (x[0].vanishes() || is_one(k[1])).then_some(x[0])
}
fn simplify_gate(x: &[Scalar], k: &[Option<f64>]) -> Option<Scalar> {
    (x[0].vanishes() || is_one(k[1])).then_some(x[0])
}

elementwise! { (o, g)
    /// Sum of two tensors, broadcast: the method form of `+`.
    ///
    /// *Gradient:* `g` for both. Integers wrap.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([1.0f32, 2.0]).add(0.5).to_vec::<f32>(), [1.5, 2.5]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast or the float types differ.
    ADD: arith add(x, y) = x + y; [g, g]; Real is Add, simplify_add;
    /// Difference of two tensors, broadcast: the method form of `-`.
    ///
    /// *Gradient:* `g` and `-g`. Integers wrap.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([1.0f32, 2.0]).sub(0.5).to_vec::<f32>(), [0.5, 1.5]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast or the float types differ.
    SUB: arith sub(x, y) = x - y; [g, -g]; Real is Sub, simplify_sub;
    /// Product of two tensors element by element, broadcast: the method form of `*`.
    ///
    /// *Gradient:* `g * y` and `g * x`. Integers wrap.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([1.0f32, 2.0]).mul(0.5).to_vec::<f32>(), [0.5, 1.0]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast or the float types differ.
    MUL: arith mul(x, y) = x * y; [g * y, g * x]; Real is Mul, simplify_mul;
    /// Quotient of two tensors, broadcast: the method form of `/`. Integers are cut toward 0, as in Rust; a float beside
    /// them is refused, even a whole one.
    ///
    /// *Gradient:* `g / y` and `-g * x / y^2`; 0 where `g` is 0, whatever `y` is.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([1.0f32, -1.0]).div(0.0).to_vec::<f32>(), [f32::INFINITY, f32::NEG_INFINITY]);
    /// assert_eq!(Tensor::from([7i64, -7]).div(2).to_vec::<i64>(), [3, -3]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast, the float types differ, or an integer is divided by 0.
    DIV: quotient div(x, y) = x / y; [g.gate(1.0 / y), -(g.gate(o / y))]; Positive is Div, simplify_div;
    /// Remainder of the division cut toward 0, with the sign of `self`: the method form of `%`, PyTorch's `fmod`.
    ///
    /// *Gradient:* `g` and `-g * trunc(x / y)`.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([7i64, -7]).rem(4).to_vec::<i64>(), [3, -3]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast, the float types differ, or an integer is divided by 0.
    REM: quotient rem(x, y) = x % y; [g, -(g * (x / y).trunc())]; Distinct;
    /// Remainder of the division rounded down, with the sign of the divisor.
    ///
    /// *Gradient:* `g` and `-g * div_floor(x, y)`.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([7i64, -7]).remainder(4).to_vec::<i64>(), [3, 1]);
    /// assert_eq!(Tensor::from([7.5f64, -7.5]).remainder(-4.0).to_vec::<f64>(), [-0.5, -3.5]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast, the float types differ, or an integer is divided by 0.
    REMAINDER: quotient remainder(x, y) = {
        let (zero, r) = (T::lit(0.0), x % y);
        if (r != zero) & ((r < zero) != (y < zero)) { r + y } else { r }
    }; [g, -(g * x.div_floor(y))]; Distinct;
    /// The quotient rounded down: PyTorch's `div` with `rounding_mode="floor"`.
    ///
    /// *Gradient:* 0. A float divided by 0 is an infinity or NaN.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([7i64, -7]).div_floor(4).to_vec::<i64>(), [1, -2]);
    /// assert_eq!(Tensor::from([0.7f64, -0.7]).div_floor(0.1).to_vec::<f64>(), [6.0, -7.0]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast, the float types differ, or an integer is divided by 0.
    DIV_FLOOR: quotient div_floor(x, y) = {
        // The remainder is exact, so the quotient below is an integer but for its rounding.
        let (zero, one, r) = (T::lit(0.0), T::lit(1.0), x % y);
        let q = (x - r) / y;
        let q = if (r != zero) & ((r < zero) != (y < zero)) { q - one } else { q };
        let q = q.round();
        if y == zero { x / y } else { q }
    }; [0.0, 0.0]; Distinct;
    /// The elements negated: the method form of unary `-`.
    ///
    /// *Gradient:* `-g`. Integers wrap.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([1.0f32, -2.0]).neg().to_vec::<f32>(), [-1.0, 2.0]);
    /// ```
    NEG: arith neg(x) = -x; [-g]; Real;
    /// `self * d`, but 0 where `self` is exactly 0, whatever `d` is: the product for gradient rules whose local
    /// derivative `d` may be infinite or NaN.
    ///
    /// *Gradient:* `g.gate(d)` and `g.gate(self)`: gates again, so that derivatives of any order stay finite where
    /// nothing flows.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let (g, d) = (Tensor::from([0.0f32, 2.0]), Tensor::from([f32::INFINITY, 3.0]));
    /// assert_eq!(g.gate(d).to_vec::<f32>(), [0.0, 6.0]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast or the float types differ.
    GATE: float gate(h, d) = if h == T::lit(0.0) { h } else { h * d }; [g.gate(d), g.gate(h)]; Real, simplify_gate;
    /// The magnitude of each element.
    ///
    /// *Gradient:* `g * sign(x)`, 0 at 0. The smallest integer of a signed type wraps to itself.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([-1.5f32, 2.0]).abs().to_vec::<f32>(), [1.5, 2.0]);
    /// ```
    ABS: arith abs(x) = x.abs(); [g * x.sign()]; Real;
    /// 1, 0 or -1 by the sign of each element; 0 for NaN and for both zeros.
    ///
    /// *Gradient:* 0.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([-1.5f32, 0.0, 2.0]).sign().to_vec::<f32>(), [-1.0, 0.0, 1.0]);
    /// ```
    SIGN: arith sign(x) = {
        let (zero, one) = (T::lit(0.0), T::lit(1.0));
        if x > zero { one } else if x < zero { -one } else { zero }
    }; [0.0]; Real;
    /// The square of each element.
    ///
    /// *Gradient:* `2 * g * x`. Integers wrap.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([-1.5f32, 2.0]).square().to_vec::<f32>(), [2.25, 4.0]);
    /// ```
    SQUARE: arith square(x) = x * x; [g * (2.0 * x)]; Real;
    /// One divided by each element. Integers become `F32`.
    ///
    /// *Gradient:* `-g / x^2`; 0 where `g` is 0, whatever `x` is.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([-0.5f32, 0.0]).reciprocal().to_vec::<f32>(), [-2.0, f32::INFINITY]);
    /// ```
    RECIPROCAL: float reciprocal(x) = T::lit(1.0) / x; [-(g.gate(1.0 / (x * x)))]; Positive;
    /// The point at `weight` on the way from `self` to `end`: `x + weight * (end - x)`, exact at weights 0 and 1.
    ///
    /// *Gradient:* `g * (1 - weight)`, `g * weight` and `g * (end - x)`. Integers become `F32`.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([0.0f32, 2.0]).lerp(4.0, 0.25).to_vec::<f32>(), [1.0, 2.5]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast or the float types differ.
    LERP: float lerp(x, end, weight) = {
        let (step, one) = (end - x, T::lit(1.0));
        if weight < T::lit(0.5) { x + weight * step } else { end - step * (one - weight) }
    }; [g * (1.0 - weight), g * weight, g * (end - x)]; Real;
}

/// The functions of this family whose cases have a number in place of a tensor.
pub(crate) const ENTRIES: &[Entry] = &[
    Entry::new("add_scalar", |x, a| vec![&x[0] + a.f64("scalar")]),
    Entry::new("mul_scalar", |x, a| vec![&x[0] * a.f64("scalar")]),
    Entry::new("rsub_scalar", |x, a| vec![a.f64("scalar") - &x[0]]),
    Entry::new("rdiv_scalar", |x, a| vec![a.f64("scalar") / &x[0]]),
];
