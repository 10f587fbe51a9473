//! What is checked of one layer case: outputs, gradients of inputs and parameters, and buffers after the call,
//! against the reference in f64 and f32; and that neither the way of computing nor the way the inputs lie in memory
//! changes a bit. The state is loaded by its PyTorch names, all of which must be there and no other.

use retrograd::eager;
use retrograd::prelude::*;
use retrograd::testing::Attrs;

use crate::case::{Array, Run};
use crate::compare::{Bar, close, same_bits};
use crate::layout::{Layout, Precision, tensor};
use crate::operator::{Bars, Report, guarded, taken};

/// A layer that a case is about, behind one way to call it.
trait Subject {
    fn module(&self) -> &dyn Module;
    fn module_mut(&mut self) -> &mut dyn Module;
    /// The outputs, flattened.
    fn call(&self, x: &[Tensor]) -> Vec<Tensor>;
}

/// A layer and how it is called.
struct Built<M>(M, fn(&M, &[Tensor]) -> Vec<Tensor>);

impl<M: Module> Subject for Built<M> {
    fn module(&self) -> &dyn Module {
        &self.0
    }
    fn module_mut(&mut self) -> &mut dyn Module {
        &mut self.0
    }
    fn call(&self, x: &[Tensor]) -> Vec<Tensor> {
        (self.1)(&self.0, x)
    }
}

/// A layer that maps one tensor to one.
fn plain<L: Forward + 'static>(layer: L) -> Box<dyn Subject> {
    Box::new(Built(layer, |layer, x| vec![layer.forward(&x[0])]))
}

/// Whether layers of this kind can be built.
pub(crate) fn knows(kind: &str) -> bool {
    KINDS.contains(&kind)
}

const KINDS: [&str; 22] = [
    "Linear",
    "Bilinear",
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "ConvTranspose3d",
    "BatchNorm1d",
    "BatchNorm2d",
    "BatchNorm3d",
    "LayerNorm",
    "RMSNorm",
    "GroupNorm",
    "Embedding",
    "PReLU",
    "RNN",
    "GRU",
    "LSTM",
    "MultiheadAttention",
    "TransformerEncoderLayer",
    "TransformerDecoderLayer",
];

fn build(kind: &str, a: &Attrs) -> Box<dyn Subject> {
    let rng = &mut Rng::new(0);
    let size = |name: &str| a.int(name).unsigned_abs();
    let eps = a.f64_or("eps", 1e-5);
    let shape = || a.ints("shape").into_iter().map(isize::unsigned_abs).collect::<Vec<_>>();
    match kind {
        "Linear" if a.bool_or("bias", true) => plain(Linear::new(size("in"), size("out"), rng)),
        "Linear" => plain(Linear::without_bias(size("in"), size("out"), rng)),
        "Bilinear" => {
            let layer = Bilinear::new(size("in1"), size("in2"), size("out"), rng);
            let layer = if a.bool_or("bias", true) { layer } else { layer.without_bias() };
            Box::new(Built(layer, |layer, x| vec![layer.forward(&x[0], &x[1])]))
        }
        "Conv1d" => plain(conv::<1>(a, rng)),
        "Conv2d" => plain(conv::<2>(a, rng)),
        "Conv3d" => plain(conv::<3>(a, rng)),
        "ConvTranspose1d" => plain(conv_transpose::<1>(a, rng)),
        "ConvTranspose2d" => plain(conv_transpose::<2>(a, rng)),
        "ConvTranspose3d" => plain(conv_transpose::<3>(a, rng)),
        "BatchNorm1d" => plain(batch_norm::<1>(a)),
        "BatchNorm2d" => plain(batch_norm::<2>(a)),
        "BatchNorm3d" => plain(batch_norm::<3>(a)),
        "LayerNorm" => plain(LayerNorm::new(shape()).eps(eps)),
        "RMSNorm" => plain(RmsNorm::new(shape()).eps(eps)),
        "GroupNorm" => plain(GroupNorm::new(size("groups"), size("channels")).eps(eps)),
        "Embedding" => plain(Embedding::new(size("num"), size("dim"), rng)),
        "PReLU" => plain(PRelu::new(size("num"))),
        _ => build_sequential(kind, a, rng),
    }
}

/// The layers over sequences.
fn build_sequential(kind: &str, a: &Attrs, rng: &mut Rng) -> Box<dyn Subject> {
    let size = |name: &str| a.int(name).unsigned_abs();
    match kind {
        "RNN" => {
            let layer = Rnn::with(size("input"), size("hidden"), recurrent(a), rng);
            let squash = if a.str_or("nonlinearity", "tanh") == "relu" { Squash::Relu } else { Squash::Tanh };
            Box::new(Built(layer.squash(squash), |layer, x| {
                let (y, h) = layer.forward(&x[0]);
                vec![y, h]
            }))
        }
        "GRU" => Box::new(Built(Gru::with(size("input"), size("hidden"), recurrent(a), rng), |layer, x| {
            let (y, h) = layer.forward(&x[0]);
            vec![y, h]
        })),
        "LSTM" => {
            Box::new(Built(Lstm::with(size("input"), size("hidden"), recurrent(a), rng), |layer, x| {
                let (y, (h, c)) = layer.forward(&x[0]);
                vec![y, h, c]
            }))
        }
        "MultiheadAttention" => {
            let batch_first = a.bool_or("batch_first", false);
            let options = MultiheadOptions { batch_first, ..MultiheadOptions::default() };
            let layer = MultiheadAttention::with(size("embed"), size("heads"), options, rng);
            if a.bool_or("average", true) {
                return Box::new(Built(layer, |layer, x| {
                    let (y, weights) = layer.forward_weights(&x[0], &x[1], &x[2], &Masks::default());
                    vec![y, weights.mean(1)]
                }));
            }
            Box::new(Built(layer, |layer, x| {
                let (y, weights) = layer.forward_weights(&x[0], &x[1], &x[2], &Masks::default());
                vec![y, weights]
            }))
        }
        "TransformerEncoderLayer" => {
            let layer = TransformerEncoderLayer::with(size("d_model"), size("heads"), transformer(a), rng);
            Box::new(Built(layer, |layer, x| vec![layer.forward(&x[0], &Masks::default())]))
        }
        "TransformerDecoderLayer" => {
            let layer = TransformerDecoderLayer::with(size("d_model"), size("heads"), transformer(a), rng);
            Box::new(Built(layer, |layer, x| {
                vec![layer.forward(&x[0], &x[1], &Masks::default(), &Masks::default())]
            }))
        }
        _ => unreachable!("{kind} is among the known kinds"),
    }
}

/// The sizes `name`, one for each spatial axis or one for all.
fn sizes<const N: usize>(a: &Attrs, name: &str) -> [usize; N] {
    let given = a.numbers(name);
    std::array::from_fn(|axis| given[if given.len() == 1 { 0 } else { axis }] as usize)
}

fn conv<const N: usize>(a: &Attrs, rng: &mut Rng) -> ConvNd<N> {
    let (inputs, outputs) = (a.int("in").unsigned_abs(), a.int("out").unsigned_abs());
    let layer = ConvNd::new(inputs, outputs, sizes::<N>(a, "kernel"), rng)
        .stride(sizes(a, "stride"))
        .padding(sizes::<N>(a, "padding"))
        .dilation(sizes(a, "dilation"))
        .groups(a.int_or("groups", 1).unsigned_abs());
    if a.bool_or("bias", true) { layer } else { layer.without_bias() }
}

fn conv_transpose<const N: usize>(a: &Attrs, rng: &mut Rng) -> ConvTransposeNd<N> {
    let (inputs, outputs) = (a.int("in").unsigned_abs(), a.int("out").unsigned_abs());
    let layer = ConvTransposeNd::new(inputs, outputs, sizes::<N>(a, "kernel"), rng)
        .stride(sizes(a, "stride"))
        .padding(sizes(a, "padding"))
        .output_padding(sizes(a, "output_padding"))
        .dilation(sizes(a, "dilation"))
        .groups(a.int_or("groups", 1).unsigned_abs());
    if a.bool_or("bias", true) { layer } else { layer.without_bias() }
}

fn recurrent(a: &Attrs) -> Recurrent {
    Recurrent {
        layers: a.int_or("layers", 1).unsigned_abs(),
        bias: a.bool_or("bias", true),
        batch_first: a.bool_or("batch_first", false),
        dropout: 0.0,
        bidirectional: a.bool_or("bidirectional", false),
        projection: a.has("proj_size").then(|| a.int("proj_size").unsigned_abs()).filter(|&size| size > 0),
    }
}

/// The cases have sequences first, and no dropout.
fn transformer(a: &Attrs) -> TransformerOptions {
    TransformerOptions {
        feedforward: a.int("feedforward").unsigned_abs(),
        dropout: 0.0,
        activation: if a.str_or("activation", "relu") == "gelu" {
            Activation::Gelu
        } else {
            Activation::Relu
        },
        norm_first: a.bool_or("norm_first", false),
        batch_first: a.bool_or("batch_first", true),
        ..TransformerOptions::default()
    }
}

fn batch_norm<const N: usize>(a: &Attrs) -> BatchNormNd<N> {
    let momentum = a.has("momentum").then(|| a.f64("momentum"));
    BatchNormNd::new(a.int("features").unsigned_abs()).eps(a.f64_or("eps", 1e-5)).momentum(momentum)
}

/// Every check of `run`.
pub(crate) fn check(run: &Run) -> Report {
    let mut report = Report::default();
    let case = match Case::read(run) {
        Ok(case) => case,
        Err(error) => {
            report.note("read", Err(error));
            return report;
        }
    };
    for (precision, word) in [(Precision::F64, "f64"), (Precision::F32, "f32")] {
        let named = |check: &str| format!("{check} ({word})");
        let Some(bar) = Bars::of("layers", precision).first else { continue };
        let lazy = match guarded(|| case.run(precision, Layout::Contiguous)).and_then(|result| result) {
            Ok(result) => result,
            Err(failure) => {
                report.note(&named("computed"), Err(failure));
                continue;
            }
        };
        report.note(&named("outputs"), case.outputs_close(&lazy, bar));
        report.note(&named("gradients of inputs"), case.input_grads_close(&lazy, bar));
        report
            .note(&named("gradients of parameters"), named_close(&lazy.param_grads, &case.param_grads, bar));
        report.note(&named("buffers"), named_close(&lazy.buffers, &case.buffers_after, bar));
        let same = |other: Result<Outcome, String>| other.and_then(|other| lazy.same_as(&other));
        let plainly = || case.run(precision, Layout::Contiguous);
        report.note(&named("eager equals lazy"), same(guarded(|| eager(plainly)).and_then(|result| result)));
        for layout in [Layout::Strided, Layout::Transposed, Layout::Reversed, Layout::Pending] {
            let other = guarded(|| case.run(precision, layout)).and_then(|result| result);
            report.note(&named(&format!("{layout:?} inputs")), same(other));
        }
    }
    report
}

/// A case as the file has it.
struct Case {
    kind: String,
    attrs: Attrs,
    training: bool,
    state: Vec<(String, Array)>,
    inputs: Vec<Array>,
    outputs: Vec<Array>,
    cotangents: Vec<Option<Array>>,
    input_grads: Vec<Option<Array>>,
    param_grads: Vec<(String, Array)>,
    buffers_after: Vec<(String, Array)>,
}

/// One computation of a case.
struct Outcome {
    outputs: Vec<Tensor>,
    input_grads: Vec<Option<Tensor>>,
    param_grads: Vec<(String, Tensor)>,
    buffers: Vec<(String, Tensor)>,
}

impl Case {
    fn read(run: &Run) -> Result<Self, String> {
        let (inputs, outputs) = (run.required("inputs")?, run.required("outputs")?);
        let named = |field| run.named(field).map(|pairs| pairs.into_iter().collect::<Vec<_>>());
        Ok(Self {
            kind: run.kind.clone(),
            attrs: run.attrs()?,
            training: run.field("training")?.as_bool().ok_or("field `training`: not a boolean")?,
            state: named("state")?,
            cotangents: run.optional("cotangents", outputs.len())?,
            input_grads: run.optional("input_grads", inputs.len())?,
            param_grads: named("param_grads")?,
            buffers_after: named("buffers_after")?,
            inputs,
            outputs,
        })
    }

    fn run(&self, precision: Precision, layout: Layout) -> Result<Outcome, String> {
        let mut layer = build(&self.kind, &self.attrs);
        let module = layer.module_mut();
        module.convert(if precision == Precision::F64 { F64 } else { F32 });
        if !self.training {
            module.eval();
        }
        let read =
            |(name, array): &(String, Array)| (name.clone(), tensor(array, precision, Layout::Contiguous));
        module.load_state_dict(&self.state.iter().map(read).collect()).map_err(|error| error.to_string())?;

        let leaf = |(array, grad): (&Array, &Option<Array>)| {
            let input = tensor(array, precision, layout);
            grad.as_ref().map_or_else(|| input.clone(), |_| input.tracked())
        };
        let inputs: Vec<Tensor> = self.inputs.iter().zip(&self.input_grads).map(leaf).collect();
        let outputs = layer.call(&inputs);
        if outputs.len() != self.outputs.len() {
            return Err(format!("{} outputs; the reference has {}", outputs.len(), self.outputs.len()));
        }
        let weighted = |(y, g): (&Tensor, &Option<Array>)| {
            Some((y * tensor(g.as_ref()?, precision, Layout::Contiguous)).sum(()))
        };
        let objective =
            outputs.iter().zip(&self.cotangents).filter_map(weighted).reduce(|sum, part| sum + part);
        let objective = objective.ok_or("no output has a cotangent")?;
        let params = layer.module().named_parameters();
        let leaves = inputs.iter().map(|x| x.is_tracked().then(|| x.clone()));
        let leaves: Vec<Option<Tensor>> =
            leaves.chain(params.iter().map(|(_, param)| Some(param.value().clone()))).collect();
        let mut grads = taken(&objective, &leaves);
        let of_params = grads.split_off(inputs.len()).into_iter().flatten();
        Ok(Outcome {
            outputs,
            input_grads: grads,
            param_grads: params.into_iter().map(|(name, _)| name).zip(of_params).collect(),
            buffers: layer.module().named_buffers().into_iter().map(|(name, b)| (name, b.value())).collect(),
        })
    }

    fn outputs_close(&self, got: &Outcome, bar: Bar) -> Result<(), String> {
        for (index, (got, want)) in got.outputs.iter().zip(&self.outputs).enumerate() {
            close(got, want, bar, None).map_err(|error| format!("output {index}: {error}"))?;
        }
        Ok(())
    }

    fn input_grads_close(&self, got: &Outcome, bar: Bar) -> Result<(), String> {
        for (index, (got, want)) in got.input_grads.iter().zip(&self.input_grads).enumerate() {
            let Some(want) = want else { continue };
            let got = got.as_ref().ok_or_else(|| format!("input {index} was not tracked"))?;
            close(got, want, bar, None).map_err(|error| format!("input {index}: {error}"))?;
        }
        Ok(())
    }
}

/// Every recorded array of that name, and a name for each.
fn named_close(got: &[(String, Tensor)], want: &[(String, Array)], bar: Bar) -> Result<(), String> {
    for (name, want) in want {
        let found = got.iter().find(|(other, _)| other == name);
        let (_, got) = found.ok_or_else(|| format!("`{name}`: the layer has none"))?;
        close(got, want, bar, None).map_err(|error| format!("`{name}`: {error}"))?;
    }
    Ok(())
}

impl Outcome {
    fn same_as(&self, other: &Outcome) -> Result<(), String> {
        for (index, (got, want)) in self.outputs.iter().zip(&other.outputs).enumerate() {
            same_bits(got, want).map_err(|error| format!("output {index}: {error}"))?;
        }
        let pairs = self.input_grads.iter().flatten().zip(other.input_grads.iter().flatten());
        for (got, want) in pairs {
            same_bits(got, want).map_err(|error| format!("gradient of an input: {error}"))?;
        }
        let named = self.param_grads.iter().chain(&self.buffers);
        for ((name, got), (_, want)) in named.zip(other.param_grads.iter().chain(&other.buffers)) {
            same_bits(got, want).map_err(|error| format!("`{name}`: {error}"))?;
        }
        Ok(())
    }
}
