//! Whole runs of training: from the recorded first state, over the recorded batches, every loss and the final state.

use std::collections::BTreeMap;

use retrograd::prelude::*;
use serde_json::Value;

use crate::case::{Array, Run};
use crate::compare::{Bar, close};
use crate::layout::{Layout, Precision, tensor};
use crate::operator::{Report, guarded};

/// Whether runs of this kind can be repeated.
pub(crate) fn knows(kind: &str) -> bool {
    ["shallow", "deep_residual", "cnn", "lstm", "char_lm"].contains(&kind)
}

/// The checks of `run`: its losses and its final state, in f64.
pub(crate) fn check(run: &Run) -> Report {
    let mut report = Report::default();
    match guarded(|| repeat(run)).and_then(|outcome| outcome) {
        Ok((losses, state)) => {
            report.note("losses", losses_close(run, &losses));
            report.note("final state", state_close(run, &state));
        }
        Err(failure) => report.note("run", Err(failure)),
    }
    report
}

const BAR: Bar = Bar { absolute: 1e-9, relative: 1e-6 };

fn losses_close(run: &Run, losses: &[f64]) -> Result<(), String> {
    let want = run.numbers("losses")?;
    let data = crate::case::Data::Real(want.clone());
    close(&Tensor::from_slice(losses, losses.len()), &Array { shape: vec![want.len()], data }, BAR, None)
}

fn state_close(run: &Run, state: &StateDict) -> Result<(), String> {
    for (name, want) in &run.named("final")? {
        let got = state.get(name).ok_or_else(|| format!("`{name}`: the model has none"))?;
        close(got, want, BAR, None).map_err(|error| format!("`{name}`: {error}"))?;
    }
    Ok(())
}

fn read(array: &Array) -> Tensor {
    tensor(array, Precision::F64, Layout::Contiguous)
}

/// The losses of the run, and the state that it ends in.
fn repeat(run: &Run) -> Result<(Vec<f64>, StateDict), String> {
    let initial = run.named("initial")?;
    let heads = run.field("attrs")?.get("heads").and_then(Value::as_u64).unwrap_or(1);
    let mut net = net(&run.kind, &initial, heads as usize);
    net.convert(F64);
    let state = initial.iter().map(|(name, array)| (name.clone(), read(array))).collect();
    net.load_state_dict(&state).map_err(|error| error.to_string())?;
    let mut optimizer = optimizer(run, &*net)?;
    let mut losses = vec![];
    for batch in run.steps("batches")? {
        let [x, y] = &batch[..] else { return Err("field `batches`: not pairs".to_owned()) };
        let loss = net.loss(&read(x), &read(y));
        losses.push(loss.item());
        let grads = loss.backward();
        optimizer.step(&mut *net, &grads).map_err(|error| error.to_string())?;
    }
    Ok((losses, net.state_dict()))
}

/// The optimizer that the case describes.
fn optimizer(run: &Run, model: &dyn Module) -> Result<Box<dyn Optimizer>, String> {
    let given = run.field("attrs")?.get("optimizer").and_then(Value::as_object);
    let (name, options) =
        given.and_then(|given| given.iter().next()).ok_or("attribute `optimizer`: absent")?;
    crate::optimizers::optimizer(name, options, model)
}

/// A model with its loss.
trait Net: Module {
    fn loss(&self, x: &Tensor, y: &Tensor) -> Tensor;
}

/// The model of this kind whose parameters have the shapes of `state`.
fn net(kind: &str, state: &BTreeMap<String, Array>, heads: usize) -> Box<dyn Net> {
    let rng = &mut Rng::new(0);
    let size = |name: &str, axis: usize| state[name].shape[axis];
    let linear = |name: &str, rng: &mut Rng| {
        let weight = format!("{name}.weight");
        Linear::new(size(&weight, 1), size(&weight, 0), rng)
    };
    match kind {
        "shallow" => Box::new(Shallow { w: linear("w", rng), v: linear("v", rng) }),
        "deep_residual" => {
            let count = (0..).take_while(|i| state.contains_key(&format!("blocks.{i}.fc1.weight"))).count();
            let block = |i: usize, rng: &mut Rng| Block {
                fc1: linear(&format!("blocks.{i}.fc1"), rng),
                fc2: linear(&format!("blocks.{i}.fc2"), rng),
            };
            Box::new(DeepResidual {
                stem: linear("stem", rng),
                blocks: (0..count).map(|i| block(i, rng)).collect(),
                head: linear("head", rng),
            })
        }
        "cnn" => {
            let conv = |name: &str, rng: &mut Rng| {
                let shape = &state[&format!("{name}.weight")].shape;
                Conv2d::new(shape[1], shape[0], [shape[2], shape[3]], rng)
            };
            Box::new(Cnn {
                conv1: conv("conv1", rng).padding(1),
                bn1: BatchNorm2d::new(size("bn1.weight", 0)),
                conv2: conv("conv2", rng).stride(2),
                fc: linear("fc", rng),
            })
        }
        "lstm" => {
            let (inputs, hidden) = (size("rnn.weight_ih_l0", 1), size("rnn.weight_hh_l0", 1));
            let options = Recurrent { batch_first: true, ..Recurrent::default() };
            Box::new(Sequence { rnn: Lstm::with(inputs, hidden, options, rng), out: linear("out", rng) })
        }
        "char_lm" => {
            let table = |name: &str, rng: &mut Rng| Embedding::new(size(name, 0), size(name, 1), rng);
            Box::new(CharLm {
                tok: table("tok.weight", rng),
                pos: table("pos.weight", rng),
                ln1: LayerNorm::new(size("ln1.weight", 0)),
                qkv: linear("qkv", rng),
                proj: linear("proj", rng),
                ln2: LayerNorm::new(size("ln2.weight", 0)),
                up: linear("up", rng),
                down: linear("down", rng),
                out: linear("out", rng),
                heads,
            })
        }
        _ => unreachable!("{kind} is among the known kinds"),
    }
}

#[derive(Module)]
struct Shallow {
    w: Linear,
    v: Linear,
}

impl Net for Shallow {
    fn loss(&self, x: &Tensor, y: &Tensor) -> Tensor {
        self.v.forward(&self.w.forward(x).sigmoid()).cross_entropy(y)
    }
}

#[derive(Module)]
struct Block {
    fc1: Linear,
    fc2: Linear,
}

#[derive(Module)]
struct DeepResidual {
    stem: Linear,
    blocks: Vec<Block>,
    head: Linear,
}

impl Net for DeepResidual {
    fn loss(&self, x: &Tensor, y: &Tensor) -> Tensor {
        let mut x = self.stem.forward(x);
        for block in &self.blocks {
            x = &x + block.fc2.forward(&block.fc1.forward(&x).relu());
        }
        self.head.forward(&x).cross_entropy(y)
    }
}

#[derive(Module)]
struct Cnn {
    conv1: Conv2d,
    bn1: BatchNorm2d,
    conv2: Conv2d,
    fc: Linear,
}

impl Net for Cnn {
    fn loss(&self, x: &Tensor, y: &Tensor) -> Tensor {
        let x = self.bn1.forward(&self.conv1.forward(x)).relu().max_pool([2, 2]);
        self.fc.forward(&self.conv2.forward(&x).relu().flatten(1, -1)).cross_entropy(y)
    }
}

#[derive(Module)]
struct Sequence {
    rnn: Lstm,
    out: Linear,
}

impl Net for Sequence {
    fn loss(&self, x: &Tensor, y: &Tensor) -> Tensor {
        self.out.forward(&self.rnn.forward(x).0.select(1, -1)).mse_loss(y)
    }
}

#[derive(Module)]
struct CharLm {
    tok: Embedding,
    pos: Embedding,
    ln1: LayerNorm,
    qkv: Linear,
    proj: Linear,
    ln2: LayerNorm,
    up: Linear,
    down: Linear,
    out: Linear,
    heads: usize,
}

impl Net for CharLm {
    fn loss(&self, x: &Tensor, y: &Tensor) -> Tensor {
        let (batch, steps) = (x.size(0), x.size(1));
        let x = self.tok.forward(x) + self.pos.forward(&I64.arange(0, steps, 1));
        let width = x.size(2);
        // Queries, keys and values, by head.
        let packed = self.qkv.forward(&self.ln1.forward(&x));
        let packed =
            packed.reshape([batch, steps, 3, self.heads, width / self.heads]).permute([2, 0, 3, 1, 4]);
        let causal = Attention { causal: true, ..Attention::default() };
        let [q, k, v] = [0, 1, 2].map(|part| packed.select(0, part));
        let found = q.scaled_dot_product_attention(&k, &v, &causal);
        let x = x + self.proj.forward(&found.transpose(1, 2).reshape([batch, steps, width]));
        let x = &x + self.down.forward(&self.up.forward(&self.ln2.forward(&x)).gelu());
        self.out.forward(&x).transpose(1, 2).cross_entropy(y)
    }
}
