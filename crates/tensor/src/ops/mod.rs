//! The table of operations, by family: kernel, gradient rule and documentation of each in one block.
//!
//! No room here touches `cpu` internals, buffers, threads or unsafe, and a rule calls only methods of `Tensor`.
pub(crate) mod arith;
pub(crate) mod cast;
pub(crate) mod compare;
pub(crate) mod matmul;
pub(crate) mod index;
pub(crate) mod join;
pub(crate) mod scatter;
pub(crate) mod slice;
pub(crate) mod view;
mod lines;
pub(crate) mod reduce;
pub(crate) mod stats;
pub(crate) mod softmax;
pub(crate) mod scan;

use crate::elementwise::Elementwise;
use crate::entry::Entry;

/// The rows of every family of elementwise operations.
const ROWS: &[&[&Elementwise]] = &[
    arith::OPS,
    compare::OPS,
    &[&compare::WHERE],
];
/// How reference cases call the functions of every family.
const ENTRIES: &[&[Entry]] = &[
    stats::ENTRIES,
    softmax::ENTRIES,
    scan::ENTRIES,
    reduce::ENTRIES,
    view::ENTRIES,
    slice::ENTRIES,
    scatter::ENTRIES,
    join::ENTRIES,
    index::ENTRIES,
    arith::ROWS,
    compare::ROWS,
    matmul::ENTRIES,
];

/// Every elementwise operation.
pub fn elementwise() -> impl Iterator<Item = &'static Elementwise> {
    ROWS.iter().copied().flatten().copied()
}
/// Every function that reference cases call.
pub fn entries() -> Vec<&'static Entry> {
    ENTRIES.iter().copied().flatten().collect()
}
