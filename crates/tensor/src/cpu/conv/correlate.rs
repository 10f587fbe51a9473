//! Channels of a result, each the sum over all channels of a group and all taps: outputs, and gradients of images.
//!
//! The inner loop holds a few channels of the result by a few vectors of positions in registers; for each channel of
//! the source and each tap it reads the vectors where they lie in the planes, and one weight for each channel of the
//! result, which are packed side by side.
use super::planes::{self, Cover, Pass, Planes, Vector};
use super::{Sizes, Spare, count, each, load, wanted};
use crate::cpu::gemm::Product;
use crate::cpu::isa::{self, Isa, Work, dispatch};
use std::array;
use std::ops::Range;

/// Bytes of the planes that one round over the channels of a result reads, to find them in a near cache again.
const STRIP: usize = 1 << 17;

/// What is computed from what, for every item of a batch and every group.
pub(super) struct Correlation {
    planes: Planes,
    passes: Vec<Pass>,
    /// Channels of a group that are summed over, and the step between two of them in the weight.
    inputs: usize,
    input_step: usize,
    /// Channels of a group that are made, and the step between two of them in the weight.
    outputs: usize,
    output_step: usize,
    /// Elements of a channel of the source and of the result.
    from: usize,
    to: usize,
}

/// Channels of the result that are held at once.
#[derive(Clone, Copy)]
struct Block {
    first: usize,
    rows: usize,
}
/// Cuts `n` channels into blocks of sizes that [`Part::strips`] has for this type and instruction set.
fn blocks<T: Product>(n: usize) -> Vec<Block> {
    let sizes: &[usize] = match isa::vector() {
        _ if !T::FLOAT => &[2, 1], // they are rare, and each version costs compilation
        64 => &[12, 8, 4, 2, 1],
        _ => &[6, 4, 2, 1],
    };
    let mut blocks = Vec::new();
    let mut first = 0;
    while first < n {
        let rest = n - first;
        // The largest, unless it would leave a rest that is too small to be fast.
        let fits = |size: &&usize| rest >= 2 * **size || rest.is_multiple_of(**size);
        let rows = sizes.iter().find(fits).copied().unwrap_or(1);
        blocks.push(Block { first, rows });
        first += rows;
    }
    blocks
}
/// Elements of a vector.
fn lanes<T>() -> usize {
    (isa::vector() / size_of::<T>()).min(16)
}

impl Correlation {
    pub(super) fn forward<T>(s: &Sizes) -> Correlation {
        let (planes, pass) = planes::forward(s, lanes::<T>());
        Correlation {
            planes,
            passes: vec![pass],
            inputs: s.channels,
            input_step: s.taps(),
            outputs: s.filters,
            output_step: s.channels * s.taps(),
            from: count(s.image),
            to: count(s.out),
        }
    }
    pub(super) fn backward<T>(s: &Sizes) -> Correlation {
        let (planes, passes) = planes::backward(s, lanes::<T>());
        Correlation {
            planes,
            passes,
            inputs: s.filters,
            input_step: s.channels * s.taps(),
            outputs: s.channels,
            output_step: s.taps(),
            from: count(s.out),
            to: count(s.image),
        }
    }

    pub(super) fn run<T: Product>(&self, s: &Sizes, source: &[T], weight: &[T], to: &mut [T]) {
        let (blocks, units) = (blocks::<T>(self.outputs), s.batch * s.groups);
        let lanes = |pass: &Pass| pass.taps.len() * pass.cover.vectors.len() * lanes::<T>();
        let work = units * self.outputs * self.inputs * self.passes.iter().map(lanes).sum::<usize>();
        let wanted = wanted(work);
        let panels = self.panels(s, weight, &blocks, wanted > 1);
        // Few items are cut by channels of the result, and each part copies the planes for itself.
        let cuts = if units >= wanted { 1 } else { wanted.div_ceil(units.max(1)).min(blocks.len().max(1)) };
        let runs: Vec<&[Block]> = blocks.chunks(blocks.len().div_ceil(cuts).max(1)).collect();
        let rows = |run: &[Block]| run.iter().map(|b| b.rows).sum::<usize>();
        let lengths = (0..units).flat_map(|_| runs.iter().map(|run| rows(run) * self.to));
        let spare = Spare::<T>::new(self.planes.room(self.inputs));
        each(to, lengths, wanted > 1, |i, out| {
            let (unit, blocks) = (i / runs.len(), runs[i % runs.len()]);
            let source = &source[unit * self.inputs * self.from..][..self.inputs * self.from];
            spare.with(|channels| {
                self.fill(source, channels);
                for (pass, panels) in self.passes.iter().zip(&panels) {
                    let size = self.outputs * self.inputs * pass.taps.len();
                    let panels = &panels[unit % s.groups * size..][..size];
                    let (inputs, channel, length) = (self.inputs, self.planes.channel(), self.to);
                    dispatch(Part { inputs, channel, length, channels, pass, panels, blocks, out });
                }
            });
        });
    }
    fn fill<T: Product>(&self, source: &[T], channels: &mut [T]) {
        if self.from == 0 || self.planes.channel() == 0 {
            return; // nothing but padding, which is there
        }
        for (from, to) in source.chunks_exact(self.from).zip(channels.chunks_exact_mut(self.planes.channel()))
        {
            self.planes.fill(from, to);
        }
    }
    /// The weights of each pass: for each group and each block, by channel summed over and tap, those of the block's
    /// channels side by side.
    fn panels<T: Product>(&self, s: &Sizes, weight: &[T], blocks: &[Block], shared: bool) -> Vec<Vec<T>> {
        let group = self.outputs * self.inputs * s.taps();
        let packed = |pass: &Pass| {
            let row = self.inputs * pass.taps.len();
            let mut panels = vec![T::default(); s.groups * self.outputs * row];
            let lengths = (0..s.groups).flat_map(|_| blocks.iter().map(|b| b.rows * row));
            each(&mut panels, lengths, shared, |i, panel| {
                let (weight, block) = (&weight[i / blocks.len() * group..], blocks[i % blocks.len()]);
                let mut panel = panel.chunks_exact_mut(block.rows);
                for input in 0..self.inputs {
                    for (tap, to) in pass.taps.iter().zip(&mut panel) {
                        let first = block.first * self.output_step + input * self.input_step + tap.place;
                        let from = weight[first..].iter().step_by(self.output_step);
                        to.iter_mut().zip(from).for_each(|(to, &x)| *to = x);
                    }
                }
            });
            panels
        };
        self.passes.iter().map(packed).collect()
    }
}

/// Some channels of the result for one item and group, in one pass.
struct Part<'a, T> {
    inputs: usize,
    /// The length of a channel of the source in `channels`, and of the result in `out`.
    channel: usize,
    length: usize,
    channels: &'a [T],
    pass: &'a Pass,
    panels: &'a [T],
    blocks: &'a [Block],
    /// The channels of `blocks`.
    out: &'a mut [T],
}
impl<T: Product> Work for Part<'_, T> {
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn run<I: Isa>(self) {
        match const { I::VECTOR / size_of::<T>() } {
            2 => self.strips::<I, 2>(),
            4 => self.strips::<I, 4>(),
            8 => self.strips::<I, 8>(),
            _ => self.strips::<I, 16>(),
        }
    }
}
impl<T: Product> Part<'_, T> {
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn strips<I: Isa, const L: usize>(mut self) {
        let Pass { taps, cover } = self.pass;
        let size = self.inputs * taps.len();
        let vector = self.inputs * L * size_of::<T>() * (self.channel / self.length.max(1)).max(1);
        let strip = (STRIP / vector.max(1)).next_multiple_of(8).max(8);
        let begin = self.blocks.first().map_or(0, |b| b.first);
        for vectors in (0..cover.vectors.len()).step_by(strip) {
            let vectors = vectors..(vectors + strip).min(cover.vectors.len());
            for &Block { first, rows } in self.blocks {
                let panel = &self.panels[first * size..(first + rows) * size];
                let at = first - begin;
                match rows {
                    1 => self.strip::<I, 1, 8, L>(at, panel, vectors.clone()),
                    2 => self.strip::<I, 2, 4, L>(at, panel, vectors.clone()),
                    _ if const { !T::FLOAT } => unreachable!("`blocks` makes no others"),
                    12 if const { I::VECTOR == 64 } => self.strip::<I, 12, 2, L>(at, panel, vectors.clone()),
                    8 if const { I::VECTOR == 64 } => self.strip::<I, 8, 2, L>(at, panel, vectors.clone()),
                    4 if const { I::VECTOR == 64 } => self.strip::<I, 4, 4, L>(at, panel, vectors.clone()),
                    6 => self.strip::<I, 6, 2, L>(at, panel, vectors.clone()),
                    _ => self.strip::<I, 4, 2, L>(at, panel, vectors.clone()),
                }
            }
        }
    }

    /// `R` channels of the result from `first` on, over some vectors, `V` at a time.
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn strip<I: Isa, const R: usize, const V: usize, const L: usize>(
        &mut self,
        first: usize,
        panel: &[T],
        vectors: Range<usize>,
    ) {
        let Cover { vectors: all, segments, step } = &self.pass.cover;
        for vectors in all[vectors].chunks(V) {
            // The last ones are filled up with vectors that are computed and not kept.
            let starts = array::from_fn(|v| vectors.get(v).unwrap_or(&vectors[0]).start);
            let sums = self.tile::<I, R, V, L>(starts, panel);
            for (r, sums) in sums.into_iter().enumerate() {
                let row = &mut self.out[(first + r) * self.length..][..self.length];
                for (v, sums) in sums.into_iter().enumerate() {
                    let Some(Vector { segments: parts, .. }) = vectors.get(v) else { break };
                    for part in &segments[parts.clone()] {
                        if part.count == L && *step == 1 {
                            row[part.to..part.to + L].copy_from_slice(&sums);
                            continue;
                        }
                        let wanted = &sums[part.lane..part.lane + part.count];
                        let to = row[part.to..].iter_mut().step_by(*step);
                        to.zip(wanted).for_each(|(to, &x)| *to = x);
                    }
                }
            }
        }
    }

    /// The sums of `R` channels at `V` vectors: the inner loop.
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn tile<I: Isa, const R: usize, const V: usize, const L: usize>(
        &self,
        starts: [usize; V],
        panel: &[T],
    ) -> [[[T; L]; V]; R] {
        let mut sums = [[[T::default(); L]; V]; R];
        let mut weights = panel.chunks_exact(R);
        for input in 0..self.inputs {
            let channel = &self.channels[input * self.channel..];
            for (tap, weights) in self.pass.taps.iter().zip(&mut weights) {
                let x: [[T; L]; V] = array::from_fn(|v| load(channel, starts[v] + tap.offset));
                for r in 0..R {
                    for v in 0..V {
                        sums[r][v] = I::mul_add_lanes([weights[r]; L], x[v], sums[r][v]);
                    }
                }
            }
        }
        sums
    }
}
