//! Factorisations of one dense matrix over slices in row-major order.
//!
//! A crate of its own so that it is compiled once for `f32` and once for `f64`, and not with every change to the crate of
//! tensors, which calls it, and so that another library can take its place. Inner loops go along rows. One thread and a
//! fixed order, so the same bits every time. It knows no tensors, batches or errors: a matrix that has no such
//! factorisation is `false`.
#![forbid(unsafe_code)]

mod factor;
mod spectrum;

use factor::{cholesky, lu, qr, solve_triangular};
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
    /// is nowhere negative.
    ///
    /// ```
    /// use retrograd_linalg::Real;
    /// let (mut q, mut r) = ([0.0f64; 2], [0.0; 1]);
    /// f64::qr(&[3.0, 4.0], [2, 1], &mut q, &mut r);
    /// assert!((r[0] - 5.0).abs() < 1e-14 && (q[0] - 0.6).abs() < 1e-14);
    /// ```
    fn qr(a: &[Self], shape: [usize; 2], q: &mut [Self], r: &mut [Self]);
    /// U (`m` by `k`), the `k` singular values from the largest, and V (`n` by `k`) of an `m` by `n` matrix. False if
    /// the iteration does not converge.
    ///
    /// ```
    /// use retrograd_linalg::Real;
    /// let (mut u, mut s, mut v) = ([0.0f64; 2], [0.0; 1], [0.0; 1]);
    /// assert!(f64::svd(&[3.0, 4.0], [2, 1], &mut u, &mut s, &mut v));
    /// assert!((s[0] - 5.0).abs() < 1e-14);
    /// ```
    fn svd(a: &[Self], shape: [usize; 2], u: &mut [Self], s: &mut [Self], v: &mut [Self]) -> bool;
    /// The eigenvalues, ascending, and eigenvectors, as columns, of a symmetric `n` by `n` matrix, of which the lower
    /// triangle is read. False if the iteration does not converge.
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
            fn qr(a: &[Self], shape: [usize; 2], q: &mut [Self], r: &mut [Self]) {
                qr(a, shape, q, r);
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

/// `y + f x`, in `y`.
fn add<T: Float>(y: &mut [T], f: T, x: &[T]) {
    y.iter_mut().zip(x).for_each(|(y, &x)| *y = *y + f * x);
}
/// The sum of products, in eight partial sums.
fn dot<T: Float>(x: &[T], y: &[T]) -> T {
    let mut sums = [T::zero(); 8];
    let (long_x, long_y) = (x.chunks_exact(8), y.chunks_exact(8));
    let rest = long_x.remainder().iter().zip(long_y.remainder());
    let rest = rest.fold(T::zero(), |sum, (&x, &y)| sum + x * y);
    for (x, y) in long_x.zip(long_y) {
        (0..8).for_each(|k| sums[k] = sums[k] + x[k] * y[k]);
    }
    sums.into_iter().fold(rest, |sum, part| sum + part)
}
/// The rows `i < j` of a matrix with rows of `n`.
fn two_rows<T>(a: &mut [T], n: usize, i: usize, j: usize) -> (&mut [T], &mut [T]) {
    let (head, tail) = a.split_at_mut(j * n);
    (&mut head[i * n..(i + 1) * n], &mut tail[..n])
}
/// Rows `x` and `y` turned: `c x + s y` and `c y - s x`.
fn rotate<T: Float>(x: &mut [T], y: &mut [T], c: T, s: T) {
    for (x, y) in x.iter_mut().zip(y) {
        (*x, *y) = (c * *x + s * *y, c * *y - s * *x);
    }
}
/// The largest absolute value.
fn largest<T: Float>(a: &[T]) -> T {
    a.iter().fold(T::zero(), |most, v| most.max(v.abs()))
}
/// A matrix, its sizes exchanged.
fn transposed<T: Float>(a: &[T], m: usize, n: usize) -> Vec<T> {
    (0..m * n).map(|at| a[at % m * n + at / m]).collect()
}
