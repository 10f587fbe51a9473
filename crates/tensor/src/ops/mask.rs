//! Choosing elements by truth values: fill, select, scatter, and where the true ones are.
use crate::Tensor;
use crate::dtype::Bool;
use crate::entry::Entry;
use crate::error::{Error, ErrorKind, OrRaise, raise};
use crate::operand::Operand;
use crate::shape;

/// Refuses a mask that is not bool.
#[track_caller]
pub(super) fn check_bool(op: &'static str, mask: &Tensor) {
    if mask.dtype() != Bool {
        let detail = format!("the mask is {}; it must be bool, as from x.gt(0.0) or x.ne(0)", mask.dtype());
        raise(Error::new(op, ErrorKind::Dtype, detail));
    }
}
/// The flat positions of the true elements, in row-major order.
#[track_caller]
fn true_positions(op: &'static str, mask: &Tensor) -> Tensor {
    mask.read_by(op);
    let truths = mask.to_vec::<bool>();
    Tensor::from(
        truths.iter().zip(0_i64..).filter_map(|(&holds, i)| holds.then_some(i)).collect::<Vec<i64>>(),
    )
}

impl Tensor {
    /// This tensor with `value` wherever the bool tensor `mask` holds; `mask` is broadcast.
    ///
    /// Composite of [`Tensor::where_`].
    ///
    /// *Gradient:* `g` where the mask does not hold; for a `value` that is a tensor, the sum of `g` where it does.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let x = Tensor::from([-1.0f32, 2.0]);
    /// assert_eq!(x.masked_fill(&x.gt(0.0), 9.0).to_vec::<f32>(), [-1.0, 9.0]);
    /// ```
    ///
    /// # Panics
    /// If `mask` is not bool, or does not broadcast to this shape; if a `value` that is a tensor does not.
    #[track_caller]
    pub fn masked_fill(&self, mask: &Tensor, value: impl Into<Operand>) -> Tensor {
        check_bool("masked_fill", mask);
        shape::broadcasts_to("masked_fill", mask.shape(), self.shape()).or_raise();
        let value = value.into();
        if let Operand::Tensor(value) = &value {
            shape::broadcasts_to("masked_fill", value.shape(), self.shape()).or_raise();
        }
        mask.where_(value, self)
    }
    /// The elements where the bool tensor `mask` holds, in row-major order, as a list; the two are broadcast.
    ///
    /// Composite of [`Tensor::reshape`] and [`Tensor::index_select`].
    ///
    /// The mask is read at the call, since the shape of the result depends on it. *Gradient:* `g` at these
    /// elements, 0 elsewhere.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let x = Tensor::from([1.0f32, -2.0, 3.0]);
    /// assert_eq!(x.masked_select(&x.gt(0.0)).to_vec::<f32>(), [1.0, 3.0]);
    /// ```
    ///
    /// # Panics
    /// If `mask` is not bool, or the shapes do not broadcast.
    #[track_caller]
    pub fn masked_select(&self, mask: &Tensor) -> Tensor {
        check_bool("masked_select", mask);
        let common = shape::broadcast("masked_select", self.shape(), mask.shape()).or_raise();
        let at = true_positions("masked_select", &mask.broadcast_to(&common));
        self.broadcast_to(&common).reshape(-1).lines_read(0, &at)
    }
    /// This tensor with the elements of `source`, in row-major order, one after the other where the bool tensor
    /// `mask` holds; `mask` is broadcast.
    ///
    /// Composite of [`Tensor::reshape`] and [`Tensor::index_copy`].
    ///
    /// *Gradient:* `g` where the mask does not hold; for the elements of `source` that were used, `g` where they
    /// went.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let x = Tensor::from([-1.0f32, 2.0, -3.0]);
    /// let y = x.masked_scatter(&(-&x).gt(0.0), &Tensor::from([8.0f32, 9.0]));
    /// assert_eq!(y.to_vec::<f32>(), [8.0, 2.0, 9.0]);
    /// ```
    ///
    /// # Panics
    /// If `mask` is not bool or does not broadcast to this shape, or `source` has too few elements.
    #[track_caller]
    pub fn masked_scatter(&self, mask: &Tensor, source: &Tensor) -> Tensor {
        check_bool("masked_scatter", mask);
        let at = true_positions("masked_scatter", &mask.broadcast_to(self.shape()));
        let (given, needed) = (source.numel(), at.numel());
        if given < needed {
            let detail = format!("too few elements: {given} for {needed} places; it takes one for each");
            raise(Error::new("masked_scatter", ErrorKind::Value, detail));
        }
        let source = source.reshape(-1).narrow(0, 0, needed);
        self.reshape(-1).lines_written("masked_scatter", 0, &at, &source, false).reshaped(self.shape())
    }
    /// The positions of the elements that are not 0, in row-major order: one row of `I64` for each, one column per
    /// axis.
    ///
    /// The elements are read at the call. There is no gradient.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let x = Tensor::from([[0.0f32, 2.0], [3.0, 0.0]]);
    /// assert_eq!(x.nonzero().to_vec::<i64>(), [0, 1, 1, 0]);
    /// ```
    #[track_caller]
    pub fn nonzero(&self) -> Tensor {
        self.read_by("nonzero");
        let (truths, wanted) = if self.dtype() == Bool { (self.clone(), true) } else { (self.eq(0), false) };
        let rank = self.rank();
        let mut rows = Vec::new();
        let mut count = 0;
        for (i, _) in truths.to_vec::<bool>().iter().enumerate().filter(|&(_, &holds)| holds == wanted) {
            let first = rows.len();
            let mut rest = i;
            for &size in self.shape().iter().rev() {
                rows.push((rest % size) as i64);
                rest /= size;
            }
            rows[first..].reverse();
            count += 1;
        }
        Tensor::from_vec(rows, [count, rank])
    }
    /// [`Tensor::nonzero`] with a list for each axis: what indexing by this mask reads at.
    #[track_caller]
    pub(super) fn nonzero_lists(&self) -> Vec<Tensor> {
        let rows = self.nonzero().t().contiguous();
        (0..self.rank()).map(|axis| rows.select(0, axis)).collect()
    }
}

/// What the reference cases call; masks come as integers.
pub(crate) const ENTRIES: &[Entry] = &[
    Entry::new("masked_fill", |x, a| vec![x[0].masked_fill(&x[1].gt(0), a.f64("value"))]),
    Entry::new("masked_select", |x, _| vec![x[0].masked_select(&x[1].gt(0))]),
];
