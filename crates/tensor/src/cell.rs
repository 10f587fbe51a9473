//! The lock protocol of lazy values, apart from what is computed.
//!
//! A [`Cell`] is pending (a recipe behind a lock) or ready (a result, set once). Three rules make lazy values
//! safe to share between threads without computing anything twice:
//!
//! 1. Whoever computes locks every pending cell of its graph, consumers before producers (in decreasing id:
//!    one global order, so no deadlock), and keeps the locks until the results are published. Overlapping
//!    computations wait; the second finds the value ready.
//! 2. Holders are counted here, not read off an `Arc`: `held` counts user and operand handles, `saved` those
//!    inside tape records. A cell all of whose holders are operands of locked cells is unreachable for other
//!    threads, so its buffer may be overwritten: [`Cell::only_held_by`], with the acquire that pairs with the
//!    release of every dropped handle.
//! 3. A recipe leaves its cell only when the result is in: [`Guard::publish`]. A computation that unwinds
//!    releases its locks and leaves everything pending.
//!
//! The loom model of these rules runs this very code (`cell/model.rs`, built with `--cfg loom`).
#[cfg(loom)]
use loom::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicU64, Ordering},
};
use std::sync::OnceLock;
#[cfg(not(loom))]
use std::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicU64, Ordering},
};

#[cfg(all(test, loom))]
mod model;

/// One saved handle in the packed counter; a held handle is 1.
const SAVED: u64 = 1 << 32;

pub(crate) struct Cell<P, R> {
    counts: AtomicU64,
    /// 0 when ready, else what computing would cost (see `value`); changed under the lock only, and 0 for ever.
    cost: AtomicU64,
    pending: Mutex<Option<P>>,
    ready: OnceLock<R>,
}
/// A locked cell that is still pending.
pub(crate) struct Guard<'a, P, R> {
    cell: &'a Cell<P, R>,
    recipe: MutexGuard<'a, Option<P>>,
}

impl<P, R> Cell<P, R> {
    /// A pending cell. `cost` is not 0.
    #[inline]
    pub(crate) fn pending(recipe: P, cost: u64) -> Self {
        Cell {
            counts: AtomicU64::new(0),
            cost: AtomicU64::new(cost),
            pending: Mutex::new(Some(recipe)),
            ready: OnceLock::new(),
        }
    }
    #[inline]
    pub(crate) fn ready(result: R) -> Self {
        Cell {
            counts: AtomicU64::new(0),
            cost: AtomicU64::new(0),
            pending: Mutex::new(None),
            ready: OnceLock::from(result),
        }
    }
    /// The cost of computing this cell, 0 if it is ready.
    #[inline]
    pub(crate) fn cost(&self) -> u64 {
        self.cost.load(Ordering::Acquire)
    }
    #[inline]
    pub(crate) fn result(&self) -> Option<&R> {
        self.ready.get()
    }
    /// Locks the cell; `None` if it is ready.
    pub(crate) fn lock(&self) -> Option<Guard<'_, P, R>> {
        if self.cost() == 0 {
            return None;
        }
        let recipe = self.pending.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        recipe.is_some().then_some(Guard { cell: self, recipe })
    }

    /// Counts the first handle, of a cell that nobody has yet.
    #[inline]
    pub(crate) fn hold_first(&mut self) {
        self.counts = AtomicU64::new(1);
    }
    #[inline]
    pub(crate) fn hold(&self) {
        self.counts.fetch_add(1, Ordering::Relaxed);
    }
    #[inline]
    pub(crate) fn release(&self) {
        self.counts.fetch_sub(1, Ordering::Release);
    }
    #[inline]
    pub(crate) fn save(&self) {
        self.counts.fetch_add(SAVED, Ordering::Relaxed);
    }
    #[inline]
    pub(crate) fn unsave(&self) {
        self.counts.fetch_sub(SAVED, Ordering::Release);
    }
    /// How many user and operand handles, and how many saved ones, there are.
    #[inline]
    pub(crate) fn holders(&self) -> (usize, usize) {
        let c = self.counts.load(Ordering::Acquire);
        (c as u32 as usize, (c >> 32) as usize)
    }
    /// Whether the only holders are `operands` handles that the caller knows (all inside cells that it has
    /// locked). If so, everything that other threads did with the result happened before.
    #[inline]
    pub(crate) fn only_held_by(&self, operands: usize) -> bool {
        self.counts.load(Ordering::Acquire) == operands as u64
    }
}
impl<P, R> Guard<'_, P, R> {
    pub(crate) fn recipe(&self) -> &P {
        self.recipe.as_ref().expect("a guard exists only for a pending cell")
    }
    /// What computing this cell costs by now, which is not 0.
    pub(crate) fn reprice(&self, cost: u64) {
        self.cell.cost.store(cost, Ordering::Release);
    }
    /// Makes the result visible and hands back the recipe, to be dropped after all locks are released.
    pub(crate) fn publish(&mut self, result: R) -> P {
        let first = self.cell.ready.set(result).is_ok();
        debug_assert!(first, "a cell is published once");
        self.cell.cost.store(0, Ordering::Release);
        self.recipe.take().expect("a guard exists only for a pending cell")
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::Cell;
    use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

    #[test]
    fn a_computation_that_unwinds_leaves_the_cell_pending() {
        let cell: Cell<u32, u32> = Cell::pending(7, 1);
        let unwinds = AssertUnwindSafe(|| {
            let _guard = cell.lock().expect("pending");
            resume_unwind(Box::new(()));
        });
        assert!(catch_unwind(unwinds).is_err());
        assert_eq!(cell.cost(), 1);
        let mut guard = cell.lock().expect("still pending, and unlocked");
        assert_eq!(guard.publish(8), 7);
        drop(guard);
        assert!(cell.lock().is_none());
        assert_eq!((cell.cost(), cell.result()), (0, Some(&8)));
    }
}
