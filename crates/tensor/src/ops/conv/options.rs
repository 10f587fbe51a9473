//! What a user chooses of a convolution, and what that makes of given shapes.
use super::{Geometry, Spatial};
use crate::IntoDims;
use crate::error::{Error, ErrorKind, raise};
use crate::shape::{Dims, Shape};

/// Options of a convolution: stride, padding, dilation and groups, which start at 1, 0, 1 and 1.
///
/// Numbers are one for all spatial axes, or one for each.
///
/// ```
/// use retrograd_tensor::{Conv, F32};
/// let (x, w) = (F32.ones([1, 2, 6, 6]), F32.ones([4, 1, 3, 3]));
/// let y = x.conv2d(&w, None, Conv::new().stride([2, 1]).padding(1).groups(2));
/// assert_eq!(y.shape(), [1, 4, 3, 6]);
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[must_use]
pub struct Conv {
    stride: Dims,
    padding: Padding,
    output_padding: Dims,
    dilation: Dims,
    groups: usize,
}
impl Default for Conv {
    fn default() -> Conv {
        Conv {
            stride: 1.into_dims(),
            padding: Padding::Sizes(0.into_dims()),
            output_padding: 0.into_dims(),
            dilation: 1.into_dims(),
            groups: 1,
        }
    }
}
impl Conv {
    /// The options as they start.
    pub fn new() -> Conv {
        Conv::default()
    }
    /// The step between two windows.
    pub fn stride(self, stride: impl IntoDims) -> Conv {
        Conv { stride: stride.into_dims(), ..self }
    }
    /// Zeros on both sides of each axis: numbers, `"valid"` for none, or `"same"` for as many as keep the size (which
    /// needs a stride of 1; of an odd number the larger half comes last). A transposed convolution takes numbers
    /// only, and leaves out as much of its result.
    ///
    /// # Panics
    /// If it is another word.
    #[track_caller]
    pub fn padding(self, padding: impl IntoPadding) -> Conv {
        Conv { padding: padding.into_padding(), ..self }
    }
    /// Of a transposed convolution: what to add to the size of the result, at the end of each axis, since several
    /// sizes have windows at the same places. Less than the stride or the dilation.
    pub fn output_padding(self, output_padding: impl IntoDims) -> Conv {
        Conv { output_padding: output_padding.into_dims(), ..self }
    }
    /// The step between two elements of a window.
    pub fn dilation(self, dilation: impl IntoDims) -> Conv {
        Conv { dilation: dilation.into_dims(), ..self }
    }
    /// Into how many groups the channels are divided, each of which sees only its own.
    pub fn groups(self, groups: usize) -> Conv {
        Conv { groups, ..self }
    }
}

/// Zeros around an image.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Padding {
    /// So many on both sides: one number for all axes, or one for each.
    Sizes(Dims),
    /// As many as keep the size.
    Same,
}
/// What [`Conv::padding`] takes: sizes, `"same"` or `"valid"`.
pub trait IntoPadding {
    /// The padding.
    fn into_padding(self) -> Padding;
}
impl<D: IntoDims> IntoPadding for D {
    fn into_padding(self) -> Padding {
        Padding::Sizes(self.into_dims())
    }
}
impl IntoPadding for &str {
    #[track_caller]
    fn into_padding(self) -> Padding {
        match self {
            "same" => Padding::Same,
            "valid" => Padding::Sizes(0.into_dims()),
            word => {
                let detail = format!("unknown padding: \"{word}\"; numbers, \"same\" or \"valid\"");
                raise(Error::new("conv", ErrorKind::Value, detail))
            }
        }
    }
}
impl IntoPadding for Padding {
    fn into_padding(self) -> Padding {
        self
    }
}

/// One number for each of `rank` axes, none below `least`.
fn each(op: &'static str, what: &str, given: &Dims, rank: usize, least: isize) -> Result<Spatial, Error> {
    if given.len() != 1 && given.len() != rank {
        let right = format!("one number, or one for each of {rank} spatial axes");
        let detail = format!("wrong number of sizes: {what} {given:?}; {right}");
        return Err(Error::new(op, ErrorKind::Value, detail));
    }
    if let Some(small) = given.iter().find(|&&n| n < least) {
        let detail = format!("{what} is too small: {small} in {given:?}; at least {least}");
        return Err(Error::new(op, ErrorKind::Value, detail));
    }
    let at = |a: usize| given[if given.len() == 1 { 0 } else { a }].unsigned_abs();
    Ok((0..rank).map(at).collect())
}

/// A convolution of `rank` spatial axes whose operands fit.
pub(super) struct Fitting {
    pub(super) geometry: Geometry,
    /// The spatial sizes of the result.
    pub(super) size: Spatial,
}
impl Conv {
    /// What is common to both kinds: stride, dilation, and that the operands have the right axes.
    fn axes(&self, op: &'static str, x: &Shape, w: &Shape, rank: usize) -> Result<(Spatial, Spatial), Error> {
        let stride = each(op, "stride", &self.stride, rank, 1)?;
        let dilation = each(op, "dilation", &self.dilation, rank, 1)?;
        let wrong = |detail: String| Err(Error::new(op, ErrorKind::Shape, detail));
        if x.rank() != rank + 2 || w.rank() != rank + 2 {
            let right =
                format!("[batch, channels] and {rank} spatial axes (the batch may be left out), and as many");
            return wrong(format!("wrong number of axes: {x} by a weight {w}; {right}"));
        }
        if w[2..].contains(&0) {
            return wrong(format!("empty kernel: a weight {w}; its spatial sizes are at least 1"));
        }
        if self.groups == 0 || !w[0].is_multiple_of(self.groups) {
            let right = format!("its first size must divide into {} groups", self.groups);
            return wrong(format!("groups do not fit: a weight {w}; {right}"));
        }
        Ok((stride, dilation))
    }
    /// The convolution of `x` by `w`.
    pub(super) fn fit(self, op: &'static str, x: &Shape, w: &Shape, rank: usize) -> Result<Fitting, Error> {
        let (stride, dilation) = self.axes(op, x, w, rank)?;
        let value = |detail: &str| Err(Error::new(op, ErrorKind::Value, detail));
        if self.output_padding.iter().any(|&n| n != 0) {
            return value("output_padding given: it belongs to a transposed convolution; leave it at 0");
        }
        if x[1] != w[1].saturating_mul(self.groups) {
            let right =
                format!("{} groups of {} need {}", self.groups, w[1], w[1].saturating_mul(self.groups));
            let detail = format!("channels do not fit: {x} has {} for a weight {w}; {right}", x[1]);
            return Err(Error::new(op, ErrorKind::Shape, detail));
        }
        // How far a window reaches beyond its first element.
        let reach = |a: usize| (w[2 + a] - 1).saturating_mul(dilation[a]);
        let (low, total): (Spatial, Spatial) = match &self.padding {
            Padding::Same if stride.iter().any(|&s| s != 1) => {
                return value("padding \"same\" with a stride above 1: sizes cannot stay; give numbers");
            }
            Padding::Same => (0..rank).map(|a| (reach(a) / 2, reach(a))).unzip(),
            Padding::Sizes(given) => {
                let given = each(op, "padding", given, rank, 0)?;
                let total = given.iter().map(|n| n.saturating_mul(2)).collect();
                (given, total)
            }
        };
        let padded = |a: usize| x[2 + a].saturating_add(total[a]);
        if let Some(a) = (0..rank).find(|&a| padded(a) <= reach(a)) {
            let given =
                format!("a window of {} over {} on spatial axis {a}", reach(a).saturating_add(1), padded(a));
            let detail =
                format!("kernel larger than the padded image: {given}: {x} by a weight {w}; pad more");
            return Err(Error::new(op, ErrorKind::Shape, detail));
        }
        let size = (0..rank).map(|a| (padded(a) - reach(a) - 1) / stride[a] + 1).collect();
        Ok(Fitting { geometry: Geometry { stride, dilation, low, groups: self.groups }, size })
    }
    /// The transposed convolution of `x` by `w`.
    pub(super) fn fit_transposed(
        self,
        op: &'static str,
        x: &Shape,
        w: &Shape,
        rank: usize,
    ) -> Result<Fitting, Error> {
        let (stride, dilation) = self.axes(op, x, w, rank)?;
        let Padding::Sizes(padding) = &self.padding else {
            let detail = "padding \"same\" of a transposed convolution: not defined; give numbers";
            return Err(Error::new(op, ErrorKind::Value, detail));
        };
        let low = each(op, "padding", padding, rank, 0)?;
        let more = each(op, "output_padding", &self.output_padding, rank, 0)?;
        if x[1] != w[0] {
            let detail = format!("channels do not fit: {x} has {}; the weight {w} needs {}", x[1], w[0]);
            return Err(Error::new(op, ErrorKind::Shape, detail));
        }
        if let Some(a) = (0..rank).find(|&a| more[a] >= stride[a].max(dilation[a])) {
            let right = format!("less than the stride {} or the dilation {}", stride[a], dilation[a]);
            let detail = format!("output_padding is too large: {} on spatial axis {a}; {right}", more[a]);
            return Err(Error::new(op, ErrorKind::Value, detail));
        }
        let mut size = Spatial::new();
        for a in 0..rank {
            let windows =
                (x[2 + a] as i128 - 1) * stride[a] as i128 + (w[2 + a] as i128 - 1) * dilation[a] as i128;
            let n = windows + 1 + more[a] as i128 - 2 * low[a] as i128;
            let Some(n) = usize::try_from(n).ok().filter(|&n| n > 0) else {
                let detail = format!("no result of size {n}: spatial axis {a} of {x} by a weight {w}");
                return Err(Error::new(
                    op,
                    ErrorKind::Shape,
                    format!("{detail}; sizes are at least 1, pad less"),
                ));
            };
            size.push(n);
        }
        Ok(Fitting { geometry: Geometry { stride, dilation, low, groups: self.groups }, size })
    }
}
