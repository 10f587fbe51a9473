//! Running code again to the same bits: what it took from outside (counters of random draws, slots of layers) is
//! noted in the first run and handed out again in the second.
use std::any::Any;
use std::cell::RefCell;
use std::sync::{Arc, Mutex, PoisonError};

type Note = Box<dyn Any + Send>;
/// What a run took from outside, in order.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<Note>>>);
impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Log")
    }
}
enum Run {
    First(Log),
    Again(Log, usize),
}
thread_local! { static RUNS: RefCell<Vec<Run>> = const { RefCell::new(vec![]) }; }

/// Whether this thread notes or repeats a run.
pub(crate) fn running() -> bool {
    RUNS.with_borrow(|runs| !runs.is_empty())
}
fn within<R>(run: Run, f: impl FnOnce() -> R) -> R {
    struct End;
    impl Drop for End {
        fn drop(&mut self) {
            RUNS.with_borrow_mut(Vec::pop);
        }
    }
    RUNS.with_borrow_mut(|runs| runs.push(run));
    let _end = End;
    f()
}
/// Runs `f`, noting what it takes from outside.
pub fn noted<R>(f: impl FnOnce() -> R) -> (R, Log) {
    let log = Log::default();
    (within(Run::First(log.clone()), f), log)
}
/// Runs `f` on what an earlier run of it has noted.
pub fn again<R>(log: &Log, f: impl FnOnce() -> R) -> R {
    within(Run::Again(log.clone(), 0), f)
}
/// Runs `f`, computing in a dry run too: what decides how code goes on, such as the counter of a random stream.
pub fn really<R>(f: impl FnOnce() -> R) -> R {
    crate::dry::really(f)
}
/// What `take` gives, or in a run of [`again`] what it gave the first time, without calling it.
pub fn value<T: Clone + Send + 'static>(take: impl FnOnce() -> T) -> T {
    let lock = |log: &Log, f: &mut dyn FnMut(&mut Vec<Note>)| {
        f(&mut log.0.lock().unwrap_or_else(PoisonError::into_inner));
    };
    let mut old = None;
    RUNS.with_borrow_mut(|runs| {
        let last = runs.iter_mut().rev().find_map(|run| match run {
            Run::Again(log, at) => Some((log.clone(), at)),
            Run::First(_) => None,
        });
        if let Some((log, at)) = last {
            lock(&log, &mut |notes| old = notes.get(*at).and_then(|v| v.downcast_ref::<T>()).cloned());
            *at += 1;
        }
    });
    let v = old.unwrap_or_else(take);
    RUNS.with_borrow(|runs| {
        for run in runs.iter().rev() {
            let Run::First(log) = run else { break };
            lock(log, &mut |notes| notes.push(Box::new(v.clone())));
        }
    });
    v
}
