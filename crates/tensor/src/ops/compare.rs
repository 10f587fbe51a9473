//! Comparisons and selection.
use crate::apply;
use crate::cpu::map;
use crate::elementwise::{Class, Elementwise, Rule, Sample, elementwise};
use crate::{Operand, Scalar, Tensor};
use smallvec::smallvec;
use std::sync::OnceLock;

elementwise! { (o, g)
    /// greater
    GT: test gt(x, y) = x > y; none "a comparison is constant almost everywhere"; Distinct;
    /// equal
    EQ: test eq(x, y) = x == y; none "a comparison is constant almost everywhere"; Distinct;
}

/// The second operand where the first holds, else the third.
pub(crate) static WHERE: Elementwise = Elementwise {
    name: "where_",
    class: Class::Choose,
    arity: 3,
    kernel: |dtype| Some(map::choose(dtype)),
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
    /// The elements of `a` where this bool tensor holds, else those of `b`.
    #[track_caller]
    pub fn where_(&self, a: impl Into<Operand>, b: impl Into<Operand>) -> Tensor {
        apply::map(&WHERE, [self.into(), a.into(), b.into()])
    }
}
