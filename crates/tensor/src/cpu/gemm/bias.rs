//! A number for each column, added to every row of a tile while it lies near.
use super::{Product, Target};
use crate::cpu::isa::{Isa, Work, dispatch};

/// Adds `bias` to each of `rows` rows of what has been written to `to`.
///
/// # Safety
/// As many columns as `bias` is long must be there, side by side, for this thread alone.
pub(super) unsafe fn add<T: Product>(rows: usize, bias: &[T], to: Target<T>) {
    dispatch(Add { rows, bias, to });
}

/// One tile; made only in [`add`], whose caller promises its elements.
struct Add<'a, T> {
    rows: usize,
    bias: &'a [T],
    to: Target<T>,
}
impl<T: Product> Work for Add<'_, T> {
    #[inline(always)]
    fn run<I: Isa>(self) {
        for row in 0..self.rows {
            let first = self.to.first.wrapping_offset(row as isize * self.to.left);
            // SAFETY: the caller of `add` promised the row, which has been written.
            let row = unsafe { std::slice::from_raw_parts_mut(first, self.bias.len()) };
            for (x, &b) in row.iter_mut().zip(self.bias) {
                *x = x.plus(b);
            }
        }
    }
}
