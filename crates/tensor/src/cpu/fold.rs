//! Reductions: the one module that knows in which order elements are combined.
//!
//! The order is a function of dtype, logical shape and reduced axes alone, so a sum has the same bits in a row
//! program, in a program of its own, eagerly, from any layout and with any number of threads:
//!
//! - *along rows* (the reduced axes are last): chunks of [`CHUNK`] elements; within a chunk 32 lanes, element i
//!   goes to lane i mod 32, lanes are joined by halving; chunk results are joined pairwise in order ([`Fold::join`]);
//! - *down columns* (an axis after the reduced ones is kept): chunks of [`COLUMN_CHUNK`] rows, within a chunk
//!   row after row, chunk results pairwise in order.
use super::lane::{Num, V};
use super::{by_isa, per_isa};
use crate::dtype::{Bool, DType, Element, F32, F64, I32, I64, U8};

/// Elements of a row whose lanes are joined at once.
pub(crate) const CHUNK: usize = 512;
/// Rows that a column is folded over at once.
pub(crate) const COLUMN_CHUNK: usize = 64;
const LANES: usize = 32;

/// How elements are combined.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Red {
    /// Sum; 0 if empty.
    Sum,
    /// Product; 1 if empty.
    Prod,
    /// Largest; NaN if any is.
    Max,
    /// Smallest; NaN if any is.
    Min,
}

/// The kernels of one reduction for one element type.
#[derive(Clone, Copy)]
pub(crate) struct Fold {
    /// `(src, rows, len, dst)`: one result per row of `len` elements, by the whole tree.
    pub(crate) rows: unsafe fn(*const u8, usize, usize, *mut u8),
    /// `(src, len, dst)`: one result per chunk of a part of a row that begins at a chunk.
    pub(crate) chunks: unsafe fn(*const u8, usize, *mut u8),
    /// `(acc, src, rows, inner)`: `acc[j]` joined with element j of each of `rows` rows, in order.
    pub(crate) columns: unsafe fn(*mut u8, *const u8, usize, usize),
    /// `(partials, count, inner)`: `count` vectors of `inner` elements joined pairwise in order, into the first.
    pub(crate) join: unsafe fn(*mut u8, usize, usize),
    /// The bits of the identity.
    pub(crate) identity: u64,
}

trait Monoid {
    fn identity<T: Num>() -> T;
    fn join<T: Num>(a: T, b: T) -> T;
}
macro_rules! monoid { ($($k:ident, $id:expr, |$a:ident, $b:ident| $e:expr;)*) => {$(
    struct $k;
    impl Monoid for $k {
        #[inline(always)] fn identity<T: Num>() -> T { T::lit($id) }
        #[inline(always)] fn join<T: Num>($a: T, $b: T) -> T { $e }
    }
)*}; }
monoid! {
    Sum, 0.0, |a, b| a + b;
    Prod, 1.0, |a, b| a * b;
    Max, f64::NEG_INFINITY, |a, b| a.maximum(b);
    Min, f64::INFINITY, |a, b| a.minimum(b);
}

/// One chunk, at most [`CHUNK`] elements.
#[inline(always)]
fn chunk<M: Monoid, T: Num>(x: &[T]) -> T {
    let mut acc = [M::identity::<T>(); LANES];
    let (body, tail) = x.as_chunks::<LANES>();
    for b in body {
        for j in 0..LANES {
            acc[j] = M::join(acc[j], b[j]);
        }
    }
    for (a, &v) in acc.iter_mut().zip(tail) {
        *a = M::join(*a, v);
    }
    // Lanes beyond a short row hold the identity; joining them would only take time.
    let mut w = if x.len() >= LANES { LANES } else { x.len().next_power_of_two() } / 2;
    while w > 0 {
        for j in 0..w {
            acc[j] = M::join(acc[j], acc[j + w]);
        }
        w /= 2;
    }
    acc[0]
}
/// Vectors of `inner` elements joined pairwise in order, into the first.
#[inline(always)]
fn pairwise<M: Monoid, T: Num>(p: &mut [T], inner: usize) {
    let (n, mut step) = (p.len(), inner);
    while step < n {
        let mut i = 0;
        while i + step < n {
            let (a, b) = p[i..].split_at_mut(step);
            for (x, &y) in a[..inner].iter_mut().zip(&b[..inner]) {
                *x = M::join(*x, y);
            }
            i += 2 * step;
        }
        step *= 2;
    }
}

macro_rules! folds {
    ([$($feature:literal)?] $fma:literal) => {
        /// # Safety
        /// See [`Fold::rows`].
        $(#[target_feature(enable = $feature)])?
        pub(super) unsafe fn rows<M: Monoid, T: Element>(src: *const u8, rows: usize, len: usize, dst: *mut u8)
        where V<T, $fma>: Num {
            for r in 0..rows {
                // SAFETY: row r of `rows` rows of `len` elements.
                let x = unsafe { std::slice::from_raw_parts(src.cast::<V<T, $fma>>().add(r * len), len) };
                let v = if len <= CHUNK { chunk::<M, _>(x) } else {
                    let mut part: smallvec::SmallVec<[V<T, $fma>; 64]> = x.chunks(CHUNK).map(chunk::<M, _>).collect();
                    pairwise::<M, _>(&mut part, 1);
                    part[0]
                };
                // SAFETY: result r of `rows`.
                unsafe { *dst.cast::<V<T, $fma>>().add(r) = v }
            }
        }
        /// # Safety
        /// See [`Fold::chunks`].
        $(#[target_feature(enable = $feature)])?
        pub(super) unsafe fn chunks<M: Monoid, T: Element>(src: *const u8, len: usize, dst: *mut u8)
        where V<T, $fma>: Num {
            // SAFETY: `len` readable elements.
            let x = unsafe { std::slice::from_raw_parts(src.cast::<V<T, $fma>>(), len) };
            for (k, c) in x.chunks(CHUNK).enumerate() {
                // SAFETY: `dst` has one place per chunk.
                unsafe { *dst.cast::<V<T, $fma>>().add(k) = chunk::<M, _>(c) }
            }
        }
        /// # Safety
        /// See [`Fold::columns`].
        $(#[target_feature(enable = $feature)])?
        pub(super) unsafe fn columns<M: Monoid, T: Element>(acc: *mut u8, src: *const u8, rows: usize, inner: usize)
        where V<T, $fma>: Num {
            // SAFETY: `inner` accumulators that nobody else uses.
            let acc = unsafe { std::slice::from_raw_parts_mut(acc.cast::<V<T, $fma>>(), inner) };
            // SAFETY: `rows` rows of `inner` readable elements.
            let x = unsafe { std::slice::from_raw_parts(src.cast::<V<T, $fma>>(), rows * inner) };
            for row in x.chunks_exact(inner.max(1)) {
                for (a, &v) in acc.iter_mut().zip(row) {
                    *a = M::join(*a, v);
                }
            }
        }
        /// # Safety
        /// See [`Fold::join`].
        $(#[target_feature(enable = $feature)])?
        pub(super) unsafe fn join<M: Monoid, T: Element>(partials: *mut u8, count: usize, inner: usize)
        where V<T, $fma>: Num {
            // SAFETY: `count` vectors of `inner` elements that nobody else uses.
            let p = unsafe { std::slice::from_raw_parts_mut(partials.cast::<V<T, $fma>>(), count * inner) };
            pairwise::<M, _>(p, inner);
        }
    };
}
per_isa!(folds);

macro_rules! instance {
    ($m:ident, $t:ident) => {
        Fold {
            rows: by_isa!(rows::<$m, $t>),
            chunks: by_isa!(chunks::<$m, $t>),
            columns: by_isa!(columns::<$m, $t>),
            join: by_isa!(join::<$m, $t>),
            identity: identity::<$m, $t>(),
        }
    };
}
/// The identity's bits.
fn identity<M: Monoid, T: Element>() -> u64
where
    V<T, false>: Num,
{
    let v = M::identity::<V<T, false>>();
    let mut bits = [0u8; 8];
    // SAFETY: `v` is a plain number of at most eight bytes.
    unsafe { std::ptr::copy_nonoverlapping((&raw const v).cast::<u8>(), bits.as_mut_ptr(), size_of::<T>()) };
    u64::from_le_bytes(bits)
}
macro_rules! by_red {
    ($red:expr, $t:ident) => {
        match $red {
            Red::Sum => instance!(Sum, $t),
            Red::Prod => instance!(Prod, $t),
            Red::Max => instance!(Max, $t),
            Red::Min => instance!(Min, $t),
        }
    };
}

impl Red {
    /// The kernels of this reduction over elements of `dtype` (half types have none: they are folded in `F32`).
    pub(crate) fn fold(self, dtype: DType) -> Fold {
        match dtype {
            F32 => by_red!(self, f32),
            F64 => by_red!(self, f64),
            I64 => by_red!(self, i64),
            I32 => by_red!(self, i32),
            U8 | Bool => by_red!(self, u8),
            d => unreachable!("{d} is folded in f32"),
        }
    }
}
