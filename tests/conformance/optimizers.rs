//! Cases of optimizers: every step of every run against PyTorch's, in both precisions; clipping; the minimisation
//! by L-BFGS. Options are read by name, and one that nothing reads is a failure.

use std::cell::RefCell;
use std::collections::BTreeSet;

use retrograd::prelude::*;
use serde_json::Value;

use crate::case::{Array, Data, Run};
use crate::compare::{Bar, close};
use crate::operator::{Report, guarded};

const KINDS: [&str; 14] = [
    "SGD",
    "Adam",
    "AdamW",
    "NAdam",
    "RAdam",
    "Adamax",
    "Adagrad",
    "Adadelta",
    "RMSprop",
    "Rprop",
    "Muon",
    "Adafactor",
    "clip_grad_norm",
    "LBFGS",
];

pub(crate) fn knows(kind: &str) -> bool {
    KINDS.contains(&kind)
}

pub(crate) fn check(run: &Run) -> Report {
    let mut report = Report::default();
    for (dtype, bar) in
        [(F64, Bar { absolute: 1e-10, relative: 1e-8 }), (F32, Bar { absolute: 1e-4, relative: 1e-3 })]
    {
        let bar = if run.kind == "Muon" { Bar { absolute: 0.0, relative: 5e-2 } } else { bar };
        let outcome = guarded(|| match run.kind.as_str() {
            "clip_grad_norm" => clipping(run, dtype, bar),
            // Its bar is beyond single precision.
            "LBFGS" => minimisation(run),
            _ => steps(run, dtype, bar),
        });
        report.note(&dtype.to_string(), outcome.and_then(|outcome| outcome));
    }
    report
}

/// The options of a case, which must all be read.
pub(crate) struct Options<'a> {
    values: &'a serde_json::Map<String, Value>,
    read: RefCell<BTreeSet<&'static str>>,
}

impl<'a> Options<'a> {
    pub(crate) fn of(run: &'a Run) -> Result<Self, String> {
        Self::among(run.field("attrs")?)
    }

    fn among(values: &'a Value) -> Result<Self, String> {
        let values = values.as_object().ok_or("the options: not an object")?;
        Ok(Self { values, read: RefCell::new(BTreeSet::from(["note"])) })
    }

    pub(crate) fn find(&self, name: &'static str) -> Option<&'a Value> {
        self.read.borrow_mut().insert(name);
        self.values.get(name).filter(|value| !value.is_null())
    }

    pub(crate) fn number(&self, name: &'static str) -> Option<f64> {
        self.find(name).map(|value| match value.as_str() {
            Some("inf") => f64::INFINITY,
            _ => value.as_f64().unwrap_or_else(|| panic!("option `{name}`: {value} is not a number")),
        })
    }

    fn switch(&self, name: &'static str) -> Option<bool> {
        let read =
            |value: &Value| value.as_bool().unwrap_or_else(|| panic!("option `{name}`: not a boolean"));
        self.find(name).map(read)
    }

    /// The numbers of a list; none in place of a null.
    pub(crate) fn list(&self, name: &'static str) -> Option<Vec<Option<f64>>> {
        let values = self.find(name)?.as_array();
        let values = values.unwrap_or_else(|| panic!("option `{name}`: not a list"));
        Some(values.iter().map(Value::as_f64).collect())
    }

    fn pair(&self, name: &'static str) -> Option<(f64, f64)> {
        let values = self.list(name)?;
        let at = |index: usize| values.get(index).copied().flatten();
        Some(at(0).zip(at(1)).unwrap_or_else(|| panic!("option `{name}`: not two numbers")))
    }

    pub(crate) fn finish(&self) -> Result<(), String> {
        let read = self.read.borrow();
        let unread: Vec<&String> = self.values.keys().filter(|name| !read.contains(name.as_str())).collect();
        if unread.is_empty() { Ok(()) } else { Err(format!("options {unread:?} are not known")) }
    }
}

/// The optimizer with every option of these that the case gives.
macro_rules! with_options {
    ($optimizer:expr, $options:ident; $($method:ident: $read:ident),*; $($pair:ident),*) => {{
        let mut optimizer = $optimizer;
        $(if let Some(value) = $options.$read(stringify!($method)) {
            optimizer = optimizer.$method(value);
        })*
        $(if let Some((first, second)) = $options.pair(stringify!($pair)) {
            optimizer = optimizer.$pair(first, second);
        })*
        Box::new(optimizer)
    }};
}

/// The optimizer of this name with these options; where they give no rate, PyTorch's default.
pub(crate) fn optimizer(
    name: &str,
    options: &Value,
    model: &dyn Module,
) -> Result<Box<dyn Optimizer>, String> {
    let o = Options::among(options)?;
    let lr = |default| o.number("lr").unwrap_or(default);
    let optimizer: Box<dyn Optimizer> = match name {
        "SGD" => with_options!(Sgd::new(model, lr(1e-3)), o;
            momentum: number, dampening: number, weight_decay: number, nesterov: switch, maximize: switch;),
        "Adam" => with_options!(Adam::new(model, lr(1e-3)), o;
            eps: number, weight_decay: number, amsgrad: switch, maximize: switch; betas),
        "AdamW" => with_options!(AdamW::new(model, lr(1e-3)), o;
            eps: number, weight_decay: number, amsgrad: switch, maximize: switch; betas),
        "NAdam" => with_options!(NAdam::new(model, lr(2e-3)), o;
            eps: number, weight_decay: number, momentum_decay: number, decoupled_weight_decay: switch,
            maximize: switch; betas),
        "RAdam" => with_options!(RAdam::new(model, lr(1e-3)), o;
            eps: number, weight_decay: number, decoupled_weight_decay: switch, maximize: switch; betas),
        "Adamax" => with_options!(Adamax::new(model, lr(2e-3)), o;
            eps: number, weight_decay: number, maximize: switch; betas),
        "Adagrad" => with_options!(Adagrad::new(model, lr(1e-2)), o;
            lr_decay: number, weight_decay: number, initial_accumulator_value: number, eps: number,
            maximize: switch;),
        "Adadelta" => with_options!(Adadelta::new(model, lr(1.0)), o;
            rho: number, eps: number, weight_decay: number, maximize: switch;),
        "RMSprop" => with_options!(RmsProp::new(model, lr(1e-2)), o;
            alpha: number, eps: number, weight_decay: number, momentum: number, centered: switch,
            maximize: switch;),
        "Rprop" => with_options!(Rprop::new(model, lr(1e-2)), o; maximize: switch; etas, step_sizes),
        "Adafactor" => {
            let eps = o.list("eps").unwrap_or(vec![None, Some(1e-3)]);
            let optimizer =
                Adafactor::new(model, lr(1e-2)).eps(eps[0], eps[1].ok_or("option `eps`: no second")?);
            with_options!(optimizer, o; beta2_decay: number, d: number, weight_decay: number, maximize: switch;)
        }
        "Muon" => Box::new(muon(&o, model, lr(1e-3))?),
        other => return Err(format!("`{other}` is no optimizer")),
    };
    o.finish()?;
    Ok(optimizer)
}

fn muon(o: &Options<'_>, model: &dyn Module, lr: f64) -> Result<Muon, String> {
    let mut muon = *with_options!(Muon::new(model, lr), o;
        weight_decay: number, momentum: number, nesterov: switch, eps: number;);
    if let Some(steps) = o.number("ns_steps") {
        muon = muon.ns_steps(steps as usize);
    }
    if let Some(abc) = o.list("ns_coefficients") {
        let [Some(a), Some(b), Some(c)] = abc[..] else { return Err("`ns_coefficients`: not three".into()) };
        muon = muon.ns_coefficients(a, b, c);
    }
    Ok(match o.find("adjust_lr_fn").and_then(Value::as_str) {
        None | Some("original") => muon,
        Some("match_rms_adamw") => muon.adjust_lr(AdjustLr::MatchRmsAdamW),
        Some("spectral_unclamped") => muon.adjust_lr(AdjustLr::Spectral),
        Some(_) => muon.adjust_lr(AdjustLr::None),
    })
}

fn tensor(array: &Array, dtype: DType) -> Tensor {
    let Data::Real(values) = &array.data else { panic!("a real array was expected") };
    Tensor::from_slice(values, &array.shape[..]).cast(dtype)
}

fn params(arrays: &[Array], dtype: DType) -> Vec<Param> {
    arrays.iter().map(|array| Param::new(tensor(array, dtype))).collect()
}

/// Gradients of the parameters that are exactly these.
fn gradients(model: &[Param], grads: &[Array], dtype: DType) -> Gradients {
    let products = model.iter().zip(grads).map(|(param, grad)| (param * tensor(grad, dtype)).sum(()));
    products.reduce(|a, b| a + b).expect("a case has parameters").backward()
}

fn steps(run: &Run, dtype: DType, bar: Bar) -> Result<(), String> {
    let mut model = params(&run.required("initial")?, dtype);
    let mut optimizer = optimizer(&run.kind, run.field("attrs")?, &model)?;
    let (grads, after) = (run.steps("grads")?, run.steps("after")?);
    if grads.is_empty() || grads.len() != after.len() {
        return Err(format!("{} steps with gradients, {} with results", grads.len(), after.len()));
    }
    for (step, (grads, after)) in grads.iter().zip(&after).enumerate() {
        let grads = gradients(&model, grads, dtype);
        optimizer.step(&mut model, &grads).map_err(|error| error.to_string())?;
        for (index, (param, want)) in model.iter().zip(after).enumerate() {
            close(param, want, scaled(bar, want), None)
                .map_err(|failure| format!("step {step}, parameter {index}: {failure}"))?;
        }
    }
    Ok(())
}

/// A bar without an absolute part is one of the whole array: relative to its largest element.
fn scaled(bar: Bar, want: &Array) -> Bar {
    let Data::Real(values) = &want.data else { return bar };
    let largest = values.iter().fold(0f64, |largest, value| largest.max(value.abs()));
    if bar.absolute == 0.0 { Bar { absolute: bar.relative * largest, relative: 0.0 } } else { bar }
}

fn clipping(run: &Run, dtype: DType, bar: Bar) -> Result<(), String> {
    let o = Options::of(run)?;
    let arrays = run.required("grads")?;
    let model = params(&arrays, dtype);
    let mut grads = gradients(&model, &arrays, dtype);
    let max_norm = o.number("max_norm").ok_or("option `max_norm`: absent")?;
    let options =
        ClipNorm { max_norm, norm_type: o.number("norm_type").unwrap_or(2.0), ..ClipNorm::default() };
    o.finish()?;
    let norm = clip_grad_norm_with(&model, &mut grads, &options).map_err(|error| error.to_string())?;
    let want = run.field("total_norm")?.as_f64().ok_or("field `total_norm`: not a number")?;
    close(&norm, &Array { shape: vec![], data: Data::Real(vec![want]) }, bar, None)?;
    for (param, want) in model.iter().zip(&run.required("after")?) {
        close(&grads[param], want, bar, None)?;
    }
    Ok(())
}

/// Minimises the case's objective from its start; the last loss must be below the case's bar.
fn minimisation(run: &Run) -> Result<(), String> {
    let o = Options::of(run)?;
    let number = |name| o.number(name).ok_or_else(|| format!("option `{name}`: absent"));
    let mut model = params(&run.required("initial")?, F64);
    let mut optimizer = Lbfgs::new(&model, number("lr")?).max_iter(number("max_iter")? as usize);
    if o.find("line_search").is_some_and(|search| search == "strong_wolfe") {
        optimizer = optimizer.strong_wolfe(true);
    }
    let steps = number("outer_steps")? as usize;
    if o.find("objective").and_then(Value::as_str) != Some("100*(y-x^2)^2+(1-x)^2") {
        return Err("option `objective`: only Rosenbrock's function is known".to_owned());
    }
    o.finish()?;
    let objective = |model: &Vec<Param>| {
        let (x, y) = (model[0].select(0, 0), model[0].select(0, 1));
        100.0 * (y - x.square()).square() + (1.0 - x).square()
    };
    for _ in 0..steps {
        drop(optimizer.step(&mut model, objective).map_err(|error| error.to_string())?);
    }
    let bar = run.field("bar")?.as_str().and_then(|bar| bar.rsplit(' ').next()?.parse::<f64>().ok());
    let bar = bar.ok_or("field `bar`: does not end in a number")?;
    let last = objective(&model).item();
    if last < bar { Ok(()) } else { Err(format!("the last loss is {last}; the bar is {bar}")) }
}
