//! Quantiles: sorted lines, and numbers between their elements.
use crate::Tensor;
use crate::dtype::{F64, I64};
use crate::error::{Error, ErrorKind, OrRaise, raise};
use crate::map::map_n;
use crate::ops::join::stack;
use crate::ops::reduce::{dropped, floats, kept, nonempty};
use crate::ops::stats::{rounded, widened};
use crate::shape;

/// What [`Tensor::quantile`] takes where a quantile lies between two elements.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Quantile {
    /// A point on the line between them.
    #[default]
    Linear,
    /// The lower one.
    Lower,
    /// The higher one.
    Higher,
    /// Their mean.
    Midpoint,
    /// The nearer one; at the same distance that with the even position.
    Nearest,
}

impl Tensor {
    /// The quantiles `q`, numbers from 0 to 1, along `axis`, which disappears, along a new first axis; NaN for a line
    /// that has one.
    ///
    /// Composite of [`Tensor::sort`], [`Tensor::gather`] and a formula.
    ///
    /// *Gradient:* `g` at the elements that the quantile lies between, by their share.
    ///
    /// ```
    /// use retrograd_tensor::{Quantile, Tensor};
    /// let x = Tensor::from([4.0f32, 1.0, 2.0, 3.0]);
    /// assert_eq!(x.quantile(&[0.0, 0.5], 0, Quantile::Linear).to_vec::<f32>(), [1.0, 2.5]);
    /// ```
    ///
    /// # Panics
    /// If the elements are not floats, there is no such axis, it has no elements, or a number does not lie in 0..=1.
    #[track_caller]
    pub fn quantile(&self, q: &[f64], axis: isize, between: Quantile) -> Tensor {
        self.quantiles("quantile", q, axis, between, false)
    }
    /// [`Tensor::quantile`] of the elements that are not NaN; NaN for a line that has no other.
    ///
    /// Composite of [`Tensor::sort`], [`Tensor::gather`] and a formula.
    ///
    /// ```
    /// use retrograd_tensor::{Quantile, Tensor};
    /// let x = Tensor::from([4.0f32, f32::NAN, 2.0]);
    /// assert_eq!(x.nanquantile(&[0.5], 0, Quantile::Linear).to_vec::<f32>(), [3.0]);
    /// ```
    ///
    /// # Panics
    /// As [`Tensor::quantile`].
    #[track_caller]
    pub fn nanquantile(&self, q: &[f64], axis: isize, between: Quantile) -> Tensor {
        self.quantiles("nanquantile", q, axis, between, true)
    }
    #[track_caller]
    fn quantiles(&self, op: &'static str, q: &[f64], axis: isize, between: Quantile, skip: bool) -> Tensor {
        floats(op, self.dtype()).or_raise();
        let at = shape::axis(op, axis, self.rank()).or_raise();
        nonempty(op, self.shape(), at).or_raise();
        if q.is_empty() || !q.iter().all(|q| (0.0..=1.0).contains(q)) {
            let detail = format!("quantiles {q:?}; they are one or more numbers from 0 to 1");
            raise(Error::new(op, ErrorKind::Value, detail));
        }
        let (wide, line) = (widened(self), kept(self.shape(), &[at]));
        let sorted = wide.sort(axis, false).0;
        let nan = wide.isnan();
        let size = self.shape()[at] as i64;
        // The position of the last element, for each line, and whether it counts at all.
        let (last, none) = if skip {
            let last = size - 1 - nan.sum_keepdim(at);
            (last.clamp_min(0), last.lt(0))
        } else {
            (I64.full(&line, size - 1), nan.any_keepdim(at))
        };
        let one = |&q: &f64| {
            let place = last.cast(F64) * q;
            let (low, high) = (place.floor(), place.ceil());
            let share = match between {
                Quantile::Linear => &place - &low,
                Quantile::Lower => place.zeros_like(),
                Quantile::Higher => high.ne(&low).cast(place.dtype()),
                Quantile::Midpoint => high.ne(&low).cast(place.dtype()) * 0.5,
                Quantile::Nearest => place.round() - &low,
            };
            let [low, high] = [low, high].map(|place| sorted.gather(axis, &place.cast(I64)));
            let share = share.cast(low.dtype());
            // Equal ends stay as they are: between infinities there is no line.
            let value = map_n([low.into(), high.into(), share.into()], |s| {
                let [low, high, share] = *s else { unreachable!("three operands") };
                let inner = low + (high - low) * share;
                share.eq(0.0).where_(low, share.eq(1.0).where_(high, inner))
            });
            none.where_(f64::NAN, value).reshaped(&dropped(self.shape(), &[at]))
        };
        rounded(stack(&q.iter().map(one).collect::<Vec<_>>(), 0), self.dtype())
    }
}
