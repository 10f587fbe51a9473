//! Schedules that go up and down, in cosines or straight lines.

use super::{Schedule, check};
use std::f64::consts::PI;

/// From `a` to `b` along half a cosine.
fn cosine(a: f64, b: f64, way: f64) -> f64 {
    b + (a - b) * (1.0 + (PI * way).cos()) / 2.0
}

/// η + (base - η)(1 + cos(π t / steps)) / 2: PyTorch's `CosineAnnealingLR` (Loshchilov and Hutter, 2017), with its
/// `T_max` steps. Beyond them the rate rises again.
///
/// ```
/// use retrograd_nn::schedule::{CosineAnnealingLr, Schedule};
/// let schedule = CosineAnnealingLr::new(10).eta_min(0.5);
/// assert_eq!([0, 5, 10].map(|step| schedule.lr(step, 1.5)), [1.5, 1.0, 0.5]);
/// ```
#[derive(Clone, Debug)]
pub struct CosineAnnealingLr {
    steps: u64,
    eta_min: f64,
}

impl CosineAnnealingLr {
    /// Down in so many steps.
    ///
    /// # Panics
    /// If there is no step.
    #[track_caller]
    pub fn new(steps: u64) -> Self {
        check("CosineAnnealingLr", steps > 0, "0 steps", "it takes one at least");
        Self { steps, eta_min: 0.0 }
    }

    /// The least rate; 0 by default.
    #[must_use]
    pub fn eta_min(self, eta_min: f64) -> Self {
        Self { eta_min, ..self }
    }
}

impl Schedule for CosineAnnealingLr {
    fn lr(&self, step: u64, base: f64) -> f64 {
        cosine(base, self.eta_min, step as f64 / self.steps as f64)
    }
}

/// [`CosineAnnealingLr`] that jumps back to the start at the end of each period: PyTorch's
/// `CosineAnnealingWarmRestarts`, with its `T_0` and `T_mult`.
///
/// ```
/// use retrograd_nn::schedule::{CosineAnnealingWarmRestarts, Schedule};
/// let schedule = CosineAnnealingWarmRestarts::new(2).mult(2);    // periods of 2, 4, 8 .. steps
/// assert_eq!([0, 2, 4, 6].map(|step| (schedule.lr(step, 1.0) * 10.0).round()), [10.0, 10.0, 5.0, 10.0]);
/// ```
#[derive(Clone, Debug)]
pub struct CosineAnnealingWarmRestarts {
    first: u64,
    mult: u64,
    eta_min: f64,
}

impl CosineAnnealingWarmRestarts {
    /// A first period of so many steps.
    ///
    /// # Panics
    /// If it has none.
    #[track_caller]
    pub fn new(first: u64) -> Self {
        check("CosineAnnealingWarmRestarts", first > 0, "a period of 0 steps", "it takes one at least");
        Self { first, mult: 1, eta_min: 0.0 }
    }

    /// The factor by which periods grow; 1 by default.
    ///
    /// # Panics
    /// If it is 0.
    #[must_use]
    #[track_caller]
    pub fn mult(self, mult: u64) -> Self {
        check("CosineAnnealingWarmRestarts", mult > 0, "mult 0", "it must be at least 1");
        Self { mult, ..self }
    }

    /// The least rate; 0 by default.
    #[must_use]
    pub fn eta_min(self, eta_min: f64) -> Self {
        Self { eta_min, ..self }
    }
}

impl Schedule for CosineAnnealingWarmRestarts {
    fn lr(&self, step: u64, base: f64) -> f64 {
        let (mut step, mut period) = (step, self.first);
        if self.mult == 1 {
            step %= period;
        }
        while step >= period {
            step -= period;
            period *= self.mult;
        }
        cosine(base, self.eta_min, step as f64 / period as f64)
    }
}

/// The line between two rates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Anneal {
    /// Half a cosine.
    #[default]
    Cos,
    /// A straight line.
    Linear,
}

impl Anneal {
    fn between(self, a: f64, b: f64, way: f64) -> f64 {
        match self {
            Self::Cos => cosine(a, b, way),
            Self::Linear => a + (b - a) * way,
        }
    }
}

/// One rise and one long fall: PyTorch's `OneCycleLR` (Smith and Topin, 2019). From max / div_factor to max, then to
/// the start divided by final_div_factor, while momentum goes the other way. The rates at the start count for
/// nothing, and after the last step the last rate stays.
///
/// ```
/// use retrograd_nn::schedule::{OneCycleLr, Schedule};
/// let schedule = OneCycleLr::new(0.5, 11).pct_start(0.5);
/// assert!((schedule.lr(0, 9.0) - 0.02).abs() < 1e-12);
/// assert_eq!(schedule.momentum(0), Some(0.95));
/// assert!(schedule.lr(10, 9.0) < 1e-5);
/// ```
#[derive(Clone, Debug)]
pub struct OneCycleLr {
    max_lr: f64,
    steps: u64,
    pct_start: f64,
    anneal: Anneal,
    momenta: Option<(f64, f64)>,
    div_factor: f64,
    final_div_factor: f64,
    three_phase: bool,
}

impl OneCycleLr {
    /// To this rate and down again in so many steps in all.
    ///
    /// # Panics
    /// If there is no step.
    #[track_caller]
    pub fn new(max_lr: f64, steps: u64) -> Self {
        check("OneCycleLr", steps > 0, "0 steps", "it takes one at least");
        let (div_factor, final_div_factor) = (25.0, 1e4);
        let momenta = Some((0.85, 0.95));
        let anneal = Anneal::Cos;
        Self {
            max_lr,
            steps,
            pct_start: 0.3,
            anneal,
            momenta,
            div_factor,
            final_div_factor,
            three_phase: false,
        }
    }

    /// The share of the rise in the steps; 0.3 by default.
    ///
    /// # Panics
    /// If it is outside [0, 1].
    #[must_use]
    #[track_caller]
    pub fn pct_start(self, pct_start: f64) -> Self {
        let ok = (0.0..=1.0).contains(&pct_start);
        check("OneCycleLr", ok, &format!("pct_start {pct_start}"), "it must be in [0, 1]");
        Self { pct_start, ..self }
    }

    /// The line of rise and fall; half a cosine by default.
    #[must_use]
    pub fn anneal(self, anneal: Anneal) -> Self {
        Self { anneal, ..self }
    }

    /// The least and the largest momentum, or none to leave momentum alone; (0.85, 0.95) by default.
    #[must_use]
    pub fn cycle_momentum(self, momenta: Option<(f64, f64)>) -> Self {
        Self { momenta, ..self }
    }

    /// What the largest rate is divided by at the start; 25 by default.
    #[must_use]
    pub fn div_factor(self, div_factor: f64) -> Self {
        Self { div_factor, ..self }
    }

    /// What the rate at the start is divided by at the end; 10⁴ by default.
    #[must_use]
    pub fn final_div_factor(self, final_div_factor: f64) -> Self {
        Self { final_div_factor, ..self }
    }

    /// Whether the fall is as short as the rise and ends at the start, and a third phase goes to the end.
    #[must_use]
    pub fn three_phase(self, three_phase: bool) -> Self {
        Self { three_phase, ..self }
    }

    /// The value at `step` of what goes through these values, one at the start and one at each phase's end.
    fn at(&self, step: u64, [start, top, back, end]: [f64; 4]) -> f64 {
        let rise = self.pct_start * self.steps as f64 - 1.0;
        let last = self.steps as f64 - 1.0;
        let phases = if self.three_phase {
            vec![(rise, start, top), (2.0 * rise, top, back), (last, back, end)]
        } else {
            vec![(rise, start, top), (last, top, end)]
        };
        let step = (step as f64).min(last);
        let mut from = 0.0;
        for (index, &(to, a, b)) in phases.iter().enumerate() {
            if step <= to || index + 1 == phases.len() {
                // A phase without length ends where it starts.
                let way = if to > from { (step - from) / (to - from) } else { 1.0 };
                return self.anneal.between(a, b, way);
            }
            from = to;
        }
        end
    }
}

impl Schedule for OneCycleLr {
    fn lr(&self, step: u64, _: f64) -> f64 {
        let start = self.max_lr / self.div_factor;
        self.at(step, [start, self.max_lr, start, start / self.final_div_factor])
    }

    fn momentum(&self, step: u64) -> Option<f64> {
        self.momenta.map(|(least, largest)| self.at(step, [largest, least, largest, largest]))
    }
}

/// How the height of a [`CyclicLr`] changes from cycle to cycle.
#[derive(Clone, Copy, Debug, Default)]
pub enum CyclicMode {
    /// Not at all.
    #[default]
    Triangular,
    /// It halves with each cycle.
    Triangular2,
    /// It falls with each step, by this factor.
    ExpRange(f64),
    /// A function of the cycle, counted from 1.
    Cycles(fn(f64) -> f64),
    /// A function of the step.
    Steps(fn(f64) -> f64),
}

impl CyclicMode {
    fn scale(self, step: u64, cycle: f64) -> f64 {
        match self {
            Self::Triangular => 1.0,
            Self::Triangular2 => 0.5f64.powf(cycle - 1.0),
            Self::ExpRange(gamma) => gamma.powf(step as f64),
            Self::Cycles(scale) => scale(cycle),
            Self::Steps(scale) => scale(step as f64),
        }
    }
}

/// Up and down in straight lines, again and again: PyTorch's `CyclicLR` (Smith, 2017), momentum the other way. The
/// rates at the start count for nothing.
///
/// ```
/// use retrograd_nn::schedule::{CyclicLr, CyclicMode, Schedule};
/// let schedule = CyclicLr::new(0.0, 1.0).step_sizes(2, 4).mode(CyclicMode::Triangular2);
/// assert_eq!([0, 2, 4, 8].map(|step| (schedule.lr(step, 9.0) * 100.0).round()), [0.0, 100.0, 50.0, 50.0]);
/// ```
#[derive(Clone, Debug)]
pub struct CyclicLr {
    base_lr: f64,
    max_lr: f64,
    up: u64,
    down: u64,
    mode: CyclicMode,
    momenta: Option<(f64, f64)>,
}

impl CyclicLr {
    /// Between these two rates.
    pub fn new(base_lr: f64, max_lr: f64) -> Self {
        let mode = CyclicMode::Triangular;
        Self { base_lr, max_lr, up: 2000, down: 2000, mode, momenta: Some((0.8, 0.9)) }
    }

    /// The steps up and the steps down; 2,000 each by default.
    ///
    /// # Panics
    /// If one of them is 0.
    #[must_use]
    #[track_caller]
    pub fn step_sizes(self, up: u64, down: u64) -> Self {
        check(
            "CyclicLr",
            up > 0 && down > 0,
            &format!("{up} steps up, {down} down"),
            "both take one at least",
        );
        Self { up, down, ..self }
    }

    /// How the height changes.
    #[must_use]
    pub fn mode(self, mode: CyclicMode) -> Self {
        Self { mode, ..self }
    }

    /// The least and the largest momentum, or none to leave momentum alone; (0.8, 0.9) by default.
    #[must_use]
    pub fn cycle_momentum(self, momenta: Option<(f64, f64)>) -> Self {
        Self { momenta, ..self }
    }

    /// The height at `step`, where 1 is the full one.
    fn height(&self, step: u64) -> f64 {
        let period = self.up + self.down;
        let at = step % period;
        let height =
            if at <= self.up { at as f64 / self.up as f64 } else { (period - at) as f64 / self.down as f64 };
        height * self.mode.scale(step, (1 + step / period) as f64)
    }
}

impl Schedule for CyclicLr {
    fn lr(&self, step: u64, _: f64) -> f64 {
        self.base_lr + (self.max_lr - self.base_lr) * self.height(step)
    }

    fn momentum(&self, step: u64) -> Option<f64> {
        self.momenta.map(|(least, largest)| largest - (largest - least) * self.height(step))
    }
}
