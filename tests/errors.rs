//! What a user reads after a mistake: one table of wrong calls and the message of each, word for word. Every
//! message names the operation, what is wrong, what was given and what would be right, and points at the user's
//! own line, whether it comes as a panic or, inside `attempt`, as an error.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use retrograd::prelude::*;
use retrograd::with_vjp;
use retrograd::{ErrorKind, PadMode};

/// A wrong call, the line where the row starts, and the error that the call must give.
struct Row {
    line: u32,
    kind: ErrorKind,
    call: fn(),
    message: &'static str,
}

/// A row of the table.
macro_rules! row {
    ($kind:ident, $call:expr, $message:expr $(,)?) => {
        Row { line: line!(), kind: ErrorKind::$kind, call: || _ = $call, message: $message }
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
    t(shape).cast(F64)
}

fn indices<const N: usize>(values: [i64; N]) -> Tensor {
    Tensor::from(values)
}

#[rustfmt::skip]
const SHAPES: &[Row] = &[
    row!(Shape, t([2, 3]) + t([4]),
        "add: shapes do not broadcast: [2, 3] and [4] have 3 and 4 at axis -1; sizes must be equal or 1"),
    row!(Shape, &t([2, 3]) * &t([2, 3, 2]),
        "mul: shapes do not broadcast: [2, 3] and [2, 3, 2] have 2 and 3 at axis -2; sizes must be equal or 1"),
    row!(Shape, t([2]).maximum(t([3])),
        "maximum: shapes do not broadcast: [2] and [3] have 2 and 3 at axis 0; sizes must be equal or 1"),
    row!(Shape, t([2]).gt(0.0).where_(t([3]), t([2])),
        "where_: shapes do not broadcast: [2] and [3] have 2 and 3 at axis 0; sizes must be equal or 1"),
    row!(Shape, Tensor::from_vec(vec![1.0f32, 2.0, 3.0], [2, 2]),
        "from_slice: wrong number of elements: 3 for shape [2, 2]; it needs 4"),
    row!(Shape, t([2, 3]).item(),
        "item: 6 elements in shape [2, 3]; item reads exactly one"),
    row!(Shape, t([2, 3]).reshape([4]),
        "reshape: sizes do not fit: 6 elements into [4]; their product is 4 and must be 6"),
    row!(Shape, t([2, 3]).reshape([-1, 4]),
        "reshape: sizes do not fit: 6 elements into [-1, 4]; 4 must divide 6"),
    row!(Shape, t([2, 3]).reshape([-1, -1]),
        "reshape: more than one size left open: 6 elements into [-1, -1]; only one may be -1"),
    row!(Shape, t([2, 3]).broadcast_to([2, 4]),
        "expand: [2, 3] does not broadcast to [2, 4]: axis 1 has 3; it must have 1 or 4"),
    row!(Shape, t([2, 3]).expand([3]),
        "expand: [2, 3] does not broadcast to [3]: rank 2 is above rank 1; axes are only added"),
    row!(Value, with_vjp(&[&t([1]); 65], |x| x[0].clone(), |_, _, _| vec![]),
        "with_vjp: 65 operands; a rule takes at most 64: join some by cat"),
    row!(Value, t([2, 3]).repeat([2]),
        "repeat: too few counts: [2] for shape [2, 3]; each axis needs one"),
    row!(Shape, Tensor::cat(&[&t([2, 3]), &t([2, 4])], 0),
        "cat: shapes do not fit: [2, 3] and, as operand 1, [2, 4]; all axes but 0 need the same sizes"),
    row!(Shape, Tensor::stack(&[&t([2, 3]), &t([3, 2])], 0),
        "stack: shapes differ: [2, 3] and, as operand 1, [3, 2]; they must be equal"),
    row!(Shape, t([6]).split([2, 3], 0),
        "split: sizes do not fit: [2, 3] add up to 5; axis 0 has size 6"),
    row!(Shape, t([2, 3]).matmul(t([4, 5])),
        "matmul: inner dimensions differ: [2, 3] x [4, 5] has 3 and 4; the last of the left must equal the last but one of the right"),
    row!(Shape, t([2, 2, 3]).matmul(t([3, 3, 2])),
        "matmul: batch axes do not broadcast: [2, 2, 3] x [3, 3, 2]; axes before the last two must be equal or 1"),
    row!(Shape, t([2, 3]).linear(t([4, 2]), None),
        "linear: inner dimensions differ: [2, 3] x [4, 2] has 3 and 2; the last of the left must equal the last of the right"),
    row!(Shape, t([3]).dot(t([4])),
        "dot: inner dimensions differ: [3] x [4] has 3 and 4; the last of the left must equal the last of the right"),
    row!(Shape, Tensor::einsum("ij,jk->ik", &[&t([2, 3]), &t([4, 2])]),
        "einsum: sizes of one subscript differ: `j` of \"ij,jk->ik\" has 3 and 4; they must be equal or 1"),
    row!(Shape, t([3]).scatter(0, &indices([0, 1]), t([1])),
        "scatter: positions of shape [2] do not fit a source of shape [1]; they need the same rank, and at most its sizes"),
    row!(Value, t([3]).pad(&[(0, 1), (1, 0)], PadMode::Zeros),
        "pad: too many pairs: 2 for shape [3]; each axis has one at most"),
    row!(Value, t([3]).pad(&[(3, 0)], PadMode::Reflect),
        "pad: padding too wide: (3, 0) on axis 0 of size 3; Reflect takes at most 2 on a side"),
];

#[rustfmt::skip]
const DTYPES: &[Row] = &[
    row!(Dtype, t([2]) + double([2]),
        "add: float types differ: f32 and f64; cast one of them, as in x.cast(F64)"),
    row!(Dtype, t([2, 2]).matmul(double([2, 2])),
        "matmul: float types differ: f32 and f64; cast one of them, as in x.cast(F64)"),
    row!(Dtype, t([2]).to_vec::<f64>(),
        "to_vec: elements are f32, not f64; read them as to_vec::<f32>(), or cast first"),
    row!(Dtype, indices([1, 2]) * 0.5,
        "mul: a fractional number with integers: 0.5 and i64; cast the tensor, as in x.cast(F32)"),
    row!(Dtype, indices([1, 2]) / 4.0,
        "div: a float with integers: 4.0 and i64; cast the tensor, as in x.cast(F32), or use an integer, which cuts toward 0"),
    row!(Dtype, 1.0 / indices([1, 2]),
        "div: a float with integers: 1.0 and i64; cast the tensor, as in x.cast(F32), or use an integer, which cuts toward 0"),
    row!(Dtype, indices([1, 2]).mean(()),
        "mean: not a float: elements are i64; cast them first, as in x.cast(F32)"),
    row!(Dtype, indices([1, 2]).tracked(),
        "tracked: elements are i64; only floats have gradients, as in x.cast(F32).tracked()"),
    row!(Dtype, t([2]).where_(t([2]), t([2])),
        "where_: the condition is f32; it must be bool, as from x.gt(0.0) or x.ne(0)"),
    row!(Dtype, t([2]).masked_fill(&t([2]), 0.0),
        "masked_fill: the mask is f32; it must be bool, as from x.gt(0.0) or x.ne(0)"),
    row!(Dtype, t([2]).index_select(0, &t([2])),
        "index_select: positions are f32; they must be integers, as in index.cast(I64)"),
    row!(Dtype, t([2]).one_hot(3),
        "one_hot: positions are f32; they must be integers, as in index.cast(I64)"),
    row!(Dtype, Tensor::cat(&[&t([2]), &double([2])], 0),
        "cat: element types differ: f32 and f64; cast one of them, as in v.cast(F32)"),
];

#[rustfmt::skip]
const AXES: &[Row] = &[
    row!(Axis, t([2, 3]).sum(2),
        "sum: axis out of range: axis 2 of a tensor of rank 2; axes run from -2 to 1"),
    row!(Axis, t([2, 3]).sum([0, -2]),
        "sum: axis listed twice: axis 0 in [0, -2] of a tensor of rank 2; each may stand once"),
    row!(Axis, t([2, 3]).softmax(-3),
        "softmax: axis out of range: axis -3 of a tensor of rank 2; axes run from -2 to 1"),
    row!(Axis, t([2, 3]).cumsum(2),
        "cumsum: axis out of range: axis 2 of a tensor of rank 2; axes run from -2 to 1"),
    row!(Axis, t([2, 3]).permute([0, 0]),
        "permute: axis listed twice: axis 0 in [0, 0] of a tensor of rank 2; each may stand once"),
    row!(Axis, t([2, 3]).permute([0]),
        "permute: not a permutation: [0] lists 1 axes; a tensor of rank 2 needs each of its axes once"),
    row!(Axis, t([2, 3]).transpose(0, 2),
        "transpose: axis out of range: axis 2 of a tensor of rank 2; axes run from -2 to 1"),
    row!(Axis, t([2, 3]).unsqueeze(3),
        "unsqueeze: axis out of range: new axis 3 in a tensor of rank 2; a new axis goes from -3 to 2"),
    row!(Axis, t([2, 3]).squeeze(2),
        "squeeze: axis out of range: axis 2 of a tensor of rank 2; axes run from -2 to 1"),
    row!(Axis, t([2, 3]).flip([0, 0]),
        "flip: axis listed twice: axis 0 in [0, 0] of a tensor of rank 2; each may stand once"),
    row!(Axis, t([2, 3]).flatten(1, 0),
        "flatten: axes in reverse: start 1 and end 0 of shape [2, 3]; start must not be after end"),
    row!(Axis, t([2, 3]).size(2),
        "size: axis out of range: axis 2 of a tensor of rank 2; axes run from -2 to 1"),
    row!(Axis, Tensor::cat(&[&t([2]), &t([2])], 1),
        "cat: axis out of range: axis 1 of a tensor of rank 1; axes run from -1 to 0"),
];

#[rustfmt::skip]
const INDICES: &[Row] = &[
    row!(Index, t([2, 3]).select(0, 2),
        "select: index out of range: index 2 on axis 0 of size 2 (shape [2, 3]); indices run from -2 to 1"),
    row!(Index, t([2, 3]).narrow(1, 2, 2),
        "narrow: range out of bounds: 2 from 2 on axis 1 of size 3; it must end at 3 or before"),
    row!(Index, t([2, 3]).index_select(1, &indices([0, 3])),
        "index_select: index out of range: 3 on an axis of size 3; indices run from 0 to 2"),
    row!(Index, t([3]).gather(0, &indices([0, -1])),
        "gather: index out of range: -1 on an axis of size 3; indices run from 0 to 2"),
    row!(Index, t([3]).scatter_add(0, &indices([7]), t([1])),
        "scatter_add: index out of range: 7 on an axis of size 3; indices run from 0 to 2"),
    row!(Index, t([2, 3]).at(s![2, ..]),
        "at: index out of range: index 2 on axis 0 of size 2 (shape [2, 3]); indices run from -2 to 1"),
    row!(Index, t([2, 3]).at(s![0, 0, 0]),
        "at: too many indices: 3 axes indexed of shape [2, 3]; at most 2 can be"),
    row!(Index, indices([0, 4]).one_hot(4),
        "one_hot: index out of range: 4 on an axis of size 4; indices run from 0 to 3"),
    row!(Index, t([2, 3]).cross_entropy(&indices([0, 3])),
        "cross_entropy: label out of range: 3 at position 1, with 3 classes; labels lie in 0..3, or are ignore_index -100"),
    row!(Index, t([2, 3]).topk(4, 1, true),
        "topk: k is too large: 4 of 3 elements along axis 1 of [2, 3]; k is at most 3"),
];

#[rustfmt::skip]
const RANKS: &[Row] = &[
    row!(Shape, t([2, 3, 4]).t(),
        "t: not a matrix: rank 3; mt() exchanges the last two axes of any tensor"),
    row!(Shape, t([3]).tril(0),
        "tril: not a matrix: shape [3]; it takes at least two axes"),
    row!(Axis, t([3]).diagonal(0, 0, 1),
        "diagonal: axis out of range: axis 1 of a tensor of rank 1; axes run from -1 to 0"),
    row!(Shape, t([3]).bmm(t([3])),
        "bmm: wrong number of axes: [3] x [3]; it takes tensors of rank 3 and 3; matmul takes any ranks"),
    row!(Shape, t([]).matmul(t([3])),
        "matmul: a scalar is no matrix: [] x [3]; both need at least one axis; use * to multiply by a number"),
    row!(Shape, t([2, 2]).outer(t([3])),
        "outer: not two vectors: [2, 2] x [3]; each has one axis"),
];

#[rustfmt::skip]
const VALUES: &[Row] = &[
    row!(Value, t([3]).slice(0, 0, 3, 0),
        "slice: step is 0: on axis 0 of shape [3]; it must not be 0"),
    row!(Value, t([3]).chunk(0, 0),
        "chunk: no chunks: 0 asked for; it takes at least 1"),
    row!(Value, indices([1, 2]) / 0,
        "div: integer division by zero: operands of type i64; use other operands, or floats, as from x.cast(F32)"),
    row!(Value, Tensor::cat::<Tensor>(&[], 0),
        "cat: no tensors: an empty list; it takes at least one"),
    row!(Value, Tensor::arange(0.0, 1.0, 0.0),
        "arange: step is 0: 0 to 1 by 0; it must not be 0"),
];

#[rustfmt::skip]
const GRADIENTS: &[Row] = &[
    row!(Shape, t([2]).tracked().backward(),
        "backward: the result has shape [2], not one element; reduce it, or give a cotangent to start from"),
    row!(Gradient, t([]).backward(),
        "backward: the result depends on nothing tracked; gradients need a leaf, as from x.tracked() or a Param"),
    row!(Gradient, &t([]).tracked().sin().backward()[&t([2]).tracked()],
        "grads[]: no gradient of the [2] tensor: not used in this graph"),
    row!(Gradient, grad(&t([]).tracked().sin(), &[&t([2]).tracked()]),
        "grad: no gradient of tensor 0 ([2]): not used in this graph"),
];

#[rustfmt::skip]
const LAYERS: &[Row] = &[
    row!(Shape, linear(4, 2).forward(&t([2, 3])),
        "Linear: input does not fit: shape [2, 3]; Linear(4, 2) takes [.., 4]"),
    row!(Shape, Sequential::new().then(Relu).then(linear(4, 2)).forward(&t([2, 3])),
        "Linear: input does not fit: shape [2, 3]; Linear(4, 2) takes [.., 4]"),
    row!(Axis, Sequential::new().then(Sequential::new().then(Flatten::default())).forward(&t([2])),
        "flatten: axis out of range: axis 1 of a tensor of rank 1; axes run from -1 to 0"),
    row!(Shape, Conv2d::new(4, 2, 3, &mut Rng::new(0)).forward(&t([1, 3, 5, 5])),
        "Conv2d: input does not fit: shape [1, 3, 5, 5]; Conv2d(4, 2) takes [batch, 4, 2 spatial axes], the batch axis may be left out"),
    row!(Value, Conv1d::new(4, 6, 3, &mut Rng::new(0)).groups(3),
        "groups: groups do not fit: 3 groups, after 1, of 6 and 4 channels; both must be multiples, and groups are given once"),
    row!(Shape, BatchNorm2d::new(3).forward(&t([2, 3])),
        "BatchNorm2d: input does not fit: shape [2, 3]; BatchNorm2d(3) takes [batch, 3, height, width]"),
    row!(Shape, Residual(LayerNorm::new(4)).forward(&t([2, 3])),
        "layer_norm: not the last axes: [4] of shape [2, 3]; name the sizes of one or more of them"),
    row!(Index, Embedding::new(4, 2, &mut Rng::new(0)).padding(4),
        "Embedding: no such row: 4 of 4; the padding index must be below 4"),
    row!(Shape, Gru::new(3, 4, &mut Rng::new(0)).forward(&t([5, 2, 2])),
        "Gru: input does not fit: shape [5, 2, 2]; Gru(3, 4) takes [steps, batch, 3], with a step or more"),
    row!(Shape, Rnn::new(3, 4, &mut Rng::new(0)).forward_from(&t([5, 2, 3]), &t([1, 2, 3])),
        "Rnn: first states do not fit: f32 [1, 2, 3]; they must be f32 [1, 2, 4]"),
    row!(Value, Lstm::with(3, 4, Recurrent { projection: Some(4), ..Recurrent::default() }, &mut Rng::new(0)),
        "Lstm: projection does not fit: to 4 from 4; an Lstm can have one, smaller than its states"),
    row!(Value, MultiheadAttention::new(6, 4, &mut Rng::new(0)),
        "MultiheadAttention: heads do not fit: 4 of size 6; they must be of one size"),
    row!(Shape, {
        let (x, mask) = (t([5, 2, 8]), t([4, 4]));
        let layer = TransformerEncoderLayer::new(8, 2, &mut Rng::new(0));
        layer.forward(&x, &Masks { attention: Some(&mask), ..Masks::default() })
    }, "MultiheadAttention: the mask does not fit: f32 [4, 4]; it must be [5, 5] or [4, 5, 5], bool or of floats"),
    row!(Shape, RotaryPositions::new(4).forward(&t([3, 6])),
        "RotaryPositions: input does not fit: shape [3, 6]; RotaryPositions(4) takes [.., positions, 4]"),
    row!(Value, Parallel::added().forward(&t([2])),
        "Parallel: no layers: there is nothing to run; add one by `with`"),
];

/// A layer from `inputs` to `outputs` features.
fn linear(inputs: usize, outputs: usize) -> Linear {
    Linear::new(inputs, outputs, &mut Rng::new(0))
}

fn rows() -> impl Iterator<Item = &'static Row> {
    [SHAPES, DTYPES, AXES, INDICES, RANKS, VALUES, GRADIENTS, LAYERS].into_iter().flatten()
}

/// Where a panic was raised, and what it said.
#[derive(Clone, Debug, PartialEq)]
struct Raised {
    file: String,
    line: u32,
    message: String,
}

thread_local! {
    /// The panics of this thread while they are being collected.
    static RAISED: RefCell<Option<Vec<Raised>>> = const { RefCell::new(None) };
}

/// Panics of this thread while `f` runs, none of which is printed.
fn raised_by(f: impl FnOnce()) -> Vec<Raised> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let place = info.location().expect("a panic has a location");
            let message = info.payload_as_str().unwrap_or_default().to_owned();
            let raised = Raised { file: place.file().to_owned(), line: place.line(), message };
            RAISED.with_borrow_mut(|all| match all {
                Some(all) => all.push(raised),
                None => usual(info),
            });
        }));
    });
    RAISED.set(Some(Vec::new()));
    let _ = catch_unwind(AssertUnwindSafe(f));
    RAISED.take().unwrap_or_default()
}

/// Fails with every finding, if there is one.
#[track_caller]
fn none(findings: &[String]) {
    assert!(findings.is_empty(), "{} rows differ:\n{}", findings.len(), findings.join("\n"));
}

#[test]
fn messages_are_these() {
    let mut findings = Vec::new();
    for row in rows() {
        match attempt(row.call) {
            Ok(()) => findings.push(format!("line {}: accepted; refusal: {}", row.line, row.message)),
            Err(error) => {
                let (got, kind) = (error.to_string(), error.kind());
                if (got.as_str(), kind) != (row.message, row.kind) {
                    let expected = format!("expected: {} ({:?})", row.message, row.kind);
                    findings.push(format!("line {}:\n     got: {got} ({kind:?})\n{expected}", row.line));
                }
            }
        }
    }
    none(&findings);
}

#[test]
fn messages_say_what_is_wrong_and_what_would_be_right() {
    let complete = |message: &str| {
        let (operation, rest) = message.split_once(": ")?;
        let (wrong, right) = rest.split_once("; ")?;
        Some([operation, wrong, right].iter().all(|part| !part.trim().is_empty()))
    };
    // What is missing of a gradient is told by the record that cut it, or by nothing at all.
    let findings =
        rows().filter(|row| row.kind != ErrorKind::Gradient && complete(row.message) != Some(true));
    none(&findings.map(|row| format!("line {}: {}", row.line, row.message)).collect::<Vec<_>>());
}

#[test]
fn errors_point_at_the_line_of_the_user() {
    let mut findings = Vec::new();
    for row in rows() {
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
    for row in rows() {
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
fn a_function_of_the_user_within_a_model_reports_its_own_line() {
    let line = line!() + 1;
    let model = Sequential::new().then_fn(|x| x.reshape([7])).then(Relu);
    let raised = raised_by(|| drop(model.forward(&t([2, 3]))));
    let places = raised.iter().map(|raised| (raised.file.as_str(), raised.line)).collect::<Vec<_>>();
    assert_eq!(places, [(file!(), line)]);
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
    let _ = attempt(|| no_grad(|| t([2]) + t([3])));
    assert!((&x * 2.0).is_tracked(), "recording is on again");
}

/// The message of the refusal of `f`.
#[track_caller]
fn refusal(f: impl FnOnce()) -> String {
    attempt(f).expect_err("the call must be refused").to_string()
}

#[test]
fn a_gradient_that_was_cut_off_names_the_operation_and_its_line() {
    let x = t([3]).tracked();
    let line = line!() + 1;
    let score = (&x * x.argmax(0).cast(F32)).sum(()) + x.gt(0.5).cast(F32).sum(());
    assert!(score.backward().get(&x).is_some(), "the product is differentiable in its first factor");
    let only_cut = x.gt(0.5).cast(F32).sum(());
    let message = refusal(|| _ = grad(&only_cut, &[&x]));
    assert!(message.contains("gt") && message.contains("errors.rs"), "line {line}: {message}");
    let twice_cut = (x.gt(0.5).cast(F32) * x.detach()).sum(());
    let message = refusal(|| _ = grad(&twice_cut, &[&x]));
    assert!(message.contains("gt") && !message.contains("no_grad"), "{message}");
}

#[test]
fn gradients_of_a_stranger_are_refused_by_name() {
    let (x, y) = (t([]).tracked(), t([]).tracked());
    let grads = x.sin().backward();
    let message = refusal(|| _ = &grads[&y]);
    assert!(message.contains("not used"), "{message}");
    assert_eq!(grads.grad_or_zeros(&y).item(), 0.0);
}

#[test]
fn a_second_backward_names_the_remedies() {
    let x = t([2]).tracked();
    let loss = (&x * &x).sum(());
    drop(loss.backward());
    let message = refusal(|| drop(loss.backward()));
    assert!(message.contains("backward_keep"), "{message}");
}
