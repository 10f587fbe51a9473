//! Recurrent layers: `Rnn`, `Gru`, `Lstm`, of one or more layers in one or both directions, and their cells.
//!
//! `stack` has what they share: parameters under PyTorch's names, layers, directions. A direction of a layer computes
//! the input's part of all steps in one product, then scans over the steps; `steps` has the formulas of a step, and of
//! a scan together with its gradient; `padded` has the ends of sequences of different lengths.

mod cells;
mod padded;
mod stack;
mod steps;

use crate::summary::layer;
use retrograd_nn_derive::Module;
use retrograd_tensor::{Rng, Tensor};

pub use cells::{GruCell, LstmCell, RnnCell};
use stack::{Kind, Stack};

/// What can be chosen of a recurrent layer; PyTorch's names and defaults.
///
/// ```
/// use retrograd_nn::{Gru, Recurrent};
/// use retrograd_tensor::{Rng, Tensor};
/// let options = Recurrent { layers: 2, bidirectional: true, ..Recurrent::default() };
/// let (y, h) = Gru::with(3, 4, options, &mut Rng::new(0)).forward(&Tensor::ones([7, 2, 3]));
/// assert_eq!((&y.shape()[..], &h.shape()[..]), (&[7, 2, 8][..], &[4, 2, 4][..]));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Recurrent {
    /// How many layers lie one on the other.
    pub layers: usize,
    /// Whether there are biases.
    pub bias: bool,
    /// Whether the first axis counts sequences and the second steps, instead of the other way round.
    pub batch_first: bool,
    /// The probability of dropout between layers, in training.
    pub dropout: f64,
    /// Whether each layer also reads the steps backward; the two results lie side by side.
    pub bidirectional: bool,
    /// Of an `Lstm`, the size that states are projected to, if they are.
    pub projection: Option<usize>,
}

impl Default for Recurrent {
    fn default() -> Self {
        let (dropout, projection) = (0.0, None);
        Self { layers: 1, bias: true, batch_first: false, dropout, bidirectional: false, projection }
    }
}

/// The function of a plain recurrent layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Squash {
    /// The hyperbolic tangent.
    #[default]
    Tanh,
    /// max(x, 0).
    Relu,
}

/// A plain recurrent network: h' = tanh(W x + b + U h + c) for each x, or `relu` instead.
///
/// `[steps, batch, in]` to `[steps, batch, D hidden]`, D being the number of directions; the batch axis may be left out,
/// and comes first with [`Recurrent::batch_first`].
///
/// In state dicts, for each layer k: `weight_ih_l{k}` `[hidden, in]`, `weight_hh_l{k}` `[hidden, hidden]`,
/// `bias_ih_l{k}` and `bias_hh_l{k}` `[hidden]`, and the same with `_reverse` for the way back. All begin uniform in
/// ±1 / √hidden.
///
/// ```
/// use retrograd_nn::{Recurrent, Rnn};
/// use retrograd_tensor::{Rng, Tensor};
/// let rnn = Rnn::with(3, 4, Recurrent { batch_first: true, ..Recurrent::default() }, &mut Rng::new(0));
/// let (y, h) = rnn.forward(&Tensor::ones([2, 7, 3]));
/// assert_eq!(y.select(1, -1), h.select(0, 0));
/// ```
#[derive(Clone, Debug, Module)]
pub struct Rnn(Stack);

/// A gated recurrent unit: r, z = σ(W x + b + U h + c), n = tanh(W x + b + r (U h + c)), h' = (1 - z) n + z h.
///
/// Shapes are those of [`Rnn`]. In state dicts the names are too, with the rows for r, z and n in each weight and bias:
/// `weight_ih_l0` `[3 hidden, in]`.
///
/// ```
/// use retrograd_nn::{Gru, Module};
/// use retrograd_tensor::{Rng, Tensor};
/// let gru = Gru::new(3, 4, &mut Rng::new(0));
/// assert_eq!(gru.state_dict()["weight_hh_l0"].shape()[..], [12, 4]);
/// let (y, h) = gru.forward(&Tensor::ones([7, 2, 3]));
/// assert_eq!(y.select(0, -1), h.select(0, 0));
/// ```
///
/// Source: Cho et al., 2014, in the variant of PyTorch's `GRU`.
#[derive(Clone, Debug, Module)]
pub struct Gru(Stack);

/// Long short-term memory: i, f, o = σ(W x + b + U h + c), g = tanh(..), c' = f c + i g, h' = o tanh(c').
///
/// Shapes are those of [`Rnn`]. In state dicts the names are too, with the rows for i, f, g and o in each weight and
/// bias, `weight_ih_l0` `[4 hidden, in]`, and `weight_hr_l0` `[projection, hidden]` where states are projected.
///
/// ```
/// use retrograd_nn::{Lstm, Module};
/// use retrograd_tensor::{Rng, Tensor};
/// let lstm = Lstm::new(3, 4, &mut Rng::new(0));
/// let (y, (h, c)) = lstm.forward(&Tensor::ones([7, 2, 3]));
/// assert_eq!((&y.shape()[..], &c.shape()[..]), (&[7, 2, 4][..], &[1, 2, 4][..]));
/// // Going on from where another call ended.
/// let (rest, _) = lstm.forward_from(&Tensor::ones([5, 2, 3]), (&h, &c));
/// assert_eq!(rest.size(0), 5);
/// ```
///
/// Source: Hochreiter and Schmidhuber, 1997, with the forget gate of Gers et al., 2000; projections: Sak et al., 2014.
#[derive(Clone, Debug, Module)]
pub struct Lstm(Stack);

impl Rnn {
    /// One layer from `inputs` to `hidden` features, in one direction, with `tanh`.
    #[track_caller]
    pub fn new(inputs: usize, hidden: usize, rng: &mut Rng) -> Self {
        Self::with(inputs, hidden, Recurrent::default(), rng)
    }

    /// A layer with these options.
    ///
    /// # Panics
    /// If there are no layers, dropout is no probability, or a projection is asked for.
    #[track_caller]
    pub fn with(inputs: usize, hidden: usize, options: Recurrent, rng: &mut Rng) -> Self {
        Self(Stack::new(Kind::Rnn(Squash::Tanh), inputs, hidden, options, rng))
    }

    /// The same with this function.
    #[must_use]
    pub fn squash(self, squash: Squash) -> Self {
        Self(self.0.of_kind(Kind::Rnn(squash)))
    }

    /// The states of the last layer at all steps, and the last states of all layers and directions
    /// `[D layers, batch, hidden]`, beginning at zero.
    ///
    /// # Panics
    /// If the axes of `x` do not fit, or there are no steps.
    #[track_caller]
    pub fn forward(&self, x: &Tensor) -> (Tensor, Tensor) {
        layer!(self, "Rnn", {
            let (y, [h, _]) = self.0.forward(x, None, [None, None]);
            (y, h)
        })
    }

    /// [`forward`](Self::forward) beginning at `h` `[D layers, batch, hidden]`.
    ///
    /// # Panics
    /// As `forward`, or if `h` has another shape.
    #[track_caller]
    pub fn forward_from(&self, x: &Tensor, h: &Tensor) -> (Tensor, Tensor) {
        layer!(self, "Rnn", {
            let (y, [h, _]) = self.0.forward(x, None, [Some(h), None]);
            (y, h)
        })
    }

    /// [`forward`](Self::forward) of sequences of different lengths, in any order, padded to one number of steps: what
    /// PyTorch does between `pack_padded_sequence` and `pad_packed_sequence`.
    ///
    /// `lengths` has one number for each sequence. States at and past a sequence's end are 0, the last states are those
    /// at its own end, and the way back begins there. What stands in the padding, NaN included, reaches no result and no
    /// gradient; its own gradient is 0.
    ///
    /// ```
    /// use retrograd_nn::Rnn;
    /// use retrograd_tensor::{Rng, Tensor};
    /// let rnn = Rnn::new(3, 4, &mut Rng::new(0));
    /// let x = Tensor::randn([7, 2, 3], &mut Rng::new(1));
    /// let (y, h) = rnn.forward_padded(&x, &[5, 7]);
    /// assert_eq!(h.select(0, 0).select(0, 0), y.select(0, 4).select(0, 0));
    /// assert_eq!(y.narrow(0, 5, 2).select(1, 0), Tensor::zeros([2, 4]));
    /// ```
    ///
    /// # Panics
    /// As `forward`, or if there is not one length for each sequence, of 1 to all steps.
    #[track_caller]
    pub fn forward_padded(&self, x: &Tensor, lengths: &[usize]) -> (Tensor, Tensor) {
        layer!(self, "Rnn", {
            let (y, [h, _]) = self.0.forward(x, Some(lengths), [None, None]);
            (y, h)
        })
    }

    /// [`forward_padded`](Self::forward_padded) beginning at `h` `[D layers, batch, hidden]`.
    ///
    /// # Panics
    /// As `forward_padded`, or if `h` has another shape.
    #[track_caller]
    pub fn forward_padded_from(&self, x: &Tensor, lengths: &[usize], h: &Tensor) -> (Tensor, Tensor) {
        layer!(self, "Rnn", {
            let (y, [h, _]) = self.0.forward(x, Some(lengths), [Some(h), None]);
            (y, h)
        })
    }
}

impl Gru {
    /// One layer from `inputs` to `hidden` features, in one direction.
    #[track_caller]
    pub fn new(inputs: usize, hidden: usize, rng: &mut Rng) -> Self {
        Self::with(inputs, hidden, Recurrent::default(), rng)
    }

    /// A layer with these options.
    ///
    /// # Panics
    /// If there are no layers, dropout is no probability, or a projection is asked for.
    #[track_caller]
    pub fn with(inputs: usize, hidden: usize, options: Recurrent, rng: &mut Rng) -> Self {
        Self(Stack::new(Kind::Gru, inputs, hidden, options, rng))
    }

    /// The states of the last layer at all steps, and the last states of all layers and directions
    /// `[D layers, batch, hidden]`, beginning at zero.
    ///
    /// # Panics
    /// If the axes of `x` do not fit, or there are no steps.
    #[track_caller]
    pub fn forward(&self, x: &Tensor) -> (Tensor, Tensor) {
        layer!(self, "Gru", {
            let (y, [h, _]) = self.0.forward(x, None, [None, None]);
            (y, h)
        })
    }

    /// [`forward`](Self::forward) beginning at `h` `[D layers, batch, hidden]`.
    ///
    /// # Panics
    /// As `forward`, or if `h` has another shape.
    #[track_caller]
    pub fn forward_from(&self, x: &Tensor, h: &Tensor) -> (Tensor, Tensor) {
        layer!(self, "Gru", {
            let (y, [h, _]) = self.0.forward(x, None, [Some(h), None]);
            (y, h)
        })
    }

    /// [`forward`](Self::forward) of sequences of different lengths, in any order, padded to one number of steps: what
    /// PyTorch does between `pack_padded_sequence` and `pad_packed_sequence`.
    ///
    /// `lengths` has one number for each sequence. States at and past a sequence's end are 0, the last states are those
    /// at its own end, and the way back begins there. What stands in the padding, NaN included, reaches no result and no
    /// gradient; its own gradient is 0.
    ///
    /// ```
    /// use retrograd_nn::Gru;
    /// use retrograd_tensor::{Rng, Tensor};
    /// let gru = Gru::new(3, 4, &mut Rng::new(0));
    /// let x = Tensor::randn([7, 2, 3], &mut Rng::new(1));
    /// let (y, h) = gru.forward_padded(&x, &[5, 7]);
    /// assert_eq!(h.select(0, 0).select(0, 0), y.select(0, 4).select(0, 0));
    /// assert_eq!(y.narrow(0, 5, 2).select(1, 0), Tensor::zeros([2, 4]));
    /// ```
    ///
    /// # Panics
    /// As `forward`, or if there is not one length for each sequence, of 1 to all steps.
    #[track_caller]
    pub fn forward_padded(&self, x: &Tensor, lengths: &[usize]) -> (Tensor, Tensor) {
        layer!(self, "Gru", {
            let (y, [h, _]) = self.0.forward(x, Some(lengths), [None, None]);
            (y, h)
        })
    }

    /// [`forward_padded`](Self::forward_padded) beginning at `h` `[D layers, batch, hidden]`.
    ///
    /// # Panics
    /// As `forward_padded`, or if `h` has another shape.
    #[track_caller]
    pub fn forward_padded_from(&self, x: &Tensor, lengths: &[usize], h: &Tensor) -> (Tensor, Tensor) {
        layer!(self, "Gru", {
            let (y, [h, _]) = self.0.forward(x, Some(lengths), [Some(h), None]);
            (y, h)
        })
    }
}

impl Lstm {
    /// One layer from `inputs` to `hidden` features, in one direction.
    #[track_caller]
    pub fn new(inputs: usize, hidden: usize, rng: &mut Rng) -> Self {
        Self::with(inputs, hidden, Recurrent::default(), rng)
    }

    /// A layer with these options.
    ///
    /// # Panics
    /// If there are no layers, dropout is no probability, or the projection is not smaller than the states.
    #[track_caller]
    pub fn with(inputs: usize, hidden: usize, options: Recurrent, rng: &mut Rng) -> Self {
        Self(Stack::new(Kind::Lstm, inputs, hidden, options, rng))
    }

    /// The states of the last layer at all steps, and the last states and cells of all layers and directions
    /// `[D layers, batch, ..]`, beginning at zero.
    ///
    /// # Panics
    /// If the axes of `x` do not fit, or there are no steps.
    #[track_caller]
    pub fn forward(&self, x: &Tensor) -> (Tensor, (Tensor, Tensor)) {
        layer!(self, "Lstm", {
            let (y, [h, c]) = self.0.forward(x, None, [None, None]);
            (y, (h, c))
        })
    }

    /// [`forward`](Self::forward) beginning at the states and cells `[D layers, batch, ..]`.
    ///
    /// # Panics
    /// As `forward`, or if these have another shape.
    #[track_caller]
    pub fn forward_from(&self, x: &Tensor, (h, c): (&Tensor, &Tensor)) -> (Tensor, (Tensor, Tensor)) {
        layer!(self, "Lstm", {
            let (y, [h, c]) = self.0.forward(x, None, [Some(h), Some(c)]);
            (y, (h, c))
        })
    }

    /// [`forward`](Self::forward) of sequences of different lengths, in any order, padded to one number of steps: what
    /// PyTorch does between `pack_padded_sequence` and `pad_packed_sequence`.
    ///
    /// `lengths` has one number for each sequence. States at and past a sequence's end are 0, the last states are those
    /// at its own end, and the way back begins there. What stands in the padding, NaN included, reaches no result and no
    /// gradient; its own gradient is 0.
    ///
    /// ```
    /// use retrograd_nn::Lstm;
    /// use retrograd_tensor::{Rng, Tensor};
    /// let lstm = Lstm::new(3, 4, &mut Rng::new(0));
    /// let x = Tensor::randn([7, 2, 3], &mut Rng::new(1));
    /// let (y, (h, _)) = lstm.forward_padded(&x, &[5, 7]);
    /// assert_eq!(h.select(0, 0).select(0, 0), y.select(0, 4).select(0, 0));
    /// assert_eq!(y.narrow(0, 5, 2).select(1, 0), Tensor::zeros([2, 4]));
    /// ```
    ///
    /// # Panics
    /// As `forward`, or if there is not one length for each sequence, of 1 to all steps.
    #[track_caller]
    pub fn forward_padded(&self, x: &Tensor, lengths: &[usize]) -> (Tensor, (Tensor, Tensor)) {
        layer!(self, "Lstm", {
            let (y, [h, c]) = self.0.forward(x, Some(lengths), [None, None]);
            (y, (h, c))
        })
    }

    /// [`forward_padded`](Self::forward_padded) beginning at the states and cells `[D layers, batch, ..]`.
    ///
    /// # Panics
    /// As `forward_padded`, or if these have another shape.
    #[track_caller]
    pub fn forward_padded_from(
        &self,
        x: &Tensor,
        lengths: &[usize],
        (h, c): (&Tensor, &Tensor),
    ) -> (Tensor, (Tensor, Tensor)) {
        layer!(self, "Lstm", {
            let (y, [h, c]) = self.0.forward(x, Some(lengths), [Some(h), Some(c)]);
            (y, (h, c))
        })
    }
}
