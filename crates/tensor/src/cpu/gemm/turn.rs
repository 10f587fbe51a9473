//! Small squares turned over: the one place of the products where LLVM does not find the shuffles by itself, and
//! a fifth of the speed is at stake for every operand that lies along `k`.
use super::Side;
use crate::cpu::isa::Isa;

/// [`plain`] by the best instructions for it.
///
/// # Safety
/// As for [`plain`].
#[inline(always)]
pub(super) unsafe fn square<I: Isa, T: Copy, const B: usize>(from: Side<T>, to: *mut T, width: usize) {
    #[cfg(target_arch = "x86_64")]
    if I::VECTOR >= 32 {
        // SAFETY: the caller's promise; sets with vectors of this size have AVX.
        return unsafe { avx::square::<T, B>(from, to, width) };
    }
    // SAFETY: the caller's promise.
    unsafe { plain::<T, B>(from, to, width) }
}

/// Copies the square of `B` vectors of `B` neighbours along `depth`, from the start of `from`, to rows `width`
/// apart, one element of each vector in a row.
///
/// # Safety
/// The square must be readable with a depth step of 1, the rows writable.
#[inline(always)]
unsafe fn plain<T: Copy, const B: usize>(from: Side<T>, to: *mut T, width: usize) {
    for p in 0..B {
        for c in 0..B {
            // SAFETY: the caller's promise.
            let x = unsafe { from.skip(c, p).first.read() };
            // SAFETY: the caller's promise.
            unsafe { to.wrapping_add(p * width + c).write(x) };
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod avx {
    use super::{Side, plain};
    use std::arch::x86_64::{
        __m128, __m128d, __m256, __m256d, _mm256_set_m128, _mm256_set_m128d, _mm256_shuffle_ps,
        _mm256_unpackhi_pd, _mm256_unpackhi_ps, _mm256_unpacklo_pd, _mm256_unpacklo_ps,
    };

    /// [`plain`] by shuffles, for the sizes that have some.
    ///
    /// # Safety
    /// As for [`plain`], on a machine with AVX.
    #[inline(always)]
    pub(super) unsafe fn square<T: Copy, const B: usize>(from: Side<T>, to: *mut T, width: usize) {
        match (B, size_of::<T>()) {
            // SAFETY: the caller's promise.
            (8, 4) => unsafe { eight(from, to, width) },
            // SAFETY: the caller's promise.
            (4, 8) => unsafe { four(from, to, width) },
            // SAFETY: the caller's promise.
            _ => unsafe { plain::<T, B>(from, to, width) },
        }
    }

    /// A square of 8 by 8 elements of 4 bytes.
    ///
    /// # Safety
    /// As for [`plain`].
    #[inline]
    #[target_feature(enable = "avx")]
    unsafe fn eight<T: Copy>(from: Side<T>, to: *mut T, width: usize) {
        for half in [0, 4] {
            let pair = |c: usize| -> __m256 {
                // SAFETY: the caller's promise; four elements of 4 bytes.
                let low = unsafe { from.skip(c, half).first.cast::<__m128>().read_unaligned() };
                // SAFETY: as above.
                let high = unsafe { from.skip(c + 4, half).first.cast::<__m128>().read_unaligned() };
                _mm256_set_m128(high, low)
            };
            let (a, b, c, d) = (pair(0), pair(1), pair(2), pair(3));
            let (ab, cd) = (_mm256_unpacklo_ps(a, b), _mm256_unpacklo_ps(c, d));
            let (ab_high, cd_high) = (_mm256_unpackhi_ps(a, b), _mm256_unpackhi_ps(c, d));
            let rows = [
                _mm256_shuffle_ps::<0x44>(ab, cd),
                _mm256_shuffle_ps::<0xee>(ab, cd),
                _mm256_shuffle_ps::<0x44>(ab_high, cd_high),
                _mm256_shuffle_ps::<0xee>(ab_high, cd_high),
            ];
            for (p, row) in rows.into_iter().enumerate() {
                // SAFETY: the caller's promise.
                unsafe { to.wrapping_add((half + p) * width).cast::<__m256>().write_unaligned(row) };
            }
        }
    }

    /// A square of 4 by 4 elements of 8 bytes.
    ///
    /// # Safety
    /// As for [`plain`].
    #[inline]
    #[target_feature(enable = "avx")]
    unsafe fn four<T: Copy>(from: Side<T>, to: *mut T, width: usize) {
        for half in [0, 2] {
            let pair = |c: usize| -> __m256d {
                // SAFETY: the caller's promise; two elements of 8 bytes.
                let low = unsafe { from.skip(c, half).first.cast::<__m128d>().read_unaligned() };
                // SAFETY: as above.
                let high = unsafe { from.skip(c + 2, half).first.cast::<__m128d>().read_unaligned() };
                _mm256_set_m128d(high, low)
            };
            let (a, b) = (pair(0), pair(1));
            for (p, row) in [_mm256_unpacklo_pd(a, b), _mm256_unpackhi_pd(a, b)].into_iter().enumerate() {
                // SAFETY: the caller's promise.
                unsafe { to.wrapping_add((half + p) * width).cast::<__m256d>().write_unaligned(row) };
            }
        }
    }
}
