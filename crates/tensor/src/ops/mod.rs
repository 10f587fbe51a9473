//! The table of operations, by family: kernel, gradient rule and documentation of each in one block.
//!
//! No room here touches `cpu` internals, buffers, threads or unsafe, and a rule calls only methods of `Tensor`.
pub(crate) mod arith;
pub(crate) mod basic;
pub(crate) mod compare;
pub(crate) mod reduce;
