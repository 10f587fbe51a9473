//! Random tensors. Each is a function of a key and a counter that the call takes from an [`Rng`].
use crate::call::{self, Random};
use crate::dtype::{Bool, DType, Element, F32, I64};
use crate::error::{Error, ErrorKind, raise};
use crate::memory;
use crate::op::{Batch, Gradient, Kernel, Op, Spec, Specs};
use crate::record::{Context, Cotangents};
use crate::shape::{self, IntoShape, Shape};
use crate::{Rng, Tensor, apply};
use rand_distr::Distribution;
use smallvec::smallvec;

mod multinomial;

/// Elements of one stream of [`Tensor::sample`].
const BLOCK: usize = 1024;

#[derive(Debug)]
struct Drawn {
    name: &'static str,
    draw: Random,
    shape: Shape,
    dtype: DType,
    state: (u64, u64),
}
impl Op for Drawn {
    fn name(&self) -> &'static str {
        self.name
    }
    fn infer(&self, _: &[Spec]) -> Result<Specs, Error> {
        let refuse = |kind, detail| Err(Error::new(self.name, kind, detail));
        match self.draw {
            Random::Unit | Random::Normal if !self.dtype.is_float() => {
                let detail = format!("not a float type: {}; draw floats, or integers by randint", self.dtype);
                return refuse(ErrorKind::Dtype, detail);
            }
            Random::Integer { .. } if !self.dtype.is_int() => {
                let detail = format!("not an integer type: {}; draw integers, then cast", self.dtype);
                return refuse(ErrorKind::Dtype, detail);
            }
            _ => {}
        }
        let shape = shape::countable(self.name, self.shape.clone())?;
        Ok(smallvec![Spec { shape, dtype: self.dtype }])
    }
    fn kernel(&self, _: &[Spec], _: &[Spec]) -> Kernel {
        Kernel::Call(call::random(self.draw, self.state))
    }
    fn gradient(&self) -> Gradient {
        Gradient::None("a random draw depends on no tensor")
    }
}

#[derive(Clone, Debug)]
struct Dropout {
    p: f64,
    key: (u64, u64),
}
impl Op for Dropout {
    fn name(&self) -> &'static str {
        "dropout"
    }
    fn infer(&self, x: &[Spec]) -> Result<Specs, Error> {
        probability("dropout", self.p)?;
        if !x[0].dtype.is_float() {
            let detail = format!("not a float type: {}; cast first, as in x.cast(F32)", x[0].dtype);
            return Err(Error::new("dropout", ErrorKind::Dtype, detail));
        }
        Ok(smallvec![x[0].clone()])
    }
    fn kernel(&self, _: &[Spec], _: &[Spec]) -> Kernel {
        Kernel::Call(call::dropout(self.p, self.key))
    }
    fn flops(&self, x: &[Spec], _: &[Spec]) -> u64 {
        x[0].shape.numel() as u64
    }
    fn vjp(&self, _: &Context<'_>, g: &Tensor) -> Cotangents {
        smallvec![apply::op(self.clone(), &[g]).into()]
    }
    fn batch(&self, _: &[Spec], _: &[usize], _: u64) -> Batch {
        Batch::whole(self.clone())
    }
}

fn probability(op: &'static str, p: f64) -> Result<(), Error> {
    if (0.0..=1.0).contains(&p) {
        return Ok(());
    }
    Err(Error::new(op, ErrorKind::Value, format!("no probability: {p}; it lies in 0..=1")))
}
#[track_caller]
fn draw(name: &'static str, draw: Random, dtype: DType, shape: Shape, rng: &mut Rng) -> Tensor {
    let n = shape.checked_numel().unwrap_or(0);
    let state = rng.reserve(n as u64);
    apply::op(Drawn { name, draw, shape, dtype, state }, &[])
}

impl Tensor {
    /// Uniform numbers in [0, 1), of type `F32`; of another type: `F64.rand(shape, &mut rng)`.
    ///
    /// ```
    /// use retrograd_tensor::{Rng, Tensor};
    /// let x = Tensor::rand([100], &mut Rng::new(1));
    /// assert!(x.iter::<f32>().all(|v| (0.0..1.0).contains(&v)));
    /// ```
    ///
    /// # Panics
    /// If the shape has more elements than memory could hold.
    #[track_caller]
    pub fn rand(shape: impl IntoShape, rng: &mut Rng) -> Tensor {
        F32.rand(shape, rng)
    }
    /// The numbers that [`Tensor::rand`] gives where its stream has this state: the same bits for the same key and
    /// shape at every call, so they need not be stored. [`Rng::reserve`] gives such keys.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::rand_at([3], (7, 0)), Tensor::rand_at([3], (7, 0)));
    /// ```
    ///
    /// # Panics
    /// If the shape has more elements than memory could hold.
    #[track_caller]
    pub fn rand_at(shape: impl IntoShape, (key, counter): (u64, u64)) -> Tensor {
        F32.rand(shape, &mut Rng::at(key, counter))
    }
    /// Standard normal numbers, of type `F32`; of another type: `F64.randn(shape, &mut rng)`.
    ///
    /// ```
    /// use retrograd_tensor::{Rng, Tensor};
    /// let x = Tensor::randn([10_000], &mut Rng::new(1));
    /// assert!(x.sum(()).item().abs() < 400.0);
    /// ```
    ///
    /// # Panics
    /// If the shape has more elements than memory could hold.
    #[track_caller]
    pub fn randn(shape: impl IntoShape, rng: &mut Rng) -> Tensor {
        F32.randn(shape, rng)
    }
    /// Uniform numbers in [low, high), of type `F32`; rounding may give `high` itself.
    ///
    /// Composite of [`DType::rand`] and a formula.
    ///
    /// ```
    /// use retrograd_tensor::{Rng, Tensor};
    /// let x = Tensor::uniform([100], -2.0, -1.0, &mut Rng::new(1));
    /// assert!(x.iter::<f32>().all(|v| (-2.0..=-1.0).contains(&v)));
    /// ```
    ///
    /// # Panics
    /// If the shape has more elements than memory could hold.
    #[track_caller]
    pub fn uniform(shape: impl IntoShape, low: f64, high: f64, rng: &mut Rng) -> Tensor {
        F32.uniform(shape, low, high, rng)
    }
    /// Normal numbers with this mean and standard deviation, of type `F32`.
    ///
    /// Composite of [`DType::randn`] and a formula.
    ///
    /// ```
    /// use retrograd_tensor::{Rng, Tensor};
    /// let x = Tensor::normal([10_000], 3.0, 0.5, &mut Rng::new(1));
    /// assert!((x.sum(()).item() / 1e4 - 3.0).abs() < 0.02);
    /// ```
    ///
    /// # Panics
    /// If the shape has more elements than memory could hold.
    #[track_caller]
    pub fn normal(shape: impl IntoShape, mean: f64, std: f64, rng: &mut Rng) -> Tensor {
        F32.normal(shape, mean, std, rng)
    }
    /// Integers from `low` up to, but not including, `high`, equally likely, of type `I64`.
    ///
    /// ```
    /// use retrograd_tensor::{Rng, Tensor};
    /// let x = Tensor::randint(0, 6, [100], &mut Rng::new(1));
    /// assert!(x.iter::<i64>().all(|v| (0..6).contains(&v)));
    /// ```
    ///
    /// # Panics
    /// If `low` is not below `high`, or the shape has more elements than memory could hold.
    #[track_caller]
    pub fn randint(low: i64, high: i64, shape: impl IntoShape, rng: &mut Rng) -> Tensor {
        I64.randint(low, high, shape, rng)
    }
    /// Truth values that are each true with probability `p`.
    ///
    /// ```
    /// use retrograd_tensor::{Rng, Tensor};
    /// assert!(Tensor::bernoulli([100], 1.0, &mut Rng::new(1)).iter::<bool>().all(|v| v));
    /// ```
    ///
    /// # Panics
    /// If `p` is no probability, or the shape has more elements than memory could hold.
    #[track_caller]
    pub fn bernoulli(shape: impl IntoShape, p: f64, rng: &mut Rng) -> Tensor {
        if let Err(e) = probability("bernoulli", p) {
            raise(e);
        }
        draw("bernoulli", Random::Chance(p), Bool, shape.into_shape(), rng)
    }
    /// The integers from 0 up to, but not including, `n` in random order, of type `I64`.
    ///
    /// ```
    /// use retrograd_tensor::{Rng, Tensor};
    /// let mut order = Tensor::randperm(4, &mut Rng::new(1)).to_vec::<i64>();
    /// order.sort();
    /// assert_eq!(order, [0, 1, 2, 3]);
    /// ```
    #[track_caller]
    pub fn randperm(n: usize, rng: &mut Rng) -> Tensor {
        let mut stream = Rng::block(rng.reserve(n as u64), 0);
        let mut order: Vec<i64> = (0..n as i64).collect();
        for i in (1..n).rev() {
            order.swap(i, stream.below(i as u64 + 1) as usize);
        }
        order.into()
    }
    /// Elements drawn from any distribution of the `rand_distr` crate, or one of your own.
    ///
    /// Blocks of 1,024 elements have streams of their own and are filled in parallel: the elements are the same at
    /// any number of threads.
    ///
    /// ```
    /// use rand_distr::Gamma;
    /// use retrograd_tensor::{Rng, Tensor};
    /// let x = Tensor::sample(Gamma::new(2.0f64, 1.0).unwrap(), [100], &mut Rng::new(1));
    /// assert!(x.iter::<f64>().all(|v| v > 0.0));
    /// ```
    ///
    /// # Panics
    /// If the shape has more elements than memory could hold.
    #[track_caller]
    pub fn sample<T: Element>(
        distr: impl Distribution<T> + Sync,
        shape: impl IntoShape,
        rng: &mut Rng,
    ) -> Tensor {
        let shape = match shape::countable("sample", shape.into_shape()) {
            Ok(shape) => shape,
            Err(e) => raise(e),
        };
        let mut out = memory::list("sample", T::DTYPE, &shape);
        out.resize(shape.numel(), T::from_f64(0.0));
        let state = rng.reserve(shape.numel() as u64);
        // A sample may take any time, so that even a block is worth a second thread.
        call::for_chunks(&mut out, BLOCK, BLOCK, |i, part| {
            let mut stream = Rng::block(state, i as u64);
            part.iter_mut().for_each(|v| *v = distr.sample(&mut stream));
        });
        Tensor::from_vec(out, shape)
    }
    /// Uniform numbers in [0, 1) of this tensor's shape and type.
    ///
    /// Composite of [`DType::rand`].
    ///
    /// # Panics
    /// If this is no float tensor.
    #[track_caller]
    pub fn rand_like(&self, rng: &mut Rng) -> Tensor {
        self.dtype().rand(self.shape().clone(), rng)
    }
    /// Standard normal numbers of this tensor's shape and type.
    ///
    /// Composite of [`DType::randn`].
    ///
    /// # Panics
    /// If this is no float tensor.
    #[track_caller]
    pub fn randn_like(&self, rng: &mut Rng) -> Tensor {
        self.dtype().randn(self.shape().clone(), rng)
    }
    /// This tensor with each element set to 0 with probability `p`, and the others scaled by `1 / (1 - p)`.
    ///
    /// Which elements these are is a function of the key (see [`Tensor::rand_at`]): the backward pass makes them
    /// again and stores nothing. A dropped NaN is 0.
    ///
    /// *Gradient:* `g` with the same elements dropped and scaled.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let y = Tensor::ones([8]).dropout(0.5, (7, 0));
    /// assert!(y.iter::<f32>().all(|v| v == 0.0 || v == 2.0));
    /// ```
    ///
    /// # Panics
    /// If `p` is no probability, or this is no float tensor.
    #[track_caller]
    pub fn dropout(&self, p: f64, key: (u64, u64)) -> Tensor {
        apply::op(Dropout { p, key }, &[self])
    }
}

impl DType {
    /// Uniform numbers in [0, 1) of this type.
    ///
    /// ```
    /// use retrograd_tensor::{F64, Rng};
    /// assert!(F64.rand([], &mut Rng::new(1)).item() < 1.0);
    /// ```
    ///
    /// # Panics
    /// If this is no float type, or the shape has more elements than memory could hold.
    #[track_caller]
    pub fn rand(self, shape: impl IntoShape, rng: &mut Rng) -> Tensor {
        draw("rand", Random::Unit, self, shape.into_shape(), rng)
    }
    /// Standard normal numbers of this type.
    ///
    /// # Panics
    /// If this is no float type, or the shape has more elements than memory could hold.
    #[track_caller]
    pub fn randn(self, shape: impl IntoShape, rng: &mut Rng) -> Tensor {
        draw("randn", Random::Normal, self, shape.into_shape(), rng)
    }
    /// Uniform numbers in [low, high) of this type; rounding may give `high` itself.
    ///
    /// Composite of [`DType::rand`] and a formula.
    ///
    /// # Panics
    /// If this is no float type, or the shape has more elements than memory could hold.
    #[track_caller]
    pub fn uniform(self, shape: impl IntoShape, low: f64, high: f64, rng: &mut Rng) -> Tensor {
        draw("uniform", Random::Unit, self, shape.into_shape(), rng).map(|u| u * (high - low) + low)
    }
    /// Normal numbers of this type with this mean and standard deviation.
    ///
    /// Composite of [`DType::randn`] and a formula.
    ///
    /// # Panics
    /// If this is no float type, or the shape has more elements than memory could hold.
    #[track_caller]
    pub fn normal(self, shape: impl IntoShape, mean: f64, std: f64, rng: &mut Rng) -> Tensor {
        draw("normal", Random::Normal, self, shape.into_shape(), rng).map(|z| z * std + mean)
    }
    /// Integers from `low` up to, but not including, `high`, equally likely, of this type.
    ///
    /// # Panics
    /// If `low` is not below `high`, the type does not hold them, or the shape has more elements than memory could
    /// hold.
    #[track_caller]
    pub fn randint(self, low: i64, high: i64, shape: impl IntoShape, rng: &mut Rng) -> Tensor {
        let (least, most) = match self {
            DType::U8 => (0, i64::from(u8::MAX)),
            DType::I32 => (i64::from(i32::MIN), i64::from(i32::MAX)),
            _ => (i64::MIN, i64::MAX),
        };
        if low >= high || low < least || high - 1 > most {
            let given = format!("no such integers: from {low} to below {high} as {self}");
            let right = format!("low is below high, and all lie in {least}..={most}");
            raise(Error::new("randint", ErrorKind::Value, format!("{given}; {right}")));
        }
        let range = high.wrapping_sub(low) as u64;
        draw("randint", Random::Integer { low, range }, self, shape.into_shape(), rng)
    }
}
