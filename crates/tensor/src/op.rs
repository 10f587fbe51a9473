//! What a structural operation is: one `impl Op` with name, shape rule, kernel and gradient rule.
//!
//! Elementwise operations are rows of the table instead (`elementwise`). A user's own operation implements the
//! same trait: it has everything that a built-in one has. [`custom()`] makes one of three closures.
use crate::call::Call;
pub use crate::cpu::fold::Red;
use crate::dtype::DType;
use crate::error::{Error, ErrorKind, raise};
use crate::layout::Layout;
use crate::record::{Context, Cotangents};
use crate::shape::{AxisVec, Shape};
use crate::tensor::Tensor;
use smallvec::SmallVec;
use std::fmt;
use std::sync::Arc;

pub(crate) mod custom;
pub use custom::{Custom, Dense, custom};

/// Shape and dtype of an operand or a result.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Spec {
    /// Its shape.
    pub shape: Shape,
    /// Its element type.
    pub dtype: DType,
}
impl Spec {
    /// A spec.
    pub fn new(shape: impl Into<Shape>, dtype: DType) -> Spec {
        Spec { shape: shape.into(), dtype }
    }
}
/// Runs an operation of one's own: checked, recorded and differentiated as the built-in ones are.
///
/// ```
/// use retrograd_tensor::op::{Kernel, Op, Spec, Specs, apply};
/// use retrograd_tensor::{Context, Cotangents, Error, Tensor, call::Call};
/// #[derive(Debug)]
/// struct Twice;
/// impl Op for Twice {
///     fn name(&self) -> &'static str { "twice" }
///     fn infer(&self, x: &[Spec]) -> Result<Specs, Error> { Ok([x[0].clone()].into()) }
///     fn kernel(&self, _: &[Spec], _: &[Spec]) -> Kernel {
///         Kernel::Call(Call::new("twice", |x, out| {
///             out[0].data::<f32>().iter_mut().zip(&*x[0].dense::<f32>()).for_each(|(y, x)| *y = 2.0 * x);
///         }))
///     }
///     fn vjp(&self, _: &Context<'_>, g: &Tensor) -> Cotangents { [(g * 2.0).into()].into_iter().collect() }
/// }
/// assert_eq!(apply(Twice, &[&Tensor::from([1.0f32, 2.0])])[0].to_vec::<f32>(), [2.0, 4.0]);
/// ```
///
/// # Panics
/// If `infer` refuses the operands.
#[track_caller]
pub fn apply(op: impl Op, x: &[&Tensor]) -> Outputs {
    crate::apply::op_n(op, x)
}

/// One spec per output.
pub type Specs = SmallVec<[Spec; 1]>;
/// One tensor per output.
pub type Outputs = SmallVec<[Tensor; 1]>;

/// From an operand's layout to the view's.
pub type LayoutFn = Box<dyn Fn(&Layout) -> Option<Layout>>;
/// From operands to outputs, in tensor operations.
pub type ComposeFn = Box<dyn Fn(&[Tensor]) -> Outputs>;

/// How an operation runs. Planning looks at nothing else.
pub enum Kernel {
    /// The operand's elements, found elsewhere: a new layout of the same buffer, or `None` if strides cannot
    /// express it (the operand is then copied to dense order first).
    View(LayoutFn),
    /// The operand repeated to the result's shape: a view that stays in a program where rows are repeated.
    Expand,
    /// The same elements in the same logical order under the result's shape.
    Reshape,
    /// The same elements as the result's type.
    Cast,
    /// A reduction over these axes, which the result has as size 1 (or not at all).
    Fold(Red, AxisVec),
    /// A loop over whole operands in memory.
    Call(Call),
    /// A formula over other operations, which are not recorded: this operation's own rule is its gradient.
    Compose(ComposeFn),
}
impl Kernel {
    /// Whether this kind of operation, and so its gradient rule, leaves what is pending pending.
    pub(crate) fn fuses(&self) -> bool {
        !matches!(self, Kernel::View(_) | Kernel::Call(_))
    }
}
impl fmt::Debug for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kernel::View(_) => "view",
            Kernel::Expand => "expand",
            Kernel::Reshape => "reshape",
            Kernel::Cast => "cast",
            Kernel::Fold(..) => "fold",
            Kernel::Call(_) => "call",
            Kernel::Compose(_) => "compose",
        })
    }
}

/// What a gradient rule reads, by position.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Saves {
    /// Bit i: operand i.
    pub inputs: u64,
    /// Bit i: output i.
    pub outputs: u64,
}
impl Saves {
    /// The rule reads shapes only.
    pub const NOTHING: Saves = Saves { inputs: 0, outputs: 0 };
    /// The rule reads all operands, and whatever else was given with them.
    pub const ALL: Saves = Saves { inputs: u64::MAX, outputs: 0 };
    /// Whether operand `i` is kept.
    pub(crate) fn keeps(self, i: usize) -> bool {
        if i < 64 { self.inputs >> i & 1 == 1 } else { self == Saves { outputs: self.outputs, ..Saves::ALL } }
    }
    /// The rule reads these operands.
    pub fn inputs(positions: impl IntoIterator<Item = usize>) -> Saves {
        Saves { inputs: positions.into_iter().fold(0, |m, i| m | 1 << i), outputs: 0 }
    }
    /// The rule reads the first output.
    pub const OUTPUT: Saves = Saves { inputs: 0, outputs: 1 };
    /// The rule reads this much and the first output.
    #[must_use]
    pub fn and_output(self) -> Saves {
        Saves { outputs: 1, ..self }
    }
}

/// Whether an operation has a gradient.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Gradient {
    /// Yes: [`Op::vjp`].
    Rule,
    /// No, and why. Its outputs cut the tape.
    None(&'static str),
}

/// An operation over tensors.
pub trait Op: fmt::Debug + Send + Sync + 'static {
    /// The user's name for it.
    fn name(&self) -> &'static str;
    /// Shape and dtype of each output.
    ///
    /// # Errors
    /// Whatever is wrong with these operands. Nothing is refused later.
    fn infer(&self, x: &[Spec]) -> Result<Specs, Error>;
    /// How to run it on operands that `infer` has accepted.
    fn kernel(&self, x: &[Spec], out: &[Spec]) -> Kernel;
    /// Floating-point operations of a [`Kernel::Call`], for the profile; a comparison is one. What only moves elements has
    /// none, nor has an order, which is found among integers.
    fn flops(&self, _x: &[Spec], _out: &[Spec]) -> u64 {
        0
    }
    /// Whether there is a gradient.
    fn gradient(&self) -> Gradient {
        Gradient::Rule
    }
    /// What [`Op::vjp`] reads when the operands marked in `tracked` (by bit) need a gradient; by default shapes only.
    fn saves(&self, _tracked: u64) -> Saves {
        Saves::NOTHING
    }
    /// The operands (by bit) whose cotangent is that of the one output, summed to their shape. Their sums join the pass that
    /// computes it; [`Op::vjp`] is not asked for them, and may leave out the last ones.
    fn passes(&self) -> u64 {
        0
    }
    /// The cotangent of each operand, from those of the outputs, in tensor operations. Only an operation with
    /// [`Gradient::None`] has none.
    fn vjp(&self, _cx: &Context<'_>, _g: &Tensor) -> Cotangents {
        let detail = "no gradient rule: its `gradient` is `Rule`; implement `vjp`, or say `Gradient::None`";
        raise(Error::new(self.name(), ErrorKind::Gradient, detail))
    }
    /// How it runs, inside `vmap`, on operands `x` that have axes of the sizes `lead` in front of these; bit i of
    /// `varying`: operand i varies along them, or a gradient may be asked for it.
    fn batch(&self, x: &[Spec], lead: &[usize], varying: u64) -> Batch {
        let _ = (x, lead, varying);
        Batch::Slices
    }
}

/// An operation over operands with leading axes that it does not know of.
pub enum Batch {
    /// As this operation, over operands that have all of these axes.
    Whole(Arc<dyn Op>),
    /// As this operation, those operands excepted whose bit is set, none of them varying: they stay as they are.
    Fixed(Arc<dyn Op>, u64),
    /// By this formula over operands that have all of these axes.
    Formula(ComposeFn),
    /// Slice by slice.
    Slices,
}
impl Batch {
    /// As this operation, over operands that have all of these axes.
    pub fn whole(op: impl Op) -> Batch {
        Batch::Whole(Arc::new(op))
    }
}
/// `axes` of an operand, once it has the axes `lead` in front.
pub(crate) fn behind(lead: &[usize], axes: &[usize]) -> AxisVec {
    axes.iter().map(|axis| axis + lead.len()).collect()
}
impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Batch::Whole(_) => "whole",
            Batch::Fixed(..) => "fixed",
            Batch::Formula(_) => "formula",
            Batch::Slices => "slices",
        })
    }
}
impl Op for Arc<dyn Op> {
    fn name(&self) -> &'static str {
        (**self).name()
    }
    fn infer(&self, x: &[Spec]) -> Result<Specs, Error> {
        (**self).infer(x)
    }
    fn kernel(&self, x: &[Spec], out: &[Spec]) -> Kernel {
        (**self).kernel(x, out)
    }
    fn flops(&self, x: &[Spec], out: &[Spec]) -> u64 {
        (**self).flops(x, out)
    }
    fn gradient(&self) -> Gradient {
        (**self).gradient()
    }
    fn saves(&self, tracked: u64) -> Saves {
        (**self).saves(tracked)
    }
    fn passes(&self) -> u64 {
        (**self).passes()
    }
    fn vjp(&self, cx: &Context<'_>, g: &Tensor) -> Cotangents {
        (**self).vjp(cx, g)
    }
    fn batch(&self, x: &[Spec], lead: &[usize], varying: u64) -> Batch {
        (**self).batch(x, lead, varying)
    }
}
