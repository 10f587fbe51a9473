//! One axis of a chart: which values it spans, where they lie, and round numbers to mark.

/// The axis of some values, laid along a stretch of the drawing.
pub(crate) struct Axis {
    /// The span, in logarithms to base ten if `log`.
    low: f64,
    high: f64,
    log: bool,
    /// Where `low` lies in the drawing.
    pub(crate) from: f64,
    /// Where `high` lies in the drawing.
    pub(crate) to: f64,
}

/// The least and the greatest; infinity and -infinity of none.
pub(crate) fn range(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)))
}

impl Axis {
    /// An axis that spans the finite ones of `values`.
    pub(crate) fn over(values: impl Iterator<Item = f64>, log: bool) -> Self {
        let (low, high) = range(values.filter_map(|value| scaled(value, log)));
        let middle = f64::midpoint(low, high);
        let (low, high) = match high - low {
            // Spans as wide as numbers go, or narrower than their digits, have no round numbers in them.
            span if span > f64::MIN_POSITIVE.max(1e-12 * middle.abs()) && span < f64::MAX / 2.0 => {
                (low, high)
            }
            span if span > f64::MAX / 4.0 => (low / 4.0, high / 4.0),
            // One value, or none at all: some room around it.
            _ if low.is_finite() => {
                let room = (1e-3 * middle.abs()).max(0.5);
                (middle - room, middle + room)
            }
            _ => (0.0, 1.0),
        };
        Self { low, high, log, from: 0.0, to: 1.0 }
    }

    /// The same from `from` to `to` in the drawing.
    pub(crate) fn on(self, from: f64, to: f64) -> Self {
        // Lines along the very edge would be cut in half.
        let room = 0.03 * (self.high - self.low);
        Self { low: self.low - room, high: self.high + room, from, to, ..self }
    }

    /// An axis of `count` cells of width 1, whose middles are 0, 1, 2, ...
    pub(super) fn cells(count: usize) -> Self {
        Self { low: -0.5, high: count.max(1) as f64 - 0.5, log: false, from: 0.0, to: 1.0 }
    }

    /// How many cells the axis has.
    pub(super) fn count(&self) -> usize {
        (self.high - self.low).round() as usize
    }

    /// The same from `from` to `to` in the drawing, without room at its ends.
    pub(super) fn along(self, from: f64, to: f64) -> Self {
        Self { from, to, ..self }
    }

    /// Where `value` lies in the drawing, if it can be shown.
    pub(crate) fn place(&self, value: f64) -> Option<f64> {
        scaled(value, self.log).map(|value| self.at(value))
    }

    fn at(&self, scaled: f64) -> f64 {
        self.from + (scaled - self.low) / (self.high - self.low) * (self.to - self.from)
    }

    /// Three to seven round numbers with their places.
    pub(crate) fn ticks(&self) -> Vec<(f64, String)> {
        if self.log { self.powers() } else { self.round(self.low, self.high, |value| self.at(value)) }
    }

    /// Multiples of a round step from `low` to `high`, each at its `place`.
    fn round(&self, low: f64, high: f64, place: impl Fn(f64) -> f64) -> Vec<(f64, String)> {
        let step = step((high - low) / 6.0);
        let decimals = (-step.log10().floor()).max(0.0) as usize;
        let multiples = (low / step).ceil() as i64..=(high / step).floor() as i64;
        let values = multiples.map(|i| i as f64 * step);
        values.map(|value| (place(value), format!("{value:.decimals$}"))).collect()
    }

    /// Powers of ten; with less than two of them 1, 2 and 5 times these, and multiples of a step where these are few.
    fn powers(&self) -> Vec<(f64, String)> {
        let tick = |exponent: f64| (self.at(exponent), power(exponent));
        let step = step((self.high - self.low) / 6.0).ceil();
        let (first, last) = ((self.low / step).ceil() as i64, (self.high / step).floor() as i64);
        if step > 1.0 || last - first > 1 {
            return (first..=last).map(|i| tick(i as f64 * step)).collect();
        }
        let decades = self.low.floor() as i64..=self.high.floor() as i64;
        let all = decades.flat_map(|i| [1.0f64, 2.0, 5.0].map(|factor| i as f64 + factor.log10()));
        let ticks: Vec<_> = all.filter(|at| (self.low..=self.high).contains(at)).map(tick).collect();
        let [low, high] = [self.low, self.high].map(|end| 10f64.powf(end));
        if ticks.len() > 2 || !(1e-3..1e4).contains(&low) {
            return ticks;
        }
        self.round(low, high, |value| self.at(value.log10()))
    }
}

fn scaled(value: f64, log: bool) -> Option<f64> {
    let value = if log { value.log10() } else { value };
    value.is_finite().then_some(value)
}

/// The next of 1, 2, 5, 10 times a power of ten.
fn step(least: f64) -> f64 {
    let power = 10f64.powf(least.log10().floor());
    let factor = [1.0, 2.0, 5.0, 10.0].into_iter().find(|factor| factor * power >= least * (1.0 - 1e-9));
    factor.unwrap_or(10.0) * power
}

/// Ten to the `exponent`, shortly; a small multiple of a power of ten.
fn power(exponent: f64) -> String {
    let value = 10f64.powf(exponent);
    if (1e-3..1e4).contains(&value) {
        return format!("{}", significant(value));
    }
    // The value itself may be too large or too small for a number.
    let whole = (exponent + 1e-9).floor();
    format!("{:.0}e{whole:.0}", 10f64.powf(exponent - whole))
}

/// `value` to two significant digits.
fn significant(value: f64) -> f64 {
    let unit = 10f64.powf(value.log10().floor() - 1.0);
    let digits = (value / unit).round();
    if unit < 1.0 { digits / unit.recip().round() } else { digits * unit }
}

#[cfg(test)]
mod tests {
    use super::Axis;

    fn texts(axis: &Axis) -> Vec<String> {
        axis.ticks().into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn ticks_are_round_and_inside() {
        let axis = Axis::over([0.0, 20.0].into_iter(), false).on(0.0, 100.0);
        assert_eq!(texts(&axis), ["0", "5", "10", "15", "20"]);
        assert!(axis.ticks().iter().all(|(at, _)| (0.0..=100.0).contains(at)));
        let axis = Axis::over([0.0, 1.0].into_iter(), false).on(0.0, 100.0);
        assert_eq!(texts(&axis), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        let axis = Axis::over([0.001, 10.0].into_iter(), true).on(0.0, 100.0);
        assert_eq!(texts(&axis), ["0.001", "0.01", "0.1", "1", "10"]);
        let axis = Axis::over([1.0, 64.0].into_iter(), true).on(0.0, 100.0);
        assert_eq!(texts(&axis), ["1", "2", "5", "10", "20", "50"]);
        let axis = Axis::over([1e4, 64e3].into_iter(), true).on(0.0, 100.0);
        assert_eq!(texts(&axis), ["1e4", "2e4", "5e4"]);
        let axis = Axis::over([0.9, 1.6].into_iter(), true).on(0.0, 100.0);
        assert_eq!(texts(&axis), ["1.0", "1.2", "1.4", "1.6"]);
    }

    #[test]
    fn what_cannot_be_shown_is_left_out() {
        let axis = Axis::over([f64::NAN, 0.0].into_iter(), true);
        assert_eq!((axis.place(f64::NAN), axis.place(0.0)), (None, None));
        assert_eq!(texts(&Axis::over(std::iter::empty(), false)), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
    }
}
