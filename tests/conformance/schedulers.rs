//! Cases of schedules: the rate before every step against PyTorch's, to the bar of double precision.

use retrograd::prelude::*;
use retrograd::schedule::*;
use serde_json::Value;

use crate::case::{Array, Data, Run};
use crate::compare::{Bar, close};
use crate::operator::{Report, guarded};
use crate::optimizers::Options;

const KINDS: [&str; 12] = [
    "StepLR",
    "MultiStepLR",
    "ConstantLR",
    "LinearLR",
    "ExponentialLR",
    "PolynomialLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "OneCycleLR",
    "CyclicLR",
    "SequentialLR",
    "ReduceLROnPlateau",
];

pub(crate) fn knows(kind: &str) -> bool {
    KINDS.contains(&kind)
}

pub(crate) fn check(run: &Run) -> Report {
    let mut report = Report::default();
    report.note("rates", guarded(|| rates(run)).and_then(|outcome| outcome));
    report
}

fn rates(run: &Run) -> Result<(), String> {
    let o = Options::of(run)?;
    let mut sgd =
        Sgd::new(&Param::new(F64.ones([1])), o.number("base_lr").ok_or("option `base_lr`: absent")?);
    let want = run.numbers("lrs")?;
    let mut got = Vec::new();
    if run.kind == "ReduceLROnPlateau" {
        let mut plateau = plateau(&o)?;
        o.finish()?;
        for metric in run.numbers("metric")?.into_iter().take(want.len()) {
            got.push(*sgd.lr_mut());
            plateau.step(metric, &mut sgd);
        }
    } else {
        let mut scheduler = Scheduler::new(schedule(&run.kind, &o)?, &mut sgd);
        o.finish()?;
        for _ in 0..want.len() {
            got.push(*sgd.lr_mut());
            scheduler.step(&mut sgd);
        }
    }
    let want = Array { shape: vec![want.len()], data: Data::Real(want) };
    close(&Tensor::from(got), &want, Bar { absolute: 1e-10, relative: 1e-8 }, None)
}

fn schedule(kind: &str, o: &Options<'_>) -> Result<Box<dyn Schedule>, String> {
    let count = |name| o.number(name).map(|number| number as u64);
    let gamma = || o.number("gamma").unwrap_or(0.1);
    let eta_min = || o.number("eta_min").unwrap_or(0.0);
    let total = || count("total_iters").unwrap_or(5);
    Ok(match kind {
        "StepLR" => Box::new(StepLr::new(count("step_size").ok_or("`step_size`: absent")?).gamma(gamma())),
        "MultiStepLR" => {
            let milestones = o.list("milestones").ok_or("`milestones`: absent")?;
            let milestones: Vec<u64> = milestones.into_iter().flatten().map(|step| step as u64).collect();
            Box::new(MultiStepLr::new(milestones).gamma(gamma()))
        }
        "ConstantLR" => Box::new(ConstantLr::new(o.number("factor").unwrap_or(1.0 / 3.0), total())),
        "LinearLR" => {
            let (start, end) = (o.number("start_factor"), o.number("end_factor"));
            Box::new(LinearLr::new(start.unwrap_or(1.0 / 3.0), end.unwrap_or(1.0), total()))
        }
        "ExponentialLR" => Box::new(ExponentialLr::new(gamma())),
        "PolynomialLR" => Box::new(PolynomialLr::new(total()).power(o.number("power").unwrap_or(1.0))),
        "CosineAnnealingLR" => {
            let steps = count("T_max").ok_or("`T_max`: absent")?;
            Box::new(CosineAnnealingLr::new(steps).eta_min(eta_min()))
        }
        "CosineAnnealingWarmRestarts" => {
            let first = count("T_0").ok_or("`T_0`: absent")?;
            let mult = count("T_mult").unwrap_or(1);
            Box::new(CosineAnnealingWarmRestarts::new(first).mult(mult).eta_min(eta_min()))
        }
        "OneCycleLR" => Box::new(one_cycle(o)?),
        "CyclicLR" => Box::new(cyclic(o)?),
        "SequentialLR" => Box::new(sequential(o)?),
        other => return Err(format!("`{other}` is no schedule")),
    })
}

fn one_cycle(o: &Options<'_>) -> Result<OneCycleLr, String> {
    let max = o.number("max_lr").ok_or("`max_lr`: absent")?;
    let steps = o.number("total_steps").ok_or("`total_steps`: absent")? as u64;
    let line = o.find("anneal_strategy").or(o.find("anneal")).and_then(Value::as_str).unwrap_or("cos");
    Ok(OneCycleLr::new(max, steps)
        .pct_start(o.number("pct_start").unwrap_or(0.3))
        .anneal(if line == "linear" { Anneal::Linear } else { Anneal::Cos })
        .div_factor(o.number("div_factor").unwrap_or(25.0))
        .final_div_factor(o.number("final_div_factor").unwrap_or(1e4))
        .three_phase(o.find("three_phase").and_then(Value::as_bool).unwrap_or(false)))
}

fn cyclic(o: &Options<'_>) -> Result<CyclicLr, String> {
    let (base, max) = (o.number("base_lr"), o.number("max_lr"));
    let (base, max) = base.zip(max).ok_or("`base_lr` or `max_lr`: absent")?;
    let up = o.number("step_size_up").unwrap_or(2000.0) as u64;
    let down = o.number("step_size_down").map_or(up, |down| down as u64);
    let gamma = o.number("gamma").unwrap_or(1.0);
    let mode = match o.find("mode").and_then(Value::as_str) {
        None | Some("triangular") => CyclicMode::Triangular,
        Some("triangular2") => CyclicMode::Triangular2,
        Some("exp_range") => CyclicMode::ExpRange(gamma),
        Some(other) => return Err(format!("option `mode`: `{other}` is unknown")),
    };
    Ok(CyclicLr::new(base, max).step_sizes(up, down).mode(mode))
}

fn sequential(o: &Options<'_>) -> Result<SequentialLr, String> {
    let part = |name, field| {
        let number = o.find(name).and_then(|part| part.get(field)).and_then(Value::as_f64);
        number.ok_or_else(|| format!("option `{name}.{field}`: absent"))
    };
    let end = part("warmup_linear", "end_factor").unwrap_or(1.0);
    let steps = part("warmup_linear", "total_iters")? as u64;
    let warm_up = LinearLr::new(part("warmup_linear", "start_factor")?, end, steps);
    let cosine = CosineAnnealingLr::new(part("then_cosine", "T_max")? as u64)
        .eta_min(part("then_cosine", "eta_min").unwrap_or(0.0));
    let milestone = o.number("milestone").ok_or("`milestone`: absent")? as u64;
    Ok(SequentialLr::new(warm_up).then(milestone, cosine))
}

fn plateau(o: &Options<'_>) -> Result<ReduceLrOnPlateau, String> {
    let word = |name, default| o.find(name).and_then(Value::as_str).unwrap_or(default);
    let count = |name, default| o.number(name).map_or(default, |number| number as u64);
    let threshold = o.number("threshold").unwrap_or(1e-4);
    let threshold = match word("threshold_mode", "rel") {
        "rel" => ThresholdMode::Rel(threshold),
        "abs" => ThresholdMode::Abs(threshold),
        other => return Err(format!("option `threshold_mode`: `{other}` is unknown")),
    };
    Ok(ReduceLrOnPlateau::new()
        .better(if word("mode", "min") == "max" { Better::Max } else { Better::Min })
        .factor(o.number("factor").unwrap_or(0.1))
        .patience(count("patience", 10))
        .threshold(threshold)
        .cooldown(count("cooldown", 0))
        .min_lr(o.number("min_lr").unwrap_or(0.0))
        .eps(o.number("eps").unwrap_or(1e-8)))
}
