//! Gradients of weights: for each channel of the output, each channel of the image and each tap, a dot product over
//! all positions of all items.
//!
//! Lane l of a sum takes the positions in lane l of the vectors that cover the output; the lanes are added by halves
//! after some items of the batch (how many is a matter of shape), and these partial sums in the order of the batch.
use super::planes::{self, Cover, Pass, Planes, SLACK};
use super::{Sizes, Spare, count, each, load, wanted};
use crate::cpu::gemm::Product;
use crate::cpu::isa::{Isa, Work, dispatch};
use std::array;
use std::ops::Range;

/// Vectors over which lanes are kept apart at least, where there are so many: enough to make their addition cheap.
const VISIT: usize = 64;

/// The lanes of a sum, whatever the machine's vectors are.
fn lanes<T>() -> usize {
    if size_of::<T>() == 8 { 8 } else { 16 }
}

/// What the parts of a job share.
struct Job<'a, T> {
    sizes: &'a Sizes,
    image: &'a [T],
    out: &'a [T],
    planes: Planes,
    cover: Cover,
    /// The offset in the planes of an item's channels, for each channel and tap.
    columns: Vec<usize>,
    /// Items of the batch over which lanes are kept apart.
    visit: usize,
}

pub(super) fn run<T: Product>(s: &Sizes, image: &[T], out: &[T], to: &mut [T]) {
    to.fill(T::default());
    let (planes, Pass { taps, cover }) = planes::forward(s, lanes::<T>());
    let channels = (0..s.channels).map(|c| c * planes.channel());
    let columns: Vec<usize> = channels.flat_map(|c| taps.iter().map(move |tap| c + tap.offset)).collect();
    let (vectors, filters) = (cover.vectors.len(), s.groups * s.filters);
    if s.batch * vectors * columns.len() * filters == 0 {
        return;
    }
    let wanted = wanted(s.batch * filters * columns.len() * vectors * lanes::<T>());
    // Each part, a few channels of the output of one group, copies the planes for itself.
    let rows = filters.div_ceil(wanted).next_multiple_of(4).min(s.filters);
    let firsts = |g: usize| (0..s.filters).step_by(rows).map(move |f| (g, f..(f + rows).min(s.filters)));
    let parts: Vec<(usize, Range<usize>)> = (0..s.groups).flat_map(firsts).collect();
    let visit = VISIT.div_ceil(vectors).min(s.batch);
    let job = Job { sizes: s, image, out, planes, cover, columns, visit };
    let images = Spare::new(visit * job.item() + SLACK);
    let outs = Spare::new(rows * visit * vectors * lanes::<T>());
    let length = job.columns.len();
    each(to, parts.iter().map(|(_, rows)| rows.len() * length), wanted > 1, |i, to| {
        let (group, rows) = &parts[i];
        images.with(|x| {
            outs.with(|g| {
                for start in (0..s.batch).step_by(visit) {
                    let items = start..(start + visit).min(s.batch);
                    let finite = job.copy(*group, rows, &items, x, g);
                    let (rows, items) = (rows.len(), items.len());
                    dispatch(Part { job: &job, rows, items, finite, x, g, to });
                }
            });
        });
    });
}

impl<T: Product> Job<'_, T> {
    /// The length of an item's planes.
    fn item(&self) -> usize {
        self.sizes.channels * self.planes.channel()
    }
    /// The length of an item's vectors of one channel of the output.
    fn row(&self) -> usize {
        self.cover.vectors.len() * lanes::<T>()
    }
    /// Copies what belongs to these items and rows: the image as planes to `x`, the output as vectors to `g`. Says
    /// whether all of the image is finite.
    fn copy(
        &self,
        group: usize,
        rows: &Range<usize>,
        items: &Range<usize>,
        x: &mut [T],
        g: &mut [T],
    ) -> bool {
        let s = self.sizes;
        let (image, out) = (count(s.image), count(s.out));
        let channels = s.channels * image;
        for (item, to) in items.clone().zip(x.chunks_exact_mut(self.item())) {
            let from = &self.image[(item * s.groups + group) * channels..][..channels];
            let channels = from.chunks_exact(image.max(1)).zip(to.chunks_exact_mut(self.planes.channel()));
            channels.for_each(|(from, to)| self.planes.fill(from, to));
        }
        for (i, item) in items.clone().enumerate() {
            for (r, filter) in rows.clone().enumerate() {
                let from = &self.out[((item * s.groups + group) * s.filters + filter) * out..][..out];
                let to = &mut g[(r * self.visit + i) * self.row()..][..self.row()];
                for (vector, to) in self.cover.vectors.iter().zip(to.chunks_exact_mut(lanes::<T>())) {
                    for part in &self.cover.segments[vector.segments.clone()] {
                        to[part.lane..][..part.count].copy_from_slice(&from[part.to..][..part.count]);
                    }
                }
            }
        }
        let zero = T::default();
        let finite =
            |part: &[T]| part.iter().fold(true, |all, x| all & (x.mul_add::<false>(zero, zero) == zero));
        x[..items.len() * self.item()].chunks(256).all(finite)
    }
}

/// Some rows of the weight, over some items.
struct Part<'a, T> {
    job: &'a Job<'a, T>,
    rows: usize,
    items: usize,
    finite: bool,
    x: &'a [T],
    g: &'a [T],
    to: &'a mut [T],
}
impl<T: Product> Work for Part<'_, T> {
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn run<I: Isa>(self) {
        match (const { I::VECTOR }, const { size_of::<T>() == 8 }) {
            (64, true) => self.all::<I, 8, 1>(),
            (64, false) => self.all::<I, 16, 1>(),
            (32, true) => self.all::<I, 4, 2>(),
            (32, false) => self.all::<I, 8, 2>(),
            (_, true) => self.all::<I, 2, 4>(),
            (_, false) => self.all::<I, 4, 4>(),
        }
    }
}
impl<T: Product> Part<'_, T> {
    /// All elements, with a sum's lanes in `P` vectors of `H`.
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn all<I: Isa, const H: usize, const P: usize>(mut self) {
        let mut row = 0;
        while row < self.rows {
            row += match self.rows - row {
                _ if !self.finite => self.row::<I, 1, 1, H, P, true>(row),
                4.. if const { I::VECTOR == 64 } => self.row::<I, 4, 6, H, P, false>(row),
                2.. if const { I::VECTOR == 64 } => self.row::<I, 2, 12, H, P, false>(row),
                2.. => self.row::<I, 2, 6, H, P, false>(row),
                _ => self.row::<I, 1, 12, H, P, false>(row),
            };
        }
    }

    /// `R` rows from `row` on, `C` elements of each at a time. Returns `R`.
    #[expect(clippy::needless_range_loop, reason = "the row indexes sums and results")]
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn row<I: Isa, const R: usize, const C: usize, const H: usize, const P: usize, const MASK: bool>(
        &mut self,
        row: usize,
    ) -> usize {
        let length = self.job.columns.len();
        for start in (0..length).step_by(C) {
            // The last ones are filled up with sums that are not kept.
            let offsets = array::from_fn(|c| self.job.columns[(start + c).min(length - 1)]);
            let mut sums = [[[[T::default(); H]; C]; R]; P];
            for (p, sums) in sums.iter_mut().enumerate() {
                *sums = self.block::<I, R, C, H, P, MASK>(row, offsets, p);
            }
            for r in 0..R {
                let to = &mut self.to[(row + r) * length..][start..length.min(start + C)];
                for (c, to) in to.iter_mut().enumerate() {
                    *to = to.plus(halve::<T, H, P>(array::from_fn(|p| sums[p][r][c])));
                }
            }
        }
        R
    }

    /// Vector `p` of the lanes of the sums in `R` rows and `C` columns: the inner loop. With `MASK`, lanes that are no
    /// positions of the output are left out; without it they are finite elements times zero, which changes no bit.
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn block<I: Isa, const R: usize, const C: usize, const H: usize, const P: usize, const MASK: bool>(
        &self,
        row: usize,
        offsets: [usize; C],
        p: usize,
    ) -> [[[T; H]; C]; R] {
        let (item, length) = (self.job.item(), self.job.row());
        let (step, Cover { vectors, segments, .. }) = (self.job.visit * length, &self.job.cover);
        let mut sums = [[[T::default(); H]; C]; R];
        for i in 0..self.items {
            let (x, g) = (&self.x[i * item..], &self.g[(row * self.job.visit + i) * length..]);
            for (v, vector) in vectors.iter().enumerate() {
                let g: [[T; H]; R] = array::from_fn(|r| load(g, r * step + (v * P + p) * H));
                for c in 0..C {
                    let mut x: [T; H] = load(x, vector.start + offsets[c] + p * H);
                    if MASK {
                        let wanted = |lane| {
                            let mut parts = segments[vector.segments.clone()].iter();
                            parts.any(|part| (part.lane..part.lane + part.count).contains(&lane))
                        };
                        x = array::from_fn(|h| if wanted(p * H + h) { x[h] } else { T::default() });
                    }
                    for r in 0..R {
                        sums[r][c] = I::mul_add_lanes(g[r], x, sums[r][c]);
                    }
                }
            }
        }
        sums
    }
}

/// The sum of all lanes: the second half added to the first, until one is left.
#[cfg_attr(not(debug_assertions), inline(always))]
fn halve<T: Product, const H: usize, const P: usize>(mut parts: [[T; H]; P]) -> T {
    let (mut count, mut left) = (P, H);
    while count > 1 {
        count /= 2;
        for p in 0..count {
            parts[p] = array::from_fn(|h| parts[p][h].plus(parts[p + count][h]));
        }
    }
    let mut lane = parts[0];
    while left > 1 {
        left /= 2;
        for h in 0..left {
            lane[h] = lane[h].plus(lane[h + left]);
        }
    }
    lane[0]
}
