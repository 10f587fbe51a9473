//! The texts of shape errors, the conversions users rely on, and broadcasting against its definition.

use proptest::prelude::*;

use super::*;

#[track_caller]
fn check<T: fmt::Debug>(result: Result<T, Error>, kind: ErrorKind, message: &str) {
    let e = result.unwrap_err();
    assert_eq!((e.kind(), e.to_string().as_str()), (kind, message));
}

fn shape(sizes: impl IntoShape) -> Shape {
    sizes.into_shape()
}

/// What a method with the signature of `sum` sees.
fn sum(axes: impl IntoAxes) -> Axes {
    axes.into_axes()
}

fn reshape(dims: impl IntoDims) -> Vec<isize> {
    dims.into_dims().to_vec()
}

#[test]
#[allow(clippy::needless_borrows_for_generic_args, reason = "the borrowed forms are under test")]
fn constructors_take_every_list_of_sizes() {
    let expected = Shape::from([2, 3]);
    assert_eq!(shape([2, 3]), expected);
    assert_eq!(shape(&[2, 3]), expected);
    assert_eq!(shape(&[2, 3][..]), expected);
    assert_eq!(shape(vec![2, 3]), expected);
    assert_eq!(shape(&vec![2, 3]), expected);
    assert_eq!(shape(expected.clone()), expected);
    assert_eq!(shape(&expected), expected);
    assert_eq!(shape(4), [4]);
    assert_eq!(shape(()), []);
    assert_eq!((2..4).collect::<Shape>(), expected);
    assert_eq!(expected, [2, 3]);
    assert_eq!([2, 3], expected);
    assert_eq!(expected, &[2, 3]);
    assert_eq!(expected, &[2, 3][..]);
    assert_eq!(expected, vec![2, 3]);
    assert_eq!(expected, *[2, 3].as_slice());
    assert_eq!(format!("{expected} {expected:?} {expected:#?}"), "[2, 3] [2, 3] [2, 3]");
    assert_eq!(shape(()).to_string(), "[]");
}

#[test]
#[allow(clippy::needless_borrows_for_generic_args, reason = "the borrowed forms are under test")]
fn axes_infer_from_plain_literals() {
    let list = |list: &[isize]| Axes::List(SmallVec::from_slice(list));
    let (unsigned, wide) = (1_usize, vec![0_i64, -1]);
    assert_eq!(sum(1), list(&[1]));
    assert_eq!(sum(-1), list(&[-1]));
    assert_eq!(sum(unsigned), list(&[1]));
    assert_eq!(sum([0, -1]), list(&[0, -1]));
    assert_eq!(sum(&[0, -1]), list(&[0, -1]));
    assert_eq!(sum(&[unsigned][..]), list(&[1]));
    assert_eq!(sum(&wide), list(&[0, -1]));
    assert_eq!(sum(wide), list(&[0, -1]));
    assert_eq!(sum(sum(1)), list(&[1]));
    assert_eq!(sum(()), Axes::All);
    assert_eq!(sum(..), Axes::All);
    assert_eq!(sum(usize::MAX), list(&[isize::MAX]));
}

#[test]
#[allow(clippy::needless_borrows_for_generic_args, reason = "the borrowed forms are under test")]
fn dims_infer_from_plain_literals() {
    let n = 2_usize;
    assert_eq!(reshape([2, -1]), [2, -1]);
    assert_eq!(reshape(&[2, -1]), [2, -1]);
    assert_eq!(reshape([n, n]), [2, 2]);
    assert_eq!(reshape(vec![n as i64, -1]), [2, -1]);
    assert_eq!(reshape(&[n][..]), [2]);
    assert_eq!(reshape(-1), [-1]);
    assert_eq!(reshape(()), []);
    assert_eq!(reshape(Shape::from([2, 3])), [2, 3]);
    assert_eq!(reshape(&Shape::from([2, 3])), [2, 3]);
}

#[test]
fn numel_counts_what_an_isize_can() {
    assert_eq!(shape([2, 0, 3]).checked_numel(), Some(0));
    assert_eq!(shape(()).checked_numel(), Some(1));
    assert_eq!(shape([usize::MAX, 0, 2]).checked_numel(), None);
    assert_eq!(shape(usize::MAX).checked_numel(), None);
    assert_eq!(shape(isize::MAX as usize).checked_numel(), Some(isize::MAX as usize));
}

#[test]
fn broadcast_names_shapes_and_axis() {
    let broadcast = |a: &[usize], b: &[usize]| broadcast("add", &a.into(), &b.into());
    assert_eq!(broadcast(&[2, 1], &[3]).unwrap(), [2, 3]);
    assert_eq!(broadcast(&[2, 1], &[0]).unwrap(), [2, 0]);
    assert_eq!(broadcast(&[], &[2, 1]).unwrap(), [2, 1]);
    check(
        broadcast(&[5, 3, 2], &[5, 4, 6]),
        ErrorKind::Shape,
        "add: shapes do not broadcast: [5, 3, 2] and [5, 4, 6] have 3 and 4 at axis 1; sizes must be equal or 1",
    );
    check(
        broadcast(&[2, 3], &[4]),
        ErrorKind::Shape,
        "add: shapes do not broadcast: [2, 3] and [4] have 3 and 4 at axis -1; sizes must be equal or 1",
    );
    check(
        broadcast(&[1 << 40, 1], &[1 << 40]),
        ErrorKind::Shape,
        &format!(
            "add: too many elements: shape [{0}, {0}]; at most {1} can be counted",
            1_u64 << 40,
            isize::MAX
        ),
    );
    let (a, b, c) = (shape([2, 1]), shape([1, 3]), shape([4, 2, 5]));
    assert_eq!(broadcast_all("where", &[&a, &b]).unwrap(), [2, 3]);
    assert_eq!(broadcast_all("where", &[]).unwrap(), []);
    check(
        broadcast_all("where", &[&a, &b, &c]),
        ErrorKind::Shape,
        "where: shapes do not broadcast: [1, 3] and [4, 2, 5] have 3 and 5 at axis -1; sizes must be equal or 1",
    );
    assert!(broadcasts_to("expand", &a, &c).is_ok());
    check(
        broadcasts_to("expand", &b, &c),
        ErrorKind::Shape,
        "expand: [1, 3] does not broadcast to [4, 2, 5]: axis 1 has 3; it must have 1 or 5",
    );
    check(
        broadcasts_to("expand", &c, &a),
        ErrorKind::Shape,
        "expand: [4, 2, 5] does not broadcast to [2, 1]: rank 3 is above rank 2; axes are only added",
    );
}

#[test]
fn axes_are_checked() {
    assert_eq!(axis("sum", -1, 2).unwrap(), 1);
    assert_eq!(new_axis("unsqueeze", -1, 2).unwrap(), 2);
    assert_eq!(new_axis("unsqueeze", 0, 0).unwrap(), 0);
    assert_eq!(axes("sum", &[-1, 0], 3).unwrap()[..], [0, 2]);
    assert_eq!(axes("sum", &[], 3).unwrap()[..], []);
    assert_eq!(axes_or_all("sum", &[], 3).unwrap()[..], [0, 1, 2]);
    assert_eq!(sum(()).resolve("sum", 2).unwrap()[..], [0, 1]);
    assert_eq!(sum(Vec::<i32>::new()).resolve("sum", 2).unwrap()[..], []);
    assert_eq!(sum(Vec::<i32>::new()).resolve_or_all("sum", 2).unwrap()[..], [0, 1]);
    assert_eq!(ordered_axes("flip", &[-1, 0], 3).unwrap()[..], [2, 0]);
    assert_eq!(permutation("permute", &[-1, 0, 1], 3).unwrap()[..], [2, 0, 1]);
    check(
        axis("sum", 2, 2),
        ErrorKind::Axis,
        "sum: axis out of range: axis 2 of a tensor of rank 2; axes run from -2 to 1",
    );
    assert!(axis("sum", isize::MIN, 2).is_err() && axis("sum", isize::MAX, 2).is_err());
    check(
        axis("sum", 0, 0),
        ErrorKind::Axis,
        "sum: axis out of range: axis 0 of a tensor of rank 0; a scalar has no axes",
    );
    check(
        new_axis("unsqueeze", 4, 2),
        ErrorKind::Axis,
        "unsqueeze: axis out of range: new axis 4 in a tensor of rank 2; a new axis goes from -3 to 2",
    );
    check(
        axes("sum", &[1, -1], 2),
        ErrorKind::Axis,
        "sum: axis listed twice: axis 1 in [1, -1] of a tensor of rank 2; each may stand once",
    );
    check(
        permutation("permute", &[0], 2),
        ErrorKind::Axis,
        "permute: not a permutation: [0] lists 1 axes; a tensor of rank 2 needs each of its axes once",
    );
}

#[test]
fn reshape_targets() {
    let target = |dims: &[isize], numel| reshape_target("reshape", dims, numel);
    assert_eq!(target(&[2, -1], 6).unwrap(), [2, 3]);
    assert_eq!(target(&[], 1).unwrap(), []);
    assert_eq!(target(&[-1], 0).unwrap(), [0]);
    assert_eq!(target(&[-1, 3], 0).unwrap(), [0, 3]);
    assert_eq!(target(&[0, 3], 0).unwrap(), [0, 3]);
    let cases = [
        (
            &[-2, 3][..],
            6,
            "negative size: 6 elements into [-2, 3]; a size is at least 0, or -1 for what is left",
        ),
        (&[-1, -1], 6, "more than one size left open: 6 elements into [-1, -1]; only one may be -1"),
        (&[4, -1], 6, "sizes do not fit: 6 elements into [4, -1]; 4 must divide 6"),
        (&[4, 2], 6, "sizes do not fit: 6 elements into [4, 2]; their product is 8 and must be 6"),
        (
            &[0, -1],
            0,
            "the open size is not determined: 0 elements into [0, -1]; beside a size of 0 give all sizes",
        ),
    ];
    for (dims, numel, detail) in cases {
        check(target(dims, numel), ErrorKind::Shape, &format!("reshape: {detail}"));
    }
    assert!(target(&[isize::MAX, 4], 4).is_err());
}

proptest! {
    #[test]
    fn broadcast_is_as_defined(
        a in prop::collection::vec(0_usize..4, 0..4),
        b in prop::collection::vec(0_usize..4, 0..4),
    ) {
        let rank = a.len().max(b.len());
        let size = |s: &[usize], at: usize| (at + s.len()).checked_sub(rank).map_or(1, |own| s[own]);
        let expected: Option<Vec<usize>> = (0..rank)
            .map(|at| match (size(&a, at), size(&b, at)) {
                (x, y) if x == y || y == 1 => Some(x),
                (1, y) => Some(y),
                _ => None,
            })
            .collect();
        let (a, b) = (Shape::from(a), Shape::from(b));
        let found = broadcast("add", &a, &b).ok();
        prop_assert_eq!(found.as_deref(), expected.as_deref());
        if let Some(out) = found {
            prop_assert!(broadcasts_to("add", &a, &out).is_ok() && broadcasts_to("add", &b, &out).is_ok());
        }
    }
}
