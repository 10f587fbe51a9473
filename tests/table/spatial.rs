//! Pooling, interpolation and patches where no reference case goes: last windows that do not fit, dilation, every way
//! to interpolate, one to three axes. Numbers are PyTorch's.
use super::near;
use retrograd::prelude::*;
use retrograd::{AvgPool, Interpolation, MaxPool, Patches};

const LINE: [f64; 6] = [1.0, 3.0, -2.0, 5.0, 4.0, 0.5];

fn line() -> Tensor {
    Tensor::from(LINE)
}
fn plane() -> Tensor {
    line().reshape([1, 2, 3])
}
fn cube() -> Tensor {
    F64.arange(0, 8, 1).square().reshape([1, 2, 2, 2])
}
/// A linear map and the gradient of it are each other's transpose; the gradient's gradient is the map again.
#[track_caller]
fn transposed(x: &Tensor, f: impl Fn(&Tensor) -> Tensor) {
    let mut rng = Rng::new(1);
    let x = x.tracked();
    let y = f(&x);
    let (g, h) = (F64.randn(y.shape(), &mut rng).tracked(), F64.randn(x.shape(), &mut rng));
    let back = grad_recorded(&(&y * &g).sum(()), &[&x]).remove(0);
    let (one, other) = ((f(&h) * &g).sum(()), (&back * &h).sum(()));
    assert!((one.item() - other.item()).abs() < 1e-12);
    near(&grad(&(back * &h).sum(()), &[&g])[0], &f(&h).to_vec::<f64>());
}

#[test]
fn averages_of_windows_that_reach_over_the_end() {
    let windows = AvgPool { stride: [3], padding: [1], ceil_mode: true, ..[4].into() };
    near(&line().avg_pool(windows), &[0.5, 1.875, 0.25]);
    near(&line().avg_pool(AvgPool { count_include_pad: false, ..windows }), &[2.0 / 3.0, 1.875, 0.5]);
    transposed(&line(), |x| x.avg_pool(windows));
    let windows =
        AvgPool { stride: [1, 2], padding: [1, 1], ceil_mode: true, divisor: Some(3.0), ..[2, 2].into() };
    near(&plane().avg_pool(windows), &[1.0 / 3.0, 1.0 / 3.0, 2.0, 11.0 / 6.0, 5.0 / 3.0, 1.5]);
    transposed(&plane(), |x| x.avg_pool(windows));
    let windows = AvgPool { stride: [2], ceil_mode: true, ..[3].into() };
    near(
        &line().abs().lp_pool(3.0, windows),
        &[3.301_927_248_894_626_3, 5.818_647_867_496_961, 4.581_836_058_217_204],
    );
}

#[test]
fn largest_of_windows_with_dilation_and_over_the_end() {
    let windows = MaxPool { stride: [2], padding: [1], ceil_mode: true, ..[3].into() };
    near(&line().max_pool(windows), &[3.0, 5.0, 5.0, 0.5]);
    let windows = MaxPool { padding: [1, 1], dilation: [1, 2], ceil_mode: true, ..[2, 2].into() };
    let (y, at) = plane().max_pool_indices(windows);
    near(&y, &[3.0, 3.0, 4.0, 4.0]);
    assert_eq!(at.to_vec::<i64>(), [1, 1, 4, 4]);
    near(
        &Tensor::from([f64::NAN, 1.0, 2.0]).max_pool(MaxPool { stride: [1], ..[2].into() }),
        &[f64::NAN, 2.0],
    );
    assert_eq!(Tensor::from([3i64, 7, -1]).max_pool([3]).to_vec::<i64>(), [7]);
    // Overlapping windows share their largest element, and the first of equal ones has the gradient.
    let x = Tensor::from([1.0, 4.0, 4.0]).tracked();
    let y = x.max_pool(MaxPool { stride: [1], ..[2].into() }).square();
    let g = grad_recorded(&y.sum(()), &[&x]).remove(0);
    near(&g, &[0.0, 16.0, 0.0]);
    near(&grad(&g.sum(()), &[&x])[0], &[0.0, 4.0, 0.0]);
}

#[test]
fn adaptive_pools_of_one_and_three_axes() {
    near(&line().adaptive_max_pool([4]), &[3.0, 3.0, 5.0, 4.0]);
    near(&cube().adaptive_avg_pool([1, 2, 1]), &[10.5, 24.5]);
    near(&cube().adaptive_max_pool([1, 2, 1]), &[25.0, 49.0]);
    transposed(&cube(), |x| x.adaptive_avg_pool([2, 1, 3]));
}

#[test]
fn every_way_to_interpolate() {
    use Interpolation::{Area, Cubic, Linear, Nearest, NearestExact};
    let free = Linear { align_corners: false };
    near(&line().interpolate([4], free), &[1.5, -0.75, 4.75, 1.375]);
    near(
        &line().interpolate_by([1.7], free),
        &[
            1.0,
            1.764_705_882_352_941_3,
            2.941_176_470_588_235_5,
            0.205_882_352_941_176_4,
            -0.970_588_235_294_118_2,
            3.147_058_823_529_412,
            4.676_470_588_235_293_5,
            4.088_235_294_117_647,
            2.25,
            0.5,
        ],
    );
    let corners = Linear { align_corners: true };
    near(&line().interpolate([9], corners), &[1.0, 2.25, 1.75, -1.375, 1.5, 4.875, 4.25, 2.6875, 0.5]);
    near(&line().interpolate([4], Nearest), &[1.0, 3.0, 5.0, 4.0]);
    near(&line().interpolate_by([1.7], Nearest), &[1.0, 1.0, 3.0, 3.0, -2.0, -2.0, 5.0, 4.0, 4.0, 0.5]);
    near(&line().interpolate([9], NearestExact), &[1.0, 3.0, 3.0, -2.0, 5.0, 5.0, 4.0, 0.5, 0.5]);
    near(&line().interpolate_by([1.7], NearestExact), &[1.0, 1.0, 3.0, -2.0, -2.0, 5.0, 5.0, 4.0, 0.5, 0.5]);
    near(&line().interpolate_by([1.7], Area), &[1.0, 2.0, 3.0, 0.5, -2.0, 5.0, 4.5, 4.0, 2.25, 0.5]);
    near(
        &plane().interpolate([3, 4], Cubic { align_corners: false }),
        &[
            0.490_531_073_676_216_34,
            2.662_271_287_706_164_3,
            1.312_852_647_569_445,
            -2.585_246_615_939_67,
            2.964_111_328_125,
            3.786_743_164_062_5,
            2.023_437_5,
            -1.055_053_710_937_500_2,
            5.437_691_582_573_786,
            4.911_215_040_418_838,
            2.734_022_352_430_556_2,
            0.475_139_194_064_670_87,
        ],
    );
    near(
        &plane().interpolate([3, 4], Cubic { align_corners: true }).slice(1, 0, 2, 1),
        &[1.0, 79.0 / 27.0, 89.0 / 54.0, -2.0, 3.0, 103.0 / 27.0, 2.217_592_592_592_592_6, -0.75],
    );
    near(
        &plane().interpolate_by([1.5, 1.5], Cubic { align_corners: false }).slice(1, 0, 1, 1),
        &[0.456_561_053_240_742_3, 2.263_943_142_361_112, 2.373_131_269_290_123_4, -1.441_490_644_290_123_2],
    );
    near(&cube().interpolate([3, 1, 3], free), &[2.0, 3.5, 5.0, 14.0, 17.5, 21.0, 26.0, 31.5, 37.0]);
    for how in [Nearest, NearestExact, free, corners, Cubic { align_corners: false }, Area] {
        transposed(&plane(), |x| x.interpolate([5, 2], how));
    }
}

#[test]
fn patches_of_one_and_three_axes() {
    let patches = Patches { stride: [2], padding: [2], dilation: [2], ..[3].into() };
    let x = line().reshape([1, 6]);
    near(&x.im2col(patches), &[0.0, 1.0, -2.0, 1.0, -2.0, 4.0, -2.0, 4.0, 0.0]);
    transposed(&x, |x| x.im2col(patches));
    transposed(&x.im2col(patches), |columns| columns.col2im([6], patches));
    transposed(&cube(), |x| x.im2col(Patches { padding: [1, 0, 1], ..[2, 1, 2].into() }));
    let x = F64.arange(0, 16, 1).reshape([4, 2, 2]);
    near(&x.pixel_shuffle(2).pixel_unshuffle(2), &x.to_vec::<f64>());
}

#[test]
fn windows_that_do_not_fit_are_refused() {
    for (what, f) in [
        ("no window fits", (|| line().max_pool([7])) as fn() -> Tensor),
        ("stand still", || line().avg_pool(AvgPool { stride: [0], ..[2].into() })),
        ("padding too wide", || line().max_pool(MaxPool { padding: [2], ..[3].into() })),
        ("without elements", || {
            Tensor::from([1.0, 2.0]).max_pool(MaxPool {
                padding: [1],
                dilation: [3],
                stride: [1],
                ..[2].into()
            })
        }),
        ("too few axes", || line().max_pool([2, 2])),
        ("an empty axis", || line().interpolate([0], Interpolation::Nearest)),
        ("do not fit", || line().reshape([2, 3]).col2im([4], [3])),
    ] {
        let error = attempt(f).expect_err("refused").to_string();
        assert!(error.contains(what), "{error}");
    }
}
