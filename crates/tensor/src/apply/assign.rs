//! Operations in place: a handle that becomes another value.
use super::try_expr;
use crate::elementwise::Elementwise;
use crate::error::OrRaise;
use crate::levels::Label;
use crate::operand::Operand;
use crate::record::Edge;
use crate::scalar::Expr;
use crate::tensor::Tensor;
use crate::value::Uncounted;
use std::cell::Cell;
use std::panic::Location;

/// Puts `x` back if the operation, or an operand that it has computed, panics.
struct Undo<'a>(&'a mut Tensor, Option<(Uncounted, Option<Edge>, Option<Box<Label>>)>);
impl Drop for Undo<'_> {
    fn drop(&mut self) {
        if let Some((value, edge, label)) = self.1.take() {
            *self.0 = Tensor { value: value.hold(), edge, label };
        }
    }
}
thread_local! { static SPARE: Cell<Option<Tensor>> = const { Cell::new(None) }; }
/// `x` becomes one operation of itself and `o`; while that is made nobody else holds the old `x` for it, so that
/// its memory can be the new one's. A refused operation leaves `x` as it was.
#[track_caller]
pub(crate) fn assign(op: &'static Elementwise, x: &mut Tensor, o: Operand) {
    let spare = SPARE.take().unwrap_or_else(|| Tensor::full((), 0.0f32));
    let old = (x.value.uncounted(), x.edge.clone(), x.label.clone());
    let mut operands = [Operand::Tensor(std::mem::replace(x, spare)), o];
    let mut undo = Undo(x, Some(old));
    let new = try_expr(Expr::of(op), 0, &mut operands, Location::caller()).or_raise();
    undo.1 = None;
    SPARE.set(Some(std::mem::replace(undo.0, new)));
}
