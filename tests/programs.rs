//! Random programs: whatever is recorded, dropped, moved in, forced early or read late, results and gradients have
//! the bits that the same program has eagerly. What has a plain definition is compared with a slow loop as well.
//!
//! A program is made while it runs eagerly, so every step fits what is there; then it runs lazily, with random
//! demands, ends of handles and moved operands. A failure prints it, with the seed that makes it again.

#[path = "programs/make.rs"]
mod make;
#[path = "programs/oracle.rs"]
mod oracle;
#[path = "programs/step.rs"]
mod step;

use make::make;
use retrograd::prelude::*;
use step::{Given, Program, apply};

/// A small generator of its own: programs do not change with the library's.
pub(crate) struct Draw(u64);
impl Draw {
    pub(crate) fn new(seed: u64) -> Draw {
        let mut draw = Draw(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x1234_5678_9abc_def1);
        draw.below(2);
        draw.below(2);
        draw
    }
    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % n as u64) as usize
    }
    /// True once in `n` times.
    pub(crate) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
    pub(crate) fn of<T: Clone>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())].clone()
    }
}

/// The elements, as bits; every NaN is the same.
pub(crate) fn bits(x: &Tensor) -> Vec<u64> {
    let float = |v: f64| if v.is_nan() { u64::MAX } else { v.to_bits() };
    match x.dtype() {
        I64 => x.iter::<i64>().map(|v| v as u64).collect(),
        Bool => x.iter::<bool>().map(u64::from).collect(),
        F64 => x.iter::<f64>().map(float).collect(),
        _ => x.cast(F64).iter::<f64>().map(float).collect(),
    }
}

/// What a run of a program shows: elements of the nodes that were kept, and of gradients.
#[derive(Default)]
pub(crate) struct Outcome {
    nodes: Vec<Option<Vec<u64>>>,
    loss: Option<Vec<u64>>,
    first: Vec<Option<Vec<u64>>>,
    second: Vec<Option<Vec<u64>>>,
}

/// The sum of some nodes, and derivatives of first and second order for the leaves.
pub(crate) fn differentiate(
    p: &Program,
    mut nodes: Vec<Option<Tensor>>,
    order: Option<&mut Draw>,
    out: &mut Outcome,
) {
    let Some((&first, rest)) = p.loss.split_first() else { return };
    let part = |k: usize| {
        let x: &Tensor = nodes[k].as_ref().expect("a summand is kept");
        (x * 0.5).sum(()).cast(F64)
    };
    let mut loss = part(first);
    for &k in rest {
        loss += part(k);
    }
    let leaves: Vec<Tensor> =
        p.leaves().filter_map(|k| nodes[k].clone()).filter(Differentiate::is_tracked).collect();
    if let Some(draw) = order {
        // Most nodes end before the backward pass, some after, some never.
        for node in &mut nodes {
            node.take_if(|_| draw.one_in(2));
        }
        if draw.one_in(3) {
            loss.force();
        }
    }
    let grads = if p.second { loss.backward_keep() } else { loss.backward() };
    let read = |g: Option<&Tensor>| g.map(bits);
    let reached: Vec<&Tensor> = leaves.iter().filter(|&x| grads.get(x).is_some()).collect();
    if p.second && !reached.is_empty() {
        let recorded = grad_recorded(&loss, &reached);
        let summands = recorded.iter().filter(|g| g.is_tracked());
        let squares = summands.map(|g| (g * g).sum(()).cast(F64)).reduce(|a, b| a + b);
        if let Some(squares) = squares {
            drop(recorded);
            let grads = squares.backward();
            out.second = leaves.iter().map(|x| read(grads.get(x))).collect();
        }
    }
    out.first = leaves.iter().map(|x| read(grads.get(x))).collect();
    out.loss = Some(bits(&loss));
    out.nodes = nodes.iter().map(|x| x.as_ref().map(bits)).collect();
}

/// Runs `p` lazily, with random demands and ends.
fn run(p: &Program, draw: &mut Draw) -> Outcome {
    let mut nodes: Vec<Option<Tensor>> = Vec::with_capacity(p.steps.len());
    let mut out = Outcome::default();
    for (i, step) in p.steps.iter().enumerate() {
        // An operand that nothing later reads may be moved in, so that its memory changes hands.
        let ends = |j: usize| p.ends(j) == i && step.args.iter().filter(|&&a| a == j).count() == 1;
        let moved: Vec<bool> = step.args.iter().map(|&j| ends(j) && !draw.one_in(3)).collect();
        let owned: Vec<Option<Tensor>> =
            step.args.iter().zip(&moved).map(|(&j, &m)| if m { nodes[j].take() } else { None }).collect();
        let given = owned.into_iter().zip(&step.args).map(|(own, &j)| match own {
            Some(x) => Given::Own(x),
            None => Given::Ref(nodes[j].as_ref().expect("an operand is kept until its last use")),
        });
        let result = apply(&step.op, given.collect());
        nodes.push(Some(result));
        disturb(p, i, &mut nodes, draw);
    }
    if draw.one_in(2) {
        disturb(p, p.steps.len(), &mut nodes, draw);
    }
    differentiate(p, nodes, Some(draw), &mut out);
    out
}
/// After step `i`: perhaps computes some nodes, perhaps ends some handles.
fn disturb(p: &Program, i: usize, nodes: &mut [Option<Tensor>], draw: &mut Draw) {
    if draw.one_in(8)
        && let Some(x) = &nodes[draw.below(nodes.len())]
    {
        x.force();
    }
    if draw.one_in(16) {
        let some: Vec<&Tensor> = nodes.iter().flatten().filter(|_| draw.one_in(3)).collect();
        force_all(&some);
    }
    for (j, node) in nodes.iter_mut().enumerate() {
        node.take_if(|_| p.ends(j) <= i && draw.one_in(4));
    }
}

/// Prints the program if the test fails while it runs.
struct Shown<'a>(&'a Program);
impl Drop for Shown<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.0);
        }
    }
}
fn agree(what: &str, lazy: &[Option<Vec<u64>>], eager: &[Option<Vec<u64>>]) {
    for (k, (lazy, eager)) in lazy.iter().zip(eager).enumerate() {
        let (Some(lazy), Some(eager)) = (lazy, eager) else { continue };
        assert_eq!(lazy.len(), eager.len(), "{what} {k}: the numbers of elements differ");
        if let Some(at) = (0..lazy.len()).find(|&at| lazy[at] != eager[at]) {
            let count = (0..lazy.len()).filter(|&at| lazy[at] != eager[at]).count();
            let shown = [lazy[at], eager[at]].map(|b| format!("{b:#x} ({:e})", f64::from_bits(b)));
            panic!("{what} {k}: element {at} is {} lazily, {} eagerly; {count} differ", shown[0], shown[1]);
        }
    }
}
/// Programs of one element type.
fn check(dtype: DType, odd: bool, seeds: std::ops::Range<u64>) {
    let count = if cfg!(debug_assertions) { 8 } else { 1 };
    for seed in seeds.step_by(count) {
        let (program, eagerly) = eager(|| make(seed, dtype, odd));
        let shown = Shown(&program);
        for way in 0..2 {
            let mut draw = Draw::new(seed ^ (way + 1) << 32);
            let threads = 1 + draw.below(3);
            let lazily = with_threads(threads, || run(&program, &mut draw));
            agree("node", &lazily.nodes, &eagerly.nodes);
            agree("loss", &[lazily.loss], std::slice::from_ref(&eagerly.loss));
            assert_eq!(lazily.first.len(), eagerly.first.len(), "as many leaves");
            agree("gradient of leaf", &lazily.first, &eagerly.first);
            agree("second derivative of leaf", &lazily.second, &eagerly.second);
        }
        drop(shown);
    }
}

#[test]
fn programs_of_f32() {
    check(F32, false, 0..1000);
}
#[test]
fn programs_of_f64() {
    check(F64, false, 1000..1700);
}
#[test]
fn programs_of_i64() {
    check(I64, false, 2000..2400);
}
#[test]
fn programs_over_infinities_nan_and_zeros() {
    check(F32, true, 3000..3300);
    check(F64, true, 3300..3400);
}
