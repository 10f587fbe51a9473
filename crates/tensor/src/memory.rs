//! What the library has computed and holds: counters for tests, benches and the curious, and the peak of a step
//! that is not run.
use crate::buffer::{self, Buffer};
use crate::dry;
pub use crate::dry::{DryRun, dry_run};
use crate::dtype::DType;
use crate::error::{Error, ErrorKind, raise};
use crate::shape::Shape;
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

/// Bytes of the elements of a tensor; more than anybody has, if they cannot be counted.
pub(crate) fn bytes(shape: &Shape, dtype: DType) -> usize {
    shape.numel().saturating_mul(dtype.size())
}
/// Why `op` fails: the system has no memory for elements of this type and shape.
#[cold]
pub(crate) fn refused(op: &'static str, dtype: DType, shape: &Shape) -> Error {
    let bytes = shape.numel() as u128 * dtype.size() as u128;
    let needs = match bytes.checked_ilog2().unwrap_or(0) / 10 {
        0 => format!("{bytes} bytes"),
        power => {
            let unit = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"][power.min(6) as usize - 1];
            let count = bytes as f64 / 1024_f64.powi(power.min(6) as i32);
            format!("{bytes} bytes ({count:.1} {unit})")
        }
    };
    let right = "make it smaller, or reduce it in the expression that makes it";
    Error::new(op, ErrorKind::Memory, format!("no memory: {dtype} {shape} needs {needs}; {right}"))
}
/// Memory for elements that are given.
#[track_caller]
pub(crate) fn room(op: &'static str, dtype: DType, shape: &Shape) -> Buffer {
    Buffer::room(bytes(shape, dtype)).unwrap_or_else(|_| raise(refused(op, dtype, shape)))
}
/// An empty list with room for `count` elements.
#[track_caller]
pub(crate) fn list<T>(op: &'static str, dtype: DType, shape: &Shape) -> Vec<T> {
    let mut list = Vec::new();
    if list.try_reserve_exact(shape.numel()).is_err() {
        raise(refused(op, dtype, shape));
    }
    list
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
