//! What a user reads after a mistake: one table of wrong calls and the message of each, word for word. Every
//! message names the operation, what is wrong, what was given and what would be right, and points at the user's
//! own line, whether it comes as a panic or, inside `attempt`, as an error.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use retrograd::prelude::*;
use retrograd::{ErrorKind, PadMode};

/// A wrong call, the line where the row starts, and the message that the call must give.
struct Row {
    line: u32,
    call: fn(),
    message: &'static str,
}

/// A row of the table.
macro_rules! row {
    ($call:expr, $message:expr $(,)?) => {
        Row { line: line!(), call: || _ = $call, message: $message }
    };
}

/// The longest row, from its first line to the line of the wrong call.
const ROW_LINES: u32 = 6;

/// An f32 tensor of `shape` counting up from zero.
fn t<const N: usize>(shape: [usize; N]) -> Tensor {
    let count = shape.iter().product::<usize>();
    Tensor::from_vec((0..count).map(|value| value as f32).collect::<Vec<_>>(), shape)
}

fn double<const N: usize>(shape: [usize; N]) -> Tensor {
    t(shape).cast(DType::F64)
}

fn indices<const N: usize>(values: [i64; N]) -> Tensor {
    Tensor::from(values)
}

#[rustfmt::skip]
const SHAPES: &[Row] = &[
    row!(t([2, 3]) + t([4]), ""),
    row!(&t([2, 3]) * &t([2, 3, 2]), ""),
    row!(t([2]).maximum(t([3])), ""),
    row!(t([2]).gt(0.0).where_(t([3]), t([2])), ""),
    row!(Tensor::from_vec(vec![1.0f32, 2.0, 3.0], [2, 2]), ""),
    row!(t([2, 3]).item(), ""),
    row!(t([2, 3]).reshape([4]), ""),
    row!(t([2, 3]).reshape([-1, 4]), ""),
    row!(t([2, 3]).reshape([-1, -1]), ""),
    row!(t([2, 3]).broadcast_to([2, 4]), ""),
    row!(t([2, 3]).expand([3]), ""),
    row!(t([2, 3]).repeat([2]), ""),
    row!(Tensor::cat(&[&t([2, 3]), &t([2, 4])], 0), ""),
    row!(Tensor::stack(&[&t([2, 3]), &t([3, 2])], 0), ""),
    row!(t([6]).split([2, 3], 0), ""),
    row!(t([2, 3]).matmul(t([4, 5])), ""),
    row!(t([2, 2, 3]).matmul(t([3, 3, 2])), ""),
    row!(t([2, 3]).linear(&t([4, 2]), None), ""),
    row!(t([3]).dot(t([4])), ""),
    row!(Tensor::einsum("ij,jk->ik", &[&t([2, 3]), &t([4, 2])]), ""),
    row!(t([3]).scatter(0, &indices([0, 1]), &t([3])), ""),
    row!(t([2, 3]).pad(&[(0, 1)], PadMode::Constant(0.0)), ""),
    row!(t([3]).pad(&[(3, 0)], PadMode::Reflect), ""),
];

#[rustfmt::skip]
const DTYPES: &[Row] = &[
    row!(t([2]) + double([2]), ""),
    row!(t([2, 2]).matmul(double([2, 2])), ""),
    row!(t([2]).to_vec::<f64>(), ""),
    row!(indices([1, 2]) * 0.5, ""),
    row!(indices([1, 2]).mean(()), ""),
    row!(indices([1, 2]).tracked(), ""),
    row!(t([2]).where_(t([2]), t([2])), ""),
    row!(t([2]).masked_fill(&t([2]), 0.0), ""),
    row!(t([2]).index_select(0, &t([2])), ""),
    row!(t([2]).one_hot(3), ""),
    row!(Tensor::cat(&[&t([2]), &double([2])], 0), ""),
];

#[rustfmt::skip]
const AXES: &[Row] = &[
    row!(t([2, 3]).sum(2), ""),
    row!(t([2, 3]).sum([0, -2]), ""),
    row!(t([2, 3]).softmax(-3), ""),
    row!(t([2, 3]).cumsum(2), ""),
    row!(t([2, 3]).permute([0, 0]), ""),
    row!(t([2, 3]).permute([0]), ""),
    row!(t([2, 3]).transpose(0, 2), ""),
    row!(t([2, 3]).unsqueeze(3), ""),
    row!(t([2, 3]).squeeze(2), ""),
    row!(t([2, 3]).flip([0, 0]), ""),
    row!(t([2, 3]).flatten(1, 0), ""),
    row!(t([2, 3]).size(2), ""),
    row!(Tensor::cat(&[&t([2]), &t([2])], 1), ""),
];

#[rustfmt::skip]
const INDICES: &[Row] = &[
    row!(t([2, 3]).select(0, 2), ""),
    row!(t([2, 3]).narrow(1, 2, 2), ""),
    row!(t([2, 3]).index_select(1, &indices([0, 3])), ""),
    row!(t([3]).gather(0, &indices([0, -1])), ""),
    row!(t([3]).scatter_add(0, &indices([7]), &t([1])), ""),
    row!(t([2, 3]).at(s![2, ..]), ""),
    row!(t([2, 3]).at(s![0, 0, 0]), ""),
    row!(indices([0, 4]).one_hot(4), ""),
    row!(t([2, 3]).cross_entropy(&indices([0, 3])), ""),
    row!(t([2, 3]).topk(4, 1, true), ""),
];

#[rustfmt::skip]
const RANKS: &[Row] = &[
    row!(t([2, 3, 4]).t(), ""),
    row!(t([3]).tril(0), ""),
    row!(t([3]).diagonal(0, 0, 1), ""),
    row!(t([3]).bmm(t([3])), ""),
    row!(t([]).matmul(t([3])), ""),
    row!(t([2, 2]).outer(t([3])), ""),
];

#[rustfmt::skip]
const VALUES: &[Row] = &[
    row!(t([3]).slice(0, 0, 3, 0), ""),
    row!(t([3]).chunk(0, 0), ""),
    row!(indices([1, 2]) / 0, ""),
    row!(Tensor::cat::<Tensor>(&[], 0), ""),
    row!(Tensor::arange(0.0, 1.0, 0.0), ""),
];

#[rustfmt::skip]
const GRADIENTS: &[Row] = &[
    row!(t([2]).tracked().backward(), ""),
    row!(t([]).backward(), ""),
    row!(grad(&t([]).tracked().sin(), &[&t([2]).tracked()]), ""),
];

fn rows() -> impl Iterator<Item = (ErrorKind, &'static Row)> {
    let tables = [
        (ErrorKind::Shape, SHAPES),
        (ErrorKind::Dtype, DTYPES),
        (ErrorKind::Axis, AXES),
        (ErrorKind::Index, INDICES),
        (ErrorKind::Shape, RANKS),
        (ErrorKind::Value, VALUES),
        (ErrorKind::Gradient, GRADIENTS),
    ];
    tables.into_iter().flat_map(|(kind, rows)| rows.iter().map(move |row| (kind, row)))
}

/// Where a panic was raised, and what it said.
#[derive(Clone, Debug, PartialEq)]
struct Raised {
    file: String,
    line: u32,
    message: String,
}

thread_local! {
    static RAISED: RefCell<Vec<Raised>> = const { RefCell::new(Vec::new()) };
}

/// Panics of this thread while `f` runs, none of which is printed.
fn raised_by(f: impl FnOnce()) -> Vec<Raised> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        std::panic::set_hook(Box::new(|info| {
            let place = info.location().expect("a panic has a location");
            let message = info.payload_as_str().unwrap_or_default().to_owned();
            let raised = Raised { file: place.file().to_owned(), line: place.line(), message };
            RAISED.with_borrow_mut(|all| all.push(raised));
        }));
    });
    RAISED.take();
    let _ = catch_unwind(AssertUnwindSafe(f));
    RAISED.take()
}

/// Fails with every finding, if there is one.
#[track_caller]
fn none(findings: &[String]) {
    assert!(findings.is_empty(), "{} rows differ:\n{}", findings.len(), findings.join("\n"));
}

#[test]
fn messages_are_these() {
    let mut findings = Vec::new();
    for (kind, row) in rows() {
        match attempt(row.call) {
            Ok(()) => findings.push(format!("line {}: accepted; refusal: {}", row.line, row.message)),
            Err(error) => {
                let (got, got_kind) = (error.to_string(), error.kind());
                if (got.as_str(), got_kind) != (row.message, kind) {
                    findings.push(format!(
                        "line {}: {got_kind:?}\n     got: {got}\nexpected: {}",
                        row.line, row.message
                    ));
                }
            }
        }
    }
    none(&findings);
}

#[test]
fn messages_say_what_is_wrong_what_was_given_and_what_would_be_right() {
    let complete = |message: &str| {
        let (operation, rest) = message.split_once(": ")?;
        let (wrong, rest) = rest.split_once(": ")?;
        let (given, right) = rest.split_once("; ")?;
        Some([operation, wrong, given, right].iter().all(|part| !part.trim().is_empty()))
    };
    let findings = rows().filter(|(_, row)| complete(row.message) != Some(true));
    none(&findings.map(|(_, row)| format!("line {}: {}", row.line, row.message)).collect::<Vec<_>>());
}

#[test]
fn errors_point_at_the_line_of_the_user() {
    let mut findings = Vec::new();
    for (_, row) in rows() {
        let place = attempt(row.call).err().and_then(|error| error.location());
        let own = place.is_some_and(|place| {
            place.file() == file!() && (row.line..row.line + ROW_LINES).contains(&place.line())
        });
        if !own {
            findings.push(format!("line {}: the error points at {place:?}", row.line));
        }
    }
    none(&findings);
}

#[test]
fn panics_point_at_the_line_of_the_user() {
    let mut findings = Vec::new();
    for (_, row) in rows() {
        let raised = raised_by(row.call);
        let own = raised.first().is_some_and(|raised| {
            raised.file == file!()
                && (row.line..row.line + ROW_LINES).contains(&raised.line)
                && raised.message == row.message
        });
        if !own {
            findings.push(format!("line {}: {raised:?}", row.line));
        }
    }
    none(&findings);
}

#[test]
fn attempt_gives_what_the_closure_gives() {
    assert_eq!(attempt(|| t([2]).sum(()).item()).expect("a right call"), 1.0);
}

#[test]
fn attempt_prints_nothing() {
    let raised = raised_by(|| assert!(attempt(|| t([2]) + t([3])).is_err()));
    assert_eq!(raised, []);
}

#[test]
fn attempts_nest() {
    let outer = attempt(|| {
        let inner = attempt(|| t([2]).sum(4));
        assert!(inner.is_err());
        t([2]).sum(0).item()
    });
    assert_eq!(outer.expect("the inner error was handled"), 1.0);
    // The scope of the inner one is over: the outer one catches what comes after it.
    let outer = attempt(|| {
        let _ = attempt(|| t([2]).sum(4));
        t([2]).sum(5)
    });
    assert!(outer.is_err_and(|error| error.to_string().contains('5')));
}

#[test]
fn panics_of_the_user_pass_through_an_attempt() {
    let raised = raised_by(|| {
        let _ = attempt(|| panic!("the user's own"));
    });
    assert_eq!(raised.first().map(|raised| raised.message.as_str()), Some("the user's own"));
}

#[test]
fn after_an_attempt_mistakes_panic_again() {
    let _ = attempt(|| t([2]) + t([3]));
    assert_eq!(raised_by(|| drop(t([2]) + t([3]))).len(), 1);
}

#[test]
fn an_attempt_leaves_the_modes_as_they_were() {
    let x = t([2]).tracked();
    let _ = attempt(|| retrograd::no_grad(|| t([2]) + t([3])));
    assert!((&x * 2.0).is_tracked(), "recording is on again");
}
