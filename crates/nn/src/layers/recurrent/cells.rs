//! Single steps of recurrent networks.

use super::stack::Kind;
use super::{Squash, steps};
use crate::autocast::{high, linear};
use crate::layers::uniform_param;
use crate::param::Param;
use crate::summary::layer;
use retrograd_nn_derive::Module;
use retrograd_tensor::{Error, ErrorKind, Rng, Tensor, raise};

/// Construction of a cell, and the parts of its input and state.
macro_rules! cell {
    ($name:ident, $kind:expr $(, $field:ident: $value:expr)?) => {
        impl $name {
            /// A cell from `inputs` to `hidden` features, with biases.
            #[track_caller]
            pub fn new(inputs: usize, hidden: usize, rng: &mut Rng) -> Self {
                let rows = $kind.gates() * hidden;
                let mut param = |shape: &[usize]| uniform_param(shape, hidden, rng);
                Self {
                    weight_ih: param(&[rows, inputs]),
                    weight_hh: param(&[rows, hidden]),
                    bias_ih: Some(param(&[rows])),
                    bias_hh: Some(param(&[rows])),
                    $($field: $value,)?
                }
            }

            /// The same without biases.
            #[must_use]
            pub fn without_bias(self) -> Self {
                Self { bias_ih: None, bias_hh: None, ..self }
            }

            /// The input's and the state's part of what the gates get.
            #[track_caller]
            fn parts(&self, x: &Tensor, h: &Tensor) -> [Tensor; 2] {
                let (inputs, hidden) = (self.weight_ih.size(1), self.weight_hh.size(1));
                check(stringify!($name), x, h, inputs, hidden);
                let xw = linear(x, &self.weight_ih, self.bias_ih.as_deref());
                [high(&xw), high(&linear(h, &self.weight_hh, self.bias_hh.as_deref()))]
            }
        }
    };
}

/// One step of an [`Rnn`](super::Rnn): `[batch, in]` and the state `[batch, hidden]` to the next state; the batch axis
/// may be left out.
///
/// In state dicts: `weight_ih` `[hidden, in]`, `weight_hh` `[hidden, hidden]`, `bias_ih` and `bias_hh`
/// `[hidden]`. All begin uniform in ±1 / √hidden.
///
/// ```
/// use retrograd_nn::RnnCell;
/// use retrograd_tensor::{Rng, Tensor};
/// let cell = RnnCell::new(3, 4, &mut Rng::new(0));
/// let h = cell.forward(&Tensor::ones([2, 3]), &Tensor::zeros([2, 4]));
/// assert_eq!(h.shape()[..], [2, 4]);
/// ```
#[derive(Clone, Debug, Module)]
pub struct RnnCell {
    /// The weight of the input.
    pub weight_ih: Param,
    /// The weight of the state.
    pub weight_hh: Param,
    /// The bias of the input.
    pub bias_ih: Option<Param>,
    /// The bias of the state.
    pub bias_hh: Option<Param>,
    #[module(skip)]
    squash: Squash,
}

cell!(RnnCell, Kind::Rnn(Squash::Tanh), squash: Squash::Tanh);

impl RnnCell {
    /// The same with this function.
    #[must_use]
    pub fn squash(self, squash: Squash) -> Self {
        Self { squash, ..self }
    }

    /// The next state.
    ///
    /// # Panics
    /// If the axes do not fit.
    #[track_caller]
    pub fn forward(&self, x: &Tensor, h: &Tensor) -> Tensor {
        layer!(self, "RnnCell", {
            let [x, hw] = self.parts(x, h);
            steps::rnn::step(self.squash, &x, &hw)
        })
    }
}

/// One step of an [`Gru`](super::Gru): `[batch, in]` and the state `[batch, hidden]` to the next state; the batch axis
/// may be left out.
///
/// In state dicts: `weight_ih` `[3 hidden, in]`, `weight_hh` `[3 hidden, hidden]`, `bias_ih` and `bias_hh`
/// `[3 hidden]`. All begin uniform in ±1 / √hidden.
///
/// ```
/// use retrograd_nn::GruCell;
/// use retrograd_tensor::{Rng, Tensor};
/// let cell = GruCell::new(3, 4, &mut Rng::new(0));
/// let h = cell.forward(&Tensor::ones([2, 3]), &Tensor::zeros([2, 4]));
/// assert_eq!(h.shape()[..], [2, 4]);
/// ```
#[derive(Clone, Debug, Module)]
pub struct GruCell {
    /// The weight of the input.
    pub weight_ih: Param,
    /// The weight of the state.
    pub weight_hh: Param,
    /// The bias of the input.
    pub bias_ih: Option<Param>,
    /// The bias of the state.
    pub bias_hh: Option<Param>,
}

cell!(GruCell, Kind::Gru);

impl GruCell {
    /// The next state.
    ///
    /// # Panics
    /// If the axes do not fit.
    #[track_caller]
    pub fn forward(&self, x: &Tensor, h: &Tensor) -> Tensor {
        layer!(self, "GruCell", {
            let [x, hw] = self.parts(x, h);
            steps::gru::step(&x, &hw, h)
        })
    }
}

/// One step of an [`Lstm`](super::Lstm): `[batch, in]` and the state `[batch, hidden]` to the next state and cell; the batch axis
/// may be left out.
///
/// In state dicts: `weight_ih` `[4 hidden, in]`, `weight_hh` `[4 hidden, hidden]`, `bias_ih` and `bias_hh`
/// `[4 hidden]`. All begin uniform in ±1 / √hidden.
///
/// ```
/// use retrograd_nn::LstmCell;
/// use retrograd_tensor::{Rng, Tensor};
/// let cell = LstmCell::new(3, 4, &mut Rng::new(0));
/// let zeros = Tensor::zeros([2, 4]);
/// let (h, c) = cell.forward(&Tensor::ones([2, 3]), (&zeros, &zeros));
/// assert_eq!((&h.shape()[..], &c.shape()[..]), (&[2, 4][..], &[2, 4][..]));
/// ```
#[derive(Clone, Debug, Module)]
pub struct LstmCell {
    /// The weight of the input.
    pub weight_ih: Param,
    /// The weight of the state.
    pub weight_hh: Param,
    /// The bias of the input.
    pub bias_ih: Option<Param>,
    /// The bias of the state.
    pub bias_hh: Option<Param>,
}

cell!(LstmCell, Kind::Lstm);

impl LstmCell {
    /// The next state and cell.
    ///
    /// # Panics
    /// If the axes do not fit.
    #[track_caller]
    pub fn forward(&self, x: &Tensor, (h, c): (&Tensor, &Tensor)) -> (Tensor, Tensor) {
        layer!(self, "LstmCell", {
            let [x, hw] = self.parts(x, h);
            if c.shape() != h.shape() {
                let detail = format!(
                    "cells do not fit: shape {}; they must be as the states, {}",
                    c.shape(),
                    h.shape()
                );
                raise(Error::new("LstmCell", ErrorKind::Shape, detail));
            }
            steps::lstm::step(&x, &hw, c)
        })
    }
}

#[track_caller]
fn check(name: &'static str, x: &Tensor, h: &Tensor, inputs: usize, hidden: usize) {
    let last = |t: &Tensor| t.shape().last().copied();
    let ranks = matches!((x.rank(), h.rank()), (1, 1) | (2, 2));
    if !ranks || last(x) != Some(inputs) || last(h) != Some(hidden) || x.rank() == 2 && x.size(0) != h.size(0)
    {
        let takes = format!("{name}({inputs}, {hidden}) takes [batch, {inputs}] and [batch, {hidden}]");
        let detail = format!("inputs do not fit: shapes {} and {}; {takes}", x.shape(), h.shape());
        raise(Error::new(name, ErrorKind::Shape, detail));
    }
}
