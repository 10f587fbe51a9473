//! One row of the table of elementwise operations: name, kernel, derivative, where gradcheck draws inputs.
//!
//! Rows are written with [`elementwise!`] in the family files of `ops`. The formula is instantiated by
//! `cpu::map`; the derivative is traced once over [`Scalar`], and what it mentions is what the tape keeps.
use crate::cpu::map::BlockFn;
use crate::cpu::pair::Basic;
use crate::dtype::DType;
use crate::entry::Attrs;
use crate::operand::Operand;
use crate::scalar::{Expr, Scalar};
use crate::tensor::Tensor;
use smallvec::SmallVec;
use std::fmt;
use std::sync::{Arc, OnceLock};

/// An elementwise operation of one to three operands.
pub struct Elementwise {
    /// The user's name for it, PyTorch's where there is one.
    pub name: &'static str,
    /// Which operand types it takes and what it gives.
    pub class: Class,
    /// Number of operands.
    pub arity: usize,
    /// The block kernel for operands of a type.
    pub kernel: fn(DType) -> Option<BlockFn>,
    /// The operation that it is, if it is one of the basic ones, of which programs join pairs.
    pub(crate) basic: Option<Basic>,
    /// The derivative.
    pub rule: Rule,
    /// What a trace may put in place of this operation, given which operands are constants.
    pub simplify: Simplify,
    /// Where its generated tests draw inputs.
    pub sample: Sample,
    /// This operation as an expression, made on first use.
    pub(crate) expr: OnceLock<Arc<Expr>>,
}
/// A rewrite of an operation over constants: operands, and the values of those that are constant.
pub(crate) type Simplify = fn(&[Scalar], &[Option<f64>]) -> Option<Scalar>;

/// Operand and result types of an elementwise operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Class {
    /// Numbers of one type in and out.
    Arith,
    /// As `Arith`; an integer second operand of 0 is refused.
    Quotient,
    /// As `Arith`; a negative integer second operand is refused.
    Power,
    /// Integers of one type in and out.
    Bits,
    /// Floats in and out; integers become `F32` first.
    Float,
    /// Numbers in, truth values out.
    Test,
    /// Truth values in and out.
    Logic,
    /// A truth value and two elements of one type in, one of them out.
    Choose,
}
impl Class {
    /// Whether operands and result are numbers of one type, integers or floats.
    pub fn is_arith(self) -> bool {
        matches!(self, Class::Arith | Class::Quotient | Class::Power)
    }
    /// What is wrong with this integer as the second operand, if anything is.
    pub(crate) fn refuses(self, v: i64) -> Option<&'static str> {
        match self {
            Class::Quotient if v == 0 => Some("integer division by zero"),
            Class::Power if v < 0 => Some("negative power of an integer"),
            _ => None,
        }
    }
}
/// The derivative of an elementwise operation.
#[derive(Debug)]
pub enum Rule {
    /// From operands, output and cotangent to one cotangent per operand.
    Grad(fn(&[Scalar], Scalar, Scalar) -> SmallVec<[Scalar; 3]>),
    /// No gradient, and why.
    None(&'static str),
}
/// A set of inputs at which an operation is defined and smooth.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sample {
    /// About -2 to 2, away from the integers' halves and from 0.
    Real,
    /// Above 0.
    Positive,
    /// Between -1 and 1.
    Unit,
    /// Between 0 and 1.
    Fraction,
    /// Above 1.
    AboveOne,
    /// As `Real`, two or three operands away from ties and from quotients that are integers.
    Distinct,
}

impl fmt::Debug for Elementwise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}
/// No rewrite.
pub(crate) fn keep(_: &[Scalar], _: &[Option<f64>]) -> Option<Scalar> {
    None
}

/// The operands of a recorded case: tensors, and for the rest the attributes of the operands' names.
pub(crate) fn operands<const N: usize>(x: &[Tensor], attrs: &Attrs, names: [&str; N]) -> [Operand; N] {
    std::array::from_fn(|k| x.get(k).map_or_else(|| attrs.f64(names[k]).into(), Operand::from))
}

/// The rows of one family: `elementwise! { (o, g) ROWS }`, where `o` names a row's output and `g` its cotangent
/// in the derivatives. A row is
///
/// ```text
/// /// Documentation with an asserting doctest.
/// NAME: class name(x, y) = formula; [derivatives] | none "why"; Sample [is Basic] [, simplify] [=> entry];
/// ```
///
/// It gives the static `NAME`, the methods of `Tensor` and `Scalar`, a line in the file's `OPS`, and one in its
/// `ROWS`: by `entry`, or else as an operation on a case's inputs followed by the attributes of the same names. A
/// formula of one float may be right only near 0; `formula, far(condition) other` says where another takes over.
macro_rules! elementwise {
    (($o:ident, $g:ident) $(
        $(#[$doc:meta])*
        $NAME:ident: $class:ident $name:ident ( $($x:ident),+ ) = $body:expr $(, far($is_far:expr) $far:expr)?;
        $([ $($d:expr),* ])? $(none $why:literal)?; $sample:ident $(is $basic:ident)? $(, $simplify:expr)? $(=> $entry:expr)?;
    )*) => {
        $( elementwise!(@static ($o, $g) $NAME $class $name ($($x),+) $body, [$($is_far, $far)?] [$($($d),*)?] [$($why)?] $sample $(is $basic)? [$($simplify)?]); )*
        elementwise!(@methods $( $(#[$doc])* $NAME $name ($($x),+); )*);
        /// The operations of this family.
        pub(crate) const OPS: &[&$crate::elementwise::Elementwise] = &[$(&$NAME),*];
        /// How reference cases call them.
        pub(crate) const ROWS: &[$crate::entry::Entry] = &[$(
            $crate::entry::Entry::new(stringify!($name), elementwise!(@entry [$($entry)?] $NAME $($x)+))
        ),*];
    };
    (@static ($o:ident, $g:ident) $NAME:ident $class:ident $name:ident ($($x:ident),+) $body:expr, [$($far:expr),*] [$($d:expr),*] [$($why:literal)?] $sample:ident $(is $basic:ident)? [$($simplify:expr)?]) => {
        pub(crate) static $NAME: $crate::elementwise::Elementwise = {
            struct Formula;
            elementwise!(@formula $class Formula ($($x),+) $body, [$($far),*]);
            $crate::elementwise::Elementwise {
                name: stringify!($name),
                class: elementwise!(@class $class),
                arity: [$(stringify!($x)),+].len(),
                kernel: elementwise!(@kernel $class Formula $($x)+),
                basic: elementwise!(@basic $($basic)?),
                rule: elementwise!(@rule ($o, $g) ($($x),+) [$($d),*] [$($why)?]),
                simplify: elementwise!(@simplify $($simplify)?),
                sample: $crate::elementwise::Sample::$sample,
                expr: std::sync::OnceLock::new(),
            }
        };
    };
    (@entry [$entry:expr] $NAME:ident $($x:ident)+) => { $entry };
    (@entry [] $NAME:ident $($x:ident)+) => {
        |x, attrs| vec![$crate::apply::map(&$NAME, $crate::elementwise::operands(x, attrs, [$(stringify!($x)),+]))]
    };
    (@basic) => { None };
    (@basic $basic:ident) => { Some($crate::cpu::pair::Basic::$basic) };
    (@simplify) => { $crate::elementwise::keep };
    (@simplify $f:expr) => { $f };
    (@rule ($o:ident, $g:ident) ($($x:ident),+) [] [$why:literal]) => { $crate::elementwise::Rule::None($why) };
    (@rule ($o:ident, $g:ident) ($($x:ident),+) [$($d:expr),+] []) => {
        $crate::elementwise::Rule::Grad(|operands, $o, $g| {
            let &[$($x),+] = operands else { unreachable!("arity") };
            let _ = ($($x,)+ $o, $g);
            smallvec::smallvec![$($crate::Scalar::from($d)),+]
        })
    };
    (@class arith) => { $crate::elementwise::Class::Arith };
    (@class quotient) => { $crate::elementwise::Class::Quotient };
    (@class power) => { $crate::elementwise::Class::Power };
    (@class bits) => { $crate::elementwise::Class::Bits };
    (@class float) => { $crate::elementwise::Class::Float };
    (@class test) => { $crate::elementwise::Class::Test };
    (@class logic) => { $crate::elementwise::Class::Logic };
    (@kernel arith $F:ident $a:ident) => { $crate::cpu::map::arith1::<$F> };
    (@kernel arith $F:ident $a:ident $b:ident) => { $crate::cpu::map::arith2::<$F> };
    (@kernel arith $F:ident $a:ident $b:ident $c:ident) => { $crate::cpu::map::arith3::<$F> };
    (@kernel quotient $F:ident $a:ident $b:ident) => { $crate::cpu::map::arith2::<$F> };
    (@kernel power $F:ident $a:ident $b:ident) => { $crate::cpu::map::arith2::<$F> };
    (@kernel bits $F:ident $a:ident) => { $crate::cpu::map::bits1::<$F> };
    (@kernel bits $F:ident $a:ident $b:ident) => { $crate::cpu::map::bits2::<$F> };
    (@kernel float $F:ident $a:ident) => { $crate::cpu::map::float1::<$F> };
    (@kernel float $F:ident $a:ident $b:ident) => { $crate::cpu::map::float2::<$F> };
    (@kernel float $F:ident $a:ident $b:ident $c:ident) => { $crate::cpu::map::float3::<$F> };
    (@kernel test $F:ident $a:ident) => { $crate::cpu::map::test1::<$F> };
    (@kernel test $F:ident $a:ident $b:ident) => { $crate::cpu::map::test2::<$F> };
    (@kernel logic $F:ident $a:ident) => { $crate::cpu::map::logic1::<$F> };
    (@kernel logic $F:ident $a:ident $b:ident) => { $crate::cpu::map::logic2::<$F> };
    (@formula arith $F:ident ($($x:ident),+) $body:expr, []) => {
        impl $crate::cpu::map::Arith<{ [$(stringify!($x)),+].len() }> for $F {
            #[inline(always)]
            fn map<T: $crate::cpu::lane::Num>([$($x),+]: [T; { [$(stringify!($x)),+].len() }]) -> T { $body }
        }
    };
    (@formula quotient $($rest:tt)*) => { elementwise!(@formula arith $($rest)*); };
    (@formula power $($rest:tt)*) => { elementwise!(@formula arith $($rest)*); };
    (@formula bits $F:ident ($($x:ident),+) $body:expr, []) => {
        impl $crate::cpu::map::Integer<{ [$(stringify!($x)),+].len() }> for $F {
            #[inline(always)]
            fn map<T: $crate::cpu::lane::Bits>([$($x),+]: [T; { [$(stringify!($x)),+].len() }]) -> T { $body }
        }
    };
    (@formula float $F:ident ($($x:ident),+) $body:expr, [$($is_far:expr, $far:expr)?]) => {
        impl $crate::cpu::map::Float<{ [$(stringify!($x)),+].len() }> for $F {
            #[inline(always)]
            fn map<T: $crate::cpu::lane::Real>([$($x),+]: [T; { [$(stringify!($x)),+].len() }]) -> T {
                let _ = ($($x,)+);
                $body
            }
            elementwise!(@far ($($x),+) $($is_far, $far)?);
        }
    };
    (@far ($($x:ident),+)) => {};
    (@far ($x:ident) $is_far:expr, $far:expr) => {
        const FAR: bool = true;
        #[inline(always)]
        fn is_far<T: $crate::cpu::lane::Real>([$x]: [T; 1]) -> bool { $is_far }
        #[inline(always)]
        fn far<T: $crate::cpu::lane::Real>([$x]: [T; 1]) -> T { $far }
    };
    (@formula test $F:ident ($($x:ident),+) $body:expr, []) => {
        impl $crate::cpu::map::Test<{ [$(stringify!($x)),+].len() }> for $F {
            #[inline(always)]
            fn test<T: $crate::cpu::lane::Num>([$($x),+]: [T; { [$(stringify!($x)),+].len() }]) -> bool { $body }
        }
    };
    (@formula logic $F:ident ($($x:ident),+) $body:expr, []) => {
        impl $crate::cpu::map::Logic<{ [$(stringify!($x)),+].len() }> for $F {
            #[inline(always)]
            fn map([$($x),+]: [bool; { [$(stringify!($x)),+].len() }]) -> bool { $body }
        }
    };
    (@methods $( $(#[$doc:meta])* $NAME:ident $name:ident ($($x:ident),+); )*) => {
        impl $crate::Tensor { $( elementwise!(@tensor $(#[$doc])* $NAME $name $($x)+); )* }
        #[allow(clippy::should_implement_trait, reason = "the traits are implemented too; methods read on in a chain")]
        impl $crate::Scalar { $( elementwise!(@scalar $NAME $name $($x)+); )* }
    };
    (@tensor $(#[$doc:meta])* $NAME:ident $name:ident $a:ident) => {
        $(#[$doc])*
        #[track_caller]
        pub fn $name(&self) -> $crate::Tensor { $crate::apply::map(&$NAME, [self.into()]) }
    };
    (@tensor $(#[$doc:meta])* $NAME:ident $name:ident $a:ident $b:ident) => {
        $(#[$doc])*
        #[track_caller]
        pub fn $name(&self, $b: impl Into<$crate::Operand>) -> $crate::Tensor {
            $crate::apply::map(&$NAME, [self.into(), $b.into()])
        }
    };
    (@tensor $(#[$doc:meta])* $NAME:ident $name:ident $a:ident $b:ident $c:ident) => {
        $(#[$doc])*
        #[track_caller]
        pub fn $name(&self, $b: impl Into<$crate::Operand>, $c: impl Into<$crate::Operand>) -> $crate::Tensor {
            $crate::apply::map(&$NAME, [self.into(), $b.into(), $c.into()])
        }
    };
    (@scalar $NAME:ident $name:ident $a:ident) => {
        #[doc = concat!("The scalar form of [`Tensor::", stringify!($name), "`](crate::Tensor::", stringify!($name), ").")]
        #[must_use]
        pub fn $name(self) -> $crate::Scalar { $crate::Scalar::apply(&$NAME, &[self]) }
    };
    (@scalar $NAME:ident $name:ident $a:ident $b:ident) => {
        #[doc = concat!("The scalar form of [`Tensor::", stringify!($name), "`](crate::Tensor::", stringify!($name), ").")]
        #[must_use]
        pub fn $name(self, $b: impl Into<$crate::Scalar>) -> $crate::Scalar { $crate::Scalar::apply(&$NAME, &[self, $b.into()]) }
    };
    (@scalar $NAME:ident $name:ident $a:ident $b:ident $c:ident) => {
        #[doc = concat!("The scalar form of [`Tensor::", stringify!($name), "`](crate::Tensor::", stringify!($name), ").")]
        #[must_use]
        pub fn $name(self, $b: impl Into<$crate::Scalar>, $c: impl Into<$crate::Scalar>) -> $crate::Scalar {
            $crate::Scalar::apply(&$NAME, &[self, $b.into(), $c.into()])
        }
    };
}
pub(crate) use crate::cpu::map::choose;
pub(crate) use elementwise;
