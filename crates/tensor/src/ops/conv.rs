//! Convolutions: one operation for the three tensors image, weight and output, any of which is made from the other
//! two. That family is closed under differentiation, so each gradient rule is the two others.
//!
//! `options` has what a user chooses, `methods` the functions of `Tensor`.
mod methods;
mod options;

pub(crate) use methods::ENTRIES;
pub use options::{Conv, IntoPadding, Padding};

use crate::call::{Part, Sizes, convolution};
use crate::error::{Error, ErrorKind};
use crate::op::{Batch, Kernel, Op, Saves, Spec, Specs};
use crate::record::{Context, Cotangents};
use crate::shape::{self, AxisVec, Shape};
use crate::{Tensor, apply, dtype};
use smallvec::{SmallVec, smallvec};

/// A number for each spatial axis.
type Spatial = SmallVec<[usize; 3]>;

/// How positions of the output, taps of the weight and positions of the image meet: `p * stride + t * dilation - low`.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Geometry {
    stride: Spatial,
    dilation: Spatial,
    low: Spatial,
    groups: usize,
}

/// One tensor of a convolution from the other two: image `[n, groups * c, ..]`, weight `[groups * f, c, ..]`, output
/// `[n, groups * f, ..]`.
#[derive(Clone, Debug)]
struct Convolution {
    name: &'static str,
    geometry: Geometry,
    made: Part,
    /// The spatial sizes of what is made.
    size: Spatial,
}
/// The order in which operands come.
const PARTS: [Part; 3] = [Part::Image, Part::Weight, Part::Out];

impl Convolution {
    /// What the operands are.
    fn given(&self) -> [Part; 2] {
        match self.made {
            Part::Image => [Part::Weight, Part::Out],
            Part::Weight => [Part::Image, Part::Out],
            Part::Out => [Part::Image, Part::Weight],
        }
    }
    /// The shape of what is made.
    fn shape(&self, x: &[Spec]) -> Shape {
        let (a, b) = (&x[0].shape, &x[1].shape);
        let (outer, inner) = match self.made {
            Part::Image => (b[0], a[1] * self.geometry.groups),
            Part::Weight => (b[1], a[1] / self.geometry.groups.max(1)),
            Part::Out => (a[0], b[0]),
        };
        [outer, inner].into_iter().chain(self.size.iter().copied()).collect()
    }
    /// The shapes of image, weight and output.
    fn shapes(&self, x: &[Spec], made: &Shape) -> [Shape; 3] {
        let given = self.given();
        PARTS.map(|part| given.iter().position(|&p| p == part).map_or(made, |i| &x[i].shape).clone())
    }
    /// Whether every item is one window, all of it.
    fn is_one_window(&self, image: &Tensor, weight: &Tensor) -> bool {
        let Geometry { groups, low, dilation, .. } = &self.geometry;
        let plain = *groups == 1 && low.iter().all(|&n| n == 0) && dilation.iter().all(|&n| n == 1);
        plain && self.made == Part::Out && image.shape()[2..] == weight.shape()[2..]
    }
    fn sizes(&self, x: &[Spec], made: &Shape) -> Sizes {
        let [image, weight, out] = self.shapes(x, made);
        let Geometry { stride, dilation, low, groups } = &self.geometry;
        // Axes that are missing come first, with size 1.
        let three = |own: &[usize], missing: usize| {
            let mut three = [missing; 3];
            three[3 - own.len()..].copy_from_slice(own);
            three
        };
        Sizes {
            batch: image[0],
            groups: *groups,
            channels: weight[1],
            filters: weight[0] / (*groups).max(1),
            image: three(&image[2..], 1),
            kernel: three(&weight[2..], 1),
            out: three(&out[2..], 1),
            stride: three(stride, 1),
            dilation: three(dilation, 1),
            low: three(low, 0),
        }
    }
    /// `part` from the two others of `tensors`, which are in order.
    #[track_caller]
    fn other(&self, part: Part, size: &[usize], tensors: [&Tensor; 3]) -> Tensor {
        let op = Convolution { made: part, size: size.into(), ..self.clone() };
        let [a, b] = op.given().map(|p| tensors[p as usize]);
        apply::op(op, &[a, b])
    }
}

impl Op for Convolution {
    fn name(&self) -> &'static str {
        self.name
    }
    fn infer(&self, x: &[Spec]) -> Result<Specs, Error> {
        let dtype = dtype::promote(self.name, x[0].dtype, x[1].dtype)?;
        if dtype == dtype::Bool {
            let detail = "products of truth values: bool by bool; cast one of them, as in x.cast(F32)";
            return Err(Error::new(self.name, ErrorKind::Dtype, detail));
        }
        Ok(smallvec![Spec { shape: shape::countable(self.name, self.shape(x))?, dtype }])
    }
    fn kernel(&self, x: &[Spec], out: &[Spec]) -> Kernel {
        Kernel::Call(convolution(self.made, self.sizes(x, &out[0].shape)))
    }
    fn flops(&self, x: &[Spec], out: &[Spec]) -> u64 {
        // Each part takes the products of the other two: an output, a channel of its group and a tap at a time.
        let [_, weight, result] = self.shapes(x, &out[0].shape);
        2 * (result.numel() * weight[1..].iter().product::<usize>()) as u64
    }
    fn saves(&self, tracked: u64) -> Saves {
        // Each gradient reads the other operand.
        Saves::inputs((0..2).filter(|i| tracked >> (1 - i) & 1 == 1))
    }
    fn vjp(&self, cx: &Context<'_>, g: &Tensor) -> Cotangents {
        let rule = |i: usize| {
            let other = cx.input(1 - i);
            // The cotangent stands for what was made; the place of operand `i` is not read.
            let mut tensors = [g; 3];
            tensors[self.given()[1 - i] as usize] = &other;
            self.other(self.given()[i], &cx.shape(i)[2..], tensors)
        };
        (0..2).map(|i| cx.needs(i).then(|| rule(i)).into()).collect()
    }
    fn batch(&self, x: &[Spec], lead: &[usize], varying: u64) -> Batch {
        let (this, copies) = (self.clone(), lead.iter().product::<usize>());
        let shape = self.shape(x).under(lead);
        let rank = lead.len();
        let weight = self.given().iter().position(|&p| p == Part::Weight);
        if let Some(weight) = weight.filter(|i| varying >> i & 1 == 0 && copies > 0) {
            // One weight for all: the leading axes are items of the batch.
            return Batch::Formula(Box::new(move |x| {
                let flat = x
                    .iter()
                    .enumerate()
                    .map(|(i, t)| if i == weight { lead_first(t, rank) } else { items(t, rank) });
                let flat: SmallVec<[Tensor; 2]> = flat.collect();
                smallvec![apply::op(this.clone(), &[&flat[0], &flat[1]]).reshaped(&shape)]
            }));
        }
        let groups = self.geometry.groups * copies;
        let wide = Convolution { geometry: Geometry { groups, ..self.geometry.clone() }, ..self.clone() };
        Batch::Formula(Box::new(move |x| {
            let flat = |i: usize| {
                if this.given()[i] == Part::Weight {
                    items(&x[i], rank)
                } else {
                    channels(&x[i], rank, copies)
                }
            };
            let made = apply::op(wide.clone(), &[&flat(0), &flat(1)]);
            smallvec![if this.made == Part::Weight {
                made.reshaped(&shape)
            } else {
                apart(&made, &shape, rank, copies)
            }]
        }))
    }
}
/// The first tensor along `lead` leading axes, along which all are the same.
#[track_caller]
fn lead_first(t: &Tensor, lead: usize) -> Tensor {
    (0..lead).fold(t.clone(), |t, _| t.select(0, 0))
}
/// The leading axes as one with the axis behind them.
#[track_caller]
fn items(t: &Tensor, lead: usize) -> Tensor {
    let s = t.shape();
    let to = [s[..=lead].iter().product()].into_iter().chain(s[lead + 1..].iter().copied()).collect();
    t.reshaped(&to)
}
/// The leading axes, of `copies` in all, as one with the second axis behind them.
#[track_caller]
fn channels(t: &Tensor, lead: usize, copies: usize) -> Tensor {
    let own: Shape = t.shape()[lead..].into();
    let order: AxisVec = [1, 0].into_iter().chain(2..own.rank() + 1).collect();
    let mut to = own.clone();
    to[1] *= copies;
    t.reshaped(&own.under(&[copies])).permuted(&order).reshaped(&to)
}
/// The reverse of [`channels`], to `shape`.
#[track_caller]
fn apart(t: &Tensor, shape: &Shape, lead: usize, copies: usize) -> Tensor {
    let own: Shape = shape[lead..].into();
    let mut split = own.under(&[copies]);
    split.swap(0, 1);
    let order: AxisVec = [1, 0].into_iter().chain(2..split.rank()).collect();
    t.reshaped(&split).permuted(&order).reshaped(shape)
}
