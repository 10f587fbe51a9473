//! The profile: where time, bytes and floating-point operations go, by operation and line, forward and backward.
//!
//! Every operation that is called while a profile is on gets a tag, which the values that it makes carry until they
//! are computed (`value::Pending`). So a program knows whose work it does, whoever demanded it, and its time is shared
//! out by estimated work: instructions times elements. A rule's operations belong to the record whose rule it is.
use crate::error::{Error, ErrorKind, attempt, raise};
use crate::value::next_id;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fmt;
use std::ops::AddAssign;
use std::panic::Location;
use std::time::{Duration, Instant};

/// An operation and its line.
type Place = (&'static str, &'static Location<'static>);
thread_local! {
    static ON: Cell<bool> = const { Cell::new(false) };
    /// The operation that is being called, 0 if none is.
    static TAG: Cell<u64> = const { Cell::new(0) };
    /// The record whose rule runs.
    static RULE: Cell<Option<(u64, Place)>> = const { Cell::new(None) };
    static LOG: RefCell<Profile> = RefCell::new(Profile::default());
}

/// What an operation has cost.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Cost {
    /// Time on the clock of its calls, and its share of that of programs.
    pub time: Duration,
    /// Bytes of operands read from memory and of results written to it.
    pub bytes: u64,
    /// Floating-point operations, estimated from shapes.
    pub flops: u64,
}
impl AddAssign for Cost {
    fn add_assign(&mut self, o: Cost) {
        self.time += o.time;
        self.bytes += o.bytes;
        self.flops += o.flops;
    }
}
#[derive(Clone, Debug)]
struct Entry {
    place: Place,
    rule: Option<(u64, Place)>,
    cost: Cost,
}
/// One operation at one line, in a [`Profile`].
#[derive(Clone, Copy, Debug)]
pub struct Spent {
    /// The operation.
    pub op: &'static str,
    /// The user's line.
    pub at: &'static Location<'static>,
    /// What it has cost.
    pub forward: Cost,
    /// What its gradient rule has cost.
    pub backward: Cost,
}
/// What [`profile`] has measured.
#[derive(Clone, Debug, Default)]
pub struct Profile {
    /// Time on the clock, all in all.
    pub total: Duration,
    entries: HashMap<u64, Entry>,
    /// The tag of the operation that wrote each record.
    records: HashMap<u64, u64>,
    /// Of values that were made before.
    other: Cost,
}

/// Runs `f` and measures what the operations that it calls on this thread cost, forward and backward.
///
/// A fused program computes many operations at once; its time goes to them by their share of the estimated work,
/// instructions times elements, whichever of them demanded it. An expression that a backward pass computes again
/// counts for the operation that it belongs to. Floating-point operations are estimated from shapes: `2 m n k` for a
/// product of matrices, two for each tap and channel of a convolution, the instructions for each element of an
/// elementwise operation, one for each element of a reduction; none for what only moves elements. To see the figures
/// beside the tape, take `Tape::of` inside and give it the profile.
///
/// ```
/// use retrograd_tensor::{Tensor, profile};
/// let x = Tensor::from_vec(vec![0.5f32; 64 * 64], [64, 64]);
/// let (_, profile) = profile(|| x.matmul(&x).tanh().sum(()).item());
/// let product = profile.lines().into_iter().find(|l| l.op == "matmul").unwrap();
/// assert_eq!(product.forward.flops, 2 * 64 * 64 * 64);
/// assert_eq!(product.forward.bytes, 3 * 4 * 64 * 64);
/// ```
pub fn profile<R>(f: impl FnOnce() -> R) -> (R, Profile) {
    struct Restore(bool, u64, Option<Profile>);
    impl Drop for Restore {
        fn drop(&mut self) {
            ON.set(self.0);
            TAG.set(self.1);
            LOG.set(self.2.take().unwrap_or_default());
        }
    }
    let mut outer = Restore(ON.replace(true), TAG.replace(0), Some(LOG.take()));
    let clock = Instant::now();
    let result = f();
    let inner = Profile { total: clock.elapsed(), ..LOG.take() };
    // A profile around this one has what this one has.
    if let (true, Some(log)) = (outer.0, &mut outer.2) {
        log.entries.extend(inner.entries.iter().map(|(&tag, e)| (tag, e.clone())));
        log.records.extend(&inner.records);
    }
    (result, inner)
}

/// The floating-point operations that the innermost open [`profile`] has counted so far, those of what was made before it
/// left out; none if no profile is open on this thread. What is pending is counted once it is computed.
///
/// ```
/// use retrograd_tensor::{Tensor, eager, profile, profiled_flops};
/// let x = Tensor::ones([4, 4]);
/// let ((first, both), _) = profile(|| {
///     let y = x.matmul(&x);
///     let first = profiled_flops();
///     y.matmul(&x);
///     (first, profiled_flops())
/// });
/// assert_eq!((first, both, profiled_flops()), (Some(128), Some(256), None));
/// ```
pub fn profiled_flops() -> Option<u64> {
    on().then(|| LOG.with_borrow(|log| log.entries.values().map(|entry| entry.cost.flops).sum()))
}

/// Whether a profile is on.
#[inline]
pub(crate) fn on() -> bool {
    ON.get()
}
/// What new values carry.
#[inline]
pub(crate) fn tag() -> u64 {
    TAG.get()
}
/// An operation that is being called.
pub(crate) struct Entered(());
impl Drop for Entered {
    fn drop(&mut self) {
        TAG.set(0);
    }
}
/// Begins the call of an operation, unless it is a part of another one.
#[inline]
pub(crate) fn enter(op: &'static str, at: &'static Location<'static>) -> Option<Entered> {
    if on() && TAG.get() == 0 { Some(begin((op, at))) } else { None }
}
#[cold]
fn begin(place: Place) -> Entered {
    let tag = next_id();
    let entry = Entry { place, rule: RULE.get(), cost: Cost::default() };
    LOG.with_borrow_mut(|log| log.entries.insert(tag, entry));
    TAG.set(tag);
    Entered(())
}
/// Notes that the operation that is being called has written this record.
pub(crate) fn recorded(record: u64) {
    if on() && TAG.get() != 0 {
        LOG.with_borrow_mut(|log| log.records.insert(record, TAG.get()));
    }
}
/// Runs a gradient rule, and what goes with it. Memory that it does not get is the record's affair: the line that asks
/// for it is one of this library.
pub(crate) fn within_rule<R>(record: u64, place: Place, rule: impl FnOnce() -> R) -> R {
    let (op, at) = place;
    attempt(|| measured(record, place, rule)).unwrap_or_else(|e| match e.kind() {
        ErrorKind::Memory => {
            let detail = format!("in its gradient, {}", e.detail());
            raise(Error::new(op, ErrorKind::Memory, detail).at(at))
        }
        _ => raise(e),
    })
}
fn measured<R>(record: u64, place: Place, rule: impl FnOnce() -> R) -> R {
    struct Back(Option<(u64, Place)>, u64);
    impl Drop for Back {
        fn drop(&mut self) {
            RULE.set(self.0);
            TAG.set(self.1);
        }
    }
    if !on() {
        return rule();
    }
    let _back = Back(RULE.replace(Some((record, place))), TAG.replace(0));
    rule()
}
/// The time, if a profile is on.
#[inline]
pub(crate) fn clock() -> Option<Instant> {
    on().then(Instant::now)
}
/// Adds to what the operation with this tag has cost.
pub(crate) fn spend(tag: u64, cost: Cost) {
    LOG.with_borrow_mut(|log| match log.entries.get_mut(&tag) {
        Some(entry) => entry.cost += cost,
        None => log.other += cost,
    });
}
/// The part that one value has in a program.
pub(crate) struct Share {
    pub(crate) tag: u64,
    /// Instructions times elements.
    pub(crate) work: u64,
    pub(crate) bytes: u64,
    pub(crate) flops: u64,
}
/// Shares out the time of a program.
pub(crate) fn spend_shared(time: Duration, shares: &[Share]) {
    let total: u64 = shares.iter().map(|s| s.work).sum::<u64>().max(1);
    for s in shares {
        let time = time.mul_f64(s.work as f64 / total as f64);
        spend(s.tag, Cost { time, bytes: s.bytes, flops: s.flops });
    }
}

impl Profile {
    /// What each operation at each line has cost, the dearest first.
    pub fn lines(&self) -> Vec<Spent> {
        let mut lines: HashMap<Place, Spent> = HashMap::new();
        for entry in self.entries.values() {
            let (op, at) = entry.rule.map_or(entry.place, |rule| rule.1);
            let none = Spent { op, at, forward: Cost::default(), backward: Cost::default() };
            let line = lines.entry((op, at)).or_insert(none);
            *(if entry.rule.is_some() { &mut line.backward } else { &mut line.forward }) += entry.cost;
        }
        let mut lines: Vec<Spent> = lines.into_values().collect();
        lines.sort_by_key(|l| (std::cmp::Reverse(l.forward.time + l.backward.time), l.at.line(), l.op));
        lines
    }
    /// What was computed of values that were made before.
    pub fn other(&self) -> Cost {
        self.other
    }
    /// What each record's operation has cost, and its rule.
    #[doc(hidden)]
    pub fn by_record(&self) -> HashMap<u64, (Option<Cost>, Option<Cost>)> {
        let mut found: HashMap<u64, (Option<Cost>, Option<Cost>)> = HashMap::new();
        for (&record, tag) in &self.records {
            found.entry(record).or_default().0 = self.entries.get(tag).map(|e| e.cost);
        }
        for entry in self.entries.values() {
            if let Some((record, _)) = entry.rule {
                *found.entry(record).or_default().1.get_or_insert_default() += entry.cost;
            }
        }
        found
    }
}
/// A line for each operation and line of code: time and operations forward, then backward.
impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<18} {:>10} {:>10} {:>10} {:>10}  line",
            "operation", "forward", "flop", "backward", "flop"
        )?;
        for l in self.lines() {
            let [a, b] = [l.forward, l.backward];
            writeln!(
                f,
                "{:<18} {:>10} {:>10} {:>10} {:>10}  {}",
                l.op,
                format!("{:.1?}", a.time),
                a.flops,
                format!("{:.1?}", b.time),
                b.flops,
                l.at
            )?;
        }
        writeln!(f, "{:.1?} in all", self.total)
    }
}
