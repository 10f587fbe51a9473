//! Layers whose weight is computed from what is trained: direction and length apart, or divided by its spectral norm.
//!
//! In state dicts these have the names that PyTorch's `nn.utils.parametrizations` gives.

use super::Forward;
use crate::module::{Mode, Module, Slot, SlotMut, join};
use crate::param::{Buffer, Param};
use crate::summary::layer;
use retrograd_autograd::Differentiate;
use retrograd_tensor::{Rng, Tensor, no_grad};

/// A layer that can run with another weight than its own: `Linear` and the convolutions.
pub trait Weighted: Forward {
    /// The axis of the weight along which the outputs lie.
    const OUTPUTS: isize;

    /// The layer's weight.
    fn own_weight(&self) -> &Param;

    /// The layer's output for `x` with `weight` instead of its own.
    #[track_caller]
    fn forward_by(&self, weight: &Tensor, x: &Tensor) -> Tensor;
}

/// A layer with length and direction of its weight apart: for each index of the first axis, `g v / |v|`.
///
/// In state dicts: `parametrizations.weight.original0`, the lengths g, with axes after the first of size 1;
/// `parametrizations.weight.original1`, the directions v; and what else the layer has. The weight begins as the layer's.
///
/// ```
/// use retrograd_nn::{Linear, Module, WeightNorm};
/// use retrograd_tensor::{Rng, Tensor};
/// let layer = Linear::new(3, 2, &mut Rng::new(0));
/// let (x, y) = (Tensor::ones([1, 3]), layer.forward(&Tensor::ones([1, 3])));
/// let layer = WeightNorm::new(layer);
/// assert!((layer.forward(&x) - y).abs().amax(()).item() < 1e-6);
/// assert_eq!(layer.state_dict()["parametrizations.weight.original0"].shape()[..], [2, 1]);
/// ```
///
/// Source: Salimans and Kingma, 2016.
#[derive(Clone, Debug)]
pub struct WeightNorm<L> {
    layer: L,
    lengths: Param,
}

impl<L: Weighted> WeightNorm<L> {
    /// `layer`, its weight taken apart.
    #[track_caller]
    pub fn new(layer: L) -> Self {
        let lengths = Param::new(lengths(layer.own_weight()));
        Self { layer, lengths }
    }

    /// The weight that lengths and directions make.
    #[track_caller]
    pub fn weight(&self) -> Tensor {
        let directions = self.layer.own_weight();
        directions * (&self.lengths / lengths(directions))
    }

    /// The layer's output for `x`.
    ///
    /// # Panics
    /// If the layer refuses its input.
    #[track_caller]
    pub fn forward(&self, x: &Tensor) -> Tensor {
        layer!(self, "WeightNorm", self.layer.forward_by(&self.weight(), x))
    }
}

/// The norm of each part along the first axis, which keeps its axes.
#[track_caller]
fn lengths(weight: &Tensor) -> Tensor {
    let axes: Vec<usize> = (1..weight.rank()).collect();
    weight.vector_norm_keepdim(2.0, &axes[..])
}

/// A layer with its weight divided by its spectral norm, the largest factor by which it, as a matrix of a row for each
/// output, stretches a vector. So the layer stretches none by more than about 1.
///
/// The norm is u · W v, for vectors that in training a step of power iteration brings closer to the singular ones at every
/// call. *Gradient:* through W, as if u and v were constants.
///
/// In state dicts: `parametrizations.weight.original`, W; the buffers `parametrizations.weight.0._u` and
/// `parametrizations.weight.0._v`; and what else the layer has.
///
/// ```
/// use retrograd_nn::{Linear, SpectralNorm};
/// use retrograd_tensor::{Rng, Tensor};
/// let rng = &mut Rng::new(0);
/// let layer = SpectralNorm::new(Linear::without_bias(4, 3, rng), rng);
/// let (x, y) = (Tensor::ones([1, 4]), layer.forward(&Tensor::ones([1, 4])));
/// assert!(y.vector_norm(2.0, ()).item() < 1.01 * x.vector_norm(2.0, ()).item());
/// ```
///
/// Source: Miyato et al., 2018.
#[derive(Clone, Debug)]
pub struct SpectralNorm<L> {
    layer: L,
    u: Buffer,
    v: Buffer,
    mode: Mode,
}

/// What a vector's norm counts as at least.
const EPS: f64 = 1e-12;
/// Steps of power iteration that a new layer makes, as in PyTorch.
const FIRST_STEPS: usize = 15;

impl<L: Weighted> SpectralNorm<L> {
    /// `layer`, its weight divided by its norm, with vectors drawn from `rng`.
    #[track_caller]
    pub fn new(layer: L, rng: &mut Rng) -> Self {
        let matrix = matrix::<L>(&layer.own_weight().detach());
        let drawn = Tensor::randn([matrix.size(1)], rng).cast_as(&matrix);
        let (mut u, mut v) = step(&matrix, &drawn.normalize(2.0, 0, EPS));
        for _ in 1..FIRST_STEPS {
            (u, v) = step(&matrix, &v);
        }
        Self { layer, u: Buffer::new(u), v: Buffer::new(v), mode: Mode::Train }
    }

    /// The weight divided by its norm. In training this first makes a step of power iteration.
    #[track_caller]
    pub fn weight(&self) -> Tensor {
        let weight = self.layer.own_weight();
        let (u, v) = if self.mode.is_training() {
            let constant = matrix::<L>(&weight.detach());
            // All from the vector before, so that code that `remat` runs again does the same.
            let before = self.v.update(|v| step(&constant, v).1);
            let (u, v) = step(&constant, &before);
            drop(self.u.update(|_| u.clone()));
            (u, v)
        } else {
            (self.u.value(), self.v.value())
        };
        let norm = (u * matrix::<L>(weight).matmul(v)).sum(());
        weight / norm
    }

    /// The layer's output for `x`.
    ///
    /// # Panics
    /// If the layer refuses its input.
    #[track_caller]
    pub fn forward(&self, x: &Tensor) -> Tensor {
        layer!(self, "SpectralNorm", self.layer.forward_by(&self.weight(), x))
    }
}

/// A weight with a row for each output.
#[track_caller]
fn matrix<L: Weighted>(weight: &Tensor) -> Tensor {
    weight.movedim(L::OUTPUTS, 0).flatten(1, -1)
}

/// The vectors after a step of power iteration from `v`.
#[track_caller]
fn step(matrix: &Tensor, v: &Tensor) -> (Tensor, Tensor) {
    no_grad(|| {
        let u = matrix.matmul(v).normalize(2.0, 0, EPS);
        let v = matrix.t().matmul(&u).normalize(2.0, 0, EPS);
        (u, v)
    })
}

/// The name of a slot of the layer at `path`, its weight going by another.
fn renamed(path: &str, name: &str, weight: &'static str) -> String {
    if *name == *join(path, "weight") { join(path, weight).to_owned() } else { name.to_owned() }
}

const DIRECTIONS: &str = "parametrizations.weight.original1";
const ORIGINAL: &str = "parametrizations.weight.original";

impl<L: Module> Module for WeightNorm<L> {
    fn visit<'a>(&'a self, path: &str, f: &mut dyn FnMut(&str, Slot<'a>)) {
        self.lengths.visit(&join(path, "parametrizations.weight.original0"), f);
        self.layer.visit(path, &mut |name, slot| f(&renamed(path, name, DIRECTIONS), slot));
    }

    fn visit_mut<'a>(&'a mut self, path: &str, f: &mut dyn FnMut(&str, SlotMut<'a>)) {
        self.lengths.visit_mut(&join(path, "parametrizations.weight.original0"), f);
        self.layer.visit_mut(path, &mut |name, slot| f(&renamed(path, name, DIRECTIONS), slot));
    }
}

impl<L: Module> Module for SpectralNorm<L> {
    fn visit<'a>(&'a self, path: &str, f: &mut dyn FnMut(&str, Slot<'a>)) {
        self.layer.visit(path, &mut |name, slot| f(&renamed(path, name, ORIGINAL), slot));
        self.u.visit(&join(path, "parametrizations.weight.0._u"), f);
        self.v.visit(&join(path, "parametrizations.weight.0._v"), f);
    }

    fn visit_mut<'a>(&'a mut self, path: &str, f: &mut dyn FnMut(&str, SlotMut<'a>)) {
        self.layer.visit_mut(path, &mut |name, slot| f(&renamed(path, name, ORIGINAL), slot));
        self.u.visit_mut(&join(path, "parametrizations.weight.0._u"), f);
        self.v.visit_mut(&join(path, "parametrizations.weight.0._v"), f);
        self.mode.visit_mut(path, f);
    }
}

impl<L: Weighted + Clone + 'static> Forward for WeightNorm<L> {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        Self::forward(self, x)
    }
}

impl<L: Weighted + Clone + 'static> Forward for SpectralNorm<L> {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        Self::forward(self, x)
    }
}
