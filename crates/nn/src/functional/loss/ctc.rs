//! Connectionist temporal classification: the likelihood of a label sequence over all its alignments.
//!
//! The forward recursion (Graves and others, 2006) in logarithms, as tensor operations, so that gradients of any
//! order follow. What cannot be reached has a logarithm of -10³⁰ instead of minus infinity, whose gradient would be
//! NaN.

use super::task::Ctc;
use super::{Reduction, check_option};
use retrograd_tensor::{Error, ErrorKind, Tensor, cat, raise};

const OP: &str = "ctc_loss";
const UNREACHABLE: f64 = -1e30;

/// Sizes of a batch: steps, sequences, states of the longest alignment.
struct Sizes {
    steps: usize,
    batch: usize,
    states: usize,
}

#[track_caller]
pub(super) fn ctc_loss(
    log_p: &Tensor,
    targets: &Tensor,
    input_lengths: &[usize],
    target_lengths: &[usize],
    options: &Ctc,
) -> Tensor {
    check(log_p, targets, input_lengths, target_lengths, options);
    let sizes = Sizes { steps: log_p.size(0), batch: log_p.size(1), states: 2 * targets.size(1) + 1 };
    let labels = states(targets, target_lengths, &sizes, options.blank);
    let dtype = log_p.dtype();
    let table = |values: Vec<f64>| Tensor::from_vec(values, [sizes.batch, sizes.states]).cast(dtype);
    // A state may skip the blank before it unless its label is that of two states before.
    let skips = labels.iter().enumerate().map(|(at, &label)| {
        let state = at % sizes.states;
        let may = state % 2 == 1 && state > 1 && label != labels[at - 2];
        if may { 0.0 } else { UNREACHABLE }
    });
    let skips = table(skips.collect());
    let begins = (0..labels.len()).map(|at| if at % sizes.states < 2 { 0.0 } else { UNREACHABLE });
    let begins = table(begins.collect());
    let index = Tensor::from_vec(labels, [1, sizes.batch, sizes.states]);
    let index = index.expand([sizes.steps as isize, sizes.batch as isize, sizes.states as isize]);
    let emitted = log_p.gather(2, &index);
    let lengths = |lengths: &[usize]| {
        Tensor::from_vec(lengths.iter().map(|&len| len as i64).collect::<Vec<_>>(), [sizes.batch, 1])
    };
    let input_lengths = lengths(input_lengths);
    let before = dtype.full([sizes.batch, 2], UNREACHABLE);
    let mut alpha = emitted.select(0, 0) + begins;
    for step in 1..sizes.steps {
        let padded = cat(&[before.clone(), alpha.clone()], 1);
        let from = |shift: usize| padded.narrow(1, 2 - shift, sizes.states);
        let next = alpha.logaddexp(from(1)).logaddexp(from(2) + &skips) + emitted.select(0, step as isize);
        alpha = input_lengths.gt(step as i64).where_(next, alpha);
    }
    let target_lengths = lengths(target_lengths);
    reduced(&alpha, &target_lengths, options)
}

/// The loss of each sequence from its last states, then the reduction.
#[track_caller]
fn reduced(alpha: &Tensor, target_lengths: &Tensor, options: &Ctc) -> Tensor {
    let last = target_lengths * 2i64;
    let blank = alpha.gather(1, &last);
    let label = alpha.gather(1, &(&last - 1i64).clamp_min(0));
    let label = target_lengths.gt(0i64).where_(label, UNREACHABLE);
    let loss = -blank.logaddexp(label).squeeze(1);
    let impossible = if options.zero_infinity { 0.0 } else { f64::INFINITY };
    let loss = loss.gt(-UNREACHABLE / 2.0).where_(impossible, loss);
    match options.reduction {
        Reduction::Mean => (&loss / target_lengths.squeeze(1).clamp_min(1).cast(loss.dtype())).mean(()),
        Reduction::Sum => loss.sum(()),
        Reduction::None => loss,
    }
}

/// The label of every state: blanks around and between those of the target, and in place of its padding.
fn states(targets: &Tensor, lengths: &[usize], sizes: &Sizes, blank: i64) -> Vec<i64> {
    let targets_len = targets.size(1);
    let targets = targets.to_vec::<i64>();
    let mut labels = vec![blank; sizes.batch * sizes.states];
    for (row, &len) in lengths.iter().enumerate() {
        for position in 0..len {
            labels[row * sizes.states + 2 * position + 1] = targets[row * targets_len + position];
        }
    }
    labels
}

#[track_caller]
fn check(log_p: &Tensor, targets: &Tensor, inputs: &[usize], lengths: &[usize], options: &Ctc) {
    let (p, t) = (&log_p.shape()[..], &targets.shape()[..]);
    let batch = inputs.len();
    if p.len() != 3 || t.len() != 2 || p[1] != t[0] || batch != p[1] || lengths.len() != batch || p[0] == 0 {
        let given = format!("input {p:?}, targets {t:?}, {batch} input and {} target lengths", lengths.len());
        let detail = format!("shapes do not fit: {given}; [T, N, C], [N, S], N and N would");
        raise(Error::new(OP, ErrorKind::Shape, detail));
    }
    let classes = p[2] as i64;
    let blank = options.blank;
    check_option(OP, (0..classes).contains(&blank), &format!("blank {blank}"), "it must be a class");
    let ok = inputs.iter().all(|&len| (1..=p[0]).contains(&len)) && lengths.iter().all(|&len| len <= t[1]);
    let wanted = format!("inputs have 1 to {} steps, targets at most {} labels", p[0], t[1]);
    check_option(OP, ok, &format!("lengths {inputs:?} and {lengths:?}"), &wanted);
    let labels = targets.to_vec::<i64>();
    for (row, &len) in lengths.iter().enumerate() {
        let used = &labels[row * t[1]..row * t[1] + len];
        if let Some(label) = used.iter().find(|label| !(0..classes).contains(label)) {
            let detail =
                format!("label out of range: {label} of sequence {row}; there are {classes} classes");
            raise(Error::new(OP, ErrorKind::Index, detail));
        }
    }
}
