//! Iteration spaces: which values one program computes together.
//!
//! A program walks `n` elements in logical order. If a reduction over trailing axes, or its
//! broadcast back, takes part, these form rows of `last` elements, and a value is *full* (n elements) or *row*
//! (n / last elements); which of the two follows from its number of elements alone. So any reshape in logical
//! order is only another name, and a value of `[rows, 1]` joins a program over `[rows, last]` as its row value.
use super::{Arg, Held, Kind, Over, Value, values};
use crate::shape::Shape;

/// The longest row that one block of a program holds, and so the longest that a reduction can be broadcast back
/// over in the same pass.
pub(crate) const ROW_MAX: usize = 8192;
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Space {
    pub(crate) n: usize,
    pub(crate) last: usize,
}

impl Value {
    /// Whether this pending value can be broadcast to `shape` inside a program, row by row.
    pub(crate) fn spreads(&self, shape: &Shape) -> bool {
        let n = shape.numel();
        self.is_pending() && !self.sink && self.numel != n && fits(self, n, shape, &mut Space { n, last: 0 })
    }
}
/// Where a new value is computed.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) space: Space,
    pub(super) sink: bool,
    pub(super) after: bool,
    pub(super) tree: bool,
    pub(super) called: bool,
}
impl Place {
    /// In no program.
    pub(super) fn apart(n: usize) -> Place {
        Place { space: Space { n, last: 0 }, sink: false, after: false, tree: true, called: false }
    }
}
/// Where a new value is computed; forces operands that do not fit. A pending sink is ready by the time that the new
/// value's own pass begins, so it fits anywhere.
#[track_caller]
pub(super) fn join(kind: &Kind, shape: &Shape, args: &[Arg]) -> Place {
    let after = values(args).any(|v| v.is_pending() && (v.sink || v.after));
    let tree = values(args).all(|v| !v.is_pending() || (v.tree && v.cell.holders().0 == 1));
    if let Kind::Fold { over, .. } = kind {
        let Arg::Value(x) = &args[0] else { unreachable!("a reduction has a tensor operand") };
        let (space, sink) = join_fold(*over, x);
        return Place { space, sink, after, tree, called: false };
    }
    let n = shape.numel();
    let mut space = Space { n, last: 0 };
    for v in values(args) {
        if v.is_pending() && !v.sink && !fits(v, n, shape, &mut space) {
            v.force();
        }
    }
    Place { space, sink: false, after, tree, called: false }
}
/// Whether pending `v` can be an operand of a value of `n` elements in `space`, which may grow or take on rows.
fn fits(v: &Value, n: usize, shape: &Shape, space: &mut Space) -> bool {
    let agree = |a: usize, b: usize| a == 0 || b == 0 || a == b;
    if v.numel == n {
        if v.space.n == space.n {
            if !agree(v.space.last, space.last) {
                return false;
            }
            space.last = space.last.max(v.space.last);
        } else if space.n == n && space.last == 0 {
            *space = v.space; // the new value is a row value of the operand's program
        } else {
            return v.space.n == n && v.space.last == 0; // the operand becomes a row value of the new one's
        }
        return true;
    }
    let Some(row) = trailing(&v.shape, shape) else { return false };
    let own_rows = if v.space.n == v.numel { v.space.last == 0 } else { v.space == (Space { n, last: row }) };
    if space.n != n || !own_rows || !agree(space.last, row) || row > ROW_MAX {
        return false;
    }
    space.last = row;
    true
}
/// The row length by which `from` broadcasts over trailing axes of `to`: `[a, b, 1, 1]` over `[a, b, c, d]` is c d.
fn trailing(from: &Shape, to: &Shape) -> Option<usize> {
    if from.rank() > to.rank() {
        return None;
    }
    let pad = to.rank() - from.rank();
    let size = |i: usize| if i < pad { 1 } else { from[i - pad] };
    let kept = (0..to.rank()).rfind(|&i| size(i) != 1).map_or(0, |i| i + 1);
    (0..kept).all(|i| size(i) == to[i]).then(|| to[kept..].iter().product()).filter(|&row| row > 1)
}
#[track_caller]
fn join_fold(over: Over, x: &Held) -> (Space, bool) {
    let fused = x.is_pending() && !x.sink;
    match over {
        Over::Rows(_) if fused && x.space.n != x.numel => (x.space, true), // over the row values of a program
        Over::Rows(len) => {
            if fused && x.space.last != 0 && x.space.last != len {
                x.force();
            }
            (Space { n: x.numel, last: len }, len > ROW_MAX)
        }
        Over::Columns { .. } if fused => (x.space, true),
        Over::Columns { .. } => (Space { n: x.numel, last: 0 }, true),
    }
}
