//! How the elements of a tensor are distributed, and snapshots of that over a run.

use crate::chart::range;
use retrograd_tensor::{F64, Tensor, no_grad};

/// The most snapshots of a run; an even number.
const MOST: usize = 12;

/// Counts of the elements of a tensor in equally wide bins between the least and the greatest finite one.
///
/// A bin holds its left edge and not its right one, but for the last, which holds both. Sums are `f64`.
///
/// ```
/// use retrograd_nn::report::Histogram;
/// use retrograd_tensor::Tensor;
/// let histogram = Histogram::of(&Tensor::from([0.0f32, 0.1, 0.5, 1.0, f32::NAN]), 2);
/// assert_eq!(histogram.counts(), [2, 2]);
/// assert_eq!(histogram.edges(), [0.0, 0.5, 1.0]);
/// assert_eq!((histogram.total(), histogram.not_finite()), (4, 1));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram {
    low: f64,
    high: f64,
    counts: Vec<u64>,
    not_finite: u64,
    sum: f64,
    sum_of_squares: f64,
    std: f64,
}

impl Histogram {
    /// That of the elements of `x`, of any shape and type, in `bins` bins; in one if they all are equal, in none if
    /// none is finite.
    ///
    /// ```
    /// use retrograd_nn::report::Histogram;
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Histogram::of(&Tensor::zeros([3]), 10).counts(), [3]);
    /// ```
    #[track_caller]
    pub fn of(x: &Tensor, bins: usize) -> Self {
        Self::of_values(&no_grad(|| x.cast(F64).to_vec::<f64>()), bins)
    }

    fn of_values(values: &[f64], bins: usize) -> Self {
        let finite = || values.iter().copied().filter(|value| value.is_finite());
        let (low, high) = range(finite());
        let number = finite().count();
        let bins = match number {
            0 => 0,
            _ if low == high => 1,
            _ => bins.max(1),
        };
        let (low, high) = if number == 0 { (0.0, 0.0) } else { (low, high) };
        let sum: f64 = finite().sum();
        let mean = sum / number.max(1) as f64;
        let deviation: f64 = finite().map(|value| (value - mean).powi(2)).sum();
        let mut histogram = Self {
            low,
            high,
            counts: vec![0; bins],
            not_finite: (values.len() - number) as u64,
            sum,
            sum_of_squares: finite().map(|value| value * value).sum(),
            std: (deviation / number.max(1) as f64).sqrt(),
        };
        for value in finite() {
            let bin = histogram.bin(value);
            histogram.counts[bin] += 1;
        }
        histogram
    }

    /// The bin of a finite value within the range.
    fn bin(&self, value: f64) -> usize {
        let last = self.counts.len() - 1;
        let guess = (value / self.width() - self.low / self.width()) as usize;
        let mut bin = guess.min(last);
        // The division may round to the other side of an edge.
        while bin > 0 && value < self.edge(bin) {
            bin -= 1;
        }
        while bin < last && value >= self.edge(bin + 1) {
            bin += 1;
        }
        bin
    }

    fn width(&self) -> f64 {
        let bins = self.counts.len() as f64;
        self.high / bins - self.low / bins
    }

    /// Edge number `i`, the last being exactly the greatest value.
    fn edge(&self, i: usize) -> f64 {
        let edge = if i == self.counts.len() { self.high } else { self.low + i as f64 * self.width() };
        edge.min(self.high)
    }

    /// How many elements each bin holds.
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// The edges of the bins, one more than there are bins; none without bins.
    pub fn edges(&self) -> Vec<f64> {
        match self.counts.len() {
            0 => Vec::new(),
            bins => (0..=bins).map(|i| self.edge(i)).collect(),
        }
    }

    /// How many finite elements there are.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// How many elements are infinite or NaN; no bin holds them.
    pub fn not_finite(&self) -> u64 {
        self.not_finite
    }

    /// The least finite element; 0 without one.
    pub fn low(&self) -> f64 {
        self.low
    }

    /// The greatest finite element; 0 without one.
    pub fn high(&self) -> f64 {
        self.high
    }

    /// The mean of the finite elements; NaN without one.
    ///
    /// ```
    /// use retrograd_nn::report::Histogram;
    /// use retrograd_tensor::Tensor;
    /// let histogram = Histogram::of(&Tensor::from([1.0f32, 3.0]), 10);
    /// assert_eq!((histogram.mean(), histogram.std(), histogram.sum()), (2.0, 1.0, 4.0));
    /// assert_eq!((histogram.low(), histogram.high(), histogram.sum_of_squares()), (1.0, 3.0, 10.0));
    /// ```
    pub fn mean(&self) -> f64 {
        self.sum / self.total() as f64
    }

    /// The standard deviation of the finite elements, with their number as the divisor; 0 without one.
    pub fn std(&self) -> f64 {
        self.std
    }

    /// The sum of the finite elements.
    pub fn sum(&self) -> f64 {
        self.sum
    }

    /// The sum of the squares of the finite elements.
    pub fn sum_of_squares(&self) -> f64 {
        self.sum_of_squares
    }
}

/// Histograms at some steps of a run, evenly spread over its calls, and the latest one.
#[derive(Clone, Debug)]
pub(super) struct Snapshots {
    kept: Vec<(u64, Histogram)>,
    /// The last call's, if it is not kept.
    latest: Option<(u64, Histogram)>,
    /// One call of so many is kept.
    every: usize,
    calls: usize,
}

impl Default for Snapshots {
    fn default() -> Self {
        Self { kept: Vec::new(), latest: None, every: 1, calls: 0 }
    }
}

impl Snapshots {
    pub(super) fn push(&mut self, step: u64, histogram: Histogram) {
        if self.calls.is_multiple_of(self.every) {
            if self.kept.len() == MOST {
                let mut position = 0;
                self.kept.retain(|_| {
                    position += 1;
                    position % 2 == 1
                });
                self.every *= 2;
            }
            // With `MOST` even, this call is one of those that the wider spacing keeps.
            self.kept.push((step, histogram));
            self.latest = None;
        } else {
            self.latest = Some((step, histogram));
        }
        self.calls += 1;
    }

    /// The snapshots, oldest first.
    pub(super) fn all(&self) -> Vec<&(u64, Histogram)> {
        self.kept.iter().chain(&self.latest).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{Histogram, MOST, Snapshots};

    #[test]
    fn every_value_lies_between_the_edges_of_its_bin() {
        let values = (0..10_000).map(|i| f64::from(i * 7919 % 1000) / 1000.0).collect::<Vec<_>>();
        for bins in [1, 3, 10, 64, 1000] {
            let histogram = Histogram::of_values(&values, bins);
            let edges = histogram.edges();
            for (bin, &count) in histogram.counts().iter().enumerate() {
                let inside = |v: &&f64| {
                    **v >= edges[bin] && (**v < edges[bin + 1] || bin + 1 == bins && **v == edges[bins])
                };
                assert_eq!(count, values.iter().filter(inside).count() as u64, "bin {bin} of {bins}");
            }
            assert_eq!(histogram.total(), 10_000);
        }
    }

    #[test]
    fn extreme_ranges_lose_no_element() {
        for values in [[-f64::MAX, f64::MAX], [0.0, 5e-324], [1.0, 1.0 + f64::EPSILON], [1e300, 1e300]] {
            let histogram = Histogram::of_values(&values, 64);
            assert_eq!(histogram.total(), 2, "{values:?}");
            assert_eq!((histogram.low(), histogram.high()), (values[0], values[1]));
            assert!(histogram.edges().iter().all(|edge| edge.is_finite()));
            assert!(histogram.edges().is_sorted());
        }
        let nothing = Histogram::of_values(&[f64::NAN, f64::INFINITY], 64);
        assert_eq!((nothing.total(), nothing.not_finite(), nothing.edges().len()), (0, 2, 0));
    }

    #[test]
    fn snapshots_are_spread_over_the_run() {
        let mut snapshots = Snapshots::default();
        (0..1000).for_each(|step| snapshots.push(step, Histogram::of_values(&[step as f64], 4)));
        let steps = snapshots.all().iter().map(|(step, _)| *step).collect::<Vec<_>>();
        assert!(steps.len() > MOST / 2 && steps.len() <= MOST + 1, "{steps:?}");
        assert_eq!((steps[0], steps[steps.len() - 1]), (0, 999));
        let gaps = steps.windows(2).map(|pair| pair[1] - pair[0]).collect::<Vec<_>>();
        assert!(gaps[..gaps.len() - 1].iter().all(|gap| *gap == gaps[0]), "{steps:?}");
    }
}
