//! Computations beside each other: small tensors gain nothing from a second thread, several computations at once do.
use crate::cpu::pool;
use crate::{dry, levels, mode, profile, replay, watch};
use std::sync::{Mutex, PoisonError};

/// What `f` gives for each item, in the order of `items`: as many calls at once as there are threads (see
/// [`with_threads`](crate::with_threads)), each with its operations on one thread.
///
/// Made for runs that differ in a seed or a setting, where PyTorch programs start a process for each, and for parts of a
/// batch that go their own ways for many steps. Whether calls record ([`no_grad`](crate::no_grad)) and whether they are
/// [`eager`](crate::eager) they have from the calling thread. Where this thread is watched (in a
/// [`profile`](crate::profile()), [`dry_run`](crate::memory::dry_run), `find_nan`, `vmap` or `remat`), and inside another
/// `par_map`, the calls come one after the other. While it goes on, operations of other threads have one thread each.
///
/// # Panics
/// If a call panics: with the message of the one that panicked first. Items not yet begun are dropped then.
///
/// ```
/// use retrograd_tensor::{F32, Rng, par_map};
/// let norm = |seed| F32.randn(100, &mut Rng::new(seed)).square().sum(()).item();
/// let norms = par_map(0..4, norm);
/// assert_eq!((norms.len(), norms[2]), (4, norm(2)));
/// ```
pub fn par_map<T: Send, R: Send>(items: impl IntoIterator<Item = T>, f: impl Fn(T) -> R + Sync) -> Vec<R> {
    if dry::counting() || profile::on() || watch::on() || levels::any_open() || replay::running() {
        return items.into_iter().map(f).collect();
    }
    let slots: Vec<Mutex<(Option<T>, Option<R>)>> =
        items.into_iter().map(|item| Mutex::new((Some(item), None))).collect();
    let modes = mode::current();
    pool::parallel(slots.len(), &|i| {
        let mut slot = slots[i].lock().unwrap_or_else(PoisonError::into_inner);
        let item = slot.0.take().expect("each part runs once");
        slot.1 = Some(pool::with_threads(1, || modes.within(|| f(item))));
    });
    let result = |slot: Mutex<(Option<T>, Option<R>)>| {
        slot.into_inner().unwrap_or_else(PoisonError::into_inner).1.expect("every part has run")
    };
    slots.into_iter().map(result).collect()
}

#[cfg(test)]
mod tests {
    use super::par_map;
    use crate::profile::profile;
    use crate::{F32, Rng, eager, force_all, memory, no_grad, with_threads};
    use std::thread::current;

    #[test]
    fn results_are_in_order() {
        assert_eq!(par_map(0..20, |i| i * i), (0..20).map(|i| i * i).collect::<Vec<_>>());
        assert!(par_map(Vec::<u8>::new(), |x| x).is_empty());
        assert_eq!(with_threads(1, || par_map(0..3, |_| current().id())), [current().id(); 3]);
    }

    #[test]
    #[should_panic(expected = "item 3")]
    fn a_panic_goes_on_with_its_message() {
        par_map(0..50, |i| assert!(i != 3, "item {i}"));
    }

    #[test]
    fn calls_are_in_the_modes_of_their_caller() {
        let seen = |n: usize| par_map(0..n, |_| (crate::mode::recording(), crate::mode::is_eager()));
        assert!(no_grad(|| seen(20)).iter().all(|&modes| modes == (false, false)));
        assert!(eager(|| seen(20)).iter().all(|&modes| modes == (true, true)));
    }

    #[test]
    fn what_is_watched_stays_on_its_thread() {
        let run = || {
            let x = F32.randn([64, 64], &mut Rng::new(1));
            let y = par_map(0..8, |i| (x.matmul(&x) + i as f32).sum(()));
            force_all(&y.iter().collect::<Vec<_>>());
        };
        let (_, profile) = profile(run);
        let flops: u64 = profile.lines().iter().map(|line| line.forward.flops).sum();
        assert!(flops >= 8 * 2 * 64 * 64 * 64, "{flops}");
        assert_eq!(memory::dry_run(run).calls, 9, "eight products and the draw");
    }
}
