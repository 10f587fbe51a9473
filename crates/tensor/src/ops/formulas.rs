//! Short formulas over other operations: distances, bounded norms, products of vectors, differences, integrals,
//! powers.
use crate::Tensor;
use crate::dtype::Bool;
use crate::error::{Error, ErrorKind, OrRaise, raise};
use crate::ops::join::cat;
use crate::ops::reduce::floats;
use crate::ops::stats::{rounded, widened};
use crate::shape;

impl Tensor {
    /// The distances of order `p` between the rows of two matrices, `[.., n, d]` and `[.., m, d]`, as `[.., n, m]`.
    ///
    /// Composite of differences and [`Tensor::vector_norm`].
    ///
    /// Leading axes are broadcast. From differences, never by way of products of the matrices, so that small distances
    /// are exact. *Gradient:* that of [`Tensor::vector_norm`], 0 where two rows are equal.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let (x, y) = (Tensor::from([[0.0f32, 0.0], [3.0, 0.0]]), Tensor::from([[0.0f32, 4.0]]));
    /// assert_eq!(x.cdist(&y, 2.0).to_vec::<f32>(), [4.0, 5.0]);
    /// ```
    ///
    /// # Panics
    /// If a tensor has fewer than two axes, the rows are of different sizes, leading axes do not broadcast, or the
    /// elements are not floats of one type.
    #[track_caller]
    pub fn cdist(&self, other: &Tensor, p: f64) -> Tensor {
        if self.rank() < 2 || other.rank() < 2 || self.shape().last() != other.shape().last() {
            let given = format!("{} and {}", self.shape(), other.shape());
            let right = "they must be matrices with rows of one size";
            raise(Error::new("cdist", ErrorKind::Shape, format!("rows do not fit: {given}; {right}")));
        }
        (self.unsqueeze(-2) - other.unsqueeze(-3)).vector_norm(p, -1)
    }
    /// The distances of order `p` of the vectors along the last axis of two tensors, which are broadcast; that axis
    /// disappears: PyTorch's `pairwise_distance`, whose `p` is 2 and whose `eps` is 10⁻⁶ by default.
    ///
    /// Composite of a difference and [`Tensor::vector_norm`]: ‖x - y + eps‖ₚ, the `eps` on each element.
    ///
    /// *Gradient:* that of [`Tensor::vector_norm`], so thanks to `eps` not 0 where two vectors are equal.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let (x, y) = (Tensor::from([[1.0f64, 2.0], [0.0, 0.0]]), Tensor::from([4.0f64, 6.0]));
    /// assert_eq!(x.pairwise_distance(&y, 1.0, 0.0).to_vec::<f64>(), [7.0, 10.0]);
    /// assert!((x.pairwise_distance(&y, 2.0, 1e-6).to_vec::<f64>()[0] - 5.0).abs() < 2e-6);
    /// ```
    ///
    /// # Panics
    /// If the elements are not floats, the types differ, or the shapes do not broadcast.
    #[track_caller]
    pub fn pairwise_distance(&self, other: &Tensor, p: f64, eps: f64) -> Tensor {
        self.apart(other, eps).vector_norm(p, -1)
    }
    /// [`Tensor::pairwise_distance`] with the last axis kept, of size 1.
    ///
    /// # Panics
    /// As [`Tensor::pairwise_distance`].
    #[track_caller]
    pub fn pairwise_distance_keepdim(&self, other: &Tensor, p: f64, eps: f64) -> Tensor {
        self.apart(other, eps).vector_norm_keepdim(p, -1)
    }
    /// The differences that a distance is the norm of.
    #[track_caller]
    fn apart(&self, other: &Tensor, eps: f64) -> Tensor {
        const OP: &str = "pairwise_distance";
        floats(OP, self.dtype()).or_raise();
        if self.dtype() != other.dtype() {
            let given = format!("{} and {}", self.dtype(), other.dtype());
            raise(Error::new(OP, ErrorKind::Dtype, format!("types differ: {given}; cast one of the two")));
        }
        let common = shape::broadcast(OP, self.shape(), other.shape()).or_raise();
        let [x, y] = [self, other].map(|t| t.broadcast_to(&common));
        x.zip_map(y, |x, y| x - y + eps)
    }
    /// This tensor with each part along `axis` whose norm of order `p` is above `max` scaled down to it.
    ///
    /// Composite of [`Tensor::vector_norm`] and a formula.
    ///
    /// *Gradient:* that of the scaled part; `g` for the others.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let x = Tensor::from([[3.0f64, 4.0], [0.0, 1.0]]).renorm(2.0, 0, 1.0);
    /// assert!((x.to_vec::<f64>()[1] - 0.8).abs() < 1e-6 && x.to_vec::<f64>()[3] == 1.0);
    /// ```
    ///
    /// # Panics
    /// If the elements are not floats, or there is no such axis.
    #[track_caller]
    pub fn renorm(&self, p: f64, axis: isize, max: f64) -> Tensor {
        floats("renorm", self.dtype()).or_raise();
        let axis = shape::axis("renorm", axis, self.rank()).or_raise();
        let others: Vec<usize> = (0..self.rank()).filter(|&i| i != axis).collect();
        let wide = widened(self);
        let norm = if others.is_empty() { wide.abs() } else { wide.vector_norm_keepdim(p, &others[..]) };
        // As in PyTorch, a little below.
        let scaled = wide.zip_map(norm, |x, n| n.gt(max).where_(x * (max / (n + 1e-7)), x));
        rounded(scaled, self.dtype())
    }
    /// The vector product of vectors of three elements along `axis`; the two are broadcast.
    ///
    /// Composite of [`Tensor::roll`] and products.
    ///
    /// *Gradient:* y × g and g × x.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let (x, y) = (Tensor::from([1.0f32, 0.0, 0.0]), Tensor::from([0.0f32, 1.0, 0.0]));
    /// assert_eq!(x.cross(&y, 0).to_vec::<f32>(), [0.0, 0.0, 1.0]);
    /// ```
    ///
    /// # Panics
    /// If there is no such axis, its size is not 3, or shapes or types do not fit.
    #[track_caller]
    pub fn cross(&self, other: &Tensor, axis: isize) -> Tensor {
        let common = shape::broadcast("cross", self.shape(), other.shape()).or_raise();
        let at = shape::axis("cross", axis, common.rank()).or_raise();
        let [x, y] = [self, other].map(|t| t.broadcast_to(&common));
        if common[at] != 3 {
            let given = format!("{} elements along axis {at} of shape {common}", common[at]);
            raise(Error::new("cross", ErrorKind::Shape, format!("{given}; vectors have 3")));
        }
        let turned = |t: &Tensor, by: isize| t.roll(by, at);
        turned(&x, -1) * turned(&y, -2) - turned(&x, -2) * turned(&y, -1)
    }
    /// The differences of neighbours along `axis`, `n` times over; whether they differ, of bool.
    ///
    /// Composite of [`Tensor::narrow`] and differences.
    ///
    /// *Gradient:* the differences of `g`, the other way round.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([1i64, 4, 9]).diff(1, 0).to_vec::<i64>(), [3, 5]);
    /// assert_eq!(Tensor::from([1i64, 4, 9]).diff(2, 0).to_vec::<i64>(), [2]);
    /// ```
    ///
    /// # Panics
    /// If there is no such axis.
    #[track_caller]
    pub fn diff(&self, n: usize, axis: isize) -> Tensor {
        let at = shape::axis("diff", axis, self.rank()).or_raise();
        let mut y = self.clone();
        for _ in 0..n.min(self.shape()[at]) {
            let len = y.shape()[at].saturating_sub(1);
            let (next, here) = (y.narrow(axis, usize::from(len > 0), len), y.narrow(axis, 0, len));
            y = if y.dtype() == Bool { next.ne(here) } else { next - here };
        }
        y
    }
    /// The integral along `axis` of what these elements are samples of, `dx` apart, by the trapezoidal rule; the axis
    /// disappears.
    ///
    /// Composite of [`Tensor::narrow`], a formula and [`Tensor::sum`].
    ///
    /// *Gradient:* g dx, and half of it at the ends.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([1.0f32, 2.0, 3.0]).trapezoid(0.5, 0).item(), 2.0);
    /// ```
    ///
    /// # Panics
    /// If there is no such axis.
    #[track_caller]
    pub fn trapezoid(&self, dx: f64, axis: isize) -> Tensor {
        self.middles("trapezoid", axis).sum(axis) * dx
    }
    /// [`Tensor::trapezoid`] of samples at the points `x`: a list for the axis, or of this shape.
    ///
    /// Composite of [`Tensor::diff`], [`Tensor::narrow`], a formula and [`Tensor::sum`].
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let (y, x) = (Tensor::from([1.0f32, 2.0, 3.0]), Tensor::from([0.0f32, 1.0, 3.0]));
    /// assert_eq!(y.trapezoid_at(&x, 0).item(), 6.5);
    /// ```
    ///
    /// # Panics
    /// If there is no such axis, or `x` does not fit.
    #[track_caller]
    pub fn trapezoid_at(&self, x: &Tensor, axis: isize) -> Tensor {
        let at = shape::axis("trapezoid", axis, self.rank()).or_raise();
        let widths = if x.rank() == 1 {
            let list = vec![1; self.rank() - at - 1];
            let steps = x.diff(1, 0);
            let to: Vec<usize> = [steps.numel()].into_iter().chain(list).collect();
            steps.reshape(&to[..])
        } else {
            x.diff(1, axis)
        };
        (self.middles("trapezoid", axis) * widths).sum(axis)
    }
    /// The means of neighbours along an axis.
    #[track_caller]
    fn middles(&self, op: &'static str, axis: isize) -> Tensor {
        floats(op, self.dtype()).or_raise();
        let at = shape::axis(op, axis, self.rank()).or_raise();
        let len = self.shape()[at].saturating_sub(1);
        let part = |start: usize| self.narrow(axis, start.min(self.shape()[at]), len);
        (part(0) + part(usize::from(len > 0))) * 0.5
    }
    /// The powers of each element from `n - 1` down to 0, or up from 0 if `increasing`, along a new last axis.
    ///
    /// Composite of [`Tensor::cumprod`] and [`Tensor::flip`].
    ///
    /// *Gradient:* exact where elements are 0.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([2.0f32, 3.0]).vander(3, false).to_vec::<f32>(), [4.0, 2.0, 1.0, 9.0, 3.0, 1.0]);
    /// ```
    #[track_caller]
    pub fn vander(&self, n: usize, increasing: bool) -> Tensor {
        let mut column = self.shape().clone();
        column.push(1);
        if n == 0 {
            column[self.rank()] = 0;
            return self.dtype().zeros(column);
        }
        let x = self.reshaped(&column);
        let ones = self.dtype().ones(&column);
        column[self.rank()] = n - 1;
        let powers = cat(&[ones, x.broadcast_to(&column)], -1).cumprod(-1);
        if increasing { powers } else { powers.flip(-1) }
    }
    /// Rows and columns of the lower triangle of a matrix, up to `offset` above the diagonal, row by row, as the two
    /// rows of an `I64` matrix.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::tril_indices(2, 2, 0).to_vec::<i64>(), [0, 1, 1, 0, 0, 1]);
    /// ```
    #[track_caller]
    pub fn tril_indices(rows: usize, columns: usize, offset: isize) -> Tensor {
        triangle(rows, |i| 0..clamped(i as isize + offset + 1, columns))
    }
    /// Rows and columns of the upper triangle of a matrix, from `offset` above the diagonal on, as
    /// [`Tensor::tril_indices`] gives them.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::triu_indices(2, 2, 0).to_vec::<i64>(), [0, 0, 1, 0, 1, 1]);
    /// ```
    #[track_caller]
    pub fn triu_indices(rows: usize, columns: usize, offset: isize) -> Tensor {
        triangle(rows, |i| clamped(i as isize + offset, columns)..columns)
    }
}
fn clamped(at: isize, size: usize) -> usize {
    at.clamp(0, size as isize) as usize
}
fn triangle(rows: usize, columns: impl Fn(usize) -> std::ops::Range<usize>) -> Tensor {
    let places = || (0..rows).flat_map(|i| columns(i).map(move |j| (i as i64, j as i64)));
    let both: Vec<i64> = places().map(|p| p.0).chain(places().map(|p| p.1)).collect();
    let count = both.len() / 2;
    Tensor::from_vec(both, [2, count])
}
