//! `Tensor`: the one handle type. Making tensors of data, and reading them.
use crate::apply;
use crate::dtype::{DType, Element, F32, Number};
use crate::error::{Error, ErrorKind, OrRaise, raise};
use crate::levels::Label;
use crate::memory;
use crate::op::Spec;
use crate::record::Edge;
use crate::shape::{self, IntoShape, Shape};
use crate::value::{Held, Value, View};
use std::sync::Arc;

/// An immutable n-dimensional array, computed on demand.
///
/// Cloning is cheap: handles share elements. Nothing changes a tensor; `x += 1.0` makes a new one and rebinds `x`,
/// in the old one's memory if nobody else holds it. Shape and dtype are known at once; elements are computed when
/// they are read, together with whatever else the same pass over memory can give.
///
/// ```
/// use retrograd_tensor::Tensor;
/// let x = Tensor::from([[1.0f32, 2.0], [3.0, 4.0]]);
/// let y = (&x * 2.0 + 1.0).sum(1);
/// assert_eq!(y.to_vec::<f32>(), [8.0, 16.0]);
/// ```
#[derive(Clone)]
#[must_use = "tensors are immutable: an operation gives a new one"]
pub struct Tensor {
    pub(crate) value: Held,
    /// Its place on the tape, if it is tracked or was cut off.
    pub(crate) edge: Option<Edge>,
    /// The leading axes of the value that this tensor does not show, inside `vmap`.
    pub(crate) label: Option<Box<Label>>,
}

impl Tensor {
    pub(crate) fn untracked(value: Held) -> Tensor {
        Tensor { value, edge: None, label: None }
    }
    /// A tensor of `shape` with these elements in row-major order.
    ///
    /// # Panics
    /// If the number of elements is not the shape's.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from_slice(&[1i64, 2, 3, 4], [2, 2]).shape(), [2, 2]);
    /// ```
    #[track_caller]
    pub fn from_slice<T: Element>(data: &[T], shape: impl IntoShape) -> Tensor {
        let shape = shape.into_shape();
        if shape.checked_numel() != Some(data.len()) {
            let needed =
                shape.checked_numel().map_or_else(|| "more than fit in memory".to_owned(), |n| n.to_string());
            let detail =
                format!("wrong number of elements: {} for shape {shape}; it needs {needed}", data.len());
            raise(Error::new("from_slice", ErrorKind::Shape, detail));
        }
        let mut buffer = memory::room("from_slice", T::DTYPE, &shape);
        buffer.write(data);
        Tensor::untracked(Value::ready(T::DTYPE, shape, View::dense(Arc::new(buffer))))
    }
    /// As [`Tensor::from_slice`].
    ///
    /// # Panics
    /// If the number of elements is not the shape's.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "the vector is the caller's to give up, as everywhere in Rust"
    )]
    #[track_caller]
    pub fn from_vec<T: Element>(data: Vec<T>, shape: impl IntoShape) -> Tensor {
        Tensor::from_slice(&data, shape)
    }
    /// `v` everywhere: a float or an integer of its own Rust type.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::full([2, 2], 7i64).to_vec::<i64>(), [7; 4]);
    /// ```
    ///
    /// # Panics
    /// If the shape has more elements than memory could hold.
    #[track_caller]
    pub fn full<T: Element>(shape: impl IntoShape, v: T) -> Tensor {
        T::DTYPE.full(shape, Tensor::number(v))
    }
    pub(crate) fn number<T: Element>(v: T) -> Number {
        match T::DTYPE {
            DType::Bool => Number::Bool(v.to_f64() != 0.0),
            DType::I64 | DType::I32 | DType::U8 => Number::Int(v.to_i64()),
            _ => Number::Float(v.to_f64()),
        }
    }
    /// Zeros of type `F32`; of another type: `F64.zeros(shape)`.
    ///
    /// # Panics
    /// If the shape has more elements than memory could hold.
    #[track_caller]
    pub fn zeros(shape: impl IntoShape) -> Tensor {
        F32.full(shape, 0.0)
    }
    /// Ones of type `F32`; of another type: `F64.ones(shape)`.
    ///
    /// # Panics
    /// If the shape has more elements than memory could hold.
    #[track_caller]
    pub fn ones(shape: impl IntoShape) -> Tensor {
        F32.full(shape, 1.0)
    }
    /// Zeros of this tensor's shape and type.
    #[track_caller]
    pub fn zeros_like(&self) -> Tensor {
        self.full_like(0.0)
    }
    /// Ones of this tensor's shape and type.
    #[track_caller]
    pub fn ones_like(&self) -> Tensor {
        self.full_like(1.0)
    }
    /// `v` everywhere, of this tensor's shape and type.
    #[track_caller]
    pub fn full_like(&self, v: impl Into<Number>) -> Tensor {
        self.dtype().full(self.shape().clone(), v)
    }

    /// The size of each axis.
    pub fn shape(&self) -> &Shape {
        self.label.as_ref().map_or(&self.value.shape, |l| &l.shape)
    }
    /// The number of axes.
    pub fn rank(&self) -> usize {
        self.shape().rank()
    }
    /// The size of one axis, counted from the end if negative.
    ///
    /// # Panics
    /// If there is no such axis.
    #[track_caller]
    pub fn size(&self, axis: isize) -> usize {
        self.shape()[shape::axis("size", axis, self.rank()).or_raise()]
    }
    /// The number of elements.
    pub fn numel(&self) -> usize {
        self.label.as_ref().map_or(self.value.numel, |l| l.shape.numel())
    }
    /// The type of the elements.
    pub fn dtype(&self) -> DType {
        self.value.dtype
    }
    /// Shape and dtype.
    pub fn spec(&self) -> Spec {
        Spec { shape: self.shape().clone(), dtype: self.value.dtype }
    }

    /// Computes the elements now, if they are not there yet.
    #[track_caller]
    pub fn force(&self) -> &Tensor {
        self.value.force();
        self
    }
    /// The elements in row-major order.
    ///
    /// # Panics
    /// If `T` is not the element type; `x.cast(F64).to_vec::<f64>()` converts.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([1.0f32, 2.0]).to_vec::<f32>(), [1.0, 2.0]);
    /// ```
    #[track_caller]
    pub fn to_vec<T: Element>(&self) -> Vec<T> {
        if T::DTYPE != self.dtype() {
            let detail = format!("elements are {}, not {}", self.dtype(), T::DTYPE);
            let right = format!("read them as to_vec::<{}>(), or cast first", self.dtype());
            raise(Error::new("to_vec", ErrorKind::Dtype, format!("{detail}; {right}")));
        }
        self.read_by("to_vec");
        crate::call::View::of(&self.value).dense::<T>().into_owned()
    }
    /// The one element of this tensor, of any type.
    ///
    /// # Panics
    /// If there is not exactly one element.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([1.0f32, 2.0]).sum(()).item(), 3.0);
    /// ```
    #[track_caller]
    pub fn item(&self) -> f64 {
        if self.numel() != 1 {
            let detail =
                format!("{} elements in shape {}; item reads exactly one", self.numel(), self.shape());
            raise(Error::new("item", ErrorKind::Shape, detail));
        }
        self.read_by("item");
        crate::cpu::map::by_dtype!(self.dtype(), T => self.to_vec::<T>()[0].to_f64())
    }
    /// The elements in row-major order, one after the other.
    ///
    /// # Panics
    /// If `T` is not the element type.
    #[track_caller]
    pub fn iter<T: Element>(&self) -> std::vec::IntoIter<T> {
        self.to_vec::<T>().into_iter()
    }
}

impl DType {
    /// `v` everywhere.
    ///
    /// # Panics
    /// If the shape has more elements than memory could hold.
    ///
    /// ```
    /// use retrograd_tensor::F64;
    /// assert_eq!(F64.full([2], 0.5).to_vec::<f64>(), [0.5, 0.5]);
    /// ```
    #[track_caller]
    pub fn full(self, shape: impl IntoShape, v: impl Into<Number>) -> Tensor {
        let shape = shape::countable("full", shape.into_shape()).or_raise();
        Tensor::untracked(apply::filled(self, shape, v.into()))
    }
    /// Zeros of this type.
    ///
    /// # Panics
    /// If the shape has more elements than memory could hold.
    #[track_caller]
    pub fn zeros(self, shape: impl IntoShape) -> Tensor {
        self.full(shape, 0)
    }
    /// Ones of this type.
    ///
    /// # Panics
    /// If the shape has more elements than memory could hold.
    #[track_caller]
    pub fn ones(self, shape: impl IntoShape) -> Tensor {
        self.full(shape, 1)
    }
}

impl<T: Element> From<T> for Tensor {
    fn from(v: T) -> Tensor {
        Tensor::from_slice(&[v], ())
    }
}
impl<T: Element> From<Vec<T>> for Tensor {
    fn from(v: Vec<T>) -> Tensor {
        Tensor::from_slice(&v, [v.len()])
    }
}
impl<T: Element> From<&[T]> for Tensor {
    fn from(v: &[T]) -> Tensor {
        Tensor::from_slice(v, [v.len()])
    }
}
impl<T: Element, const A: usize> From<[T; A]> for Tensor {
    fn from(v: [T; A]) -> Tensor {
        Tensor::from_slice(&v, [A])
    }
}
impl<T: Element, const A: usize, const B: usize> From<[[T; B]; A]> for Tensor {
    fn from(v: [[T; B]; A]) -> Tensor {
        Tensor::from_slice(v.as_flattened(), [A, B])
    }
}
impl<T: Element, const A: usize, const B: usize, const C: usize> From<[[[T; C]; B]; A]> for Tensor {
    fn from(v: [[[T; C]; B]; A]) -> Tensor {
        Tensor::from_slice(v.as_flattened().as_flattened(), [A, B, C])
    }
}
impl<T: Element, const A: usize, const B: usize, const C: usize, const D: usize> From<[[[[T; D]; C]; B]; A]>
    for Tensor
{
    fn from(v: [[[[T; D]; C]; B]; A]) -> Tensor {
        Tensor::from_slice(v.as_flattened().as_flattened().as_flattened(), [A, B, C, D])
    }
}
