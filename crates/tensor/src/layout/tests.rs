//! Random chains of views against a list of element offsets worked out without strides.

use proptest::prelude::*;

use super::*;

/// A view as the plain list of the offsets of its elements, in logical order.
#[derive(Clone, Debug)]
struct Oracle {
    shape: Vec<usize>,
    offsets: Vec<usize>,
}

/// Every index of `shape` in row-major order.
fn indices(shape: &[usize]) -> Vec<Vec<usize>> {
    shape.iter().fold(vec![vec![]], |all, &size| {
        all.iter().flat_map(|index| (0..size).map(move |i| [&index[..], &[i]].concat())).collect()
    })
}

impl Oracle {
    fn dense(shape: &[usize]) -> Oracle {
        Oracle { shape: shape.to_vec(), offsets: (0..shape.iter().product()).collect() }
    }

    fn at(&self, index: &[usize]) -> usize {
        let flat = index.iter().zip(&self.shape).fold(0, |flat, (&i, &size)| flat * size + i);
        self.offsets[flat]
    }

    /// The view of `shape` whose element at an index is this one's at `source(index)`.
    fn view(&self, shape: &[usize], source: impl Fn(&[usize]) -> Vec<usize>) -> Oracle {
        let offsets = indices(shape).iter().map(|index| self.at(&source(index))).collect();
        Oracle { shape: shape.to_vec(), offsets }
    }
}

/// One step of a chain: which view, and numbers that are brought into range when it is taken.
type Step = (usize, [usize; 4]);

fn with<T: Clone>(list: &[T], at: usize, value: T) -> Vec<T> {
    let mut out = list.to_vec();
    out[at] = value;
    out
}

fn without<T: Clone>(list: &[T], at: usize) -> Vec<T> {
    let mut out = list.to_vec();
    out.remove(at);
    out
}

fn inserted<T: Clone>(list: &[T], at: usize, value: T) -> Vec<T> {
    let mut out = list.to_vec();
    out.insert(at, value);
    out
}

/// Takes the same view of both; steps that do not apply change nothing.
fn advance(layout: &Layout, oracle: &Oracle, (kind, [a, b, c, d]): Step) -> (Layout, Oracle) {
    let shape = oracle.shape.clone();
    let rank = shape.len();
    let unchanged = || (layout.clone(), oracle.clone());
    if kind == 0 {
        let at = a % (rank + 1);
        let out = inserted(&shape, at, 1);
        return (layout.insert_axis(at), oracle.view(&out, |index| without(index, at)));
    }
    if kind == 1 {
        return reshaped(layout, oracle, a);
    }
    if rank == 0 {
        return unchanged();
    }
    let axis = a % rank;
    let size = shape[axis];
    match kind {
        2 => {
            let mut order: Vec<usize> = (0..rank).collect();
            order.swap(axis, b % rank);
            order.rotate_left(c % rank);
            let out: Vec<usize> = order.iter().map(|&axis| shape[axis]).collect();
            let source = |index: &[usize]| {
                (0..rank).map(|axis| index[order.iter().position(|&o| o == axis).unwrap()]).collect()
            };
            (layout.permute(&order), oracle.view(&out, source))
        }
        3 if size > 0 => {
            let (start, step) = (b % size, (c % 3) as isize + 1);
            let step = if d % 2 == 0 { step } else { -step };
            let room = if step > 0 { size - 1 - start } else { start };
            let len = (d / 2) % (room / step.unsigned_abs() + 2);
            let source =
                |index: &[usize]| with(index, axis, (start as isize + index[axis] as isize * step) as usize);
            (layout.slice(axis, start, step, len), oracle.view(&with(&shape, axis, len), source))
        }
        4 => {
            let source = |index: &[usize]| with(index, axis, size - 1 - index[axis]);
            (layout.flip(axis), oracle.view(&shape, source))
        }
        5 if size > 0 => {
            let index = b % size;
            let source = |rest: &[usize]| inserted(rest, axis, index);
            let view = if size == 1 { layout.squeeze(axis) } else { layout.select(axis, index) };
            (view, oracle.view(&without(&shape, axis), source))
        }
        6 if rank > 1 => {
            let second = (axis + 1 + b % (rank - 1)) % rank;
            diagonal(layout, oracle, c as isize % 7 - 3, (axis, second))
        }
        7 if rank < 5 => windows(layout, oracle, axis, [b % 3 + 1, c % 3 + 1, d % 2 + 1]),
        8 if rank < 5 => broadcast(layout, oracle, &vec![c % 3; b % 2], d % 4),
        _ => unchanged(),
    }
}

fn diagonal(layout: &Layout, oracle: &Oracle, offset: isize, (one, two): (usize, usize)) -> (Layout, Oracle) {
    let shape = &oracle.shape;
    let pairs: Vec<(usize, usize)> = (0..shape[one])
        .filter_map(|i| Some((i, i.checked_add_signed(offset)?)))
        .filter(|&(_, j)| j < shape[two])
        .collect();
    let kept: Vec<usize> = (0..shape.len()).filter(|&axis| axis != one && axis != two).collect();
    let out: Vec<usize> = kept.iter().map(|&axis| shape[axis]).chain([pairs.len()]).collect();
    let source = |index: &[usize]| {
        let (i, j) = pairs[index[index.len() - 1]];
        let place = |axis| match kept.iter().position(|&k| k == axis) {
            Some(at) => index[at],
            None if axis == one => i,
            None => j,
        };
        (0..shape.len()).map(place).collect()
    };
    (layout.diagonal(offset, one, two), oracle.view(&out, source))
}

fn windows(
    layout: &Layout,
    oracle: &Oracle,
    axis: usize,
    [width, step, dilation]: [usize; 3],
) -> (Layout, Oracle) {
    let size = oracle.shape[axis];
    let extent = (width - 1) * dilation + 1;
    let count = if size < extent { 0 } else { (size - extent) / step + 1 };
    let source = |index: &[usize]| {
        let (&within, rest) = index.split_last().unwrap();
        with(rest, axis, index[axis] * step + within * dilation)
    };
    let out = [with(&oracle.shape, axis, count), vec![width]].concat();
    (layout.windows(axis, width, step, dilation), oracle.view(&out, source))
}

/// Puts `lead` in front and stretches every axis of size 1 to `repeat`.
fn broadcast(layout: &Layout, oracle: &Oracle, lead: &[usize], repeat: usize) -> (Layout, Oracle) {
    let stretched = oracle.shape.iter().map(|&size| if size == 1 { repeat } else { size });
    let out: Vec<usize> = lead.iter().copied().chain(stretched).collect();
    let source = |index: &[usize]| {
        let own = index[lead.len()..].iter().zip(&oracle.shape);
        own.map(|(&i, &size)| if size == 1 { 0 } else { i }).collect()
    };
    (layout.broadcast_to(&Shape::from(&out[..])), oracle.view(&out, source))
}

/// The shape with two neighbours merged, or an axis cut in two, if strides allow it; checked either way.
fn reshaped(layout: &Layout, oracle: &Oracle, pick: usize) -> (Layout, Oracle) {
    let shape = &oracle.shape;
    let mut out = shape.clone();
    if shape.len() > 1 && pick.is_multiple_of(2) {
        let at = pick / 2 % (shape.len() - 1);
        out[at] *= out.remove(at + 1);
    } else if let Some(at) = shape.iter().position(|&size| size > 0 && size % 2 == 0) {
        out[at] /= 2;
        out.insert(at + pick % 2, 2);
    }
    let renamed = Oracle { shape: out.clone(), offsets: oracle.offsets.clone() };
    match layout.reshape(&Shape::from(out)) {
        Some(view) => (view, renamed),
        None => {
            assert!(!some_strides_fit(&renamed), "{layout:?} {renamed:?}");
            (layout.clone(), oracle.clone())
        }
    }
}

/// Whether any strides at all give the view's offsets.
fn some_strides_fit(view: &Oracle) -> bool {
    let Some(&first) = view.offsets.first() else { return true };
    let strides: Strides = (0..view.shape.len())
        .map(|axis| {
            let mut index = vec![0; view.shape.len()];
            index[axis] = usize::from(view.shape[axis] > 1);
            view.at(&index) as isize - first as isize
        })
        .collect();
    let guess = Layout { shape: Shape::from(&view.shape[..]), strides, offset: first };
    offsets(&guess) == view.offsets
}

fn offsets(layout: &Layout) -> Vec<usize> {
    indices(&layout.shape).iter().map(|index| layout.offset_at(index)).collect()
}

fn run_offsets(layout: &Layout, start: usize, len: usize) -> Vec<usize> {
    let mut out = Vec::new();
    layout.runs(start, len, |offset, stride, count| {
        assert!(count > 0);
        out.extend((0..count as isize).map(|i| (offset as isize + i * stride) as usize));
    });
    out
}

/// Everything a layout says about itself, against the oracle.
fn check(layout: &Layout, oracle: &Oracle, cut: (usize, usize)) {
    let numel = oracle.offsets.len();
    assert_eq!(layout.shape, oracle.shape);
    assert_eq!(offsets(layout), oracle.offsets, "{layout:?}");
    assert_eq!(layout.numel(), numel);
    assert_eq!((0..numel).map(|i| layout.flat_offset(i)).collect::<Vec<_>>(), oracle.offsets);
    let bounds = oracle.offsets.iter().min().zip(oracle.offsets.iter().max());
    assert_eq!(layout.span(), bounds.map(|(&low, &high)| (low, high)));

    let collapsed = layout.collapsed();
    assert_eq!(offsets(&collapsed), oracle.offsets, "{layout:?} {collapsed:?}");
    assert_eq!(collapsed.collapsed(), collapsed);
    assert!(collapsed.rank() <= layout.rank().max(1));
    let consecutive = oracle.offsets.windows(2).all(|pair| pair[1] == pair[0] + 1);
    assert_eq!(layout.is_dense(), consecutive, "{layout:?}");
    if consecutive {
        assert!(collapsed.rank() <= 1);
        assert_eq!(layout.reshape(&layout.shape), Some(Layout::dense(&layout.shape).at(layout.offset)));
    }
    assert_eq!(Layout::dense(&layout.shape).insert_axis(0), Layout::dense(layout.insert_axis(0).shape));

    let start = cut.0 % (numel + 1);
    let len = cut.1 % (numel - start + 1);
    for view in [layout, &collapsed] {
        assert_eq!(run_offsets(view, 0, numel), oracle.offsets, "{view:?}");
        assert_eq!(run_offsets(view, start, len), oracle.offsets[start..start + len], "{view:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn chains_of_views_agree_with_the_oracle(
        shape in prop::collection::vec(prop_oneof![1 => Just(0_usize), 9 => 1_usize..6], 0..4),
        steps in prop::collection::vec((0_usize..9, prop::array::uniform4(0_usize..64)), 0..7),
        cut in (0_usize..1000, 0_usize..1000),
    ) {
        let mut state = (Layout::dense(&shape[..]), Oracle::dense(&shape));
        check(&state.0, &state.1, cut);
        for step in steps {
            let next = advance(&state.0, &state.1, step);
            if next.1.offsets.len() <= 4096 {
                state = next;
                check(&state.0, &state.1, cut);
            }
        }
    }
}

#[test]
fn a_scalar_is_one_dense_run() {
    let scalar = Layout::dense(Shape::scalar()).at(5);
    assert!(scalar.is_dense() && scalar.numel() == 1 && scalar.span() == Some((5, 5)));
    assert_eq!(run_offsets(&scalar, 0, 1), [5]);
    assert_eq!(run_offsets(&scalar, 0, 0), []);
    assert_eq!(scalar.reshape(&Shape::from([1, 1])).unwrap().strides[..], [1, 1]);
    assert_eq!(scalar.broadcast_to(&Shape::from([2, 2])).strides[..], [0, 0]);
    assert!(scalar.broadcast_to(&Shape::from([2, 2])).is_broadcast());
    assert!(!scalar.broadcast_to(&Shape::from([1, 1])).is_broadcast());
}

#[test]
fn runs_are_as_long_as_the_layout_allows() {
    let runs = |layout: &Layout| {
        let mut out = Vec::new();
        layout.runs(0, layout.numel(), |offset, stride, count| out.push((offset, stride, count)));
        out
    };
    let dense = Layout::dense([2, 3, 4]);
    assert_eq!(runs(&dense.collapsed()), [(0, 1, 24)]);
    assert_eq!(runs(&dense.slice(2, 0, 1, 2).collapsed()).len(), 6);
    assert_eq!(runs(&dense.permute(&[2, 0, 1]).collapsed()), [(0, 4, 6), (1, 4, 6), (2, 4, 6), (3, 4, 6)]);
    assert_eq!(runs(&Layout::dense([3, 1]).broadcast_to(&Shape::from([3, 2])))[1], (1, 0, 2));
}

#[test]
fn ranks_above_the_inline_capacity_work() {
    let layout = Layout::dense([2, 1, 2, 1, 2, 1, 2, 1, 2]).permute(&[8, 0, 1, 2, 3, 4, 5, 6, 7]);
    let expected: Vec<usize> = (0..32).map(|i| layout.flat_offset(i)).collect();
    assert_eq!(run_offsets(&layout, 0, 32), expected);
    assert_eq!(offsets(&layout.collapsed()), expected);
}

#[test]
fn a_turned_layout_has_neighbours_beyond_other_elements() {
    let x = Layout::dense([4, 300, 200]);
    let turned = |l: Layout| l.is_turned(16);
    assert!(
        turned(x.permute(&[0, 2, 1]))
            && turned(x.permute(&[2, 0, 1]))
            && turned(x.permute(&[2, 1, 0]).flip(1))
    );
    assert!(!turned(x.clone()) && !turned(x.flip(2)), "memory order, either way");
    assert!(!turned(x.slice(2, 0, 2, 100)), "gaps, but nothing between");
    assert!(!turned(Layout::dense([300, 2]).permute(&[1, 0])), "neighbours in one cache line");
}
