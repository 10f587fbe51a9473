//! L-BFGS: a quasi-Newton method with a limited memory, for whole data sets.
//!
//! A step evaluates the loss several times, so it takes a closure where other optimizers take gradients. Parameters
//! are one long vector here. `search` finds the length of a move along a line.

mod search;

use super::core::{gradient, refusal};
use super::state::entry;
use super::{Unused, rule};
use crate::module::{Module, SlotMut, StateDict};
use retrograd_autograd::Differentiate;
use retrograd_tensor::{DType, Error, ErrorKind, F64, Tensor, cat, no_grad, raise, stack};
use search::Point;

/// L-BFGS (Nocedal, 1980), by the algorithm of PyTorch's `LBFGS` and with its defaults.
///
/// Each iteration moves along -H g, where H is the inverse Hessian as far as the last `history_size` moves and
/// changes of the gradient show it: by the learning rate, or with `strong_wolfe` to a point that satisfies both of
/// Wolfe's conditions.
///
/// ```
/// use retrograd_nn::optim::Lbfgs;
/// use retrograd_nn::Param;
/// use retrograd_tensor::Tensor;
/// let mut p = Param::new(Tensor::from([3.0f64, -2.0]));
/// let mut lbfgs = Lbfgs::new(&p, 1.0).strong_wolfe(true);
/// let loss = |p: &Param| ((p - 1.0).square() * Tensor::from([1.0f64, 30.0])).sum(());
/// lbfgs.step(&mut p, loss)?;
/// assert!(loss(&p).item() < 1e-9);                           // where `tolerance_change` ends it
/// # Ok::<(), retrograd_tensor::Error>(())
/// ```
#[derive(Debug)]
pub struct Lbfgs {
    /// The learning rate: the length of a move, or where the search begins.
    pub lr: f64,
    max_iter: usize,
    max_eval: Option<usize>,
    tolerance_grad: f64,
    tolerance_change: f64,
    history_size: usize,
    strong_wolfe: bool,
    unused: Unused,
    len: usize,
    dtype: DType,
    memory: Option<Memory>,
}

/// What one iteration leaves to the next.
#[derive(Clone, Debug)]
struct Memory {
    iterations: u64,
    direction: Tensor,
    length: f64,
    grad: Tensor,
    /// The moves so far, and the change of the gradient over each.
    moves: Vec<Tensor>,
    changes: Vec<Tensor>,
    /// The inverse Hessian before the moves, a multiple of the identity.
    scale: f64,
}

impl Lbfgs {
    /// An optimizer of the trainable parameters of `model`; PyTorch's rate is 1.
    ///
    /// # Panics
    /// If the rate is negative or NaN.
    #[track_caller]
    pub fn new(model: &dyn Module, lr: f64) -> Self {
        if let Err(problem) = rule::at_least_0("lr", lr) {
            raise(Error::new("Lbfgs", ErrorKind::Value, problem));
        }
        let params = model.parameters();
        let trainable = params.iter().filter(|param| param.is_trainable());
        Self {
            lr,
            max_iter: 20,
            max_eval: None,
            tolerance_grad: 1e-7,
            tolerance_change: 1e-9,
            history_size: 100,
            strong_wolfe: false,
            unused: Unused::Error,
            len: trainable.map(|param| param.numel()).sum(),
            dtype: params.first().map_or(F64, |param| param.dtype()),
            memory: None,
        }
    }

    /// The most iterations of a step; 20 by default.
    #[must_use]
    pub fn max_iter(self, max_iter: usize) -> Self {
        Self { max_iter, ..self }
    }

    /// The most evaluations of a step; 5/4 of the iterations by default.
    #[must_use]
    pub fn max_eval(self, max_eval: usize) -> Self {
        Self { max_eval: Some(max_eval), ..self }
    }

    /// A step ends where no element of the gradient is larger; 10⁻⁷ by default.
    #[must_use]
    pub fn tolerance_grad(self, tolerance_grad: f64) -> Self {
        Self { tolerance_grad, ..self }
    }

    /// A step ends when neither loss nor parameters change by more; 10⁻⁹ by default.
    #[must_use]
    pub fn tolerance_change(self, tolerance_change: f64) -> Self {
        Self { tolerance_change, ..self }
    }

    /// How many moves are remembered; 100 by default.
    #[must_use]
    pub fn history_size(self, history_size: usize) -> Self {
        Self { history_size, ..self }
    }

    /// Whether the length of each move is searched for.
    #[must_use]
    pub fn strong_wolfe(self, strong_wolfe: bool) -> Self {
        Self { strong_wolfe, ..self }
    }

    /// What to do about parameters that the loss does not depend on: skipped ones count as having gradient 0.
    #[must_use]
    pub fn unused(self, unused: Unused) -> Self {
        Self { unused, ..self }
    }

    /// Moves the trainable parameters of `model` to where `loss` is smaller; returns the loss before.
    ///
    /// # Errors
    /// If a parameter has no usable gradient, or the parameters are not those that the optimizer was made for in
    /// number and type; the model is as before then.
    #[track_caller]
    pub fn step<M: Module>(
        &mut self,
        model: &mut M,
        loss: impl FnMut(&M) -> Tensor,
    ) -> Result<Tensor, Error> {
        let start = parameters(model);
        if start.numel() != self.len || start.dtype() != self.dtype {
            let (given, wanted) = (start.numel(), self.len);
            let detail = format!(
                "the model is another: {given} trainable {} numbers, not {wanted} {}",
                start.dtype(),
                self.dtype
            );
            return Err(Error::new("Lbfgs", ErrorKind::Shape, detail));
        }
        let before = self.memory.clone();
        let mut objective = Objective { model, loss, unused: self.unused };
        let outcome = self.iterate(&mut objective, start.clone());
        if outcome.is_err() {
            put(objective.model, &start);
            self.memory = before;
        }
        outcome
    }

    fn iterate<M: Module, F: FnMut(&M) -> Tensor>(
        &mut self,
        objective: &mut Objective<'_, M, F>,
        mut at: Tensor,
    ) -> Result<Tensor, Error> {
        let max_eval = self.max_eval.unwrap_or(self.max_iter * 5 / 4);
        let (first, mut grad) = objective.here()?;
        let mut loss = first.item();
        let mut evaluations = 1;
        if largest(&grad) <= self.tolerance_grad {
            return Ok(first);
        }
        for iteration in 1..=self.max_iter {
            let last = loss;
            let (direction, length) = self.direct(&grad);
            let slope = dot(&grad, &direction);
            if slope > -self.tolerance_change {
                break;
            }
            let mut moved = length;
            if self.strong_wolfe {
                let start = Point { t: 0.0, loss, grad: grad.clone(), slope };
                let size = largest(&direction);
                let mut along = |t: f64| objective.along(&at, &direction, t);
                let tolerance = self.tolerance_change / size;
                let most = max_eval.saturating_sub(evaluations);
                let (found, used) = search::strong_wolfe(&mut along, &start, length, tolerance, most)?;
                evaluations += used;
                (moved, loss, grad) = (found.t, found.loss, found.grad);
            }
            at = no_grad(|| &at + &direction * moved);
            put(objective.model, &at);
            if !self.strong_wolfe && iteration < self.max_iter {
                let here = objective.here()?;
                (loss, grad) = (here.0.item(), here.1);
                evaluations += 1;
            }
            if let Some(memory) = &mut self.memory {
                memory.length = moved;
            }
            let still = largest(&direction) * moved.abs() <= self.tolerance_change
                || (loss - last).abs() < self.tolerance_change;
            if evaluations >= max_eval || largest(&grad) <= self.tolerance_grad || still {
                break;
            }
        }
        Ok(first)
    }

    /// The direction of the next move and its length before any search, taking in what the last move showed.
    fn direct(&mut self, grad: &Tensor) -> (Tensor, f64) {
        let Some(memory) = &mut self.memory else {
            let direction = -grad;
            let length = (1.0 / grad.abs().sum(()).item()).min(1.0) * self.lr;
            let (grad, moves, changes) = (grad.clone(), Vec::new(), Vec::new());
            let direction_kept = direction.clone();
            let memory =
                Memory { iterations: 1, direction: direction_kept, length, grad, moves, changes, scale: 1.0 };
            self.memory = Some(memory);
            return (direction, length);
        };
        memory.iterations += 1;
        let change = grad - &memory.grad;
        let moved = &memory.direction * memory.length;
        let curvature = dot(&change, &moved);
        if curvature > 1e-10 {
            if memory.moves.len() == self.history_size {
                drop(memory.moves.remove(0));
                drop(memory.changes.remove(0));
            }
            memory.scale = curvature / dot(&change, &change);
            memory.moves.push(moved);
            memory.changes.push(change);
        }
        memory.direction = memory.two_loops(grad);
        memory.grad = grad.clone();
        memory.length = self.lr;
        (memory.direction.clone(), self.lr)
    }

    /// The memory: moves and changes of the gradient as rows, the last direction, length, gradient, and counts.
    pub fn state_dict(&self) -> StateDict {
        let Some(memory) = &self.memory else { return StateDict::new() };
        let rows = |rows: &[Tensor]| {
            if rows.is_empty() { self.dtype.zeros([0, self.len]) } else { stack(rows, 0) }
        };
        let entries = [
            ("n_iter", Tensor::from(memory.iterations as i64)),
            ("direction", memory.direction.clone()),
            ("length", Tensor::from(memory.length)),
            ("prev_grad", memory.grad.clone()),
            ("moves", rows(&memory.moves)),
            ("changes", rows(&memory.changes)),
            ("scale", Tensor::from(memory.scale)),
        ];
        entries.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// Continues from `state`: all of it, or none. An empty one begins anew.
    ///
    /// # Errors
    /// If an entry is missing or does not fit; nothing is changed then.
    pub fn load_state_dict(&mut self, state: &StateDict) -> Result<(), Error> {
        self.memory =
            if state.is_empty() { None } else { Some(self.read(state).map_err(|problem| unfit(&problem))?) };
        Ok(())
    }

    fn read(&self, state: &StateDict) -> Result<Memory, String> {
        let (vector, number) = (self.dtype.zeros([self.len]), F64.zeros([]));
        let count = state.get("moves").map_or(0, |moves| if moves.rank() == 2 { moves.size(0) } else { 0 });
        let table = self.dtype.zeros([count, self.len]);
        let rows = |name| {
            let table = entry(state, name, &table)?;
            Ok::<_, String>((0..count).map(|row| table.select(0, row as isize)).collect())
        };
        let iterations = entry(state, "n_iter", &Tensor::from(0i64))?.to_vec::<i64>()[0];
        let memory = Memory {
            iterations: u64::try_from(iterations).map_err(|_| "`n_iter` is negative".to_owned())?,
            direction: entry(state, "direction", &vector)?,
            length: entry(state, "length", &number)?.item(),
            grad: entry(state, "prev_grad", &vector)?,
            moves: rows("moves")?,
            changes: rows("changes")?,
            scale: entry(state, "scale", &number)?.item(),
        };
        if state.len() > 7 {
            return Err(format!("{} entries are unexpected", state.len() - 7));
        }
        Ok(memory)
    }
}

impl Memory {
    /// -H g, by the recursion that never writes H down.
    fn two_loops(&self, grad: &Tensor) -> Tensor {
        no_grad(|| {
            let pairs: Vec<(&Tensor, &Tensor)> = self.moves.iter().zip(&self.changes).collect();
            let mut direction = -grad;
            let mut shares = Vec::with_capacity(pairs.len());
            for (moved, change) in pairs.iter().rev() {
                let curvature = dot(change, moved);
                let share = dot(moved, &direction) / curvature;
                direction -= *change * share;
                shares.push((share, curvature));
            }
            direction *= self.scale;
            for ((moved, change), (share, curvature)) in pairs.into_iter().zip(shares.into_iter().rev()) {
                let other = dot(change, &direction) / curvature;
                direction += moved * (share - other);
            }
            direction.detach()
        })
    }
}

/// The loss as a function of the one long vector.
struct Objective<'m, M, F> {
    model: &'m mut M,
    loss: F,
    unused: Unused,
}

impl<M: Module, F: FnMut(&M) -> Tensor> Objective<'_, M, F> {
    /// Loss and gradient at the model's parameters.
    fn here(&mut self) -> Result<(Tensor, Tensor), Error> {
        let loss = (self.loss)(self.model);
        let grads = loss.backward();
        let (mut parts, mut problems) = (Vec::new(), Vec::new());
        for (name, param) in self.model.named_parameters() {
            if !param.is_trainable() {
                continue;
            }
            match gradient(&name, param, &grads, self.unused) {
                Ok(grad) => parts.push(grad.map_or_else(|| param.zeros_like(), Tensor::clone).flatten(0, -1)),
                Err(problem) => problems.push(problem),
            }
        }
        if !problems.is_empty() {
            return Err(refusal("Lbfgs", parts.len() + problems.len(), &problems));
        }
        Ok((loss.detach(), cat(&parts, 0).detach()))
    }

    /// The point at the distance `t` from `at` along `direction`.
    fn along(&mut self, at: &Tensor, direction: &Tensor, t: f64) -> Result<Point, Error> {
        put(self.model, &no_grad(|| at + direction * t));
        let (loss, grad) = self.here()?;
        let slope = dot(&grad, direction);
        Ok(Point { t, loss: loss.item(), grad, slope })
    }
}

/// The trainable parameters of `model` as one vector.
fn parameters(model: &dyn Module) -> Tensor {
    let params = model.parameters().into_iter().filter(|param| param.is_trainable());
    let parts: Vec<Tensor> = params.map(|param| param.value().detach().flatten(0, -1)).collect();
    if parts.is_empty() { F64.zeros([0]) } else { cat(&parts, 0) }
}

/// Puts the elements of `flat` into the trainable parameters of `model`.
fn put(model: &mut dyn Module, flat: &Tensor) {
    let mut from = 0;
    model.visit_mut("", &mut |_, slot| {
        let SlotMut::Param(param) = slot else { return };
        if !param.is_trainable() {
            return;
        }
        let len = param.numel();
        let value = flat.narrow(0, from, len).reshape(param.shape());
        drop(param.replace(&value));
        from += len;
    });
}

fn dot(a: &Tensor, b: &Tensor) -> f64 {
    (a * b).sum(()).item()
}

fn largest(x: &Tensor) -> f64 {
    if x.numel() == 0 { 0.0 } else { x.abs().amax(()).item() }
}

fn unfit(problem: &str) -> Error {
    Error::new(
        "Lbfgs",
        ErrorKind::Format,
        format!("state does not fit: {problem}; the optimizer is unchanged"),
    )
}
