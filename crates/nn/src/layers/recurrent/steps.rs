//! What recurrent networks compute at a step, and over all steps.
//!
//! A scan is one record of the tape with a rule of its own. Its rule knows the states of all steps, so it walks back with
//! one product a step, and gives the weight's gradient as one product over all steps. It is made of tensor operations,
//! and so has derivatives itself. Forth and back, a thread takes a part of the batch through all steps.

pub(super) mod gru;
pub(super) mod lstm;
pub(super) mod rnn;

use crate::autocast::autocast_dtype;
use retrograd_tensor::{DType, F32, Tensor, cat, num_threads, par_map};
use std::ops::Range;

/// What products of a scan, and of its rule, are made of: operands of a half type if `autocast` asked for one when the scan
/// began, and results of the operands' own type.
#[derive(Clone, Copy)]
pub(super) struct Products(Option<DType>);

impl Products {
    /// Those of a scan over `x`, here and now.
    pub(super) fn of(x: &Tensor) -> Self {
        Self(autocast_dtype().filter(|_| x.dtype() == F32))
    }

    /// An operand, which may be cast once for many products.
    fn low(self, x: &Tensor) -> Tensor {
        self.0.map_or_else(|| x.clone(), |dtype| x.cast(dtype))
    }

    fn high(self, x: Tensor) -> Tensor {
        if self.0.is_some() { x.cast(F32) } else { x }
    }

    #[track_caller]
    fn matmul(self, x: &Tensor, y: &Tensor) -> Tensor {
        self.high(self.low(x).matmul(self.low(y)))
    }

    #[track_caller]
    fn linear(self, x: &Tensor, w: &Tensor, bias: Option<&Tensor>) -> Tensor {
        self.high(self.low(x).linear(self.low(w), bias.map(|bias| self.low(bias)).as_ref()))
    }

    /// The gradient of a weight that states of all steps were multiplied by: `g` `[steps, batch, rows]`, `x`
    /// `[steps, batch, columns]`.
    fn weight_gradient(self, g: &Tensor, x: &Tensor) -> Tensor {
        let flat = |t: &Tensor| t.reshape([t.size(0) * t.size(1), t.size(2)]);
        self.matmul(&flat(g).t(), &flat(x))
    }
}

/// The states before each step: `first`, then all of `states` but the last.
fn before(first: &Tensor, states: &Tensor) -> Tensor {
    cat(&[first.unsqueeze(0), states.narrow(0, 0, states.size(0) - 1)], 0)
}

/// What `f` gives for the rows of a batch, which go through all steps on their own: the parts of as many threads as there
/// are, which need not wait for each other at every step. No bit depends on how many these are.
fn by_rows<R: Send>(batch: usize, f: impl Fn(Range<usize>) -> R + Sync) -> Vec<R> {
    let rows = batch.div_ceil(num_threads()).max(1);
    par_map((0..batch.max(1)).step_by(rows), |start| f(start..batch.min(start + rows)))
}

/// What each part of the batch has for its steps, in turn, with the rows that it is of.
fn with_rows(kept: &[Tensor], steps: usize) -> impl Iterator<Item = (Range<usize>, &[Tensor])> {
    let mut first = 0;
    kept.chunks(steps).map(move |part| {
        let rows = first..first + part[0].size(0);
        first = rows.end;
        (rows, part)
    })
}

/// The rows of `x` `[steps, batch, ..]`, step by step.
fn steps_of(x: &Tensor, rows: &Range<usize>) -> Vec<Tensor> {
    x.narrow(1, rows.start, rows.len()).unbind(0)
}

/// `[steps, batch, ..]` of what each part of the batch has for each step.
fn joined<'a>(parts: impl Iterator<Item = &'a [Tensor]>) -> Tensor {
    let parts: Vec<&[Tensor]> = parts.collect();
    let steps = parts[0].len();
    let pieces: Vec<&Tensor> = (0..steps).flat_map(|t| parts.iter().map(move |part| &part[t])).collect();
    let all = cat(&pieces, 0);
    all.reshape(&[&[steps, all.size(0) / steps], &all.shape()[1..]].concat()[..])
}

/// Part `k` of the last axis, `n` long.
fn part(x: &Tensor, k: usize, n: usize) -> Tensor {
    x.narrow(-1, k * n, n)
}
