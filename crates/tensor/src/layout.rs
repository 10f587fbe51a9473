//! Strided layouts: where the elements of a view lie, as pure arithmetic.
//!
//! A [`Layout`] maps a multi-index to an element offset, `offset + sum of index * stride`, in elements. Every
//! view (slice, transpose, broadcast, windows, diagonal) is a layout over an unchanged buffer. Arguments are
//! checked by `shape` and `index` before they come here; this room only asserts them in debug builds.
//!
//! No data, no dtype, no errors. Views may overlap: layouts are only read through.
//!
//! Invariant: for every index of the axes that are not empty, the offset is in the buffer, even if the view
//! has no elements because another axis is empty.

use smallvec::SmallVec;

use crate::shape::Shape;

/// One stride per axis, in elements; negative on a flipped axis, 0 on a broadcast one.
pub type Strides = SmallVec<[isize; 6]>;

/// Sizes, strides and the offset of the first element.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Layout {
    /// The size of each axis.
    pub shape: Shape,
    /// The distance between neighbours along each axis. It means nothing on an axis of size 1.
    pub strides: Strides,
    /// The place of the element at index 0, 0, ...
    pub offset: usize,
}

impl Clone for Layout {
    /// As plain memory, like shapes.
    #[inline]
    fn clone(&self) -> Layout {
        let strides = Strides::from_slice(&self.strides);
        Layout { shape: self.shape.clone(), strides, offset: self.offset }
    }
}

impl Layout {
    /// Row-major order without gaps, from offset 0.
    pub fn dense(shape: impl Into<Shape>) -> Layout {
        let shape = shape.into();
        let mut strides = Strides::from_elem(0, shape.rank());
        let mut next = 1_isize;
        for (stride, &size) in strides.iter_mut().zip(&shape).rev() {
            *stride = next;
            next *= size.max(1) as isize;
        }
        Layout { shape, strides, offset: 0 }
    }

    /// The same layout, its first element at `offset`.
    #[must_use]
    pub fn at(mut self, offset: usize) -> Layout {
        self.offset = offset;
        self
    }

    /// The number of axes.
    pub fn rank(&self) -> usize {
        self.shape.rank()
    }

    /// The number of elements that the view shows, repeated ones counted each time.
    pub fn numel(&self) -> usize {
        self.shape.numel()
    }

    /// Whether the view has no elements.
    pub fn is_empty(&self) -> bool {
        self.shape.contains(&0)
    }

    /// Size and stride of each axis, outermost first.
    fn axes(&self) -> impl DoubleEndedIterator<Item = (usize, isize)> + '_ {
        self.shape.iter().copied().zip(self.strides.iter().copied())
    }

    /// Whether the elements lie in row-major order without gaps, from wherever `offset` is.
    ///
    /// Axes of size 1 do not matter, and a view without elements is dense.
    pub fn is_dense(&self) -> bool {
        let mut next = 1_isize;
        for (size, stride) in self.axes().rev() {
            if size != 1 && stride != next {
                return self.is_empty();
            }
            next *= size as isize;
        }
        true
    }

    /// Whether reading in logical order is reading across memory, as in a transposed matrix: neighbours are `line`
    /// elements apart or more, and further than elements along another axis.
    pub fn is_turned(&self, line: usize) -> bool {
        let mut axes =
            self.shape.iter().zip(&self.strides).filter(|(n, _)| **n > 1).map(|(_, s)| s.unsigned_abs());
        let apart = axes.next_back().unwrap_or(0);
        apart >= line && axes.any(|s| 0 < s && s < apart)
    }
    /// Whether some element is shown more than once because an axis is broadcast.
    pub fn is_broadcast(&self) -> bool {
        self.axes().any(|(size, stride)| size > 1 && stride == 0)
    }

    /// The view stretched to `shape`: new leading axes and axes of size 1 repeat, by stride 0.
    #[must_use]
    pub fn broadcast_to(&self, shape: &Shape) -> Layout {
        let lead = shape.rank() - self.rank();
        let mut strides = Strides::from_elem(0, lead);
        for (at, (size, stride)) in self.axes().enumerate() {
            debug_assert!(size == 1 || size == shape[lead + at], "{} to {shape}", self.shape);
            strides.push(if size == shape[lead + at] { stride } else { 0 });
        }
        Layout { shape: shape.clone(), strides, offset: self.offset }
    }

    /// The view whose axis `i` is axis `order[i]` of this one.
    #[must_use]
    pub fn permute(&self, order: &[usize]) -> Layout {
        debug_assert_eq!(order.len(), self.rank());
        Layout {
            shape: order.iter().map(|&axis| self.shape[axis]).collect(),
            strides: order.iter().map(|&axis| self.strides[axis]).collect(),
            offset: self.offset,
        }
    }

    /// The same elements in the same logical order under another shape, or `None` if that takes a copy.
    ///
    /// `shape` must have as many elements.
    pub fn reshape(&self, shape: &Shape) -> Option<Layout> {
        debug_assert_eq!(shape.numel(), self.numel(), "{} to {shape}", self.shape);
        let mut out = Layout::dense(shape).at(self.offset);
        if self.is_empty() {
            return Some(out);
        }
        // In the collapsed layout no two axes can be merged, so no new axis may lie across two of them:
        // each old axis, from the last, must be cut exactly into new ones.
        let old = self.collapsed();
        let mut rest = old.axes().rev();
        let (mut left, mut next) = (1, 1);
        for at in (0..shape.rank()).rev() {
            let size = shape[at];
            if size != 1 {
                if left == 1 {
                    (left, next) = rest.next()?;
                }
                if left % size != 0 {
                    return None;
                }
                left /= size;
            }
            out.strides[at] = next;
            next *= size as isize;
        }
        Some(out)
    }

    /// `len` elements of `axis`: `start`, `start + step`, ...; `step` may be negative, not 0.
    #[must_use]
    pub fn slice(&self, axis: usize, start: usize, step: isize, len: usize) -> Layout {
        let mut out = self.clone();
        out.shape[axis] = len;
        if len > 0 {
            debug_assert!(step != 0 && start < self.shape[axis]);
            out.offset = self.moved(axis, start);
        }
        if len > 1 {
            let last = start as isize + (len as isize - 1) * step;
            debug_assert!((0..self.shape[axis] as isize).contains(&last));
            out.strides[axis] *= step;
        }
        out
    }

    /// `axis` in reverse order.
    #[must_use]
    pub fn flip(&self, axis: usize) -> Layout {
        let size = self.shape[axis];
        self.slice(axis, size.saturating_sub(1), -1, size)
    }

    /// The part at `index` of `axis`, which goes.
    #[must_use]
    pub fn select(&self, axis: usize, index: usize) -> Layout {
        debug_assert!(index < self.shape[axis]);
        let mut out = self.clone();
        out.offset = self.moved(axis, index);
        out.remove_axis(axis);
        out
    }

    /// The view without `axis`, whose size is 1.
    #[must_use]
    pub fn squeeze(&self, axis: usize) -> Layout {
        debug_assert_eq!(self.shape[axis], 1);
        self.select(axis, 0)
    }

    /// The view with an axis of size 1 put before axis `at`, or last if `at` is the rank.
    #[must_use]
    pub fn insert_axis(&self, at: usize) -> Layout {
        let mut out = self.clone();
        // The stride that keeps a dense layout equal to `dense` of the new shape.
        let stride = if at < self.rank() { self.strides[at] * self.shape[at].max(1) as isize } else { 1 };
        out.shape.insert(at, 1);
        out.strides.insert(at, stride);
        out
    }

    /// The elements where index 2 is index 1 plus `offset`, along a new last axis; both axes go.
    #[must_use]
    pub fn diagonal(&self, offset: isize, axis1: usize, axis2: usize) -> Layout {
        debug_assert_ne!(axis1, axis2);
        let distance = offset.unsigned_abs();
        let (down, right) = if offset < 0 { (distance, 0) } else { (0, distance) };
        let rows = self.shape[axis1].saturating_sub(down);
        let columns = self.shape[axis2].saturating_sub(right);
        let len = rows.min(columns);
        let mut out = self.clone();
        if len > 0 {
            out.offset = out.moved(axis1, down);
            out.offset = out.moved(axis2, right);
        }
        out.remove_axis(axis1.max(axis2));
        out.remove_axis(axis1.min(axis2));
        out.shape.push(len);
        out.strides.push(self.strides[axis1] + self.strides[axis2]);
        out
    }

    /// Sliding windows over `axis`: it counts windows, `step` apart, and a new last axis runs within one,
    /// over
    /// `size` elements `dilation` apart. Windows that would not fit whole are left out.
    #[must_use]
    pub fn windows(&self, axis: usize, size: usize, step: usize, dilation: usize) -> Layout {
        debug_assert!(size > 0 && step > 0 && dilation > 0);
        let extent = (size - 1) * dilation + 1;
        let count = self.shape[axis].checked_sub(extent).map_or(0, |room| room / step + 1);
        let mut out = self.clone();
        out.shape[axis] = count;
        out.shape.push(size);
        // Without a window, stepping through one would leave the buffer.
        out.strides.push(if count > 0 { self.strides[axis] * dilation as isize } else { 0 });
        if count > 1 {
            out.strides[axis] *= step as isize;
        }
        out
    }

    /// The offset after `steps` along `axis`.
    fn moved(&self, axis: usize, steps: usize) -> usize {
        (self.offset as isize + steps as isize * self.strides[axis]) as usize
    }

    fn remove_axis(&mut self, axis: usize) {
        self.shape.remove(axis);
        self.strides.remove(axis);
    }

    /// The offset of the element at `index`.
    pub fn offset_at(&self, index: &[usize]) -> usize {
        debug_assert_eq!(index.len(), self.rank());
        let reach: isize = index.iter().zip(&self.strides).map(|(&i, &stride)| i as isize * stride).sum();
        (self.offset as isize + reach) as usize
    }

    /// The offset of the `i`-th element in logical (row-major) order.
    pub fn flat_offset(&self, i: usize) -> usize {
        debug_assert!(i < self.numel());
        let (mut rest, mut at) = (i, self.offset as isize);
        for (size, stride) in self.axes().rev() {
            at += (rest % size) as isize * stride;
            rest /= size;
        }
        at as usize
    }

    /// The same elements in the same logical order with as few axes as possible.
    ///
    /// A dense view comes out with one axis, a view of one element with none, an empty one with one of size
    /// 0.
    #[must_use]
    pub fn collapsed(&self) -> Layout {
        if self.is_empty() {
            return Layout::dense([0]).at(self.offset);
        }
        let mut out = Layout { shape: Shape::scalar(), strides: Strides::new(), offset: self.offset };
        for (size, stride) in self.axes().filter(|&(size, _)| size != 1) {
            match (out.shape.last_mut(), out.strides.last_mut()) {
                (Some(outer), Some(step)) if *step == stride * size as isize => {
                    *outer *= size;
                    *step = stride;
                }
                _ => {
                    out.shape.push(size);
                    out.strides.push(stride);
                }
            }
        }
        out
    }

    /// The smallest and the largest offset of an element, or `None` if there is none.
    pub fn span(&self) -> Option<(usize, usize)> {
        if self.is_empty() {
            return None;
        }
        let (mut low, mut high) = (self.offset as isize, self.offset as isize);
        for (size, stride) in self.axes() {
            let reach = (size as isize - 1) * stride;
            *(if reach < 0 { &mut low } else { &mut high }) += reach;
        }
        Some((low as usize, high as usize))
    }

    /// Calls `f(offset, stride, count)` for each run that covers logical elements `start..start + len`, in
    /// order.
    ///
    /// A run stays within one row of the innermost axis that has more than one element. On a
    /// [`collapsed`](Layout::collapsed) layout runs are longest: collapse once, then call this block by
    /// block.
    #[inline]
    pub fn runs(&self, start: usize, len: usize, mut f: impl FnMut(usize, isize, usize)) {
        debug_assert!(start + len <= self.numel());
        if len == 0 {
            return;
        }
        let Some(inner) = self.shape.iter().rposition(|&size| size != 1) else {
            return f(self.offset, 1, 1);
        };
        let (size, stride) = (self.shape[inner], self.strides[inner]);
        let (shape, strides) = (&self.shape[..inner], &self.strides[..inner]);
        let mut column = start % size;
        if column + len <= size && inner == 0 {
            return f((self.offset as isize + column as isize * stride) as usize, stride, len);
        }
        let (mut rest, mut row) = (start / size, self.offset as isize);
        let mut index: SmallVec<[usize; 6]> = SmallVec::from_elem(0, inner);
        for at in (0..inner).rev() {
            index[at] = rest % shape[at];
            rest /= shape[at];
            row += index[at] as isize * strides[at];
        }
        let mut left = len;
        loop {
            let count = left.min(size - column);
            f((row + column as isize * stride) as usize, stride, count);
            left -= count;
            if left == 0 {
                return;
            }
            column = 0;
            for ((i, &size), &stride) in index.iter_mut().zip(shape).zip(strides).rev() {
                *i += 1;
                row += stride;
                if *i < size {
                    break;
                }
                row -= size as isize * stride;
                *i = 0;
            }
        }
    }
}

#[cfg(test)]
mod tests;
