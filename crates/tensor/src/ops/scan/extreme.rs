//! The largest or smallest element so far: a scan finds positions, and values are gathered by them.
use super::{groups, walk};
use crate::Tensor;
use crate::apply;
use crate::call::{Call, by_dtype};
use crate::dtype::I64;
use crate::error::Error;
use crate::op::{Batch, Gradient, Kernel, Op, Spec, Specs};
use crate::ops::sort::{key, lined, unlined};
use smallvec::smallvec;

/// Where the largest or smallest element so far is: the last of equal ones, and any NaN.
#[derive(Debug)]
struct RunningExtreme {
    largest: bool,
    axis: usize,
}
impl Op for RunningExtreme {
    fn name(&self) -> &'static str {
        if self.largest { "cummax" } else { "cummin" }
    }
    fn infer(&self, x: &[Spec]) -> Result<Specs, Error> {
        Ok(smallvec![Spec { shape: x[0].shape.clone(), dtype: I64 }])
    }
    fn kernel(&self, _: &[Spec], _: &[Spec]) -> Kernel {
        let RunningExtreme { largest, axis } = *self;
        Kernel::Call(Call::new(self.name(), move |x, out| {
            by_dtype!(x[0].dtype(), T => {
                let x = x[0].dense::<T>();
                groups::<i64>(&mut out[0], axis, 4, |at, inner, part| {
                    let x = &x[at..at + part.len()];
                    let here = |i: usize| (key(x[i], largest), i);
                    let next = |best: (u64, usize), i| if here(i).0 >= best.0 { here(i) } else { best };
                    walk(part, inner, false, here, next, |best| (best.1 / inner) as i64);
                });
            });
        }))
    }
    fn flops(&self, x: &[Spec], _: &[Spec]) -> u64 {
        x[0].shape.numel() as u64
    }
    fn gradient(&self) -> Gradient {
        Gradient::None("positions are integers")
    }
    fn batch(&self, _: &[Spec], lead: &[usize], _: u64) -> Batch {
        Batch::whole(RunningExtreme { axis: self.axis + lead.len(), ..*self })
    }
}

impl Tensor {
    /// The largest element so far along `axis`, and where it is: the last of equal ones. From a NaN on, NaN.
    ///
    /// Composite of a search for positions and [`Tensor::gather`].
    ///
    /// *Gradient:* `g` added at the elements that were picked.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let (values, indices) = Tensor::from([1.0f32, 3.0, 2.0, 3.0]).cummax(0);
    /// assert_eq!(values.to_vec::<f32>(), [1.0, 3.0, 3.0, 3.0]);
    /// assert_eq!(indices.to_vec::<i64>(), [0, 1, 1, 3]);
    /// ```
    ///
    /// # Panics
    /// If there is no such axis.
    #[track_caller]
    pub fn cummax(&self, axis: isize) -> (Tensor, Tensor) {
        let (x, at) = lined(self, "cummax", axis);
        let indices = apply::op(RunningExtreme { largest: true, axis: at }, &[&x]);
        self.pick(axis, unlined(indices, self))
    }
    /// The smallest element so far along `axis`, and where it is: the last of equal ones. From a NaN on, NaN.
    ///
    /// Composite of a search for positions and [`Tensor::gather`].
    ///
    /// *Gradient:* `g` added at the elements that were picked.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let (values, indices) = Tensor::from([2.0f32, 3.0, 1.0]).cummin(0);
    /// assert_eq!(values.to_vec::<f32>(), [2.0, 2.0, 1.0]);
    /// assert_eq!(indices.to_vec::<i64>(), [0, 0, 2]);
    /// ```
    ///
    /// # Panics
    /// If there is no such axis.
    #[track_caller]
    pub fn cummin(&self, axis: isize) -> (Tensor, Tensor) {
        let (x, at) = lined(self, "cummin", axis);
        let indices = apply::op(RunningExtreme { largest: false, axis: at }, &[&x]);
        self.pick(axis, unlined(indices, self))
    }
}
