//! The largest element of each window: positions are found, and values gathered by them, so that gradients are exact
//! to any order. Over any number of spatial axes, the last ones; all axes before them are examples and channels.
use super::lines::PART;
use super::sort::key;
use super::spatial::{Slide, resized, spatial};
use crate::Tensor;
use crate::apply;
use crate::call::{Call, View, by_dtype, for_chunks};
use crate::dtype::{Element, I64};
use crate::entry::{Attrs, Entry};
use crate::error::{Error, ErrorKind, OrRaise, raise};
use crate::op::{Batch, Gradient, Kernel, Op, Spec, Specs};
use crate::shape::{self, Shape};
use smallvec::{SmallVec, smallvec};
use std::ops::Range;
use std::sync::Arc;

/// Windows of [`Tensor::max_pool`], made of a kernel: `[2, 2].into()`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaxPool<const N: usize> {
    /// Positions of a window along each axis.
    pub kernel: [usize; N],
    /// How far apart windows are; as far as they are long, if not given.
    pub stride: [usize; N],
    /// Places before and after each axis, which are never the largest; at most half a window.
    pub padding: [usize; N],
    /// How far apart the positions of a window are.
    pub dilation: [usize; N],
    /// Whether a last window that does not fit counts as well, with the elements it has.
    pub ceil_mode: bool,
}
impl<const N: usize> From<[usize; N]> for MaxPool<N> {
    fn from(kernel: [usize; N]) -> Self {
        Self { kernel, stride: kernel, padding: [0; N], dilation: [1; N], ceil_mode: false }
    }
}

/// The windows along one axis, cut to what lies on it.
#[derive(Debug)]
struct Windows {
    ranges: Vec<Range<usize>>,
    dilation: usize,
}
impl Windows {
    fn sliding(op: &'static str, slide: Slide, n: usize, ceil: bool) -> Result<Windows, Error> {
        let count = slide.count(op, n, ceil)?;
        slide.check_padding(op, n)?;
        let range = |i: usize| {
            let (start, d) = (i * slide.step, slide.dilation);
            // The first position of the window that is on the axis.
            let first = if start < slide.pad { start + (slide.pad - start).div_ceil(d) * d } else { start };
            first - slide.pad..(start + slide.reach()).saturating_sub(slide.pad).min(n)
        };
        let ranges: Vec<_> = (0..count).map(range).collect();
        if ranges.iter().any(Range::is_empty) {
            let detail =
                format!("a window without elements: {slide:?} on an axis of size {n}; use less padding");
            return Err(Error::new(op, ErrorKind::Value, detail));
        }
        Ok(Windows { ranges, dilation: slide.dilation })
    }
    /// As many windows as even parts, which overlap where the size is no multiple.
    fn even(op: &'static str, n: usize, count: usize) -> Result<Windows, Error> {
        Ok(Windows { ranges: parts(op, n, count)?, dilation: 1 })
    }
}
/// The parts of [`Tensor::adaptive_avg_pool`] along an axis.
pub(super) fn parts(op: &'static str, n: usize, count: usize) -> Result<Vec<Range<usize>>, Error> {
    if n == 0 && count > 0 {
        let detail =
            format!("no elements: {count} parts of an axis of size 0; it needs at least one element");
        return Err(Error::new(op, ErrorKind::Shape, detail));
    }
    Ok((0..count).map(|i| i * n / count..((i + 1) * n).div_ceil(count)).collect())
}

/// For each window the position of its largest element, the first of equal ones or the first NaN, counted over all
/// spatial axes.
#[derive(Clone, Debug)]
struct Largest {
    name: &'static str,
    windows: Arc<SmallVec<[Windows; 3]>>,
}
impl Op for Largest {
    fn name(&self) -> &'static str {
        self.name
    }
    fn infer(&self, x: &[Spec]) -> Result<Specs, Error> {
        let sizes: SmallVec<[usize; 3]> = self.windows.iter().map(|w| w.ranges.len()).collect();
        let shape = shape::countable(self.name, resized(&x[0].shape, &sizes))?;
        Ok(smallvec![Spec { shape, dtype: I64 }])
    }
    fn kernel(&self, x: &[Spec], _: &[Spec]) -> Kernel {
        let (windows, dtype) = (self.windows.clone(), x[0].dtype);
        Kernel::Call(Call::new("max_pool", move |x, out| {
            by_dtype!(dtype, T => largest::<T>(&x[0], &windows, out[0].data()));
        }))
    }
    fn flops(&self, _: &[Spec], out: &[Spec]) -> u64 {
        // A comparison for each element of a window; at the edge there may be fewer.
        let window = |w: &Windows| w.ranges.iter().map(ExactSizeIterator::len).max().unwrap_or(0);
        (out[0].shape.numel() * self.windows.iter().map(window).product::<usize>()) as u64
    }
    fn gradient(&self) -> Gradient {
        Gradient::None("positions are integers")
    }
    fn batch(&self, _: &[Spec], _: &[usize], _: u64) -> Batch {
        Batch::whole(self.clone())
    }
}
fn largest<T: Element>(x: &View<'_>, windows: &[Windows], out: &mut [i64]) {
    let sizes: SmallVec<[usize; 3]> = x.shape()[x.shape().rank() - windows.len()..].into();
    let volume: usize = sizes.iter().product();
    let (row, x) = (windows.last().map_or(1, |w| w.ranges.len()), x.dense::<T>());
    // All axes but the last: a row of results has one window of each.
    let (last, outer) = windows.split_last().expect("a spatial axis");
    let rows: usize = outer.iter().map(|w| w.ranges.len()).product();
    let work = windows.iter().map(|w| w.ranges.first().map_or(1, Range::len)).product();
    let lines = (PART / row.max(1)).max(1);
    for_chunks(out, lines * row, work, |chunk, part| {
        let mut starts = Vec::new();
        for (i, line) in part.chunks_mut(row).enumerate() {
            let (example, at) = ((chunk * lines + i) / rows, (chunk * lines + i) % rows);
            let x = &x[example * volume..][..volume];
            line_starts(outer, &sizes, at, &mut starts);
            for (to, range) in line.iter_mut().zip(&last.ranges) {
                let mut best = (0, usize::MAX);
                for &start in &starts {
                    for i in range.clone().step_by(last.dilation) {
                        let k = key(x[start + i], true);
                        if k > best.0 || best.1 == usize::MAX {
                            best = (k, start + i);
                        }
                    }
                }
                *to = best.1 as i64;
            }
        }
    });
}
/// Where the lines along the last axis begin that window `at` of the other axes holds, in order.
fn line_starts(windows: &[Windows], sizes: &[usize], at: usize, starts: &mut Vec<usize>) {
    starts.clear();
    starts.push(0);
    let mut rest = at;
    let mut index: SmallVec<[usize; 3]> = smallvec![0; windows.len()];
    for (axis, w) in windows.iter().enumerate().rev() {
        index[axis] = rest % w.ranges.len();
        rest /= w.ranges.len();
    }
    for (axis, w) in windows.iter().enumerate() {
        let range = || w.ranges[index[axis]].clone().step_by(w.dilation);
        let step: usize = sizes[axis + 1..].iter().product();
        *starts = starts.iter().flat_map(|start| range().map(move |i| start + i * step)).collect();
    }
}

impl Tensor {
    /// The largest element of each window over the last `N` axes; PyTorch's `max_pool1d` to `max_pool3d`.
    ///
    /// Composite of a search for positions and [`Tensor::gather`].
    ///
    /// A NaN counts as larger than every number. *Gradient:* `g` added at the largest element, the first of equal ones.
    ///
    /// ```
    /// use retrograd_tensor::{MaxPool, Tensor};
    /// let x = Tensor::from([[1.0f32, 2.0, 3.0], [4.0, 5.0, 6.0]]);
    /// assert_eq!(x.max_pool([2, 2]).to_vec::<f32>(), [5.0]);
    /// let windows = MaxPool { stride: [1, 1], ..[2, 2].into() };
    /// assert_eq!(x.max_pool(windows).to_vec::<f32>(), [5.0, 6.0]);
    /// ```
    ///
    /// # Panics
    /// If there are fewer than `N` axes, no window fits, the padding is more than half a window, or a window has no
    /// element.
    #[track_caller]
    pub fn max_pool<const N: usize>(&self, windows: impl Into<MaxPool<N>>) -> Tensor {
        self.max_pool_indices(windows).0
    }
    /// [`Tensor::max_pool`], and for each window the position of its largest element, counted in row-major order over
    /// the last `N` axes: what [`Tensor::max_unpool`] takes.
    ///
    /// Composite of a search for positions and [`Tensor::gather`].
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let (y, at) = Tensor::from([[1.0f32, 2.0], [4.0, 3.0]]).max_pool_indices([2, 2]);
    /// assert_eq!((y.to_vec::<f32>(), at.to_vec::<i64>()), (vec![4.0], vec![2]));
    /// ```
    ///
    /// # Panics
    /// As [`Tensor::max_pool`].
    #[track_caller]
    pub fn max_pool_indices<const N: usize>(&self, windows: impl Into<MaxPool<N>>) -> (Tensor, Tensor) {
        const OP: &str = "max_pool";
        let MaxPool { kernel, stride, padding, dilation, ceil_mode } = windows.into();
        let sizes = spatial::<N>(OP, self.shape()).or_raise();
        let slides = Slide::along(kernel, stride, padding, dilation);
        let windows = slides.iter().zip(sizes).map(|(&slide, n)| Windows::sliding(OP, slide, n, ceil_mode));
        self.largest(OP, windows.collect::<Result<_, _>>().or_raise())
    }
    /// The largest element of each of `sizes` parts of the last `N` axes, as [`Tensor::adaptive_avg_pool`] makes them;
    /// PyTorch's `adaptive_max_pool1d` to `adaptive_max_pool3d`.
    ///
    /// Composite of a search for positions and [`Tensor::gather`].
    ///
    /// *Gradient:* as [`Tensor::max_pool`].
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([1.0f32, 3.0, 2.0]).adaptive_max_pool([2]).to_vec::<f32>(), [3.0, 3.0]);
    /// ```
    ///
    /// # Panics
    /// If there are fewer than `N` axes, or one of them is empty.
    #[track_caller]
    pub fn adaptive_max_pool<const N: usize>(&self, sizes: [usize; N]) -> Tensor {
        self.adaptive_max_pool_indices(sizes).0
    }
    /// [`Tensor::adaptive_max_pool`], and the positions as [`Tensor::max_pool_indices`] gives them.
    ///
    /// Composite of a search for positions and [`Tensor::gather`].
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let (_, at) = Tensor::from([1.0f32, 3.0, 2.0]).adaptive_max_pool_indices([2]);
    /// assert_eq!(at.to_vec::<i64>(), [1, 1]);
    /// ```
    ///
    /// # Panics
    /// As [`Tensor::adaptive_max_pool`].
    #[track_caller]
    pub fn adaptive_max_pool_indices<const N: usize>(&self, sizes: [usize; N]) -> (Tensor, Tensor) {
        const OP: &str = "adaptive_max_pool";
        let from = spatial::<N>(OP, self.shape()).or_raise();
        let windows = from.iter().zip(sizes).map(|(&n, count)| Windows::even(OP, n, count));
        self.largest(OP, windows.collect::<Result<_, _>>().or_raise())
    }
    #[track_caller]
    fn largest(&self, name: &'static str, windows: SmallVec<[Windows; 3]>) -> (Tensor, Tensor) {
        let rank = windows.len();
        if rank == 0 {
            let detail = "no spatial axes: windows of no axes; it takes at least one";
            raise(Error::new(name, ErrorKind::Shape, detail));
        }
        let at = apply::op(Largest { name, windows: Arc::new(windows) }, &[self]);
        let values = self.volumes(rank).gathered(self.rank() - rank, &at.volumes(rank));
        (values.reshaped(at.shape()), at)
    }
    /// This tensor with its last `rank` axes as one.
    #[track_caller]
    fn volumes(&self, rank: usize) -> Tensor {
        let volume = self.shape()[self.rank() - rank..].iter().product();
        let mut to: Shape = self.shape()[..self.rank() - rank].into();
        to.push(volume);
        self.reshaped(&to)
    }
    /// Zeros with these elements at the positions `indices`, which [`Tensor::max_pool_indices`] gave, of last axes of
    /// `sizes`: PyTorch's `max_unpool1d` to `max_unpool3d`.
    ///
    /// Composite of [`Tensor::scatter`].
    ///
    /// Of several elements with one position the last stays. *Gradient:* `g` at these positions, 0 for elements that
    /// were written over.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let (y, at) = Tensor::from([1.0f32, 2.0, 4.0, 3.0]).max_pool_indices([2]);
    /// assert_eq!(y.max_unpool(&at, [4]).to_vec::<f32>(), [0.0, 2.0, 4.0, 0.0]);
    /// ```
    ///
    /// # Panics
    /// If there are fewer than `N` axes, `indices` has not this shape, or does not hold positions.
    #[track_caller]
    pub fn max_unpool<const N: usize>(&self, indices: &Tensor, sizes: [usize; N]) -> Tensor {
        const OP: &str = "max_unpool";
        spatial::<N>(OP, self.shape()).or_raise();
        if indices.shape() != self.shape() {
            let given = format!("{} positions for shape {}", indices.shape(), self.shape());
            raise(Error::new(OP, ErrorKind::Shape, format!("shapes differ: {given}; each takes one")));
        }
        let to = shape::countable(OP, resized(self.shape(), &sizes)).or_raise();
        let zeros = self.dtype().zeros(to.clone()).volumes(N);
        zeros.scatter(-1, &indices.volumes(N), self.volumes(N)).reshaped(&to)
    }
}

/// The list of sizes `name` of a case.
pub(super) fn sizes<const N: usize>(a: &Attrs, name: &str) -> [usize; N] {
    let list = a.ints(name);
    std::array::from_fn(|i| list[i] as usize)
}
/// As [`sizes`], where it may be absent.
pub(super) fn sizes_or<const N: usize>(a: &Attrs, name: &str, default: [usize; N]) -> [usize; N] {
    if a.has(name) { sizes(a, name) } else { default }
}
fn max_pool<const N: usize>(x: &[Tensor], a: &Attrs) -> Vec<Tensor> {
    let kernel = sizes(a, "kernel");
    let windows = MaxPool::<N> {
        stride: sizes_or(a, "stride", kernel),
        padding: sizes_or(a, "padding", [0; N]),
        dilation: sizes_or(a, "dilation", [1; N]),
        ceil_mode: a.bool_or("ceil_mode", false),
        ..kernel.into()
    };
    let (y, at) = x[0].max_pool_indices(windows);
    vec![y, at]
}
fn adaptive<const N: usize>(x: &[Tensor], a: &Attrs) -> Vec<Tensor> {
    let (y, at) = x[0].adaptive_max_pool_indices::<N>(sizes(a, "output"));
    vec![y, at]
}
/// What the reference cases call.
pub(crate) const ENTRIES: &[Entry] = &[
    Entry::new("max_pool1d", max_pool::<1>),
    Entry::new("max_pool2d", max_pool::<2>),
    Entry::new("max_pool3d", max_pool::<3>),
    Entry::new("adaptive_max_pool2d", adaptive::<2>),
];
