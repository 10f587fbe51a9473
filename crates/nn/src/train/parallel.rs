//! Runs beside each other: small networks gain nothing from a second thread, several of them at once do.

use retrograd_tensor::with_threads;
use std::any::Any;
use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Mutex, PoisonError};
use std::thread;

/// What `f` gives for each item, in the order of `items`. As many calls run at once as there
/// are cores, each with its operations on one thread.
///
/// Made for runs that differ in a seed or a setting: each trains on its own thread, where PyTorch programs start a
/// process for each. The calls are on threads of their own, to which modes of the calling thread (`no_grad`, `eager`,
/// [`autocast`](crate::autocast()), [`attempt`](retrograd_tensor::attempt)) do not carry over: set them within `f`.
///
/// # Panics
/// If a call panics: with the message of the one that panicked first. Items not yet begun are dropped then.
///
/// ```
/// use retrograd_nn::prelude::*;
/// use retrograd_tensor::Rng;
/// let norms = par_map(0..4, |seed| {
///     let layer = Linear::new(8, 8, &mut Rng::new(seed));
///     layer.weight.square().sum(()).item()
/// });
/// let alone = Linear::new(8, 8, &mut Rng::new(2)).weight.square().sum(()).item();
/// assert_eq!((norms.len(), norms[2]), (4, alone));
/// ```
pub fn par_map<T: Send, R: Send>(items: impl IntoIterator<Item = T>, f: impl Fn(T) -> R + Sync) -> Vec<R> {
    let items: Vec<T> = items.into_iter().collect();
    let (count, workers) =
        (items.len(), thread::available_parallelism().map_or(1, NonZero::get).min(items.len()));
    let queue = Mutex::new(items.into_iter().enumerate().collect::<Vec<_>>().into_iter());
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
    let failure: Mutex<Option<Box<dyn Any + Send>>> = Mutex::new(None);
    let work = || {
        let mut done = Vec::new();
        while let Some((position, item)) = next() {
            match catch_unwind(AssertUnwindSafe(|| with_threads(1, || f(item)))) {
                Ok(result) => done.push((position, result)),
                Err(payload) => {
                    failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(payload);
                    while next().is_some() {}
                }
            }
        }
        done
    };
    let mut results: Vec<(usize, R)> = Vec::with_capacity(count);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            results.extend(worker.join().unwrap_or_else(|payload| resume_unwind(payload)));
        }
    });
    if let Some(payload) = failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        resume_unwind(payload);
    }
    results.sort_by_key(|(position, _)| *position);
    results.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::par_map;

    #[test]
    fn results_are_in_order() {
        assert_eq!(par_map(0..20, |i| i * i), (0..20).map(|i| i * i).collect::<Vec<_>>());
        assert!(par_map(Vec::<u8>::new(), |x| x).is_empty());
    }

    #[test]
    #[should_panic(expected = "item 3")]
    fn a_panic_goes_on_with_its_message() {
        par_map(0..50, |i| assert!(i != 3, "item {i}"));
    }
}
