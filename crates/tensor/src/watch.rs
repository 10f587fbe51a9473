//! The NaN recorder: under its guard operations run at once, and the first one that makes a NaN or an infinity of
//! operands that gave it no cause is an error.
use crate::apply;
use crate::call::View;
use crate::dry;
use crate::elementwise::Class;
use crate::error::{Error, ErrorKind, attempt};
use crate::mode;
use crate::op::{Op, Outputs};
use crate::operand::Operand;
use crate::scalar::Expr;
use crate::tensor::Tensor;
use smallvec::SmallVec;
use std::cell::Cell;
use std::fmt::Write;
use std::panic::Location;
use std::sync::Arc;

/// The operation whose gradient rule runs, and its line.
type Ruled = Option<(&'static str, &'static Location<'static>)>;
thread_local! {
    static ON: Cell<bool> = const { Cell::new(false) };
    static RULE: Cell<Ruled> = const { Cell::new(None) };
}

/// Sets a switch until it is dropped.
struct Switch(bool);
impl Switch {
    fn set(on: bool) -> Switch {
        Switch(ON.replace(on))
    }
}
impl Drop for Switch {
    fn drop(&mut self) {
        ON.set(self.0);
    }
}
pub(crate) fn on() -> bool {
    ON.get()
}
/// Runs a gradient rule, whose operations are then told to be those of this record.
pub(crate) fn within_rule<R>(
    name: &'static str,
    at: &'static Location<'static>,
    rule: impl FnOnce() -> R,
) -> R {
    struct Back(Ruled);
    impl Drop for Back {
        fn drop(&mut self) {
            RULE.set(self.0);
        }
    }
    let _back = Back(RULE.replace(Some((name, at))));
    rule()
}

/// Runs `f`, every operation at once, and stops at the first that makes a NaN of operands without one, or an infinity
/// of finite operands, forward or backward: the error names the operation, its line and its operands. Constants,
/// selections by a mask and conversions may give what they like.
///
/// ```
/// use retrograd_tensor::{Tensor, find_nan};
/// let x = Tensor::from([1.0f32, -2.0]);
/// let found = find_nan(|| (&x * 2.0).log().sum(())).unwrap_err().to_string();
/// assert!(found.starts_with("log: makes NaN: 1 of 2 elements, the first at [1]; operand 0: f32 [2] from -4 to 2"));
/// assert!(find_nan(|| (&x * 2.0).exp().sum(())).is_ok());
/// ```
///
/// # Errors
/// The first such operation, or any other misuse inside.
#[track_caller]
pub fn find_nan<R>(f: impl FnOnce() -> R) -> Result<R, Error> {
    attempt(|| {
        let _on = Switch::set(true);
        mode::eager(f)
    })
}

/// An elementwise operation, watched.
#[track_caller]
pub(crate) fn map(
    expr: &Arc<Expr>,
    out: usize,
    x: &mut [Operand],
    at: &'static Location<'static>,
) -> Result<Tensor, Error> {
    let operands: SmallVec<[Operand; 4]> = x.iter().cloned().collect();
    let y = {
        let _off = Switch::set(false);
        apply::try_expr(expr, out, x, at)?
    };
    if expr.single().is_some_and(|op| op.class == Class::Choose) {
        return Ok(y);
    }
    let tensors = operands.iter().filter_map(|o| if let Operand::Tensor(t) = o { Some(t) } else { None });
    let numbers =
        operands.iter().filter_map(|o| if let Operand::Number(n) = o { Some(n.to_f64()) } else { None });
    let told = numbers.fold((false, true), |(nan, finite), v| (nan || v.is_nan(), finite && v.is_finite()));
    check(expr.name, at, &tensors.collect::<Vec<_>>(), told, &y)?;
    Ok(y)
}
/// A structural operation, watched.
#[track_caller]
pub(crate) fn op(op: impl Op, x: &[&Tensor], at: &'static Location<'static>) -> Result<Outputs, Error> {
    let name = op.name();
    let out = {
        let _off = Switch::set(false);
        apply::op_n(op, x)
    };
    if !matches!(name, "cast" | "masked_fill") {
        for y in &out {
            check(name, at, x, (false, true), y)?;
        }
    }
    Ok(out)
}

/// What there is among the elements of a float tensor.
struct Seen {
    nan: bool,
    infinite: bool,
    low: f64,
    high: f64,
    bad: usize,
    first: usize,
}
fn look(t: &Tensor) -> Seen {
    let mut seen =
        Seen { nan: false, infinite: false, low: f64::INFINITY, high: f64::NEG_INFINITY, bad: 0, first: 0 };
    let view = View::of(&t.value);
    crate::call::by_dtype!(t.value.dtype, T => {
        for (i, v) in view.dense::<T>().iter().enumerate() {
            let v = crate::dtype::Element::to_f64(*v);
            if v.is_finite() {
                (seen.low, seen.high) = (seen.low.min(v), seen.high.max(v));
                continue;
            }
            if seen.bad == 0 {
                seen.first = i;
            }
            seen.bad += 1;
            seen.nan |= v.is_nan();
            seen.infinite |= v.is_infinite();
        }
    });
    seen
}
fn check(
    name: &'static str,
    at: &'static Location<'static>,
    x: &[&Tensor],
    (number_nan, numbers_finite): (bool, bool),
    y: &Tensor,
) -> Result<(), Error> {
    if !y.dtype().is_float() || dry::is_blank(y) {
        return Ok(());
    }
    let out = look(y);
    if !out.nan && !out.infinite {
        return Ok(());
    }
    let given: Vec<Seen> = x.iter().map(|t| look(t)).collect();
    let makes_nan = out.nan && !number_nan && !given.iter().any(|s| s.nan);
    let finite = numbers_finite && given.iter().all(|s| !s.nan && !s.infinite);
    if !(makes_nan || out.infinite && finite) {
        return Ok(());
    }
    let what = if makes_nan { "NaN" } else { "infinity" };
    let mut place = vec![0; y.rank()];
    let mut k = out.first;
    for (at, &size) in place.iter_mut().zip(y.value.shape.iter().skip(y.value.shape.rank() - y.rank())).rev()
    {
        (*at, k) = (k % size, k / size);
    }
    let mut detail =
        format!("makes {what}: {} of {} elements, the first at {place:?}", out.bad, y.value.numel);
    for (i, (t, s)) in x.iter().zip(&given).enumerate() {
        let _ = write!(detail, "; operand {i}: {} {}", t.dtype(), t.shape());
        let _ = match s.low <= s.high {
            true => write!(detail, " from {} to {}", s.low, s.high),
            false => write!(detail, " without a finite element"),
        };
        if let Some(edge) = &t.edge {
            let _ = write!(detail, ", of {} at {}", edge.record.name(), edge.record.at());
        }
    }
    let mut line = at;
    if let Some((rule, place)) = RULE.get() {
        let _ = write!(detail, "; in the gradient of {rule}");
        line = place;
    }
    Err(Error::new(name, ErrorKind::Value, detail).at(line))
}
