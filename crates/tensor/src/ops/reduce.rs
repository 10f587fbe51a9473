//! Reductions that are one fold over axes: sums, products, extremes, truth. They are lazy and fuse with what their
//! operand is made of; over trailing axes also with what is made of them.
//!
//! What is composed of these is in `stats` and `softmax`.
use crate::Tensor;
use crate::apply;
use crate::dtype::{Bool, DType};
use crate::entry::{Attrs, Entry};
use crate::error::{Error, ErrorKind, OrRaise};
use crate::map::map_n;
use crate::op::{Batch, Gradient, Kernel, Op, Red, Saves, Spec, Specs, behind};
use crate::record::{Context, Cotangents};
use crate::shape::{Axes, AxisVec, IntoAxes, Shape};
use smallvec::smallvec;

#[derive(Debug)]
struct Sum {
    axes: AxisVec,
    to: Shape,
}
impl Op for Sum {
    fn name(&self) -> &'static str {
        "sum"
    }
    fn infer(&self, x: &[Spec]) -> Result<Specs, Error> {
        Ok(smallvec![Spec { shape: self.to.clone(), dtype: apply::sum_dtype(x[0].dtype) }])
    }
    fn kernel(&self, _: &[Spec], _: &[Spec]) -> Kernel {
        Kernel::Fold(Red::Sum, self.axes.clone())
    }
    fn vjp(&self, cx: &Context<'_>, g: &Tensor) -> Cotangents {
        let from = cx.shape(0);
        smallvec![g.reshaped(&kept(from, &self.axes)).broadcast_to(from).into()]
    }
    fn batch(&self, _: &[Spec], lead: &[usize], _: u64) -> Batch {
        Batch::whole(Sum { axes: behind(lead, &self.axes), to: self.to.under(lead) })
    }
}

#[derive(Debug)]
struct Prod {
    axes: AxisVec,
    to: Shape,
}
impl Op for Prod {
    fn name(&self) -> &'static str {
        "prod"
    }
    fn infer(&self, x: &[Spec]) -> Result<Specs, Error> {
        Ok(smallvec![Spec { shape: self.to.clone(), dtype: apply::sum_dtype(x[0].dtype) }])
    }
    fn kernel(&self, _: &[Spec], _: &[Spec]) -> Kernel {
        Kernel::Fold(Red::Prod, self.axes.clone())
    }
    fn saves(&self, _: u64) -> Saves {
        Saves::inputs([0])
    }
    fn vjp(&self, cx: &Context<'_>, g: &Tensor) -> Cotangents {
        let g = g.reshaped(&kept(cx.shape(0), &self.axes));
        smallvec![(g * cx.input(0).product_of_others(&self.axes)).into()]
    }
    fn batch(&self, _: &[Spec], lead: &[usize], _: u64) -> Batch {
        Batch::whole(Prod { axes: behind(lead, &self.axes), to: self.to.under(lead) })
    }
}

/// The largest or the smallest element.
#[derive(Debug)]
struct Extreme {
    largest: bool,
    axes: AxisVec,
    to: Shape,
}
impl Op for Extreme {
    fn name(&self) -> &'static str {
        if self.largest { "amax" } else { "amin" }
    }
    fn infer(&self, x: &[Spec]) -> Result<Specs, Error> {
        for &axis in &self.axes {
            nonempty(self.name(), &x[0].shape, axis)?;
        }
        Ok(smallvec![Spec { shape: self.to.clone(), dtype: x[0].dtype }])
    }
    fn kernel(&self, _: &[Spec], _: &[Spec]) -> Kernel {
        Kernel::Fold(if self.largest { Red::Max } else { Red::Min }, self.axes.clone())
    }
    fn saves(&self, _: u64) -> Saves {
        Saves::inputs([0]).and_output()
    }
    /// As in PyTorch, where nothing equals a NaN, its row of the gradient is 0 / 0.
    fn vjp(&self, cx: &Context<'_>, g: &Tensor) -> Cotangents {
        let to = kept(cx.shape(0), &self.axes);
        let (x, o, g) = (cx.input(0), cx.output(0).reshaped(&to), g.reshaped(&to));
        let ties = x.eq(&o).summed(self.axes.clone(), to);
        let ties = ties.cast(g.dtype());
        let share = map_n([x.into(), o.into(), g.into(), ties.into()], |s| {
            let [x, o, g, ties] = *s else { unreachable!("four operands") };
            x.eq(o).where_(g, 0.0) / ties
        });
        smallvec![share.into()]
    }
    fn batch(&self, _: &[Spec], lead: &[usize], _: u64) -> Batch {
        Batch::whole(Extreme {
            largest: self.largest,
            axes: behind(lead, &self.axes),
            to: self.to.under(lead),
        })
    }
}

/// Whether any, or all, of some truth values hold.
#[derive(Debug)]
struct Truth {
    all: bool,
    axes: AxisVec,
    to: Shape,
}
impl Op for Truth {
    fn name(&self) -> &'static str {
        if self.all { "all" } else { "any" }
    }
    fn infer(&self, _: &[Spec]) -> Result<Specs, Error> {
        Ok(smallvec![Spec { shape: self.to.clone(), dtype: Bool }])
    }
    /// The product and not the smallest: it is true if empty.
    fn kernel(&self, _: &[Spec], _: &[Spec]) -> Kernel {
        Kernel::Fold(if self.all { Red::Prod } else { Red::Max }, self.axes.clone())
    }
    fn gradient(&self) -> Gradient {
        Gradient::None("a truth value is constant almost everywhere")
    }
    fn batch(&self, _: &[Spec], lead: &[usize], _: u64) -> Batch {
        Batch::whole(Truth { all: self.all, axes: behind(lead, &self.axes), to: self.to.under(lead) })
    }
}

/// `shape` with the reduced axes at size 1.
pub(crate) fn kept(shape: &Shape, axes: &[usize]) -> Shape {
    shape.iter().enumerate().map(|(i, &n)| if axes.contains(&i) { 1 } else { n }).collect()
}
/// `shape` without the reduced axes.
pub(crate) fn dropped(shape: &Shape, axes: &[usize]) -> Shape {
    shape.iter().enumerate().filter(|(i, _)| !axes.contains(i)).map(|(_, &n)| n).collect()
}
/// Refuses what has no value over no elements.
pub(crate) fn nonempty(op: &'static str, shape: &Shape, axis: usize) -> Result<(), Error> {
    if shape[axis] > 0 {
        return Ok(());
    }
    let detail = format!(
        "no elements along the axis: shape {shape} has size 0 along axis {axis}; it needs at least one"
    );
    Err(Error::new(op, ErrorKind::Shape, detail))
}
/// The axes as a user gave them, and the shape that reducing them leaves. A number has none, but axis 0 or -1 of it
/// may be named, as of a list of one.
#[track_caller]
pub(crate) fn reducing(op: &'static str, x: &Tensor, axes: impl IntoAxes, keepdim: bool) -> (AxisVec, Shape) {
    let axes = match axes.into_axes() {
        Axes::List(list) if x.rank() == 0 && matches!(list[..], [0 | -1]) => AxisVec::new(),
        axes => axes.resolve(op, x.rank()).or_raise(),
    };
    let to = if keepdim { kept(x.shape(), &axes) } else { dropped(x.shape(), &axes) };
    (axes, to)
}

impl Tensor {
    /// Sum over `axes`, which disappear. `()` or `..` means all of them; of rank 0, axes 0 and -1 may be named, here and
    /// in every reduction over axes.
    ///
    /// *Gradient:* `g` repeated. Sums of bool and integers are `I64`. An empty sum is 0.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([[1.0f32, 2.0], [3.0, 4.0]]).sum(0).to_vec::<f32>(), [4.0, 6.0]);
    /// assert_eq!(Tensor::from(2.0f32).sum(-1).item(), 2.0);
    /// ```
    ///
    /// # Panics
    /// If an axis does not exist or is named twice.
    #[track_caller]
    pub fn sum(&self, axes: impl IntoAxes) -> Tensor {
        let (axes, to) = reducing("sum", self, axes, false);
        self.summed(axes, to)
    }
    /// [`Tensor::sum`] with the summed axes kept at size 1.
    ///
    /// # Panics
    /// If an axis does not exist or is named twice.
    #[track_caller]
    pub fn sum_keepdim(&self, axes: impl IntoAxes) -> Tensor {
        let (axes, to) = reducing("sum", self, axes, true);
        self.summed(axes, to)
    }
    /// The sum over checked axes, of a shape that [`reducing`] gave.
    #[track_caller]
    pub(crate) fn summed(&self, axes: AxisVec, to: Shape) -> Tensor {
        apply::op(Sum { axes, to }, &[self])
    }
    /// The inverse of broadcasting: summed to `to`, which broadcasts to this shape.
    #[track_caller]
    pub(crate) fn sum_to(&self, to: &Shape) -> Tensor {
        if self.shape() == to {
            return self.clone();
        }
        let pad = self.rank() - to.rank();
        let axes = (0..self.rank()).filter(|&i| i < pad || to[i - pad] != self.shape()[i]).collect();
        self.summed(axes, to.clone())
    }

    /// Product over `axes`, which disappear.
    ///
    /// *Gradient:* `g` times the product of the other elements, which is formed without division: it is exact where
    /// elements are 0, in every order. Products of bool and integers are `I64`. An empty product is 1.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([[1.0f32, 2.0], [3.0, 4.0]]).prod(1).to_vec::<f32>(), [2.0, 12.0]);
    /// ```
    ///
    /// # Panics
    /// If an axis does not exist or is named twice.
    #[track_caller]
    pub fn prod(&self, axes: impl IntoAxes) -> Tensor {
        let (axes, to) = reducing("prod", self, axes, false);
        apply::op(Prod { axes, to }, &[self])
    }
    /// [`Tensor::prod`] with the multiplied axes kept at size 1.
    ///
    /// # Panics
    /// If an axis does not exist or is named twice.
    #[track_caller]
    pub fn prod_keepdim(&self, axes: impl IntoAxes) -> Tensor {
        let (axes, to) = reducing("prod", self, axes, true);
        apply::op(Prod { axes, to }, &[self])
    }

    /// The largest or smallest element over checked axes, of a shape that [`reducing`] gave.
    #[track_caller]
    pub(crate) fn extreme(&self, largest: bool, axes: AxisVec, to: Shape) -> Tensor {
        apply::op(Extreme { largest, axes, to }, &[self])
    }
    /// The largest element over `axes`, which disappear; NaN if any is. [`Tensor::max_along`] also says where it is.
    ///
    /// *Gradient:* `g` at the largest element, shared equally among ties.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([[1.0f32, 4.0], [3.0, 2.0]]).amax(1).to_vec::<f32>(), [4.0, 3.0]);
    /// ```
    ///
    /// # Panics
    /// If an axis does not exist, is named twice, or has no elements.
    #[track_caller]
    pub fn amax(&self, axes: impl IntoAxes) -> Tensor {
        let (axes, to) = reducing("amax", self, axes, false);
        self.extreme(true, axes, to)
    }
    /// [`Tensor::amax`] with the reduced axes kept at size 1.
    ///
    /// # Panics
    /// If an axis does not exist, is named twice, or has no elements.
    #[track_caller]
    pub fn amax_keepdim(&self, axes: impl IntoAxes) -> Tensor {
        let (axes, to) = reducing("amax", self, axes, true);
        self.extreme(true, axes, to)
    }
    /// The smallest element over `axes`, which disappear; NaN if any is. [`Tensor::min_along`] also says where it is.
    ///
    /// *Gradient:* `g` at the smallest element, shared equally among ties.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([[1.0f32, 4.0], [3.0, 2.0]]).amin(()).item(), 1.0);
    /// ```
    ///
    /// # Panics
    /// If an axis does not exist, is named twice, or has no elements.
    #[track_caller]
    pub fn amin(&self, axes: impl IntoAxes) -> Tensor {
        let (axes, to) = reducing("amin", self, axes, false);
        self.extreme(false, axes, to)
    }
    /// [`Tensor::amin`] with the reduced axes kept at size 1.
    ///
    /// # Panics
    /// If an axis does not exist, is named twice, or has no elements.
    #[track_caller]
    pub fn amin_keepdim(&self, axes: impl IntoAxes) -> Tensor {
        let (axes, to) = reducing("amin", self, axes, true);
        self.extreme(false, axes, to)
    }

    /// Whether all elements over `axes` are other than 0; true if there are none. NaN is other than 0.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([[1.0f32, 0.0], [3.0, 4.0]]).all(1).to_vec::<bool>(), [false, true]);
    /// ```
    ///
    /// # Panics
    /// If an axis does not exist or is named twice.
    #[track_caller]
    pub fn all(&self, axes: impl IntoAxes) -> Tensor {
        let (axes, to) = reducing("all", self, axes, false);
        apply::op(Truth { all: true, axes, to }, &[&self.cast(Bool)])
    }
    /// [`Tensor::all`] with the reduced axes kept at size 1.
    ///
    /// # Panics
    /// If an axis does not exist or is named twice.
    #[track_caller]
    pub fn all_keepdim(&self, axes: impl IntoAxes) -> Tensor {
        let (axes, to) = reducing("all", self, axes, true);
        apply::op(Truth { all: true, axes, to }, &[&self.cast(Bool)])
    }
    /// Whether any element over `axes` is other than 0; false if there are none. NaN is other than 0.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([[0.0f32, 0.0], [3.0, 4.0]]).any(1).to_vec::<bool>(), [false, true]);
    /// ```
    ///
    /// # Panics
    /// If an axis does not exist or is named twice.
    #[track_caller]
    pub fn any(&self, axes: impl IntoAxes) -> Tensor {
        let (axes, to) = reducing("any", self, axes, false);
        apply::op(Truth { all: false, axes, to }, &[&self.cast(Bool)])
    }
    /// [`Tensor::any`] with the reduced axes kept at size 1.
    ///
    /// # Panics
    /// If an axis does not exist or is named twice.
    #[track_caller]
    pub fn any_keepdim(&self, axes: impl IntoAxes) -> Tensor {
        let (axes, to) = reducing("any", self, axes, true);
        apply::op(Truth { all: false, axes, to }, &[&self.cast(Bool)])
    }
    /// How many elements over `axes` are other than 0, as `I64`.
    ///
    /// Composite of [`Tensor::cast`] and [`Tensor::sum`].
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([[0.0f32, 5.0], [3.0, 4.0]]).count_nonzero(1).to_vec::<i64>(), [1, 2]);
    /// ```
    ///
    /// # Panics
    /// If an axis does not exist or is named twice.
    #[track_caller]
    pub fn count_nonzero(&self, axes: impl IntoAxes) -> Tensor {
        let (axes, to) = reducing("count_nonzero", self, axes, false);
        self.cast(Bool).summed(axes, to)
    }
    /// [`Tensor::count_nonzero`] with the reduced axes kept at size 1.
    ///
    /// # Panics
    /// If an axis does not exist or is named twice.
    #[track_caller]
    pub fn count_nonzero_keepdim(&self, axes: impl IntoAxes) -> Tensor {
        let (axes, to) = reducing("count_nonzero", self, axes, true);
        self.cast(Bool).summed(axes, to)
    }
}

/// Refuses operands that are not floats.
pub(crate) fn floats(op: &'static str, dtype: DType) -> Result<DType, Error> {
    if dtype.is_float() {
        return Ok(dtype);
    }
    let detail = format!("not a float: elements are {dtype}; cast them first, as in x.cast(F32)");
    Err(Error::new(op, ErrorKind::Dtype, detail))
}

/// The axes of a recorded case; none given means all.
pub(crate) fn dims(a: &Attrs) -> Axes {
    match a.has("dims").then(|| a.ints("dims")) {
        Some(list) if !list.is_empty() => list.into_axes(),
        _ => Axes::All,
    }
}
/// The reduction of a recorded case, or its twin that keeps the axes.
pub(crate) fn twin(a: &Attrs, drops: impl FnOnce() -> Tensor, keeps: impl FnOnce() -> Tensor) -> Vec<Tensor> {
    vec![if a.bool_or("keepdim", false) { keeps() } else { drops() }]
}
/// These operators as the reference cases call them.
pub(crate) const ENTRIES: &[Entry] = &[
    Entry::new("sum", |x, a| twin(a, || x[0].sum(dims(a)), || x[0].sum_keepdim(dims(a)))),
    Entry::new("prod", |x, a| twin(a, || x[0].prod(a.int("dim")), || x[0].prod_keepdim(a.int("dim")))),
    Entry::new("amax", |x, a| twin(a, || x[0].amax(dims(a)), || x[0].amax_keepdim(dims(a)))),
    Entry::new("amin", |x, a| twin(a, || x[0].amin(dims(a)), || x[0].amin_keepdim(dims(a)))),
    Entry::new("all", |x, a| twin(a, || x[0].all(a.int("dim")), || x[0].all_keepdim(a.int("dim")))),
    Entry::new("any", |x, a| twin(a, || x[0].any(a.int("dim")), || x[0].any_keepdim(a.int("dim")))),
];
