//! `scatter_reduce`: elements with one destination are reduced there.
//!
//! Sums and means are `scatter_add`. Products go by order of destination: in sorted lines the product of each group is
//! a linear recurrence, which is differentiable to any order where elements are 0. Extremes have a loop and a rule.
use super::index::positions;
use super::lines::PART;
use super::slice::same_dtype;
use super::sort::key;
use crate::Tensor;
use crate::apply;
use crate::call::{Call, View, by_dtype, for_chunks};
use crate::dtype::{Bool, Element, I64};
use crate::error::{Error, ErrorKind, OrRaise, raise};
use crate::op::{Batch, Kernel, Op, Saves, Spec, Specs};
use crate::ops::join::cat;
use crate::record::{Context, Cotangent, Cotangents};
use crate::shape;
use smallvec::smallvec;

/// What [`Tensor::scatter_reduce`] makes of the elements with one destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reduce {
    /// Their sum.
    Sum,
    /// Their product.
    Prod,
    /// Their mean.
    Mean,
    /// The largest.
    Amax,
    /// The smallest.
    Amin,
}

/// The largest or smallest of the elements of the third operand with one destination in the first, and the element that
/// is there if `own`.
#[derive(Debug)]
struct ScatterExtreme {
    axis: usize,
    largest: bool,
    own: bool,
}
impl Op for ScatterExtreme {
    fn name(&self) -> &'static str {
        "scatter_reduce"
    }
    fn infer(&self, x: &[Spec]) -> Result<Specs, Error> {
        same_dtype("scatter_reduce", &x[0], &x[2])?;
        Ok(smallvec![x[0].clone()])
    }
    fn kernel(&self, x: &[Spec], _: &[Spec]) -> Kernel {
        let (this, dtype) = (ScatterExtreme { ..*self }, x[0].dtype);
        Kernel::Call(Call::new("scatter_extreme", move |x, out| {
            by_dtype!(dtype, T => this.run::<T>(&x[0], &x[1], &x[2], out[0].data()));
        }))
    }
    fn saves(&self, _: u64) -> Saves {
        Saves::inputs([0, 1, 2]).and_output()
    }
    fn flops(&self, x: &[Spec], _: &[Spec]) -> u64 {
        x[2].shape.numel() as u64
    }
    /// `g` in equal parts for all that are equal to the result.
    fn vjp(&self, cx: &Context<'_>, g: &Tensor) -> Cotangents {
        let (x, index, source, o) = (cx.input(0), cx.input(1), cx.input(2), cx.output(0));
        let there = o.gathered(self.axis, &index);
        let picked = source.eq(&there).cast(g.dtype());
        let axis = self.axis as isize;
        let touched = g.zeros_like().scatter(axis, &index, 1.0);
        // What nothing was written to is its own; else it takes part only if it is to.
        let own = x.eq(&o).cast(g.dtype());
        let own = if self.own { own } else { touched.gt(0.0).where_(0.0, own) };
        let ties = own.scatter_add(axis, &index, &picked);
        let share = ties.gt(0.0).where_(g / ties, 0.0);
        let source = share.gathered(self.axis, &index) * picked;
        smallvec![(share * own).into(), Cotangent::None, source.into()]
    }
    fn batch(&self, _: &[Spec], lead: &[usize], _: u64) -> Batch {
        Batch::whole(ScatterExtreme { axis: self.axis + lead.len(), ..*self })
    }
}
impl ScatterExtreme {
    fn run<T: Element>(&self, x: &View<'_>, index: &View<'_>, v: &View<'_>, out: &mut [T]) {
        let (n, k) = (x.shape()[self.axis], index.shape()[self.axis]);
        let width: usize = x.shape()[self.axis + 1..].iter().product();
        let (x, index, v) = (x.dense::<T>(), index.dense::<i64>(), v.dense::<T>());
        let rows = (PART / (n * width).max(1)).max(1);
        for_chunks(out, rows * n * width, 1 + k / n.max(1), |chunk, part| {
            part.copy_from_slice(&x[chunk * rows * n * width..][..part.len()]);
            let mut fresh = vec![false; n * width];
            for (r, block) in part.chunks_mut(n * width).enumerate() {
                fresh.fill(!self.own);
                let start = (chunk * rows + r) * k * width;
                let items = index[start..][..k * width].iter().zip(&v[start..][..k * width]);
                for (t, (&i, &v)) in items.enumerate() {
                    let at = i as usize * width + t % width;
                    if std::mem::take(&mut fresh[at]) || key(v, self.largest) > key(block[at], self.largest) {
                        block[at] = v;
                    }
                }
            }
        });
    }
}

impl Tensor {
    /// This tensor with the elements of `source` reduced at their own place, but at the position of `axis` that
    /// `index` gives, together with the element that is there if `include_self`. What nothing goes to stays as it is.
    ///
    /// `out[i, index[i, j]]` is made of `source[i, j]` along axis 1 of a matrix. The three have the same sizes, but
    /// along `axis`. *Gradient:* that of the reduction, exact for products where elements are 0; ties of extremes share
    /// `g` equally, those that take part (PyTorch counts the element that is there even without `include_self`).
    ///
    /// ```
    /// use retrograd_tensor::{Reduce, Tensor};
    /// let (x, index) = (Tensor::from([1.0f32, 2.0]), Tensor::from([0i64, 0]));
    /// let source = Tensor::from([3.0f32, 4.0]);
    /// assert_eq!(x.scatter_reduce(0, &index, &source, Reduce::Prod, true).to_vec::<f32>(), [12.0, 2.0]);
    /// assert_eq!(x.scatter_reduce(0, &index, &source, Reduce::Mean, false).to_vec::<f32>(), [3.5, 2.0]);
    /// ```
    ///
    /// # Panics
    /// If there is no such axis, shapes or types do not fit, `index` does not hold positions of the axis, or a mean of
    /// integers or a product of other than floats and `I64` is asked for.
    #[track_caller]
    pub fn scatter_reduce(
        &self,
        axis: isize,
        index: &Tensor,
        source: &Tensor,
        reduce: Reduce,
        include_self: bool,
    ) -> Tensor {
        const OP: &str = "scatter_reduce";
        let at = shape::axis(OP, axis, self.rank()).or_raise();
        let mut fits = index.shape().clone();
        if fits.rank() == self.rank() {
            fits[at] = self.shape()[at];
        }
        if fits != *self.shape() || index.shape() != source.shape() {
            let given = format!("index {} and source {} for {}", index.shape(), source.shape(), self.shape());
            let right = format!("they need the same sizes, but along axis {at}");
            raise(Error::new(OP, ErrorKind::Shape, format!("shapes do not fit: {given}; {right}")));
        }
        let allowed = match reduce {
            Reduce::Mean => self.dtype().is_float(),
            Reduce::Prod => self.dtype().is_float() || self.dtype() == I64,
            _ => true,
        };
        if !allowed {
            let detail = format!("no {reduce:?} of {}; cast the tensors, as in x.cast(F32)", self.dtype());
            raise(Error::new(OP, ErrorKind::Dtype, detail));
        }
        let index = positions(OP, index, self.shape()[at]);
        let cleared = |v: i64| if include_self { self.clone() } else { self.scatter(axis, &index, v) };
        match reduce {
            Reduce::Sum => cleared(0).scatter_add(axis, &index, source),
            Reduce::Mean => {
                let total = cleared(0).scatter_add(axis, &index, source);
                let one =
                    if include_self { total.ones_like() } else { total.ones_like().scatter(axis, &index, 0) };
                let counts = one.scatter_add(axis, &index, 1);
                total / counts
            }
            Reduce::Prod => cleared(1).scatter_product(at, &index, source),
            Reduce::Amax | Reduce::Amin => {
                let op = ScatterExtreme { axis: at, largest: reduce == Reduce::Amax, own: include_self };
                apply::op(op, &[self, &index, source])
            }
        }
    }
    /// Products of this tensor and the elements that go to it.
    #[track_caller]
    fn scatter_product(&self, at: usize, index: &Tensor, source: &Tensor) -> Tensor {
        let (axis, n) = (at as isize, index.shape()[at]);
        if n == 0 {
            return self.clone();
        }
        let order = index.argsort(axis, false);
        let (index, source) = (index.gathered(at, &order), source.gathered(at, &order));
        let [later, earlier] = [1, 0].map(|start| index.narrow(axis, start, n - 1));
        let first = Bool.ones(index.narrow(axis, 0, 1).shape());
        let starts = cat(&[first, later.ne(earlier)], axis);
        // Each group begins with what is there and goes on as a product.
        let begun = &source * self.gathered(at, &index);
        let products = starts.where_(0.0, &source).recurrence(&starts.where_(begun, 0.0), at, false, false);
        self.scatter(axis, &index, products)
    }
}
