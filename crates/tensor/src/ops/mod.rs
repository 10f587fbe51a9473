//! The table of operations, by family: kernel, gradient rule and documentation of each in one block.
//!
//! No room here touches `cpu` internals, buffers, threads or unsafe, and a rule calls only methods of `Tensor`.
pub(crate) mod arith;
pub(crate) mod basic;
pub(crate) mod compare;
pub(crate) mod reduce;

use crate::elementwise::Elementwise;
use crate::entry::Entry;

/// Every elementwise operation.
pub fn elementwise() -> impl Iterator<Item = &'static Elementwise> {
    [arith::OPS, compare::OPS].into_iter().flatten().copied().chain([&compare::WHERE])
}
/// Every function of the families here with attributes or a structure of its own, for the reference cases.
pub fn entries() -> impl Iterator<Item = &'static Entry> {
    let families: [&[Entry]; 0] = [];
    families.into_iter().flatten()
}
