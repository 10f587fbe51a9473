//! Rules of one's own on existing code: replaced gradients, taps, and results that are computed again in the backward
//! pass instead of being kept.
use crate::differentiate::Differentiate;
use crate::sweep::{self, IdMap, IdSet, Request};
use retrograd_tensor::hidden::{self, Edge};
use retrograd_tensor::op::{Kernel, Op, Saves, Spec, Specs};
use retrograd_tensor::{
    Context, Cotangents, Error, ErrorKind, OrRaise, Tensor, enable_grad, levels, no_grad, raise, replay,
};
use std::fmt;
use std::panic::Location;

/// An operation whose result was there when its record was made: all that is left of it is a rule.
struct Custom {
    name: &'static str,
    saves: Saves,
    #[expect(clippy::type_complexity, reason = "the type of a rule, spelled where it is used")]
    rule: Box<dyn Fn(&Context<'_>, &Tensor) -> Vec<Option<Tensor>> + Send + Sync>,
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
    fn infer(&self, _: &[Spec]) -> Result<Specs, Error> {
        unreachable!("{}: its record is made beside the seam", self.name)
    }
    fn kernel(&self, _: &[Spec], _: &[Spec]) -> Kernel {
        unreachable!("{}: its record is made beside the seam", self.name)
    }
    fn saves(&self, _: u64) -> Saves {
        self.saves
    }
    fn vjp(&self, cx: &Context<'_>, g: &Tensor) -> Cotangents {
        (self.rule)(cx, g).into_iter().map(Into::into).collect()
    }
}
/// What a [`Tap::tap`] may answer with.
pub trait Tapped {
    /// The cotangent that goes on.
    #[track_caller]
    fn or(self, g: &Tensor) -> Tensor;
}
impl Tapped for () {
    #[track_caller]
    fn or(self, g: &Tensor) -> Tensor {
        g.clone()
    }
}
impl Tapped for Tensor {
    #[track_caller]
    fn or(self, _: &Tensor) -> Tensor {
        self
    }
}
/// Looking at cotangents on their way back.
pub trait Tap {
    /// The same tensor; `f` sees its cotangent in every backward pass and may answer with another one, of the same
    /// shape and type. It is called when the pass has added up everything that reaches this result.
    ///
    /// ```
    /// use retrograd_autograd::{Differentiate, Tap};
    /// use retrograd_tensor::Tensor;
    /// let x = Tensor::from([1.0f64, -4.0]).tracked();
    /// let y = (&x * &x).tap(|g| g.clamp(-1.0, 0.5)).sum(());
    /// assert_eq!(y.backward()[&x].to_vec::<f64>(), [1.0, -4.0]);
    /// ```
    ///
    /// # Panics
    /// In the backward pass, if the answer has another shape or type.
    fn tap<R: Tapped>(&self, f: impl Fn(&Tensor) -> R + Send + Sync + 'static) -> Tensor;
}
impl Tap for Tensor {
    #[track_caller]
    fn tap<R: Tapped>(&self, f: impl Fn(&Tensor) -> R + Send + Sync + 'static) -> Tensor {
        if !hidden::is_tracked(self) {
            return self.clone();
        }
        let at = Location::caller();
        let (levels, sizes) = levels::of(self);
        let rule = move |_: &Context<'_>, g: &Tensor| {
            let g = levels::hide(g, &levels);
            let new = hidden::fitting("tap", "the answer", f(&g).or(&g), &g, at);
            vec![Some(levels::show(&new, &levels, &sizes))]
        };
        let op = Custom { name: "tap", saves: Saves::NOTHING, rule: Box::new(rule) };
        hidden::ruled(self, Box::new(op), &[hidden::edge(self).cloned()], &[], at)
    }
}

/// The value of `f` at `xs` with a gradient rule of one's own: `rule` gets the operands, the result and its
/// cotangent, and gives a cotangent for each operand, in tensor operations (so that they can be differentiated
/// again). What `f` does is not recorded. JAX's `custom_vjp`, PyTorch's `autograd.Function`.
///
/// A rule is free to be wrong: a straight-through estimator rounds forward and passes gradients on as they are.
///
/// ```
/// use retrograd_autograd::{Differentiate, with_vjp};
/// use retrograd_tensor::Tensor;
/// let x = Tensor::from([0.2f64, 1.7]).tracked();
/// let y = with_vjp(&[&x], |x| x[0].round(), |_, _, g| vec![g.clone()]);
/// assert_eq!(y.to_vec::<f64>(), [0.0, 2.0]);
/// assert_eq!((y * 3.0).sum(()).backward()[&x].to_vec::<f64>(), [3.0, 3.0]);
/// ```
///
/// # Panics
/// If there are more than 64 operands; in the backward pass, if the rule gives another number of cotangents, or one
/// of another shape or type.
#[track_caller]
pub fn with_vjp(
    xs: &[&Tensor],
    f: impl Fn(&[Tensor]) -> Tensor + Send + Sync + 'static,
    rule: impl Fn(&[Tensor], &Tensor, &Tensor) -> Vec<Tensor> + Send + Sync + 'static,
) -> Tensor {
    ruled("with_vjp", xs, |x| (f(x), vec![]), move |x, y, _, g| rule(x, y, g))
}

/// [`with_vjp`] with a function that also gives intermediate results for its rule, which the tape keeps: the
/// residuals of JAX's `custom_vjp`, what `ctx.save_for_backward` keeps in PyTorch. The rule gets the operands, the
/// result, the residuals and the cotangent.
///
/// Residuals are constants to a rule that is differentiated itself. Where its operands are tracked it must make them
/// again from these, or second derivatives are wrong.
///
/// ```
/// use retrograd_autograd::{Differentiate, gradcheck, gradgradcheck, with_vjp_residuals};
/// use retrograd_tensor::Tensor;
/// let square_of_exp = |x: &[Tensor]| {
///     with_vjp_residuals(
///         &[&x[0]],
///         |x| {
///             let e = x[0].exp();
///             (&e * &e, vec![e])
///         },
///         |x, _, kept, g| {
///             let e = if x[0].is_tracked() { x[0].exp() } else { kept[0].clone() };
///             vec![g * 2.0 * &e * &e]
///         },
///     )
/// };
/// let x = Tensor::from([0.2f64, -0.7]);
/// assert!(gradcheck(square_of_exp, &[&x]).is_ok() && gradgradcheck(square_of_exp, &[&x]).is_ok());
/// ```
///
/// # Panics
/// As [`with_vjp`].
#[track_caller]
pub fn with_vjp_residuals(
    xs: &[&Tensor],
    f: impl Fn(&[Tensor]) -> (Tensor, Vec<Tensor>) + Send + Sync + 'static,
    rule: impl Fn(&[Tensor], &Tensor, &[Tensor], &Tensor) -> Vec<Tensor> + Send + Sync + 'static,
) -> Tensor {
    ruled("with_vjp_residuals", xs, f, rule)
}
#[track_caller]
fn ruled(
    name: &'static str,
    xs: &[&Tensor],
    f: impl Fn(&[Tensor]) -> (Tensor, Vec<Tensor>),
    rule: impl Fn(&[Tensor], &Tensor, &[Tensor], &Tensor) -> Vec<Tensor> + Send + Sync + 'static,
) -> Tensor {
    let at = Location::caller();
    hidden::few(name, xs.len()).or_raise();
    let (levels, sizes) = levels::union(xs);
    let xs: Vec<Tensor> = xs.iter().map(|&x| levels::vary(x, &levels, &sizes)).collect();
    let (y, residuals) = no_grad(|| f(&xs));
    let y = levels::vary(&y, &levels, &sizes);
    if !hidden::recording() || !xs.iter().any(hidden::is_tracked) {
        return y;
    }
    let residuals = residuals.iter().map(|r| levels::vary(&r.detach(), &levels, &sizes));
    let operands: Vec<Tensor> = xs.iter().cloned().chain(residuals).collect();
    let edges: Vec<Option<Edge>> = operands.iter().map(|x| hidden::edge(x).cloned()).collect();
    let plain: Vec<Tensor> = operands.iter().map(|x| levels::show(x, &levels, &sizes)).collect();
    let own = xs.len();
    let rule = move |cx: &Context<'_>, g: &Tensor| {
        let all: Vec<Tensor> = (0..cx.operands()).map(|i| levels::hide(&cx.input(i), &levels)).collect();
        let (x, residuals) = all.split_at(own);
        let parts = rule(x, &levels::hide(&cx.output(0), &levels), residuals, &levels::hide(g, &levels));
        let parts = hidden::answers(name, parts, x, at);
        let none = residuals.iter().map(|_| None);
        parts.iter().map(|part| Some(levels::show(part, &levels, &sizes))).chain(none).collect()
    };
    let op = Custom { name, saves: Saves::ALL.and_output(), rule: Box::new(rule) };
    hidden::ruled(&y.detach(), Box::new(op), &edges, &plain, at)
}

/// The value of `f`, whose intermediate results are not kept for the backward pass but computed there again, to the
/// same bits: random draws and dropout included. Gradients reach everything tracked that `f` reads, whether given
/// in `xs` or captured. PyTorch's `checkpoint`, JAX's `remat`.
///
/// ```
/// use retrograd_autograd::{Differentiate, remat};
/// use retrograd_tensor::Tensor;
/// let (x, w) = (Tensor::from([0.5f64]).tracked(), Tensor::from([2.0f64]).tracked());
/// let captured = w.clone();
/// let y = remat(move |x| (&x[0] * &captured).tanh().exp(), &[&x]);
/// let (a, b) = (y.sum(()).backward(), (&x * &w).tanh().exp().sum(()).backward());
/// assert_eq!((a[&x].item(), a[&w].item()), (b[&x].item(), b[&w].item()));
/// ```
///
/// # Panics
/// In the backward pass, if `f` does something else when it runs again.
#[track_caller]
pub fn remat(f: impl Fn(&[Tensor]) -> Tensor + Send + Sync + 'static, xs: &[&Tensor]) -> Tensor {
    let at = Location::caller();
    let xs: Vec<Tensor> = xs.iter().map(|&x| x.clone()).collect();
    let run = move || f(&xs);
    let first = hidden::Leaf::new().id();
    let (y, log) = replay::noted(&run);
    let edges = match hidden::edge(&y) {
        Some(edge) if edge.record().cut_reason().is_none() => outside(edge, first),
        _ => return y,
    };
    if edges.is_empty() {
        return y;
    }
    let ids: Vec<u64> = edges.iter().flatten().map(|e| e.record().id()).collect();
    let rule = move |cx: &Context<'_>, g: &Tensor| {
        let y = enable_grad(|| replay::again(&log, &run));
        let Some(edge) = hidden::edge(&y) else {
            let detail =
                format!("the function of {at} took another way when it ran again; it must repeat itself");
            raise(Error::new("remat", ErrorKind::Gradient, detail));
        };
        let asked = ids.iter().enumerate().filter(|(i, _)| cx.needs(*i));
        let wanted: IdSet = asked.map(|(_, &id)| id).collect();
        let request = Request { op: "remat", wanted: Some(&wanted), take: false, stop: true };
        let walk = || sweep::sweep(vec![(edge, g.clone())], &request);
        let mut found = if hidden::recording() { walk() } else { no_grad(walk) }.or_raise();
        ids.iter().map(|id| found.cotangents.remove(id)).collect()
    };
    let op = Custom { name: "remat", saves: Saves::NOTHING, rule: Box::new(rule) };
    hidden::ruled(&y.detach(), Box::new(op), &edges, &[], at)
}
/// The edges from records that are younger than `first` to older ones.
fn outside(root: &Edge, first: u64) -> Vec<Option<Edge>> {
    let mut found: IdMap<Edge> = IdMap::default();
    let mut seen = IdSet::default();
    let mut stack = vec![root.clone()];
    while let Some(edge) = stack.pop() {
        let record = edge.record();
        if record.cut_reason().is_some() {
            continue;
        }
        if record.id() < first {
            found.insert(record.id(), edge.clone());
        } else if seen.insert(record.id()) {
            stack.extend(record.inputs().into_iter().flatten());
        }
    }
    let mut found: Vec<Edge> = found.into_values().collect();
    found.sort_unstable_by_key(|e| e.record().id());
    found.into_iter().map(Some).collect()
}
