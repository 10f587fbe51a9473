//! Initial values of parameters, by PyTorch's formulas.
//!
//! Each function returns an `f32` tensor; [`Param::new`](crate::Param::new) makes a parameter of it, and `cast`
//! another type. Weights have the shape `[out, in, kernel..]`: what a unit reads, its *fan in*, is
//! `in · kernel`; what reads it, its *fan out*, is `out · kernel`.

use retrograd_tensor::{Error, ErrorKind, F32, F64, IntoShape, Rng, Shape, Tensor, raise};

/// Which of a weight's two fans keeps its variance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fan {
    /// The inputs of a unit: activations keep their variance on the way forward.
    #[default]
    In,
    /// The readers of a unit: gradients keep their variance on the way back.
    Out,
}

/// What follows the weight; each has the gain that makes up for what it takes from the variance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Nonlinearity {
    /// Nothing, or the sigmoid: gain 1.
    Linear,
    /// `tanh`: gain 5/3.
    Tanh,
    /// `relu`: gain √2.
    Relu,
    /// `leaky_relu` with this slope: gain √(2 / (1 + slope²)).
    LeakyRelu(f64),
    /// `selu`: gain 3/4.
    Selu,
}

impl Nonlinearity {
    /// The factor by which the standard deviation is raised.
    pub fn gain(self) -> f64 {
        match self {
            Self::Linear => 1.0,
            Self::Tanh => 5.0 / 3.0,
            Self::Relu => 2f64.sqrt(),
            Self::LeakyRelu(slope) => (2.0 / (1.0 + slope * slope)).sqrt(),
            Self::Selu => 0.75,
        }
    }
}

/// Uniform in ±gain · √(3 / fan): He et al., 2015.
///
/// # Panics
/// If the shape has fewer than two axes, as for every function here that needs fans.
#[track_caller]
pub fn kaiming_uniform(shape: impl IntoShape, fan: Fan, after: Nonlinearity, rng: &mut Rng) -> Tensor {
    let weight = Weight::of("kaiming_uniform", shape);
    weight.uniform(after.gain() / weight.fan(fan).sqrt(), rng)
}

/// Normal with standard deviation gain / √fan: He et al., 2015.
///
/// # Panics
/// If the shape has fewer than two axes.
#[track_caller]
pub fn kaiming_normal(shape: impl IntoShape, fan: Fan, after: Nonlinearity, rng: &mut Rng) -> Tensor {
    let weight = Weight::of("kaiming_normal", shape);
    normal(&weight.shape[..], 0.0, after.gain() / weight.fan(fan).sqrt(), rng)
}

/// Uniform in ±gain · √(6 / (fan in + fan out)): Glorot and Bengio, 2010.
///
/// # Panics
/// If the shape has fewer than two axes.
#[track_caller]
pub fn xavier_uniform(shape: impl IntoShape, gain: f64, rng: &mut Rng) -> Tensor {
    let weight = Weight::of("xavier_uniform", shape);
    weight.uniform(gain * weight.mean_fan_std(), rng)
}

/// Normal with standard deviation gain · √(2 / (fan in + fan out)): Glorot and Bengio, 2010.
///
/// # Panics
/// If the shape has fewer than two axes.
#[track_caller]
pub fn xavier_normal(shape: impl IntoShape, gain: f64, rng: &mut Rng) -> Tensor {
    let weight = Weight::of("xavier_normal", shape);
    normal(&weight.shape[..], 0.0, gain * weight.mean_fan_std(), rng)
}

/// Uniform in ±√(3 / fan in): LeCun et al., 1998; goes with `selu`.
///
/// # Panics
/// If the shape has fewer than two axes.
#[track_caller]
pub fn lecun_uniform(shape: impl IntoShape, rng: &mut Rng) -> Tensor {
    let weight = Weight::of("lecun_uniform", shape);
    weight.uniform(1.0 / weight.fan(Fan::In).sqrt(), rng)
}

/// Normal with standard deviation 1 / √(fan in): LeCun et al., 1998; goes with `selu`.
///
/// # Panics
/// If the shape has fewer than two axes.
#[track_caller]
pub fn lecun_normal(shape: impl IntoShape, rng: &mut Rng) -> Tensor {
    let weight = Weight::of("lecun_normal", shape);
    normal(&weight.shape[..], 0.0, 1.0 / weight.fan(Fan::In).sqrt(), rng)
}

/// Uniform in [low, high).
#[track_caller]
pub fn uniform(shape: impl IntoShape, low: f64, high: f64, rng: &mut Rng) -> Tensor {
    Tensor::uniform(shape, low, high, rng)
}

/// Normal with this mean and standard deviation.
#[track_caller]
pub fn normal(shape: impl IntoShape, mean: f64, std: f64, rng: &mut Rng) -> Tensor {
    let unit = Tensor::randn(shape, rng);
    if mean == 0.0 { unit * std } else { unit * std + mean }
}

/// All zero.
#[track_caller]
pub fn zeros(shape: impl IntoShape) -> Tensor {
    Tensor::zeros(shape)
}

/// All one.
#[track_caller]
pub fn ones(shape: impl IntoShape) -> Tensor {
    Tensor::ones(shape)
}

/// All `value`.
#[track_caller]
pub fn constant(shape: impl IntoShape, value: f64) -> Tensor {
    Tensor::full(shape, value as f32)
}

/// `gain` times a random matrix with orthonormal rows or columns, whichever are fewer; axes after the first are
/// flattened: Saxe et al., 2013. Uniform over all such matrices.
///
/// # Panics
/// If the shape has fewer than two axes.
#[track_caller]
pub fn orthogonal(shape: impl IntoShape, gain: f64, rng: &mut Rng) -> Tensor {
    let weight = Weight::of("orthogonal", shape);
    let rows = weight.shape[0];
    let columns = weight.shape[1..].iter().product::<usize>();
    let (long, short) = (rows.max(columns), rows.min(columns));
    let drawn = Tensor::randn([short, long], rng).cast(F64).to_vec::<f64>();
    let mut vectors: Vec<Vec<f64>> = drawn.chunks(long.max(1)).map(<[f64]>::to_vec).collect();
    orthonormalize(&mut vectors);
    let matrix = Tensor::from_vec(vectors.concat(), [short, long]) * gain;
    let matrix = if rows <= columns { matrix } else { matrix.t() };
    matrix.reshape(&weight.shape[..]).cast(F32)
}

/// Modified Gram-Schmidt, each vector against those before it, twice: the second round removes what rounding
/// left of the first. The vectors keep the direction that they were drawn in, which is what makes the result
/// uniform; in terms of a QR decomposition, R has a positive diagonal.
fn orthonormalize(vectors: &mut [Vec<f64>]) {
    for i in 0..vectors.len() {
        let (done, rest) = vectors.split_at_mut(i);
        let vector = &mut rest[0];
        for _ in 0..2 {
            for unit in done.iter() {
                let along: f64 = unit.iter().zip(vector.iter()).map(|(u, v)| u * v).sum();
                vector.iter_mut().zip(unit).for_each(|(v, u)| *v -= along * u);
            }
        }
        let norm = vector.iter().map(|v| v * v).sum::<f64>().sqrt();
        vector.iter_mut().for_each(|v| *v /= norm);
    }
}

/// The shape of a weight, with its fans.
struct Weight {
    shape: Shape,
    fan_in: f64,
    fan_out: f64,
}

impl Weight {
    #[track_caller]
    fn of(op: &'static str, shape: impl IntoShape) -> Self {
        let shape = shape.into_shape();
        if shape.len() < 2 {
            let detail = format!("too few axes: shape {:?}; fans need a weight [out, in, ..]", &shape[..]);
            raise(Error::new(op, ErrorKind::Shape, detail));
        }
        let kernel = shape[2..].iter().product::<usize>();
        let (fan_in, fan_out) = ((shape[1] * kernel) as f64, (shape[0] * kernel) as f64);
        Self { shape, fan_in, fan_out }
    }

    fn fan(&self, fan: Fan) -> f64 {
        match fan {
            Fan::In => self.fan_in,
            Fan::Out => self.fan_out,
        }
    }

    /// The standard deviation between those that keep either fan's variance.
    fn mean_fan_std(&self) -> f64 {
        (2.0 / (self.fan_in + self.fan_out)).sqrt()
    }

    /// Uniform around 0 with this standard deviation.
    #[track_caller]
    fn uniform(&self, std: f64, rng: &mut Rng) -> Tensor {
        let bound = 3f64.sqrt() * std;
        uniform(&self.shape[..], -bound, bound, rng)
    }
}
