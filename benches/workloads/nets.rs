//! Networks of convolutions, attention and recurrence.
use crate::micro::normal;
use crate::train::{Net, infer, labels, train, train_by};
use crate::{Step, Workload};
use retrograd::prelude::*;

pub(crate) const WORKLOADS: &[Workload] = &[
    ("lenet", || {
        let model = Lenet::new(&mut Rng::new(2));
        let momentum = Sgd::new(&model, 0.01).momentum(0.9);
        train(model, momentum, normal([64, 1, 28, 28]), 10)
    }),
    ("resnet20", || {
        let model = Resnet::new(&mut Rng::new(2));
        let momentum = Sgd::new(&model, 0.01).momentum(0.9);
        train(model, momentum, normal([32, 3, 32, 32]), 10)
    }),
    ("char_transformer", char_transformer),
    ("lstm", lstm),
    ("infer_resnet20_b1", || {
        let mut model = Resnet::new(&mut Rng::new(2));
        model.eval();
        infer(model, normal([1, 3, 32, 32]))
    }),
];

#[derive(Module)]
struct Lenet {
    conv1: Conv2d,
    conv2: Conv2d,
    fc1: Linear,
    fc2: Linear,
    fc3: Linear,
}
impl Lenet {
    fn new(rng: &mut Rng) -> Lenet {
        Lenet {
            conv1: Conv2d::new(1, 6, 5, rng).padding(2),
            conv2: Conv2d::new(6, 16, 5, rng),
            fc1: Linear::new(400, 120, rng),
            fc2: Linear::new(120, 84, rng),
            fc3: Linear::new(84, 10, rng),
        }
    }
}
impl Net for Lenet {
    fn forward(&self, x: &Tensor) -> Tensor {
        let h = self.conv1.forward(x).relu().max_pool([2, 2]);
        let h = self.conv2.forward(&h).relu().max_pool([2, 2]).flatten(1, -1);
        let h = self.fc1.forward(&h).relu();
        self.fc3.forward(&self.fc2.forward(&h).relu())
    }
}

#[derive(Module)]
struct ConvBn {
    conv: Conv2d,
    bn: BatchNorm2d,
}
impl ConvBn {
    fn new(inputs: usize, outputs: usize, kernel: usize, stride: usize, rng: &mut Rng) -> ConvBn {
        let conv = Conv2d::new(inputs, outputs, kernel, rng);
        let conv = conv.without_bias().stride(stride).padding(kernel / 2);
        ConvBn { conv, bn: BatchNorm2d::new(outputs) }
    }
    fn forward(&self, x: &Tensor) -> Tensor {
        self.bn.forward(&self.conv.forward(x))
    }
}
#[derive(Module)]
struct Block {
    first: ConvBn,
    second: ConvBn,
    shortcut: Option<ConvBn>,
}
#[derive(Module)]
struct Resnet {
    stem: ConvBn,
    blocks: Vec<Block>,
    head: Linear,
}
impl Resnet {
    fn new(rng: &mut Rng) -> Resnet {
        let mut blocks = Vec::new();
        for (inputs, outputs, stride) in [(16, 16, 1), (16, 32, 2), (32, 64, 2)] {
            for i in 0..3 {
                let (inputs, stride) = if i == 0 { (inputs, stride) } else { (outputs, 1) };
                blocks.push(Block {
                    first: ConvBn::new(inputs, outputs, 3, stride, rng),
                    second: ConvBn::new(outputs, outputs, 3, 1, rng),
                    shortcut: (inputs != outputs).then(|| ConvBn::new(inputs, outputs, 1, stride, rng)),
                });
            }
        }
        Resnet { stem: ConvBn::new(3, 16, 3, 1, rng), blocks, head: Linear::new(64, 10, rng) }
    }
}
impl Net for Resnet {
    fn forward(&self, x: &Tensor) -> Tensor {
        let mut h = self.stem.forward(x).relu();
        for block in &self.blocks {
            let y = block.second.forward(&block.first.forward(&h).relu());
            let shortcut = block.shortcut.as_ref().map_or_else(|| h.clone(), |s| s.forward(&h));
            h = (y + shortcut).relu();
        }
        self.head.forward(&h.mean([2, 3]))
    }
}

#[derive(Module)]
struct Layer {
    norm1: LayerNorm,
    qkv: Linear,
    out: Linear,
    norm2: LayerNorm,
    up: Linear,
    down: Linear,
}
#[derive(Module)]
struct Transformer {
    token: Embedding,
    position: Embedding,
    layers: Vec<Layer>,
    norm: LayerNorm,
    head: Linear,
}
impl Transformer {
    fn new(rng: &mut Rng) -> Transformer {
        let layer = |rng: &mut Rng| Layer {
            norm1: LayerNorm::new(128),
            qkv: Linear::new(128, 384, rng),
            out: Linear::new(128, 128, rng),
            norm2: LayerNorm::new(128),
            up: Linear::new(128, 512, rng),
            down: Linear::new(512, 128, rng),
        };
        Transformer {
            token: Embedding::new(65, 128, rng),
            position: Embedding::new(64, 128, rng),
            layers: (0..4).map(|_| layer(rng)).collect(),
            norm: LayerNorm::new(128),
            head: Linear::new(128, 65, rng),
        }
    }
}
impl Net for Transformer {
    fn forward(&self, ids: &Tensor) -> Tensor {
        let (n, t) = (ids.size(0), ids.size(1));
        let mut x = self.token.forward(ids) + &self.position.weight;
        for layer in &self.layers {
            let qkv = layer.qkv.forward(&layer.norm1.forward(&x)).reshape([n, t, 3, 4, 32]);
            let qkv = qkv.permute([2, 0, 3, 1, 4]);
            let [q, k, v] = [0, 1, 2].map(|i| qkv.select(0, i));
            let causal = Attention { causal: true, ..Attention::default() };
            let y = q.scaled_dot_product_attention(&k, &v, &causal);
            x += layer.out.forward(&y.transpose(1, 2).reshape([n, t, 128]));
            let up = layer.up.forward(&layer.norm2.forward(&x)).gelu();
            x += layer.down.forward(&up);
        }
        self.head.forward(&self.norm.forward(&x)).reshape([n * t, 65])
    }
}
fn char_transformer() -> Step {
    let model = Transformer::new(&mut Rng::new(2));
    let adamw = AdamW::new(&model, 3e-4).weight_decay(0.01);
    let y = labels(65, 16 * 64);
    train_by(model, adamw, labels(65, 16 * 64).reshape([16, 64]), move |logits| logits.cross_entropy(&y))
}

/// The last hidden state of a sequence.
#[derive(Module)]
struct LastHidden {
    lstm: Lstm,
}
impl Net for LastHidden {
    fn forward(&self, x: &Tensor) -> Tensor {
        self.lstm.forward(x).0.select(1, -1)
    }
}
fn lstm() -> Step {
    let options = Recurrent { batch_first: true, ..Recurrent::default() };
    let model = LastHidden { lstm: Lstm::with(64, 128, options, &mut Rng::new(2)) };
    let adam = Adam::new(&model, 1e-3);
    let target = normal([32, 128]);
    train_by(model, adam, normal([32, 64, 64]), move |h| h.mse_loss(&target))
}
