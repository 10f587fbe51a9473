//! Linear maps of the lines along one axis, and what is made of one for each spatial axis: average pooling and
//! interpolation. The gradient of such a map is the transposed map, so that there is one loop and one rule.
use super::lines::PART;
use super::pool::{parts, sizes, sizes_or};
use super::spatial::{Slide, spatial};
use crate::Tensor;
use crate::apply;
use crate::call::{Call, View, by_dtype, for_chunks};
use crate::dtype::Element;
use crate::entry::{Attrs, Entry};
use crate::error::{Error, ErrorKind, OrRaise, raise};
use crate::op::{Batch, Kernel, Op, Spec, Specs};
use crate::ops::reduce::floats;
use crate::ops::stats::{power, rounded, widened};
use crate::record::{Context, Cotangents};
use crate::shape;
use smallvec::smallvec;
use std::sync::Arc;

/// A sparse matrix: for each output, which inputs it is a sum of, with their weights.
#[derive(Debug)]
struct Taps {
    /// How many inputs there are.
    from: usize,
    /// Output `i` has the taps from `starts[i]` to `starts[i + 1]`.
    starts: Vec<usize>,
    taps: Vec<(usize, f64)>,
}
impl Taps {
    fn new<I: IntoIterator<Item = (usize, f64)>>(from: usize, outputs: impl Iterator<Item = I>) -> Taps {
        let (mut starts, mut taps) = (vec![0], Vec::new());
        for output in outputs {
            taps.extend(output);
            starts.push(taps.len());
        }
        Taps { from, starts, taps }
    }
    fn to(&self) -> usize {
        self.starts.len() - 1
    }
    fn output(&self, i: usize) -> &[(usize, f64)] {
        &self.taps[self.starts[i]..self.starts[i + 1]]
    }
    fn transposed(&self) -> Taps {
        let mut inputs = vec![Vec::new(); self.from];
        for i in 0..self.to() {
            self.output(i).iter().for_each(|&(j, weight)| inputs[j].push((i, weight)));
        }
        Taps::new(self.to(), inputs.into_iter())
    }
}

/// The map applied along an axis; `back` is its transpose.
#[derive(Clone, Debug)]
struct Resample {
    name: &'static str,
    axis: usize,
    taps: Arc<Taps>,
    back: Arc<Taps>,
}
impl Op for Resample {
    fn name(&self) -> &'static str {
        self.name
    }
    fn infer(&self, x: &[Spec]) -> Result<Specs, Error> {
        debug_assert_eq!(x[0].shape[self.axis], self.taps.from);
        let mut shape = x[0].shape.clone();
        shape[self.axis] = self.taps.to();
        Ok(smallvec![Spec {
            shape: shape::countable(self.name, shape)?,
            dtype: floats(self.name, x[0].dtype)?
        }])
    }
    fn kernel(&self, x: &[Spec], _: &[Spec]) -> Kernel {
        let (axis, taps, dtype) = (self.axis, self.taps.clone(), x[0].dtype);
        Kernel::Call(Call::new("resample", move |x, out| {
            by_dtype!(dtype, T => resample::<T>(&x[0], axis, &taps, out[0].data()));
        }))
    }
    fn flops(&self, x: &[Spec], _: &[Spec]) -> u64 {
        2 * (x[0].shape.numel() / self.taps.from.max(1) * self.taps.taps.len()) as u64
    }
    fn vjp(&self, _: &Context<'_>, g: &Tensor) -> Cotangents {
        let op = Resample { taps: self.back.clone(), back: self.taps.clone(), ..*self };
        smallvec![apply::op(op, &[g]).into()]
    }
    fn batch(&self, _: &[Spec], lead: &[usize], _: u64) -> Batch {
        Batch::whole(Resample { axis: self.axis + lead.len(), ..self.clone() })
    }
}
/// Sums are kept in `f64`.
fn resample<T: Element>(x: &View<'_>, axis: usize, taps: &Taps, out: &mut [T]) {
    let width: usize = x.shape()[axis + 1..].iter().product();
    let (x, from, to) = (x.dense::<T>(), taps.from, taps.to());
    let lines = (PART / width.max(1)).max(1);
    for_chunks(out, lines * width, taps.taps.len().div_ceil(to.max(1)), |chunk, part| {
        let mut sums = vec![0.0; width];
        for (i, line) in part.chunks_mut(width).enumerate() {
            let (outer, i) = ((chunk * lines + i) / to, (chunk * lines + i) % to);
            let x = &x[outer * from * width..][..from * width];
            if let [to] = line {
                let sum = taps.output(i).iter().fold(0.0, |sum, &(j, weight)| sum + x[j].to_f64() * weight);
                *to = T::from_f64(sum);
                continue;
            }
            sums.fill(0.0);
            for &(j, weight) in taps.output(i) {
                let from = &x[j * width..][..width];
                sums.iter_mut().zip(from).for_each(|(sum, v)| *sum += v.to_f64() * weight);
            }
            line.iter_mut().zip(&sums).for_each(|(to, &sum)| *to = T::from_f64(sum));
        }
    });
}

/// Windows of [`Tensor::avg_pool`], made of a kernel: `[2, 2].into()`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AvgPool<const N: usize> {
    /// Positions of a window along each axis.
    pub kernel: [usize; N],
    /// How far apart windows are; as far as they are long, if not given.
    pub stride: [usize; N],
    /// Zeros before and after each axis; at most half a window.
    pub padding: [usize; N],
    /// Whether a last window that does not fit counts as well, with the elements it has.
    pub ceil_mode: bool,
    /// Whether the padding counts as elements.
    pub count_include_pad: bool,
    /// What sums are divided by, instead of the number of elements.
    pub divisor: Option<f64>,
}
impl<const N: usize> From<[usize; N]> for AvgPool<N> {
    fn from(kernel: [usize; N]) -> Self {
        let (padding, divisor) = ([0; N], None);
        Self { kernel, stride: kernel, padding, ceil_mode: false, count_include_pad: true, divisor }
    }
}

/// How [`Tensor::interpolate`] makes new elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interpolation {
    /// The element whose place holds the new one's start.
    Nearest,
    /// The element whose place holds the new one's centre.
    NearestExact,
    /// The two elements around, along each axis: linear, bilinear, trilinear.
    Linear {
        /// Whether first and last elements keep their place, instead of the edges of the outermost.
        align_corners: bool,
    },
    /// Four elements around, along each axis, by a cubic convolution of parameter -3/4: bicubic.
    Cubic {
        /// Whether first and last elements keep their place, instead of the edges of the outermost.
        align_corners: bool,
    },
    /// The mean of the part that the new element stands for, as [`Tensor::adaptive_avg_pool`].
    Area,
}
impl Interpolation {
    /// The map from `n` elements to `m`, `scale` times as many where that is given.
    fn taps(self, n: usize, m: usize, scale: Option<f64>) -> Taps {
        let ratio = scale.map_or(n as f64 / m as f64, |scale| 1.0 / scale);
        let last = n.saturating_sub(1);
        let source = |i: usize, aligned: bool| match (aligned, m) {
            (true, 1) => 0.0,
            (true, _) => i as f64 * last as f64 / (m - 1) as f64,
            (false, _) => ratio * (i as f64 + 0.5) - 0.5,
        };
        // In single precision, as in PyTorch: at the edge of a place rounding decides.
        let nearest = |at: f32| [((at * ratio as f32).floor() as usize).min(last)].map(|j| (j, 1.0));
        match self {
            Self::Nearest => Taps::new(n, (0..m).map(|i| nearest(i as f32))),
            Self::NearestExact => Taps::new(n, (0..m).map(|i| nearest(i as f32 + 0.5))),
            Self::Linear { align_corners } => {
                let around = |i| {
                    let at = source(i, align_corners).max(0.0);
                    let low = (at as usize).min(last);
                    let t = (at - low as f64).clamp(0.0, 1.0);
                    [(low, 1.0 - t), ((low + 1).min(last), t)]
                };
                Taps::new(n, (0..m).map(around))
            }
            Self::Cubic { align_corners } => {
                let around = |i| {
                    let at = source(i, align_corners);
                    let low = at.floor();
                    let (t, place) = (at - low, |k: f64| (low + k).clamp(0.0, last as f64) as usize);
                    [-1.0, 0.0, 1.0, 2.0].map(|k| (place(k), cubic((t - k).abs())))
                };
                Taps::new(n, (0..m).map(around))
            }
            Self::Area => {
                let share = |i: usize| {
                    let part = i * n / m..((i + 1) * n).div_ceil(m);
                    let weight = 1.0 / part.len() as f64;
                    part.map(move |j| (j, weight))
                };
                Taps::new(n, (0..m).map(share))
            }
        }
    }
}
/// The weight of an element at this distance, below 2.
fn cubic(t: f64) -> f64 {
    const A: f64 = -0.75;
    if t <= 1.0 {
        ((A + 2.0) * t - (A + 3.0)) * t * t + 1.0
    } else {
        ((A * t - 5.0 * A) * t + 8.0 * A) * t - 4.0 * A
    }
}

impl Tensor {
    /// One map for each of the last axes.
    #[track_caller]
    fn resampled(&self, name: &'static str, maps: impl DoubleEndedIterator<Item = Taps>) -> Tensor {
        floats(name, self.dtype()).or_raise();
        let mut y = widened(self);
        for (i, taps) in maps.rev().enumerate() {
            let back = Arc::new(taps.transposed());
            y = apply::op(Resample { name, axis: self.rank() - 1 - i, taps: Arc::new(taps), back }, &[&y]);
        }
        rounded(y, self.dtype())
    }
    /// The mean of each window over the last `N` axes; PyTorch's `avg_pool1d` to `avg_pool3d`.
    ///
    /// *Gradient:* `g` spread evenly over each window.
    ///
    /// ```
    /// use retrograd_tensor::{AvgPool, Tensor};
    /// let x = Tensor::from([1.0f32, 3.0, 8.0]);
    /// assert_eq!(x.avg_pool([2]).to_vec::<f32>(), [2.0]);
    /// let windows = AvgPool { stride: [1], ..[2].into() };
    /// assert_eq!(x.avg_pool(windows).to_vec::<f32>(), [2.0, 5.5]);
    /// ```
    ///
    /// # Panics
    /// If the elements are not floats, there are fewer than `N` axes, no window fits, or the padding is more than half
    /// a window.
    #[track_caller]
    pub fn avg_pool<const N: usize>(&self, windows: impl Into<AvgPool<N>>) -> Tensor {
        const OP: &str = "avg_pool";
        let windows = windows.into();
        let AvgPool { kernel, stride, padding, ceil_mode, count_include_pad, divisor } = windows;
        let map = |slide: Slide, n: usize| {
            slide.check_padding(OP, n)?;
            let count = slide.count(OP, n, ceil_mode)?;
            let output = move |i: usize| {
                let (start, end) = (i * slide.step, (i * slide.step + slide.size).min(n + 2 * slide.pad));
                let inside = start.saturating_sub(slide.pad).min(n)..end.saturating_sub(slide.pad).min(n);
                let counted = if count_include_pad { end - start } else { inside.len() };
                let weight = if divisor.is_some() { 1.0 } else { 1.0 / counted as f64 };
                inside.map(move |j| (j, weight))
            };
            Ok::<_, Error>(Taps::new(n, (0..count).map(output)))
        };
        let sizes = spatial::<N>(OP, self.shape()).or_raise();
        let slides = Slide::along(kernel, stride, padding, [1; N]);
        let maps: Vec<Taps> =
            slides.iter().zip(sizes).map(|(&s, n)| map(s, n)).collect::<Result<_, _>>().or_raise();
        let y = self.resampled(OP, maps.into_iter());
        divisor.map_or_else(|| y.clone(), |divisor| &y / divisor)
    }
    /// The mean of each of `sizes` parts of the last `N` axes, of which part `i` of `m` goes from `i n / m`, rounded
    /// down, to `(i + 1) n / m`, rounded up; PyTorch's `adaptive_avg_pool1d` to `adaptive_avg_pool3d`.
    ///
    /// *Gradient:* `g` spread evenly over each part.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([1.0f32, 3.0, 8.0]).adaptive_avg_pool([2]).to_vec::<f32>(), [2.0, 5.5]);
    /// ```
    ///
    /// # Panics
    /// If the elements are not floats, there are fewer than `N` axes, or one of them is empty.
    #[track_caller]
    pub fn adaptive_avg_pool<const N: usize>(&self, sizes: [usize; N]) -> Tensor {
        const OP: &str = "adaptive_avg_pool";
        let from = spatial::<N>(OP, self.shape()).or_raise();
        from.iter().zip(sizes).try_for_each(|(&n, m)| parts(OP, n, m).map(|_| ())).or_raise();
        self.resampled(OP, from.into_iter().zip(sizes).map(|(n, m)| Interpolation::Area.taps(n, m, None)))
    }
    /// The norm of order `p` of each window, (sum of x^p)^(1/p), over the last `N` axes; PyTorch's `lp_pool1d` to
    /// `lp_pool3d`. Windows that end behind the axis count as if they went on as they are.
    ///
    /// Composite of powers and [`Tensor::avg_pool`].
    ///
    /// *Gradient:* g x^(p-1) / y^(p-1), y the output; 0 where that is 0.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([3.0f32, 4.0]).lp_pool(2.0, [2]).to_vec::<f32>(), [5.0]);
    /// ```
    ///
    /// # Panics
    /// As [`Tensor::avg_pool`].
    #[track_caller]
    pub fn lp_pool<const N: usize>(&self, p: f64, windows: impl Into<AvgPool<N>>) -> Tensor {
        let windows = windows.into();
        let count: usize = windows.kernel.iter().product();
        let wide = widened(self);
        let sums = wide.pow(p).avg_pool(windows) * count as f64;
        rounded(power(&sums, 1.0 / p), self.dtype())
    }
    /// This tensor with its last `N` axes stretched or shrunk to `sizes`; PyTorch's `interpolate`, without
    /// `antialias`.
    ///
    /// *Gradient:* the transposed map of `g`.
    ///
    /// ```
    /// use retrograd_tensor::{Interpolation, Tensor};
    /// let x = Tensor::from([1.0f32, 3.0]);
    /// assert_eq!(x.interpolate([4], Interpolation::Nearest).to_vec::<f32>(), [1.0, 1.0, 3.0, 3.0]);
    /// let linear = Interpolation::Linear { align_corners: false };
    /// assert_eq!(x.interpolate([4], linear).to_vec::<f32>(), [1.0, 1.5, 2.5, 3.0]);
    /// ```
    ///
    /// # Panics
    /// If the elements are not floats, there are fewer than `N` axes, or one of them is empty.
    #[track_caller]
    pub fn interpolate<const N: usize>(&self, sizes: [usize; N], how: Interpolation) -> Tensor {
        self.interpolated(sizes, [None; N], how)
    }
    /// [`Tensor::interpolate`] to sizes that are `factors` times those of the last `N` axes, rounded down. Places are
    /// counted by these factors, not by what the sizes have become.
    ///
    /// ```
    /// use retrograd_tensor::{Interpolation, Tensor};
    /// let x = Tensor::from([1.0f32, 3.0]);
    /// assert_eq!(x.interpolate_by([1.5], Interpolation::Nearest).to_vec::<f32>(), [1.0, 1.0, 3.0]);
    /// ```
    ///
    /// # Panics
    /// As [`Tensor::interpolate`], or if a factor is not a positive number.
    #[track_caller]
    pub fn interpolate_by<const N: usize>(&self, factors: [f64; N], how: Interpolation) -> Tensor {
        const OP: &str = "interpolate";
        if !factors.iter().all(|f| *f > 0.0 && f.is_finite()) {
            let detail = format!("factors {factors:?}; they must be positive numbers");
            raise(Error::new(OP, ErrorKind::Value, detail));
        }
        let from = spatial::<N>(OP, self.shape()).or_raise();
        let sizes = std::array::from_fn(|i| (from[i] as f64 * factors[i]).floor() as usize);
        self.interpolated(sizes, factors.map(Some), how)
    }
    #[track_caller]
    fn interpolated<const N: usize>(
        &self,
        sizes: [usize; N],
        factors: [Option<f64>; N],
        how: Interpolation,
    ) -> Tensor {
        const OP: &str = "interpolate";
        let from = spatial::<N>(OP, self.shape()).or_raise();
        if from.iter().zip(sizes).any(|(&n, m)| n == 0 || m == 0) {
            let given = format!("{sizes:?} of shape {}", self.shape());
            raise(Error::new(OP, ErrorKind::Shape, format!("an empty axis: {given}; sizes are at least 1")));
        }
        let sizes = from.into_iter().zip(sizes).zip(factors);
        self.resampled(OP, sizes.map(|((n, m), factor)| how.taps(n, m, factor)))
    }
}

fn avg_pool<const N: usize>(x: &[Tensor], a: &Attrs) -> Vec<Tensor> {
    let kernel = sizes(a, "kernel");
    let windows = AvgPool::<N> {
        kernel,
        stride: sizes_or(a, "stride", kernel),
        padding: sizes_or(a, "padding", [0; N]),
        ceil_mode: a.bool_or("ceil_mode", false),
        count_include_pad: a.bool_or("count_include_pad", true),
        divisor: a.has("divisor_override").then(|| a.f64("divisor_override")),
    };
    vec![x[0].avg_pool(windows)]
}
fn adaptive<const N: usize>(x: &[Tensor], a: &Attrs) -> Vec<Tensor> {
    vec![x[0].adaptive_avg_pool::<N>(sizes(a, "output"))]
}
fn interpolate(x: &[Tensor], a: &Attrs) -> Vec<Tensor> {
    let align_corners = a.bool_or("align_corners", false);
    let how = match a.str_or("mode", "nearest") {
        "nearest-exact" => Interpolation::NearestExact,
        "linear" | "bilinear" | "trilinear" => Interpolation::Linear { align_corners },
        "bicubic" => Interpolation::Cubic { align_corners },
        "area" => Interpolation::Area,
        _ => Interpolation::Nearest,
    };
    fn to<const N: usize>(x: &Tensor, a: &Attrs, how: Interpolation) -> Vec<Tensor> {
        if a.has("size") {
            return vec![x.interpolate::<N>(sizes(a, "size"), how)];
        }
        let factors = a.numbers("scale_factor");
        vec![x.interpolate_by::<N>(std::array::from_fn(|i| factors[i.min(factors.len() - 1)]), how)]
    }
    match x[0].rank() {
        3 => to::<1>(&x[0], a, how),
        4 => to::<2>(&x[0], a, how),
        _ => to::<3>(&x[0], a, how),
    }
}
/// What the reference cases call.
pub(crate) const ENTRIES: &[Entry] = &[
    Entry::new("avg_pool1d", avg_pool::<1>),
    Entry::new("avg_pool2d", avg_pool::<2>),
    Entry::new("avg_pool3d", avg_pool::<3>),
    Entry::new("adaptive_avg_pool1d", adaptive::<1>),
    Entry::new("adaptive_avg_pool2d", adaptive::<2>),
    Entry::new("adaptive_avg_pool3d", adaptive::<3>),
    Entry::new("interpolate", interpolate),
];
