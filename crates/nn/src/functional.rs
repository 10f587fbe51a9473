//! Composites that only networks use: documented formulas over public tensor methods, without rules or kernels
//! of their own. They come as methods of `Tensor` through extension traits: [`Functional`] here, losses in
//! [`loss`].

pub(crate) mod attention;
mod entries;
pub mod loss;
mod norm;

use retrograd_autograd::Differentiate;
use retrograd_tensor::{Error, ErrorKind, I64, IntoShape, Tensor, attempt, no_grad, raise};

pub use attention::Attention;
#[doc(hidden)]
pub use entries::ENTRIES;

pub(crate) mod sealed {
    pub trait Sealed {}
    impl Sealed for retrograd_tensor::Tensor {}
}

/// Normalisations, attention and look-ups, as methods of `Tensor`: what the layers of the same names compute.
///
/// Half types are computed in `F32` and rounded once.
///
/// ```
/// use retrograd_nn::Functional;
/// use retrograd_tensor::Tensor;
/// let x = Tensor::from([[1.0f32, 3.0], [5.0, 9.0]]);
/// assert_eq!(x.layer_norm([2], None, None, 0.0).to_vec::<f32>(), [-1.0, 1.0, -1.0, 1.0]);
/// ```
pub trait Functional: sealed::Sealed {
    #[doc(hidden)]
    fn this(&self) -> &Tensor;

    /// Each part of shape `shape`, over the last axes, standardised, times `weight` plus `bias`, both of that shape.
    ///
    /// *Gradient:* as [`Tensor::standardize`].
    ///
    /// # Panics
    /// If the last axes are not `shape`, `weight` or `bias` is not of it, or the elements are not floats.
    #[track_caller]
    fn layer_norm(
        &self,
        shape: impl IntoShape,
        weight: Option<&Tensor>,
        bias: Option<&Tensor>,
        eps: f64,
    ) -> Tensor {
        norm::layer_norm(self.this(), &shape.into_shape(), weight, bias, eps)
    }

    /// Each part of shape `shape`, over the last axes, divided by sqrt(mean(x²) + eps), times `weight`.
    ///
    /// Without `eps` it is the distance from 1 to the next number of the type that is computed in.
    ///
    /// # Panics
    /// If the last axes are not `shape`, `weight` is not of it, or the elements are not floats.
    #[track_caller]
    fn rms_norm(&self, shape: impl IntoShape, weight: Option<&Tensor>, eps: Option<f64>) -> Tensor {
        norm::rms_norm(self.this(), &shape.into_shape(), weight, eps)
    }

    /// Channels, axis 1, in `groups` of equal size: each group of each example standardised, then each channel times
    /// its `weight` plus its `bias`.
    ///
    /// ```
    /// use retrograd_nn::Functional;
    /// use retrograd_tensor::Tensor;
    /// let x = Tensor::from([[1.0f32, 3.0, 5.0, 9.0]]);
    /// assert_eq!(x.group_norm(2, None, None, 0.0).to_vec::<f32>(), [-1.0, 1.0, -1.0, 1.0]);
    /// ```
    ///
    /// # Panics
    /// If there is no axis 1, its size is no multiple of `groups`, `weight` or `bias` is not a number for each
    /// channel, or the elements are not floats.
    #[track_caller]
    fn group_norm(&self, groups: usize, weight: Option<&Tensor>, bias: Option<&Tensor>, eps: f64) -> Tensor {
        norm::group_norm(self.this(), groups, weight, bias, eps)
    }

    /// Each channel, axis 1, of each example standardised over the axes after it, times its `weight` plus its `bias`.
    ///
    /// With running statistics, use [`batch_norm_by`](Functional::batch_norm_by).
    ///
    /// # Panics
    /// If there is no axis 2, `weight` or `bias` is not a number for each channel, or the elements are not floats.
    #[track_caller]
    fn instance_norm(&self, weight: Option<&Tensor>, bias: Option<&Tensor>, eps: f64) -> Tensor {
        norm::instance_norm(self.this(), weight, bias, eps)
    }

    /// Each channel, axis 1, standardised over all examples and all axes after it, times its `weight` plus its
    /// `bias`: batch normalisation in training. Given with it are the mean and the variance of each channel, without a
    /// gradient, which running statistics are made of; the variance is that of the batch, n / (n - 1) times smaller
    /// than what PyTorch adds to its running variance.
    ///
    /// ```
    /// use retrograd_nn::Functional;
    /// use retrograd_tensor::Tensor;
    /// let (y, mean, var) = Tensor::from([[1.0f32], [5.0]]).batch_norm(None, None, 0.0);
    /// assert_eq!((y.to_vec::<f32>(), mean.item(), var.item()), (vec![-1.0, 1.0], 3.0, 4.0));
    /// ```
    ///
    /// # Panics
    /// If there is no axis 1, a channel has less than two elements, `weight` or `bias` is not a number for each
    /// channel, or the elements are not floats.
    #[track_caller]
    fn batch_norm(
        &self,
        weight: Option<&Tensor>,
        bias: Option<&Tensor>,
        eps: f64,
    ) -> (Tensor, Tensor, Tensor) {
        norm::batch_norm(self.this(), weight, bias, eps)
    }

    /// Each channel, axis 1, minus `mean`, over sqrt(`var` + eps), times its `weight` plus its `bias`: batch
    /// normalisation in evaluation, by running statistics.
    ///
    /// ```
    /// use retrograd_nn::Functional;
    /// use retrograd_tensor::Tensor;
    /// let (mean, var) = (Tensor::from([1.0f32]), Tensor::from([4.0f32]));
    /// assert_eq!(Tensor::from([[5.0f32]]).batch_norm_by(&mean, &var, None, None, 0.0).item(), 2.0);
    /// ```
    ///
    /// # Panics
    /// If there is no axis 1, a statistic, `weight` or `bias` is not a number for each channel, or the elements are not
    /// floats.
    #[track_caller]
    fn batch_norm_by(
        &self,
        mean: &Tensor,
        var: &Tensor,
        weight: Option<&Tensor>,
        bias: Option<&Tensor>,
        eps: f64,
    ) -> Tensor {
        norm::batch_norm_by(self.this(), mean, var, weight, bias, eps)
    }

    /// softmax(q kᵀ / sqrt(E)) v, this tensor being the queries q `[.., L, E]`, for keys k `[.., S, E]` and values v
    /// `[.., S, V]`: `[.., L, V]`. Leading axes are broadcast.
    ///
    /// A query that may attend to no key gives 0, and gradient 0.
    ///
    /// ```
    /// use retrograd_nn::{Attention, Functional};
    /// use retrograd_tensor::Tensor;
    /// let (q, v) = (Tensor::zeros([2, 4]), Tensor::from([[2.0f32], [4.0]]));
    /// let causal = Attention { causal: true, ..Attention::default() };
    /// assert_eq!(q.scaled_dot_product_attention(&q, &v, &causal).to_vec::<f32>(), [2.0, 3.0]);
    /// ```
    ///
    /// # Panics
    /// If shapes do not fit, the mask is neither bool nor of floats, or the elements are not floats.
    #[track_caller]
    fn scaled_dot_product_attention(&self, key: &Tensor, value: &Tensor, options: &Attention) -> Tensor {
        attention::attention(self.this(), key, value, options)
    }

    /// The rows of this table `[n, d]` at the positions `ids`, of any shape: `[.., d]`.
    ///
    /// *Gradient:* `g` added up by row; none for row `padding`.
    ///
    /// ```
    /// use retrograd_nn::Functional;
    /// use retrograd_tensor::Tensor;
    /// let table = Tensor::from([[1.0f32, 2.0], [3.0, 4.0]]);
    /// assert_eq!(table.embedding(&Tensor::from([1i64, 1]), None).to_vec::<f32>(), [3.0, 4.0, 3.0, 4.0]);
    /// ```
    ///
    /// # Panics
    /// If `ids` are not integers that are rows of the table, or it has not two axes.
    #[track_caller]
    fn embedding(&self, ids: &Tensor, padding: Option<usize>) -> Tensor {
        let table = self.this();
        norm::check_rank("embedding", table, 2..=2, "a table has two axes");
        let mut shape: Vec<usize> = ids.shape().to_vec();
        shape.push(table.size(1));
        let list = ids.reshape(-1);
        check_rows(&list, table.size(0));
        let rows = table.index_select(0, &list).reshape(&shape[..]);
        match padding {
            Some(row) => ids.eq(row as i64).unsqueeze(-1).where_(rows.detach(), rows),
            None => rows,
        }
    }
}

/// Refuses numbers of rows that a table of `rows` does not have.
#[track_caller]
fn check_rows(ids: &Tensor, rows: usize) {
    // Of a table without columns, which costs nothing; the range that is found stays with `ids`.
    let Err(error) = attempt(|| no_grad(|| Tensor::zeros([rows, 0]).index_select(0, ids))) else { return };
    let detail = match error.kind() {
        ErrorKind::Index => {
            let all = ids.of_all_examples().cast(I64).to_vec::<i64>();
            let outside = |row: &(usize, &i64)| usize::try_from(*row.1).map_or(true, |row| row >= rows);
            let (position, row) = all.iter().enumerate().find(outside).unwrap_or((0, &0));
            format!(
                "row out of range: {row} at position {position}, of a table of {rows} rows; rows are 0..{rows}"
            )
        }
        _ => error.detail().to_owned(),
    };
    raise(Error::new("embedding", error.kind(), detail));
}

impl Functional for Tensor {
    fn this(&self) -> &Tensor {
        self
    }
}
