//! The fork-join pool of the kernels: one process-wide set of workers that run the parts of one job at a time.
//!
//! A worker that has nothing to do spins for a short while, so that a burst of jobs is handed over in well under
//! a microsecond, then looks now and again, and then parks. Nobody ever waits in a queue: a thread that finds the pool busy (another thread
//! has it, or this call is nested in a part) runs its parts itself, in order. Which thread runs a part may
//! therefore differ from run to run, so the parts of a job must not depend on it. A thread may also send one task
//! and go on; it has the pool until it settles.
//!
//! The structure to understand is the [`Pool::ticket`] word, `epoch << 16 | open seats`. The caller publishes a
//! job and then a ticket; a worker joins by taking a seat with one compare-and-swap; the caller closes the ticket,
//! learns from the seats that are left how many joined, and returns only when as many have gone.
use std::any::Any;
use std::cell::Cell;
use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize};
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// How long a waiting thread burns its core: long enough for the serial code between two kernels, short enough
/// not to starve others on a small machine.
const SPIN: Duration = Duration::from_micros(30);
/// How long it looks before it lies down. After [`SPIN`] any other thread may have the core first; to be woken would take
/// longer than a small product does.
const LINGER: Duration = Duration::from_millis(1);
const SEAT_BITS: u32 = 16;
const SEATS: u64 = (1 << SEAT_BITS) - 1;

thread_local! {
    static LIMIT: Cell<usize> = const { Cell::new(0) };
    /// What this thread has sent; the pool is its own as long.
    static ERRAND: Cell<Option<Errand>> = const { Cell::new(None) };
}

/// The number of threads, the calling one included, that an operation on this thread may use: the limit set by
/// [`with_threads`], else the number of cores. PyTorch's `get_num_threads`.
///
/// ```
/// use retrograd_tensor::{num_threads, with_threads};
/// assert_eq!(with_threads(3, num_threads), 3);
/// ```
pub fn threads() -> usize {
    static CORES: OnceLock<usize> = OnceLock::new();
    match LIMIT.get() {
        0 => *CORES.get_or_init(|| std::thread::available_parallelism().map_or(1, NonZero::get)),
        n => n,
    }
}

/// Runs `f` with `threads` at `n` on this thread (0 counts as 1); `n` may exceed the number of cores. The old
/// limit returns with the end of `f`, also by a panic.
pub fn with_threads<R>(n: usize, f: impl FnOnce() -> R) -> R {
    struct Restore(usize);
    impl Drop for Restore {
        fn drop(&mut self) {
            LIMIT.set(self.0);
        }
    }
    let _restore = Restore(LIMIT.replace(n.max(1)));
    f()
}

/// Calls `f(i)` once for each `i` in `0..parts`, on several threads when the pool is free, and returns when all
/// are done.
///
/// # Panics
/// A panic of `f` goes on to the caller after every worker has left; parts not yet begun are then dropped.
pub(crate) fn parallel(parts: usize, f: &(dyn Fn(usize) + Sync)) {
    let helpers = (threads() - 1).min(parts.saturating_sub(1)).min(SEATS as usize);
    if helpers == 0 {
        return (0..parts).for_each(f);
    }
    settle();
    if POOL.busy.swap(true, Acquire) {
        return (0..parts).for_each(f);
    }
    let job = Job::new(f, parts);
    POOL.hire(helpers);
    POOL.publish(&job, helpers);
    job.run();
    POOL.close(helpers);
    job.end();
}

/// Has `task` run by another thread while this one goes on, if the pool is free; else runs it here. It is done when
/// [`settle`] or this thread's next [`parallel`] job on several threads returns.
pub(crate) fn send(task: impl Fn() + Send + Sync + 'static) {
    settle();
    if threads() == 1 || POOL.busy.swap(true, Acquire) {
        return task();
    }
    let task: Task = Box::new(move |_| task());
    // SAFETY: the errand keeps the task, which does not move with its box, until its job is closed.
    let f = unsafe { &*std::ptr::from_ref(&*task) };
    let errand = Errand { job: Box::new(Job::new(f, 1)), _task: task };
    POOL.hire(1);
    POOL.publish(&errand.job, 1);
    ERRAND.set(Some(errand));
}

/// Returns when the task that this thread has sent is done: here, if nobody has begun it.
///
/// # Panics
/// As [`parallel`].
pub(crate) fn settle() {
    let Some(errand) = ERRAND.take() else { return };
    if !POOL.all_left(1) {
        errand.job.run();
    }
    drop(errand);
}

type Task = Box<dyn Fn(usize) + Send + Sync>;
/// A task that was sent; dropped, a worker has left it.
struct Errand {
    job: Box<Job<'static>>,
    _task: Task,
}
impl Drop for Errand {
    fn drop(&mut self) {
        POOL.close(1);
        if std::thread::panicking() {
            POOL.busy.store(false, Release);
        } else {
            self.job.end();
        }
    }
}

struct Job<'a> {
    f: &'a (dyn Fn(usize) + Sync),
    parts: usize,
    next: AtomicUsize,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

impl<'a> Job<'a> {
    fn new(f: &'a (dyn Fn(usize) + Sync), parts: usize) -> Self {
        Job { f, parts, next: AtomicUsize::new(0), panic: Mutex::new(None) }
    }
    /// Gives the pool back, from which every worker has left the job, and goes on with a panic of a part.
    fn end(&self) {
        let panicked = POOL.left.0.panicked.load(Relaxed);
        POOL.busy.store(false, Release);
        if panicked && let Some(payload) = lock(&self.panic).take() {
            resume_unwind(payload);
        }
    }
    fn run(&self) {
        let parts = AssertUnwindSafe(|| {
            loop {
                let i = self.next.fetch_add(1, Relaxed);
                if i >= self.parts {
                    return;
                }
                (self.f)(i);
            }
        });
        if let Err(payload) = catch_unwind(parts) {
            self.next.store(self.parts, Relaxed);
            lock(&self.panic).get_or_insert(payload);
            POOL.left.0.panicked.store(true, Relaxed);
        }
    }
}

/// On a cache line of its own, since workers read it without pause.
#[repr(align(64))]
struct Line<T>(T);

/// What the parts of a job leave to its caller, on one line: it is all that has to come from another core.
struct Left {
    /// Workers that have gone.
    count: AtomicUsize,
    /// Whether a part has panicked.
    panicked: AtomicBool,
}

struct Pool {
    /// `epoch << SEAT_BITS | open seats`; the epoch keeps a late worker from taking a seat of another job.
    ticket: Line<AtomicU64>,
    /// Valid for a worker from taking a seat until it has counted itself in `left`.
    job: AtomicPtr<Job<'static>>,
    left: Line<Left>,
    /// Held by the thread whose job it is; guards the epoch, `job`, `left` and `hired`.
    busy: AtomicBool,
    hired: AtomicUsize,
    sleepers: AtomicUsize,
    bed: Mutex<()>,
    bell: Condvar,
}

static POOL: Pool = Pool {
    ticket: Line(AtomicU64::new(0)),
    job: AtomicPtr::new(std::ptr::null_mut()),
    left: Line(Left { count: AtomicUsize::new(0), panicked: AtomicBool::new(false) }),
    busy: AtomicBool::new(false),
    hired: AtomicUsize::new(0),
    sleepers: AtomicUsize::new(0),
    bed: Mutex::new(()),
    bell: Condvar::new(),
};

impl Pool {
    /// Starts workers until there are `wanted`. If the system gives no more threads, those that are there do.
    fn hire(&'static self, wanted: usize) {
        while self.hired.load(Relaxed) < wanted {
            let name = format!("retrograd-{}", self.hired.load(Relaxed) + 1);
            if std::thread::Builder::new().name(name).spawn(|| self.work()).is_err() {
                return;
            }
            self.hired.fetch_add(1, Relaxed);
        }
    }

    fn publish(&self, job: &Job, seats: usize) {
        self.left.0.count.store(0, Relaxed);
        self.left.0.panicked.store(false, Relaxed);
        self.job.store(std::ptr::from_ref(job).cast_mut().cast(), Relaxed);
        let epoch = (self.ticket.0.load(Relaxed) >> SEAT_BITS) + 1;
        // SeqCst here and in `doze`: of a caller that publishes and a worker that lies down, one sees the other.
        self.ticket.0.store(epoch << SEAT_BITS | seats as u64, SeqCst);
        let sleepers = self.sleepers.load(SeqCst);
        let awake = self.hired.load(Relaxed).saturating_sub(sleepers);
        let wanted = seats.saturating_sub(awake).min(sleepers);
        if wanted > 0 {
            let _bed = lock(&self.bed);
            (0..wanted).for_each(|_| self.bell.notify_one());
        }
    }

    /// Whether every seat was taken, and who took it has gone.
    fn all_left(&self, seats: usize) -> bool {
        self.left.0.count.load(Acquire) == seats
    }

    /// Takes back the seats nobody took and waits for those who did.
    fn close(&self, seats: usize) {
        if self.all_left(seats) {
            return;
        }
        let ticket = self.ticket.0.fetch_and(!SEATS, Acquire);
        let joined = seats - (ticket & SEATS) as usize;
        if !spin_until(|| self.all_left(joined)) {
            while !self.all_left(joined) {
                std::thread::yield_now();
            }
        }
    }

    fn work(&self) {
        LIMIT.set(1);
        let mut seen = 0;
        loop {
            if !spin_until(|| self.open(seen)) {
                self.doze(seen);
            }
            let ticket = self.ticket.0.load(Relaxed);
            if ticket >> SEAT_BITS == seen || ticket & SEATS == 0 {
                continue;
            }
            if self.ticket.0.compare_exchange_weak(ticket, ticket - 1, Acquire, Relaxed).is_err() {
                continue;
            }
            seen = ticket >> SEAT_BITS;
            // SAFETY: the ticket's acquire shows the pointer of its epoch, and the caller keeps the job alive and
            // shared until every worker that took a seat has counted itself in `left`, which happens below.
            let job = unsafe { &*self.job.load(Relaxed) };
            job.run();
            self.left.0.count.fetch_add(1, Release);
        }
    }

    /// Whether there is a seat to take in a job other than `seen`.
    fn open(&self, seen: u64) -> bool {
        let ticket = self.ticket.0.load(SeqCst);
        ticket >> SEAT_BITS != seen && ticket & SEATS != 0
    }

    fn doze(&self, seen: u64) {
        let mut bed = lock(&self.bed);
        self.sleepers.fetch_add(1, SeqCst);
        while !self.open(seen) {
            bed = self.bell.wait(bed).unwrap_or_else(PoisonError::into_inner);
        }
        self.sleepers.fetch_sub(1, SeqCst);
    }
}

/// Spins until `ready` or for [`SPIN`]; says which.
fn spin_until(ready: impl Fn() -> bool) -> bool {
    let mut start = None;
    loop {
        for _ in 0..64 {
            if ready() {
                return true;
            }
            std::hint::spin_loop();
        }
        let spent = start.get_or_insert_with(Instant::now).elapsed();
        if spent > LINGER {
            return false;
        }
        if spent > SPIN {
            std::thread::yield_now();
        }
    }
}

/// No lock here guards an invariant that a panic could break.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use std::thread::ThreadId;

    #[track_caller]
    fn check_once(parts: usize) {
        let calls: Vec<AtomicUsize> = (0..parts).map(|_| AtomicUsize::new(0)).collect();
        parallel(parts, &|i| {
            calls[i].fetch_add(1, Relaxed);
        });
        assert!(calls.iter().all(|c| c.load(Relaxed) == 1), "{parts} parts");
    }

    #[test]
    fn every_part_runs_once() {
        for n in [1, 2, 3, 5] {
            with_threads(n, || (0..200).for_each(|round| check_once(round % 40)));
        }
    }

    #[test]
    fn parked_workers_come_back() {
        with_threads(3, || {
            for _ in 0..20 {
                check_once(9);
                std::thread::sleep(Duration::from_millis(1));
            }
        });
    }

    #[test]
    fn no_more_threads_than_the_limit() {
        with_threads(5, || check_once(64));
        for n in [1, 2, 3] {
            let seen: Mutex<HashSet<ThreadId>> = Mutex::default();
            with_threads(n, || {
                parallel(32, &|_| {
                    lock(&seen).insert(std::thread::current().id());
                    std::thread::sleep(Duration::from_micros(100));
                });
            });
            assert!(lock(&seen).len() <= n);
        }
    }

    #[test]
    fn one_thread_runs_in_order_and_nests() {
        let order = Mutex::new(vec![]);
        with_threads(1, || parallel(8, &|i| lock(&order).push(i)));
        assert_eq!(*lock(&order), (0..8).collect::<Vec<_>>());
        with_threads(3, || parallel(6, &|_| check_once(17)));
    }

    #[test]
    fn a_panic_reaches_the_caller_and_the_pool_goes_on() {
        for n in [1, 2, 3, 5] {
            for bad in [0, 7, 31] {
                let caught = catch_unwind(|| {
                    with_threads(n, || {
                        parallel(32, &|i| {
                            if i == bad {
                                resume_unwind(Box::new(bad));
                            }
                        });
                    });
                });
                assert_eq!(caught.unwrap_err().downcast_ref::<usize>(), Some(&bad));
                with_threads(n, || check_once(32));
            }
        }
    }

    #[test]
    fn concurrent_callers() {
        std::thread::scope(|s| {
            for n in 1..5 {
                s.spawn(move || with_threads(n, || (0..500).for_each(|round| check_once(round % 13))));
            }
        });
    }

    #[test]
    fn what_is_sent_is_done_once_and_before_it_is_settled() {
        for n in [1, 2, 3] {
            with_threads(n, || {
                let done: &'static AtomicUsize = Box::leak(Box::default());
                for round in 1..500 {
                    send(move || _ = done.fetch_add(1, Relaxed));
                    match round % 3 {
                        0 => settle(),
                        1 => check_once(8), // takes the pool back
                        _ => {}             // the next one does
                    }
                    if round % 3 < 2 {
                        assert_eq!(done.load(Relaxed), round);
                    }
                }
                settle();
                assert_eq!(done.load(Relaxed), 499);
            });
        }
    }

    #[test]
    fn a_panic_of_what_was_sent_reaches_its_sender() {
        for n in [1, 2, 3] {
            with_threads(n, || {
                let caught = catch_unwind(|| {
                    send(|| resume_unwind(Box::new(7)));
                    settle();
                });
                assert_eq!(caught.unwrap_err().downcast_ref::<i32>(), Some(&7));
                check_once(16);
            });
        }
    }

    #[test]
    fn a_thread_may_end_before_what_it_sent() {
        for _ in 0..50 {
            std::thread::spawn(|| with_threads(2, || send(std::thread::yield_now))).join().expect("it ends");
            with_threads(2, || check_once(8));
        }
    }

    #[test]
    fn limits_nest_and_return_after_a_panic() {
        let outer = threads();
        with_threads(3, || {
            assert_eq!(with_threads(0, threads), 1);
            assert!(catch_unwind(|| with_threads(7, || resume_unwind(Box::new(())))).is_err());
            assert_eq!(threads(), 3);
        });
        assert_eq!(threads(), outer);
    }
}
