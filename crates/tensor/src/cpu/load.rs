//! Movement without arithmetic: strided elements into a register, one value over a register, row values over
//! their rows.
#![expect(
    clippy::multiple_unsafe_ops_per_block,
    reason = "each block is one read and one write of the same element, under one promise"
)]
use super::{by_isa, per_isa};
use crate::dtype::DType;
use crate::layout::Layout;

/// Bytes of a cache line.
pub(crate) const LINE: usize = 64;

/// Runs an expression with `$t` as an unsigned integer of `$s` bytes: elements are moved as bits.
macro_rules! by_size {
    ($s:expr, $t:ident => $e:expr) => {
        match $s {
            1 => {
                type $t = u8;
                $e
            }
            2 => {
                type $t = u16;
                $e
            }
            4 => {
                type $t = u32;
                $e
            }
            _ => {
                type $t = u64;
                $e
            }
        }
    };
}

/// Elements `start..start + n` of `layout`, in logical order, into `d`.
///
/// # Safety
/// `base` plus every offset of the layout is a readable element of `dtype`, `d` has room for `n` elements and
/// overlaps none of them.
pub(crate) unsafe fn gather(
    base: *const u8,
    layout: &Layout,
    start: usize,
    n: usize,
    d: *mut u8,
    dtype: DType,
) {
    let mut done = 0;
    by_size!(dtype.size(), T => layout.runs(start, n, |offset, stride, count| {
        // SAFETY: the caller's promise: `offset` is an element of the layout, `done` stays below `n`.
        let (s, d) = unsafe { (base.cast::<T>().add(offset), d.cast::<T>().add(done)) };
        match stride {
            // SAFETY: `count` consecutive elements on both sides, without overlap.
            1 => unsafe { std::ptr::copy_nonoverlapping(s, d, count) },
            // SAFETY: one readable element over `count` writable ones.
            0 => unsafe { std::slice::from_raw_parts_mut(d, count).fill(*s) },
            _ => for j in 0..count {
                // SAFETY: element `j` of this run, and of the destination.
                unsafe { *d.add(j) = *s.offset(j as isize * stride) }
            },
        }
        done += count;
    }));
}

/// The low bytes of `bits` into `n` elements of `dtype`.
///
/// # Safety
/// `d` has room for `n` elements and nobody else uses them.
pub(crate) unsafe fn fill(d: *mut u8, bits: u64, dtype: DType, n: usize) {
    // SAFETY: the caller's promise.
    by_size!(dtype.size(), T => unsafe { std::slice::from_raw_parts_mut(d.cast::<T>(), n).fill(bits as T) });
}

/// Asks for the cache line at `p`, which may be any address.
#[inline(always)]
pub(crate) fn prefetch(p: *const u8) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch reads nothing and cannot fault.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(p.cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = p;
}

/// The bits of one element, zero-extended.
///
/// # Safety
/// `s` is a readable element of `dtype`.
#[expect(clippy::unnecessary_cast, reason = "one of the four sizes is that of the result")]
pub(crate) unsafe fn element(s: *const u8, dtype: DType) -> u64 {
    // SAFETY: the caller's promise.
    by_size!(dtype.size(), T => unsafe { *s.cast::<T>() as u64 })
}

/// `(src, dst, rows, last)`: each of `rows` values over `last` elements. The source has `rows` elements of the type
/// that the kernel was picked for, the destination has room for `rows * last`, and they do not overlap.
pub(crate) type SpreadFn = unsafe fn(*const u8, *mut u8, usize, usize);

macro_rules! spreads {
    ([$($feature:literal)?] $fma:literal) => {
        /// # Safety
        /// See [`SpreadFn`].
        $(#[target_feature(enable = $feature)])?
        pub(super) unsafe fn spread<T: Copy>(s: *const u8, d: *mut u8, rows: usize, last: usize) {
            for r in 0..rows {
                // SAFETY: row `r` of the source and of the destination.
                unsafe {
                    std::slice::from_raw_parts_mut(d.cast::<T>().add(r * last), last).fill(*s.cast::<T>().add(r));
                }
            }
        }
    };
}
per_isa!(spreads);
/// The kernel for elements of `dtype`.
pub(crate) fn spread(dtype: DType) -> SpreadFn {
    by_size!(dtype.size(), T => by_isa!(spread::<T>))
}
