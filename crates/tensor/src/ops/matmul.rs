//! Matrix products: one operation, closed under differentiation, and what is made of it.
use crate::entry::Entry;
use crate::error::{Error, ErrorKind, OrRaise, raise};
use crate::op::{Batch, Kernel, Op, Saves, Spec, Specs};
use crate::record::{Context, Cotangents};
use crate::shape::{self, Axes, AxisVec, IntoAxes, Shape};
use crate::{Operand, Tensor, apply, call, dtype, map};
use smallvec::smallvec;
use std::sync::Arc;

/// The product over the last two axes, each operand read as it is or transposed. Its gradients are products again,
/// so no operand is ever transposed by an operation of its own.
#[derive(Clone, Debug)]
struct Product {
    name: &'static str,
    /// The number of axes that the operands must have, where the user's function fixes it.
    ranks: Option<[usize; 2]>,
    left: bool,
    right: bool,
}
/// Any ranks, no transposition.
const MATMUL: Product = Product { name: "matmul", ranks: None, left: false, right: false };

/// Shapes of a product whose operands are matrices or batches of matrices.
struct Parts {
    a: Shape,
    b: Shape,
    /// `[batch.., m, n]`.
    out: Shape,
}

impl Product {
    fn refuse(&self, a: &Shape, b: &Shape, wrong: &str, right: &str) -> Error {
        Error::new(self.name, ErrorKind::Shape, format!("{wrong}: {a} x {b}; {right}"))
    }
    fn parts(&self, a: &Shape, b: &Shape) -> Result<Parts, Error> {
        if let Some([m, n]) = self.ranks.filter(|ranks| *ranks != [a.rank(), b.rank()]) {
            let right = format!("it takes tensors of rank {m} and {n}; matmul takes any ranks");
            return Err(self.refuse(a, b, "wrong number of axes", &right));
        }
        if a.rank() == 0 || b.rank() == 0 {
            let right = "both need at least one axis; use * to multiply by a number";
            return Err(self.refuse(a, b, "a scalar is no matrix", right));
        }
        let (mut left, mut right) = (a.clone(), b.clone());
        if a.rank() == 1 {
            left.insert(0, 1);
        }
        if b.rank() == 1 {
            right.insert(usize::from(!self.right), 1);
        }
        let (i, j) = (left.rank() - 2, right.rank() - 2);
        let (rows, mut inner) = (usize::from(self.left), usize::from(!self.left));
        let (m, k) = (left[i + rows], left[i + inner]);
        inner = usize::from(self.right);
        let (other, n) = (right[j + inner], right[j + 1 - inner]);
        if k != other {
            let last = ["last", "last but one"];
            let which = (last[usize::from(self.left)], last[usize::from(!self.right && b.rank() > 1)]);
            let right = format!("the {} of the left must equal the {} of the right", which.0, which.1);
            let detail = format!("inner dimensions differ: {a} x {b} has {k} and {other}; {right}");
            return Err(Error::new(self.name, ErrorKind::Shape, detail));
        }
        let mut out = match (i, j) {
            (0, 0) => Shape::scalar(),
            _ => shape::broadcast(self.name, &left[..i].into(), &right[..j].into()).map_err(|_| {
                let right = "axes before the last two must be equal or 1";
                self.refuse(a, b, "batch axes do not broadcast", right)
            })?,
        };
        out.push(m);
        out.push(n);
        Ok(Parts { a: left, b: right, out: shape::countable(self.name, out)? })
    }
    #[track_caller]
    fn of(&self, left: bool, right: bool, a: &Tensor, b: &Tensor) -> Tensor {
        apply::op(Product { name: self.name, ranks: None, left, right }, &[a, b])
    }
}

impl Op for Product {
    fn name(&self) -> &'static str {
        self.name
    }
    fn infer(&self, x: &[Spec]) -> Result<Specs, Error> {
        let dtype = dtype::promote(self.name, x[0].dtype, x[1].dtype)?;
        if dtype == dtype::Bool {
            let detail = "products of truth values: bool x bool; cast one of them, as in x.cast(I64)";
            return Err(Error::new(self.name, ErrorKind::Dtype, detail));
        }
        let mut out = self.parts(&x[0].shape, &x[1].shape)?.out;
        if x[1].shape.rank() == 1 {
            out.remove(out.rank() - 1);
        }
        if x[0].shape.rank() == 1 {
            out.remove(out.rank() - 1 - usize::from(x[1].shape.rank() > 1));
        }
        Ok(smallvec![Spec { shape: out, dtype }])
    }
    fn kernel(&self, _: &[Spec], _: &[Spec]) -> Kernel {
        Kernel::Call(call::product(self.left, self.right))
    }
    fn flops(&self, x: &[Spec], out: &[Spec]) -> u64 {
        let from_end = if self.left { 2 } else { 1 };
        let a = &x[0].shape;
        // A vector read transposed is a column: its products are sums of one term.
        let inner = a.rank().checked_sub(from_end).map_or(1, |axis| a[axis]);
        2 * (out[0].shape.numel() * inner) as u64
    }
    fn saves(&self, tracked: u64) -> Saves {
        // Each gradient reads the other operand.
        Saves::inputs((0..2).filter(|i| tracked >> (1 - i) & 1 == 1))
    }
    fn vjp(&self, cx: &Context<'_>, g: &Tensor) -> Cotangents {
        let parts = self.parts(cx.shape(0), cx.shape(1)).expect("accepted when it was recorded");
        let g = g.reshaped(&parts.out);
        let da = || {
            let b = cx.input(1).reshaped(&parts.b);
            let da = match self.left {
                false => self.of(false, !self.right, &g, &b),
                true => self.of(self.right, true, &b, &g),
            };
            da.sum_to(&parts.a).reshaped(cx.shape(0))
        };
        let db = || {
            let (mut a, mut g) = (cx.input(0).reshaped(&parts.a), g.clone());
            let batch: usize = parts.b[..parts.b.rank() - 2].iter().product();
            if batch == 1 && !self.left {
                // One matrix on the right of many: its gradient is one product over all rows, not a sum of many.
                (a, g) = (a.rows(), g.rows());
            }
            let db = match self.right {
                false => self.of(!self.left, false, &a, &g),
                true => self.of(true, self.left, &g, &a),
            };
            if batch == 1 && !self.left { db } else { db.sum_to(&parts.b) }.reshaped(cx.shape(1))
        };
        if !(cx.needs(0) && cx.needs(1)) {
            return smallvec![cx.needs(0).then(da).into(), cx.needs(1).then(db).into()];
        }
        let (da, db) = apply::beside(|| (da(), db()));
        smallvec![Some(da).into(), Some(db).into()]
    }
    fn batch(&self, x: &[Spec], lead: &[usize], varying: u64) -> Batch {
        let this = Product { ranks: None, ..self.clone() };
        if varying & 2 == 0 && x[1].shape.rank() == 2 && !self.left {
            return Batch::Fixed(Arc::new(this), 2); // one matrix on the right of all
        }
        let parts = self.parts(&x[0].shape, &x[1].shape).expect("accepted before");
        let out = self.infer(x).expect("accepted before")[0].shape.under(lead);
        let rank = parts.a.rank().max(parts.b.rank());
        let lifted = |s: &Shape| {
            let mut s = s.clone();
            (s.rank()..rank).for_each(|_| s.insert(0, 1));
            s.under(lead)
        };
        let (a, b) = (lifted(&parts.a), lifted(&parts.b));
        Batch::Formula(Box::new(move |x| {
            let product = this.of(this.left, this.right, &x[0].reshaped(&a), &x[1].reshaped(&b));
            smallvec![product.reshaped(&out)]
        }))
    }
}

impl Tensor {
    /// All axes but the last as one.
    #[track_caller]
    fn rows(&self) -> Tensor {
        let cols = self.shape()[self.rank() - 1];
        let rows = self.shape()[..self.rank() - 1].iter().product();
        self.reshaped(&[rows, cols].into())
    }
    #[track_caller]
    fn times(&self, op: Product, other: Operand) -> Tensor {
        let other = match other {
            Operand::Tensor(t) => t,
            Operand::Number(v) => self.dtype().full((), v),
        };
        let Ok(common) = dtype::promote(op.name, self.dtype(), other.dtype()) else {
            return apply::op(op, &[self, &other]);
        };
        apply::op(op, &[&self.cast(common), &other.cast(common)])
    }
}

impl Tensor {
    /// The matrix product over the last two axes, broadcast over those before: `[.., m, k] x [.., k, n]` gives
    /// `[.., m, n]`.
    ///
    /// An operand with one axis is a row on the left, a column on the right, and that axis is not in the result; two
    /// of them give their dot product. Half types are summed in `F32` and rounded once, integers wrap. An empty sum
    /// (`k == 0`) is 0. Results are the same bits for every layout of the operands and every number of threads.
    ///
    /// *Gradient:* `g bᵀ` and `aᵀ g`, summed over broadcast axes.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let (a, x) = (Tensor::from([[1.0f32, 2.0], [3.0, 4.0]]), Tensor::from([1.0f32, -1.0]));
    /// assert_eq!(a.matmul(&x).to_vec::<f32>(), [-1.0, -1.0]);
    /// assert_eq!(a.matmul(&a).to_vec::<f32>(), [7.0, 10.0, 15.0, 22.0]);
    /// ```
    ///
    /// # Panics
    /// If the inner sizes differ, the axes before do not broadcast, an operand is a scalar, or the types do not fit.
    #[track_caller]
    pub fn matmul(&self, other: impl Into<Operand>) -> Tensor {
        self.times(MATMUL, other.into())
    }
    /// The product of two matrices; [`Tensor::matmul`] for these ranks only.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let a = Tensor::from([[1i64, 2], [3, 4]]);
    /// assert_eq!(a.mm(&a).to_vec::<i64>(), [7, 10, 15, 22]);
    /// ```
    ///
    /// # Panics
    /// If the operands are no matrices or do not fit.
    #[track_caller]
    pub fn mm(&self, other: impl Into<Operand>) -> Tensor {
        self.times(Product { name: "mm", ranks: Some([2, 2]), ..MATMUL }, other.into())
    }
    /// The product of a matrix and a vector; [`Tensor::matmul`] for these ranks only.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let a = Tensor::from([[1.0f32, 2.0], [3.0, 4.0]]);
    /// assert_eq!(a.mv(&Tensor::from([1.0f32, 1.0])).to_vec::<f32>(), [3.0, 7.0]);
    /// ```
    ///
    /// # Panics
    /// If the operands are no matrix and vector or do not fit.
    #[track_caller]
    pub fn mv(&self, other: impl Into<Operand>) -> Tensor {
        self.times(Product { name: "mv", ranks: Some([2, 1]), ..MATMUL }, other.into())
    }
    /// The products of two batches of matrices, `[b, m, k] x [b, k, n]`; [`Tensor::matmul`] for these ranks only.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let (a, b) = (Tensor::from([[[1.0f32, 2.0]], [[3.0, 4.0]]]), Tensor::from([[[1.0f32], [1.0]], [[1.0], [2.0]]]));
    /// assert_eq!(a.bmm(&b).to_vec::<f32>(), [3.0, 11.0]);
    /// ```
    ///
    /// # Panics
    /// If the operands do not have three axes each or do not fit.
    #[track_caller]
    pub fn bmm(&self, other: impl Into<Operand>) -> Tensor {
        self.times(Product { name: "bmm", ranks: Some([3, 3]), ..MATMUL }, other.into())
    }
    /// The dot product of two vectors.
    ///
    /// *Gradient:* `g` times the other vector.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([1.0f32, 2.0]).dot(&Tensor::from([3.0f32, 4.0])).item(), 11.0);
    /// ```
    ///
    /// # Panics
    /// If the operands are no vectors of one length.
    #[track_caller]
    pub fn dot(&self, other: impl Into<Operand>) -> Tensor {
        self.times(Product { name: "dot", ranks: Some([1, 1]), ..MATMUL }, other.into())
    }
    /// `beta * self + alpha * (a b)` for matrices `a` and `b`; this tensor is broadcast to the product's shape.
    ///
    /// Composite of [`Tensor::matmul`] and a sum.
    ///
    /// With `beta == 0` this tensor does not count at all, not even its NaN.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let a = Tensor::from([[1.0f32, 2.0], [3.0, 4.0]]);
    /// assert_eq!(Tensor::from([1.0f32, 0.0]).addmm(&a, &a, 1.0, 2.0).to_vec::<f32>(), [15.0, 20.0, 31.0, 44.0]);
    /// ```
    ///
    /// # Panics
    /// If the operands are no matrices or do not fit.
    #[track_caller]
    pub fn addmm(&self, a: &Tensor, b: impl Into<Operand>, beta: f64, alpha: f64) -> Tensor {
        let product = a.times(Product { name: "addmm", ranks: Some([2, 2]), ..MATMUL }, b.into());
        shape::broadcasts_to("addmm", self.shape(), product.shape()).or_raise();
        map::named("addmm", [self.into(), product.into()], |x| {
            let product = x[1] * alpha;
            if beta == 0.0 { product } else { x[0] * beta + product }
        })
    }
    /// All products of an element of this vector (rows) and one of `other` (columns).
    ///
    /// Composite of [`Tensor::reshape`] and a product.
    ///
    /// *Gradient:* that of an elementwise product, summed.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let y = Tensor::from([1.0f32, 2.0]).outer(&Tensor::from([3.0f32, 4.0]));
    /// assert_eq!(y.to_vec::<f32>(), [3.0, 4.0, 6.0, 8.0]);
    /// ```
    ///
    /// # Panics
    /// If an operand is no vector.
    #[track_caller]
    pub fn outer(&self, other: impl Into<Operand>) -> Tensor {
        let other = match other.into() {
            Operand::Tensor(t) => t,
            Operand::Number(v) => self.dtype().full((), v),
        };
        if (self.rank(), other.rank()) != (1, 1) {
            let detail = format!("not two vectors: {} x {}; each has one axis", self.shape(), other.shape());
            raise(Error::new("outer", ErrorKind::Shape, detail));
        }
        self.reshaped(&[self.numel(), 1].into()) * other
    }
    /// The Kronecker product: each element of this tensor times the whole of `other`, as blocks. Missing leading
    /// axes count as 1.
    ///
    /// Composite of [`Tensor::reshape`] and a product.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let y = Tensor::from([1.0f32, 2.0]).kron(&Tensor::from([1.0f32, 10.0]));
    /// assert_eq!(y.to_vec::<f32>(), [1.0, 10.0, 2.0, 20.0]);
    /// ```
    ///
    /// # Panics
    /// If the types differ.
    #[track_caller]
    pub fn kron(&self, other: &Tensor) -> Tensor {
        let rank = self.rank().max(other.rank());
        let size =
            |t: &Tensor, axis: usize| (axis + t.rank()).checked_sub(rank).map_or(1, |own| t.shape()[own]);
        let (mut a, mut b, mut to) = (Shape::scalar(), Shape::scalar(), Shape::scalar());
        for (m, n) in (0..rank).map(|axis| (size(self, axis), size(other, axis))) {
            [m, 1].into_iter().for_each(|size| a.push(size));
            [1, n].into_iter().for_each(|size| b.push(size));
            to.push(m * n);
        }
        (self.reshaped(&a) * other.reshaped(&b)).reshaped(&to)
    }
    /// The sum of products over pairs of axes: `axes[i]` of this tensor runs with `other_axes[i]` of the other. The
    /// result has the other axes of this tensor, then those of `other`.
    ///
    /// Composite of [`Tensor::permute`], [`Tensor::reshape`] and [`Tensor::matmul`].
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let (a, b) = (Tensor::ones([2, 3, 4]), Tensor::ones([4, 3, 5]));
    /// assert_eq!(*a.tensordot(&b, [1, 2], [1, 0]).shape(), [2, 5]);
    /// ```
    ///
    /// # Panics
    /// If an axis does not exist or is named twice, or sizes in a pair differ.
    #[track_caller]
    pub fn tensordot(&self, other: &Tensor, axes: impl IntoAxes, other_axes: impl IntoAxes) -> Tensor {
        let ours = in_order("tensordot", axes.into_axes(), self.rank()).or_raise();
        let theirs = in_order("tensordot", other_axes.into_axes(), other.rank()).or_raise();
        let sizes = |t: &Tensor, axes: &[usize]| axes.iter().map(|&axis| t.shape()[axis]).collect::<Shape>();
        let (inner, others) = (sizes(self, &ours), sizes(other, &theirs));
        if inner != others {
            let given = format!(
                "sizes of paired axes differ: {} x {} have {inner} and {others}",
                self.shape(),
                other.shape()
            );
            let detail = format!("{given} there; pairs must be of equal size");
            raise(Error::new("tensordot", ErrorKind::Shape, detail));
        }
        let free =
            |t: &Tensor, axes: &[usize]| (0..t.rank()).filter(|i| !axes.contains(i)).collect::<Vec<_>>();
        let (left, right) = (free(self, &ours), free(other, &theirs));
        let to: Shape = sizes(self, &left).iter().chain(sizes(other, &right).iter()).copied().collect();
        let (k, m) = (inner.numel(), sizes(self, &left).numel());
        let a = self.permute([&left[..], &ours].concat()).reshaped(&[m, k].into());
        let b =
            other.permute([&theirs[..], &right].concat()).reshaped(&[k, sizes(other, &right).numel()].into());
        a.times(Product { name: "tensordot", ..MATMUL }, b.into()).reshaped(&to)
    }
}

fn in_order(op: &'static str, axes: Axes, rank: usize) -> Result<AxisVec, Error> {
    match axes {
        Axes::All => Ok((0..rank).collect()),
        Axes::List(list) => shape::ordered_axes(op, &list, rank),
    }
}

pub(crate) const ENTRIES: &[Entry] = &[
    Entry::new("matmul", |x, _| vec![x[0].matmul(&x[1])]),
    Entry::new("mm", |x, _| vec![x[0].mm(&x[1])]),
    Entry::new("mv", |x, _| vec![x[0].mv(&x[1])]),
    Entry::new("bmm", |x, _| vec![x[0].bmm(&x[1])]),
    Entry::new("dot", |x, _| vec![x[0].dot(&x[1])]),
    Entry::new("outer", |x, _| vec![x[0].outer(&x[1])]),
    Entry::new("linear", |x, _| vec![x[0].linear(&x[1], x.get(2))]),
    Entry::new("addmm", |x, a| vec![x[0].addmm(&x[1], &x[2], a.f64_or("beta", 1.0), a.f64_or("alpha", 1.0))]),
    Entry::new("kron", |x, _| vec![x[0].kron(&x[1])]),
    Entry::new("tensordot", |x, a| vec![x[0].tensordot(&x[1], a.ints("dims_a"), a.ints("dims_b"))]),
];

mod linear;
#[cfg(test)]
mod tests;
