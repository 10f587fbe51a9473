//! Windows: pooling, patches and convolutions, with everything about their places that can be mistaken.
use super::{INF, apart, check, differences, orders, seeded, weighted};
use retrograd::prelude::*;
use retrograd::{AvgPool, MaxPool, PadMode, Patches};

// A gradient divided by the number of elements of the window, as if it were a mean.
#[test]
fn a_largest_element_has_all_of_the_gradient() {
    check([1.0, 5.0, 2.0, 4.0], |x| x.max_pool([2]), [[0.0, 1.0, 0.0, 2.0], [0.0; 4]]);
}
// Overlapping windows that write over each other's gradient instead of adding.
#[test]
fn overlapping_windows_add() {
    let sliding = |n: usize| MaxPool { stride: [1], ..[n].into() };
    check([1.0, 5.0, 2.0, 3.0], |x| x.max_pool(sliding(3)), [[0.0, 3.0, 0.0, 0.0], [0.0; 4]]);
    check([1.0, 5.0, 2.0], |x| x.max_pool(sliding(2)).square(), [[0.0, 30.0, 0.0], [0.0, 6.0, 0.0]]);
    let averages = AvgPool { stride: [1], ..[2].into() };
    check([1.0, 5.0, 2.0], |x| x.avg_pool(averages), [[0.5, 1.5, 1.0], [0.0; 3]]);
}
// Padding that takes part: a zero that is larger than every element, or a share for places outside.
#[test]
fn padding_is_never_the_largest() {
    let windows = MaxPool { padding: [1], ..[2].into() };
    check([-3.0, -1.0, -2.0, -4.0], |x| x.max_pool(windows), [[1.0, 2.0, 0.0, 3.0], [0.0; 4]]);
}
// A last window that is cut short, counted at the size of the others or not at all.
#[test]
fn a_mean_of_a_cut_window_is_over_what_it_has() {
    let windows = AvgPool { ceil_mode: true, count_include_pad: false, ..[2].into() };
    check([1.0, 5.0, 2.0], |x| x.avg_pool(windows), [[0.5, 0.5, 2.0], [0.0; 3]]);
}
// Windows in the wrong place: the largest of each patch, taken out by another operation, is the same.
#[test]
fn windows_of_pooling_and_of_patches_are_the_same() {
    let x = apart([1, 7, 9], 1);
    let (kernel, stride, dilation) = ([3, 2], [2, 3], [1, 3]);
    let pool = MaxPool { kernel, stride, dilation, padding: [1, 1], ceil_mode: false };
    let patches = Patches { stride, dilation, ..kernel.into() };
    let by_patches = |x: &Tensor| {
        let wide = x.pad(&[(0, 0), (1, 1), (1, 1)], PadMode::Constant(-INF));
        wide.im2col(patches).amax(0)
    };
    let [a, b] = [
        orders([&x], |[x]| x.max_pool(pool).square().reshape(-1)),
        orders([&x], |[x]| by_patches(x).square().reshape(-1)),
    ];
    assert_eq!(a, b);
    let ceil = MaxPool { ceil_mode: true, ..pool };
    differences(|x| x[0].max_pool(ceil).square(), &[&x]);
}
// A fold that does not add where patches overlap, or lies one step beside the unfold.
#[test]
fn folding_is_the_gradient_of_unfolding() {
    let x = seeded([2, 5, 6], 2);
    let patches = Patches { stride: [2, 1], padding: [1, 2], dilation: [1, 2], ..[2, 3].into() };
    let [[first], _] = orders([&x], |[x]| x.im2col(patches));
    let n = x.im2col(patches).numel();
    let weights = F64.arange(1, n + 1, 1).reshape(x.im2col(patches).shape());
    assert_eq!(first, weights.col2im([5, 6], patches).to_vec::<f64>());
    differences(|x| x[0].im2col(patches).square(), &[&x]);
}
// Groups that read the channels of a neighbour, strides and paddings of one axis used for the other.
#[test]
fn convolutions_of_different_axes_and_groups() {
    let conv = Conv::new().stride([2, 1]).padding([1, 2]).dilation([1, 2]).groups(2);
    let (x, w, b) = (seeded([2, 4, 5, 4], 3), seeded([6, 2, 3, 2], 4), seeded([6], 5));
    differences(|x| x[0].conv2d(&x[1], Some(&x[2]), conv.clone()), &[&x, &w, &b]);
    let [first, _] = orders([&x, &w], |[x, w]| x.conv2d(w, None, conv.clone()).slice(1, 0, 3, 1));
    let foreign = Tensor::from(first[0].clone()).reshape([2, 4, 5, 4]).slice(1, 2, 4, 1);
    assert_eq!(foreign.abs().amax(()).item(), 0.0, "the first group's outputs see the first two channels");
    assert!(first[1][36..].iter().all(|g| *g == 0.0), "nor do the other group's weights take part");
}
#[test]
fn transposed_convolutions_of_different_axes_and_groups() {
    let conv = Conv::new().stride([3, 2]).padding([1, 0]).dilation([1, 2]).output_padding([2, 1]).groups(2);
    let (x, w, b) = (seeded([2, 4, 2, 3], 6), seeded([4, 3, 2, 3], 7), seeded([6], 8));
    differences(|x| x[0].conv_transpose2d(&x[1], Some(&x[2]), conv.clone()), &[&x, &w, &b]);
}
// A transposed convolution that is the transpose of another one: by its gradient, of the convolution itself.
#[test]
fn a_transposed_convolution_is_the_gradient_of_the_convolution() {
    let conv = Conv::new().stride([2, 3]).padding([1, 0]).groups(2);
    let (x, w) = (seeded([1, 4, 7, 8], 9), seeded([6, 2, 3, 2], 10));
    let leaf = x.tracked();
    let y = leaf.conv2d(&w, None, conv.clone());
    let g = seeded(y.shape(), 11);
    let back = grad(&(&y * &g).sum(()), &[&leaf]).remove(0);
    let turned = g.conv_transpose2d(&w, None, conv.clone());
    assert!((back - turned).abs().amax(()).item() < 1e-12);
}
// An even kernel under "same" padding: the odd place on the wrong side.
#[test]
fn the_odd_place_of_same_padding_comes_last() {
    let (x, w) = (Tensor::from([[[1.0, 2.0, 4.0]]]), Tensor::from([[[1.0, 10.0]]]));
    let same = Conv::new().padding("same");
    assert_eq!(x.conv1d(&w, None, same.clone()).to_vec::<f64>(), [21.0, 42.0, 4.0]);
    let leaf = x.tracked();
    let g = grad(&weighted(&leaf.conv1d(&w, None, same)), &[&leaf]).remove(0);
    assert_eq!(g.to_vec::<f64>(), [1.0, 12.0, 23.0]);
}
