//! Our own product kernel: vectors along one axis of the result, a few of the other axis in registers, elements
//! that are one chain of multiply-adds. Takes any strides: what lies apart along the vector axis is first copied
//! together, panel by panel, which changes no bit.
use super::{DEPTH, Product, Side, Target, blocks, turn};
use crate::cpu::isa::{Isa, Work, dispatch};
use std::array;
use std::mem::MaybeUninit;

/// Rows in registers at a time: with two vectors each, twelve of the sixteen registers of AVX2.
const ROWS: usize = 6;

/// The greatest `k` for which writing the result is what takes time, so that whole rows are better than panels.
const OUTER: usize = 4;

/// Columns of an outer product at a time.
const STRIP: usize = 1024;

/// Computes one tile.
///
/// # Safety
/// All elements of both sides must be readable and those of the target writable, by this thread alone.
pub(super) unsafe fn run<T: Product>(
    rows: usize,
    k: usize,
    cols: usize,
    left: Side<T>,
    right: Side<T>,
    to: Target<T>,
) {
    // One for all, made here: unoptimised code would give each of the inlined copies below its own.
    let mut scratch = Scratch([MaybeUninit::uninit(); DEPTH * 16]);
    let chain = Chain { rows, k, cols, left, right, to, scratch: scratch.0.as_mut_ptr().cast() };
    dispatch(if cols < 8 && cols < rows { chain.transposed() } else { chain });
}

/// One tile; made only in [`run`], whose caller promises that what the methods below read and write is there.
#[derive(Clone, Copy)]
struct Chain<T> {
    rows: usize,
    k: usize,
    cols: usize,
    left: Side<T>,
    right: Side<T>,
    to: Target<T>,
    /// The [`Scratch`] of this call.
    scratch: *mut T,
}

impl<T: Product> Chain<T> {
    /// The same products with the axes exchanged, so that the long one is the vector axis.
    fn transposed(self) -> Self {
        let to = Target { first: self.to.first, left: self.to.right, right: self.to.left };
        Chain { rows: self.cols, cols: self.rows, left: self.right, right: self.left, to, ..self }
    }

    /// At most `rows` rows from `row` on.
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn rows_from(self, row: usize, rows: usize) -> Self {
        let first = self.to.first.wrapping_offset(row as isize * self.to.left);
        let to = Target { first, ..self.to };
        Chain { rows: rows.min(self.rows - row), left: self.left.skip(row, 0), to, ..self }
    }
}

impl<T: Product> Work for Chain<T> {
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn run<I: Isa>(self) {
        if self.k <= OUTER && self.to.right == 1 {
            return self.outer::<I>();
        }
        match (2 * I::VECTOR / size_of::<T>()).min(32) {
            4 => self.panels::<I, 4, 8, 16>(),
            8 => self.panels::<I, 8, 16, 32>(),
            16 => self.panels::<I, 16, 32, 64>(),
            _ => self.panels::<I, 32, 64, 128>(),
        }
    }
}

impl<T: Product> Chain<T> {
    /// All columns, in panels of `W`; one or two rows take twice or four times that, to keep as many chains
    /// going as the processor can.
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn panels<I: Isa, const W: usize, const W2: usize, const W4: usize>(self) {
        let mut col = 0;
        while col < self.cols {
            let rest = self.cols - col;
            let part = |width: usize| Chain {
                cols: width.min(rest),
                right: self.right.skip(col, 0),
                to: Target { first: self.to.first.wrapping_offset(col as isize * self.to.right), ..self.to },
                ..self
            };
            col += match self.rows {
                1 if rest > W2 => part(W4).panel::<I, 1, W4>(),
                1 | 2 if rest > W => part(W2).panel::<I, 2, W2>(),
                _ => part(W).panel::<I, ROWS, W>(),
            };
        }
    }

    /// All columns, row by row, once for each `k`.
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn outer<I: Isa>(self) {
        for col in (0..self.cols).step_by(STRIP) {
            let cols = STRIP.min(self.cols - col);
            let mut strip = self.right.skip(col, 0);
            if strip.own != 1 {
                let first = self.scratch;
                for (p, c) in (0..self.k).flat_map(|p| (0..cols).map(move |c| (p, c))) {
                    // SAFETY: `OUTER` strips of eight bytes an element fit in the scratch space.
                    unsafe { first.wrapping_add(p * STRIP + c).write(strip.get(c, p)) };
                }
                strip = Side { first, own: 1, depth: STRIP as isize };
            }
            for row in 0..self.rows {
                let to = self.to.first.wrapping_offset(row as isize * self.to.left).wrapping_add(col);
                for p in 0..self.k {
                    let (x, from) = (self.left.get(row, p), strip.skip(0, p).first);
                    for c in 0..cols {
                        // SAFETY: the columns of a strip lie side by side.
                        let y = unsafe { from.wrapping_add(c).read() };
                        // SAFETY: the target is writable by this thread alone; for `p > 0` it has been written.
                        let sum = if p == 0 { T::default() } else { unsafe { to.wrapping_add(c).read() } };
                        // SAFETY: as above.
                        unsafe { to.wrapping_add(c).write(I::mul_add(x, y, sum)) };
                    }
                }
            }
        }
    }

    /// One panel of up to `W` columns; returns its width.
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn panel<I: Isa, const R: usize, const W: usize>(self) -> usize {
        // A few rows use a copied panel once, so that it should not leave the nearest cache; many rows come back
        // to it and want their sums in registers for as long as possible.
        let piece = if self.rows <= R { 4096 / W } else { DEPTH };
        let mut sums = [[T::default(); W]; R];
        for (start, length) in blocks(self.k) {
            for from in (start..start + length).step_by(piece) {
                let depth = piece.min(start + length - from);
                let left = self.left.skip(0, from);
                let part = Chain { k: depth, left, right: self.right.skip(0, from), ..self };
                let panel = part.packed::<I, W>();
                let part = Chain { right: panel, ..part };
                let step =
                    Step { first: from == start, last: from + depth == start + length, add: start > 0 };
                part.groups::<I, R, W>(step, &mut sums);
            }
        }
        self.cols
    }

    /// Every group of rows over a panel. `sums` carry a single group from piece to piece.
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn groups<I: Isa, const R: usize, const W: usize>(self, step: Step, sums: &mut [[T; W]; R]) {
        let mut row = 0;
        while row < self.rows {
            let rest = self.rows - row;
            let part = self.rows_from(row, rest);
            row += match rest {
                1 => part.group::<I, 1, R, W>(step, sums),
                2 if R > 2 => part.group::<I, 2, R, W>(step, sums),
                3 if R > 3 => part.group::<I, 3, R, W>(step, sums),
                4 if R > 4 => part.group::<I, 4, R, W>(step, sums),
                5 if R > 5 => part.group::<I, 5, R, W>(step, sums),
                _ => part.group::<I, R, R, W>(step, sums),
            };
        }
    }

    /// `M` rows over a panel that lies in rows: the inner loop of everything here. Returns `M`.
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn group<I: Isa, const M: usize, const R: usize, const W: usize>(
        self,
        step: Step,
        sums: &mut [[T; W]; R],
    ) -> usize {
        // Whole rows are moved by value, here and at the end: an index that is no constant would tie `acc` to
        // memory for the entire loop.
        let mut acc: [[T; W]; M] = array::from_fn(|r| if step.first { [T::default(); W] } else { sums[r] });
        let (mut left, mut panel) = (self.left, self.right);
        for _ in 0..self.k {
            let row: [T; W] = panel.neighbours();
            // Row by row by hand: with link-time optimisation over all crates a loop would be unrolled too late for `acc`
            // to leave memory, which halves the speed.
            macro_rules! rows {
                ($($r:literal)*) => {$(
                    if $r < M {
                        let x = left.get($r, 0);
                        for c in 0..W {
                            acc[$r][c] = I::mul_add(x, row[c], acc[$r][c]);
                        }
                    }
                )*};
            }
            rows!(0 1 2 3 4 5);
            (left, panel) = (left.skip(0, 1), panel.skip(0, 1));
        }
        if step.last && self.to.right == 1 && self.cols == W {
            for (r, acc) in acc.into_iter().enumerate() {
                let to = self.to.first.wrapping_offset(r as isize * self.to.left);
                store_row(to, acc, step.add);
            }
            return M;
        }
        (0..M).for_each(|r| sums[r] = acc[r]);
        if step.last {
            for (r, sums) in sums[..M].iter().enumerate() {
                let to = self.to.first.wrapping_offset(r as isize * self.to.left);
                store_apart(to, self.to.right, &sums[..self.cols], step.add);
            }
        }
        M
    }

    /// The panel as rows of `W` neighbours: in place if that is how it lies, else a copy with zeros for the
    /// columns that are missing.
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn packed<I: Isa, const W: usize>(self) -> Side<T> {
        if self.right.own == 1 && self.cols == W {
            return self.right;
        }
        if size_of::<T>() == 8 {
            self.copy::<I, W, 4>(self.scratch);
        } else {
            self.copy::<I, W, 8>(self.scratch);
        }
        Side { first: self.scratch, own: 1, depth: W as isize }
    }

    #[cfg_attr(not(debug_assertions), inline(always))]
    fn copy<I: Isa, const W: usize, const B: usize>(self, to: *mut T) {
        for col in (0..W).step_by(B) {
            let cols = self.cols.saturating_sub(col).min(B);
            let right = self.right.skip(col, 0);
            let mut p = 0;
            while right.depth == 1 && cols == B && p + B <= self.k {
                // SAFETY: the square lies in the tile, and its rows in the scratch space, as below.
                unsafe { turn::square::<I, T, B>(right.skip(0, p), to.wrapping_add(p * W + col), W) };
                p += B;
            }
            for p in p..self.k {
                let row: [T; B] = array::from_fn(|c| if c < cols { right.get(c, p) } else { T::default() });
                // SAFETY: `panel` sees to it that `self.k` rows of `W` fit in the scratch space.
                unsafe { to.wrapping_add(p * W + col).cast::<[T; B]>().write_unaligned(row) };
            }
        }
    }
}

/// Reads; only for places inside the tile.
impl<T: Product> Side<T> {
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn get(self, own: usize, depth: usize) -> T {
        // SAFETY: the maker of the `Chain` promised all elements of its sides.
        unsafe { self.skip(own, depth).first.read() }
    }

    /// `N` elements that lie side by side from here on.
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn neighbours<const N: usize>(self) -> [T; N] {
        // SAFETY: as above; the caller knows that they lie side by side.
        unsafe { self.first.cast::<[T; N]>().read_unaligned() }
    }
}

/// Room for a panel: [`DEPTH`] rows of two vectors, or 4096 elements.
#[repr(align(64))]
struct Scratch([MaybeUninit<u64>; DEPTH * 16]);

/// Where in its block of `k` a piece is: whether sums start, whether they are done, and whether earlier blocks have
/// left theirs in the target.
#[derive(Clone, Copy)]
struct Step {
    first: bool,
    last: bool,
    add: bool,
}

/// Writes finished sums side by side, or adds them to those of earlier blocks.
#[cfg_attr(not(debug_assertions), inline(always))]
fn store_row<T: Product, const W: usize>(to: *mut T, sums: [T; W], add: bool) {
    let to = to.cast::<[T; W]>();
    let mut new = sums;
    if add {
        // SAFETY: the target is writable by this thread alone, and an earlier block has written it.
        let old = unsafe { to.read_unaligned() };
        (0..W).for_each(|c| new[c] = old[c].plus(new[c]));
    }
    // SAFETY: the target is writable by this thread alone.
    unsafe { to.write_unaligned(new) };
}

/// The same for sums that go `step` apart.
#[cfg_attr(not(debug_assertions), inline(always))]
fn store_apart<T: Product>(to: *mut T, step: isize, sums: &[T], add: bool) {
    for (c, &sum) in sums.iter().enumerate() {
        let to = to.wrapping_offset(c as isize * step);
        // SAFETY: as in `store_row`.
        let new = if add { unsafe { to.read() }.plus(sum) } else { sum };
        // SAFETY: as in `store_row`.
        unsafe { to.write(new) };
    }
}
