//! Indexing as NumPy has it: `x.at(s![..])` reads, `x.with(s![..], v)` gives a new tensor with `v` written there.
//!
//! An index without tensors is one slice. With tensors, the axes that they index are brought side by side and made
//! one, of which whole lines are read or written at flat positions (`index`).
use super::index::positions_from_end;
use super::slice::{Cut, Cuts, whole};
use super::view::inverse;
use crate::Tensor;
use crate::dtype::Bool;
use crate::error::{Error, ErrorKind, OrRaise, raise};
use crate::index::{Index, Resolved, resolve};
use crate::operand::Operand;
use crate::shape::{self, AxisVec, Shape};

impl From<&Tensor> for Index<Tensor> {
    fn from(t: &Tensor) -> Index<Tensor> {
        Index::Tensor(t.clone())
    }
}
impl From<Tensor> for Index<Tensor> {
    fn from(t: Tensor) -> Index<Tensor> {
        Index::Tensor(t)
    }
}

/// What an index means for a shape.
struct Plan {
    /// The part that needs no tensors: one cut for each axis of the indexed tensor.
    cuts: Cuts,
    /// The shape after these, axes taken out and put in.
    cut: Shape,
    /// The rest, if there are tensors.
    lines: Option<Lines>,
}
/// Positions along several axes of [`Plan::cut`], as flat positions along one.
struct Lines {
    /// The axes in the order that has those with positions side by side.
    order: AxisVec,
    /// Where these begin in that order.
    at: usize,
    /// The shape with them made one.
    merged: Shape,
    /// The flat positions, a list.
    index: Tensor,
    /// The shape of the result: the common shape of the position tensors in place of the indexed axes.
    to: Shape,
}

impl Plan {
    #[track_caller]
    fn of(op: &'static str, x: &Shape, items: &[Index<Tensor>]) -> Plan {
        let axes = |t: &Tensor| if t.dtype() == Bool { t.rank() } else { 1 };
        let steps = resolve(op, x, items, axes).or_raise();
        let (mut cuts, mut cut) = (whole(x), Shape::scalar());
        let mut tensors: Vec<(usize, Tensor)> = Vec::new();
        // NumPy keeps the indexed axes in place if nothing else stands between them; single positions count as
        // indexed beside tensors.
        let mut kinds = Vec::with_capacity(steps.len());
        for step in steps {
            kinds.push(matches!(step, Resolved::Select { .. } | Resolved::Tensor { .. }));
            match step {
                Resolved::Select { axis, index } => cuts[axis] = Cut { start: index, step: 1, len: 1 },
                Resolved::Slice { axis, start, step, len } => {
                    cuts[axis] = Cut { start, step, len };
                    cut.push(len);
                }
                Resolved::NewAxis => cut.push(1),
                Resolved::Tensor { axis, axes, tensor } => {
                    let sizes: Shape = x[axis..axis + axes].into();
                    for (i, list) in lists(op, tensor, &sizes).into_iter().enumerate() {
                        tensors.push((cut.rank(), list));
                        cut.push(sizes[i]);
                    }
                }
            }
        }
        let groups = kinds.chunk_by(|a, b| a == b).filter(|group| group[0]).count();
        let lines = (!tensors.is_empty()).then(|| Lines::of(op, &cut, &tensors, groups == 1));
        Plan { cuts, cut, lines }
    }
}
/// The positions that a tensor between the brackets gives, for each axis that it indexes.
#[track_caller]
fn lists(op: &'static str, tensor: &Tensor, sizes: &Shape) -> Vec<Tensor> {
    if tensor.dtype() != Bool {
        return vec![positions_from_end(op, tensor, sizes[0])];
    }
    if tensor.rank() == 0 || tensor.shape() != sizes {
        let given = format!("a mask of shape {} for axes of sizes {sizes}", tensor.shape());
        raise(Error::new(op, ErrorKind::Shape, format!("mask does not fit: {given}; they must be equal")));
    }
    tensor.nonzero_lists()
}
impl Lines {
    #[track_caller]
    fn of(op: &'static str, cut: &Shape, tensors: &[(usize, Tensor)], in_place: bool) -> Lines {
        let indexed: AxisVec = tensors.iter().map(|(axis, _)| *axis).collect();
        let rest: AxisVec = (0..cut.rank()).filter(|axis| !indexed.contains(axis)).collect();
        let at = if in_place { indexed[0] } else { 0 };
        let order: AxisVec = rest[..at].iter().chain(&indexed).chain(&rest[at..]).copied().collect();
        let shapes: Vec<&Shape> = tensors.iter().map(|(_, t)| t.shape()).collect();
        let common = shape::broadcast_all(op, &shapes).or_raise();
        let mut flat: Option<Tensor> = None;
        for (axis, index) in tensors {
            flat = Some(match flat {
                None => index.clone(),
                Some(flat) => flat * cut[*axis] as i64 + index,
            });
        }
        let index = flat.expect("at least one tensor").broadcast_to(&common).reshape(-1);
        let around = |middle: &[usize]| -> Shape {
            let sizes = |axes: &[usize]| axes.iter().map(|&axis| cut[axis]).collect::<Shape>();
            sizes(&rest[..at]).iter().chain(middle).chain(&sizes(&rest[at..])).copied().collect()
        };
        let n: usize = indexed.iter().map(|&axis| cut[axis]).product();
        Lines { at, merged: around(&[n]), to: around(&common), order, index }
    }
    /// The tensor of shape [`Plan::cut`] with the indexed axes made one.
    #[track_caller]
    fn merge(&self, x: &Tensor) -> Tensor {
        x.permuted(&self.order).reshaped(&self.merged)
    }
}

impl Tensor {
    /// The elements at an index, written as in NumPy between the brackets of [`s!`](crate::s): positions, ranges,
    /// steps, `..`, new axes, and tensors of positions or truth values.
    ///
    /// Without tensors this is a view and copies nothing. Tensors of positions are broadcast together, and their
    /// common shape stands in place of the axes that they index, or first if other axes lie between (NumPy's rule,
    /// where single positions beside tensors count as indexed). A bool tensor stands for the positions where it
    /// holds, along as many axes as it has. Negative positions count from the end.
    ///
    /// *Gradient:* `g` added up at these elements, 0 elsewhere.
    ///
    /// ```
    /// use retrograd_tensor::{Tensor, s};
    /// let x = Tensor::from([[1.0f32, 2.0, 3.0], [4.0, 5.0, 6.0]]);
    /// assert_eq!(x.at(s![-1, 1..]).to_vec::<f32>(), [5.0, 6.0]);
    /// assert_eq!(x.at(s![.., &Tensor::from([2i64, 0])]).to_vec::<f32>(), [3.0, 1.0, 6.0, 4.0]);
    /// ```
    ///
    /// # Panics
    /// If a position is out of range, there are more items than axes, or shapes of tensors do not fit.
    #[track_caller]
    pub fn at(&self, index: impl AsRef<[Index<Tensor>]>) -> Tensor {
        let plan = Plan::of("at", self.shape(), index.as_ref());
        let part = self.cut("at", &plan.cuts, plan.cut);
        match plan.lines {
            None => part,
            Some(lines) => lines.merge(&part).lines_read(lines.at, &lines.index).reshaped(&lines.to),
        }
    }
    /// This tensor with `v` at an index, written as for [`Tensor::at`]; `v` is a number or a tensor that broadcasts to
    /// the shape of `x.at(index)`.
    ///
    /// Where an index names an element more than once, the last value counts. *Gradient:* `g`, but 0 at these
    /// elements; for `v`, `g` there, 0 where a later value was written over it. PyTorch's `x[index] = v`, as a new
    /// tensor.
    ///
    /// ```
    /// use retrograd_tensor::{Tensor, s};
    /// let x = Tensor::zeros([2, 2]).with(s![0, ..], 5.0);
    /// assert_eq!(x.to_vec::<f32>(), [5.0, 5.0, 0.0, 0.0]);
    /// ```
    ///
    /// # Panics
    /// As [`Tensor::at`]; if the type of `v` differs, or it does not broadcast.
    #[track_caller]
    pub fn with(&self, index: impl AsRef<[Index<Tensor>]>, v: impl Into<Operand>) -> Tensor {
        self.updated("with", index.as_ref(), v.into(), false)
    }
    /// This tensor with `v` added at an index: [`Tensor::with`], but where an index names an element more than once,
    /// all values are added.
    ///
    /// *Gradient:* `g`, and for `v` `g` at these elements.
    ///
    /// ```
    /// use retrograd_tensor::{Tensor, s};
    /// let x = Tensor::zeros([3]).with_add(s![&Tensor::from([1i64, 1])], 2.0);
    /// assert_eq!(x.to_vec::<f32>(), [0.0, 4.0, 0.0]);
    /// ```
    ///
    /// # Panics
    /// As [`Tensor::with`].
    #[track_caller]
    pub fn with_add(&self, index: impl AsRef<[Index<Tensor>]>, v: impl Into<Operand>) -> Tensor {
        self.updated("with_add", index.as_ref(), v.into(), true)
    }
    /// [`Tensor::with`], or with `accumulate` [`Tensor::with_add`], at tensors of positions or truth values along the
    /// first axes: PyTorch's `index_put`.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let at = Tensor::from([1i64, 1]);
    /// let x = Tensor::zeros([2, 2]).index_put(&[&at, &at], 3.0, true);
    /// assert_eq!(x.to_vec::<f32>(), [0.0, 0.0, 0.0, 6.0]);
    /// ```
    ///
    /// # Panics
    /// As [`Tensor::with`].
    #[track_caller]
    pub fn index_put(&self, index: &[&Tensor], v: impl Into<Operand>, accumulate: bool) -> Tensor {
        let items: Vec<Index<Tensor>> = index.iter().map(|&t| t.into()).collect();
        self.updated("index_put", &items, v.into(), accumulate)
    }
    #[track_caller]
    fn updated(&self, op: &'static str, index: &[Index<Tensor>], v: Operand, add: bool) -> Tensor {
        let plan = Plan::of(op, self.shape(), index);
        let to = plan.lines.as_ref().map_or(&plan.cut, |lines| &lines.to);
        let v = match v {
            Operand::Number(v) => self.dtype().full(to, v),
            Operand::Tensor(v) => {
                shape::broadcasts_to(op, v.shape(), to).or_raise();
                v.broadcast_to(to)
            }
        };
        let Some(lines) = plan.lines else {
            return self.written(op, &plan.cuts, &v, add);
        };
        let mut values = lines.merged.clone();
        values[lines.at] = lines.index.numel();
        let part = lines.merge(&self.cut(op, &plan.cuts, plan.cut.clone()));
        let part = part.lines_written(op, lines.at, &lines.index, &v.reshaped(&values), add);
        let apart: Shape = lines.order.iter().map(|&axis| plan.cut[axis]).collect();
        let part = part.reshaped(&apart).permuted(&inverse(&lines.order));
        if plan.cuts == whole(self.shape()) {
            return part.reshaped(self.shape());
        }
        self.written(op, &plan.cuts, &part, false)
    }
}
