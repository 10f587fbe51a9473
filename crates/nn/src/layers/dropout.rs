//! Dropout.

use super::Forward;
use crate::module::Mode;
use crate::param::Buffer;
use retrograd_nn_derive::Module;
use retrograd_tensor::{Error, ErrorKind, Rng, Tensor, raise, replay};

/// In training, each element is 0 with probability `p` and otherwise scaled by 1 / (1 - p); in evaluation, the
/// input.
///
/// The masks are a function of the layer's key and of how many elements it has seen, so a run can be repeated
/// and continued; they are recomputed in the backward pass and never stored. In state dicts: `stream`, key and
/// counter, which files from elsewhere may lack.
#[derive(Clone, Debug, Module)]
pub struct Dropout {
    /// The share of elements that are dropped.
    p: f64,
    mode: Mode,
    stream: Buffer,
}

impl Dropout {
    /// A layer that drops elements with probability `p`, with a key of its own drawn from `rng`.
    ///
    /// # Panics
    /// If `p` is no probability.
    #[track_caller]
    pub fn new(p: f64, rng: &mut Rng) -> Self {
        if !(0.0..=1.0).contains(&p) {
            raise(Error::new(
                "Dropout",
                ErrorKind::Value,
                format!("no probability: p = {p}; it lies in 0..=1"),
            ));
        }
        let key = rng.split();
        Self { p, mode: Mode::Train, stream: Buffer::optional(Tensor::from([key.key() as i64, 0])) }
    }

    /// The input, in training with some elements dropped: a dropped infinity or NaN is 0 too.
    ///
    /// *Gradient:* `g` with the same elements dropped and scaled.
    ///
    /// # Panics
    /// In training, if the elements are not floats.
    #[track_caller]
    pub fn forward(&self, x: &Tensor) -> Tensor {
        if self.p == 0.0 || !self.mode.is_training() {
            return x.clone();
        }
        x.dropout(self.p, self.take(x.numel()))
    }

    /// Key and counter of the mask of the next `elements`.
    fn take(&self, elements: usize) -> (u64, u64) {
        let used = Tensor::from([0, elements as i64]);
        let place = replay::really(|| self.stream.update(|stream| stream + used).to_vec::<i64>());
        let [key, counter] = place[..] else {
            unreachable!("the stream is a key and a counter, and a slot keeps its shape")
        };
        (key as u64, counter as u64)
    }
}

impl Forward for Dropout {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        Self::forward(self, x)
    }
}
