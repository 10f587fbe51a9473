//! A few dot products of great length: too few elements to fill vectors with different ones, so the lanes of a
//! vector take different `k`. The order is fixed: chunks of `k`, lanes in a chunk, lanes added by halves, chunks in
//! order.
use super::{Operand, Product, Shared, parts, spread};
use crate::cpu::isa::{Isa, Work, dispatch};
use std::array;

/// The most elements of a result that are computed here.
pub(super) const OUTPUTS: usize = 8;
/// The least `k` for it.
pub(super) const LENGTH: usize = 256;

const CHUNK: usize = 4096;
const LANES: usize = 32;
/// Elements of `k` gathered at a time, of at most [`OUTPUTS`] rows and one column, or the reverse.
const PIECE: usize = 128;

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
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn run<I: Isa>(self) {
        let mut lanes = [[T::default(); LANES]; OUTPUTS];
        let mut buffer = [[T::default(); PIECE]; OUTPUTS + 1];
        for start in (self.start..self.end).step_by(PIECE) {
            let length = PIECE.min(self.end - start);
            let (rows, cols) = buffer.split_at_mut(self.m);
            let (a, b, at) = (&self.a, &self.b, (self.item, start, length));
            let rows = lines(a, (a.row_stride, a.col_stride), self.m, at, rows);
            let cols = lines(b, (b.col_stride, b.row_stride), self.n, at, cols);
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

/// `count` rows of a left operand or columns of a right one, by their steps along themselves and along `k`, over
/// `length` of `k` from `start`: where they lie if in one piece, else copied.
#[cfg_attr(not(debug_assertions), inline(always))]
fn lines<'a, T: Product>(
    from: &Operand<'a, T>,
    (own, depth): (isize, isize),
    count: usize,
    (item, start, length): (usize, usize, usize),
    buffers: &'a mut [[T; PIECE]],
) -> [&'a [T]; OUTPUTS] {
    let mut buffers = buffers.iter_mut();
    array::from_fn(|i| {
        let Some(buffer) = buffers.next().filter(|_| i < count) else { return &[][..] };
        let first = from.offsets[item] as isize + i as isize * own + start as isize * depth;
        if depth == 1 {
            return &from.data[first as usize..][..length];
        }
        for (p, to) in buffer[..length].iter_mut().enumerate() {
            *to = from.data[(first + p as isize * depth) as usize];
        }
        &buffer[..length]
    })
}

#[cfg_attr(not(debug_assertions), inline(always))]
fn accumulate<T: Product, I: Isa>(mut lanes: [T; LANES], x: &[T], y: &[T]) -> [T; LANES] {
    let ((xs, x_rest), (ys, y_rest)) = (x.as_chunks::<LANES>(), y.as_chunks::<LANES>());
    for (x, y) in xs.iter().zip(ys) {
        lanes = array::from_fn(|i| I::mul_add(x[i], y[i], lanes[i]));
    }
    if !x_rest.is_empty() {
        // Filled up with zeros, which change no sum: an index that is no constant would tie the lanes to memory in
        // the loop above.
        let (mut x, mut y) = ([T::default(); LANES], [T::default(); LANES]);
        x[..x_rest.len()].copy_from_slice(x_rest);
        y[..y_rest.len()].copy_from_slice(y_rest);
        lanes = array::from_fn(|i| I::mul_add(x[i], y[i], lanes[i]));
    }
    lanes
}

#[cfg_attr(not(debug_assertions), inline(always))]
fn halve<T: Product>(lanes: [T; LANES]) -> T {
    let l: [T; 16] = array::from_fn(|i| lanes[i].plus(lanes[i + 16]));
    let l: [T; 8] = array::from_fn(|i| l[i].plus(l[i + 8]));
    let l: [T; 4] = array::from_fn(|i| l[i].plus(l[i + 4]));
    l[0].plus(l[2]).plus(l[1].plus(l[3]))
}
