//! Convolutions over up to three spatial axes, and what is linear in them: an image, a weight and an output, each
//! of which is made from the other two. Sees sizes and dense slices; never a tensor.
//!
//! No matrix of windows is ever written. Channels are copied once, with zeros around them, as [`planes`]: one plane
//! for each remainder of a position by the stride, so that every tap of the kernel reads neighbours of a plane, at
//! an offset of its own, whatever stride and dilation are. What is left is a product one operand of which has rows
//! at arbitrary offsets:
//!
//! - [`correlate`]: outputs, and gradients of images (there a set of taps for each remainder). An element is one
//!   chain of multiply-adds over channels and, in each, taps, in the order of the operands; padding counts as zeros.
//! - [`weight`]: gradients of weights, whose long sums run along positions in [`weight::LANES`] chains.
//!
//! Neither order depends on how the work is cut or on who runs a part.
mod correlate;
mod planes;
mod weight;

use super::gemm::Product;
use super::pool;
use correlate::Correlation;
use std::sync::{Mutex, PoisonError};

/// Three spatial axes; those that a convolution does not have are of size 1.
pub(crate) type Three = [usize; 3];

/// The sizes of a convolution: image `[batch, groups * channels, image..]`, weight
/// `[groups * filters, channels, kernel..]`, output `[batch, groups * filters, out..]`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    pub(crate) batch: usize,
    pub(crate) groups: usize,
    /// Channels of the image in a group.
    pub(crate) channels: usize,
    /// Channels of the output in a group.
    pub(crate) filters: usize,
    pub(crate) image: Three,
    pub(crate) kernel: Three,
    pub(crate) out: Three,
    /// Output position `p` and tap `t` meet at `p * stride + t * dilation - low` of the image; what lies outside
    /// is zero.
    pub(crate) stride: Three,
    pub(crate) dilation: Three,
    pub(crate) low: Three,
}
impl Sizes {
    fn taps(&self) -> usize {
        count(self.kernel)
    }
}
fn count(sizes: Three) -> usize {
    sizes.iter().product()
}

/// The output, from an image and a weight.
pub(crate) fn output<T: Product>(sizes: &Sizes, image: &[T], weight: &[T], to: &mut [T]) {
    Correlation::forward::<T>(sizes).run(sizes, image, weight, to);
}
/// The sum of `out` times the weight at the places of the image that they come from.
pub(crate) fn image<T: Product>(sizes: &Sizes, weight: &[T], out: &[T], to: &mut [T]) {
    Correlation::backward::<T>(sizes).run(sizes, out, weight, to);
}
/// For each element of the weight, the sum of the products of what it connects.
pub(crate) fn weight<T: Product>(sizes: &Sizes, image: &[T], out: &[T], to: &mut [T]) {
    weight::run(sizes, image, out, to);
}

/// Multiply-adds up to which another thread costs more than it brings.
const GATE: usize = 1 << 17;

/// How many parts a job of so many multiply-adds should have at least.
fn wanted(work: usize) -> usize {
    if work <= GATE || pool::threads() == 1 { 1 } else { 4 * pool::threads() }
}

/// Calls `f(i, part)` for each part of `to`, which are of these lengths, on several threads if `shared`.
fn each<T: Send>(
    mut to: &mut [T],
    lengths: impl Iterator<Item = usize>,
    shared: bool,
    f: impl Fn(usize, &mut [T]) + Sync,
) {
    let mut parts = Vec::new();
    for length in lengths {
        let part;
        (part, to) = to.split_at_mut(length);
        parts.push(Mutex::new(part));
    }
    let run = |i: usize| f(i, &mut parts[i].lock().unwrap_or_else(PoisonError::into_inner));
    if shared { pool::parallel(parts.len(), &run) } else { (0..parts.len()).for_each(run) }
}

/// Memory for the parts of a job, one piece for each thread that has worked on it: zeros at first, later what the
/// part before has left.
struct Spare<T> {
    length: usize,
    free: Mutex<Vec<Vec<T>>>,
}
impl<T: Product> Spare<T> {
    fn new(length: usize) -> Spare<T> {
        Spare { length, free: Mutex::default() }
    }
    fn with(&self, f: impl FnOnce(&mut [T])) {
        let free = || self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = free().pop();
        let mut memory = taken.unwrap_or_else(|| vec![T::default(); self.length]);
        f(&mut memory);
        free().push(memory);
    }
}

/// `N` neighbours from `at` on.
#[inline(always)]
fn load<T: Product, const N: usize>(from: &[T], at: usize) -> [T; N] {
    debug_assert!(at + N <= from.len(), "planes end in room for a vector");
    let first = from.as_ptr().wrapping_add(at).cast::<[T; N]>();
    // SAFETY: `SLACK` elements lie behind the last place of the planes that a tap can reach, and packed operands are
    // whole vectors.
    unsafe { first.read_unaligned() }
}
