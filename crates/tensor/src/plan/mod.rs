//! Forcing: which pending values are computed together, what of them is written to memory, and whose memory.
//!
//! [`force`] groups the wanted values by iteration space. For each group [`graph`] locks the pending values below
//! it and decides what is written; `fuse` turns their structure into a program, once per structure; [`bind`]
//! gives the program its pointers, reusing the buffers of operands that die; the backend runs it. Only this room
//! forces values. A value that one expression makes of values in memory needs no graph ([`flat`]).
mod bind;
mod errand;
mod flat;
mod graph;

pub(crate) use bind::{Binding, Out};
pub(crate) use errand::{beside, settle};

use crate::backend::backend;
use crate::buffer::{Buffer, Refused};
use crate::call::{self, Call, ViewMut};
use crate::cpu::pool;
use crate::dry;
use crate::error::{Error, ErrorKind, attempt, raise};
use crate::fuse::{self, Code};
use crate::memory;
use crate::op::Spec;
use crate::profile::{self, Cost};
use crate::value::{self, Held, Kind, Pending, Space, Value, View, Waiting};
use graph::Graph;
use smallvec::SmallVec;
use std::panic::Location;
use std::sync::Arc;

/// Instructions of one program, at most.
const MAX_GROUP: u64 = 256;
/// More roots than this are the parameters of an optimizer, which have little in common: one program for all of them
/// gains nothing once it moves more KiB than lie near the processor.
const MANY: usize = 8;
const NEAR_KIB: u64 = 768;
/// Up to so many KiB they are computed one by one.
const SMALL_KIB: u64 = 64;

/// Computes those of `roots` that are pending, in as few programs as their shapes allow.
#[track_caller]
pub(crate) fn force(roots: &[&Held]) {
    if dry::planning() {
        dry::settle(roots.iter().copied());
    }
    if !roots.iter().any(|v| v.is_pending()) {
        return;
    }
    let waiting: SmallVec<[&Held; 4]> = roots.iter().copied().filter(|v| v.is_waiting()).collect();
    if !waiting.is_empty() {
        run_calls(&waiting);
    }
    if roots.iter().any(|v| v.after && v.is_pending()) {
        force_in_stages(roots);
    } else {
        force_together(roots);
    }
}
/// The floating-point operations up to which a call gains more from running beside another one than from being shared.
const SMALL: u64 = 1 << 24;

/// Runs the calls that values were left for: several small ones beside each other, each on one thread.
#[track_caller]
fn run_calls(values: &[&Held]) {
    settle();
    if values.len() == 1 || dry::counting() || profile::on() || !values.iter().all(|v| is_small(v)) {
        return values.iter().for_each(|v| run_waiting(v));
    }
    pool::parallel(values.len(), &|i| pool::with_threads(1, || run_waiting(values[i])));
}
/// Whether the call that a value was left for, if any, is small.
fn is_small(v: &Held) -> bool {
    v.cell.lock().is_none_or(|guard| flops(guard.recipe()) <= SMALL)
}
fn flops(recipe: &Pending) -> u64 {
    if let Kind::Call(waiting) = &recipe.kind { waiting.flops } else { 0 }
}
/// Runs the call that a value was left for.
#[track_caller]
fn run_waiting(v: &Held) {
    let Some(mut guard) = v.cell.lock() else { return };
    let made = answer(v, guard.recipe());
    let recipe = guard.publish(View::dense(Arc::new(made)));
    drop(guard);
    drop(recipe);
}
/// What the call that `v` was left for gives.
#[track_caller]
fn answer(v: &Held, recipe: &Pending) -> Buffer {
    let Kind::Call(waiting) = &recipe.kind else { unreachable!("only calls wait") };
    let x: SmallVec<[&Held; 4]> = value::values(&recipe.args).collect();
    call(&waiting.call, &Caller::of(waiting, recipe), &x, &[v.spec()]).pop().expect("one output")
}
/// Whose a call is.
pub(crate) struct Caller {
    /// The operation.
    pub(crate) op: &'static str,
    /// Its line, if another one has it run.
    pub(crate) at: Option<&'static Location<'static>>,
    /// What it is in a profile.
    pub(crate) tag: u64,
    /// The floating-point operations that count for it.
    pub(crate) flops: u64,
}
impl Caller {
    /// That of a call which was left.
    fn of(waiting: &Waiting, recipe: &Pending) -> Caller {
        Caller { op: waiting.op, at: Some(recipe.at), tag: recipe.tag, flops: waiting.flops }
    }
    /// Refuses the call for want of memory, at its own line.
    #[track_caller]
    #[cold]
    fn refuse(&self, e: Error) -> ! {
        // Not by `map_or_else`: functions that are handed on have their caller in the standard library.
        let at = match self.at {
            Some(at) => of_user(at),
            None => Location::caller(),
        };
        raise(e.of(self.op).at(at))
    }
}
/// An error in the parts of an operation `op`; one for want of memory as that operation's own, at the caller's line.
#[track_caller]
#[cold]
pub(crate) fn blamed(op: &'static str, e: Error) -> Error {
    let ours = e.location().is_none_or(is_ours);
    if e.kind() == ErrorKind::Memory && ours { e.of(op).at(Location::caller()) } else { e }
}
/// The line that is to blame: the one that made a value, or if that is in a rule of this library, the one that demands it.
#[track_caller]
fn of_user(at: &'static Location<'static>) -> &'static Location<'static> {
    if is_ours(at) { Location::caller() } else { at }
}
/// Whether a line is one of this crate.
fn is_ours(at: &'static Location<'static>) -> bool {
    let here = file!().trim_end_matches("mod.rs").trim_end_matches(['/', '\\']).trim_end_matches("plan");
    at.file().starts_with(here)
}
/// The error of a value, of this recipe, that the system has no memory for.
#[track_caller]
#[cold]
pub(super) fn refused(v: &Value, recipe: &Pending) -> Error {
    memory::refused(recipe.kind.name(), v.dtype, &v.shape).at(of_user(recipe.at))
}
/// Runs a call over operands in memory.
#[track_caller]
pub(crate) fn call(call: &Call, of: &Caller, x: &[&Held], out: &[Spec]) -> SmallVec<[Buffer; 1]> {
    let mut buffers: SmallVec<[Buffer; 1]> = SmallVec::new();
    for s in out {
        buffers.push(allocate(of, s));
    }
    compute(call, of, x, out, &mut buffers);
    buffers
}
/// Memory for a result of a call.
#[track_caller]
fn allocate(of: &Caller, s: &Spec) -> Buffer {
    match backend().allocate(memory::bytes(&s.shape, s.dtype)) {
        Ok(buffer) => buffer,
        Err(_) => of.refuse(memory::refused(of.op, s.dtype, &s.shape)),
    }
}
#[track_caller]
fn compute(call: &Call, of: &Caller, x: &[&Held], out: &[Spec], buffers: &mut SmallVec<[Buffer; 1]>) {
    let clock = profile::clock();
    if dry::planning() {
        dry::count_call();
    } else {
        let mut views: SmallVec<[call::View<'_>; 4]> = SmallVec::new();
        for v in x {
            views.push(call::View::of(v));
        }
        let mut results: SmallVec<[ViewMut<'_>; 1]> =
            out.iter().zip(buffers).map(|(s, b)| ViewMut::of(b, s.dtype, s.shape.clone())).collect();
        match attempt(|| backend().call(call, &views, &mut results)) {
            Err(e) if e.kind() == ErrorKind::Memory => of.refuse(e),
            Err(e) => raise(e),
            Ok(()) => {}
        }
    }
    if let Some(clock) = clock {
        let read: usize = x.iter().map(|v| memory::bytes(&v.shape, v.dtype)).sum();
        let bytes = (read + out.iter().map(|s| memory::bytes(&s.shape, s.dtype)).sum::<usize>()) as u64;
        profile::spend(of.tag, Cost { time: clock.elapsed(), bytes, flops: of.flops });
    }
}
/// Where some roots read the ends of other passes: these first, together with every root that reads none.
#[track_caller]
fn force_in_stages(roots: &[&Held]) {
    let mut sinks = vec![];
    for v in roots.iter().filter(|v| v.after && v.is_pending()) {
        v.sinks_below(&mut sinks);
    }
    let all: SmallVec<[&Held; 16]> = roots.iter().copied().chain(&sinks).collect();
    loop {
        let first = |v: &&Held| {
            let mut below = vec![];
            if v.after {
                v.sinks_below(&mut below);
            }
            v.is_pending() && below.is_empty()
        };
        let stage: SmallVec<[&Held; 16]> = all.iter().copied().filter(first).collect();
        if stage.is_empty() {
            return;
        }
        force_together(&stage);
    }
}
#[track_caller]
fn force_together(roots: &[&Held]) {
    let mut left: SmallVec<[&Held; 8]> = roots.iter().copied().filter(|v| v.is_pending()).collect();
    if let [root] = left[..]
        && flat::run(root)
    {
        return;
    }
    if left.len() > MANY {
        left.retain(|v| v.kib() > SMALL_KIB || flat::has_siblings(v) || !flat::run(v));
    }
    while let Some(first) = left.first() {
        let mut space = first.space;
        let (mut size, mut kib, mut last, mut closed) = (0, 0, None, false);
        let mut group: SmallVec<[&Held; 8]> = SmallVec::new();
        left.retain(|v| {
            let mut with = space;
            if closed || !joins(v.space, &mut with) {
                return true;
            }
            let cost = v.cell.cost();
            let (instructions, moved) = (cost & u64::from(u32::MAX), (cost >> 32) + v.kib());
            let full = size + instructions > MAX_GROUP || roots.len() > MANY && kib + moved > NEAR_KIB;
            // Outputs of one operation stay together: apart, none of them could take over an operand's memory.
            let first = if roots.len() > MANY { v.first_operand() } else { None };
            if size > 0 && full && (first.is_none() || first != last) {
                closed = true;
                return true;
            }
            (last, space) = (first, with);
            size += instructions;
            kib += moved;
            group.push(*v);
            false
        });
        run(&group, space);
        left.retain(|v| v.is_pending());
    }
}
/// Whether a value of space `v` can share a program of `space`, which may take on its rows.
fn joins(v: Space, space: &mut Space) -> bool {
    let agree = v.n == space.n && (v.last == 0 || space.last == 0 || v.last == space.last);
    if agree {
        space.last = space.last.max(v.last);
    }
    agree
}
#[track_caller]
fn run(roots: &[&Held], space: Space) {
    let clock = profile::clock();
    let mut graph = Graph::collect(roots);
    if graph.is_empty() {
        return; // another thread was faster
    }
    graph.decide();
    let mut binding = Binding::new(space);
    let key = binding.read(&graph);
    let code = fuse::lookup(&key, binding.expressions(&graph));
    binding.place_outputs(&graph, &code);
    if execute(&code, &binding).is_err() {
        raise(binding.refused(&graph));
    }
    if let Some(clock) = clock {
        profile::spend_shared(clock.elapsed(), &graph.shares());
    }
    let recipes = binding.publish(&mut graph);
    drop(graph);
    drop(recipes);
}
/// Runs a program; in a dry run, takes the memory that it would take.
fn execute(code: &Code, binding: &Binding<'_>) -> Result<(), Refused> {
    let done = if dry::planning() { backend().rehearse(code, binding) } else { backend().run(code, binding) };
    done.inspect(|()| memory::count_program())
}
