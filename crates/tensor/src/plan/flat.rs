//! A value that one expression makes of values in memory: there is no graph to sort out.
use super::bind::Binding;
use super::execute;
use crate::fuse;
use crate::profile;
use crate::value::{Held, Kind, View};

/// Computes `v`, if it is such a value; says whether its elements are there.
#[track_caller]
pub(super) fn run(v: &Held) -> bool {
    if profile::on() {
        return false;
    }
    let Some(mut guard) = v.cell.lock() else { return true };
    let mut binding = Binding::new(v.space);
    let Some(key) = binding.read_alone(v, guard.recipe()) else { return false };
    let Kind::Map { expr, .. } = &guard.recipe().kind else { unreachable!("an expression was read") };
    let code = fuse::lookup(&key, std::iter::once(expr));
    binding.place_alone(&code, v, guard.recipe());
    execute(&code, &binding).expect("only reductions take memory beside operands and results");
    let recipe = guard.publish(View::dense(binding.result()));
    drop(guard);
    drop(recipe);
    true
}
/// Whether other results of the expression may be wanted with `v`, which then one program gives.
pub(super) fn has_siblings(v: &Held) -> bool {
    let siblings = |kind: &Kind| matches!(kind, Kind::Map { expr, .. } if expr.outs.len() > 1);
    v.cell.lock().is_some_and(|guard| siblings(&guard.recipe().kind))
}
