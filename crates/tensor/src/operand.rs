//! What may stand beside a tensor in an operation: tensors and numbers, and the operators over them.
use crate::apply;
use crate::dtype::Number;
use crate::ops::arith::{ADD, DIV, MUL, NEG, REM, SUB};
use crate::tensor::Tensor;
use std::ops::{Add, AddAssign, Div, DivAssign, Mul, MulAssign, Neg, Rem, RemAssign, Sub, SubAssign};

/// An operand of an elementwise operation: a tensor, or a number that takes the tensor's type.
#[derive(Clone, Debug)]
pub enum Operand {
    /// A tensor.
    Tensor(Tensor),
    /// A number.
    Number(Number),
}
impl From<Tensor> for Operand {
    fn from(t: Tensor) -> Operand {
        Operand::Tensor(t)
    }
}
impl From<&Tensor> for Operand {
    fn from(t: &Tensor) -> Operand {
        Operand::Tensor(t.clone())
    }
}
impl From<&&Tensor> for Operand {
    fn from(t: &&Tensor) -> Operand {
        Operand::Tensor((*t).clone())
    }
}
macro_rules! numbers { ($($t:ty)*) => {$(
    impl From<$t> for Operand { fn from(v: $t) -> Operand { Operand::Number(v.into()) } }
)*}; }
numbers!(bool f32 f64 i32 i64 u8 usize);

// On the left one float and one integer type: with more, the literal in `(1.0 - &x).exp()` would have no type.
macro_rules! left { ($($t:ty)*) => {$(
    left!(@ $t: Add add ADD, Sub sub SUB, Mul mul MUL, Div div DIV, Rem rem REM);
)*};
(@ $t:ty: $($tr:ident $f:ident $OP:ident),*) => {$(
    impl $tr<Tensor> for $t {
        type Output = Tensor;
        #[track_caller]
        fn $f(self, o: Tensor) -> Tensor { apply::map(&$OP, [self.into(), o.into()]) }
    }
    impl $tr<&Tensor> for $t {
        type Output = Tensor;
        #[track_caller]
        fn $f(self, o: &Tensor) -> Tensor { apply::map(&$OP, [self.into(), o.into()]) }
    }
)*}; }
left!(f64 i64);

macro_rules! operators { ($($tr:ident $f:ident $assign:ident $fa:ident $OP:ident)*) => {$(
    impl<R: Into<Operand>> $tr<R> for Tensor {
        type Output = Tensor;
        #[track_caller]
        fn $f(self, o: R) -> Tensor { apply::map(&$OP, [self.into(), o.into()]) }
    }
    impl<R: Into<Operand>> $tr<R> for &Tensor {
        type Output = Tensor;
        #[track_caller]
        fn $f(self, o: R) -> Tensor { apply::map(&$OP, [self.into(), o.into()]) }
    }
    impl<R: Into<Operand>> $assign<R> for Tensor {
        #[track_caller]
        fn $fa(&mut self, o: R) {
            apply::assign(&$OP, self, o.into());
        }
    }
)*}; }
operators! {
    Add add AddAssign add_assign ADD
    Sub sub SubAssign sub_assign SUB
    Mul mul MulAssign mul_assign MUL
    Div div DivAssign div_assign DIV
    Rem rem RemAssign rem_assign REM
}
impl Neg for Tensor {
    type Output = Tensor;
    #[track_caller]
    fn neg(self) -> Tensor {
        apply::map(&NEG, [self.into()])
    }
}
impl Neg for &Tensor {
    type Output = Tensor;
    #[track_caller]
    fn neg(self) -> Tensor {
        apply::map(&NEG, [self.into()])
    }
}
