//! Matrix products on strided operands: which kernel takes a product, how it is cut, and who runs the pieces.
//! Sees slices, offsets and strides; never a tensor.
//!
//! **Order of arithmetic.** A product is a function of its shape and its elements: not of strides, threads, tiles
//! or the place in a batch. `k` is cut into equal blocks of at most [`DEPTH`]; an element is one chain of
//! multiply-adds over a block (fused where the machine can), started at zero, and the chains are added in order.
//! Both kernels keep to it, so the choice between them, and of tiles, is one of speed alone:
//!
//! - [`dense`]: the `gemm` crate, single-threaded, for tiles that it computes by its register kernels whatever
//!   the strides are. For thin and tiny ones it would pick other orders by size *and strides*.
//! - [`chain`]: our own, for everything else and for integers (which wrap).
//!
//! A few long dot products ([`dot`]) have an order of their own, or they would wait for one addition after
//! another; which products these are is a matter of shape.
mod bias;
mod chain;
mod dense;
mod dot;
mod turn;

use super::pool;

/// The longest run of `k` in one chain: what `gemm` takes without cutting it further on any machine.
const DEPTH: usize = 512;

/// Multiply-adds up to which another thread costs more than it brings; half as many where memory is the limit.
const GATE: usize = 1 << 17;

/// A strided matrix for each index of a batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Operand<'a, T> {
    /// Holds every element of every matrix.
    pub(crate) data: &'a [T],
    /// The place in `data` of the first element of each matrix of the batch.
    pub(crate) offsets: &'a [usize],
    /// The step in `data` from a row to the next; may be zero or negative.
    pub(crate) row_stride: isize,
    /// The step in `data` from a column to the next; may be zero or negative.
    pub(crate) col_stride: isize,
}

impl<T> Operand<'_, T> {
    /// Panics unless every element of `batch` matrices of `rows` by `cols` lies in `data`.
    fn check(&self, batch: usize, rows: usize, cols: usize) {
        assert_eq!(self.offsets.len(), batch, "gemm: one offset per matrix of the batch");
        let reach = |n: usize, stride: isize| (n as isize - 1).checked_mul(stride).expect("gemm: stride");
        let (down, right) = (reach(rows, self.row_stride), reach(cols, self.col_stride));
        let low = down.min(0).checked_add(right.min(0)).expect("gemm: stride");
        let high = down.max(0).checked_add(right.max(0)).expect("gemm: stride");
        let inside = |&o: &usize| {
            let (first, last) = ((o as isize).checked_add(low), (o as isize).checked_add(high));
            first.is_some_and(|i| i >= 0) && last.is_some_and(|i| (i as usize) < self.data.len())
        };
        assert!(self.offsets.iter().all(inside), "gemm: operand out of bounds");
    }
}

/// An element type that [`product`] multiplies: floats, and integers that wrap.
pub(crate) trait Product: Copy + Default + PartialEq + Send + Sync + 'static {
    /// Whether there are fractions.
    const FLOAT: bool = false;
    /// The `gemm` crate's kernel, where it has one.
    #[expect(private_interfaces, reason = "only this module makes or calls kernels")]
    const DENSE: Option<dense::Kernel<Self>> = None;

    /// `self * b + c`, in one rounding if `FUSED` (which only code compiled for such an instruction may say).
    fn mul_add<const FUSED: bool>(self, b: Self, c: Self) -> Self;

    /// `self + b`.
    fn plus(self, b: Self) -> Self;
}

macro_rules! float {
    ($t:ident, $kernel:path) => {
        impl Product for $t {
            const FLOAT: bool = true;
            #[expect(private_interfaces, reason = "as in the trait")]
            const DENSE: Option<dense::Kernel<Self>> = Some($kernel);
            #[inline(always)]
            fn mul_add<const FUSED: bool>(self, b: Self, c: Self) -> Self {
                if FUSED { $t::mul_add(self, b, c) } else { self * b + c }
            }
            #[inline(always)]
            fn plus(self, b: Self) -> Self {
                self + b
            }
        }
    };
}
float!(f32, dense::kernel_f32);
float!(f64, dense::kernel_f64);

macro_rules! integer {
    ($($t:ident)*) => {$(
        impl Product for $t {
            #[inline(always)]
            fn mul_add<const FUSED: bool>(self, b: Self, c: Self) -> Self {
                self.wrapping_mul(b).wrapping_add(c)
            }
            #[inline(always)]
            fn plus(self, b: Self) -> Self {
                self.wrapping_add(b)
            }
        }
    )*};
}
integer!(i64 i32 u8);

/// One operand as the kernels see it: a step along its own axis (rows of the left, columns of the right one) and
/// one along `k`, which makes left and right interchangeable.
#[derive(Clone, Copy, Debug)]
struct Side<T> {
    first: *const T,
    own: isize,
    depth: isize,
}

impl<T: Copy> Side<T> {
    /// The side without what comes before these steps.
    #[inline(always)]
    fn skip(self, own: usize, depth: usize) -> Self {
        let step = own as isize * self.own + depth as isize * self.depth;
        Side { first: self.first.wrapping_offset(step), ..self }
    }
}

/// Where a piece of the result goes: the left operand's axis steps by `left`, the right one's by `right`.
#[derive(Clone, Copy, Debug)]
struct Target<T> {
    first: *mut T,
    left: isize,
    right: isize,
}

/// The start of a result, to be shared with the pool's threads.
struct Shared<T>(*mut T);
// SAFETY: the slice behind it outlives the job, and no two pieces of a job write the same element.
unsafe impl<T: Send> Sync for Shared<T> {}

impl<T> Shared<T> {
    /// A method, since a closure would capture the bare pointer of a field.
    fn at(&self, i: usize) -> *mut T {
        self.0.wrapping_add(i)
    }
}

/// Writes the products of `batch` pairs of matrices, `[m, k]` by `[k, n]`, to `out`, dense and row-major
/// `[batch, m, n]`. With `k == 0` these are zeros. Then `bias`, if there is one, is added to every row.
///
/// # Panics
/// If `out` has another length or an operand does not lie in its data: an error of the caller's layout.
pub(crate) fn product<T: Product>(
    out: &mut [T],
    batch: usize,
    [m, k, n]: [usize; 3],
    a: Operand<T>,
    b: Operand<T>,
    bias: Option<&[T]>,
) {
    assert_eq!(
        Some(out.len()),
        batch.checked_mul(m).and_then(|x| x.checked_mul(n)),
        "gemm: size of the result"
    );
    assert!(bias.is_none_or(|bias| bias.len() == n), "gemm: size of the bias");
    if out.is_empty() {
        return;
    }
    let finish = |rows: usize, first: *mut T, col: usize, cols: usize| {
        let Some(bias) = bias else { return };
        let to = Target { first, left: n as isize, right: 1 };
        // SAFETY: elements of the result, which have been written; no two tiles share one.
        unsafe { bias::add(rows, &bias[col..][..cols], to) }
    };
    if k == 0 {
        out.fill(T::default());
        return finish(batch * m, out.as_mut_ptr(), 0, n);
    }
    a.check(batch, m, k);
    b.check(batch, k, n);
    if m * n <= dot::OUTPUTS && k >= dot::LENGTH {
        dot::products(out, batch, m, k, n, a, b);
        return finish(batch * m, out.as_mut_ptr(), 0, n);
    }
    let work = out.len().saturating_mul(k);
    let wanted = parts(work, m.min(n).min(k) < 4).div_ceil(batch);
    let (rows, cols) = tile(wanted, m, n, takes(m, k, n) && a.col_stride == 1);
    let (down, right) = (m.div_ceil(rows), n.div_ceil(cols));
    let target = Shared(out.as_mut_ptr());
    let piece = |i: usize| {
        let (item, tile) = (i / (down * right), i % (down * right));
        let (row, col) = (tile / right * rows, tile % right * cols);
        let (rows, cols) = (rows.min(m - row), cols.min(n - col));
        let left = Side { first: &a.data[a.offsets[item]], own: a.row_stride, depth: a.col_stride };
        let over = Side { first: &b.data[b.offsets[item]], own: b.col_stride, depth: b.row_stride };
        let to = Target { first: target.at((item * m + row) * n + col), left: n as isize, right: 1 };
        let (left, over) = (left.skip(row, 0), over.skip(col, 0));
        match T::DENSE {
            // SAFETY: `check` found all elements of both operands in their slices, the tile lies in the result,
            // and no two tiles share an element of it.
            Some(kernel) if takes(rows, k, cols) => unsafe {
                dense::run(kernel, rows, k, cols, left, over, to);
            },
            // SAFETY: as above.
            _ => unsafe { chain::run(rows, k, cols, left, over, to) },
        }
        finish(rows, to.first, col, cols);
    };
    spread(batch * down * right, wanted.saturating_mul(batch), &piece);
}

/// Whether `gemm` may have a tile and is the faster: far from what it treats by other paths (fewer than 2 rows or
/// columns, `k <= 2`, at most 256 elements), with rows and columns enough to fill its register tiles, and more work
/// than its copies of the operands cost.
fn takes(rows: usize, k: usize, cols: usize) -> bool {
    rows >= 16 && cols >= 16 && k > 2 && rows * cols * k > 1 << 18
}

/// How many pieces of a job would keep all threads busy: two each, so that one that started late can catch up,
/// more for long jobs, one for short ones, whose operands are packed again for every piece, and none below the gate.
fn parts(work: usize, streams: bool) -> usize {
    let threads = pool::threads();
    if threads == 1 || work <= if streams { GATE / 2 } else { GATE } {
        return 1;
    }
    threads * [1, 2, 4][usize::from(work >= 1 << 20) + usize::from(work >= 1 << 28)]
}

/// Rows and columns of a tile, to have about `wanted` of them. Columns are cut first if the left operand is read
/// where it lies (`in_place`), else rows, because `gemm` copies its left operand again for every piece of columns.
fn tile(wanted: usize, m: usize, n: usize, in_place: bool) -> (usize, usize) {
    let cut = |length: usize, pieces: usize, unit: usize| {
        let pieces = pieces.clamp(1, length.div_ceil(unit));
        let size = length.div_ceil(pieces).next_multiple_of(unit).min(length);
        (size, length.div_ceil(size))
    };
    if n < 8 || !in_place && m >= 64 && n < 16 * m {
        let (rows, down) = cut(m, if n < 64 { wanted } else { wanted.div_ceil(2) }, 64);
        (rows, cut(n, wanted.div_ceil(down), 64).0)
    } else {
        let (cols, right) = cut(n, wanted, 64);
        (cut(m, wanted.div_ceil(right), 12).0, cols)
    }
}

/// Runs all `pieces`, over the pool in about `parts` groups.
fn spread(pieces: usize, parts: usize, piece: &(dyn Fn(usize) + Sync)) {
    if parts <= 1 || pieces == 1 {
        return (0..pieces).for_each(piece);
    }
    let group = (pieces / (2 * parts)).max(1);
    pool::parallel(pieces.div_ceil(group), &|g| {
        (g * group..pieces.min((g + 1) * group)).for_each(piece);
    });
}

/// The blocks of `k`, as start and length: equal but for a rest, none longer than [`DEPTH`].
fn blocks(k: usize) -> impl Iterator<Item = (usize, usize)> {
    let length = k.div_ceil(k.div_ceil(DEPTH));
    (0..k).step_by(length).map(move |start| (start, length.min(k - start)))
}

#[cfg(test)]
mod tests;
