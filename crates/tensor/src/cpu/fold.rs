//! Reductions: the one module that knows in which order elements are combined.
//!
//! The order is a function of dtype, logical shape and reduced axes alone, so a sum has the same bits in a row
//! program, in a program of its own, eagerly, from any layout and with any number of threads:
//!
//! - *along rows* (the reduced axes are last): chunks of [`CHUNK`] elements; within a chunk 32 lanes, element i
//!   goes to lane i mod 32, lanes are joined by halving; chunk results are joined pairwise in order (`join`);
//! - *down columns* (an axis after the reduced ones is kept): chunks of [`COLUMN_CHUNK`] rows, within a chunk
//!   row after row, chunk results pairwise in order.
use super::lane::{Num, V};
use super::load::{LINE, prefetch};
use super::{by_isa, per_isa};
use crate::dtype::{Bool, DType, Element, F32, F64, I32, I64, U8};
use smallvec::SmallVec;

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
    /// `(src, rows, len, dst)`: one result per row of at most [`CHUNK`] elements.
    short: unsafe fn(*const u8, usize, usize, *mut u8),
    /// `(acc, src, rows, inner)`: `acc[j]` joined with element j of each of `rows` rows, in order.
    pub(crate) columns: unsafe fn(*mut u8, *const u8, usize, usize),
    /// `(partials, count, inner)`: `count` vectors of `inner` elements joined pairwise in order, into the first.
    pub(crate) join: unsafe fn(*mut u8, usize, usize),
    /// The bits of the identity.
    pub(crate) identity: u64,
    /// Bytes of an element.
    size: usize,
}
impl Fold {
    /// One result per row of `len` elements, by the whole tree.
    ///
    /// # Safety
    /// `src` is `rows` rows of `len` elements of the kernels' type, `dst` has room for `rows` and is not among them.
    pub(crate) unsafe fn rows(&self, src: *const u8, rows: usize, len: usize, dst: *mut u8) {
        if len <= CHUNK {
            // SAFETY: the caller's promise.
            return unsafe { (self.short)(src, rows, len, dst) };
        }
        let count = len.div_ceil(CHUNK);
        let mut partials: SmallVec<[u64; 64]> = SmallVec::from_elem(0, count);
        let p = partials.as_mut_ptr().cast::<u8>();
        for r in 0..rows {
            // SAFETY: row `r`; an element is at most eight bytes, so there is a place for each chunk.
            unsafe { self.chunks(src.wrapping_add(r * len * self.size), len, p, false) };
            // SAFETY: the chunks' results, which nobody else uses.
            unsafe { (self.join)(p, count, 1) };
            // SAFETY: one element, to the place of row `r`.
            unsafe { std::ptr::copy_nonoverlapping(p, dst.wrapping_add(r * self.size), self.size) };
        }
    }
    /// One result per chunk of a part of a row that begins at a chunk. With `far`, elements are asked for two chunks
    /// ahead: where they come from memory, the processor's own looking ahead does not fill the time.
    ///
    /// # Safety
    /// `src` is `len` elements of the kernels' type, `dst` has room for one per chunk and is not among them.
    pub(crate) unsafe fn chunks(&self, src: *const u8, len: usize, dst: *mut u8, far: bool) {
        let (whole, rest) = (len / CHUNK, len % CHUNK);
        let bytes = CHUNK * self.size;
        for c in 0..whole {
            for line in (0..if far { bytes } else { 0 }).step_by(LINE) {
                prefetch(src.wrapping_add((c + 2) * bytes + line));
            }
            // SAFETY: a whole chunk is a row of that length.
            unsafe { (self.short)(src.wrapping_add(c * bytes), 1, CHUNK, dst.wrapping_add(c * self.size)) };
        }
        let done = whole * CHUNK * self.size;
        // SAFETY: what is left, if anything is, is one shorter row.
        unsafe {
            (self.short)(src.wrapping_add(done), rest.min(1), rest, dst.wrapping_add(whole * self.size));
        };
    }
}

trait Monoid {
    /// Whether a row is searched for NaN, so that its elements can be joined by `clean`.
    const SEARCH: bool = false;
    fn identity<T: Num>() -> T;
    fn join<T: Num>(a: T, b: T) -> T;
    /// As `join` where neither is NaN.
    #[inline(always)]
    fn clean<T: Num>(a: T, b: T) -> T {
        Self::join(a, b)
    }
}
macro_rules! monoid { ($($k:ident, $id:expr, |$a:ident, $b:ident| $e:expr $(, clean $clean:expr)?;)*) => {$(
    struct $k;
    impl Monoid for $k {
        #[inline(always)] fn identity<T: Num>() -> T { T::lit($id) }
        #[inline(always)] fn join<T: Num>($a: T, $b: T) -> T { $e }
        $(
            const SEARCH: bool = true;
            #[inline(always)] fn clean<T: Num>($a: T, $b: T) -> T { $clean }
        )?
    }
)*}; }
monoid! {
    Sum, 0.0, |a, b| a + b;
    Prod, 1.0, |a, b| a * b;
    // Without NaN one instruction; with it four, and the loop waits for each.
    Max, f64::NEG_INFINITY, |a, b| sticky(a, if a > b { a } else { b }), clean if a > b { a } else { b };
    Min, f64::INFINITY, |a, b| sticky(a, if a < b { a } else { b }), clean if a < b { a } else { b };
}

/// `v`, or NaN if `a` is. Not `a` itself: LLVM would make an accumulator's update a masked store, and the next
/// row's load would wait for it.
#[inline(always)]
fn sticky<T: Num>(a: T, v: T) -> T {
    if a.is_nan() { a + a } else { v }
}

/// One chunk, at most [`CHUNK`] elements. Lanes beyond its end hold the identity, which changes no result.
#[inline(always)]
fn chunk<M: Monoid, T: Num>(x: &[T]) -> T {
    if M::SEARCH && x.iter().fold(false, |any, v| any | v.is_nan()) {
        return T::lit(f64::NAN);
    }
    let mut acc = [M::identity::<T>(); LANES];
    let (body, tail) = x.as_chunks::<LANES>();
    for b in body {
        into::<M, T, LANES>(&mut acc, b);
    }
    if !tail.is_empty() {
        let mut last = [M::identity::<T>(); LANES];
        last[..tail.len()].copy_from_slice(tail);
        into::<M, T, LANES>(&mut acc, &last);
    }
    halve::<M, T, 16>(&mut acc);
    halve::<M, T, 8>(&mut acc);
    halve::<M, T, 4>(&mut acc);
    halve::<M, T, 2>(&mut acc);
    M::clean(acc[0], acc[1])
}
#[inline(always)]
fn into<M: Monoid, T: Num, const N: usize>(acc: &mut [T; N], b: &[T; N]) {
    for j in 0..N {
        acc[j] = M::clean(acc[j], b[j]);
    }
}
/// Joins the second `N` lanes into the first.
#[inline(always)]
fn halve<M: Monoid, T: Num, const N: usize>(acc: &mut [T; LANES]) {
    for j in 0..N {
        acc[j] = M::clean(acc[j], acc[j + N]);
    }
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
        /// See [`Fold`].
        $(#[target_feature(enable = $feature)])?
        pub(super) unsafe fn short<M: Monoid, T: Element>(src: *const u8, rows: usize, len: usize, dst: *mut u8)
        where V<T, $fma>: Num {
            for r in 0..rows {
                // SAFETY: row r of `rows` rows of `len` elements.
                let x = unsafe { std::slice::from_raw_parts(src.cast::<V<T, $fma>>().add(r * len), len) };
                // SAFETY: result r of `rows`.
                unsafe { *dst.cast::<V<T, $fma>>().add(r) = chunk::<M, _>(x) }
            }
        }
        /// # Safety
        /// See [`Fold`].
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
    };
}
per_isa!(folds);
/// A few vectors, so one version serves every instruction set.
///
/// # Safety
/// See [`Fold`].
unsafe fn join<M: Monoid, T: Element>(partials: *mut u8, count: usize, inner: usize)
where
    V<T, false>: Num,
{
    // SAFETY: `count` vectors of `inner` elements that nobody else uses.
    let p = unsafe { std::slice::from_raw_parts_mut(partials.cast::<V<T, false>>(), count * inner) };
    pairwise::<M, _>(p, inner);
}

macro_rules! instance {
    ($m:ident, $t:ident) => {
        Fold {
            short: by_isa!(short::<$m, $t>),
            columns: by_isa!(columns::<$m, $t>),
            join: join::<$m, $t>,
            identity: identity::<$m, $t>(),
            size: size_of::<$t>(),
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
