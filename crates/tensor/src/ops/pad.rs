//! Growing a tensor at its edges.
use super::slice::{Cut, whole};
use crate::Tensor;
use crate::dtype::Number;
use crate::entry::Entry;
use crate::error::{Error, ErrorKind, OrRaise, raise};
use crate::shape::{self, Shape};

/// What stands in the new places of [`Tensor::pad`].
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub enum PadMode {
    /// This number.
    Constant(f64),
    /// The number 0.
    #[default]
    Zeros,
    /// The tensor mirrored at its edge elements, which are not repeated.
    Reflect,
    /// The edge element.
    Replicate,
    /// The tensor again, from its other end.
    Circular,
}

impl PadMode {
    /// For each place of a padded axis of `size`, the position that it shows.
    fn positions(self, size: usize, before: usize, after: usize) -> Vec<i64> {
        let n = size as i64;
        let place = |i: i64| match self {
            PadMode::Reflect => {
                let around = i.rem_euclid((2 * n - 2).max(1));
                around.min(2 * n - 2 - around).max(0)
            }
            PadMode::Circular => i.rem_euclid(n),
            _ => i.clamp(0, n - 1),
        };
        (-(before as i64)..n + after as i64).map(place).collect()
    }
    /// What `pads` may be at most on an axis of `size`.
    fn check(self, axis: usize, size: usize, (before, after): (usize, usize)) -> Result<(), Error> {
        let limit = match self {
            PadMode::Reflect => size.saturating_sub(1),
            PadMode::Circular => size,
            PadMode::Replicate if size == 0 => 0,
            _ => usize::MAX,
        };
        if before.max(after) <= limit {
            return Ok(());
        }
        let given = format!("padding too wide: ({before}, {after}) on axis {axis} of size {size}");
        let right = format!("{self:?} takes at most {limit} on a side");
        Err(Error::new("pad", ErrorKind::Value, format!("{given}; {right}")))
    }
}

impl Tensor {
    /// This tensor with places added before and after each axis; axes beyond those given get none.
    ///
    /// `pads` holds `(before, after)` per axis, from the first (PyTorch's `F.pad` counts from the last).
    /// *Gradient:* `g` in the middle, and the `g` of every place that shows a copy of an element added to it.
    ///
    /// ```
    /// use retrograd_tensor::{PadMode, Tensor};
    /// let x = Tensor::from([1.0f32, 2.0, 3.0]);
    /// assert_eq!(x.pad(&[(1, 2)], PadMode::Constant(9.0)).to_vec::<f32>(), [9.0, 1.0, 2.0, 3.0, 9.0, 9.0]);
    /// assert_eq!(x.pad(&[(1, 2)], PadMode::Reflect).to_vec::<f32>(), [2.0, 1.0, 2.0, 3.0, 2.0, 1.0]);
    /// ```
    ///
    /// # Panics
    /// If there are more pairs than axes, or the mode has not as many elements to show: `Reflect` takes less than
    /// the size on each side, `Circular` at most the size, `Replicate` an axis that is not empty.
    #[track_caller]
    pub fn pad(&self, pads: &[(usize, usize)], mode: PadMode) -> Tensor {
        if pads.len() > self.rank() {
            let given = format!("too many pairs: {} for shape {}", pads.len(), self.shape());
            raise(Error::new("pad", ErrorKind::Value, format!("{given}; each axis has one at most")));
        }
        let mut to = self.shape().clone();
        for (axis, &(before, after)) in pads.iter().enumerate() {
            mode.check(axis, to[axis], (before, after)).or_raise();
            to[axis] = to[axis].saturating_add(before).saturating_add(after);
        }
        let to = shape::countable("pad", to).or_raise();
        match mode {
            PadMode::Zeros => self.pad_with(pads, &to, 0.into()),
            PadMode::Constant(v) => self.pad_with(pads, &to, v.into()),
            _ => self.pad_by_copies(pads, mode),
        }
    }
    #[track_caller]
    fn pad_with(&self, pads: &[(usize, usize)], to: &Shape, v: Number) -> Tensor {
        let mut cuts = whole(to);
        for (axis, (&(before, _), &size)) in pads.iter().zip(self.shape()).enumerate() {
            cuts[axis] = Cut { start: before, step: 1, len: size };
        }
        if cuts == whole(to) {
            self.clone()
        } else {
            self.dtype().full(to, v).written("pad", &cuts, self, false)
        }
    }
    #[track_caller]
    fn pad_by_copies(&self, pads: &[(usize, usize)], mode: PadMode) -> Tensor {
        let mut out = self.clone();
        for (axis, &(before, after)) in pads.iter().enumerate() {
            if (before, after) != (0, 0) {
                out = out.lines_read(axis, &Tensor::from(mode.positions(self.shape()[axis], before, after)));
            }
        }
        out
    }
}

/// What the reference cases call.
pub(crate) const ENTRIES: &[Entry] = &[Entry::new("pad", |x, a| {
    let flat: Vec<usize> = a.ints("pads_last_dim_first").iter().map(|&pad| pad as usize).collect();
    let mut pads = vec![(0, 0); x[0].rank()];
    for (axis, pair) in pads.iter_mut().rev().zip(flat.chunks(2)) {
        *axis = (pair[0], pair[1]);
    }
    let mode = match a.str_or("mode", "constant") {
        "reflect" => PadMode::Reflect,
        "replicate" => PadMode::Replicate,
        "circular" => PadMode::Circular,
        _ => PadMode::Constant(a.f64_or("value", 0.0)),
    };
    vec![x[0].pad(&pads, mode)]
})];
