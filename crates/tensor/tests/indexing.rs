//! Indexing, writing and moving elements against plain loops over small tensors.

use retrograd_tensor::{
    BF16, Bool, F16, F32, F64, I64, PadMode, Shape, Tensor, U8, attempt, cat, s, stack, with_threads,
};

/// 0, 1, 2, ... of this shape.
fn counted(shape: &[usize]) -> Tensor {
    F64.arange(0, shape.iter().product::<usize>(), 1).reshape(shape)
}

fn read(x: &Tensor) -> Vec<f64> {
    x.cast(F64).to_vec::<f64>()
}

fn message<T: std::fmt::Debug>(f: impl FnOnce() -> T) -> String {
    attempt(f).expect_err("it must refuse").to_string()
}

#[test]
fn basic_indices_are_views_with_the_elements_of_loops() {
    let x = counted(&[3, 4, 5]);
    assert_eq!(read(&x.at(s![1, -1, ..;-2])), [39.0, 37.0, 35.0]);
    assert_eq!(x.at(s![..., NewAxis, 2]).shape(), [3, 4, 1]);
    assert_eq!(read(&x.at(s![2, 1..3, 0])), [45.0, 50.0]);
    assert_eq!(x.at(s![]).shape(), [3, 4, 5]);
    assert_eq!(x.at(s![5.., ..]).shape(), [0, 4, 5]);
    assert_eq!(read(&Tensor::from(2.0f64).at(s![])), [2.0]);
    assert_eq!(read(&Tensor::from(2.0f64).at(s![NewAxis])), [2.0]);
}

#[test]
fn position_tensors_follow_numpy() {
    let x = counted(&[3, 4, 5]);
    let (i, j) = (Tensor::from([[0i64], [2]]), Tensor::from([1i64, -1, 0]));
    // Side by side: in place.
    let y = x.at(s![&i, &j]);
    assert_eq!(y.shape(), [2, 3, 5]);
    for (a, &i) in [0, 2].iter().enumerate() {
        for (b, &j) in [1, 3, 0].iter().enumerate() {
            assert_eq!(read(&y.at(s![a, b])), read(&x.at(s![i, j])));
        }
    }
    assert_eq!(x.at(s![.., &i, &j]).shape(), [3, 2, 3]);
    assert_eq!(x.at(s![1, &j, ..2]).shape(), [3, 2]);
    // Apart: first.
    let y = x.at(s![&j, .., &j.abs()]);
    assert_eq!(y.shape(), [3, 4]);
    assert_eq!(read(&y), [21.0, 26.0, 31.0, 36.0, 41.0, 46.0, 51.0, 56.0, 0.0, 5.0, 10.0, 15.0]);
    assert_eq!(x.at(s![0, .., &j]).shape(), [3, 4]);
    // An empty list, and one that repeats.
    assert_eq!(x.at(s![&I64.zeros([0])]).shape(), [0, 4, 5]);
    assert_eq!(x.at(s![&I64.zeros([2, 2])]).shape(), [2, 2, 4, 5]);
    assert_eq!(read(&x.at(s![&U8.full([2], 1), 0, 0])), [20.0, 20.0]);
}

#[test]
fn masks_stand_for_the_positions_where_they_hold() {
    let x = counted(&[2, 3]);
    assert_eq!(read(&x.at(s![&x.gt(2.0)])), [3.0, 4.0, 5.0]);
    assert_eq!(read(&x.at(s![.., &Tensor::from([true, false, true])])), [0.0, 2.0, 3.0, 5.0]);
    assert_eq!(x.at(s![&Bool.full([2, 3], false)]).shape(), [0]);
    assert_eq!(read(&x.with(s![&x.gt(2.0)], 9.0)), [0.0, 1.0, 2.0, 9.0, 9.0, 9.0]);
}

#[test]
fn writing_reads_back_and_leaves_the_rest() {
    let x = counted(&[3, 4, 5]);
    let lists = (Tensor::from([2i64, 0]), Tensor::from([1i64, -1]));
    let indices = [
        s![1.., ..;2, ..;-1].to_vec(),
        s![0].to_vec(),
        s![..., -1].to_vec(),
        s![NewAxis, .., 1..3].to_vec(),
        s![&lists.0].to_vec(),
        s![&lists.0, .., &lists.1].to_vec(),
        s![1.., &lists.0, ..;2].to_vec(),
        s![1, &lists.0, &lists.1].to_vec(),
        s![&x.gt(30.0)].to_vec(),
    ];
    for index in &indices {
        let old = x.at(index);
        let v = F64.arange(100, 100 + old.numel(), 1).reshape(old.shape());
        let y = x.with(index, &v);
        assert_eq!(read(&y.at(index)), read(&v), "{index:?}");
        let changed = read(&y).iter().zip(read(&x)).filter(|&(&a, b)| a != b).count();
        assert_eq!(changed, old.numel(), "{index:?}");
        assert_eq!(read(&x.with_add(index, &v).at(index)), read(&(&old + &v)), "{index:?}");
    }
}

#[test]
fn several_writes_to_one_place_last_wins_or_sum() {
    let at = Tensor::from([1i64, 0, 1, 1]);
    let v = Tensor::from([1.0f64, 2.0, 3.0, 4.0]);
    let x = F64.zeros([2]);
    assert_eq!(read(&x.with(s![&at], &v)), [2.0, 4.0]);
    assert_eq!(read(&x.with_add(s![&at], &v)), [2.0, 8.0]);
    assert_eq!(read(&x.scatter(0, &at, &v)), [2.0, 4.0]);
    assert_eq!(read(&x.scatter_add(0, &at, &v)), [2.0, 8.0]);
    let rows = v.reshape([4, 1]).broadcast_to([4, 3]);
    assert_eq!(read(&F64.zeros([2, 3]).index_copy(0, &at, &rows)), [2.0, 2.0, 2.0, 4.0, 4.0, 4.0]);
    assert_eq!(read(&F64.zeros([2, 3]).index_add(0, &at, &rows)), [2.0, 2.0, 2.0, 8.0, 8.0, 8.0]);
}

#[test]
fn half_types_add_in_single_precision_and_round_once() {
    for dtype in [F16, BF16] {
        let v = F32.full([3000], 1.0).cast(dtype);
        let index = I64.zeros([3000]);
        let want = F32.full([], 3000.0).cast(dtype);
        let x = dtype.zeros([1]).index_add(0, &index, &v);
        assert_eq!(read(&x), read(&want));
        assert_eq!(read(&dtype.zeros([1]).scatter_add(0, &index, &v)), read(&want));
        let rows = v.reshape([3000, 1]).broadcast_to([3000, 2]);
        assert_eq!(read(&dtype.zeros([1, 2]).index_add(0, &index, &rows))[..1], read(&want));
    }
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let ids: Vec<i64> = (0..5000_i64).map(|i| i * i % 97).collect();
    let ids = Tensor::from(ids);
    let v = (F32.arange(0, 5000 * 40, 1) * 0.001).sin().reshape([5000, 40]);
    let work = || {
        let a = F32.zeros([97, 40]).index_add(0, &ids, &v);
        let b = a.index_select(0, &ids);
        let c = F32.zeros([40, 97]).index_add(1, &ids, &v.t());
        let d = v.t().contiguous();
        let e = cat(&[&d, &d.flip(0)], 1);
        let f = F32.zeros([97, 40]).scatter_add(0, &ids.reshape([-1, 1]).broadcast_to([5000, 40]), &v);
        [a, b, c, d, e, f].map(|x| x.to_vec::<f32>())
    };
    let one = with_threads(1, work);
    assert_eq!(one[0], one[5]);
    for threads in [2, 3, 8] {
        assert_eq!(with_threads(threads, work), one);
    }
}

#[test]
fn copies_of_every_layout_are_dense_and_equal() {
    for shape in [&[150, 33][..], &[3, 70, 40], &[2, 17, 3, 50], &[300, 2, 129], &[1, 1], &[0, 4]] {
        let x = counted(shape);
        let rank = shape.len();
        for order in orders(rank) {
            let dims: Vec<isize> = order.iter().map(|&axis| axis as isize).collect();
            for y in
                [x.permute(&dims), x.flip(0).permute(&dims), x.slice(-1, 1, isize::MAX, 2).permute(&dims)]
            {
                let dense = y.contiguous();
                assert!(dense.is_contiguous());
                assert_eq!(dense.to_vec::<f64>(), y.to_vec::<f64>(), "{shape:?} {order:?}");
            }
        }
    }
}

fn orders(rank: usize) -> Vec<Vec<usize>> {
    if rank == 0 {
        return vec![vec![]];
    }
    let smaller = orders(rank - 1);
    let placed = |order: &Vec<usize>, at: usize| {
        let mut order = order.clone();
        order.insert(at, rank - 1);
        order
    };
    smaller.iter().flat_map(|order| (0..rank).map(move |at| placed(order, at))).collect()
}

#[test]
fn padding_shows_what_its_mode_says() {
    let x = counted(&[4]);
    let pad = |mode| read(&x.pad(&[(3, 2)], mode));
    assert_eq!(pad(PadMode::Zeros), [0.0, 0.0, 0.0, 0.0, 1.0, 2.0, 3.0, 0.0, 0.0]);
    assert_eq!(pad(PadMode::Reflect), [3.0, 2.0, 1.0, 0.0, 1.0, 2.0, 3.0, 2.0, 1.0]);
    assert_eq!(pad(PadMode::Replicate), [0.0, 0.0, 0.0, 0.0, 1.0, 2.0, 3.0, 3.0, 3.0]);
    assert_eq!(pad(PadMode::Circular), [1.0, 2.0, 3.0, 0.0, 1.0, 2.0, 3.0, 0.0, 1.0]);
    let y = counted(&[2, 3]).pad(&[(1, 0), (0, 2)], PadMode::Constant(7.0));
    assert_eq!(read(&y), [7.0, 7.0, 7.0, 7.0, 7.0, 0.0, 1.0, 2.0, 7.0, 7.0, 3.0, 4.0, 5.0, 7.0, 7.0]);
}

#[test]
fn windows_and_diagonals_are_views() {
    let x = counted(&[2, 7]);
    assert_eq!(x.unfold(1, 3, 2).shape(), [2, 3, 3]);
    assert_eq!(read(&x.unfold(1, 3, 2).at(s![1, 2])), [11.0, 12.0, 13.0]);
    assert_eq!(read(&x.diagonal(3, 0, 1)), [3.0, 11.0]);
    assert_eq!(x.diagonal(-2, 0, 1).shape(), [0]);
    assert_eq!(
        read(&Tensor::from([1.0f64, 2.0]).diag_embed(-1)),
        [0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 2.0, 0.0]
    );
}

#[test]
fn many_tensors_are_joined_in_groups() {
    let parts: Vec<Tensor> = (0..300).map(|i| Tensor::from([f64::from(i), 0.5])).collect();
    let x = cat(&parts, 0);
    assert_eq!(x.shape(), [600]);
    assert_eq!(read(&x.at(s![598..])), [299.0, 0.5]);
    assert_eq!(stack(&parts, 1).shape(), [2, 300]);
    assert_eq!(cat(&[F32.zeros([2, 0]), F32.ones([2, 1])], 1).shape(), [2, 1]);
}

#[test]
fn shapes_of_views() {
    let x = counted(&[2, 3, 4]);
    assert_eq!(x.tile([2, 1]).shape(), [2, 6, 4]);
    assert_eq!(x.repeat([2, 1, 1, 2]).shape(), [2, 2, 3, 8]);
    assert_eq!(x.roll([1, -1], [0, 2]).shape(), [2, 3, 4]);
    assert_eq!(read(&x.roll(5, -1).at(s![0, 0])), [3.0, 0.0, 1.0, 2.0]);
    assert_eq!(Tensor::zeros(()).flatten(0, -1).shape(), [1]);
    assert_eq!(Shape::from([2, 3]), [2, 3]);
}

#[test]
fn refusals_name_what_was_given() {
    let x = counted(&[2, 3]);
    let bad = Tensor::from([0i64, 3]);
    let wrong = "index_select: index out of range: 3 on an axis of size 3; indices run from 0 to 2";
    assert_eq!(message(|| x.index_select(1, &bad)), wrong);
    let wrong = "gather: index out of range: -1 on an axis of size 3; indices run from 0 to 2";
    assert_eq!(message(|| x.gather(1, &Tensor::from([[-1i64], [0]]))), wrong);
    let wrong = "at: index out of range: -4 on an axis of size 3; indices run from -3 to 2";
    assert_eq!(message(|| x.at(s![.., &Tensor::from([-4i64])])), wrong);
    for (refused, part) in [
        (message(|| x.at(s![2])), "index out of range"),
        (message(|| x.at(s![&Tensor::from([true])])), "mask does not fit"),
        (message(|| x.at(s![&Tensor::from([0.5f32])])), "positions are f32"),
        (message(|| x.with(s![0], Tensor::from([1.0f64, 2.0]))), "does not broadcast"),
        (message(|| x.with(s![0], Tensor::from([1.0f32, 2.0, 3.0]))), "element types differ: f64 and f32"),
        (message(|| x.pad(&[(2, 0)], PadMode::Reflect)), "padding too wide: (2, 0) on axis 0 of size 2"),
        (message(|| x.split([1, 1], 1)), "sizes do not fit"),
        (message(|| x.narrow(1, 2, 2)), "range out of bounds: 2 from 2 on axis 1 of size 3"),
        (message(|| cat(&[&x, &x.t()], 0)), "shapes do not fit: [2, 3] and, as operand 1, [3, 2]"),
        (message(|| x.masked_fill(&x, 0.0)), "the mask is f64"),
        (message(|| x.unfold(1, 4, 1)), "windows do not fit"),
    ] {
        assert!(refused.contains(part), "{refused}");
    }
}
