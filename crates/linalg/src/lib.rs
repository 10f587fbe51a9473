//! Factorisations of one dense matrix over slices in row-major order.
//!
//! By `faer`, which nothing else in the workspace names. A crate of its own so that it is compiled once for `f32` and once
//! for `f64`, and not with every change to the crate of tensors, which calls it. It knows no tensors, batches or errors:
//! a matrix that has no such factorisation is `false`.
//!
//! The same bits every time: one thread, and every matrix is copied to memory of the same alignment, by which some of
//! faer's loops split their rows.
#![forbid(unsafe_code)]

mod factor;
mod spectrum;

use factor::{cholesky, complement, lu, qr, solve_triangular};
use faer::traits::RealField;
use faer::{Mat, MatRef, Par};
use num_traits::Float;
use spectrum::{eigh, svd};

/// An element type that has factorisations: `f32` and `f64`. Matrices are slices in row-major order, finite.
pub trait Real: Copy {
    /// Overwrites the lower triangle of an `n` by `n` matrix by its Cholesky factor and the rest by 0; the upper
    /// triangle is not read. False if the matrix is not positive definite.
    ///
    /// ```
    /// use retrograd_linalg::Real;
    /// let mut a = [4.0f64, 0.0, 2.0, 5.0];
    /// assert!(f64::cholesky(&mut a, 2));
    /// assert_eq!(a, [2.0, 0.0, 1.0, 2.0]);
    /// ```
    fn cholesky(a: &mut [Self], n: usize) -> bool;
    /// Overwrites an `m` by `n` matrix by the factors of itself with rows in the order `rows`: U in and above the
    /// diagonal, L below it with ones on it.
    ///
    /// ```
    /// use retrograd_linalg::Real;
    /// let (mut a, mut rows) = ([0.0f64, 2.0, 4.0, 6.0], [0; 2]);
    /// f64::lu(&mut a, [2, 2], &mut rows);
    /// assert_eq!((a, rows), ([4.0, 6.0, 0.0, 2.0], [1, 0]));
    /// ```
    fn lu(a: &mut [Self], shape: [usize; 2], rows: &mut [usize]);
    /// Q (`m` by `k`) and R (`k` by `n`) of an `m` by `n` matrix, where `k` is the smaller of both; the diagonal of R
    /// is nowhere negative. False if R overflows.
    ///
    /// ```
    /// use retrograd_linalg::Real;
    /// let (mut q, mut r) = ([0.0f64; 2], [0.0; 1]);
    /// assert!(f64::qr(&[3.0, 4.0], [2, 1], &mut q, &mut r));
    /// assert!((r[0] - 5.0).abs() < 1e-14 && (q[0] - 0.6).abs() < 1e-14);
    /// ```
    fn qr(a: &[Self], shape: [usize; 2], q: &mut [Self], r: &mut [Self]) -> bool;
    /// Columns (`m` by `m - k`) that are orthonormal to each other and to the `k` of `u`, which are; the largest element of
    /// each is positive.
    ///
    /// ```
    /// use retrograd_linalg::Real;
    /// let mut rest = [0.0f64; 2];
    /// f64::complement(&[0.6, -0.8], [2, 1], &mut rest);
    /// assert!((rest[0] - 0.8).abs() < 1e-14 && (rest[1] - 0.6).abs() < 1e-14);
    /// ```
    fn complement(u: &[Self], shape: [usize; 2], to: &mut [Self]);
    /// U (`m` by `k`), the `k` singular values from the largest, and V (`n` by `k`) of an `m` by `n` matrix; the largest
    /// element of each column of U is positive. False if the iteration does not converge.
    ///
    /// ```
    /// use retrograd_linalg::Real;
    /// let (mut u, mut s, mut v) = ([0.0f64; 2], [0.0; 1], [0.0; 1]);
    /// assert!(f64::svd(&[3.0, 4.0], [2, 1], &mut u, &mut s, &mut v));
    /// assert!((s[0] - 5.0).abs() < 1e-14);
    /// ```
    fn svd(a: &[Self], shape: [usize; 2], u: &mut [Self], s: &mut [Self], v: &mut [Self]) -> bool;
    /// The eigenvalues, ascending, and eigenvectors, as columns, of a symmetric `n` by `n` matrix, of which the lower
    /// triangle is read; the largest element of each eigenvector is positive. False if the iteration does not converge.
    ///
    /// ```
    /// use retrograd_linalg::Real;
    /// let (mut w, mut v) = ([0.0f64; 2], [0.0; 4]);
    /// assert!(f64::eigh(&[2.0, 0.0, 0.0, 1.0], 2, &mut w, &mut v));
    /// assert_eq!(w, [1.0, 2.0]);
    /// ```
    fn eigh(a: &[Self], n: usize, w: &mut [Self], v: &mut [Self]) -> bool;
    /// Overwrites `b`, `n` by `k`, by the solution of `a x = b`, where `a` is a triangle as `by` says.
    ///
    /// ```
    /// use retrograd_linalg::{Real, Triangle};
    /// let mut b = [2.0f64, 5.0];
    /// f64::solve_triangular(&[2.0, 0.0, 1.0, 4.0], 2, &mut b, 1, Triangle::default());
    /// assert_eq!(b, [1.0, 1.0]);
    /// ```
    fn solve_triangular(a: &[Self], n: usize, b: &mut [Self], k: usize, by: Triangle);
}
/// How a matrix is read as a triangle.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Triangle {
    /// Its upper triangle, else the lower one.
    pub upper: bool,
    /// That triangle transposed.
    pub transposed: bool,
    /// With ones on the diagonal, whatever is there.
    pub unit: bool,
}

macro_rules! real {
    ($($t:ty),*) => {$(
        impl Real for $t {
            fn cholesky(a: &mut [Self], n: usize) -> bool {
                cholesky(a, n)
            }
            fn lu(a: &mut [Self], shape: [usize; 2], rows: &mut [usize]) {
                lu(a, shape, rows);
            }
            fn qr(a: &[Self], shape: [usize; 2], q: &mut [Self], r: &mut [Self]) -> bool {
                qr(a, shape, q, r)
            }
            fn complement(u: &[Self], shape: [usize; 2], to: &mut [Self]) {
                complement(u, shape, to);
            }
            fn svd(a: &[Self], shape: [usize; 2], u: &mut [Self], s: &mut [Self], v: &mut [Self]) -> bool {
                svd(a, shape, u, s, v)
            }
            fn eigh(a: &[Self], n: usize, w: &mut [Self], v: &mut [Self]) -> bool {
                eigh(a, n, w, v)
            }
            fn solve_triangular(a: &[Self], n: usize, b: &mut [Self], k: usize, by: Triangle) {
                solve_triangular(a, n, b, k, by);
            }
        }
    )*};
}
real!(f32, f64);

/// What both libraries know of a number.
trait Number: RealField + Float {}
impl<T: RealField + Float> Number for T {}

/// Batches are spread over threads by the caller.
const SEQ: Par = Par::Seq;

/// A matrix with `m` rows in row-major order.
fn view<T: Number>(a: &[T], m: usize, n: usize) -> MatRef<'_, T> {
    MatRef::from_row_major_slice(a, m, n)
}
/// A copy, aligned.
fn take<T: Number>(a: MatRef<'_, T>) -> Mat<T> {
    Mat::from_fn(a.nrows(), a.ncols(), |i, j| a[(i, j)])
}
/// A copy with elements of at most 4, and the power of two that it was divided by: squares do not overflow.
fn scaled<T: Number>(a: MatRef<'_, T>) -> (Mat<T>, T) {
    let mut copy = take(a);
    let most = copy.norm_max();
    let half = T::one() / (T::one() + T::one());
    let scale = Float::max((most * half).log2().floor().exp2(), <T as Float>::min_positive_value());
    copy.col_iter_mut().for_each(|column| column.iter_mut().for_each(|x| *x /= scale));
    (copy, scale)
}
/// Writes a matrix in row-major order.
fn give<T: Number>(a: MatRef<'_, T>, to: &mut [T]) {
    for (i, row) in to.chunks_exact_mut(a.ncols().max(1)).enumerate() {
        row.iter_mut().enumerate().for_each(|(j, to)| *to = a[(i, j)]);
    }
}
fn finite<T: Number>(a: &[T]) -> bool {
    a.iter().all(|&x| Float::is_finite(x))
}
