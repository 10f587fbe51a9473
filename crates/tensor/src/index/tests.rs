//! The notation of `s![]`, and its meaning against Python's rules.

use proptest::prelude::*;

use super::*;

/// Stands for the tensor handle; a mask takes as many axes as it says.
#[derive(Clone, Debug, PartialEq)]
struct Handle(usize);

impl From<&Handle> for Index<Handle> {
    fn from(handle: &Handle) -> Index<Handle> {
        Index::Tensor(handle.clone())
    }
}

/// What a method `x.index(s![..])` sees.
fn items(items: impl AsRef<[Index<Handle>]>) -> Vec<Index<Handle>> {
    items.as_ref().to_vec()
}

fn range(start: impl Into<Option<isize>>, end: impl Into<Option<isize>>, step: isize) -> Index<Handle> {
    Index::Range { start: start.into(), end: end.into(), step }
}

fn resolve_in(shape: impl Into<Shape>, items: &[Index<Handle>]) -> Result<Vec<Resolved<'_, Handle>>, Error> {
    resolve("index", &shape.into(), items, |handle| handle.0)
}

#[test]
fn every_item_can_be_written() {
    let (i, n, wide) = (2_usize, [1_usize, 2], 7_i64);
    assert_eq!(items(s![]), []);
    assert_eq!(items(s![1, -1, i + 1]), [Index::At(1), Index::At(-1), Index::At(3)]);
    assert_eq!(items(s![1, n.len(), wide,]), [Index::At(1), Index::At(2), Index::At(7)]);
    assert_eq!(items(s![1..3, 1.., ..3]), [range(1, 3, 1), range(1, None, 1), range(None, 3, 1)]);
    assert_eq!(items(s![.., -3..-1]), [range(None, None, 1), range(-3, -1, 1)]);
    assert_eq!(items(s![i..-1, n[0]..n.len()]), [range(2, -1, 1), range(1, 2, 1)]);
    assert_eq!(items(s![i - 1..i as isize * 2]), [range(1, 4, 1)]);
    assert_eq!(items(s![1..=3, ..=-1, 2..=-1]), [range(1, 4, 1), range(None, None, 1), range(2, None, 1)]);
    assert_eq!(
        items(s![..;2, 1..;i, ..;-1]),
        [range(None, None, 2), range(1, None, 2), range(None, None, -1)]
    );
    assert_eq!(
        items(s![4..1;-1, 3..=0;-1, 3..=1;-2]),
        [range(4, 1, -1), range(3, None, -1), range(3, 0, -2)]
    );
    assert_eq!(items(s![NewAxis, ..., 0]), [Index::NewAxis, Index::Ellipsis, Index::At(0)]);
    assert_eq!(items(s![Ellipsis, 0]), [Index::Ellipsis, Index::At(0)]);
    let mask = Handle(2);
    assert_eq!(
        items(s![&mask, .., &Handle(1)]),
        [Index::Tensor(Handle(2)), range(None, None, 1), Index::Tensor(Handle(1))]
    );
}

#[test]
fn ranges_and_items_kept_in_variables_work() {
    let (rows, columns, item) = (1..3_usize, 0..=1, Index::NewAxis);
    assert_eq!(items(s![rows, columns, item]), [range(1, 3, 1), range(0, 2, 1), Index::NewAxis]);
    let (from, to, through, all) = (2.., ..2, ..=2, ..);
    assert_eq!(
        items(s![from, to, through, all]),
        [range(2, None, 1), range(None, 2, 1), range(None, 3, 1), range(None, None, 1)]
    );
    assert_eq!(items(s![(1, 2).1, if rows_first() { 0 } else { 1 }..2]), [Index::At(2), range(0, 2, 1)]);
}

fn rows_first() -> bool {
    true
}

#[test]
fn every_axis_is_resolved_once() {
    use Resolved::{NewAxis, Select, Slice};
    let list = items(s![-1, NewAxis, ..., 1..]);
    let expected = [
        Select { axis: 0, index: 1 },
        NewAxis,
        Slice { axis: 1, start: 0, step: 1, len: 3 },
        Slice { axis: 2, start: 0, step: 1, len: 4 },
        Slice { axis: 3, start: 1, step: 1, len: 4 },
    ];
    assert_eq!(resolve_in([2, 3, 4, 5], &list).unwrap(), expected);
    let mask = Handle(2);
    let list = items(s![&mask, 0]);
    let expected = [
        Resolved::Tensor { axis: 0, axes: 2, tensor: &mask },
        Select { axis: 2, index: 0 },
        Slice { axis: 3, start: 0, step: 1, len: 5 },
    ];
    assert_eq!(resolve_in([2, 3, 4, 5], &list).unwrap(), expected);
    assert_eq!(resolve_in([2], &items(s![..., 0, ...])).unwrap_err().kind(), ErrorKind::Index);
    assert_eq!(resolve_in([2], &items(s![0, ...])).unwrap(), [Select { axis: 0, index: 0 }]);
    assert_eq!(resolve_in(Shape::scalar(), &items(s![])).unwrap(), []);
    assert_eq!(resolve_in(Shape::scalar(), &items(s![..., NewAxis])).unwrap(), [NewAxis]);
}

#[test]
fn refusals_name_what_was_given() {
    #[track_caller]
    fn check(list: &[Index<Handle>], kind: ErrorKind, message: &str) {
        let e = resolve_in([2, 3, 0], list).unwrap_err();
        assert_eq!((e.kind(), e.to_string().as_str()), (kind, message));
    }
    let out_of_range = "index: index out of range: index";
    check(
        &items(s![.., 3]),
        ErrorKind::Index,
        &format!("{out_of_range} 3 on axis 1 of size 3 (shape [2, 3, 0]); indices run from -3 to 2"),
    );
    check(
        &items(s![-3]),
        ErrorKind::Index,
        &format!("{out_of_range} -3 on axis 0 of size 2 (shape [2, 3, 0]); indices run from -2 to 1"),
    );
    check(
        &items(s![..., 0]),
        ErrorKind::Index,
        &format!("{out_of_range} 0 on axis 2 of size 0 (shape [2, 3, 0]); an axis of size 0 has no elements"),
    );
    check(
        &items(s![0, 0, &Handle(2)]),
        ErrorKind::Index,
        "index: too many indices: 4 axes indexed of shape [2, 3, 0]; at most 3 can be",
    );
    check(
        &items(s![.., ..;0]),
        ErrorKind::Value,
        "index: step is 0: range on axis 1 of shape [2, 3, 0]; it must not be 0",
    );
    check(
        &items(s![..., ...]),
        ErrorKind::Index,
        "index: more than one ellipsis: 2 given; at most one is clear",
    );
}

#[test]
fn extreme_bounds_are_clamped() {
    assert_eq!(clamped(3, Some(isize::MIN), Some(isize::MAX), 1), (0, 3));
    assert_eq!(clamped(3, Some(isize::MAX), Some(isize::MIN), -1), (2, 3));
    assert_eq!(clamped(3, None, None, isize::MIN), (2, 1));
    assert_eq!(clamped(3, None, None, isize::MAX), (0, 1));
    assert_eq!(clamped(0, None, None, -1).1, 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn ranges_walk_as_in_python(
        size in 0_usize..7,
        start in prop::option::of(-9_isize..10),
        end in prop::option::of(-9_isize..10),
        step in prop_oneof![-4_isize..0, 1_isize..5],
    ) {
        // A walk one step at a time, with bounds outside the axis pulled to its rim.
        let n = size as isize;
        let rim = |bound: isize| {
            let bound = if bound < 0 { bound + n } else { bound };
            if step > 0 { bound.max(0).min(n) } else { bound.max(-1).min(n - 1) }
        };
        let mut at = start.map_or(if step > 0 { 0 } else { n - 1 }, rim);
        let stop = end.map_or(if step > 0 { n } else { -1 }, rim);
        let mut expected = Vec::new();
        while if step > 0 { at < stop } else { at > stop } {
            expected.push(at);
            at += step;
        }
        let (first, len) = clamped(size, start, end, step);
        let found: Vec<isize> = (0..len as isize).map(|i| first as isize + i * step).collect();
        prop_assert!(found.iter().all(|at| (0..n).contains(at)));
        prop_assert_eq!(found, expected);
    }
}
