//! Layers and directions of a recurrent network, with their parameters under PyTorch's names.

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

    /// What the last layer gives at all steps, and the last states of all, with the last cells of an `Lstm`.
    #[track_caller]
    pub(super) fn forward(&self, x: &Tensor, start: [Option<&Tensor>; 2]) -> (Tensor, [Tensor; 2]) {
        let batch_first = self.options.batch_first;
        // Only products are made of half numbers, where `autocast` is on: states gather rounding errors from step to step.
        let x = &high(x);
        let start = start.map(|state| state.map(high));
        let start = start.each_ref().map(Option::as_ref);
        self.check_input(x);
        if x.rank() == 2 {
            let axis = isize::from(!batch_first);
            let start = start.map(|state| state.map(|state| state.unsqueeze(1)));
            let (y, last) = self.forward(&x.unsqueeze(axis), [start[0].as_ref(), start[1].as_ref()]);
            return (y.squeeze(axis), last.map(|state| state.squeeze(1)));
        }
        let batch = x.size(if batch_first { 0 } else { 1 });
        let starts = [self.width(), self.hidden].map(|size| [self.parts.len(), batch, size]);
        for (state, shape) in start.into_iter().zip(starts) {
            self.check_state(state, &shape, x.dtype());
        }

        let (mut x, mut steps_last) = (x.clone(), batch_first);
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
                let y = self.scan(index, &x, steps_last, back, [at(0), at(1)]);
                let end = y.select(0, -1);
                last[0].push(end.narrow(-1, 0, self.width()));
                if self.kind == Kind::Lstm {
                    last[1].push(end.narrow(-1, self.width(), self.hidden));
                }
                let states = y.narrow(-1, 0, self.width());
                sides.push(if back { states.flip(0) } else { states });
            }
            x = if sides.len() == 1 { sides.remove(0) } else { cat(&sides, -1) };
            steps_last = false;
        }
        let y = if batch_first { x.transpose(0, 1) } else { x };
        let [h, c] = last;
        let h = stack(&h, 0);
        let c = if c.is_empty() { h.clone() } else { stack(&c, 0) };
        (y, [h, c])
    }

    /// One layer in one direction: `[steps, batch, ..]`, in the order in which the steps are read.
    #[track_caller]
    fn scan(&self, index: usize, x: &Tensor, steps_last: bool, back: bool, [h, c]: [Tensor; 2]) -> Tensor {
        let part = &self.parts[index];
        // Biases that are only added are added once; that of a `Gru`'s states is multiplied by a gate.
        let (inner, outer) = match &part.biases {
            None => (None, None),
            Some([ih, hh]) if self.kind == Kind::Gru => (Some(hh.value().clone()), Some(ih.value().clone())),
            Some([ih, hh]) => (None, Some(ih + hh)),
        };
        // The input is turned rather than its product, which is larger, as is the gradient of that.
        let turned = steps_last.then(|| x.transpose(0, 1).contiguous());
        let mut xw = high(&linear(turned.as_ref().unwrap_or(x), &part.weight_ih, outer.as_ref()));
        if back {
            xw = xw.flip(0);
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
