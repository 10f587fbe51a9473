//! Composites that only networks use: documented formulas over public tensor methods, without rules or kernels
//! of their own. They come as methods of `Tensor` through extension traits.

pub mod loss;
