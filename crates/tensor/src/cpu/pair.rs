//! Two basic operations in one loop, and one with a value for each row: what most formulas are made of, with fewer
//! passes over registers. The arithmetic is that of the operations one after the other, to the bit.
use super::lane::{Num, V};
use super::map::{BlockFn, dst, each1, each3, src};
use super::{by_isa, per_isa};
use crate::dtype::{DType, Element, F32, F64};

/// An operation that has these kernels.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Basic {
    Add,
    Sub,
    Mul,
    Div,
}

/// Destination, full operand, row values, rows, their length. All valid for so many elements of the type that the
/// kernel was picked for; the destination overlaps no source.
pub(crate) type RowFn = unsafe fn(*mut u8, *const u8, *const u8, usize, usize);

trait Two {
    fn of<T: Num>(a: T, b: T) -> T;
}
macro_rules! two { ($($name:ident |$a:ident, $b:ident| $e:expr;)*) => {$(
    struct $name;
    impl Two for $name {
        #[inline(always)]
        fn of<T: Num>($a: T, $b: T) -> T { $e }
    }
)*}; }
two! {
    Add |a, b| a + b;
    Sub |a, b| a - b;
    Mul |a, b| a * b;
    Div |a, b| a / b;
    FromSub |a, b| b - a;
    FromDiv |a, b| b / a;
}

macro_rules! kernels {
    ([$($feature:literal)?] $fma:literal) => {
        /// # Safety
        /// See [`BlockFn`]; but the destination may be the last source.
        $(#[target_feature(enable = $feature)])?
        pub(super) unsafe fn pair<P: Two, Q: Two, T: Element>(d: *mut u8, a: *const u8, b: *const u8, c: *const u8, n: usize)
        where V<T, $fma>: Num {
            // SAFETY: the contract of `BlockFn`; a last source that is the destination is read through that alone.
            unsafe {
                let (d, a, b) = (dst::<V<T, $fma>>(d, n), src::<V<T, $fma>>(a, n), src(b, n));
                if std::ptr::eq(d.as_ptr().cast(), c) {
                    for ((d, &a), &b) in d.iter_mut().zip(a).zip(b) {
                        *d = Q::of(P::of(a, b), *d);
                    }
                } else {
                    each3(d, a, b, src(c, n), |a, b, c| Q::of(P::of(a, b), c));
                }
            }
        }
        /// # Safety
        /// See [`RowFn`].
        $(#[target_feature(enable = $feature)])?
        pub(super) unsafe fn by_row<P: Two, T: Element>(d: *mut u8, a: *const u8, b: *const u8, rows: usize, last: usize)
        where V<T, $fma>: Num {
            // SAFETY: the contract of `RowFn`.
            let (d, a, b) = unsafe {
                (dst::<V<T, $fma>>(d, rows * last), src::<V<T, $fma>>(a, rows * last), src::<V<T, $fma>>(b, rows))
            };
            for ((d, a), &b) in d.chunks_exact_mut(last).zip(a.chunks_exact(last)).zip(b) {
                each1(d, a, |a| P::of(a, b));
            }
        }
    };
}
per_isa!(kernels);

macro_rules! by_float {
    ($dtype:expr, $t:ident => $e:expr) => {
        match $dtype {
            F32 => {
                type $t = f32;
                Some($e)
            }
            F64 => {
                type $t = f64;
                Some($e)
            }
            _ => None,
        }
    };
}
/// `second(first(a, b), c)`, or with the operands of `second` exchanged, for floats. The destination may be `c`.
pub(crate) fn pair(first: Basic, second: Basic, exchanged: bool, dtype: DType) -> Option<BlockFn> {
    macro_rules! with {
        ($p:ident) => {
            match (second, exchanged) {
                (Basic::Add, _) => by_float!(dtype, T => by_isa!(pair::<$p, Add, T>)),
                (Basic::Sub, false) => by_float!(dtype, T => by_isa!(pair::<$p, Sub, T>)),
                (Basic::Sub, true) => by_float!(dtype, T => by_isa!(pair::<$p, FromSub, T>)),
                (Basic::Mul, _) => by_float!(dtype, T => by_isa!(pair::<$p, Mul, T>)),
                (Basic::Div, _) => None,
            }
        };
    }
    match first {
        Basic::Add => with!(Add),
        Basic::Sub => with!(Sub),
        Basic::Mul => with!(Mul),
        Basic::Div => None,
    }
}
/// `op(a, b)` with a row value for `b`, or with the operands exchanged, for floats.
pub(crate) fn by_row(op: Basic, exchanged: bool, dtype: DType) -> Option<RowFn> {
    match (op, exchanged) {
        (Basic::Add, _) => by_float!(dtype, T => by_isa!(by_row::<Add, T>)),
        (Basic::Sub, false) => by_float!(dtype, T => by_isa!(by_row::<Sub, T>)),
        (Basic::Sub, true) => by_float!(dtype, T => by_isa!(by_row::<FromSub, T>)),
        (Basic::Mul, _) => by_float!(dtype, T => by_isa!(by_row::<Mul, T>)),
        (Basic::Div, false) => by_float!(dtype, T => by_isa!(by_row::<Div, T>)),
        (Basic::Div, true) => by_float!(dtype, T => by_isa!(by_row::<FromDiv, T>)),
    }
}
