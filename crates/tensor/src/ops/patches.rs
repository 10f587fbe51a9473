//! Patches of spatial axes as columns and back, and elements moved between channels and space: compositions of views.
use super::pool::{sizes, sizes_or};
use super::spatial::{Slide, spatial};
use super::windows::Windows;
use crate::Tensor;
use crate::entry::{Attrs, Entry};
use crate::error::{Error, ErrorKind, OrRaise, raise};
use crate::ops::pad::PadMode;
use crate::shape::{AxisVec, Shape};

/// Patches of [`Tensor::im2col`], made of a kernel: `[3, 3].into()`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patches<const N: usize> {
    /// Positions of a patch along each axis.
    pub kernel: [usize; N],
    /// How far apart patches are; 1 if not given.
    pub stride: [usize; N],
    /// Zeros before and after each axis.
    pub padding: [usize; N],
    /// How far apart the positions of a patch are.
    pub dilation: [usize; N],
}
impl<const N: usize> From<[usize; N]> for Patches<N> {
    fn from(kernel: [usize; N]) -> Self {
        Self { kernel, stride: [1; N], padding: [0; N], dilation: [1; N] }
    }
}
impl<const N: usize> Patches<N> {
    fn slides(&self) -> [Slide; N] {
        Slide::along(self.kernel, self.stride, self.padding, self.dilation)
    }
    /// How many there are along each axis.
    fn counts(&self, op: &'static str, sizes: [usize; N]) -> Result<[usize; N], Error> {
        let mut counts = [0; N];
        for ((count, slide), n) in counts.iter_mut().zip(self.slides()).zip(sizes) {
            *count = slide.count(op, n, false)?;
        }
        Ok(counts)
    }
}

impl Tensor {
    /// The patches of `[.., C, spatial axes]` as columns, `[.., C * positions of a patch, patches]`; PyTorch's
    /// `nn.functional.unfold`, over any number of axes.
    ///
    /// Composite of [`Tensor::pad`], [`Tensor::unfold`] and [`Tensor::permute`].
    ///
    /// *Gradient:* [`Tensor::col2im`] of `g`.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let x = Tensor::from([[1.0f32, 2.0, 3.0]]);
    /// assert_eq!(x.im2col([2]).to_vec::<f32>(), [1.0, 2.0, 2.0, 3.0]);
    /// ```
    ///
    /// # Panics
    /// If there are not more than `N` axes, or no patch fits.
    #[track_caller]
    pub fn im2col<const N: usize>(&self, patches: impl Into<Patches<N>>) -> Tensor {
        const OP: &str = "im2col";
        let patches = patches.into();
        let (channels, first) = self.channels::<N>(OP);
        let counts = patches.counts(OP, spatial(OP, self.shape()).or_raise()).or_raise();
        let mut pads = vec![(0, 0); self.rank()];
        for (pad, n) in pads[first..].iter_mut().zip(patches.padding) {
            *pad = (n, n);
        }
        let mut y = self.pad(&pads, PadMode::Zeros);
        for (i, slide) in patches.slides().into_iter().enumerate() {
            y = y.windowed(Windows::new(first + i, slide));
        }
        // [.., C, patches, positions]
        let order: AxisVec = (0..first).chain(first + N..first + 2 * N).chain(first..first + N).collect();
        let positions: usize = patches.kernel.iter().product();
        let mut to: Shape = self.shape()[..first - 1].into();
        to.push(channels * positions);
        to.push(counts.iter().product());
        y.permuted(&order).reshaped(&to)
    }
    /// The columns that [`Tensor::im2col`] makes, added up at their places in spatial axes of `sizes`; PyTorch's
    /// `nn.functional.fold`, over any number of axes.
    ///
    /// Composite of [`Tensor::permute`], sums of overlapping windows and [`Tensor::narrow`].
    ///
    /// *Gradient:* [`Tensor::im2col`] of `g`.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let columns = Tensor::from([[1.0f32, 2.0], [2.0, 3.0]]);
    /// assert_eq!(columns.col2im([3], [2]).to_vec::<f32>(), [1.0, 4.0, 3.0]);
    /// ```
    ///
    /// # Panics
    /// If the last two axes are not such columns, or no patch fits.
    #[track_caller]
    pub fn col2im<const N: usize>(&self, sizes: [usize; N], patches: impl Into<Patches<N>>) -> Tensor {
        const OP: &str = "col2im";
        let patches = patches.into();
        let counts = patches.counts(OP, sizes).or_raise();
        let positions: usize = patches.kernel.iter().product();
        let [lead @ .., rows, columns] = &self.shape()[..] else {
            let detail = format!("no columns: shape {}; it takes two axes or more", self.shape());
            raise(Error::new(OP, ErrorKind::Shape, detail));
        };
        if rows % positions != 0 || *columns != counts.iter().product() {
            let given =
                format!("{rows} rows and {columns} columns for {positions} positions of {counts:?} patches");
            let right = "rows are a multiple of the positions, columns as many as patches";
            raise(Error::new(OP, ErrorKind::Shape, format!("columns do not fit: {given}; {right}")));
        }
        let first = lead.len() + 1;
        let apart: Shape =
            lead.iter().copied().chain([rows / positions]).chain(patches.kernel).chain(counts).collect();
        let order: AxisVec = (0..first).chain(first + N..first + 2 * N).chain(first..first + N).collect();
        let mut y = self.reshaped(&apart).permuted(&order);
        for ((i, slide), n) in patches.slides().into_iter().enumerate().zip(sizes).rev() {
            y = y.overlapped(Windows::new(first + i, slide), n + 2 * slide.pad);
        }
        for ((i, pad), n) in patches.padding.into_iter().enumerate().zip(sizes) {
            y = y.narrow((first + i) as isize, pad, n);
        }
        y
    }
    /// How many channels there are in front of the last `N` axes, and the number of the axis after them.
    #[track_caller]
    fn channels<const N: usize>(&self, op: &'static str) -> (usize, usize) {
        if self.rank() <= N {
            let given = format!("no channels: shape {}", self.shape());
            let right = format!("it takes an axis of channels and {N} spatial axes after it");
            raise(Error::new(op, ErrorKind::Shape, format!("{given}; {right}")));
        }
        (self.shape()[self.rank() - N - 1], self.rank() - N)
    }
    /// `[.., C r^N, spatial axes]` as `[.., C, r times each spatial axis]`: each element of a group of channels gets a
    /// place of its own in space.
    ///
    /// Composite of [`Tensor::reshape`] and [`Tensor::permute`].
    ///
    /// *Gradient:* [`Tensor::pixel_unshuffle`] of `g`.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let x = Tensor::from([[[1.0f32]], [[2.0]], [[3.0]], [[4.0]]]);
    /// assert_eq!(x.pixel_shuffle(2).shape(), [1, 2, 2]);
    /// ```
    ///
    /// # Panics
    /// If there are fewer than three axes, `factor` is 0, or the channels are no multiple of its square.
    #[track_caller]
    pub fn pixel_shuffle(&self, factor: usize) -> Tensor {
        let (channels, f) = self.channels::<2>("pixel_shuffle");
        if factor == 0 || channels % (factor * factor) != 0 {
            let given = format!("{channels} channels by a factor of {factor}");
            let right = "they must be a multiple of its square";
            raise(Error::new("pixel_shuffle", ErrorKind::Shape, format!("{given}; {right}")));
        }
        let [h, w] = spatial("pixel_shuffle", self.shape()).or_raise();
        let c = channels / (factor * factor);
        let lead = &self.shape()[..f - 1];
        let apart: Shape = lead.iter().copied().chain([c, factor, factor, h, w]).collect();
        let order: AxisVec = (0..f).chain([f + 2, f, f + 3, f + 1]).collect();
        let to: Shape = lead.iter().copied().chain([c, h * factor, w * factor]).collect();
        self.reshaped(&apart).permuted(&order).reshaped(&to)
    }
    /// The inverse of [`Tensor::pixel_shuffle`].
    ///
    /// Composite of [`Tensor::reshape`] and [`Tensor::permute`].
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let x = Tensor::from([[[1.0f32, 2.0], [3.0, 4.0]]]);
    /// assert_eq!(x.pixel_unshuffle(2).shape(), [4, 1, 1]);
    /// ```
    ///
    /// # Panics
    /// If there are fewer than three axes, or the last two are no multiples of `factor`.
    #[track_caller]
    pub fn pixel_unshuffle(&self, factor: usize) -> Tensor {
        let (c, f) = self.channels::<2>("pixel_unshuffle");
        let [h, w] = spatial("pixel_unshuffle", self.shape()).or_raise();
        if factor == 0 || h % factor != 0 || w % factor != 0 {
            let given = format!("shape {} by a factor of {factor}", self.shape());
            let right = "the last two axes must be multiples of it";
            raise(Error::new("pixel_unshuffle", ErrorKind::Shape, format!("{given}; {right}")));
        }
        let (h, w, lead) = (h / factor, w / factor, &self.shape()[..f - 1]);
        let apart: Shape = lead.iter().copied().chain([c, h, factor, w, factor]).collect();
        let order: AxisVec = (0..f).chain([f + 1, f + 3, f, f + 2]).collect();
        let to: Shape = lead.iter().copied().chain([c * factor * factor, h, w]).collect();
        self.reshaped(&apart).permuted(&order).reshaped(&to)
    }
    /// Axis 1 in another order: the first channel of each of `groups`, then the second of each, and so on.
    ///
    /// Composite of [`Tensor::reshape`] and [`Tensor::permute`].
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let x = Tensor::from([[1.0f32, 2.0, 3.0, 4.0]]);
    /// assert_eq!(x.channel_shuffle(2).to_vec::<f32>(), [1.0, 3.0, 2.0, 4.0]);
    /// ```
    ///
    /// # Panics
    /// If there is no axis 1, or its size is no multiple of `groups`.
    #[track_caller]
    pub fn channel_shuffle(&self, groups: usize) -> Tensor {
        let n = if self.rank() < 2 { 0 } else { self.shape()[1] };
        if self.rank() < 2 || groups == 0 || n % groups != 0 {
            let given = format!("axis 1 of shape {} in {groups} groups", self.shape());
            let right = "it must exist and be a multiple";
            raise(Error::new("channel_shuffle", ErrorKind::Shape, format!("{given}; {right}")));
        }
        self.unflatten(1, [groups, n / groups]).transpose(1, 2).reshaped(self.shape())
    }
}

fn patches(a: &Attrs) -> Patches<2> {
    Patches {
        stride: sizes_or(a, "stride", [1; 2]),
        padding: sizes_or(a, "padding", [0; 2]),
        dilation: sizes_or(a, "dilation", [1; 2]),
        ..sizes(a, "kernel").into()
    }
}
/// What the reference cases call.
pub(crate) const ENTRIES: &[Entry] = &[
    Entry::new("unfold", |x, a| vec![x[0].im2col(patches(a))]),
    Entry::new("fold", |x, a| vec![x[0].col2im(sizes(a, "output"), patches(a))]),
    Entry::new("pixel_shuffle", |x, a| vec![x[0].pixel_shuffle(a.int("factor") as usize)]),
];
