//! Matrix products on strided operands: which kernel takes a product, how it is cut, and who runs the pieces.
//! Sees slices, offsets and strides; never a tensor.
//!
//! **Order of arithmetic.** A product is a function of its shape and its elements, never of strides, threads or
//! the place in a batch. `k` is cut into equal blocks of at most [`DEPTH`]; an element is one chain of fused
//! multiply-adds over a block, started at zero, and the chains are added in order. Both kernels keep to it:
//!
//! - [`dense`]: the `gemm` crate, single-threaded, for tiles it computes by its register kernels whatever the
//!   strides are. Below 8 rows or columns, up to `k = 2` and up to 256 elements it would pick other paths by
//!   size *and strides*, so it never sees those.
//! - [`chain`]: our own, for everything else and for integers (which wrap).
//!
//! A handful of long dot products ([`dot`]) has an order of its own, or it would wait for one addition after
//! another; which products these are is again a matter of shape alone.
mod chain;
mod dense;
mod dot;
mod isa;
mod turn;

use super::pool;

/// The longest run of `k` in one chain: what `gemm` takes without cutting it further on any machine.
const DEPTH: usize = 512;

pub static KNOB: [std::sync::atomic::AtomicUsize; 4] = [const { std::sync::atomic::AtomicUsize::new(0) }; 4];
/// Multiply-adds below which another thread costs more than it brings.
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
    /// `self * b + c`, in one rounding if `FUSED` (which only code compiled for such an instruction may say).
    fn mul_add<const FUSED: bool>(self, b: Self, c: Self) -> Self;

    /// `self + b`.
    fn plus(self, b: Self) -> Self;

    /// The `gemm` crate's kernel, where it has one.
    const DENSE: Option<dense::Kernel<Self>> = None;
}

macro_rules! float {
    ($t:ident, $kernel:path) => {
        impl Product for $t {
            #[inline(always)]
            fn mul_add<const FUSED: bool>(self, b: Self, c: Self) -> Self {
                if FUSED { $t::mul_add(self, b, c) } else { self * b + c }
            }
            #[inline(always)]
            fn plus(self, b: Self) -> Self {
                self + b
            }
            const DENSE: Option<dense::Kernel<Self>> = Some($kernel);
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

/// One matrix operand as the kernels see it: a step along its own axis (rows of the left, columns of the right
/// one) and one along `k`, which makes left and right interchangeable.
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

/// The pointers of one product, to be shared with the pool's threads.
#[derive(Clone, Copy, Debug)]
struct Shared<T>(T);
// SAFETY: used for pointers into slices that outlive the job; reads are of `Sync` elements, and the pieces of
// the result that two threads write are disjoint.
unsafe impl<T> Sync for Shared<T> {}

impl<T> Shared<T> {
    /// By a method, or closures would capture the field alone.
    fn get(&self) -> &T {
        &self.0
    }
}

/// Writes the products of `batch` pairs of matrices, `[m, k]` by `[k, n]`, to `out`, dense and row-major
/// `[batch, m, n]`. With `k == 0` these are zeros.
///
/// # Panics
/// If `out` has another length or an operand does not lie in its data: an error of the caller's layout.
pub(crate) fn product<T: Product>(
    out: &mut [T],
    batch: usize,
    m: usize,
    k: usize,
    n: usize,
    a: Operand<T>,
    b: Operand<T>,
) {
    assert_eq!(
        Some(out.len()),
        batch.checked_mul(m).and_then(|x| x.checked_mul(n)),
        "gemm: size of the result"
    );
    if out.is_empty() || k == 0 {
        out.fill(T::default());
        return;
    }
    a.check(batch, m, k);
    b.check(batch, k, n);
    if m * n <= dot::OUTPUTS && k >= dot::LENGTH {
        return dot::products(out, batch, m, k, n, a, b);
    }
    let kernel = match KNOB[0].load(std::sync::atomic::Ordering::Relaxed) {
        1 => T::DENSE,
        2 => None,
        _ => {
            if m >= 8 && n >= 8 && k > 2 && m * n > 256 {
                T::DENSE
            } else {
                None
            }
        }
    };
    let (r, c) = (
        KNOB[1].load(std::sync::atomic::Ordering::Relaxed),
        KNOB[2].load(std::sync::atomic::Ordering::Relaxed),
    );
    let (rows, cols) = if r > 0 {
        (m.div_ceil(r), n.div_ceil(c))
    } else {
        match kernel {
            Some(_) => dense::tile(batch, m, k, n),
            None => chain::tile::<T>(batch, m, k, n),
        }
    };
    let (down, right) = (m.div_ceil(rows), n.div_ceil(cols));
    let target = Shared(out.as_mut_ptr());
    let piece = |i: usize| {
        let (item, tile) = (i / (down * right), i % (down * right));
        let (row, col) = (tile / right * rows, tile % right * cols);
        let left = a.data[a.offsets[item]..].as_ptr().wrapping_offset(row as isize * a.row_stride);
        let over = b.data[b.offsets[item]..].as_ptr().wrapping_offset(col as isize * b.col_stride);
        let left = Side { first: left, own: a.row_stride, depth: a.col_stride };
        let over = Side { first: over, own: b.col_stride, depth: b.row_stride };
        let first = target.get().wrapping_add((item * m + row) * n + col);
        let to = Target { first, left: n as isize, right: 1 };
        let (rows, cols) = (rows.min(m - row), cols.min(n - col));
        match kernel {
            // SAFETY: `check` found all elements of both operands in their slices, the tile lies in the result,
            // and no two tiles share an element of it.
            Some(kernel) => unsafe { dense::run(kernel, rows, k, cols, left, over, to) },
            // SAFETY: as above.
            None => unsafe { chain::run(rows, k, cols, left, over, to) },
        }
    };
    spread(batch * down * right, batch.saturating_mul(m * n).saturating_mul(k), &piece);
}

/// Runs all `pieces` of a job of `work` multiply-adds: here if it is small, else over the pool, in groups large
/// enough to be worth a hand-over.
fn spread(pieces: usize, work: usize, piece: &(dyn Fn(usize) + Sync)) {
    if work < GATE || pieces == 1 {
        return (0..pieces).for_each(piece);
    }
    let group = (pieces * (GATE / 4)).div_ceil(work).max(pieces.div_ceil(64));
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
