//! Windows over spatial axes, the last `N` of a tensor, as pooling and patches lay them.
use crate::error::{Error, ErrorKind};
use crate::shape::Shape;

/// The windows along one axis: `size` positions `dilation` apart, windows `step` apart, the first of them `pad`
/// positions before the axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slide {
    pub(super) size: usize,
    pub(super) step: usize,
    pub(super) pad: usize,
    pub(super) dilation: usize,
}
impl Slide {
    pub(super) fn along<const N: usize>(
        kernel: [usize; N],
        stride: [usize; N],
        padding: [usize; N],
        dilation: [usize; N],
    ) -> [Slide; N] {
        std::array::from_fn(|i| Slide {
            size: kernel[i],
            step: stride[i],
            pad: padding[i],
            dilation: dilation[i],
        })
    }
    /// From the first to the last position of a window.
    pub(super) fn reach(&self) -> usize {
        (self.size - 1).saturating_mul(self.dilation).saturating_add(1)
    }
    /// How many windows there are along an axis of size `n`; with `ceil` the last one may end behind the padding, if it
    /// begins before.
    pub(super) fn count(&self, op: &'static str, n: usize, ceil: bool) -> Result<usize, Error> {
        if self.size == 0 || self.step == 0 || self.dilation == 0 {
            return self.refuse(op, n, "windows are empty or stand still", "all three must be at least 1");
        }
        let Some(room) = n.saturating_add(2 * self.pad).checked_sub(self.reach()) else {
            return self.refuse(op, n, "no window fits", "it may reach no farther than the padded axis");
        };
        let whole = room / self.step + 1;
        let more = ceil && room % self.step > 0 && whole * self.step < n + self.pad;
        Ok(whole + usize::from(more))
    }
    /// Refuses windows that lie in the padding alone.
    pub(super) fn check_padding(&self, op: &'static str, n: usize) -> Result<(), Error> {
        if 2 * self.pad <= self.size.min(self.reach()) {
            return Ok(());
        }
        self.refuse(op, n, "padding too wide", "it is at most half of the window").map(|_| ())
    }
    fn refuse(&self, op: &'static str, n: usize, what: &str, right: &str) -> Result<usize, Error> {
        let Slide { size, step, pad, dilation } = self;
        let given =
            format!("size {size}, stride {step}, dilation {dilation}, padding {pad} on an axis of size {n}");
        Err(Error::new(op, ErrorKind::Value, format!("{what}: {given}; {right}")))
    }
}
/// The sizes of the last `N` axes.
pub(super) fn spatial<const N: usize>(op: &'static str, shape: &Shape) -> Result<[usize; N], Error> {
    match shape.len().checked_sub(N) {
        Some(first) => Ok(std::array::from_fn(|i| shape[first + i])),
        None => {
            let detail = format!("too few axes: shape {shape}; it takes {N} spatial axes, the last ones");
            Err(Error::new(op, ErrorKind::Shape, detail))
        }
    }
}
/// `shape` with other sizes of its last axes.
pub(super) fn resized(shape: &Shape, sizes: &[usize]) -> Shape {
    let first = shape.rank() - sizes.len();
    shape[..first].iter().chain(sizes).copied().collect()
}
