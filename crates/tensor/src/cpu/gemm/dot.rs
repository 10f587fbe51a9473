//! A few dot products of great length: too few elements to fill vectors with different ones, so the lanes of a
//! vector take different `k`. The order is fixed: chunks, lanes in a chunk, lanes added by halves, chunks in order.
use super::isa::{Isa, Work, dispatch};
use super::{Operand, Product, Shared, spread};

/// The most elements of a result that are computed here.
pub(super) const OUTPUTS: usize = 16;
/// The least `k` for it.
pub(super) const LENGTH: usize = 256;

const CHUNK: usize = 4096;
const LANES: usize = 32;
/// Elements gathered at a time.
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
    let chunks = k.div_ceil(CHUNK);
    let mut partial = vec![T::default(); batch * chunks * m * n];
    let to = Shared(partial.as_mut_ptr());
    let piece = |i: usize| {
        let (item, chunk) = (i / chunks, i % chunks);
        let start = chunk * CHUNK;
        let first = to.get().wrapping_add(i * m * n);
        // SAFETY: `partial` has `m * n` elements for each of the pieces, and each piece runs once.
        let out = unsafe { std::slice::from_raw_parts_mut(first, m * n) };
        dispatch(Chunk { item, start, length: CHUNK.min(k - start), m, n, a, b, out });
    };
    spread(batch * chunks, batch * m * n * k, &piece);
    for (out, partial) in out.chunks_exact_mut(m * n).zip(partial.chunks_exact(chunks * m * n)) {
        out.copy_from_slice(&partial[..m * n]);
        for chunk in partial.chunks_exact(m * n).skip(1) {
            out.iter_mut().zip(chunk).for_each(|(o, &c)| *o = o.plus(c));
        }
    }
}

struct Chunk<'a, T> {
    item: usize,
    start: usize,
    length: usize,
    m: usize,
    n: usize,
    a: Operand<'a, T>,
    b: Operand<'a, T>,
    out: &'a mut [T],
}

impl<T: Product> Work for Chunk<'_, T> {
    #[inline(always)]
    fn run<I: Isa>(self) {
        let (mut x, mut y) = ([T::default(); PIECE], [T::default(); PIECE]);
        for row in 0..self.m {
            for col in 0..self.n {
                let mut lanes = [T::default(); LANES];
                for start in (self.start..self.start + self.length).step_by(PIECE) {
                    let length = PIECE.min(self.start + self.length - start);
                    let x = gather(&self.a, self.item, row, start, length, &mut x, false);
                    let y = gather(&self.b, self.item, col, start, length, &mut y, true);
                    lanes = accumulate::<T, I>(lanes, x, y);
                }
                self.out[row * self.n + col] = halve(lanes);
            }
        }
    }
}

/// `length` elements of a row (of the left operand) or a column along `k`, copied only if they are apart.
#[inline(always)]
fn gather<'a, T: Product>(
    from: &Operand<'a, T>,
    item: usize,
    line: usize,
    start: usize,
    length: usize,
    buffer: &'a mut [T; PIECE],
    column: bool,
) -> &'a [T] {
    let (own, depth) =
        if column { (from.col_stride, from.row_stride) } else { (from.row_stride, from.col_stride) };
    let first = from.offsets[item] as isize + line as isize * own + start as isize * depth;
    if depth == 1 {
        return &from.data[first as usize..][..length];
    }
    for (i, to) in buffer[..length].iter_mut().enumerate() {
        *to = from.data[(first + i as isize * depth) as usize];
    }
    &buffer[..length]
}

#[inline(always)]
fn accumulate<T: Product, I: Isa>(mut lanes: [T; LANES], x: &[T], y: &[T]) -> [T; LANES] {
    let ((xs, x_rest), (ys, y_rest)) = (x.as_chunks::<LANES>(), y.as_chunks::<LANES>());
    for (x, y) in xs.iter().zip(ys) {
        for i in 0..LANES {
            lanes[i] = I::mul_add(x[i], y[i], lanes[i]);
        }
    }
    for ((lane, &x), &y) in lanes.iter_mut().zip(x_rest).zip(y_rest) {
        *lane = I::mul_add(x, y, *lane);
    }
    lanes
}

#[inline(always)]
fn halve<T: Product>(mut lanes: [T; LANES]) -> T {
    let mut width = LANES / 2;
    while width > 0 {
        for i in 0..width {
            lanes[i] = lanes[i].plus(lanes[i + width]);
        }
        width /= 2;
    }
    lanes[0]
}
