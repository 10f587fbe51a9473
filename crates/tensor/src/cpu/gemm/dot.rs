//! A few dot products of great length: too few elements to fill vectors with different ones, so the lanes of a
//! vector take different `k`. The order is fixed: chunks of `k`, lanes in a chunk, lanes added by halves, chunks in
//! order.
use super::isa::{Isa, Work, dispatch};
use super::{Operand, Product, Shared, parts, spread};
use std::array;

/// The most elements of a result that are computed here.
pub(super) const OUTPUTS: usize = 8;
/// The least `k` for it.
pub(super) const LENGTH: usize = 256;

const CHUNK: usize = 4096;
const LANES: usize = 32;
/// Elements of `k` gathered at a time, of at most [`OUTPUTS`] rows and one column, or the reverse.
const PIECE: usize = 256;

/// [`super::product`] for shapes within the limits above; operands have been checked.
pub(super) fn products<T: Product>(
    out: &mut [T],
    batch: usize,
    m: usize,
    k: usize,
    n: usize,
    a: Operand<T>,
    b: Operand<T>,
) {
    let (size, chunks) = (m * n, k.div_ceil(CHUNK));
    let mut partial = vec![T::default(); if chunks > 1 { out.len() * chunks } else { 0 }];
    let to = Shared(if chunks > 1 { partial.as_mut_ptr() } else { out.as_mut_ptr() });
    let piece = |i: usize| {
        let (item, start) = (i / chunks, i % chunks * CHUNK);
        // SAFETY: there are `size` elements for each of the pieces, and each piece runs once.
        let out = unsafe { std::slice::from_raw_parts_mut(to.at(i * size), size) };
        dispatch(Chunk { item, start, end: k.min(start + CHUNK), m, n, a, b, out });
    };
    spread(batch * chunks, parts(out.len().saturating_mul(k), true), &piece);
    if chunks > 1 {
        for (out, partial) in out.chunks_exact_mut(size).zip(partial.chunks_exact(chunks * size)) {
            out.copy_from_slice(&partial[..size]);
            for chunk in partial.chunks_exact(size).skip(1) {
                out.iter_mut().zip(chunk).for_each(|(o, &c)| *o = o.plus(c));
            }
        }
    }
}

struct Chunk<'a, T> {
    item: usize,
    start: usize,
    end: usize,
    m: usize,
    n: usize,
    a: Operand<'a, T>,
    b: Operand<'a, T>,
    out: &'a mut [T],
}

impl<T: Product> Work for Chunk<'_, T> {
    #[inline(always)]
    fn run<I: Isa>(self) {
        let mut lanes = [[T::default(); LANES]; OUTPUTS];
        let mut buffer = [[T::default(); PIECE]; OUTPUTS + 1];
        for start in (self.start..self.end).step_by(PIECE) {
            let length = PIECE.min(self.end - start);
            let (rows, cols) = buffer.split_at_mut(self.m);
            let (a, b) = (self.a, self.b);
            let rows: [&[T]; OUTPUTS] = gather(&a, self.item, (a.row_stride, a.col_stride), start, length, rows);
            let cols: [&[T]; OUTPUTS] = gather(&b, self.item, (b.col_stride, b.row_stride), start, length, cols);
            for row in 0..self.m {
                for col in 0..self.n {
                    let lanes = &mut lanes[row * self.n + col];
                    *lanes = accumulate::<T, I>(*lanes, rows[row], cols[col]);
                }
            }
        }
        self.out.iter_mut().zip(lanes).for_each(|(out, lanes)| *out = halve(lanes));
    }
}
