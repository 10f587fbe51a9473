//! A small call that another thread runs while this one goes on.
//!
//! Whoever runs it, this thread publishes its result when it settles, and holds its operands until then: so what is
//! done meanwhile finds the same values dying and the same memory in use at any number of threads, in a dry run too.
use super::{Caller, allocate, compute, force, is_small, run_waiting};
use crate::buffer::Buffer;
use crate::cpu::pool;
use crate::dry;
use crate::profile;
use crate::value::{self, Held, Kind, View, Waiting};
use smallvec::{SmallVec, smallvec};
use std::cell::Cell;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The call that was left for a value, on its way.
struct Errand {
    value: Held,
    waiting: Arc<Waiting>,
    of: Caller,
    operands: SmallVec<[Held; 4]>,
    made: Mutex<Made>,
}
struct Made {
    room: SmallVec<[Buffer; 1]>,
    done: bool,
}
thread_local! { static SENT: Cell<Option<Arc<Errand>>> = const { Cell::new(None) }; }

/// Computes `a`, and `b` beside it: if calls were left for both and are small, `b` is there when this thread reads it
/// or settles.
#[track_caller]
pub(crate) fn beside(a: &Held, b: &Held) {
    settle();
    let both = a.is_waiting() && b.is_waiting() && is_small(a) && is_small(b);
    let Some(errand) = Some(b).filter(|_| both).and_then(Errand::of) else { return force(&[a, b]) };
    let errand = Arc::new(errand);
    let task = errand.clone();
    if dry::counting() || profile::on() {
        task.run();
    } else {
        pool::send(move || task.run());
    }
    SENT.set(Some(errand));
    pool::with_threads(1, || run_waiting(a));
}
/// Returns when the call that this thread left to another one is done, and its result is known.
///
/// # Panics
/// If the call did.
pub(crate) fn settle() {
    if let Some(errand) = SENT.take() {
        pool::settle();
        errand.publish();
    }
}

impl Errand {
    /// With memory for its result, so that this thread takes it.
    #[track_caller]
    fn of(value: &Held) -> Option<Errand> {
        let guard = value.cell.lock()?;
        let recipe = guard.recipe();
        let Kind::Call(waiting) = &recipe.kind else { unreachable!("only calls wait") };
        let of = Caller::of(waiting, recipe);
        let room = smallvec![allocate(&of, &value.spec())];
        Some(Errand {
            value: value.clone(),
            waiting: waiting.clone(),
            of,
            operands: value::values(&recipe.args).cloned().collect(),
            made: Mutex::new(Made { room, done: false }),
        })
    }
    fn made(&self) -> MutexGuard<'_, Made> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }
    fn run(&self) {
        let operands: SmallVec<[&Held; 4]> = self.operands.iter().collect();
        let mut made = self.made();
        compute(&self.waiting.call, &self.of, &operands, &[self.value.spec()], &mut made.room);
        made.done = true;
    }
    fn publish(&self) {
        let mut made = self.made();
        let room = made.room.pop().filter(|_| made.done);
        if let (Some(room), Some(mut guard)) = (room, self.value.cell.lock()) {
            let recipe = guard.publish(View::dense(Arc::new(room)));
            drop(guard);
            drop(recipe);
        }
    }
}
