//! Dry runs: a step is planned and its memory counted, and nothing of it is computed.
//!
//! While a dry run is on, buffers of results have a size and no bytes; programs and calls are settled as always,
//! memory of dying operands included, and skipped. So the count is that of a real run. What a dry run must not touch
//! is what was there before: memory that a result would take over is kept and only stood in for, and a value that
//! was pending before is computed in earnest, since its handles outside will be read. Elements that are not there
//! are refused by the two ways to them: views of calls (`call`) and leaves of programs (`plan`).
use crate::buffer::Buffer;
use crate::error::{Error, ErrorKind, raise};
use crate::tensor::Tensor;
use crate::value::{Held, Value, next_id};
use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::sync::atomic::{AtomicIsize, AtomicUsize, Ordering::Relaxed};

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Off,
    /// Results are computed; their memory is counted.
    Counting,
    /// Results are planned; their memory is counted.
    Planning,
}
thread_local! {
    static STATE: Cell<State> = const { Cell::new(State::Off) };
    static ACCOUNT: RefCell<Option<Arc<Account>>> = const { RefCell::new(None) };
}

/// What one dry run has counted, relative to what was alive before.
pub(crate) struct Account {
    live: AtomicIsize,
    peak: AtomicIsize,
    programs: AtomicUsize,
    calls: AtomicUsize,
    /// Values and records with smaller ids were there before.
    first: u64,
    /// Of the dry run around this one.
    above: Option<Arc<Account>>,
}
impl Account {
    fn open() -> Arc<Account> {
        let above = ACCOUNT.with_borrow(Clone::clone);
        let first = above.as_ref().map_or_else(next_id, |a| a.first);
        let zero = || AtomicIsize::new(0);
        let (programs, calls) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Arc::new(Account { live: zero(), peak: zero(), programs, calls, first, above })
    }
    fn each(&self, f: impl Fn(&Account)) {
        let mut next = Some(self);
        while let Some(account) = next {
            f(account);
            next = account.above.as_deref();
        }
    }
    fn charge(&self, bytes: isize) {
        self.each(|a| {
            let live = a.live.fetch_add(bytes, Relaxed) + bytes;
            a.peak.fetch_max(live, Relaxed);
        });
    }
}
fn with_account(f: impl FnOnce(&Arc<Account>)) {
    ACCOUNT.with_borrow(|account| account.as_ref().map(f));
}

/// What a buffer without bytes is.
pub(crate) struct Planned {
    account: Arc<Account>,
    bytes: usize,
    /// The memory from before that a real run would have used on.
    instead_of: Option<Arc<Buffer>>,
}
impl Planned {
    /// A new buffer.
    pub(crate) fn new(bytes: usize) -> Box<Planned> {
        let account = current();
        account.charge(bytes as isize);
        Box::new(Planned { account, bytes, instead_of: None })
    }
    /// What stands in for memory that was there before; it is counted as that.
    pub(crate) fn instead_of(buffer: Arc<Buffer>) -> Box<Planned> {
        Box::new(Planned { account: current(), bytes: buffer.capacity(), instead_of: Some(buffer) })
    }
}
impl Drop for Planned {
    fn drop(&mut self) {
        if self.instead_of.is_none() {
            self.account.charge(-(self.bytes as isize));
        }
    }
}
fn current() -> Arc<Account> {
    ACCOUNT.with_borrow(Clone::clone).expect("a dry run is on")
}

/// Sets the state until it is dropped.
struct Restore(State);
impl Restore {
    fn set(state: State) -> Restore {
        Restore(STATE.replace(state))
    }
}
impl Drop for Restore {
    fn drop(&mut self) {
        STATE.set(self.0);
    }
}
/// Opens an account until it is dropped.
struct Close(Option<Arc<Account>>);
impl Drop for Close {
    fn drop(&mut self) {
        ACCOUNT.set(self.0.take());
    }
}

/// Whether results are planned on this thread, not computed.
#[inline]
pub(crate) fn planning() -> bool {
    STATE.get() == State::Planning
}
/// Whether memory is counted on this thread.
pub(crate) fn counting() -> bool {
    STATE.get() != State::Off
}
/// Counts real memory that is taken, or given back.
#[inline]
pub(crate) fn charge(bytes: isize) {
    if counting() {
        with_account(|account| account.charge(bytes));
    }
}
pub(crate) fn count_program() {
    with_account(|a| a.each(|a| _ = a.programs.fetch_add(1, Relaxed)));
}
pub(crate) fn count_call() {
    with_account(|a| a.each(|a| _ = a.calls.fetch_add(1, Relaxed)));
}
/// Whether a dry run is on that this value or record was there before.
pub(crate) fn precedes(id: u64) -> bool {
    STATE.get() != State::Off && ACCOUNT.with_borrow(|a| a.as_ref().is_some_and(|a| id < a.first))
}
/// Computes those of `values` in earnest that were pending before the dry run.
#[track_caller]
pub(crate) fn settle<'a>(values: impl Iterator<Item = &'a Held>) {
    for v in values.filter(|v| v.is_pending() && precedes(v.id)) {
        let _off = Restore::set(State::Off);
        v.force();
    }
}
/// Runs `f`, computing in a dry run too: what decides how code goes on.
pub(crate) fn really<R>(f: impl FnOnce() -> R) -> R {
    let state = if STATE.get() == State::Off { State::Off } else { State::Counting };
    let _restore = Restore::set(state);
    f()
}

/// Computes `t`, or plans it, and says whether there is nothing to look at.
#[track_caller]
pub(crate) fn is_blank(t: &Tensor) -> bool {
    t.force();
    t.value.is_planned()
}
/// Refuses to read a value that a dry run has made.
#[track_caller]
#[cold]
pub(crate) fn refuse(op: &'static str, v: &Value) -> ! {
    let what = format!("no elements: {} {} was planned in a dry run, not computed", v.dtype, v.shape);
    let right = if planning() {
        "in a dry run only what was there before can be read"
    } else {
        "make it again outside of dry_run"
    };
    raise(Error::new(op, ErrorKind::Value, format!("{what}; {right}")))
}

/// What a [`dry_run`] has found.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct DryRun {
    /// The most bytes that were alive at once, above what was alive before.
    pub peak: usize,
    /// Programs that a real run computes: passes of fused elementwise work and reductions.
    pub programs: usize,
    /// Loops over whole operands, such as products, that a real run computes.
    pub calls: usize,
}

/// The exact peak of memory of a step, without computing it: every program is planned, every buffer counted, and
/// nothing is run. The peak is what [`stats`](crate::memory::stats) would report for the step on this thread, above what was alive
/// before it.
///
/// Inside, results have shapes and no elements. Reading one (`item`, `to_vec`, `==`, `nonzero`, indexing by a mask and
/// whatever else goes on by values) is an error at the line that reads; so is, later, reading one that has got out.
/// Tensors that were there before can be read and are not changed. Memory is taken only for numbers and data that
/// the closure gives. Where an operation looks at values for checking alone (positions in range, a matrix that is not
/// singular) the ordinary case is planned.
///
/// The closure runs as it is. An optimizer's step puts values without elements into its model, and so does a layer
/// that keeps statistics, so make the model inside, or give it one that is not needed any more. A backward pass
/// needs its forward pass inside. What was still to be computed before is computed first, in earnest, and is not
/// counted. What the closure does on other threads is neither planned nor counted. Two results of one element each
/// that happen to be equal can share a register in a real run and never do in a dry one.
///
/// ```
/// use retrograd_tensor::{Tensor, memory};
/// let x = Tensor::from_vec(vec![1.0f32; 1 << 16], [256, 256]);
/// let planned = memory::dry_run(|| {
///     let y = (x.matmul(&x).tanh() + 1.0).sum(());
///     y.force();
/// });
/// assert_eq!((planned.programs, planned.calls), (1, 1));
/// let product = 256 * 256 * 4;
/// assert!((product..product + 4096).contains(&planned.peak));
/// ```
///
/// # Panics
/// If an element is read that a real run would compute.
pub fn dry_run<R>(step: impl FnOnce() -> R) -> DryRun {
    let account = Account::open();
    {
        let _close = Close(ACCOUNT.replace(Some(account.clone())));
        let _restore = Restore::set(State::Planning);
        drop(step());
    }
    DryRun {
        peak: account.peak.load(Relaxed).max(0) as usize,
        programs: account.programs.load(Relaxed),
        calls: account.calls.load(Relaxed),
    }
}
