//! Optimizers that the recorded cases lack, or have only a little of, step by step against others' numbers: Lion and
//! LAMB of optax, Adafactor of PyTorch. `fixtures/optimizers.py` has made them.

#![cfg(feature = "files")]

extern crate retrograd_nn as retrograd;

use retrograd_autograd::Differentiate;
use retrograd_nn::{Adafactor, Lamb, Lion, Optimizer, Param};
use retrograd_tensor::{DType, F32, F64, Tensor};
use serde_json::Value;
use std::collections::BTreeMap;

type Model = BTreeMap<String, Param>;

fn reference() -> Value {
    serde_json::from_str(include_str!("fixtures/optimizers.json")).unwrap()
}

fn numbers(list: &Value) -> Vec<f64> {
    list.as_array().expect("a list").iter().map(|number| number.as_f64().expect("a number")).collect()
}

/// Tensors by name, of the shapes of the file.
fn tensors(all: &Value, values: &Value, dtype: DType) -> BTreeMap<String, Tensor> {
    let shapes = all["shapes"].as_object().unwrap();
    let tensor = |(name, shape): (&String, &Value)| {
        let shape: Vec<usize> = numbers(shape).into_iter().map(|size| size as usize).collect();
        (name.clone(), Tensor::from_vec(numbers(&values[name]), shape).cast(dtype))
    };
    shapes.iter().map(tensor).collect()
}

/// The optimizer of a run; every option must be one that it has.
fn optimizer(run: &Value, model: &Model) -> Box<dyn Optimizer> {
    let options = run["options"].as_object().unwrap();
    let number = |name: &str| options.get(name).map(|value| value.as_f64().unwrap());
    let pair = |name: &str| options.get(name).map(numbers).map(|pair| (pair[0], pair[1]));
    let lr = number("lr").unwrap();
    let known = ["lr", "betas", "eps", "beta2_decay", "d", "weight_decay"];
    assert!(options.keys().all(|name| known.contains(&name.as_str())), "{options:?}");
    match run["rule"].as_str().unwrap() {
        "Lion" => {
            let (first, second) = pair("betas").unwrap_or((0.9, 0.99));
            let decay = number("weight_decay").unwrap_or(0.0);
            Box::new(Lion::new(model, lr).betas(first, second).weight_decay(decay))
        }
        "Lamb" => {
            let (first, second) = pair("betas").unwrap_or((0.9, 0.999));
            let lamb = Lamb::new(model, lr).betas(first, second).eps(number("eps").unwrap_or(1e-6));
            Box::new(lamb.weight_decay(number("weight_decay").unwrap_or(0.01)))
        }
        "Adafactor" => {
            let mut rule = Adafactor::new(model, lr).d(number("d").unwrap_or(1.0));
            if let Some((first, second)) = pair("eps") {
                rule = rule.eps(Some(first), second);
            }
            let rule = rule.beta2_decay(number("beta2_decay").unwrap_or(-0.8));
            Box::new(rule.weight_decay(number("weight_decay").unwrap_or(0.0)))
        }
        other => panic!("no rule `{other}`"),
    }
}

/// The greatest difference of any element after any step of a run.
fn difference(all: &Value, run: &Value, dtype: DType) -> f64 {
    let mut model: Model =
        tensors(all, &all["start"], dtype).into_iter().map(|(name, value)| (name, value.into())).collect();
    let mut rule = optimizer(run, &model);
    let (steps, after) = (all["grads"].as_array().unwrap(), run["after"].as_array().unwrap());
    assert_eq!((steps.len(), after.len()), (6, 6));
    let mut greatest = 0f64;
    for (grads, after) in steps.iter().zip(after) {
        let directions = tensors(all, grads, dtype);
        let loss = model.iter().map(|(name, param)| (param * &directions[name]).sum(()));
        let grads = loss.reduce(|sum, part| sum + part).unwrap().backward();
        rule.step(&mut model, &grads).unwrap();
        for (name, want) in tensors(all, after, F64) {
            greatest = greatest.max((model[&name].cast(F64) - want).abs().amax(()).item());
        }
    }
    greatest
}

#[test]
fn steps_are_those_of_optax_and_pytorch() {
    let all = reference();
    let runs = all["runs"].as_array().unwrap();
    let rules: Vec<&str> = runs.iter().map(|run| run["rule"].as_str().unwrap()).collect();
    assert_eq!(rules, ["Lion", "Lion", "Lamb", "Lamb", "Adafactor", "Adafactor"]);
    for run in runs {
        let far = difference(&all, run, F64);
        assert!(far < 1e-12, "{} {}: off by {far:e}", run["rule"], run["options"]);
        // In single precision Adafactor's own `eps` is another one.
        let far = difference(&all, run, F32);
        assert!(far < 1e-5, "{} {} in f32: off by {far:e}", run["rule"], run["options"]);
    }
}

#[test]
fn another_option_would_be_seen() {
    let all = reference();
    for run in all["runs"].as_array().unwrap() {
        let mut other = run.clone();
        other["options"]["weight_decay"] = Value::from(0.3);
        assert!(difference(&all, &other, F64) > 1e-3, "{} {}", run["rule"], run["options"]);
        let lr = run["options"]["lr"].as_f64().unwrap();
        let mut other = run.clone();
        other["options"]["lr"] = Value::from(lr * 0.9);
        assert!(difference(&all, &other, F64) > 1e-4, "{} {}", run["rule"], run["options"]);
    }
}
