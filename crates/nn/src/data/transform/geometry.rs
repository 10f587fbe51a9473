//! Transforms of where the pixels of an image are: `[.., height, width]`.

use super::Transform;
use retrograd_tensor::{Error, ErrorKind, F64, I64, PadMode, Rng, Tensor, raise};

/// A number between `low` and `high`.
fn uniform(low: f64, high: f64, rng: &mut Rng) -> f64 {
    low + (high - low) * F64.rand([1], rng).item()
}

/// Height and width of images.
#[track_caller]
fn sizes(op: &'static str, x: &Tensor) -> [usize; 2] {
    let [.., height, width] = x.shape()[..] else {
        let detail = format!("no image: shape {}; [.., height, width]", x.shape());
        raise(Error::new(op, ErrorKind::Shape, detail))
    };
    [height, width]
}

macro_rules! flip {
    ($name:ident, $axis:literal, $what:literal, $doctest:literal) => {
        #[doc = $what]
        ///
        /// ```
        /// use retrograd_nn::data::{RandomHorizontalFlip, RandomVerticalFlip, Transform};
        /// use retrograd_tensor::{Rng, Tensor};
        /// let x = Tensor::from([[1.0f32, 2.0], [3.0, 4.0]]);
        #[doc = $doctest]
        /// ```
        ///
        #[doc = concat!("Source: torchvision's `", stringify!($name), "`.")]
        #[derive(Clone, Copy, Debug)]
        pub struct $name {
            p: f64,
        }

        impl $name {
            /// Mirrored with probability `p`, 0.5 by custom.
            ///
            /// # Panics
            /// If `p` is no probability.
            #[track_caller]
            pub fn new(p: f64) -> Self {
                if !(0.0..=1.0).contains(&p) {
                    let detail = format!("no probability: p = {p}; it lies in 0..=1");
                    raise(Error::new(stringify!($name), ErrorKind::Value, detail));
                }
                Self { p }
            }
        }

        impl Transform for $name {
            #[track_caller]
            fn apply(&self, x: &Tensor, rng: &mut Rng) -> Tensor {
                sizes(stringify!($name), x);
                if uniform(0.0, 1.0, rng) < self.p { x.flip($axis) } else { x.clone() }
            }
        }
    };
}
flip!(
    RandomHorizontalFlip,
    -1,
    "Images mirrored left to right, at random.",
    "assert_eq!(RandomHorizontalFlip::new(1.0).apply(&x, &mut Rng::new(0)).to_vec::<f32>(), [2.0, 1.0, 4.0, 3.0]);"
);
flip!(
    RandomVerticalFlip,
    -2,
    "Images mirrored top to bottom, at random.",
    "assert_eq!(RandomVerticalFlip::new(1.0).apply(&x, &mut Rng::new(0)).to_vec::<f32>(), [3.0, 4.0, 1.0, 2.0]);"
);

/// A piece of a size, from a random place of the image.
///
/// ```
/// use retrograd_nn::data::{RandomCrop, Transform};
/// use retrograd_tensor::{Rng, Tensor};
/// let crop = RandomCrop::new([28, 28]).padding(4);
/// let x = Tensor::ones([3, 28, 28]);
/// let y = crop.apply(&x, &mut Rng::new(1));
/// assert_eq!(y.shape(), x.shape());
/// assert!(y.sum(()).item() < x.sum(()).item());           // moved, with zeros behind
/// ```
///
/// Source: torchvision's `RandomCrop`.
#[derive(Clone, Copy, Debug)]
pub struct RandomCrop {
    size: [usize; 2],
    padding: usize,
    mode: PadMode,
}

impl RandomCrop {
    /// Pieces of this height and width.
    pub fn new(size: [usize; 2]) -> Self {
        Self { size, padding: 0, mode: PadMode::Zeros }
    }

    /// The same of an image with so many pixels of 0 around it.
    #[must_use]
    pub fn padding(self, padding: usize) -> Self {
        Self { padding, ..self }
    }

    /// The same with other pixels around it.
    #[must_use]
    pub fn padding_mode(self, mode: PadMode) -> Self {
        Self { mode, ..self }
    }
}

impl Transform for RandomCrop {
    #[track_caller]
    fn apply(&self, x: &Tensor, rng: &mut Rng) -> Tensor {
        let [height, width] = sizes("RandomCrop", x).map(|size| size + 2 * self.padding);
        let [rows, columns] = self.size;
        if rows > height || columns > width {
            let (given, padding) = (x.shape(), self.padding);
            let detail =
                format!("image too small: {given} with padding {padding}; at least {rows} x {columns}");
            raise(Error::new("RandomCrop", ErrorKind::Shape, detail));
        }
        let mut place = |room: usize| I64.randint(0, room as i64 + 1, [1], rng).item() as usize;
        let (top, left) = (place(height - rows), place(width - columns));
        let mut sides = vec![(0, 0); x.rank()];
        sides[x.rank() - 2..].fill((self.padding, self.padding));
        let padded = if self.padding == 0 { x.clone() } else { x.pad(&sides, self.mode) };
        padded.narrow(-2, top, rows).narrow(-1, left, columns)
    }
}

/// Images turned about their centre, counter-clockwise, by an angle in degrees; between pixels interpolated linearly,
/// 0 where there was no image.
///
/// ```
/// use retrograd_nn::data::{Rotate, Transform};
/// use retrograd_tensor::{Rng, Tensor};
/// let x = Tensor::from([[1.0f64, 2.0], [3.0, 4.0]]);
/// let y = Rotate::new(90.0).apply(&x, &mut Rng::new(0)).to_vec::<f64>();
/// assert!(y.iter().zip([2.0, 4.0, 1.0, 3.0]).all(|(a, b)| (a - b).abs() < 1e-12));
/// ```
///
/// *Gradient:* goes back to the pixels, by their weights.
///
/// Source: torchvision's `rotate` with bilinear interpolation.
#[derive(Clone, Copy, Debug)]
pub struct Rotate {
    degrees: f64,
}

impl Rotate {
    /// By this angle.
    pub fn new(degrees: f64) -> Self {
        Self { degrees }
    }
}

impl Transform for Rotate {
    #[track_caller]
    fn apply(&self, x: &Tensor, _: &mut Rng) -> Tensor {
        rotated(x, self.degrees)
    }
}

/// [`Rotate`] by a random angle.
///
/// ```
/// use retrograd_nn::data::{RandomRotation, Transform};
/// use retrograd_tensor::{Rng, Tensor};
/// let x = Tensor::ones([1, 9, 9]);
/// let y = RandomRotation::new(-30.0, 30.0).apply(&x, &mut Rng::new(0));
/// assert!((y.select(1, 4).select(1, 4).item() - 1.0).abs() < 1e-6);
/// ```
///
/// Source: torchvision's `RandomRotation` with bilinear interpolation.
#[derive(Clone, Copy, Debug)]
pub struct RandomRotation {
    low: f64,
    high: f64,
}

impl RandomRotation {
    /// By an angle between `low` and `high`, all as likely.
    ///
    /// # Panics
    /// If they are not in order.
    #[track_caller]
    pub fn new(low: f64, high: f64) -> Self {
        if low.is_nan() || high.is_nan() || low > high {
            let detail = format!("angles not in order: {low} and {high}; the lower comes first");
            raise(Error::new("RandomRotation", ErrorKind::Value, detail));
        }
        Self { low, high }
    }
}

impl Transform for RandomRotation {
    #[track_caller]
    fn apply(&self, x: &Tensor, rng: &mut Rng) -> Tensor {
        rotated(x, uniform(self.low, self.high, rng))
    }
}

/// Each pixel is the mean of the four around the place that it comes from, by their nearness.
#[track_caller]
fn rotated(x: &Tensor, degrees: f64) -> Tensor {
    if !x.dtype().is_float() {
        let detail =
            format!("element type {}: what lies between pixels is fractional; ToFloat first", x.dtype());
        raise(Error::new("Rotate", ErrorKind::Dtype, detail));
    }
    let [height, width] = sizes("Rotate", x);
    let (sin, cos) = degrees.to_radians().sin_cos();
    let (middle_y, middle_x) = (height.saturating_sub(1) as f64 / 2.0, width.saturating_sub(1) as f64 / 2.0);
    let pixels = height * width;
    let mut corners = [(); 4].map(|()| (Vec::with_capacity(pixels), Vec::with_capacity(pixels)));
    for pixel in 0..pixels {
        let (dy, dx) = ((pixel / width) as f64 - middle_y, (pixel % width) as f64 - middle_x);
        let (from_y, from_x) = (middle_y + dx * sin + dy * cos, middle_x + dx * cos - dy * sin);
        let (top, left) = (from_y.floor(), from_x.floor());
        for (corner, (places, weights)) in corners.iter_mut().enumerate() {
            let (y, x) = (top + (corner / 2) as f64, left + (corner % 2) as f64);
            let inside = (0.0..height as f64).contains(&y) && (0.0..width as f64).contains(&x);
            let nearness = (1.0 - (from_y - y).abs()) * (1.0 - (from_x - x).abs());
            places.push(if inside { (y as usize * width + x as usize) as i64 } else { 0 });
            weights.push(if inside { nearness } else { 0.0 });
        }
    }
    let rows = x.flatten(-2, -1);
    let weighted = corners.map(|(places, weights)| {
        rows.index_select(-1, &Tensor::from(places)) * Tensor::from(weights).cast(x.dtype())
    });
    let [a, b, c, d] = weighted;
    (a + b + c + d).unflatten(-1, [height, width])
}
