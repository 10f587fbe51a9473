//! What is checked of a case under transforms: many cases at once are a loop, forward is the transpose of backward, and
//! computing again in the backward pass changes no bit.

use retrograd::prelude::*;
use retrograd::testing::sliced;
use retrograd::{grad_recorded, remat};

use crate::compare::{near, same_bits};
use crate::layout::Layout;
use crate::operator::{Report, Subject, guarded, taken};

impl Subject<'_> {
    /// Every check of transforms that this case admits.
    pub(crate) fn transforms(&self, report: &mut Report) {
        match self.vmapped(report) {
            Ok(None) => report.skips.push("vmap: the shape of the result depends on elements"),
            outcome => report.compare(&self.named("vmap equals a loop"), outcome.map(drop)),
        }
        if self.case.grads.iter().all(Option::is_none) {
            report.skips.push("jvp and remat: nothing is differentiable");
            return;
        }
        let outcome = guarded(|| self.transposed()).and_then(|outcome| outcome);
        report.compare(&self.named("jvp is the transpose of vjp"), outcome);
        let outcome = guarded(|| self.computed_again()).and_then(|outcome| outcome);
        report.compare(&self.named("remat changes no bit"), outcome);
    }

    /// <u, J v> against <J^T u, v>, the outputs of the case that have cotangents as one list.
    fn transposed(&self) -> Result<(), String> {
        let inputs = self.inputs(Layout::Contiguous);
        let places: Vec<usize> = (0..inputs.len()).filter(|&k| self.case.grads[k].is_some()).collect();
        let f = |x: &[Tensor]| {
            let mut all = inputs.clone();
            places.iter().zip(x).for_each(|(&k, x)| all[k] = x.clone());
            let outputs = self.call(&all).into_iter().zip(&self.case.cotangents);
            let real: Vec<Tensor> =
                outputs.filter(|(_, g)| g.is_some()).map(|(y, _)| y.reshape(-1)).collect();
            cat(&real, 0)
        };
        let points: Vec<&Tensor> = places.iter().map(|&k| &inputs[k]).collect();
        let mut rng = Rng::new(23);
        let along: Vec<Tensor> = points.iter().map(|x| F64.randn(x.shape(), &mut rng)).collect();
        let (y, forward) = jvp(f, &points, &along.iter().collect::<Vec<_>>());
        let u = F64.randn(y.shape(), &mut rng);
        let backward = vjp(f, &points).1(&u);
        let terms = [vec![&u * &forward], backward.iter().zip(&along).map(|(g, v)| g * v).collect()];
        let [one, other] = terms.each_ref().map(|terms| terms.iter().map(|t| t.sum(()).item()).sum::<f64>());
        let size = terms.iter().flatten().map(|t| t.abs().sum(()).item()).sum::<f64>();
        if (one - other).abs() <= 1e-12 * (1.0 + size) {
            return Ok(());
        }
        Err(format!("forward {one}, backward {other}"))
    }

    /// The weighted sum of the outputs and its gradients, kept and computed again.
    fn computed_again(&self) -> Result<(), String> {
        let results = |again: bool| {
            let (inputs, leaves) = self.leaves(&self.inputs(Layout::Contiguous));
            let weights = self.weights();
            let (entry, attrs) = (self.entry, self.case.attrs.clone());
            let f = move |x: &[Tensor]| {
                let terms = (entry.call)(x, &attrs).into_iter().zip(&weights);
                let terms = terms.filter_map(|(y, weight)| Some((y * weight.as_ref()?).sum(())));
                terms.reduce(|sum, term| sum + term).expect("a case with gradients has cotangents")
            };
            let y = if again { remat(f, &inputs.iter().collect::<Vec<_>>()) } else { f(&inputs) };
            let wrt: Vec<&Tensor> = leaves.iter().flatten().collect();
            let first = grad_recorded(&y, &wrt);
            let mut all: Vec<Option<Tensor>> = vec![Some(y.detach())];
            let slopes = first.iter().map(|g| g.square().sum(())).reduce(|sum, term| sum + term);
            all.extend(first.into_iter().map(|g| Some(g.detach())));
            if let Some(slopes) = slopes.filter(|_| self.case.second.is_some()).filter(Tensor::is_tracked) {
                all.extend(taken(&slopes, &leaves));
            }
            all
        };
        let (plain, again) = (results(false), results(true));
        if plain.len() != again.len() {
            return Err(format!("{} results instead of {}", again.len(), plain.len()));
        }
        for (k, (got, want)) in again.iter().zip(&plain).enumerate() {
            if let (Some(got), Some(want)) = (got, want) {
                same_bits(got, want).map_err(|error| format!("result {k}: {error}"))?;
            }
        }
        Ok(())
    }

    /// All outputs and gradients of three cases at once, against one after the other.
    fn vmapped(&self, report: &mut Report) -> Result<Option<()>, String> {
        let scaled = |t: &Tensor, by: f64| if t.dtype() == F64 { t * by } else { t.clone() };
        let inputs = self.inputs(Layout::Contiguous);
        let cases: Vec<Vec<Tensor>> =
            [1.0, 1.0 + 1e-3, 1.0 - 1e-3].map(|by| inputs.iter().map(|t| scaled(t, by)).collect()).into();
        let together = |k: usize| stack(&cases.iter().map(|case| &case[k]).collect::<Vec<_>>(), 0);
        let batch: Vec<Tensor> = (0..inputs.len()).map(together).collect();
        let axes: Vec<(&Tensor, Option<isize>)> = batch.iter().map(|t| (t, Some(0))).collect();
        let before = sliced();
        let all = match guarded(|| vmap_axes(|x| self.run(x).everything(), &axes)) {
            // The shape of the result depends on elements.
            Err(failure) if failure.contains("reading inside vmap") => return Ok(None),
            all => all?,
        };
        report.sliced |= sliced() > before;
        for (i, case) in cases.iter().enumerate() {
            let alone = guarded(|| self.run(case).everything())?;
            if alone.len() != all.len() {
                return Err(format!("{} results instead of {}", all.len(), alone.len()));
            }
            for (k, (want, got)) in alone.iter().zip(&all).enumerate() {
                near(&got.select(0, i as isize), want).map_err(|e| format!("result {k}, case {i}: {e}"))?;
            }
        }
        Ok(Some(()))
    }
}
