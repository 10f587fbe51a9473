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
        let outer = part(layout, 0, axis).collapsed().at(layout.offset);
        let inner = part(layout, axis + 1, layout.rank()).collapsed();
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
    /// Line `i` of those that start at `base`, where its elements lie side by side.
    #[inline]
    pub(super) fn slice(&self, base: isize, i: usize) -> Option<&'a [T]> {
        let start = (base + i as isize * self.stride) as usize;
        match (&self.inner.shape[..], &self.inner.strides[..]) {
            ([], _) => Some(&self.data[start..=start]),
            ([n], [1]) => Some(&self.data[start..start + n]),
            _ => None,
        }
    }
    /// Copies line `i` of those that start at `base`.
    #[inline]
    pub(super) fn copy(&self, base: isize, i: usize, to: &mut [T]) {
        if let Some(line) = self.slice(base, i) {
            return to.copy_from_slice(line);
        }
        let start = base + i as isize * self.stride;
        if self.inner.strides[..] == [0] {
            return to.fill(self.data[start as usize]);
        }
        let mut at = 0;
        // From 0 and with negative strides offsets wrap around, and back as they are added.
        self.inner.runs(0, to.len(), |offset, stride, count| {
            let (first, part) = (start + offset as isize, &mut to[at..at + count]);
            if stride == 0 {
                part.fill(self.data[first as usize]);
            } else {
                for (i, to) in part.iter_mut().enumerate() {
                    *to = self.data[(first + i as isize * stride) as usize];
                }
            }
            at += count;
        });
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
/// Rows that are written together, so that a page of the source gives several lines of the cache at a time.
const BAND: usize = 8 * TILE;

/// [`gather`] where `axis` has stride 1 and the last axis has not.
fn transpose<T: Element>(data: &[T], layout: &Layout, axis: usize, to: &mut [T]) {
    let last = layout.rank() - 1;
    let (rows, columns) = (layout.shape[axis], layout.shape[last]);
    let middle: usize = layout.shape[axis + 1..last].iter().product();
    // Elements that are neighbours in the source are `pitch` apart in the result.
    let pitch = middle * columns;
    let bands = rows.div_ceil(BAND);
    let (outer, between) = (part(layout, 0, axis), part(layout, axis + 1, last));
    let mut blocks: Vec<&mut [T]> = Vec::with_capacity(bands);
    for matrix in to.chunks_mut((rows * pitch).max(1)) {
        blocks.extend(matrix.chunks_mut(BAND * pitch));
    }
    for_chunks(&mut blocks, 1, BAND.min(rows) * pitch, |i, block| {
        let first = layout.offset as isize + signed(&outer, i / bands) + (i % bands * BAND) as isize;
        for block in block {
            for m in 0..middle {
                let from = first + signed(&between, m);
                turn(data, from, layout.strides[last], &mut block[m * columns..], columns, pitch);
            }
        }
    });
}
/// Axes `from` to `to` of a layout, from offset 0.
fn part(layout: &Layout, from: usize, to: usize) -> Layout {
    let shape = layout.shape[from..to].iter().copied().collect();
    Layout { shape, strides: layout.strides[from..to].into(), offset: 0 }
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
    for c in (0..columns).step_by(TILE) {
        for r in (0..rows).step_by(TILE) {
            let line = |j: usize| &data[(from + r as isize + (c + j) as isize * step) as usize..];
            let to = &mut to[r * pitch + c..];
            if r + TILE <= rows && c + TILE <= columns {
                let lines: [&[T; TILE]; TILE] =
                    std::array::from_fn(|j| line(j).first_chunk().expect("a line of a whole tile"));
                for r in 0..TILE {
                    let row: [T; TILE] = std::array::from_fn(|j| lines[j][r]);
                    to[r * pitch..][..TILE].copy_from_slice(&row);
                }
                continue;
            }
            for j in 0..TILE.min(columns - c) {
                for (r, &v) in line(j)[..TILE.min(rows - r)].iter().enumerate() {
                    to[r * pitch + j] = v;
                }
            }
        }
    }
}
