//! Layers made of layers, and those that only pass on.

use super::Forward;
use crate::module::{Module, Slot, SlotMut};
use crate::summary::layer;
use retrograd_nn_derive::Module;
use retrograd_tensor::{Error, ErrorKind, Tensor, cat, raise};
use std::collections::BTreeMap;
use std::fmt;

/// Layers of any type, one after the other.
///
/// ```
/// use retrograd_nn::{Linear, Module, Relu, Sequential};
/// # use retrograd_tensor::{Rng, Tensor};
/// # let mut rng = Rng::new(0);
/// let net = Sequential::new().then(Linear::new(4, 8, &mut rng)).then(Relu).then(Linear::new(8, 2, &mut rng));
/// assert_eq!(net.forward(&Tensor::zeros([3, 4])).shape()[..], [3, 2]);
/// assert_eq!(net.named_parameters()[2].0, "2.weight");
/// ```
///
/// In state dicts layers bear their positions: `0.weight`, `2.weight`, as in PyTorch.
#[derive(Clone, Default)]
pub struct Sequential {
    layers: Vec<Box<dyn Forward>>,
}

impl Sequential {
    /// No layers: gives back its input.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with `layer` at the end.
    #[must_use]
    pub fn then(mut self, layer: impl Forward + 'static) -> Self {
        self.layers.push(Box::new(layer));
        self
    }

    /// The same with a function without parameters at the end. It counts as a layer in names.
    #[must_use]
    pub fn then_fn<F>(self, f: F) -> Self
    where
        F: Fn(&Tensor) -> Tensor + Clone + Send + Sync + 'static,
    {
        self.then(Lambda(f))
    }

    /// The layers in order.
    pub fn layers(&self) -> &[Box<dyn Forward>] {
        &self.layers
    }

    /// The output of the last layer.
    ///
    /// # Panics
    /// If a layer refuses its input.
    #[track_caller]
    pub fn forward(&self, x: &Tensor) -> Tensor {
        layer!(self, "Sequential", {
            // A loop: the closure of a fold would be what layers report as their caller.
            let mut x = x.clone();
            for layer in &self.layers {
                x = layer.forward(&x);
            }
            x
        })
    }
}

impl Forward for Sequential {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        Self::forward(self, x)
    }
}

impl From<Vec<Box<dyn Forward>>> for Sequential {
    fn from(layers: Vec<Box<dyn Forward>>) -> Self {
        Self { layers }
    }
}

/// A layer whose input is added to its output: `x + layer(x)`.
///
/// In state dicts the layer keeps its names.
///
/// ```
/// use retrograd_nn::{Residual, Tanh};
/// use retrograd_tensor::Tensor;
/// let x = Tensor::from([0.5f32]);
/// assert_eq!(Residual(Tanh).forward(&x), &x + x.tanh());
/// ```
///
/// Source: He et al., 2016.
#[derive(Clone, Copy, Debug, Module)]
pub struct Residual<L>(pub L);

impl<L: Forward> Residual<L> {
    /// The input and the layer's output, added.
    ///
    /// # Panics
    /// If the layer refuses its input, or gives another shape that does not broadcast.
    #[track_caller]
    pub fn forward(&self, x: &Tensor) -> Tensor {
        layer!(self, "Residual", x + self.0.forward(x))
    }
}

impl<L: Forward + Clone + 'static> Forward for Residual<L> {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        Self::forward(self, x)
    }
}

/// Layers side by side, which all get the same input; their outputs are added, or lie side by side along an axis.
///
/// In state dicts layers bear their positions.
///
/// ```
/// use retrograd_nn::{Identity, Parallel, Relu};
/// use retrograd_tensor::Tensor;
/// let x = Tensor::from([[-1.0f32, 2.0]]);
/// let both = Parallel::joined(-1).with(Identity).with(Relu);
/// assert_eq!(both.forward(&x).to_vec::<f32>(), [-1.0, 2.0, 0.0, 2.0]);
/// assert_eq!(Parallel::added().with(Identity).with(Relu).forward(&x).to_vec::<f32>(), [-1.0, 4.0]);
/// ```
#[derive(Clone)]
pub struct Parallel {
    layers: Vec<Box<dyn Forward>>,
    axis: Option<isize>,
}

impl Parallel {
    /// No layers yet, whose outputs are added.
    #[must_use]
    pub fn added() -> Self {
        Self { layers: Vec::new(), axis: None }
    }

    /// No layers yet, whose outputs lie side by side along `axis`, counted from the end if negative.
    #[must_use]
    pub fn joined(axis: isize) -> Self {
        Self { layers: Vec::new(), axis: Some(axis) }
    }

    /// The same with one more layer.
    #[must_use]
    pub fn with(mut self, layer: impl Forward + 'static) -> Self {
        self.layers.push(Box::new(layer));
        self
    }

    /// The outputs of all layers as one.
    ///
    /// # Panics
    /// If there are no layers, one refuses its input, or their outputs do not fit.
    #[track_caller]
    pub fn forward(&self, x: &Tensor) -> Tensor {
        layer!(self, "Parallel", {
            let mut outputs = Vec::with_capacity(self.layers.len());
            for layer in &self.layers {
                outputs.push(layer.forward(x));
            }
            let mut rest = outputs.iter();
            let Some(first) = rest.next() else {
                raise(Error::new(
                    "Parallel",
                    ErrorKind::Value,
                    "no layers: there is nothing to run; add one by `with`",
                ))
            };
            match self.axis {
                Some(axis) => cat(&outputs, axis),
                None => {
                    let mut sum = first.clone();
                    for output in rest {
                        sum += output;
                    }
                    sum
                }
            }
        })
    }
}

impl Forward for Parallel {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        Self::forward(self, x)
    }
}

/// The walk of a container is that of its list.
macro_rules! listed {
    ($($name:ident),+) => {$(
        impl Module for $name {
            fn visit<'a>(&'a self, path: &str, f: &mut dyn FnMut(&str, Slot<'a>)) {
                self.layers.visit(path, f);
            }

            fn visit_mut<'a>(&'a mut self, path: &str, f: &mut dyn FnMut(&str, SlotMut<'a>)) {
                self.layers.visit_mut(path, f);
            }

            fn aliases(&self, path: &str, f: &mut dyn FnMut(&str, &str)) {
                self.layers.aliases(path, f);
            }
        }

        /// The parameters by name, which tells the layers apart.
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({} layers) ", stringify!($name), self.layers.len())?;
                f.debug_map().entries(self.named_parameters()).finish()
            }
        }
    )+};
}
listed!(Sequential, Parallel);

/// Layers by position, `0.weight`, `1.weight`: PyTorch's `ModuleList`. Any vector of modules is one.
pub type ModuleList<M = Box<dyn Forward>> = Vec<M>;

/// Layers by name, `left.weight`, `right.weight`: PyTorch's `ModuleDict`. Any map of modules is one.
pub type ModuleDict<M = Box<dyn Forward>> = BTreeMap<String, M>;

/// A function without parameters as a layer.
#[derive(Clone, Copy, Module)]
pub struct Lambda<F>(#[module(skip)] pub F);

impl<F> Forward for Lambda<F>
where
    F: Fn(&Tensor) -> Tensor + Clone + Send + Sync + 'static,
{
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        (self.0)(x)
    }
}

impl<F> fmt::Debug for Lambda<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lambda(..)")
    }
}

/// Gives back its input.
#[derive(Clone, Copy, Debug, Default, Module)]
pub struct Identity;

impl Identity {
    /// The input.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        layer!(self, "Identity", x.clone())
    }
}

impl Forward for Identity {
    fn forward(&self, x: &Tensor) -> Tensor {
        Self::forward(self, x)
    }
}

/// Joins the axes from `start` to `end` into one.
#[derive(Clone, Copy, Debug, Module)]
pub struct Flatten {
    /// The first axis that is joined.
    pub start: isize,
    /// The last axis that is joined.
    pub end: isize,
}

/// All but the first axis, which counts samples.
impl Default for Flatten {
    fn default() -> Self {
        Self { start: 1, end: -1 }
    }
}

impl Flatten {
    /// The input with the axes joined.
    #[track_caller]
    pub fn forward(&self, x: &Tensor) -> Tensor {
        layer!(self, "Flatten", x.flatten(self.start, self.end))
    }
}

impl Forward for Flatten {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        Self::forward(self, x)
    }
}
