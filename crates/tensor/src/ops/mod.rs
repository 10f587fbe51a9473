//! The table of operations, by family: kernel, gradient rule and documentation of each in one block.
//!
//! No room here touches `cpu` internals, buffers, threads or unsafe, and a rule calls only methods of `Tensor`.
pub(crate) mod activation;
pub(crate) mod arith;
pub(crate) mod at;
pub(crate) mod bits;
pub(crate) mod cast;
pub(crate) mod compare;
pub(crate) mod conv;
pub(crate) mod copy;
pub(crate) mod count;
pub(crate) mod einsum;
pub(crate) mod exp_log;
#[cfg(feature = "fft")]
pub(crate) mod fft;
mod formulas;
pub(crate) mod index;
pub(crate) mod join;
#[cfg(feature = "linalg")]
pub(crate) mod linalg;
mod lines;
pub(crate) mod mask;
pub(crate) mod matmul;
mod nan;
pub(crate) mod pad;
pub(crate) mod patches;
pub(crate) mod pool;
pub(crate) mod quantile;
pub(crate) mod random;
pub(crate) mod reduce;
pub(crate) mod resample;
pub(crate) mod rounding;
pub(crate) mod scan;
pub(crate) mod scatter;
pub(crate) mod scatter_reduce;
pub(crate) mod slice;
pub(crate) mod softmax;
pub(crate) mod sort;
mod spatial;
pub(crate) mod special;
pub(crate) mod standardize;
pub(crate) mod stats;
pub(crate) mod triangle;
pub(crate) mod trig;
pub(crate) mod view;
pub(crate) mod windows;

use crate::elementwise::Elementwise;
use crate::entry::Entry;

/// The rows of every family of elementwise operations.
const ROWS: &[&[&Elementwise]] = &[
    arith::OPS,
    bits::OPS,
    compare::OPS,
    &[&compare::WHERE],
    exp_log::OPS,
    &[&exp_log::POW],
    trig::OPS,
    special::OPS,
    rounding::OPS,
    activation::OPS,
];
/// How reference cases call the functions of every family.
const ENTRIES: &[&[Entry]] = &[
    sort::ENTRIES,
    stats::ENTRIES,
    softmax::ENTRIES,
    standardize::ENTRIES,
    scan::ENTRIES,
    reduce::ENTRIES,
    triangle::ENTRIES,
    pad::ENTRIES,
    patches::ENTRIES,
    pool::ENTRIES,
    resample::ENTRIES,
    mask::ENTRIES,
    view::ENTRIES,
    slice::ENTRIES,
    scatter::ENTRIES,
    join::ENTRIES,
    index::ENTRIES,
    arith::ROWS,
    arith::ENTRIES,
    bits::ROWS,
    compare::ROWS,
    compare::ENTRIES,
    exp_log::ROWS,
    exp_log::ENTRIES,
    trig::ROWS,
    special::ROWS,
    rounding::ROWS,
    activation::ROWS,
    activation::ENTRIES,
    matmul::ENTRIES,
    einsum::ENTRIES,
    #[cfg(feature = "linalg")]
    linalg::factor::ENTRIES,
    #[cfg(feature = "linalg")]
    linalg::solve::ENTRIES,
    #[cfg(feature = "linalg")]
    linalg::spectrum::ENTRIES,
    #[cfg(feature = "linalg")]
    linalg::function::ENTRIES,
    conv::ENTRIES,
];

/// Every elementwise operation.
pub fn elementwise() -> impl Iterator<Item = &'static Elementwise> {
    ROWS.iter().copied().flatten().copied()
}
/// Every function that reference cases call.
pub fn entries() -> Vec<&'static Entry> {
    ENTRIES.iter().copied().flatten().collect()
}
