//! One step of a random program, and how it is applied.
use retrograd::prelude::*;
use std::fmt;
use std::ops::Deref;

/// An operand: moved in, or borrowed.
pub(crate) enum Given<'a> {
    Own(Tensor),
    Ref(&'a Tensor),
}
impl Deref for Given<'_> {
    type Target = Tensor;
    fn deref(&self) -> &Tensor {
        match self {
            Given::Own(x) => x,
            Given::Ref(x) => x,
        }
    }
}
impl From<Given<'_>> for Operand {
    fn from(x: Given<'_>) -> Operand {
        match x {
            Given::Own(x) => x.into(),
            Given::Ref(x) => x.into(),
        }
    }
}

/// How a leaf lies in memory.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Storage {
    Dense,
    /// Axes reversed.
    Turned,
    /// One element of a longer axis in two.
    Sparse,
}
#[derive(Clone, Debug)]
pub(crate) enum Op {
    Leaf {
        data: Vec<f64>,
        shape: Vec<usize>,
        dtype: DType,
        storage: Storage,
        tracked: bool,
    },
    Unary(&'static str),
    Binary(&'static str),
    /// With a number on the right.
    Number(&'static str, f64),
    /// With a number on the left.
    Reversed(&'static str, f64),
    Compare(&'static str),
    /// `where_` of a condition and two operands.
    Choose,
    /// A closure over two operands.
    Closure(usize),
    Cast(DType),
    Reduce {
        how: &'static str,
        axes: Vec<isize>,
        keepdim: bool,
    },
    /// Along one axis, of the same shape.
    Along(&'static str, isize),
    Permute(Vec<isize>),
    Flip(Vec<isize>),
    Slice {
        axis: isize,
        start: isize,
        end: isize,
        step: isize,
    },
    Expand(Vec<isize>),
    Reshape(Vec<isize>),
    Unsqueeze(isize),
    /// The product with its own transpose.
    Gram,
    Detach,
}
#[derive(Clone)]
pub(crate) struct Step {
    pub(crate) op: Op,
    pub(crate) args: Vec<usize>,
    /// As text: dtype and shape of the result.
    pub(crate) spec: String,
}
pub(crate) struct Program {
    pub(crate) seed: u64,
    pub(crate) steps: Vec<Step>,
    /// The nodes that are summed and differentiated.
    pub(crate) loss: Vec<usize>,
    /// Whether second derivatives are taken.
    pub(crate) second: bool,
}
impl Program {
    pub(crate) fn leaves(&self) -> impl Iterator<Item = usize> {
        (0..self.steps.len()).filter(|&k| matches!(self.steps[k].op, Op::Leaf { .. }))
    }
    /// The last step that reads node `j`; none for what is read at the end.
    pub(crate) fn ends(&self, j: usize) -> usize {
        if self.loss.contains(&j) || matches!(self.steps[j].op, Op::Leaf { tracked: true, .. }) {
            return usize::MAX;
        }
        self.steps.iter().rposition(|s| s.args.contains(&j)).unwrap_or(j)
    }
}
impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "program of seed {}:", self.seed)?;
        for (i, step) in self.steps.iter().enumerate() {
            match &step.op {
                Op::Leaf { storage, tracked, .. } => {
                    let tracked = if *tracked { ", tracked" } else { "" };
                    writeln!(f, "  %{i} = leaf, {storage:?}{tracked}: {}", step.spec)?;
                }
                op => writeln!(f, "  %{i} = {op:?} of {:?}: {}", step.args, step.spec)?,
            }
        }
        let order = if self.second { "second" } else { "first" };
        write!(f, "  the sum of {:?}, differentiated to {order} order", self.loss)
    }
}

fn leaf(data: &[f64], shape: &[usize], dtype: DType, storage: Storage) -> Tensor {
    let dense = Tensor::from_slice(data, shape).cast(dtype);
    match storage {
        Storage::Dense => dense,
        Storage::Turned => {
            let order: Vec<isize> = (0..shape.len() as isize).rev().collect();
            (dense.permute(&order[..]) * 1).force().permute(&order[..])
        }
        Storage::Sparse => {
            let last = *shape.last().expect("a sparse leaf has axes") as isize;
            let twice = stack(&[dense.clone(), &dense + 1], -1);
            let mut dims: Vec<isize> = shape.iter().map(|&n| n as isize).collect();
            *dims.last_mut().expect("a sparse leaf has axes") = 2 * last;
            twice.reshape(&dims[..]).slice(-1, 0, 2 * last, 2)
        }
    }
}

/// A function of one tensor, by name.
pub(crate) type Unary = (&'static str, fn(&Tensor) -> Tensor);
/// The unary functions of floats; of integers, the first [`INTEGER_UNARY`].
pub(crate) const UNARY: &[Unary] = &[
    ("neg", |x| -x),
    ("abs", Tensor::abs),
    ("square", Tensor::square),
    ("sign", Tensor::sign),
    ("sqrt", Tensor::sqrt),
    ("exp", Tensor::exp),
    ("log", Tensor::log),
    ("tanh", Tensor::tanh),
    ("sigmoid", Tensor::sigmoid),
    ("sin", Tensor::sin),
    ("relu", Tensor::relu),
    ("gelu", Tensor::gelu),
    ("reciprocal", Tensor::reciprocal),
    ("floor", Tensor::floor),
    ("expm1", Tensor::expm1),
];
pub(crate) const INTEGER_UNARY: usize = 4;
/// The binary functions; integers have the first [`INTEGER_BINARY`].
pub(crate) const BINARY: &[&str] =
    &["add", "sub", "mul", "add_assign", "mul_assign", "maximum", "minimum", "div", "atan2"];
pub(crate) const INTEGER_BINARY: usize = 7;
pub(crate) const COMPARE: &[&str] = &["gt", "le", "eq", "ne"];
pub(crate) const CLOSURES: usize = 3;

fn binary(name: &str, a: Given<'_>, b: impl Into<Operand>) -> Tensor {
    macro_rules! by { ($op:tt) => { match a { Given::Own(a) => a $op b, Given::Ref(a) => a $op b } } }
    macro_rules! assign { ($op:tt) => {{
        let mut a = match a { Given::Own(a) => a, Given::Ref(a) => a.clone() };
        a $op b;
        a
    }} }
    match name {
        "add" => by!(+),
        "sub" => by!(-),
        "mul" => by!(*),
        "div" => by!(/),
        "add_assign" => assign!(+=),
        "mul_assign" => assign!(*=),
        "maximum" => a.maximum(b),
        "minimum" => a.minimum(b),
        "atan2" => a.atan2(b),
        _ => unreachable!("{name} is no binary function here"),
    }
}
fn from_left(name: &str, v: f64, a: Given<'_>) -> Tensor {
    macro_rules! by { ($op:tt) => { match a { Given::Own(a) => v $op a, Given::Ref(a) => v $op a } } }
    match name {
        "add" => by!(+),
        "sub" => by!(-),
        "mul" => by!(*),
        _ => by!(/),
    }
}
fn closure(k: usize, a: &Tensor, b: &Tensor) -> Tensor {
    match k {
        0 => a.zip_map(b, |x, y| (x * y).tanh() + x),
        1 => a.zip_map(b, |x, y| x.gt(y).where_(x * 2.0, y - x)),
        _ => a.zip_map(b, |x, y| (x - y) * (x - y) / (x.abs() + 1.0)),
    }
}
fn reduce(how: &str, x: &Tensor, axes: &[isize], keepdim: bool) -> Tensor {
    match (how, keepdim) {
        ("sum", false) => x.sum(axes),
        ("sum", true) => x.sum_keepdim(axes),
        ("mean", false) => x.mean(axes),
        ("mean", true) => x.mean_keepdim(axes),
        ("prod", false) => x.prod(axes),
        ("prod", true) => x.prod_keepdim(axes),
        ("amax", false) => x.amax(axes),
        ("amax", true) => x.amax_keepdim(axes),
        ("amin", false) => x.amin(axes),
        ("amin", true) => x.amin_keepdim(axes),
        ("logsumexp", false) => x.logsumexp(axes),
        _ => x.logsumexp_keepdim(axes),
    }
}

/// The result of `op`; operands that were moved in end here.
pub(crate) fn apply(op: &Op, mut x: Vec<Given<'_>>) -> Tensor {
    let mut next = || x.remove(0);
    match op {
        Op::Leaf { data, shape, dtype, storage, tracked } => {
            let x = no_grad(|| leaf(data, shape, *dtype, *storage));
            if *tracked { x.tracked() } else { x }
        }
        Op::Unary(name) => (UNARY.iter().find(|u| u.0 == *name).expect("in the table").1)(&next()),
        Op::Binary(name) => binary(name, next(), next()),
        Op::Number(name, v) => binary(name, next(), *v),
        Op::Reversed(name, v) => from_left(name, *v, next()),
        Op::Compare(name) => match (*name, next(), next()) {
            ("gt", a, b) => a.gt(b),
            ("le", a, b) => a.le(b),
            ("eq", a, b) => a.eq(b),
            (_, a, b) => a.ne(b),
        },
        Op::Choose => next().where_(next(), next()),
        Op::Closure(k) => closure(*k, &next(), &next()),
        Op::Cast(dtype) => next().cast(*dtype),
        Op::Reduce { how, axes, keepdim } => reduce(how, &next(), axes, *keepdim),
        Op::Along("softmax", axis) => next().softmax(*axis),
        Op::Along("log_softmax", axis) => next().log_softmax(*axis),
        Op::Along(_, axis) => next().cumsum(*axis),
        Op::Permute(order) => next().permute(&order[..]),
        Op::Flip(axes) => next().flip(&axes[..]),
        Op::Slice { axis, start, end, step } => next().slice(*axis, *start, *end, *step),
        Op::Expand(dims) => next().expand(&dims[..]),
        Op::Reshape(dims) => next().reshape(&dims[..]),
        Op::Unsqueeze(axis) => next().unsqueeze(*axis),
        Op::Gram => {
            let x = next();
            x.matmul(x.transpose(-1, -2))
        }
        Op::Detach => next().detach(),
    }
}
