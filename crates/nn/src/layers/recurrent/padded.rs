//! Sequences of different lengths in one batch: what lies past a sequence's own end is no part of it.
//!
//! Padding is selected away, never multiplied by zero, so that nothing of it, NaN included, reaches a result or a
//! gradient. The steps are computed for it too, and dropped.

use retrograd_tensor::{Error, ErrorKind, Tensor, raise};

/// The sequences of a batch, each with its own end, as what reads and drops steps `[steps, batch, ..]`.
#[derive(Debug)]
pub(super) struct Ends {
    /// Where padding is: bool `[steps, batch, 1]`.
    padding: Tensor,
    /// Where each row of `[steps * batch, ..]` is when every sequence is turned round within its own length, and
    /// padding stays.
    turned: Tensor,
    /// The rows of the last steps.
    last: Tensor,
}

impl Ends {
    /// Those of `batch` sequences of these lengths; nothing if all are as long as the steps are many.
    #[track_caller]
    pub(super) fn new(name: &'static str, lengths: &[usize], steps: usize, batch: usize) -> Option<Self> {
        check(name, lengths, steps, batch);
        if lengths.iter().all(|&length| length == steps) {
            return None;
        }
        let places =
            || (0..steps).flat_map(|t| lengths.iter().enumerate().map(move |(row, &end)| (t, row, end)));
        let padding: Vec<bool> = places().map(|(t, _, end)| t >= end).collect();
        let row_of = |t: usize, row: usize| (t * batch + row) as i64;
        let turned: Vec<i64> =
            places().map(|(t, row, end)| row_of(if t < end { end - 1 - t } else { t }, row)).collect();
        let last: Vec<i64> = lengths.iter().enumerate().map(|(row, &end)| row_of(end - 1, row)).collect();
        let padding = Tensor::from_vec(padding, [steps, batch, 1]);
        Some(Self { padding, turned: Tensor::from(turned), last: Tensor::from(last) })
    }

    /// `x` with this number in place of padding.
    #[track_caller]
    pub(super) fn fill(&self, x: &Tensor, value: f64) -> Tensor {
        x.masked_fill(&self.padding, value)
    }

    /// Each sequence from its own end to its first step.
    #[track_caller]
    pub(super) fn turn(&self, x: &Tensor) -> Tensor {
        flat(x).index_select(0, &self.turned).reshape(x.shape())
    }

    /// The last step of each sequence `[batch, ..]`.
    #[track_caller]
    pub(super) fn last(&self, x: &Tensor) -> Tensor {
        flat(x).index_select(0, &self.last)
    }
}

/// `[steps, batch, n]` as rows.
fn flat(x: &Tensor) -> Tensor {
    x.reshape([x.size(0) * x.size(1), x.size(2)])
}

#[track_caller]
fn check(name: &'static str, lengths: &[usize], steps: usize, batch: usize) {
    let wrong = if lengths.len() == batch {
        let odd = |&(_, length): &(usize, &usize)| *length == 0 || *length > steps;
        let Some((row, length)) = lengths.iter().enumerate().find(odd) else { return };
        format!("length out of range: {length} for sequence {row}; a sequence has 1 to {steps} steps here")
    } else {
        let given = lengths.len();
        format!("lengths do not fit: {given} for {batch} sequences; there must be one for each")
    };
    raise(Error::new(name, ErrorKind::Value, wrong));
}
