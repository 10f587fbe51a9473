//! The table of operations, by family: kernel, gradient rule and documentation of each in one block.
//!
//! No room here touches `cpu` internals, buffers, threads or unsafe, and a rule calls only methods of `Tensor`.
pub(crate) mod arith;
pub(crate) mod basic;
pub(crate) mod cast;
pub(crate) mod compare;
pub(crate) mod reduce;

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
    arith::ROWS,
    compare::ROWS,
];

/// Every elementwise operation.
pub fn elementwise() -> impl Iterator<Item = &'static Elementwise> {
    ROWS.iter().copied().flatten().copied()
}
/// Every function that reference cases call.
pub fn entries() -> Vec<&'static Entry> {
    ENTRIES.iter().copied().flatten().collect()
}
