//! What is checked of one operator case: values, first and second gradients against the reference in f64, values
//! and first gradients in f32, and that neither the way of computing (lazy or eager) nor the way the inputs lie
//! in memory changes a bit. Names no operator but the two whose ties the schema describes.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use retrograd::prelude::*;
use retrograd::testing::Entry;
use retrograd::{eager, grad_recorded};

use crate::case::{Array, Case, Data};
use crate::compare::{Bar, close, coordinates, same_bits};
use crate::layout::{Layout, Precision, expanded, tensor};

/// What became of the checks of a case.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub passed: usize,
    pub failures: Vec<String>,
    /// How many of the checks ask nothing of the reference.
    pub generated: usize,
    /// Why checks were left out.
    pub skips: Vec<&'static str>,
    /// Whether `vmap` had to run an operation slice by slice.
    pub sliced: bool,
}

impl Report {
    pub(crate) fn note(&mut self, check: &str, outcome: Result<(), String>) {
        match outcome {
            Ok(()) => self.passed += 1,
            Err(failure) => self.failures.push(format!("{check}: {failure}")),
        }
    }
    /// Notes a check against another computation of our own.
    pub(crate) fn compare(&mut self, check: &str, outcome: Result<(), String>) {
        self.generated += 1;
        self.note(check, outcome);
    }
}

/// Every check of `case`, an operator of `family`.
pub(crate) fn check(family: &str, case: &Case, entry: &'static Entry) -> Report {
    let mut report = Report::default();
    for precision in [Precision::F64, Precision::F32] {
        let subject = Subject { case, entry, precision };
        let bars = Bars::of(family, precision);
        let Some(lazy) = subject.against_reference(&bars, &mut report) else { continue };
        report.compare(&subject.named("used twice"), subject.used_twice(&bars));

        let plain = subject.inputs(Layout::Contiguous);
        let eagerly = guarded(|| eager(|| subject.run(&plain))).and_then(|run| run.same_as(&lazy));
        report.compare(&subject.named("eager equals lazy"), eagerly);
        for layout in [Layout::Strided, Layout::Transposed, Layout::Reversed, Layout::Pending] {
            let run = guarded(|| subject.run(&subject.inputs(layout)));
            let outcome = run.and_then(|run| run.same_as(&lazy));
            report.compare(&subject.named(&format!("{layout:?} inputs")), outcome);
        }
        if family == "linalg" {
            report
                .skips
                .push("Broadcast inputs: a matrix of equal rows is outside the domain of linear algebra");
        } else {
            report.compare(&subject.named("Broadcast inputs"), subject.broadcast());
        }
        if precision == Precision::F64 {
            subject.transforms(&mut report);
        }
    }
    report
}

/// The bars of SCHEMA.md. None where the reference says nothing.
pub(crate) struct Bars {
    pub first: Option<Bar>,
    pub second: Option<Bar>,
}

impl Bars {
    pub(crate) fn of(family: &str, precision: Precision) -> Self {
        let tight = Bar { absolute: 1e-10, relative: 1e-8 };
        let loose = Bar { absolute: 1e-9, relative: 1e-6 };
        let single = Bar { absolute: 1e-4, relative: 1e-3 };
        match (family, precision) {
            ("linalg", Precision::F64) => Self { first: Some(loose), second: Some(loose) },
            ("linalg", Precision::F32) => Self { first: None, second: None },
            (_, Precision::F64) => Self { first: Some(tight), second: Some(loose) },
            (_, Precision::F32) => Self { first: Some(single), second: None },
        }
    }
}

/// A case at one precision.
pub(crate) struct Subject<'a> {
    pub case: &'a Case,
    pub entry: &'static Entry,
    pub precision: Precision,
}

/// One computation of a case, read to the end. Gradients are absent for inputs that are not differentiated.
pub(crate) struct Run {
    pub outputs: Vec<Tensor>,
    pub first: Vec<Option<Tensor>>,
    pub second: Vec<Option<Tensor>>,
}

impl Run {
    pub(crate) fn everything(self) -> Vec<Tensor> {
        let gradients = self.first.into_iter().chain(self.second).flatten();
        self.outputs.into_iter().chain(gradients).map(|t| t.detach()).collect()
    }
    pub(crate) fn same_as(&self, other: &Run) -> Result<(), String> {
        for (index, (got, want)) in self.outputs.iter().zip(&other.outputs).enumerate() {
            same_bits(got, want).map_err(|error| format!("output {index}: {error}"))?;
        }
        for (what, got, want) in
            [("first", &self.first, &other.first), ("second", &self.second, &other.second)]
        {
            for (index, (got, want)) in got.iter().zip(want).enumerate() {
                if let (Some(got), Some(want)) = (got, want) {
                    same_bits(got, want)
                        .map_err(|error| format!("{what} gradient of input {index}: {error}"))?;
                }
            }
        }
        Ok(())
    }
}

impl Subject<'_> {
    pub(crate) fn named(&self, check: &str) -> String {
        format!("{check} ({})", if self.precision == Precision::F64 { "f64" } else { "f32" })
    }

    pub(crate) fn inputs(&self, layout: Layout) -> Vec<Tensor> {
        self.case.inputs.iter().map(|array| tensor(array, self.precision, layout)).collect()
    }

    /// The inputs with those that the reference differentiates as fresh leaves, and these leaves by input.
    pub(crate) fn leaves(&self, inputs: &[Tensor]) -> (Vec<Tensor>, Vec<Option<Tensor>>) {
        let leaf = |(input, grad): (&Tensor, &Option<Array>)| grad.as_ref().map(|_| input.tracked());
        let leaves = inputs.iter().zip(&self.case.grads).map(leaf).collect::<Vec<_>>();
        let inputs = inputs.iter().zip(&leaves);
        (inputs.map(|(input, leaf)| leaf.as_ref().unwrap_or(input).clone()).collect(), leaves)
    }

    pub(crate) fn call(&self, inputs: &[Tensor]) -> Vec<Tensor> {
        let mut outputs = (self.entry.call)(inputs, &self.case.attrs);
        let wanted = self.case.outputs.len();
        assert!(outputs.len() >= wanted, "{} outputs; the reference has {wanted}", outputs.len());
        outputs.truncate(wanted);
        outputs
    }

    /// The sum over `tensors` of each weighted by its constant. None where no constant is given.
    fn weighted(&self, tensors: &[Option<Tensor>], weights: &[Option<Array>]) -> Option<Tensor> {
        let terms = tensors.iter().zip(weights).filter_map(|(tensor_, weight)| {
            let weight = tensor(weight.as_ref()?, self.precision, Layout::Contiguous);
            Some((tensor_.as_ref()? * weight).sum(()))
        });
        terms.reduce(|sum, term| sum + term)
    }

    /// The cotangents of the outputs.
    pub(crate) fn weights(&self) -> Vec<Option<Tensor>> {
        let weight = |g: &Option<Array>| Some(tensor(g.as_ref()?, self.precision, Layout::Contiguous));
        self.case.cotangents.iter().map(weight).collect()
    }

    pub(crate) fn objective(&self, outputs: &[Tensor]) -> Option<Tensor> {
        let outputs = outputs.iter().cloned().map(Some).collect::<Vec<_>>();
        self.weighted(&outputs, &self.case.cotangents)
    }

    /// Calls the operator and takes every gradient that the case has.
    pub(crate) fn run(&self, inputs: &[Tensor]) -> Run {
        let (inputs, leaves) = self.leaves(inputs);
        let outputs = self.call(&inputs);
        let mut run = Run { first: vec![None; leaves.len()], second: vec![None; leaves.len()], outputs };
        let Some(objective) = self.objective(&run.outputs) else { return run };
        let Some(second) = &self.case.second else {
            run.first = taken(&objective, &leaves);
            return run;
        };
        let wrt = leaves.iter().flatten().collect::<Vec<_>>();
        let mut grads = grad_recorded(&objective, &wrt).into_iter();
        run.first = leaves.iter().map(|leaf| leaf.as_ref().and_then(|_| grads.next())).collect();
        // Gradients of linear operators are constants: nothing is tracked, and theirs are zero.
        run.second = match self.weighted(&run.first, &second.seeds) {
            Some(objective) if objective.is_tracked() => taken(&objective, &leaves),
            _ => leaves.iter().map(|leaf| leaf.as_ref().map(Tensor::zeros_like)).collect(),
        };
        run
    }

    /// The plain computation, compared with the reference. None where it could not be done.
    fn against_reference(&self, bars: &Bars, report: &mut Report) -> Option<Run> {
        let run = match guarded(|| self.run(&self.inputs(Layout::Contiguous))) {
            Ok(run) => run,
            Err(failure) => {
                report.note(&self.named("computed"), Err(failure));
                self.values_alone(bars, report);
                return None;
            }
        };
        if let Some(bar) = bars.first {
            report.note(&self.named("values"), self.values(&run.outputs, bar));
            if self.case.grads.iter().any(Option::is_some) {
                let outcome = self.gradients(&run.first, &self.first(1.0), bar);
                report.note(&self.named("first gradients"), outcome);
            }
        }
        if let (Some(bar), Some(second)) = (bars.second, &self.case.second) {
            let outcome = self.gradients(&run.second, &second.grads, bar);
            report.note(&self.named("second gradients"), outcome);
        }
        Some(run)
    }

    /// Where gradients fail, values may still be right: says so.
    fn values_alone(&self, bars: &Bars, report: &mut Report) {
        if let Some(bar) = bars.first {
            let outputs = guarded(|| self.call(&self.inputs(Layout::Contiguous)));
            report.note(
                &self.named("values"),
                outputs.and_then(|outputs| guarded(|| self.values(&outputs, bar))?),
            );
        }
    }

    fn values(&self, outputs: &[Tensor], bar: Bar) -> Result<(), String> {
        for (index, (got, want)) in outputs.iter().zip(&self.case.outputs).enumerate() {
            close(got, want, bar, None).map_err(|error| format!("output {index}: {error}"))?;
        }
        Ok(())
    }

    /// The first gradients of the reference, `times` as large.
    fn first(&self, times: f64) -> Vec<Option<Array>> {
        let grads = self.case.grads.iter().map(Option::as_ref);
        grads.map(|grad| grad.map(|grad| scaled(grad, times))).collect()
    }

    fn gradients(&self, got: &[Option<Tensor>], want: &[Option<Array>], bar: Bar) -> Result<(), String> {
        for (index, (got, want)) in got.iter().zip(want).enumerate() {
            let Some(want) = want else { continue };
            let named = |error: String| format!("input {index}: {error}");
            let got = got.as_ref().ok_or_else(|| named("no gradient; the reference has one".to_owned()))?;
            let skip = self.near_ties(index);
            close(got, want, bar, skip.as_deref()).map_err(named)?;
        }
        Ok(())
    }

    /// The input used in two calls whose results are added: twice the gradient.
    fn used_twice(&self, bars: &Bars) -> Result<(), String> {
        let Some(bar) = bars.first.filter(|_| self.case.grads.iter().any(Option::is_some)) else {
            return Ok(());
        };
        let grads = guarded(|| {
            let (inputs, leaves) = self.leaves(&self.inputs(Layout::Contiguous));
            let sum = [self.call(&inputs), self.call(&inputs)]
                .iter()
                .filter_map(|outputs| self.objective(outputs))
                .reduce(|sum, term| sum + term);
            taken(&sum.expect("a case with gradients has cotangents"), &leaves)
        })?;
        let bar = Bar { absolute: 2.0 * bar.absolute, relative: bar.relative };
        self.gradients(&grads, &self.first(2.0), bar)
    }

    /// Inputs that are expanded views against the same inputs written out.
    fn broadcast(&self) -> Result<(), String> {
        let (mut views, mut written) = self.expanded(true);
        // Masks may decide the shape of the output, and then do not fit the recorded cotangents.
        if !guarded(|| self.has_recorded_shapes(&self.call(&written)))? {
            (views, written) = self.expanded(false);
        }
        let views = guarded(|| self.run(&views))?;
        views.same_as(&guarded(|| self.run(&written))?)
    }

    /// Every input as an expanded view, and written out. Real ones alone, or the others too.
    fn expanded(&self, others: bool) -> (Vec<Tensor>, Vec<Tensor>) {
        let pairs = self.case.inputs.iter().map(|array| {
            let expands = others || matches!(array.data, Data::Real(_));
            let pair = if expands { expanded(array, self.precision) } else { None };
            pair.unwrap_or_else(|| {
                let plain = tensor(array, self.precision, Layout::Contiguous);
                (plain.clone(), plain)
            })
        });
        pairs.unzip()
    }

    fn has_recorded_shapes(&self, outputs: &[Tensor]) -> bool {
        outputs.iter().zip(&self.case.outputs).all(|(got, want)| got.shape()[..] == want.shape[..])
    }

    /// In f32, the elements of the gradient of input `index` that a tie decides, or what is one after rounding.
    fn near_ties(&self, index: usize) -> Option<Vec<bool>> {
        if self.precision == Precision::F64 || !matches!(self.case.op.as_str(), "maximum" | "minimum") {
            return None;
        }
        let [a, b] = &self.case.inputs[..] else { return None };
        let (Data::Real(left), Data::Real(right)) = (&a.data, &b.data) else { return None };
        let out = &self.case.outputs[0].shape;
        let mut skip = vec![false; self.case.inputs[index].shape.iter().product()];
        for place in 0..out.iter().product() {
            let position = coordinates(place, out);
            let (i, j) = (broadcast_offset(&position, &a.shape), broadcast_offset(&position, &b.shape));
            if (left[i] - right[j]).abs() < 1e-6 {
                skip[if index == 0 { i } else { j }] = true;
            }
        }
        Some(skip)
    }
}

/// Where the element of an array of `shape` lies that broadcasting shows at `position`.
fn broadcast_offset(position: &[usize], shape: &[usize]) -> usize {
    let position = &position[position.len() - shape.len()..];
    position.iter().zip(shape).fold(0, |offset, (&at, &size)| offset * size + at.min(size - 1))
}

/// The gradients of the leaves by a backward pass that takes what was saved.
pub(crate) fn taken(objective: &Tensor, leaves: &[Option<Tensor>]) -> Vec<Option<Tensor>> {
    let grads = objective.backward();
    leaves.iter().map(|leaf| leaf.as_ref().map(|leaf| grads.grad_or_zeros(leaf))).collect()
}

fn scaled(array: &Array, times: f64) -> Array {
    let data = match &array.data {
        Data::Real(data) => Data::Real(data.iter().map(|value| value * times).collect()),
        other => other.clone(),
    };
    Array { shape: array.shape.clone(), data }
}

thread_local! {
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Makes panics of checks quiet: [`guarded`] reports them with the failed check.
pub(crate) fn quiet_panics() {
    std::panic::set_hook(Box::new(|info| PANIC.set(Some(info.to_string()))));
}

/// What `f` gives, or where and why it panicked.
pub(crate) fn guarded<T>(f: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(f)).map_err(|_| PANIC.take().unwrap_or_else(|| "panicked".to_owned()))
}
