//! Norms of matrices, and condition numbers.
use super::solve::inverses;
use super::{matrices, square};
use crate::Tensor;
use crate::error::OrRaise;

/// A norm of matrices.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MatrixNorm {
    /// The root of the sum of squares: PyTorch's `"fro"`.
    Frobenius,
    /// The sum of the singular values: `"nuc"`.
    Nuclear,
    /// The largest sum of absolute values in a column: `1`.
    One,
    /// The smallest such sum: `-1`. Not a norm.
    LeastOne,
    /// The largest singular value: `2`.
    Two,
    /// The smallest singular value: `-2`. Not a norm.
    LeastTwo,
    /// The largest sum of absolute values in a row: `inf`.
    Infinity,
    /// The smallest such sum: `-inf`. Not a norm.
    LeastInfinity,
}

impl Tensor {
    /// The norms of the matrices in the last two axes.
    ///
    /// Composite of [`Tensor::vector_norm`], of [`Tensor::svdvals`] or of sums, and of an extreme.
    ///
    /// `F32` and `F64`. *Gradient:* that of its formula, ties sharing; with equal singular values that of one choice of
    /// vectors, and 0 for the Frobenius norm of zeros.
    ///
    /// ```
    /// use retrograd_tensor::{MatrixNorm, Tensor};
    /// let x = Tensor::from([[3.0f64, 0.0], [0.0, -4.0]]);
    /// assert_eq!(x.matrix_norm(MatrixNorm::Frobenius).item(), 5.0);
    /// assert_eq!(x.matrix_norm(MatrixNorm::Nuclear).item(), 7.0);
    /// ```
    ///
    /// # Panics
    /// If there are fewer than two axes, the norm is an extreme of nothing, it is of singular values and a matrix is not
    /// finite, or the elements are of another type.
    #[track_caller]
    pub fn matrix_norm(&self, norm: MatrixNorm) -> Tensor {
        matrices("matrix_norm", &self.spec()).or_raise();
        match norm {
            MatrixNorm::Frobenius => self.vector_norm(2.0, [-2, -1]),
            MatrixNorm::Nuclear => self.svdvals().sum(-1),
            MatrixNorm::One => self.abs().sum(-2).amax(-1),
            MatrixNorm::LeastOne => self.abs().sum(-2).amin(-1),
            MatrixNorm::Two => self.svdvals().amax(-1),
            MatrixNorm::LeastTwo => self.svdvals().amin(-1),
            MatrixNorm::Infinity => self.abs().sum(-1).amax(-1),
            MatrixNorm::LeastInfinity => self.abs().sum(-1).amin(-1),
        }
    }
    /// The condition numbers of the matrices in the last two axes: the norm of each times that of its inverse, infinite
    /// for singular matrices. Of rectangular ones there are those by singular values, [`MatrixNorm::Two`] and its
    /// inverse, [`MatrixNorm::LeastTwo`].
    ///
    /// Composite of [`Tensor::inv`] and [`Tensor::matrix_norm`], or of [`Tensor::svdvals`].
    ///
    /// ```
    /// use retrograd_tensor::{MatrixNorm, Tensor};
    /// let x = Tensor::from([[2.0f64, 0.0], [0.0, 8.0]]);
    /// assert_eq!((x.cond(MatrixNorm::Two).item(), x.cond(MatrixNorm::One).item()), (4.0, 4.0));
    /// ```
    ///
    /// # Panics
    /// If the matrices are not square, but by singular values, or as [`Tensor::matrix_norm`].
    #[track_caller]
    pub fn cond(&self, norm: MatrixNorm) -> Tensor {
        if matches!(norm, MatrixNorm::Two | MatrixNorm::LeastTwo) {
            let s = self.svdvals();
            let (most, least) = (s.amax(-1), s.amin(-1));
            return if norm == MatrixNorm::Two { most / least } else { least / most };
        }
        square("cond", &self.spec()).or_raise();
        let out = inverses(self);
        let singular = out[1].ne(0.0);
        // Only inverses that exist are asked for norms.
        let inverse = singular.unsqueeze(-1).unsqueeze(-1).where_(0.0, &out[0]);
        singular.where_(f64::INFINITY, self.matrix_norm(norm) * inverse.matrix_norm(norm))
    }
}
