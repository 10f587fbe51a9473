//! Triangles and diagonals of matrices, and one-hot rows.
use super::lines::{PART, copy};
use crate::Tensor;
use crate::apply;
use crate::call::{Call, View, by_dtype, for_chunks};
use crate::dtype::{Bool, DType, Element, I64};
use crate::entry::Entry;
use crate::error::{Error, ErrorKind, OrRaise, raise};
use crate::layout::Layout;
use crate::op::{Batch, Kernel, Op, Spec, Specs};
use crate::operand::Operand;
use crate::record::{Context, Cotangents};
use crate::shape::{self, Shape};
use smallvec::smallvec;

/// The elements where the index along `b` is that along `a` plus `offset`, along a new last axis.
#[derive(Debug)]
struct Diagonal {
    offset: isize,
    a: usize,
    b: usize,
}
impl Op for Diagonal {
    fn name(&self) -> &'static str {
        "diagonal"
    }
    fn infer(&self, x: &[Spec]) -> Result<Specs, Error> {
        let to = Layout::dense(x[0].shape.clone()).diagonal(self.offset, self.a, self.b).shape;
        Ok(smallvec![Spec { shape: to, dtype: x[0].dtype }])
    }
    fn kernel(&self, _: &[Spec], _: &[Spec]) -> Kernel {
        let (offset, a, b) = (self.offset, self.a, self.b);
        Kernel::View(Box::new(move |l| Some(l.diagonal(offset, a, b))))
    }
    fn vjp(&self, cx: &Context<'_>, g: &Tensor) -> Cotangents {
        let to = cx.shape(0).clone();
        smallvec![apply::op(DiagEmbed { offset: self.offset, a: self.a, b: self.b, to }, &[g]).into()]
    }
    fn batch(&self, _: &[Spec], lead: &[usize], _: u64) -> Batch {
        Batch::whole(Diagonal { offset: self.offset, a: self.a + lead.len(), b: self.b + lead.len() })
    }
}
/// Zeros of shape `to` with the operand at the places that [`Diagonal`] shows.
#[derive(Debug)]
struct DiagEmbed {
    offset: isize,
    a: usize,
    b: usize,
    to: Shape,
}
impl Op for DiagEmbed {
    fn name(&self) -> &'static str {
        "diag_embed"
    }
    fn infer(&self, x: &[Spec]) -> Result<Specs, Error> {
        let to = shape::countable("diag_embed", self.to.clone())?;
        Ok(smallvec![Spec { shape: to, dtype: x[0].dtype }])
    }
    fn kernel(&self, x: &[Spec], _: &[Spec]) -> Kernel {
        let places = Layout::dense(self.to.clone()).diagonal(self.offset, self.a, self.b);
        let dtype = x[0].dtype;
        Kernel::Call(Call::new("diag_embed", move |x, out| {
            by_dtype!(dtype, T => embed::<T>(&x[0], &places, out[0].data()));
        }))
    }
    fn vjp(&self, _: &Context<'_>, g: &Tensor) -> Cotangents {
        smallvec![apply::op(Diagonal { offset: self.offset, a: self.a, b: self.b }, &[g]).into()]
    }
    fn batch(&self, _: &[Spec], lead: &[usize], _: u64) -> Batch {
        let (a, b) = (self.a + lead.len(), self.b + lead.len());
        Batch::whole(DiagEmbed { offset: self.offset, a, b, to: self.to.under(lead) })
    }
}
fn embed<T: Element>(x: &View<'_>, places: &Layout, out: &mut [T]) {
    for_chunks(out, PART, 1, |_, part| part.fill(T::from_f64(0.0)));
    let (data, layout, n) =
        (x.data::<T>(), x.layout().collapsed(), places.shape.last().copied().unwrap_or(0));
    let mut line = vec![T::from_f64(0.0); n];
    let mut start = 0;
    places.runs(0, places.numel(), |offset, stride, count| {
        line.resize(line.len().max(count), T::from_f64(0.0)); // a run may go over several diagonals
        copy(data, &layout, start, &mut line[..count]);
        for (i, &v) in line[..count].iter().enumerate() {
            out[(offset as isize + i as isize * stride) as usize] = v;
        }
        start += count;
    });
}

/// Zero of `dtype`, as the operand of a selection.
fn zero(dtype: DType) -> Operand {
    if dtype == Bool { false.into() } else { 0_i64.into() }
}

impl Tensor {
    /// Two different axes.
    #[track_caller]
    fn two_axes(op: &'static str, a: isize, b: isize, rank: usize) -> (usize, usize) {
        let axes = shape::ordered_axes(op, &[a, b], rank).or_raise();
        (axes[0], axes[1])
    }
    /// Rows and columns of the last two axes, as lists that broadcast over them.
    #[track_caller]
    fn rows_and_columns(&self, op: &'static str) -> (Tensor, Tensor) {
        let [.., rows, columns] = self.shape()[..] else {
            let detail = format!("not a matrix: shape {}; it takes at least two axes", self.shape());
            raise(Error::new(op, ErrorKind::Shape, detail))
        };
        (I64.arange(0, rows, 1).reshape([-1, 1]), I64.arange(0, columns, 1))
    }
    /// The lower triangles of matrices, the last two axes: elements of column `j` and row `i` where `j <= i + k`,
    /// 0 elsewhere.
    ///
    /// Composite of a comparison and [`Tensor::where_`].
    ///
    /// *Gradient:* the same triangle of `g`.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let x = Tensor::from([[1.0f32, 2.0], [3.0, 4.0]]);
    /// assert_eq!(x.tril(0).to_vec::<f32>(), [1.0, 0.0, 3.0, 4.0]);
    /// ```
    ///
    /// # Panics
    /// If there are fewer than two axes.
    #[track_caller]
    pub fn tril(&self, k: isize) -> Tensor {
        let (rows, columns) = self.rows_and_columns("tril");
        columns.gt(rows + k as i64).where_(zero(self.dtype()), self)
    }
    /// The upper triangles of matrices, the last two axes: elements of column `j` and row `i` where `j >= i + k`,
    /// 0 elsewhere.
    ///
    /// Composite of a comparison and [`Tensor::where_`].
    ///
    /// *Gradient:* the same triangle of `g`.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let x = Tensor::from([[1.0f32, 2.0], [3.0, 4.0]]);
    /// assert_eq!(x.triu(1).to_vec::<f32>(), [0.0, 2.0, 0.0, 0.0]);
    /// ```
    ///
    /// # Panics
    /// If there are fewer than two axes.
    #[track_caller]
    pub fn triu(&self, k: isize) -> Tensor {
        let (rows, columns) = self.rows_and_columns("triu");
        (rows + k as i64).gt(columns).where_(zero(self.dtype()), self)
    }
    /// The elements whose index along `b` is that along `a` plus `offset`, along a new last axis; `a` and `b` go. No
    /// copy.
    ///
    /// *Gradient:* `g` on this diagonal, 0 elsewhere.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let x = Tensor::from([[1.0f32, 2.0], [3.0, 4.0]]);
    /// assert_eq!(x.diagonal(0, 0, 1).to_vec::<f32>(), [1.0, 4.0]);
    /// ```
    ///
    /// # Panics
    /// If an axis does not exist, or both are the same.
    #[track_caller]
    pub fn diagonal(&self, offset: isize, a: isize, b: isize) -> Tensor {
        let (a, b) = Tensor::two_axes("diagonal", a, b, self.rank());
        apply::op(Diagonal { offset, a, b }, &[self])
    }
    /// Matrices that have the last axis on their diagonal, `offset` above the main one, and 0 elsewhere, over two new
    /// axes, which come last. [`Tensor::diag_embed_at`] puts them elsewhere.
    ///
    /// *Gradient:* this diagonal of `g`.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let x = Tensor::from([1.0f32, 2.0]).diag_embed(0);
    /// assert_eq!(x.to_vec::<f32>(), [1.0, 0.0, 0.0, 2.0]);
    /// ```
    ///
    /// # Panics
    /// If this is a scalar.
    #[track_caller]
    pub fn diag_embed(&self, offset: isize) -> Tensor {
        self.diag_embed_at(offset, -2, -1)
    }
    /// [`Tensor::diag_embed`] with the two new axes at `a` and `b` of the result.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::zeros([4, 3]).diag_embed_at(0, 0, 1).shape(), [3, 3, 4]);
    /// ```
    ///
    /// # Panics
    /// If this is a scalar, an axis of the result does not exist, or both are the same.
    #[track_caller]
    pub fn diag_embed_at(&self, offset: isize, a: isize, b: isize) -> Tensor {
        let Some(&n) = self.shape().last() else {
            raise(Error::new(
                "diag_embed",
                ErrorKind::Shape,
                "no axis: a scalar; it takes at least one axis",
            ));
        };
        let (a, b) = Tensor::two_axes("diag_embed", a, b, self.rank() + 1);
        let mut to: Shape = self.shape()[..self.rank() - 1].into();
        let size = n.saturating_add(offset.unsigned_abs());
        to.insert(a.min(b), size);
        to.insert(a.max(b), size);
        apply::op(DiagEmbed { offset, a, b, to }, &[self])
    }
    /// The main diagonal of a matrix, or the matrix that has this list on its diagonal.
    ///
    /// Composite of [`Tensor::diagonal`], or of [`Tensor::diag_embed`].
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([1.0f32, 2.0]).diag().diag().to_vec::<f32>(), [1.0, 2.0]);
    /// ```
    ///
    /// # Panics
    /// If there are not one or two axes.
    #[track_caller]
    pub fn diag(&self) -> Tensor {
        match self.rank() {
            1 => self.diag_embed(0),
            2 => self.diagonal(0, 0, 1),
            rank => {
                let detail = format!("rank {rank}: it takes a list or a matrix; see diagonal and diag_embed");
                raise(Error::new("diag", ErrorKind::Shape, detail))
            }
        }
    }
    /// For each position a row of `n` zeros with a 1 at that place, along a new last axis, as `I64`.
    ///
    /// Composite of a comparison and [`Tensor::cast`].
    ///
    /// There is no gradient.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([2i64, 0]).one_hot(3).to_vec::<i64>(), [0, 0, 1, 1, 0, 0]);
    /// ```
    ///
    /// # Panics
    /// If these are not integers from 0 to `n - 1`.
    #[track_caller]
    pub fn one_hot(&self, n: usize) -> Tensor {
        let index = super::index::positions("one_hot", self, n);
        index.unsqueeze(-1).eq(I64.arange(0, n, 1)).cast(I64)
    }
}

/// What the reference cases call.
pub(crate) const ENTRIES: &[Entry] = &[
    Entry::new("tril", |x, a| vec![x[0].tril(a.int_or("diagonal", 0))]),
    Entry::new("triu", |x, a| vec![x[0].triu(a.int_or("diagonal", 0))]),
    Entry::new("diagonal", |x, a| {
        vec![x[0].diagonal(a.int_or("offset", 0), a.int_or("dim1", 0), a.int_or("dim2", 1))]
    }),
    Entry::new("diag_embed", |x, a| {
        vec![x[0].diag_embed_at(a.int_or("offset", 0), a.int_or("dim1", -2), a.int_or("dim2", -1))]
    }),
    Entry::new("one_hot", |x, a| vec![x[0].one_hot(a.int("num_classes") as usize)]),
];
