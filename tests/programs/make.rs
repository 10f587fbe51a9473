//! Makes a random program while it runs eagerly: every step fits the shapes and types that are there.
use crate::step::{
    BINARY, CLOSURES, COMPARE, Given, INTEGER_BINARY, INTEGER_UNARY, Op, Program, Step, Storage, UNARY, apply,
};
use crate::{Draw, Outcome, differentiate, oracle};
use retrograd::prelude::*;

/// Elements of a node, at most.
const MOST: usize = 20_000;

struct Maker {
    draw: Draw,
    steps: Vec<Step>,
    nodes: Vec<Tensor>,
}

/// The program of a seed, and what it gives eagerly. `odd`: its leaves hold infinities, NaN and zeros of both signs.
pub(crate) fn make(seed: u64, dtype: DType, odd: bool) -> (Program, Outcome) {
    let mut m = Maker { draw: Draw::new(seed), steps: vec![], nodes: vec![] };
    let base = m.base();
    for _ in 0..2 + m.draw.below(3) {
        let op = m.leaf(&base, dtype, odd);
        m.push(op, vec![]);
    }
    let wanted = m.steps.len() + 4 + m.draw.below(24);
    for _ in 0..wanted * 3 {
        if m.steps.len() >= wanted {
            break;
        }
        if let Some((op, args)) = m.step() {
            m.push(op, args);
        }
    }
    let tracked: Vec<usize> = (0..m.nodes.len()).filter(|&k| m.nodes[k].is_tracked()).collect();
    let mut loss = vec![];
    if !tracked.is_empty() {
        let late = &tracked[tracked.len() / 2..];
        loss = (0..1 + m.draw.below(3)).map(|_| m.draw.of(late)).collect();
    }
    let program = Program { seed, steps: m.steps, loss, second: m.draw.one_in(3) };
    let mut outcome = Outcome::default();
    differentiate(&program, m.nodes.into_iter().map(Some).collect(), None, &mut outcome);
    (program, outcome)
}

fn dims(x: &Tensor) -> Vec<isize> {
    x.shape().iter().map(|&n| n as isize).collect()
}
/// Whether the shapes broadcast, to a tensor of bearable size.
fn broadcast(a: &Tensor, b: &Tensor) -> bool {
    let rank = a.rank().max(b.rank());
    let size = |x: &Tensor, i: usize| (i + x.rank()).checked_sub(rank).map_or(1, |i| x.shape()[i]);
    let pairs = || (0..rank).map(|i| (size(a, i), size(b, i)));
    let numel: usize = pairs().map(|(a, b)| a.max(b)).product();
    pairs().all(|(a, b)| a == b || a == 1 || b == 1) && numel <= MOST
}

impl Maker {
    fn push(&mut self, op: Op, args: Vec<usize>) {
        let x: Vec<&Tensor> = args.iter().map(|&k| &self.nodes[k]).collect();
        let result = apply(&op, x.iter().map(|&x| Given::Ref(x)).collect());
        if let Err(wrong) = oracle::check(&op, &x, &result) {
            let specs: Vec<String> = x.iter().map(|x| format!("{} {}", x.dtype(), x.shape())).collect();
            panic!("{op:?} of {specs:?}, eagerly: {wrong}");
        }
        let spec = format!("{} {}", result.dtype(), result.shape());
        self.steps.push(Step { op, args, spec });
        self.nodes.push(result);
    }
    /// The shape that most nodes have a part of.
    fn base(&mut self) -> Vec<usize> {
        let mut shape: Vec<usize> = (0..1 + self.draw.below(3)).map(|_| 1 + self.draw.below(6)).collect();
        if self.draw.one_in(2) {
            let at = self.draw.below(shape.len());
            shape[at] = self.draw.of(&[16, 31, 63, 64, 65, 130, 511, 512, 513, 1030, 2000, 8191, 8192, 8193]);
        }
        while shape.iter().product::<usize>() > MOST {
            let small = (0..shape.len()).min_by_key(|&i| if shape[i] == 1 { usize::MAX } else { shape[i] });
            shape[small.expect("shapes of one axis are small enough")] = 1;
        }
        shape
    }
    fn leaf(&mut self, base: &[usize], dtype: DType, odd: bool) -> Op {
        let draw = &mut self.draw;
        let mut shape = base.to_vec();
        if draw.one_in(3) {
            shape.drain(..draw.below(base.len()));
        }
        for n in &mut shape {
            if draw.one_in(6) {
                *n = 1;
            }
        }
        let storage =
            if draw.one_in(2) { Storage::Dense } else { draw.of(&[Storage::Turned, Storage::Sparse]) };
        let coarse = draw.one_in(3);
        let numel: usize = shape.iter().product();
        let mut number = || {
            if odd && draw.one_in(8) {
                return draw.of(&[f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0, 1e30, -1e-40]);
            }
            let v = draw.below(4001) as f64 / 1000.0 - 2.0;
            if dtype == I64 {
                (v * 5.0).trunc()
            } else if coarse {
                (v * 4.0).round() / 4.0
            } else {
                v
            }
        };
        let data = (0..numel).map(|_| number()).collect();
        let tracked = dtype.is_float() && !self.draw.one_in(4);
        Op::Leaf { data, shape, dtype, storage, tracked }
    }
    /// A node that `good` accepts; recent ones are likelier.
    fn node(&mut self, good: impl Fn(&Tensor) -> bool) -> Option<usize> {
        for _ in 0..8 {
            let n = self.nodes.len();
            let k = if self.draw.one_in(2) { self.draw.below(n) } else { n - 1 - self.draw.below(n.min(4)) };
            if good(&self.nodes[k]) {
                return Some(k);
            }
        }
        None
    }
    /// A second operand for node `k`, of its type (or, for floats, of integers or truth values at times).
    fn partner(&mut self, k: usize) -> Option<usize> {
        let x = self.nodes[k].clone();
        let mixed = x.dtype().is_float() && self.draw.one_in(6);
        self.node(|y| broadcast(&x, y) && (y.dtype() == x.dtype() || (mixed && !y.dtype().is_float())))
    }
    fn step(&mut self) -> Option<(Op, Vec<usize>)> {
        match self.draw.below(20) {
            0..4 => self.unary(),
            4..9 => self.binary(),
            9..11 => self.choice(),
            11..14 => self.reduction(),
            14 => self.cast(),
            _ => self.view(),
        }
    }
    fn unary(&mut self) -> Option<(Op, Vec<usize>)> {
        let k = self.node(|x| x.dtype() != Bool)?;
        let float = self.nodes[k].dtype().is_float();
        let count = if float { UNARY.len() } else { INTEGER_UNARY };
        let name = UNARY[self.draw.below(count)].0;
        match self.draw.below(12) {
            0 => Some((Op::Detach, vec![k])),
            1..5 => {
                let count = if float { BINARY.len() } else { INTEGER_BINARY };
                let v = if float {
                    self.draw.of(&[0.5, -1.25, 2.0, 0.1, 1.0, 0.0])
                } else {
                    self.draw.of(&[2.0, -3.0, 0.0])
                };
                Some((Op::Number(BINARY[self.draw.below(count)], v), vec![k]))
            }
            5 => {
                let name = if float {
                    self.draw.of(&["add", "sub", "mul", "div"])
                } else {
                    self.draw.of(&["sub", "mul"])
                };
                Some((Op::Reversed(name, 2.0), vec![k]))
            }
            _ => Some((Op::Unary(name), vec![k])),
        }
    }
    fn binary(&mut self) -> Option<(Op, Vec<usize>)> {
        let a = self.node(|x| x.dtype() != Bool)?;
        let b = self.partner(a)?;
        let float = self.nodes[a].dtype().is_float();
        if float && self.draw.one_in(6) {
            let k = self.draw.below(CLOSURES);
            return Some((Op::Closure(k), vec![a, b]));
        }
        let name = BINARY[self.draw.below(if float { BINARY.len() } else { INTEGER_BINARY })];
        Some((Op::Binary(name), vec![a, b]))
    }
    fn choice(&mut self) -> Option<(Op, Vec<usize>)> {
        if let Some(condition) = self.node(|x| x.dtype() == Bool)
            && self.draw.below(3) > 0
        {
            let mask = self.nodes[condition].clone();
            let a = self.node(|x| x.dtype() != Bool && broadcast(x, &mask))?;
            let b = self
                .partner(a)
                .filter(|&b| broadcast(&self.nodes[b], &mask) && self.nodes[b].dtype() != Bool)?;
            let numel = (0..3).fold(1, |n, i| n * self.nodes[[condition, a, b][i]].numel().min(MOST));
            let small = numel <= MOST || [a, b].iter().all(|&k| self.nodes[k].shape() == mask.shape());
            return small.then_some((Op::Choose, vec![condition, a, b]));
        }
        let a = self.node(|x| x.dtype() != Bool)?;
        let b = self.partner(a)?;
        Some((Op::Compare(self.draw.of(COMPARE)), vec![a, b]))
    }
    fn cast(&mut self) -> Option<(Op, Vec<usize>)> {
        let k = self.node(|_| true)?;
        let to = match self.nodes[k].dtype() {
            F32 => self.draw.of(&[F64, F16, BF16, I64]),
            F64 => self.draw.of(&[F32, I64]),
            F16 | BF16 => F32,
            _ => self.draw.of(&[F32, F64, I64]),
        };
        Some((Op::Cast(to), vec![k]))
    }
    /// Some axes, at least one.
    fn axes(&mut self, rank: usize) -> Vec<isize> {
        let some = 1 + self.draw.below((1 << rank) - 1);
        (0..rank as isize).filter(|i| some >> i & 1 == 1).collect()
    }
    fn reduction(&mut self) -> Option<(Op, Vec<usize>)> {
        let k = self.node(|x| x.dtype() != Bool && x.rank() > 0)?;
        let rank = self.nodes[k].rank();
        let float = self.nodes[k].dtype().is_float();
        if self.draw.one_in(4) {
            let axis = self.draw.below(rank) as isize;
            let how = if float { self.draw.of(&["softmax", "log_softmax", "cumsum"]) } else { "cumsum" };
            return Some((Op::Along(how, axis), vec![k]));
        }
        if float && rank > 1 && self.draw.one_in(8) {
            let last = &self.nodes[k].shape()[rank - 2..];
            return (last[0] <= 140 && last.iter().product::<usize>() <= MOST).then_some((Op::Gram, vec![k]));
        }
        let how =
            ["sum", "prod", "amax", "amin", "mean", "logsumexp"][self.draw.below(if float { 6 } else { 4 })];
        let (axes, keepdim) = (self.axes(rank), self.draw.one_in(2));
        Some((Op::Reduce { how, axes, keepdim }, vec![k]))
    }
    fn view(&mut self) -> Option<(Op, Vec<usize>)> {
        let k = self.node(|x| x.rank() > 0)?;
        let x = self.nodes[k].clone();
        let (rank, dims) = (x.rank(), dims(&x));
        let draw = &mut self.draw;
        let op = match draw.below(7) {
            0 => {
                let mut order: Vec<isize> = (0..rank as isize).collect();
                for i in (1..rank).rev() {
                    order.swap(i, draw.below(i + 1));
                }
                Op::Permute(order)
            }
            1 => Op::Flip(self.axes(rank)),
            2 => {
                let axis = draw.below(rank);
                let start = draw.below(dims[axis] as usize) as isize;
                let end = start + 1 + draw.below((dims[axis] - start) as usize) as isize;
                Op::Slice { axis: axis as isize, start, end, step: 1 + draw.below(3) as isize }
            }
            3 => {
                let n = 1 + draw.below(4);
                let mut to: Vec<isize> = dims.iter().map(|&d| if d == 1 { n as isize } else { d }).collect();
                if to == dims || draw.one_in(3) {
                    to.insert(0, n as isize);
                }
                let numel: isize = to.iter().product();
                if numel as usize > MOST {
                    return None;
                }
                Op::Expand(to)
            }
            4 | 5 => Op::Reshape(reshaped(&dims, draw)),
            _ => Op::Unsqueeze(draw.below(rank + 1) as isize),
        };
        Some((op, vec![k]))
    }
}
/// Another shape of as many elements.
fn reshaped(dims: &[isize], draw: &mut Draw) -> Vec<isize> {
    let mut to = dims.to_vec();
    let at = draw.below(to.len());
    match draw.below(4) {
        0 => return vec![-1],
        1 => to.reverse(),
        2 if at > 0 => {
            to[at - 1] *= to[at];
            to.remove(at);
        }
        _ => {
            if let Some(d) = [2, 3, 5, 64].into_iter().find(|d| to[at] % d == 0 && to[at] > *d) {
                to[at] /= d;
                to.insert(at + draw.below(2), d);
            }
        }
    }
    to
}
