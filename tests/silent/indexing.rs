//! Gathers, scatters and views: gradients that go to the wrong place, are written over, or are counted twice.
use super::{check, differences, orders, seeded};
use retrograd::Reduce;
use retrograd::prelude::*;

fn base() -> Tensor {
    Tensor::from([1.0, 2.0, 3.0])
}
fn source() -> Tensor {
    Tensor::from([5.0, 7.0, 11.0, 13.0])
}
/// The second, third and second place, then the first.
fn places() -> Tensor {
    Tensor::from([1i64, 2, 1, 0])
}

// Duplicates of a gather whose gradients are written over each other.
#[test]
fn what_is_gathered_twice_has_both_gradients() {
    check([1.0, 2.0, 3.0], |x| x.gather(0, &places()), [[4.0, 4.0, 2.0], [0.0; 3]]);
    check([1.0, 2.0, 3.0], |x| x.index_select(0, &places()).square(), [[8.0, 16.0, 12.0], [8.0, 8.0, 4.0]]);
    check([1.0, 2.0, 3.0], |x| x.take(&places()), [[4.0, 4.0, 2.0], [0.0; 3]]);
    check([1.0, 2.0, 3.0], |x| x.at(s![&places()]), [[4.0, 4.0, 2.0], [0.0; 3]]);
}
// Swapped rules: what is written over still gets a gradient, or what is added to gets none.
#[test]
fn scatter_cuts_what_it_writes_over_and_scatter_add_does_not() {
    let two = Tensor::from([2i64, 0]);
    let v = Tensor::from([5.0, 7.0]);
    let [[x, s], _] = orders([&base(), &v], |[x, s]| x.scatter(0, &two, s));
    assert_eq!((x, s), (vec![0.0, 2.0, 0.0], vec![3.0, 1.0]));
    let [[x, s], _] = orders([&base(), &v], |[x, s]| x.scatter_add(0, &two, s));
    assert_eq!((x, s), (vec![1.0, 2.0, 3.0], vec![3.0, 1.0]));
    let [[x, s], _] = orders([&base(), &v], |[x, s]| x.index_add(0, &two, s));
    assert_eq!((x, s), (vec![1.0, 2.0, 3.0], vec![3.0, 1.0]));
    let [[x, s], _] = orders([&base(), &v], |[x, s]| x.index_copy(0, &two, s));
    assert_eq!((x, s), (vec![0.0, 2.0, 0.0], vec![3.0, 1.0]));
}
// Duplicates of a scatter: of what was written over nothing is left, and so no gradient either.
#[test]
fn of_duplicates_the_last_stays() {
    assert_eq!(base().scatter(0, &places(), source()).to_vec::<f64>(), [13.0, 11.0, 7.0]);
    let [[x, s], [_, bend]] = orders([&base(), &source()], |[x, s]| x.scatter(0, &places(), s).square());
    assert_eq!(x, [0.0; 3]);
    assert_eq!(s, [0.0, 42.0, 44.0, 26.0]);
    assert_eq!(bend, [0.0, 6.0, 4.0, 2.0]);
    let [[_, s], _] = orders([&base(), &source()], |[x, s]| x.index_copy(0, &places(), s));
    assert_eq!(s, [0.0, 3.0, 2.0, 1.0]);
}
// Duplicates of an addition: sums, through which both orders go.
#[test]
fn duplicates_add() {
    // 1 + 13, 2 + 5 + 11, 3 + 7, squared and weighted by 1 to 3.
    let adding: [fn(&Tensor, &Tensor) -> Tensor; 2] =
        [|x, s| x.scatter_add(0, &places(), s), |x, s| x.index_add(0, &places(), s)];
    for add in adding {
        let [[x, s], [bend, _]] = orders([&base(), &source()], |[x, s]| add(x, s).square());
        assert_eq!(x, [28.0, 72.0, 60.0]);
        assert_eq!(s, [72.0, 60.0, 72.0, 28.0]);
        // A base element meets itself and one, two or one elements of the source.
        assert_eq!(bend, [4.0, 12.0, 12.0]);
    }
    let product = |x: &[Tensor]| x[0].scatter_reduce(0, &places(), &x[1], Reduce::Prod, true);
    differences(product, &[&base(), &source()]);
    // With a zero among the factors the others' product is left, not a quotient 0 / 0.
    let [[_, s], _] = orders([&base(), &Tensor::from([0.0, 7.0, 11.0, 13.0])], |x| product(&x[..]));
    assert_eq!(s, [44.0, 9.0, 0.0, 1.0]);
}
// A functional update whose old part keeps the gradient of what was replaced.
#[test]
fn an_update_cuts_what_it_replaces() {
    let [[x, v], _] = orders([&base(), &Tensor::from([9.0])], |[x, v]| x.with(s![1..2], v));
    assert_eq!((x, v), (vec![1.0, 0.0, 3.0], vec![2.0]));
    let mask = Tensor::from([true, false, true]);
    check([1.0, 2.0, 3.0], |x| x.masked_fill(&mask, 0.0), [[0.0, 2.0, 0.0], [0.0; 3]]);
    check([1.0, 2.0, 3.0], |x| x.masked_select(&mask), [[1.0, 0.0, 2.0], [0.0; 3]]);
    let [[x, v], _] = orders([&base(), &source()], |[x, v]| x.masked_scatter(&mask, v));
    assert_eq!((x, v), (vec![0.0, 2.0, 0.0], vec![1.0, 3.0, 0.0, 0.0]));
}
// A repeated axis whose gradient is that of one copy.
#[test]
fn what_is_repeated_gets_the_sum() {
    check([2.0, 3.0], |x| x.expand([3, 2]), [[9.0, 12.0], [0.0; 2]]);
    check([2.0, 3.0], |x| x.unsqueeze(1).expand([2, 3]), [[6.0, 15.0], [0.0; 2]]);
    check([2.0, 3.0], |x| x.expand([3, 2]).sum(0).square(), [[36.0, 108.0], [18.0, 36.0]]);
    check([2.0, 3.0], |x| x.unsqueeze(1) * x.unsqueeze(0), [[19.0, 34.0], [7.0, 13.0]]);
    check([2.0, 3.0], |x| x.repeat([2]), [[4.0, 6.0], [0.0; 2]]);
    check([2.0, 3.0], |x| x.repeat_interleave(2, -1), [[3.0, 7.0], [0.0; 2]]);
    check([2.0], |x| x.broadcast_to([2, 2]), [[10.0], [0.0]]);
}
// Axes counted from the end, and moves whose gradient goes the same way instead of back.
#[test]
fn moves_go_back() {
    check([1.0, 2.0, 3.0], |x| x.roll(1, -1), [[2.0, 3.0, 1.0], [0.0; 3]]);
    check([1.0, 2.0, 3.0], |x| x.roll(-1, -1), [[3.0, 1.0, 2.0], [0.0; 3]]);
    check([1.0, 2.0, 3.0], |x| x.flip(-1), [[3.0, 2.0, 1.0], [0.0; 3]]);
    let six = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
    check(six, |x| x.reshape([2, 3]).roll([1, 2], [0, -1]), [[6.0, 4.0, 5.0, 3.0, 1.0, 2.0], [0.0; 6]]);
    check(six, |x| x.reshape([2, 3]).flip(-2), [[4.0, 5.0, 6.0, 1.0, 2.0, 3.0], [0.0; 6]]);
    check(six, |x| x.reshape([1, 2, 3]).permute([2, 0, 1]), [[1.0, 3.0, 5.0, 2.0, 4.0, 6.0], [0.0; 6]]);
    check(six, |x| x.slice(0, 1, 6, 2), [[0.0, 1.0, 0.0, 2.0, 0.0, 3.0], [0.0; 6]]);
}
// Views of one tensor, each of which forgets the others.
#[test]
fn views_add_up() {
    check([1.0, 2.0, 3.0], |x| x.narrow(0, 0, 2) * x.narrow(0, 1, 2), [[2.0, 7.0, 4.0], [1.0, 3.0, 2.0]]);
    let square = [1.0, 2.0, 3.0, 4.0];
    check(square, |x| x.reshape([2, 2]) + x.reshape([2, 2]).t(), [[2.0, 5.0, 5.0, 8.0], [0.0; 4]]);
    check(
        square,
        |x| x.reshape([2, 2]).diagonal(0, 0, 1).square(),
        [[2.0, 0.0, 0.0, 16.0], [2.0, 0.0, 0.0, 4.0]],
    );
    let x = seeded([3, 3], 1);
    differences(|x| x[0].tril(-1).matmul(x[0].triu(1)), &[&x]);
}
// One tensor under two names of one operation.
#[test]
fn an_operand_given_twice_counts_twice() {
    check([2.0, 3.0], |x| cat(&[x, x], 0), [[4.0, 6.0], [0.0; 2]]);
    check([2.0, 3.0], |x| stack(&[x, x], 1).square(), [[12.0, 42.0], [6.0, 14.0]]);
    check([2.0, 3.0], |x| x.dot(x), [[4.0, 6.0], [2.0, 2.0]]);
    check([2.0, 3.0], |x| x.outer(x), [[19.0, 34.0], [7.0, 13.0]]);
    differences(|x| x[0].matmul(&x[0]), &[&seeded([3, 3], 2)]);
}
