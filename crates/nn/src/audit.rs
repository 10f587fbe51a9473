//! What a backward pass gave each parameter, as a table: nothing that is missing or not finite hides.
use crate::module::{Module, Slot};
use retrograd_autograd::{Gradients, Missing};
use retrograd_tensor::{F64, Tensor, force_all, no_grad};
use std::fmt;

/// One parameter of an [`Audit`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Audited {
    /// Its dotted name.
    pub name: String,
    /// Whether an optimizer would change it.
    pub trainable: bool,
    /// Why it has no gradient; `None` if it has one.
    pub missing: Option<Missing>,
    /// Euclidean norm of the finite elements of the gradient, in `F64`.
    pub norm: f64,
    /// Elements of the gradient that are infinite or NaN.
    pub not_finite: usize,
    /// Norm of the parameter.
    pub size: f64,
}
impl Audited {
    /// Whether training with this gradient is what it looks like: there, finite, not all zeros; or frozen.
    pub fn is_sound(&self) -> bool {
        !self.trainable || self.missing.is_none() && self.not_finite == 0 && self.norm > 0.0
    }
}
/// Every parameter of a model with what became of its gradient; see [`audit`].
#[derive(Clone, Debug)]
pub struct Audit {
    rows: Vec<Audited>,
}
/// For each parameter of `model`: whether the backward pass reached it and, if not, what cut it off and where, the
/// norm of its gradient, and how many of its elements are not finite. Prints as a table.
///
/// ```
/// use retrograd_autograd::Differentiate;
/// use retrograd_nn::{Forward, Linear, audit};
/// use retrograd_tensor::{Rng, Tensor};
/// let layer = Linear::new(2, 3, &mut Rng::new(0));
/// let y = layer.forward(&Tensor::ones([1, 2]));
/// let grads = (y - layer.bias.as_ref().unwrap().detach()).sum(()).backward();
/// assert!(audit(&layer, &grads).rows().iter().all(|row| row.is_sound()));
/// ```
pub fn audit(model: &dyn Module, grads: &Gradients) -> Audit {
    let mut found = vec![];
    model.visit("", &mut |name, slot| {
        if let Slot::Param(param) = slot {
            found.push((name.to_owned(), param));
        }
    });
    no_grad(|| {
        let norm = |t: &Tensor| {
            let t = t.cast(F64);
            let kept = t.isfinite().where_(&t, 0.0);
            (&kept * &kept).sum(()).sqrt()
        };
        let lost = |t: &Tensor| t.isfinite().logical_not().cast(F64).sum(());
        let parts: Vec<[Option<Tensor>; 3]> = found
            .iter()
            .map(|(_, p)| {
                let g = grads.get(*p);
                [g.map(norm), g.map(lost), Some(norm(p.value()))]
            })
            .collect();
        force_all(&parts.iter().flatten().flatten().collect::<Vec<_>>());
        let read = |t: &Option<Tensor>| t.as_ref().map_or(0.0, Tensor::item);
        let row = |((name, p), parts): ((String, &crate::Param), &[Option<Tensor>; 3])| Audited {
            name,
            trainable: p.is_trainable(),
            missing: parts[0].is_none().then(|| grads.why_missing(p)),
            norm: read(&parts[0]),
            not_finite: read(&parts[1]) as usize,
            size: read(&parts[2]),
        };
        Audit { rows: found.into_iter().zip(&parts).map(row).collect() }
    })
}
impl Audit {
    /// The parameters in the order of the model.
    pub fn rows(&self) -> &[Audited] {
        &self.rows
    }
    /// The trainable parameters that training would not move, or move to no number.
    pub fn unsound(&self) -> impl Iterator<Item = &Audited> {
        self.rows.iter().filter(|row| !row.is_sound())
    }
}
impl fmt::Display for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.rows.iter().map(|r| r.name.len()).max().unwrap_or(0).max(9);
        writeln!(f, "{:width$}  {:>11}  {:>11}  gradient", "parameter", "norm", "grad norm")?;
        for r in &self.rows {
            let state = match &r.missing {
                _ if !r.trainable => "frozen".to_owned(),
                Some(why) => why.to_string(),
                None if r.not_finite > 0 => format!("{} elements not finite", r.not_finite),
                None if r.norm == 0.0 => "all zeros".to_owned(),
                None => "reached".to_owned(),
            };
            writeln!(f, "{:width$}  {:>11.4e}  {:>11.4e}  {state}", r.name, r.size, r.norm)?;
        }
        Ok(())
    }
}
