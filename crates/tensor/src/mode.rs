//! Switches of the current thread, set by scoped guards that restore on panic.
use std::cell::Cell;

thread_local! {
    static RECORDING: Cell<bool> = const { Cell::new(true) };
    static EAGER: Cell<bool> = const { Cell::new(false) };
    static WAITING: Cell<bool> = const { Cell::new(false) };
}

struct Restore(&'static std::thread::LocalKey<Cell<bool>>, bool);
impl Drop for Restore {
    fn drop(&mut self) {
        self.0.set(self.1);
    }
}
fn scoped<R>(key: &'static std::thread::LocalKey<Cell<bool>>, value: bool, f: impl FnOnce() -> R) -> R {
    let _restore = Restore(key, key.replace(value));
    f()
}

/// Whether operations on tracked tensors write records on this thread.
pub(crate) fn recording() -> bool {
    RECORDING.get()
}
/// Whether every value is computed when it is made.
pub(crate) fn is_eager() -> bool {
    EAGER.get()
}

/// The switches of a thread, for another one that works for it.
#[derive(Clone, Copy)]
pub(crate) struct Modes {
    recording: bool,
    eager: bool,
    waiting: bool,
}
/// The switches of this thread.
pub(crate) fn current() -> Modes {
    Modes { recording: recording(), eager: is_eager(), waiting: is_waiting() }
}
impl Modes {
    /// Runs `f` with these switches.
    pub(crate) fn within<R>(self, f: impl FnOnce() -> R) -> R {
        scoped(&RECORDING, self.recording, || {
            scoped(&EAGER, self.eager, || scoped(&WAITING, self.waiting, f))
        })
    }
}

/// Whether calls that may wait do so.
pub(crate) fn is_waiting() -> bool {
    WAITING.get()
}
/// Runs `f`, in which calls that may wait do so until they are read.
pub(crate) fn waiting<R>(f: impl FnOnce() -> R) -> R {
    scoped(&WAITING, true, f)
}
/// Runs `f`, a walk over records that is itself recorded: products in it wait until they are read.
pub fn recording_gradient<R>(f: impl FnOnce() -> R) -> R {
    waiting(|| enable_grad(f))
}

/// Runs `f` without recording: what it makes of tracked tensors is not tracked.
///
/// As PyTorch's `no_grad`. Gradients of the results are an error that names this line.
///
/// ```
/// use retrograd_tensor::{Tensor, no_grad};
/// let y = no_grad(|| Tensor::from([1.0f32, 2.0]) * 3.0);
/// assert_eq!(y.to_vec::<f32>(), [3.0, 6.0]);
/// ```
pub fn no_grad<R>(f: impl FnOnce() -> R) -> R {
    scoped(&RECORDING, false, f)
}
/// Runs `f` with recording on, inside a [`no_grad`].
pub fn enable_grad<R>(f: impl FnOnce() -> R) -> R {
    scoped(&RECORDING, true, f)
}
/// Runs `f` computing every value at once instead of on demand, to the same bits: for debugging and profiles.
///
/// ```
/// use retrograd_tensor::{Tensor, eager};
/// let x = Tensor::from([1.0f32, 2.0]);
/// assert_eq!(eager(|| (&x * 2.0 + 1.0).to_vec::<f32>()), (&x * 2.0 + 1.0).to_vec::<f32>());
/// ```
pub fn eager<R>(f: impl FnOnce() -> R) -> R {
    scoped(&EAGER, true, f)
}
