//! Positions of sequences: added as waves, or as rotations of queries and keys.

use super::passes_on;
use crate::summary::layer;
use retrograd_nn_derive::Module;
use retrograd_tensor::{Error, ErrorKind, Tensor, cat, raise};

/// Adds waves of the position to `[.., positions, size]`: element 2i of position p gets sin(p / 10000^(2i / size)), and
/// element 2i + 1 its cosine. Nothing is learnt or saved.
///
/// ```
/// use retrograd_nn::SinusoidalPositions;
/// use retrograd_tensor::Tensor;
/// let y = SinusoidalPositions::new(4, 100).forward(&Tensor::zeros([2, 3, 4]));
/// assert_eq!(y.select(0, 1).select(0, 0).to_vec::<f32>(), [0.0, 1.0, 0.0, 1.0]);
/// assert_eq!(y.select(0, 0).select(0, 1).to_vec::<f32>()[0], 1f32.sin());
/// ```
///
/// Source: Vaswani et al., 2017.
#[derive(Clone, Debug, Module)]
pub struct SinusoidalPositions {
    #[module(skip)]
    table: Tensor,
}

impl SinusoidalPositions {
    /// A layer for vectors of this size at up to `longest` positions.
    #[track_caller]
    pub fn new(size: usize, longest: usize) -> Self {
        let wave = |place: usize| {
            let (position, k) = ((place / size) as f64, place % size);
            let angle = position / 10_000f64.powf((k - k % 2) as f64 / size as f64);
            if k.is_multiple_of(2) { angle.sin() } else { angle.cos() }
        };
        let table = (0..size * longest).map(wave).collect::<Vec<f64>>();
        Self { table: Tensor::from_vec(table, [longest, size]) }
    }

    /// The input with the waves of positions 0, 1, ... added.
    ///
    /// # Panics
    /// If the last axes of `x` are not positions, at most as many as the layer knows, and its size.
    #[track_caller]
    pub fn forward(&self, x: &Tensor) -> Tensor {
        self.forward_at(x, 0)
    }

    /// The same for positions from `first` on.
    ///
    /// # Panics
    /// As `forward`.
    #[track_caller]
    pub fn forward_at(&self, x: &Tensor, first: usize) -> Tensor {
        layer!(self, "SinusoidalPositions", {
            let (longest, size) = (self.table.size(0), self.table.size(1));
            check("SinusoidalPositions", x, size);
            if first + x.size(-2) > longest {
                let given = format!("{} from {first} on", x.size(-2));
                let detail =
                    format!("too many positions: {given}; the layer knows {longest}, make it longer");
                raise(Error::new("SinusoidalPositions", ErrorKind::Shape, detail));
            }
            x + self.table.narrow(0, first, x.size(-2)).cast_as(x)
        })
    }
}

/// Rotates pairs of elements of queries or keys `[.., positions, size]` by angles that grow with the position: pair i by
/// p · base^(-2i / size). The product of a query and a key then depends on the distance of their positions alone.
///
/// A pair is element i of each half, as in most published models, or with
/// [`interleaved`](RotaryPositions::interleaved) elements 2i and 2i + 1, as in the paper. Nothing is learnt or saved.
///
/// ```
/// use retrograd_nn::RotaryPositions;
/// use retrograd_tensor::Tensor;
/// let rotary = RotaryPositions::new(2);
/// let y = rotary.forward(&Tensor::from([[1.0f32, 0.0], [1.0, 0.0]]));
/// assert_eq!(y.to_vec::<f32>(), [1.0, 0.0, 1f32.cos(), 1f32.sin()]);
/// // Position 5 alone, as when text is made one character after the other.
/// assert_eq!(rotary.forward_at(&Tensor::from([[1.0f32, 0.0]]), 5).to_vec::<f32>()[0], 5f32.cos());
/// ```
///
/// Source: Su et al., 2021.
#[derive(Clone, Copy, Debug, Module)]
pub struct RotaryPositions {
    size: usize,
    base: f64,
    interleaved: bool,
}

impl RotaryPositions {
    /// A layer for vectors of this size, with base 10,000.
    ///
    /// # Panics
    /// If the size is odd.
    #[track_caller]
    pub fn new(size: usize) -> Self {
        if !size.is_multiple_of(2) {
            let detail = format!("odd size: {size}; elements are rotated in pairs");
            raise(Error::new("RotaryPositions", ErrorKind::Value, detail));
        }
        Self { size, base: 10_000.0, interleaved: false }
    }

    /// The same with this base: larger ones turn slower.
    #[must_use]
    pub fn base(self, base: f64) -> Self {
        Self { base, ..self }
    }

    /// The same with pairs of neighbours.
    #[must_use]
    pub fn interleaved(self) -> Self {
        Self { interleaved: true, ..self }
    }

    /// The input, rotated for positions 0, 1, ...
    ///
    /// *Gradient:* `g` rotated back.
    ///
    /// # Panics
    /// If the last axes of `x` are not positions and the layer's size.
    #[track_caller]
    pub fn forward(&self, x: &Tensor) -> Tensor {
        self.forward_at(x, 0)
    }

    /// The same for positions from `first` on.
    ///
    /// # Panics
    /// As `forward`.
    #[track_caller]
    pub fn forward_at(&self, x: &Tensor, first: usize) -> Tensor {
        layer!(self, "RotaryPositions", self.compute_at(x, first))
    }

    #[track_caller]
    fn compute_at(&self, x: &Tensor, first: usize) -> Tensor {
        check("RotaryPositions", x, self.size);
        let (steps, half) = (x.size(-2), self.size / 2);
        let angle = |place: usize| {
            let (position, pair) = ((first + place / half) as f64, (place % half) as f64);
            position * self.base.powf(-2.0 * pair / self.size as f64)
        };
        let angles = || (0..steps * half).map(angle);
        let [cos, sin] = [angles().map(f64::cos).collect::<Vec<_>>(), angles().map(f64::sin).collect()]
            .map(|values| Tensor::from_vec(values, [steps, half]).cast_as(x));
        let split = |k: usize| {
            if !self.interleaved {
                return x.narrow(-1, k * half, half);
            }
            x.slice(-1, k as isize, isize::MAX, 2)
        };
        let (a, b) = (split(0), split(1));
        let turned = [&a * &cos - &b * &sin, &b * &cos + &a * &sin];
        if self.interleaved {
            return Tensor::stack(&turned, -1).reshape(x.shape());
        }
        cat(&turned, -1)
    }
}

#[track_caller]
fn check(name: &'static str, x: &Tensor, size: usize) {
    if x.rank() < 2 || x.size(-1) != size {
        let detail =
            format!("input does not fit: shape {}; {name}({size}) takes [.., positions, {size}]", x.shape());
        raise(Error::new(name, ErrorKind::Shape, detail));
    }
}

passes_on!(SinusoidalPositions, RotaryPositions);
