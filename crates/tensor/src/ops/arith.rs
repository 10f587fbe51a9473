//! Arithmetic: the operators, and what is close to them.
use crate::Scalar;
use crate::elementwise::elementwise;
use crate::ops::compare::select;

fn is(known: &[Option<f64>], i: usize, v: f64) -> bool {
    known[i] == Some(v)
}
fn simplify_add(x: &[Scalar], k: &[Option<f64>]) -> Option<Scalar> {
    if is(k, 0, 0.0) { Some(x[1]) } else if is(k, 1, 0.0) { Some(x[0]) } else { None }
}
fn simplify_sub(x: &[Scalar], k: &[Option<f64>]) -> Option<Scalar> {
    if is(k, 1, 0.0) { Some(x[0]) } else if is(k, 0, 0.0) { Some(-x[1]) } else { None }
}
fn simplify_mul(x: &[Scalar], k: &[Option<f64>]) -> Option<Scalar> {
    if is(k, 0, 0.0) || is(k, 1, 0.0) {
        Some(0.0.into())
    } else if is(k, 0, 1.0) {
        Some(x[1])
    } else if is(k, 1, 1.0) {
        Some(x[0])
    } else {
        None
    }
}
fn simplify_div(x: &[Scalar], k: &[Option<f64>]) -> Option<Scalar> {
    if is(k, 1, 1.0) {
        Some(x[0])
    } else if is(k, 0, 0.0) {
        Some(0.0.into())
    } else {
        None
    }
}

elementwise! { (o, g)
    /// Sum of two tensors, broadcast: the method form of `+`.
    ///
    /// *Gradient:* `g` for both.
    ADD: arith add(x, y) = x + y; [g, g]; Real, simplify_add;
    /// Difference.
    SUB: arith sub(x, y) = x - y; [g, -g]; Real, simplify_sub;
    /// Product.
    MUL: arith mul(x, y) = x * y; [g * y, g * x]; Real, simplify_mul;
    /// Quotient.
    DIV: arith div(x, y) = x / y; [g.gate(1.0 / y), -(g.gate(o / y))]; Positive, simplify_div;
    /// Remainder.
    REM: arith rem(x, y) = x % y; [g, -(g * (x / y).trunc())]; Distinct;
    /// Negative.
    NEG: arith neg(x) = -x; [-g]; Real;
    /// `self * d`, but 0 where `self` is exactly 0, whatever `d` is.
    GATE: float gate(h, d) = if h == T::lit(0.0) { h } else { h * d }; [g.gate(d), g.gate(h)]; Real;
    /// The larger of two elements; NaN if either is NaN.
    MAXIMUM: arith maximum(x, y) = x.maximum(y);
        [select(x.gt(y), g, select(x.eq(y), 0.5 * g, 0.0)), select(y.gt(x), g, select(x.eq(y), 0.5 * g, 0.0))]; Distinct;
    /// exp
    EXP: float exp(x) = x.exp(); [g * o]; Real;
    /// log
    LOG: float log(x) = x.log(); [g.gate(1.0 / x)]; Positive;
    /// tanh
    TANH: float tanh(x) = x.tanh(); [g * (1.0 - o * o)]; Real;
    /// sigmoid
    SIGMOID: float sigmoid(x) = x.sigmoid(); [g * (o * (1.0 - o))]; Real;
    /// relu
    RELU: arith relu(x) = x.maximum(T::lit(0.0)); [select(o.gt(0.0), g, 0.0)]; Real;
    /// sqrt
    SQRT: float sqrt(x) = x.sqrt(); [g.gate(0.5 / o)]; Positive;
    /// erf
    ERF: float erf(x) = x.erf(); [g * (std::f64::consts::FRAC_2_SQRT_PI * (-(x * x)).exp())]; Real;
    /// trunc
    TRUNC: float trunc(x) = x.trunc(); [0.0]; Real;
}
