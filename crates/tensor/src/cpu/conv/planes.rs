//! Where things lie: channels as planes, the offsets of taps in them, and the vectors that cover a set of positions.
use super::{Sizes, Three, count};
use std::ops::Range;

/// A vector's length behind the last plane, at most: vectors at its end read so far.
pub(super) const SLACK: usize = 64;

/// How a channel is copied: several planes, each with every `step`th position of the source.
pub(super) struct Planes {
    /// The sizes of a channel of the source.
    from: Three,
    /// The sizes of a plane.
    pub(super) size: Three,
    step: Three,
    /// The source position of each plane's first element, which may lie before the source.
    first: Vec<[isize; 3]>,
}
impl Planes {
    /// The length of a copied channel.
    pub(super) fn channel(&self) -> usize {
        self.first.len() * count(self.size)
    }
    /// The length of so many channels, with room behind them for a vector that starts in the last one.
    pub(super) fn room(&self, channels: usize) -> usize {
        channels * self.channel() + SLACK
    }
    /// Copies a channel; what lies outside the source is left as it is.
    pub(super) fn fill<T: Copy>(&self, source: &[T], to: &mut [T]) {
        for (first, plane) in self.first.iter().zip(to.chunks_exact_mut(count(self.size).max(1))) {
            let [planes, rows, cols]: [Range<usize>; 3] =
                std::array::from_fn(|a| inside(first[a], self.step[a], self.size[a], self.from[a]));
            let at = |a: usize, i: usize| (first[a] + (i * self.step[a]) as isize) as usize;
            if cols.is_empty() {
                continue;
            }
            for (d, h) in planes.flat_map(|d| rows.clone().map(move |h| (d, h))) {
                let from = (at(0, d) * self.from[1] + at(1, h)) * self.from[2] + at(2, cols.start);
                let row = (d * self.size[1] + h) * self.size[2];
                let row = &mut plane[row + cols.start..row + cols.end];
                if self.step[2] == 1 {
                    row.copy_from_slice(&source[from..][..row.len()]);
                } else {
                    let apart = source[from..].iter().step_by(self.step[2]);
                    row.iter_mut().zip(apart).for_each(|(to, &x)| *to = x);
                }
            }
        }
    }
}
/// Those of `size` positions, `step` apart from `first` on, that lie in `0..end`.
fn inside(first: isize, step: usize, size: usize, end: usize) -> Range<usize> {
    let start = (-first).max(0).unsigned_abs().div_ceil(step);
    let left = end as isize - first;
    let stop = if left <= 0 { 0 } else { left.unsigned_abs().div_ceil(step) };
    start.min(size)..stop.clamp(start.min(size), size)
}

/// A tap of the kernel: its place in the weight, and its offset in a copied channel.
#[derive(Clone, Copy)]
pub(super) struct Tap {
    pub(super) place: usize,
    pub(super) offset: usize,
}

/// Positions to compute with some taps, and where they go.
pub(super) struct Pass {
    pub(super) taps: Vec<Tap>,
    pub(super) cover: Cover,
}

/// Planes of the image, and the pass that makes every output position.
pub(super) fn forward(s: &Sizes, lanes: usize) -> (Planes, Pass) {
    // Of each tap along an axis: which remainder it reads, and how far along the plane.
    let reach = |a: usize, t: usize| (t * s.dilation[a] % s.stride[a], t * s.dilation[a] / s.stride[a]);
    let mut phases: [Vec<usize>; 3] = Default::default();
    for (a, phases) in phases.iter_mut().enumerate() {
        for t in 0..s.kernel[a] {
            let phase = reach(a, t).0;
            if !phases.contains(&phase) {
                phases.push(phase);
            }
        }
    }
    let size: Three = std::array::from_fn(|a| s.out[a] + reach(a, s.kernel[a] - 1).1);
    let first = |a: usize, phase: usize| phase as isize - s.low[a] as isize;
    let counts = [0, 1, 2].map(|a| phases[a].len());
    let firsts = places(counts).map(|p| [0, 1, 2].map(|a| first(a, phases[a][p[a]]))).collect();
    let planes = Planes { from: s.image, size, step: s.stride, first: firsts };
    let tap = |(place, t): (usize, Three)| {
        let phase = [0, 1, 2].map(|a| phases[a].iter().position(|&p| p == reach(a, t[a]).0).unwrap_or(0));
        let along = [0, 1, 2].map(|a| reach(a, t[a]).1);
        Tap { place, offset: index(phase, counts) * count(size) + index(along, size) }
    };
    let taps = places(s.kernel).enumerate().map(tap).collect();
    let all = s.out.map(|n| 0..n);
    (planes, Pass { taps, cover: Cover::new(lanes, size, &all, [0; 3], s.out, [1; 3]) })
}

/// The plane of an output's channel, and passes that make every position of the image: one for each remainder by the
/// stride, with the taps that lead there.
pub(super) fn backward(s: &Sizes, lanes: usize) -> (Planes, Vec<Pass>) {
    let last: Three = std::array::from_fn(|a| (s.kernel[a] - 1) * s.dilation[a] / s.stride[a]);
    // Position q of the plane is the output's position q + start - last: taps read backwards.
    let start: Three = std::array::from_fn(|a| s.low[a] / s.stride[a]);
    let end: Three = std::array::from_fn(|a| (s.image[a] + s.low[a]).div_ceil(s.stride[a]));
    let size: Three = std::array::from_fn(|a| end[a] - start[a].min(end[a]) + last[a]);
    let first = std::array::from_fn(|a| start[a] as isize - last[a] as isize);
    let planes = Planes { from: s.out, size, step: [1; 3], first: vec![first] };
    // Of each axis, the remainders that some position of the image has.
    let remainders = std::array::from_fn(|a| s.stride[a].min(s.image[a]));
    let mut passes = Vec::new();
    for phase in places(remainders) {
        let phase: Three = std::array::from_fn(|a| (phase[a] + s.low[a]) % s.stride[a]);
        let leads = |t: &Three| (0..3).all(|a| t[a] * s.dilation[a] % s.stride[a] == phase[a]);
        let offset =
            |t: Three| index(std::array::from_fn(|a| last[a] - t[a] * s.dilation[a] / s.stride[a]), size);
        let taps = places(s.kernel).enumerate().filter(|(_, t)| leads(t));
        let taps = taps.map(|(place, t)| Tap { place, offset: offset(t) }).collect();
        let positions = std::array::from_fn(|a| {
            let before = |n: usize| n.saturating_sub(phase[a]).div_ceil(s.stride[a]) - start[a];
            before(s.low[a].max(phase[a]))..before(s.image[a] + s.low[a])
        });
        // Where the pass's first position is in the image.
        let to = std::array::from_fn(|a| {
            let range: &Range<usize> = &positions[a];
            (range.start + start[a]) * s.stride[a] + phase[a] - s.low[a]
        });
        passes.push(Pass { taps, cover: Cover::new(lanes, size, &positions, to, s.image, s.stride) });
    }
    (planes, passes)
}

/// All places of a box of these sizes, the last axis fastest.
fn places([d, h, w]: Three) -> impl Iterator<Item = Three> {
    (0..d).flat_map(move |i| (0..h).flat_map(move |j| (0..w).map(move |k| [i, j, k])))
}
fn index([d, h, w]: Three, size: Three) -> usize {
    (d * size[1] + h) * size[2] + w
}

/// Vectors over the positions of a plane that are wanted. A vector starts at the first position that none before it
/// covers, so one may reach over the end of a row into the next where rows are short.
pub(super) struct Cover {
    pub(super) vectors: Vec<Vector>,
    pub(super) segments: Vec<Segment>,
    /// The distance in the result of positions that are neighbours in a plane.
    pub(super) step: usize,
}
/// Some neighbouring positions of a plane.
pub(super) struct Vector {
    pub(super) start: usize,
    /// Those of the cover's segments that are in it.
    pub(super) segments: Range<usize>,
}
/// Lanes of a vector that are wanted, and where the first of them goes.
pub(super) struct Segment {
    pub(super) lane: usize,
    pub(super) count: usize,
    pub(super) to: usize,
}
impl Cover {
    /// The vectors over the box `positions` of a plane of `size`, which go to every `step`th position from `first`
    /// of a result of sizes `to`.
    fn new(
        lanes: usize,
        size: Three,
        positions: &[Range<usize>; 3],
        first: Three,
        to: Three,
        step: Three,
    ) -> Cover {
        let (mut vectors, mut segments) = (Vec::<Vector>::new(), Vec::new());
        let [planes, rows, cols] = positions;
        for (i, d) in planes.clone().enumerate() {
            for (j, h) in rows.clone().enumerate() {
                let row = index([d, h, 0], size);
                let out = index([first[0] + i * step[0], first[1] + j * step[1], first[2]], to);
                let mut col = cols.start;
                while col < cols.end {
                    let at = row + col;
                    if vectors.last().is_none_or(|v| at >= v.start + lanes) {
                        vectors.push(Vector { start: at, segments: segments.len()..segments.len() });
                    }
                    let Some(vector) = vectors.last_mut() else { break };
                    let lane = at - vector.start;
                    let count = (lanes - lane).min(cols.end - col);
                    segments.push(Segment { lane, count, to: out + (col - cols.start) * step[2] });
                    vector.segments.end += 1;
                    col += count;
                }
            }
        }
        Cover { vectors, segments, step: step[2] }
    }
}
