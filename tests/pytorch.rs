//! Files to and from PyTorch: what it saved loads by name into the same architecture and gives the same outputs; what
//! is saved here is, byte for byte, what PyTorch was seen to load. `fixtures/make_pytorch.py` makes and checks the
//! files.

use retrograd::files::{load_safetensors, save_safetensors};
use retrograd::prelude::*;
use std::path::{Path, PathBuf};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/pytorch");

/// Outputs may differ by this share of the greatest one.
const TOLERANCE: f64 = 1e-6;

#[derive(Module)]
struct Cnn {
    conv1: Conv2d,
    bn1: BatchNorm2d,
    conv2: Conv2d,
    bn2: BatchNorm2d,
    fc: Linear,
}

impl Cnn {
    fn new(rng: &mut Rng) -> Self {
        Self {
            conv1: Conv2d::new(2, 4, 3, rng).padding(1),
            bn1: BatchNorm2d::new(4),
            conv2: Conv2d::new(4, 6, 3, rng).stride(2),
            bn2: BatchNorm2d::new(6),
            fc: Linear::new(54, 5, rng),
        }
    }

    fn forward(&self, x: &Tensor) -> Tensor {
        let x = self.bn1.forward(&self.conv1.forward(x)).relu();
        self.fc.forward(&self.bn2.forward(&self.conv2.forward(&x)).relu().flatten(1, -1))
    }
}

#[derive(Module)]
struct Reader {
    lstm: Lstm,
    fc: Linear,
}

impl Reader {
    fn new(rng: &mut Rng) -> Self {
        let options = Recurrent { layers: 2, bidirectional: true, batch_first: true, ..Recurrent::default() };
        Self { lstm: Lstm::with(5, 7, options, rng), fc: Linear::new(14, 3, rng) }
    }

    fn forward(&self, x: &Tensor) -> Tensor {
        self.fc.forward(&self.lstm.forward(x).0)
    }
}

#[derive(Module)]
struct Transformer {
    layer: TransformerEncoderLayer,
    attention: MultiheadAttention,
}

impl Transformer {
    fn new(rng: &mut Rng) -> Self {
        let options =
            TransformerOptions { feedforward: 32, batch_first: true, ..TransformerOptions::default() };
        let attention = MultiheadOptions { batch_first: true, ..MultiheadOptions::default() };
        Self {
            layer: TransformerEncoderLayer::with(16, 4, options, rng),
            attention: MultiheadAttention::with(16, 2, attention, rng),
        }
    }

    fn forward(&self, x: &Tensor) -> Tensor {
        let x = self.layer.forward(x, &Masks::default());
        self.attention.forward(&x, &x, &x, &Masks::default())
    }
}

#[derive(Module)]
struct Embedder {
    embed: Embedding,
    norm: LayerNorm,
    head: Linear,
}

impl Embedder {
    fn new(rng: &mut Rng) -> Self {
        Self { embed: Embedding::new(11, 8, rng), norm: LayerNorm::new(8), head: Linear::new(8, 11, rng) }
    }

    fn forward(&self, ids: &Tensor) -> Tensor {
        self.head.forward(&self.norm.forward(&self.embed.forward(ids)))
    }
}

#[derive(Module)]
struct Translator {
    transformer: retrograd::nn::Transformer,
}

impl Translator {
    fn new(rng: &mut Rng) -> Self {
        let options =
            TransformerOptions { feedforward: 16, batch_first: true, ..TransformerOptions::default() };
        Self { transformer: retrograd::nn::Transformer::with(8, 2, [2, 1], options, rng) }
    }

    fn forward(&self, x: &Tensor) -> Tensor {
        let masks = TransformerMasks { target: Masks::causal(), ..TransformerMasks::default() };
        self.transformer.forward(x, &x.narrow(1, 2, x.size(1) - 2), &masks)
    }
}

fn fixture(name: &str) -> PathBuf {
    Path::new(FIXTURES).join(name)
}

/// The greatest difference, as a share of the greatest wanted output.
fn difference(got: &Tensor, want: &Tensor) -> f64 {
    assert_eq!(got.shape(), want.shape());
    (got - want).abs().amax(()).item() / want.abs().amax(()).item()
}

/// Loads what PyTorch saved of `name` and compares outputs; then saves other weights, halves and a hundredth more of
/// each, and compares the file and its outputs with those that PyTorch has checked.
fn check<M: Module>(name: &str, mut model: M, forward: impl Fn(&M, &Tensor) -> Tensor) {
    let examples = load_safetensors(fixture("examples.safetensors")).unwrap();
    let input = &examples[&format!("{name}.input")];
    model.load(fixture(&format!("{name}.safetensors"))).unwrap();
    model.eval();
    let error = difference(&forward(&model, input), &examples[&format!("{name}.output")]);
    assert!(error <= TOLERANCE, "{name}: {error:e}");

    let mut state = model.state_dict();
    for value in state.values_mut().filter(|value| value.dtype() == F32) {
        *value = &*value * 0.5 + 0.01;
    }
    model.load_state_dict(&state).unwrap();
    let file = format!("ours_{name}.safetensors");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pytorch");
    model.save(folder.join(&file)).unwrap();
    let output = forward(&model, input);
    save_safetensors(
        folder.join(format!("output_{name}.safetensors")),
        &[(name.to_owned(), output.clone())].into(),
    )
    .unwrap();
    let stored = std::fs::read(fixture(&file)).unwrap_or_default();
    assert!(
        std::fs::read(folder.join(&file)).unwrap() == stored,
        "{file} is not what PyTorch has checked; the new file is in {}",
        folder.display()
    );
    let error = difference(&output, &load_safetensors(fixture("ours_outputs.safetensors")).unwrap()[name]);
    assert!(error <= TOLERANCE, "{name}: {error:e}");
}

#[test]
fn convolutions_and_batch_norms_go_both_ways() {
    check("cnn", Cnn::new(&mut Rng::new(0)), Cnn::forward);
}

#[test]
fn recurrent_layers_go_both_ways() {
    check("lstm", Reader::new(&mut Rng::new(0)), Reader::forward);
}

#[test]
fn attention_goes_both_ways() {
    check("transformer", Transformer::new(&mut Rng::new(0)), Transformer::forward);
}

#[test]
fn an_encoder_and_a_decoder_go_both_ways() {
    check("translator", Translator::new(&mut Rng::new(0)), Translator::forward);
}

#[test]
fn embeddings_and_layer_norms_go_both_ways() {
    check("embedder", Embedder::new(&mut Rng::new(0)), Embedder::forward);
}

#[test]
fn a_file_of_another_architecture_names_every_difference() {
    let mut model = Embedder::new(&mut Rng::new(0));
    let before = model.state_dict();
    let error = model.load(fixture("cnn.safetensors")).unwrap_err().to_string();
    for part in ["`embed.weight` is missing", "`head.bias` is missing", "`bn1.running_mean` is unexpected"] {
        assert!(error.contains(part), "{part} is not in {error}");
    }
    assert_eq!(model.state_dict(), before);
}
