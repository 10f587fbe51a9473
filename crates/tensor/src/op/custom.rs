//! The short form of an operation of one's own: an [`Op`] over closures, and what every rule of a user's is held to.
use super::{Kernel, Op, Saves, Spec, Specs, apply};
use crate::call::{Call, View, ViewMut};
use crate::dtype::{DType, Element};
use crate::error::{Error, ErrorKind, raise};
use crate::record::{Context, Cotangents};
use crate::shape::Shape;
use crate::tensor::Tensor;
use smallvec::smallvec;
use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;
use std::panic::Location;
use std::sync::Arc;

/// What a kernel of a [`custom`] operation reads: the elements of an operand in row-major order, as a slice, and its
/// shape.
pub struct Dense<'a, T: Element> {
    elements: Cow<'a, [T]>,
    shape: &'a Shape,
}
impl<T: Element> Dense<'_, T> {
    /// The operand's shape.
    ///
    /// ```
    /// use retrograd_tensor::{Tensor, op};
    /// let rows = op::custom::<f64>(
    ///     "row_ends",
    ///     |x| Ok([x[0][0]].into()),
    ///     |x, y| y.iter_mut().zip(x[0].chunks(x[0].shape()[1])).for_each(|(y, row)| *y = row[row.len() - 1]),
    ///     |x, _, g| vec![x[0].zeros_like().with(retrograd_tensor::s![.., -1], g)],
    /// );
    /// assert_eq!(rows.call(&[&Tensor::from([[1.0f64, 2.0], [3.0, 4.0]])]).to_vec::<f64>(), [2.0, 4.0]);
    /// ```
    pub fn shape(&self) -> &Shape {
        self.shape
    }
}
impl<T: Element> Deref for Dense<'_, T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        &self.elements
    }
}
impl<T: Element> fmt::Debug for Dense<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", T::DTYPE, self.shape)
    }
}

type ShapeRule = dyn Fn(&[Shape]) -> Result<Shape, String> + Send + Sync;
type Run = dyn Fn(&[View<'_>], &mut ViewMut<'_>) + Send + Sync;
type Rule = dyn Fn(&[Tensor], &Tensor, &Tensor) -> Vec<Tensor> + Send + Sync;

/// An operation made by [`custom`]: [`Custom::call`] runs it.
#[derive(Clone)]
pub struct Custom {
    name: &'static str,
    at: &'static Location<'static>,
    shape: Arc<ShapeRule>,
    kernels: Vec<(DType, Arc<Run>)>,
    rule: Arc<Rule>,
}
/// An operation of one's own from three closures, over operands of the element type `T`: the shape of its result, or
/// what is wrong with the operands; a loop over slices that writes the result; and its gradient rule, in tensor
/// operations. PyTorch's `torch.library.custom_op` with `register_autograd`, JAX's `pure_callback` under a `custom_vjp`.
///
/// The rule gets the operands, the result and its cotangent, and gives a cotangent for each operand, of its shape and
/// type; since it is tensor code it can be differentiated again. Operands and result are kept for it. The operation is
/// checked and recorded as the built-in ones are, and stands in the tape and in profiles under its name. Under `vmap`
/// it runs slice by slice. What this form has no place for (operands of several types, several results, a rule that
/// keeps less, a kernel over whole batches) an `impl` of [`Op`] has.
///
/// ```
/// use retrograd_tensor::{Tensor, op};
/// let halved = op::custom::<f64>(
///     "halved",
///     |x| Ok(x[0].clone()),
///     |x, y| y.iter_mut().zip(&*x[0]).for_each(|(y, x)| *y = x / 2.0),
///     |_, _, g| vec![g / 2.0],
/// );
/// assert_eq!(halved.call(&[&Tensor::from([1.0f64, 3.0])]).to_vec::<f64>(), [0.5, 1.5]);
/// ```
#[track_caller]
pub fn custom<T: Element>(
    name: &'static str,
    shape: impl Fn(&[Shape]) -> Result<Shape, String> + Send + Sync + 'static,
    kernel: impl Fn(&[Dense<'_, T>], &mut [T]) + Send + Sync + 'static,
    vjp: impl Fn(&[Tensor], &Tensor, &Tensor) -> Vec<Tensor> + Send + Sync + 'static,
) -> Custom {
    let at = Location::caller();
    Custom { name, at, shape: Arc::new(shape), kernels: Vec::new(), rule: Arc::new(vjp) }.kernel(kernel)
}
impl Custom {
    /// The same operation, which runs operands of the type `T` by this kernel.
    ///
    /// ```
    /// use retrograd_tensor::{Element, F32, Tensor, op};
    /// fn negate<T: Element + std::ops::Neg<Output = T>>(x: &[op::Dense<'_, T>], y: &mut [T]) {
    ///     y.iter_mut().zip(&*x[0]).for_each(|(y, &x)| *y = -x);
    /// }
    /// let minus = op::custom("minus", |x| Ok(x[0].clone()), negate::<f64>, |_, _, g| vec![-g]).kernel(negate::<f32>);
    /// assert_eq!(minus.call(&[&Tensor::from([1.0f32])]).to_vec::<f32>(), [-1.0]);
    /// ```
    #[must_use]
    pub fn kernel<T: Element>(
        mut self,
        kernel: impl Fn(&[Dense<'_, T>], &mut [T]) + Send + Sync + 'static,
    ) -> Custom {
        let run = move |x: &[View<'_>], y: &mut ViewMut<'_>| {
            let x: Vec<Dense<'_, T>> =
                x.iter().map(|x| Dense { elements: x.dense(), shape: x.shape() }).collect();
            kernel(&x, y.data());
        };
        self.kernels.retain(|(dtype, _)| *dtype != T::DTYPE);
        self.kernels.push((T::DTYPE, Arc::new(run)));
        self
    }
    /// The operation on these operands.
    ///
    /// ```
    /// use retrograd_tensor::{Tensor, attempt, op};
    /// let twice = op::custom::<f64>(
    ///     "twice",
    ///     |x| if x[0].rank() == 1 { Ok(x[0].clone()) } else { Err(format!("{} is no list", x[0])) },
    ///     |x, y| y.iter_mut().zip(&*x[0]).for_each(|(y, x)| *y = 2.0 * x),
    ///     |_, _, g| vec![g * 2.0],
    /// );
    /// let refused = attempt(|| twice.call(&[&Tensor::from([[1.0f64]])])).unwrap_err();
    /// assert_eq!(refused.to_string(), "twice: [1, 1] is no list");
    /// ```
    ///
    /// # Panics
    /// If the shape rule refuses the operands, their types differ or have no kernel, or there are more than 64; in the
    /// backward pass, if the rule gives another number of cotangents, or one of another shape or type.
    #[track_caller]
    pub fn call(&self, x: &[&Tensor]) -> Tensor {
        apply(self.clone(), x).remove(0)
    }
    /// The kernel for operands of these types, which are one.
    fn kernel_for(&self, x: &[Spec]) -> Option<&(DType, Arc<Run>)> {
        let Some(first) = x.first() else { return self.kernels.first() };
        let one = x.iter().all(|x| x.dtype == first.dtype);
        self.kernels.iter().find(|(dtype, _)| one && *dtype == first.dtype)
    }
}
impl fmt::Debug for Custom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}
impl Op for Custom {
    fn name(&self) -> &'static str {
        self.name
    }
    fn infer(&self, x: &[Spec]) -> Result<Specs, Error> {
        few(self.name, x.len())?;
        let listed = |types: &mut dyn Iterator<Item = DType>| {
            types.map(|dtype| dtype.to_string()).collect::<Vec<_>>().join(", ")
        };
        let Some(&(dtype, _)) = self.kernel_for(x) else {
            let given = listed(&mut x.iter().map(|x| x.dtype));
            let taken = listed(&mut self.kernels.iter().map(|k| k.0));
            let right = format!("all are of one type that has a kernel: {taken}");
            let detail = format!("no kernel for these types: operands are {given}; {right}");
            return Err(Error::new(self.name, ErrorKind::Dtype, detail));
        };
        let shapes: Vec<Shape> = x.iter().map(|x| x.shape.clone()).collect();
        let shape = (self.shape)(&shapes).map_err(|what| Error::new(self.name, ErrorKind::Shape, what))?;
        Ok(smallvec![Spec { shape, dtype }])
    }
    fn kernel(&self, x: &[Spec], _: &[Spec]) -> Kernel {
        let (_, run) = self.kernel_for(x).expect("`infer` refuses operands without a kernel").clone();
        Kernel::Call(Call::new(self.name, move |x, out| run(x, &mut out[0])))
    }
    fn saves(&self, _: u64) -> Saves {
        Saves { inputs: u64::MAX, outputs: 1 }
    }
    fn vjp(&self, cx: &Context<'_>, g: &Tensor) -> Cotangents {
        let x: Vec<Tensor> = (0..cx.operands()).map(|i| cx.input(i)).collect();
        let parts = (self.rule)(&x, &cx.output(0), g);
        answers(self.name, parts, &x, self.at).into_iter().map(Into::into).collect()
    }
}

/// Refuses more operands than a rule can have kept for it.
///
/// # Errors
/// If there are more than 64.
pub fn few(op: &'static str, operands: usize) -> Result<(), Error> {
    if operands <= 64 {
        return Ok(());
    }
    let detail = format!("{operands} operands; a rule takes at most 64: join some by cat");
    Err(Error::new(op, ErrorKind::Value, detail))
}
/// What a user's rule, which was given at `at`, answers with, if these are cotangents of the operands `x`.
#[track_caller]
pub fn answers(
    op: &'static str,
    parts: Vec<Tensor>,
    x: &[Tensor],
    at: &'static Location<'static>,
) -> Vec<Tensor> {
    if parts.len() != x.len() {
        let given = format!("the rule of {at} gives {} cotangents for {} operands", parts.len(), x.len());
        raise(Error::new(op, ErrorKind::Gradient, format!("{given}; it must give one for each")));
    }
    let fits = |(i, (part, x))| fitting(op, &format!("cotangent {i}"), part, x, at);
    parts.into_iter().zip(x).enumerate().map(fits).collect()
}
/// An answer of a user's rule, if it fits what it is a cotangent of.
#[track_caller]
pub fn fitting(
    op: &'static str,
    what: &str,
    g: Tensor,
    of: &Tensor,
    at: &'static Location<'static>,
) -> Tensor {
    if g.spec() != of.spec() {
        let given = format!("{what} is {} {}, not {} {}", g.dtype(), g.shape(), of.dtype(), of.shape());
        let right = "a cotangent has its tensor's shape and type";
        let detail = format!("{given} (the rule is that of {at}); {right}");
        raise(Error::new(op, ErrorKind::Gradient, detail));
    }
    g
}
