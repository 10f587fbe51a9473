//! Layers and directions of a recurrent network, with their parameters under PyTorch's names.

use super::padded::Ends;
use super::{Recurrent, Squash, steps};
use crate::autocast::{high, linear};
use crate::layers::{Dropout, uniform_param};
use crate::module::{Module, Slot, SlotMut, join};
use crate::param::Param;
use retrograd_tensor::{DType, Error, ErrorKind, Rng, Tensor, cat, raise, stack};

/// Which recurrence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Rnn(Squash),
    Gru,
    Lstm,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::Rnn(_) => "Rnn",
            Kind::Gru => "Gru",
            Kind::Lstm => "Lstm",
        }
    }

    /// How many rows of a weight belong to a number of the state.
    pub(super) fn gates(self) -> usize {
        match self {
            Kind::Rnn(_) => 1,
            Kind::Gru => 3,
            Kind::Lstm => 4,
        }
    }
}

/// The parameters of one layer in one direction.
#[derive(Clone, Debug)]
struct Part {
    weight_ih: Param,
    weight_hh: Param,
    biases: Option<[Param; 2]>,
    weight_hr: Option<Param>,
}

impl Part {
    #[track_caller]
    fn new(kind: Kind, inputs: usize, hidden: usize, options: &Recurrent, rng: &mut Rng) -> Self {
        let rows = kind.gates() * hidden;
        let mut param = |shape: &[usize]| uniform_param(shape, hidden, rng);
        Self {
            weight_ih: param(&[rows, inputs]),
            weight_hh: param(&[rows, options.projection.unwrap_or(hidden)]),
            biases: options.bias.then(|| [param(&[rows]), param(&[rows])]),
            weight_hr: options.projection.map(|size| param(&[size, hidden])),
        }
    }

    fn named(&self) -> impl Iterator<Item = (&'static str, &Param)> {
        let [ih, hh] = self.biases.as_ref().map_or([None, None], |[ih, hh]| [Some(ih), Some(hh)]);
        let all = [
            ("weight_ih", Some(&self.weight_ih)),
            ("weight_hh", Some(&self.weight_hh)),
            ("bias_ih", ih),
            ("bias_hh", hh),
            ("weight_hr", self.weight_hr.as_ref()),
        ];
        all.into_iter().filter_map(|(name, param)| Some((name, param?)))
    }

    fn named_mut(&mut self) -> impl Iterator<Item = (&'static str, &mut Param)> {
        let [ih, hh] = self.biases.as_mut().map_or([None, None], |[ih, hh]| [Some(ih), Some(hh)]);
        let all = [
            ("weight_ih", Some(&mut self.weight_ih)),
            ("weight_hh", Some(&mut self.weight_hh)),
            ("bias_ih", ih),
            ("bias_hh", hh),
            ("weight_hr", self.weight_hr.as_mut()),
        ];
        all.into_iter().filter_map(|(name, param)| Some((name, param?)))
    }
}

/// A recurrent network.
#[derive(Clone, Debug)]
pub(super) struct Stack {
    kind: Kind,
    inputs: usize,
    hidden: usize,
    options: Recurrent,
    /// Layer by layer, forward and backward.
    parts: Vec<Part>,
    dropout: Option<Dropout>,
}

impl Module for Stack {
    fn visit<'a>(&'a self, path: &str, f: &mut dyn FnMut(&str, Slot<'a>)) {
        for (index, part) in self.parts.iter().enumerate() {
            let suffix = self.suffix(index);
            part.named().for_each(|(name, param)| param.visit(&join(path, &format!("{name}{suffix}")), f));
        }
        self.dropout.visit(&join(path, "dropout"), f);
    }

    fn visit_mut<'a>(&'a mut self, path: &str, f: &mut dyn FnMut(&str, SlotMut<'a>)) {
        let suffixes: Vec<String> = (0..self.parts.len()).map(|index| self.suffix(index)).collect();
        for (part, suffix) in self.parts.iter_mut().zip(suffixes) {
            part.named_mut()
                .for_each(|(name, param)| param.visit_mut(&join(path, &format!("{name}{suffix}")), f));
        }
        self.dropout.visit_mut(&join(path, "dropout"), f);
    }
}

impl Stack {
    #[track_caller]
    pub(super) fn new(kind: Kind, inputs: usize, hidden: usize, options: Recurrent, rng: &mut Rng) -> Self {
        check_options(kind, hidden, &options);
        let directions = 1 + usize::from(options.bidirectional);
        let between = options.projection.unwrap_or(hidden) * directions;
        let inputs_of = |index: usize| if index < directions { inputs } else { between };
        let parts = (0..options.layers * directions)
            .map(|index| Part::new(kind, inputs_of(index), hidden, &options, rng))
            .collect();
        let dropout = Dropout::unless_never(options.dropout, rng);
        Self { kind, inputs, hidden, options, parts, dropout }
    }

    pub(super) fn of_kind(self, kind: Kind) -> Self {
        Self { kind, ..self }
    }

    fn directions(&self) -> usize {
        1 + usize::from(self.options.bidirectional)
    }

    fn suffix(&self, index: usize) -> String {
        let back = if index % self.directions() == 1 { "_reverse" } else { "" };
        format!("_l{}{back}", index / self.directions())
    }

    /// The size of what a direction gives at a step.
    fn width(&self) -> usize {
        self.options.projection.unwrap_or(self.hidden)
    }

    /// What the last layer gives at all steps, and the last states of all, with the last cells of an `Lstm`; of
    /// sequences that end where `lengths` say, if there are any.
    #[track_caller]
    pub(super) fn forward(
        &self,
        x: &Tensor,
        lengths: Option<&[usize]>,
        start: [Option<&Tensor>; 2],
    ) -> (Tensor, [Tensor; 2]) {
        let batch_first = self.options.batch_first;
        // Only products are made of half numbers, where `autocast` is on: states gather rounding errors from step to step.
        let x = &high(x);
        let start = start.map(|state| state.map(high));
        let start = start.each_ref().map(Option::as_ref);
        self.check_input(x);
        if x.rank() == 2 {
            let axis = isize::from(!batch_first);
            let start = start.map(|state| state.map(|state| state.unsqueeze(1)));
            let start = [start[0].as_ref(), start[1].as_ref()];
            let (y, last) = self.forward(&x.unsqueeze(axis), lengths, start);
            return (y.squeeze(axis), last.map(|state| state.squeeze(1)));
        }
        let (steps, batch) = if batch_first { (x.size(1), x.size(0)) } else { (x.size(0), x.size(1)) };
        let ends = match lengths {
            Some(lengths) => Ends::new(self.kind.name(), lengths, steps, batch),
            None => None,
        };
        let starts = [self.width(), self.hidden].map(|size| [self.parts.len(), batch, size]);
        for (state, shape) in start.into_iter().zip(starts) {
            self.check_state(state, &shape, x.dtype());
        }

        // The input is turned rather than its product, which is larger, as is the gradient of that.
        let mut x = if batch_first { x.transpose(0, 1).contiguous() } else { x.clone() };
        if let Some(ends) = &ends {
            x = ends.fill(&x, 0.0);
        }
        let mut last = [vec![], vec![]];
        for layer in 0..self.options.layers {
            if let (Some(dropout), true) = (&self.dropout, layer > 0) {
                x = dropout.forward(&x);
            }
            let mut sides = Vec::with_capacity(2);
            for back in [false, true].into_iter().take(self.directions()) {
                let index = layer * self.directions() + usize::from(back);
                let at = |which: usize| {
                    let zeros = || x.dtype().zeros(&starts[which][1..]);
                    start[which].map_or_else(zeros, |state| state.select(0, index))
                };
                let y = self.scan(index, &x, ends.as_ref(), back, [at(0), at(1)]);
                let end = ends.as_ref().map_or_else(|| y.select(0, -1), |ends| ends.last(&y));
                last[0].push(end.narrow(-1, 0, self.width()));
                if self.kind == Kind::Lstm {
                    last[1].push(end.narrow(-1, self.width(), self.hidden));
                }
                let states = y.narrow(-1, 0, self.width());
                sides.push(if back { turn(&states, ends.as_ref()) } else { states });
            }
            x = if sides.len() == 1 { sides.remove(0) } else { cat(&sides, -1) };
            if let Some(ends) = &ends {
                x = ends.fill(&x, 0.0);
            }
        }
        let y = if batch_first { x.transpose(0, 1) } else { x };
        let [h, c] = last;
        let h = stack(&h, 0);
        let c = if c.is_empty() { h.clone() } else { stack(&c, 0) };
        (y, [h, c])
    }

    /// One layer in one direction: `[steps, batch, ..]`, in the order in which the steps are read.
    #[track_caller]
    fn scan(&self, index: usize, x: &Tensor, ends: Option<&Ends>, back: bool, [h, c]: [Tensor; 2]) -> Tensor {
        let part = &self.parts[index];
        // Biases that are only added are added once; that of a `Gru`'s states is multiplied by a gate.
        let (inner, outer) = match &part.biases {
            None => (None, None),
            Some([ih, hh]) if self.kind == Kind::Gru => (Some(hh.value().clone()), Some(ih.value().clone())),
            Some([ih, hh]) => (None, Some(ih + hh)),
        };
        let mut xw = high(&linear(x, &part.weight_ih, outer.as_ref()));
        if back {
            xw = turn(&xw, ends);
        }
        // Past its end a sequence's states are dropped, but must stay finite, or cotangents of zero become NaN there: the
        // others are bounded or grow by a step's share, those of `relu` may grow without bound unless put out.
        if let (Kind::Rnn(Squash::Relu), Some(ends)) = (self.kind, ends) {
            xw = ends.fill(&xw, f64::NEG_INFINITY);
        }
        match self.kind {
            Kind::Rnn(squash) => steps::rnn::scan(squash, &xw, &part.weight_hh, &h),
            Kind::Gru => steps::gru::scan(&xw, &part.weight_hh, &h, inner.as_ref()),
            Kind::Lstm => steps::lstm::scan(&xw, &part.weight_hh, &h, &c, part.weight_hr.as_deref()),
        }
    }

    #[track_caller]
    fn check_input(&self, x: &Tensor) {
        let (name, axes) =
            (self.kind.name(), if self.options.batch_first { "batch, steps" } else { "steps, batch" });
        let fits = (x.rank() == 2 || x.rank() == 3) && x.shape().last() == Some(&self.inputs);
        let steps = if self.options.batch_first && x.rank() == 3 { 1 } else { 0 };
        if !fits || x.size(steps) == 0 {
            let takes = format!("{name}({}, {}) takes [{axes}, {}]", self.inputs, self.hidden, self.inputs);
            let detail = format!("input does not fit: shape {}; {takes}, with a step or more", x.shape());
            raise(Error::new(name, ErrorKind::Shape, detail));
        }
    }

    #[track_caller]
    fn check_state(&self, state: Option<&Tensor>, shape: &[usize], dtype: DType) {
        let Some(state) = state else { return };
        if state.shape()[..] != *shape || state.dtype() != dtype {
            let given = format!("{} {}", state.dtype(), state.shape());
            let detail = format!("first states do not fit: {given}; they must be {dtype} {shape:?}");
            raise(Error::new(self.kind.name(), ErrorKind::Shape, detail));
        }
    }
}

/// The steps in the other order, of each sequence up to its own end.
#[track_caller]
fn turn(x: &Tensor, ends: Option<&Ends>) -> Tensor {
    ends.map_or_else(|| x.flip(0), |ends| ends.turn(x))
}

#[track_caller]
fn check_options(kind: Kind, hidden: usize, options: &Recurrent) {
    let wrong = match options.projection {
        _ if options.layers == 0 => "no layers: 0 asked for; there must be one or more".to_owned(),
        Some(size) if kind != Kind::Lstm || size == 0 || size >= hidden => {
            let right = "an Lstm can have one, smaller than its states";
            format!("projection does not fit: to {size} from {hidden}; {right}")
        }
        _ => return,
    };
    raise(Error::new(kind.name(), ErrorKind::Value, wrong));
}
