//! The table of a model: names, shapes, parameters and floating-point operations, the latter against formulas by hand.

extern crate retrograd_nn as retrograd;

use retrograd_nn::summary::Row;
use retrograd_nn::{
    BatchNorm1d, Conv2d, Dropout, Embedding, Forward, LayerNorm, Linear, Lstm, Masks, Module,
    MultiheadAttention, Relu, Sequential, Summary,
};
use retrograd_tensor::{I64, Rng, Tensor, attempt, eager, profile};

#[derive(Module)]
struct Net {
    conv: Conv2d,
    rest: Sequential,
    head: Linear,
}

impl Net {
    fn new() -> Self {
        let rng = &mut Rng::new(0);
        let rest = Sequential::new().then(Relu).then(Dropout::new(0.5, rng)).then(Linear::new(48, 5, rng));
        Self { conv: Conv2d::new(2, 3, 3, rng), rest, head: Linear::without_bias(5, 2, rng) }
    }

    fn forward(&self, x: &Tensor) -> Tensor {
        self.head.forward(&self.rest.forward(&self.conv.forward(x).flatten(1, -1)).tanh())
    }
}

fn row(row: &Row) -> (&str, &str, usize, &[usize], usize) {
    (&row.name, row.layer, row.depth, &row.output, row.parameters)
}

#[test]
fn rows_name_layers_and_hold_what_they_take() {
    let mut net = Net::new();
    net.freeze_prefix("head");
    let before = net.state_dict();
    let x = Tensor::randn([7, 2, 6, 6], &mut Rng::new(1));
    let summary = net.summary(|net| net.forward(&x));
    assert_eq!(net.state_dict(), before);
    let rows: Vec<_> = summary.rows.iter().map(row).collect();
    assert_eq!(
        rows,
        [
            ("conv", "Conv2d", 0, &[7, 3, 4, 4][..], 57),
            ("rest", "Sequential", 0, &[7, 5], 245),
            ("", "Relu", 1, &[7, 48], 0),
            ("rest.1", "Dropout", 1, &[7, 48], 0),
            ("rest.2", "Linear", 1, &[7, 5], 245),
            ("head", "Linear", 0, &[7, 2], 10),
        ]
    );
    let flops: Vec<u64> = summary.rows.iter().map(|row| row.flops).collect();
    // Two for each channel and tap of an output; the bias is one more.
    assert_eq!(flops[0], 7 * 3 * 16 * (2 * 2 * 9 + 1));
    assert_eq!(flops[4], 7 * (2 * 48 * 5 + 5));
    assert_eq!(flops[5], 7 * 2 * 5 * 2);
    // A container has what is within it, and the whole has what lies between layers too.
    assert_eq!(flops[1], flops[2] + flops[3] + flops[4]);
    let tanh = profile(|| eager(|| drop(x.narrow(0, 0, 1).tanh()))).1.lines()[0].forward.flops / 72;
    assert_eq!(summary.flops, flops[0] + flops[1] + flops[5] + 35 * tanh);
    assert_eq!((summary.parameters, summary.trainable), (312, 302));
    assert_eq!(summary.output_bytes(), 4 * (7 * 48 * 3 + 35 + 14));
}

#[derive(Module)]
struct Block {
    fc1: Linear,
    act: Relu,
    fc2: Linear,
}

impl Block {
    fn forward(&self, x: &Tensor) -> Tensor {
        x + self.fc2.forward(&Forward::forward(&self.act, &self.fc1.forward(x)))
    }
}

#[derive(Module)]
struct Tower {
    stem: Linear,
    blocks: Vec<Block>,
    neck: Block,
    head: Linear,
}

#[test]
fn layers_of_a_struct_of_one_s_own_lie_within_it() {
    let rng = &mut Rng::new(0);
    let mut block = || Block { fc1: Linear::new(4, 6, rng), act: Relu, fc2: Linear::new(6, 4, rng) };
    let (blocks, neck) = (vec![block(), block()], block());
    let tower = Tower { stem: Linear::new(3, 4, rng), blocks, neck, head: Linear::new(4, 2, rng) };
    let x = Tensor::ones([5, 3]);
    let summary = tower.summary(|tower| {
        let mut x = tower.stem.forward(&x);
        for block in &tower.blocks {
            x = block.forward(&x);
        }
        tower.head.forward(&tower.neck.forward(&x))
    });
    let rows: Vec<_> =
        summary.rows.iter().map(|row| (&*row.name, row.layer, row.depth, row.parameters)).collect();
    let inner = |a: &'static str, b: &'static str, depth| {
        [(a, "Linear", depth, 30), ("", "Relu", depth, 0), (b, "Linear", depth, 28)]
    };
    let mut want = vec![("stem", "Linear", 0, 16), ("blocks", "", 0, 116), ("blocks.0", "", 1, 58)];
    want.extend(inner("blocks.0.fc1", "blocks.0.fc2", 2));
    want.push(("blocks.1", "", 1, 58));
    want.extend(inner("blocks.1.fc1", "blocks.1.fc2", 2));
    want.push(("neck", "", 0, 58));
    want.extend(inner("neck.fc1", "neck.fc2", 1));
    want.push(("head", "Linear", 0, 10));
    assert_eq!(rows, want);
    let flops: Vec<u64> = summary.rows.iter().map(|row| row.flops).collect();
    assert_eq!(flops[2], flops[3] + flops[4] + flops[5]);
    assert_eq!((flops[1], flops[6], flops[10]), (2 * flops[2], flops[2], flops[2]));
    // Outputs are counted once; the sums of the blocks are those of no layer.
    assert_eq!(summary.output_bytes(), 4 * 5 * (4 + 3 * (6 + 6 + 4) + 2));
    assert_eq!(summary.flops, flops[0] + 3 * flops[2] + flops[14] + 3 * 20);
    let text = summary.to_string();
    assert!(
        text.contains("\n  blocks.0  ") && text.contains("\n    blocks.0.fc1 (Linear)  [5, 6]"),
        "{text}"
    );
}

/// The only row of a layer on its own.
fn alone<M: Module, R>(layer: &M, run: impl FnOnce(&M) -> R) -> Row {
    let Summary { rows, flops, .. } = layer.summary(run);
    assert_eq!(rows[0].name, "");
    assert_eq!((rows[0].depth, rows[0].flops), (0, flops));
    rows[0].clone()
}

#[test]
fn operations_of_layers_are_those_of_their_formulas() {
    let rng = &mut Rng::new(0);
    let (b, t, n, h) = (3, 5, 8, 4);
    let x = Tensor::randn([b, t, n], rng);
    let of = |operation: &str, f: &dyn Fn()| {
        let (_, profile) = profile(|| eager(f));
        profile.lines().iter().filter(|line| line.op == operation).map(|line| line.forward.flops).sum::<u64>()
    };

    assert_eq!(alone(&Linear::new(n, h, rng), |l| l.forward(&x)).flops, (b * t * (2 * n * h + h)) as u64);
    let table = Embedding::new(10, n, rng);
    assert_eq!(alone(&table, |l| l.forward(&I64.zeros([b, t]))).flops, 0);

    // For each element two sums, the distance from the mean twice, its square, the factor, weight and bias; for each row
    // two means, eps and the root.
    let norm = alone(&LayerNorm::new(n), |l| l.forward(&Tensor::ones([10, n])));
    assert_eq!(norm.flops, 10 * (8 * n as u64 + 4));
    // The distance from the mean, eps, the root, the factor, weight and bias.
    let mut batch = BatchNorm1d::new(n);
    batch.eval();
    assert_eq!(alone(&batch, |l| l.forward(&Tensor::ones([10, n]))).flops, 10 * n as u64 * 6);

    // Products: the input's of all steps at once, then the state's at each step. Four gates.
    let lstm = Lstm::new(n, h, rng);
    let sequence = Tensor::randn([t, b, n], rng);
    let row = alone(&lstm, |l| l.forward(&sequence));
    let products = (2 * t * b * 4 * h * (n + h)) as u64;
    let counted =
        ["linear", "matmul"].map(|op| of(op, &|| drop(lstm.forward(&sequence)))).iter().sum::<u64>();
    assert_eq!(counted, products + (t * b * 4 * h) as u64, "with the bias of the input's");
    // The sum of both biases and its addition; four sums of products, three sigmoids and two tanh of each number of the
    // state, and four products and sums of the gates.
    assert_eq!(row.flops, products + (4 * h + t * b * (4 * h + 13 * h)) as u64);
    assert_eq!((row.output, row.output_bytes), (vec![t, b, h], 4 * (t * b * h + 2 * b * h)));

    // Projections of queries, keys and values and of what is found; scores and values for each pair.
    let attention = MultiheadAttention::new(n, 2, rng);
    let row = attention.summary(|l| l.forward(&sequence, &sequence, &sequence, &Masks::default()));
    let products = (2 * t * b * n * 4 * n + 2 * 2 * b * t * t * n) as u64;
    let run = || drop(attention.forward(&sequence, &sequence, &sequence, &Masks::default()));
    let counted = ["linear", "matmul"].map(|op| of(op, &run)).iter().sum::<u64>();
    assert_eq!(counted, products + (t * b * 4 * n) as u64, "with their biases");
    // Biases, the scale on queries and keys, and for each score its part in the largest, the distance from that, exp, the
    // sum and the quotient.
    assert_eq!(row.flops, products + (t * b * (3 * n + n + 2 * n) + 5 * b * 2 * t * t) as u64);
    let names: Vec<_> = row.rows.iter().map(|row| (row.layer, &row.name[..], row.depth)).collect();
    assert_eq!(names, [("MultiheadAttention", "", 0), ("Linear", "out_proj", 1)]);
}

#[test]
fn the_table_is_readable_and_nothing_stays_after_a_panic() {
    let net = Net::new();
    assert!(attempt(|| net.summary(|net| net.forward(&Tensor::ones([1, 2, 9, 9])))).is_err());
    let text = net.summary(|net| net.forward(&Tensor::ones([1, 2, 6, 6]))).to_string();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("layer") && lines[0].ends_with("FLOPs  memory"), "{text}");
    assert!(lines[2].starts_with("conv (Conv2d)"), "{text}");
    assert!(lines[2].contains("[1, 3, 4, 4]") && lines[2].contains("1,776"), "{text}");
    assert!(lines[4].starts_with("  (Relu)"), "{text}");
    assert!(text.contains("parameters: 312, 312 of them trainable, 1.2 KiB"), "{text}");
}
