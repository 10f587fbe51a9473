//! Tiles that fill the register kernels of the `gemm` crate, in the orientation these want, one block of `k` at a
//! time.
use super::{Side, Target, blocks};
use gemm_common::Parallelism;

/// `rows, k, columns, left, right, to, add`: a product that is written, or added to what is there.
pub(super) type Kernel<T> = unsafe fn(usize, usize, usize, Side<T>, Side<T>, Target<T>, bool);

macro_rules! kernel {
    ($name:ident, $t:ident, $krate:ident) => {
        /// # Safety
        /// All elements of both sides must be readable and those of the target writable, by this thread alone.
        pub(super) unsafe fn $name(
            rows: usize,
            k: usize,
            cols: usize,
            left: Side<$t>,
            right: Side<$t>,
            to: Target<$t>,
            add: bool,
        ) {
            let gemm = $krate::gemm::$t::get_gemm_fn();
            // A row-major result is the column-major one of the transposed product, and the kernels want unit
            // stride down a column.
            // SAFETY: the caller's promise; the strides are those of the sides and the target.
            unsafe {
                gemm(
                    cols,
                    rows,
                    k,
                    to.first,
                    to.left,
                    to.right,
                    add,
                    right.first,
                    right.depth,
                    right.own,
                    left.first,
                    left.own,
                    left.depth,
                    1.0,
                    1.0,
                    false,
                    false,
                    false,
                    Parallelism::None,
                );
            }
        }
    };
}
kernel!(kernel_f32, f32, gemm_f32);
kernel!(kernel_f64, f64, gemm_f64);

/// Computes one tile.
///
/// # Safety
/// As for a [`Kernel`].
pub(super) unsafe fn run<T: Copy>(
    kernel: Kernel<T>,
    rows: usize,
    k: usize,
    cols: usize,
    left: Side<T>,
    right: Side<T>,
    to: Target<T>,
) {
    for (start, length) in blocks(k) {
        let left = Side { first: left.first.wrapping_offset(start as isize * left.depth), ..left };
        let right = Side { first: right.first.wrapping_offset(start as isize * right.depth), ..right };
        // SAFETY: a block of `k` is part of the product the caller vouches for.
        unsafe { kernel(rows, length, cols, left, right, to, start > 0) };
    }
}
