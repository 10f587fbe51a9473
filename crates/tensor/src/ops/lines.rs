//! Loops that move elements between views and dense memory, for the structural operations of this folder.
//!
//! Every loop writes its destination line by line, each line by one thread, so that results do not depend on how
//! many threads there are. Layouts and slices come in; no tensor and no operation is known here.
use crate::call::{View, for_chunks};
use crate::dtype::Element;
use crate::layout::Layout;
use half::{bf16, f16};

/// Elements that one part of a job moves, about.
pub(super) const PART: usize = 1 << 14;

/// An element that can be added up.
pub(super) trait Plus: Element {
    /// The type that sums are kept in.
    type Sum: Copy + Send;
    /// Whether [`Plus::Sum`] is wider than the element.
    const WIDER: bool = false;
    /// This element as a sum.
    fn widen(self) -> Self::Sum;
    /// The element nearest to a sum.
    fn narrow(sum: Self::Sum) -> Self;
    /// A sum with one element more.
    fn plus(sum: Self::Sum, v: Self) -> Self::Sum;
}
macro_rules! plus {
    ($($t:ty: |$a:ident, $b:ident| $e:expr;)*) => {$(
        impl Plus for $t {
            type Sum = $t;
            #[inline(always)]
            fn widen(self) -> $t { self }
            #[inline(always)]
            fn narrow(sum: $t) -> $t { sum }
            #[inline(always)]
            fn plus($a: $t, $b: $t) -> $t { $e }
        }
    )*};
}
plus! {
    f32: |a, b| a + b;
    f64: |a, b| a + b;
    i64: |a, b| a.wrapping_add(b);
    i32: |a, b| a.wrapping_add(b);
    u8: |a, b| a.wrapping_add(b);
    bool: |a, b| a | b;
}
macro_rules! half_plus {
    ($($t:ident)*) => {$(
        impl Plus for $t {
            type Sum = f32;
            const WIDER: bool = true;
            #[inline(always)]
            fn widen(self) -> f32 { self.to_f32() }
            #[inline(always)]
            fn narrow(sum: f32) -> $t { $t::from_f32(sum) }
            #[inline(always)]
            fn plus(sum: f32, v: $t) -> f32 { sum + v.to_f32() }
        }
    )*};
}
half_plus!(f16 bf16);

/// Adds the elements of `line` to those of `to`.
#[inline]
pub(super) fn add_line<T: Plus>(to: &mut [T], line: &[T]) {
    for (to, &v) in to.iter_mut().zip(line) {
        *to = T::narrow(T::plus(to.widen(), v));
    }
}

/// Copies the logical elements from `start` on of a view of `data` to `to`. A collapsed layout makes it fastest.
#[inline]
pub(super) fn copy<T: Copy>(data: &[T], layout: &Layout, start: usize, to: &mut [T]) {
    let mut at = 0;
    layout.runs(start, to.len(), |offset, stride, count| {
        let part = &mut to[at..at + count];
        match stride {
            1 => part.copy_from_slice(&data[offset..offset + count]),
            0 => part.fill(data[offset]),
            _ => {
                let from = (0_isize..).map(|i| (offset as isize + i * stride) as usize);
                part.iter_mut().zip(from).for_each(|(to, from)| *to = data[from]);
            }
        }
        at += count;
    });
}

/// A view as `[outer, n, width]`: `n` lines along one axis, for each index of the axes before it.
pub(super) struct Lines<'a, T> {
    data: &'a [T],
    outer: Layout,
    stride: isize,
    inner: Layout,
    /// Elements of a line.
    pub(super) width: usize,
}
impl<'a, T: Element> Lines<'a, T> {
    /// The lines of `x` along `axis`.
    pub(super) fn of(x: &View<'a>, axis: usize) -> Lines<'a, T> {
        let layout = x.layout();
        let part = |from: usize, to: usize| Layout {
            shape: layout.shape[from..to].iter().copied().collect(),
            strides: layout.strides[from..to].into(),
            offset: 0,
        };
        let outer = part(0, axis).collapsed().at(layout.offset);
        let inner = part(axis + 1, layout.rank()).collapsed();
        let width = inner.numel();
        Lines { data: x.data(), outer, stride: layout.strides[axis], inner, width }
    }
    /// Where the lines of outer index `o` start.
    #[inline]
    pub(super) fn base(&self, o: usize) -> isize {
        self.outer.flat_offset(o) as isize
    }
    /// The element at `i` from [`Lines::base`], of lines of width 1.
    #[inline]
    pub(super) fn at(&self, base: isize, i: usize) -> T {
        self.data[(base + i as isize * self.stride) as usize]
    }
    /// Copies line `i` of those that start at `base`.
    #[inline]
    pub(super) fn copy(&self, base: isize, i: usize, to: &mut [T]) {
        let start = base + i as isize * self.stride;
        match (self.inner.shape.first(), self.inner.strides.first()) {
            (None, _) => to[0] = self.data[start as usize],
            (Some(&n), Some(1)) if self.inner.rank() == 1 => {
                to.copy_from_slice(&self.data[start as usize..start as usize + n]);
            }
            _ => {
                let mut at = 0;
                // From 0 and with negative strides offsets wrap around, and back as they are added.
                self.inner.runs(0, to.len(), |offset, stride, count| {
                    let first = start + offset as isize;
                    for (i, to) in to[at..at + count].iter_mut().enumerate() {
                        *to = self.data[(first + i as isize * stride) as usize];
                    }
                    at += count;
                });
            }
        }
    }
}

/// The elements of `x` in dense order; several threads copy large views, in tiles where memory runs across the
/// rows of the result.
pub(super) fn gather<T: Element>(x: &View<'_>, to: &mut [T]) {
    let (data, layout) = (x.data::<T>(), x.layout().collapsed());
    let last = layout.rank().saturating_sub(1);
    let across = (0..last).filter(|&axis| layout.strides[axis] == 1).max_by_key(|&axis| layout.shape[axis]);
    match across {
        Some(axis) if layout.strides[last].unsigned_abs() > 1 && layout.shape[axis] >= TILE => {
            transpose(data, &layout, axis, to);
        }
        _ => for_chunks(to, PART, 1, |i, part| copy(data, &layout, i * PART, part)),
    }
}

/// Rows and columns of a tile: a line of the cache of `f32`.
const TILE: usize = 16;

/// [`gather`] where `axis` has stride 1 and the last axis has not.
fn transpose<T: Element>(data: &[T], layout: &Layout, axis: usize, to: &mut [T]) {
    let last = layout.rank() - 1;
    let (rows, columns) = (layout.shape[axis], layout.shape[last]);
    let middle: usize = layout.shape[axis + 1..last].iter().product();
    // Rows of the result that lie side by side in memory are `pitch` apart in the result.
    let pitch = middle * columns;
    let bands = rows.div_ceil(TILE);
    let part = |from: usize, to: usize| Layout {
        shape: layout.shape[from..to].iter().copied().collect(),
        strides: layout.strides[from..to].into(),
        offset: 0,
    };
    let (outer, between) = (part(0, axis), part(axis + 1, last));
    let step = layout.strides[last];
    let mut blocks: Vec<&mut [T]> = Vec::with_capacity(bands * (to.len() / (rows * pitch).max(1)));
    for block in to.chunks_mut(rows * pitch) {
        blocks.extend(block.chunks_mut(TILE * pitch));
    }
    for_chunks(&mut blocks, 1, TILE * pitch, |i, block| {
        let (o, band) = (i / bands, i % bands);
        let first = layout.offset as isize + signed(&outer, o) + (band * TILE) as isize;
        for m in 0..middle {
            let from = first + signed(&between, m);
            for block in block.iter_mut() {
                turn(data, from, step, &mut block[m * columns..], columns, pitch);
            }
        }
    });
}
/// The distance from the first element of a layout to its `i`-th, which may lie before it.
fn signed(layout: &Layout, i: usize) -> isize {
    let (mut rest, mut at) = (i, 0);
    for (&size, &stride) in layout.shape.iter().zip(&layout.strides).rev() {
        at += (rest % size) as isize * stride;
        rest /= size;
    }
    at
}
/// Writes rows `pitch` apart: row `r`, column `c` is the element `r + c * step` from `from`. The last row may end
/// where its columns do.
fn turn<T: Copy>(data: &[T], from: isize, step: isize, to: &mut [T], columns: usize, pitch: usize) {
    let rows = (to.len() + pitch - columns) / pitch;
    let mut c = 0;
    while c < columns {
        let n = TILE.min(columns - c);
        let lines = |j: usize| {
            let at = (from + (c + j) as isize * step) as usize;
            &data[at..at + rows]
        };
        if n == TILE && rows == TILE {
            let lines: [&[T; TILE]; TILE] =
                std::array::from_fn(|j| lines(j).first_chunk().expect("as many elements as rows"));
            for r in 0..TILE {
                let row: [T; TILE] = std::array::from_fn(|j| lines[j][r]);
                to[r * pitch + c..][..TILE].copy_from_slice(&row);
            }
        } else {
            for j in 0..n {
                for (r, &v) in lines(j).iter().enumerate() {
                    to[r * pitch + c + j] = v;
                }
            }
        }
        c += n;
    }
}
