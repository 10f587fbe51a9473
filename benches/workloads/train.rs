//! Steps of training, and inference.
use crate::micro::normal;
use crate::{Step, Workload};
use retrograd::prelude::*;
use retrograd::{grad_of_all, grad_recorded};

pub(crate) const WORKLOADS: &[Workload] = &[
    ("shallow", || {
        let model = Stack::new(&[64, 64, 10], Act::Sigmoid);
        let sgd = Sgd::new(&model, 0.01);
        train(model, sgd, normal([64, 64]), 10)
    }),
    ("mlp", || {
        let model = Stack::new(&[784, 512, 512, 10], Act::Relu);
        let adam = Adam::new(&model, 1e-3);
        train(model, adam, normal([128, 784]), 10)
    }),
    ("deep_residual", || {
        let model = Residual::new(64, 50);
        let adam = Adam::new(&model, 1e-3);
        train(model, adam, normal([64, 64]), 10)
    }),
    ("deep_sigmoid", || {
        let mut sizes = vec![64; 31];
        sizes.push(10);
        let model = Stack::new(&sizes, Act::Sigmoid);
        let sgd = Sgd::new(&model, 0.01);
        train(model, sgd, normal([64, 64]), 10)
    }),
    ("hvp_mlp", hvp_mlp),
    ("per_example_grads_mlp", per_example_grads),
    ("infer_mlp_b1", || infer(Stack::new(&[784, 512, 512, 10], Act::Relu), normal([1, 784]))),
];

/// A model from a batch to logits.
pub(crate) trait Net: Module {
    fn forward(&self, x: &Tensor) -> Tensor;
}
#[derive(Clone, Copy)]
enum Act {
    Sigmoid,
    Relu,
}
/// Linear layers with an activation between them.
#[derive(Module)]
struct Stack {
    layers: Vec<Linear>,
    #[module(skip)]
    act: Act,
}
impl Stack {
    fn new(sizes: &[usize], act: Act) -> Stack {
        let rng = &mut Rng::new(2);
        Stack { layers: sizes.windows(2).map(|w| Linear::new(w[0], w[1], rng)).collect(), act }
    }
}
impl Net for Stack {
    fn forward(&self, x: &Tensor) -> Tensor {
        let mut h = x.clone();
        for (i, layer) in self.layers.iter().enumerate() {
            h = layer.forward(&h);
            if i + 1 < self.layers.len() {
                h = match self.act {
                    Act::Sigmoid => h.sigmoid(),
                    Act::Relu => h.relu(),
                };
            }
        }
        h
    }
}
/// A layer in, blocks `x + fc2(relu(fc1(x)))`, a layer out.
#[derive(Module)]
struct Residual {
    first: Linear,
    blocks: Vec<(Linear, Linear)>,
    head: Linear,
}
impl Residual {
    fn new(width: usize, depth: usize) -> Residual {
        let rng = &mut Rng::new(2);
        let first = Linear::new(width, width, rng);
        let blocks =
            (0..depth).map(|_| (Linear::new(width, width, rng), Linear::new(width, width, rng))).collect();
        Residual { first, blocks, head: Linear::new(width, 10, rng) }
    }
}
impl Net for Residual {
    fn forward(&self, x: &Tensor) -> Tensor {
        let mut h = self.first.forward(x);
        for (fc1, fc2) in &self.blocks {
            h = &h + fc2.forward(&fc1.forward(&h).relu());
        }
        self.head.forward(&h)
    }
}
pub(crate) fn labels(classes: i64, n: usize) -> Tensor {
    Tensor::randint(0, classes, [n], &mut Rng::new(3))
}
/// Steps of a classifier, by [`train_by`].
pub(crate) fn train(
    model: impl Net + 'static,
    optimizer: impl Optimizer + 'static,
    x: Tensor,
    classes: i64,
) -> Step {
    let y = labels(classes, x.shape()[0]);
    train_by(model, optimizer, x, move |logits| logits.cross_entropy(&y))
}
/// Forward, loss, backward, update, on the same batch again and again.
pub(crate) fn train_by(
    mut model: impl Net + 'static,
    mut optimizer: impl Optimizer + 'static,
    x: Tensor,
    loss: impl Fn(&Tensor) -> Tensor + 'static,
) -> Step {
    Box::new(move || {
        let loss = loss(&model.forward(&x));
        let grads = loss.backward();
        optimizer.step(&mut model, &grads).expect("every parameter has a gradient");
        std::hint::black_box(loss.item());
    })
}
/// A forward pass without a tape.
pub(crate) fn infer(model: impl Net + 'static, x: Tensor) -> Step {
    Box::new(move || {
        let y = no_grad(|| model.forward(&x));
        y.force();
        std::hint::black_box(&y);
    })
}
fn per_example_grads() -> Step {
    let model = Stack::new(&[64, 64, 10], Act::Relu);
    let (x, y) = (normal([64, 64]), labels(10, 64));
    Box::new(move || {
        let params: Vec<&Tensor> = model.parameters().into_iter().map(|p| &**p).collect();
        let one = |e: &[Tensor]| {
            let loss = model.forward(&e[0].unsqueeze(0)).cross_entropy(&e[1].unsqueeze(0));
            grad(&loss, &params)
        };
        let all = vmap_axes(one, &[(&x, Some(0)), (&y, Some(0))]);
        force_all(&all.iter().collect::<Vec<_>>());
        std::hint::black_box(&all);
    })
}
fn hvp_mlp() -> Step {
    let model = Stack::new(&[784, 512, 512, 10], Act::Relu);
    let (x, y) = (normal([128, 784]), labels(10, 128));
    let directions: Vec<Tensor> = model.parameters().iter().map(|p| normal(p.shape().clone())).collect();
    Box::new(move || {
        let params: Vec<&Tensor> = model.parameters().into_iter().map(|p| &**p).collect();
        let loss = model.forward(&x).cross_entropy(&y);
        let first = grad_recorded(&loss, &params);
        let firsts: Vec<&Tensor> = first.iter().collect();
        let second = grad_of_all(&firsts, &params, &directions.iter().collect::<Vec<_>>());
        std::hint::black_box(&second);
    })
}
