//! What the library has computed and holds: counters for tests, benches and the curious, and the peak of a step
//! that is not run.
use crate::buffer;
use crate::dry;
pub use crate::dry::{DryRun, dry_run};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

static PROGRAMS: AtomicUsize = AtomicUsize::new(0);
static OUTPUTS: AtomicUsize = AtomicUsize::new(0);
static IN_PLACE: AtomicUsize = AtomicUsize::new(0);

pub(crate) fn count_program() {
    if dry::planning() {
        return dry::count_program();
    }
    PROGRAMS.fetch_add(1, Relaxed);
}
pub(crate) fn count_output(in_place: bool) {
    if dry::planning() {
        return;
    }
    OUTPUTS.fetch_add(1, Relaxed);
    if in_place {
        IN_PLACE.fetch_add(1, Relaxed);
    }
}

/// Process-wide counters; the difference of two readings says what lay between them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stats {
    /// Programs run: passes of fused elementwise work and reductions.
    pub programs: usize,
    /// Values that programs wrote to memory.
    pub outputs: usize,
    /// Of these, how many took over the memory of an operand.
    pub in_place: usize,
    /// Bytes of live tensors.
    pub live: usize,
    /// The most bytes live at once since the start or [`reset_peak`].
    pub peak: usize,
    /// Bytes that the cache keeps for reuse.
    pub cached: usize,
    /// Bytes ever taken fresh from the system.
    pub fresh: usize,
}

/// The counters now.
///
/// ```
/// use retrograd_tensor::{Tensor, memory};
/// let x = Tensor::from(vec![1.0f32; 1000]);
/// let before = memory::stats();
/// let y = (&x * 2.0 + 1.0).tanh();
/// y.force();
/// assert_eq!(memory::stats().programs - before.programs, 1);
/// ```
pub fn stats() -> Stats {
    let [live, peak, cached, fresh] = buffer::counters();
    let read = |c: &AtomicUsize| c.load(Relaxed);
    Stats {
        programs: read(&PROGRAMS),
        outputs: read(&OUTPUTS),
        in_place: read(&IN_PLACE),
        live,
        peak,
        cached,
        fresh,
    }
}
/// Begins a new [`Stats::peak`] at what is live now.
pub fn reset_peak() {
    buffer::reset_peak();
}
/// Gives cached memory and compiled programs back.
pub fn release() {
    buffer::release();
    crate::fuse::clear();
}
