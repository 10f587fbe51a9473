//! A value over the steps of a run of any length, in bounded memory.
//!
//! Values are gathered in bins of equally many; when there are too many bins, neighbours become one. A bin keeps
//! mean, least and greatest, and how many were not finite, so that what is thinned out hides no spike.

use std::collections::HashMap;

/// The most bins of a track; an even number.
const MOST: usize = 256;

/// What some steps after each other had.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bin {
    pub(super) first: u64,
    pub(super) last: u64,
    /// Entries in all, with and without a value.
    entries: u64,
    /// Finite values.
    count: u64,
    /// Values that are infinite or NaN.
    pub(super) lost: u64,
    /// The mean of the finite values.
    mean: f64,
    low: f64,
    high: f64,
}

impl Bin {
    fn of(step: u64, value: Option<f64>) -> Self {
        let finite = value.filter(|value| value.is_finite());
        Self {
            first: step,
            last: step,
            entries: 1,
            count: finite.is_some().into(),
            lost: (value.is_some() && finite.is_none()).into(),
            mean: finite.unwrap_or(0.0),
            low: finite.unwrap_or(f64::INFINITY),
            high: finite.unwrap_or(f64::NEG_INFINITY),
        }
    }

    fn join(&mut self, next: &Self) {
        self.last = next.last;
        self.entries += next.entries;
        self.lost += next.lost;
        self.count += next.count;
        if self.count > 0 {
            // By shares, as the sum of huge values would be infinite.
            let share = next.count as f64 / self.count as f64;
            self.mean = self.mean * (1.0 - share) + next.mean * share;
        }
        (self.low, self.high) = (self.low.min(next.low), self.high.max(next.high));
    }

    /// Mean, least and greatest of the finite values; none without one.
    pub(super) fn values(&self) -> Option<[f64; 3]> {
        (self.count > 0).then_some([self.mean, self.low, self.high])
    }

    /// How the steps are called.
    pub(super) fn steps(&self) -> String {
        match (self.first, self.last) {
            (first, last) if first == last => format!("step {first}"),
            (first, last) => format!("steps {first} to {last}"),
        }
    }
}

/// The bins of one value, oldest first.
#[derive(Clone, Debug)]
pub(super) struct Track {
    bins: Vec<Bin>,
    /// Entries of a full bin.
    width: u64,
    latest: Option<f64>,
}

impl Default for Track {
    fn default() -> Self {
        Self { bins: Vec::new(), width: 1, latest: None }
    }
}

impl Track {
    /// One more entry; `None` is a step without a value.
    pub(super) fn push(&mut self, step: u64, value: Option<f64>) {
        self.latest = value;
        let bin = Bin::of(step, value);
        match self.bins.last_mut() {
            Some(last) if last.entries < self.width => last.join(&bin),
            _ => {
                if self.bins.len() == MOST {
                    self.bins = joined(&self.bins, 2);
                    self.width *= 2;
                }
                self.bins.push(bin);
            }
        }
    }

    pub(super) fn bins(&self) -> &[Bin] {
        &self.bins
    }

    /// At most `most` bins over the whole run.
    pub(super) fn thinned(&self, most: usize) -> Vec<Bin> {
        joined(&self.bins, self.bins.len().div_ceil(most.max(1)).max(1))
    }

    /// The value of the last entry.
    pub(super) fn latest(&self) -> Option<f64> {
        self.latest
    }
}

/// Each `group` bins as one.
fn joined(bins: &[Bin], group: usize) -> Vec<Bin> {
    let join = |group: &[Bin]| {
        let mut bin = group[0];
        group[1..].iter().for_each(|next| bin.join(next));
        bin
    };
    bins.chunks(group).map(join).collect()
}

/// Things by name, in the order of their first appearance.
#[derive(Clone, Debug)]
pub(super) struct Named<T> {
    items: Vec<(String, T)>,
    places: HashMap<String, usize>,
}

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self { items: Vec::new(), places: HashMap::new() }
    }
}

impl<T: Default> Named<T> {
    /// What has this name, new if there was none.
    pub(super) fn entry(&mut self, name: &str) -> &mut T {
        let place = self.places.get(name).copied().unwrap_or_else(|| {
            self.places.insert(name.to_owned(), self.items.len());
            self.items.push((name.to_owned(), T::default()));
            self.items.len() - 1
        });
        &mut self.items[place].1
    }
}

impl<T> Named<T> {
    pub(super) fn items(&self) -> &[(String, T)] {
        &self.items
    }
}

#[cfg(test)]
mod tests {
    use super::{Bin, MOST, Track};

    #[test]
    fn a_long_run_stays_small_and_keeps_its_spike() {
        let mut track = Track::default();
        for step in 0..100_000 {
            let value = match step {
                54_321 => 1e6,
                77_777 => f64::NAN,
                _ => 1.0,
            };
            track.push(step, Some(value));
        }
        let bins = track.bins();
        assert!((MOST / 2..=MOST).contains(&bins.len()), "{}", bins.len());
        assert_eq!((bins[0].first, bins[bins.len() - 1].last), (0, 99_999));
        assert!(bins.windows(2).all(|pair| pair[0].last + 1 == pair[1].first));
        let high = bins.iter().filter_map(Bin::values).map(|[.., high]| high).fold(0.0, f64::max);
        assert_eq!((high, bins.iter().map(|bin| bin.lost).sum::<u64>()), (1e6, 1));
        assert_eq!(bins.iter().map(|bin| bin.count).sum::<u64>(), 99_999);
        assert!(track.thinned(10).len() <= 10);
    }

    #[test]
    fn means_are_those_of_all_values() {
        let mut track = Track::default();
        (0..1000).for_each(|step| track.push(step, Some(step as f64)));
        let [mean, low, high] = track.thinned(1)[0].values().expect("values");
        assert!((mean - 499.5).abs() < 1e-9);
        assert_eq!((low, high), (0.0, 999.0));
    }

    #[test]
    fn steps_without_values_are_neither_lost_nor_zero() {
        let mut track = Track::default();
        track.push(3, None);
        assert_eq!((track.bins()[0].values(), track.bins()[0].lost), (None, 0));
    }
}
