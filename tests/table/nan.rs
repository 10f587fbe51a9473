//! What replaces or leaves out NaN, against PyTorch's numbers; gradients to second order, and inside `vmap`.
use super::near;
use super::neighbours::slopes;
use retrograd::prelude::*;

const NAN: f64 = f64::NAN;
const INF: f64 = f64::INFINITY;

/// Rows with one NaN, none, and nothing else.
fn holes() -> Tensor {
    Tensor::from([[NAN, 1.5, -2.0], [3.0, 0.5, 4.0], [NAN, NAN, NAN]])
}
/// The gradient of `f`'s elements, summed by the weights 1, 2, ..
fn gradient(x: &Tensor, f: impl Fn(&Tensor) -> Tensor) -> Tensor {
    let x = x.tracked();
    let y = f(&x);
    let weights = F64.arange(1, y.numel() + 1, 1).reshape(y.shape());
    grad(&(y * weights).nansum(()), &[&x]).remove(0)
}

#[test]
fn numbers_in_place_of_what_is_none() {
    let x = Tensor::from([NAN, INF, -INF, 1.0, -2.0, 0.0]);
    near(&x.nan_to_num(), &[0.0, f64::MAX, f64::MIN, 1.0, -2.0, 0.0]);
    near(&x.nan_to_num_with(7.0, Some(3.0), Some(-4.0)), &[7.0, 3.0, -4.0, 1.0, -2.0, 0.0]);
    near(&x.nan_to_num_with(NAN, Some(INF), Some(0.5)), &[NAN, INF, 0.5, 1.0, -2.0, 0.0]);
    near(&gradient(&x, |x| x.nan_to_num_with(7.0, Some(3.0), Some(-4.0))), &[0.0, 0.0, 0.0, 4.0, 5.0, 6.0]);
    // A cotangent that is none is not let through where an element was replaced.
    let leaf = x.tracked();
    let g = grad(&(leaf.nan_to_num() * Tensor::from([NAN, INF, -INF, 2.0, 2.0, 2.0])).sum(()), &[&leaf]);
    near(&g[0], &[0.0, 0.0, 0.0, 2.0, 2.0, 2.0]);
    let row = Tensor::from([NAN, INF, -INF]);
    for (dtype, largest) in [(F16, 65504.0), (BF16, f64::from(f32::from_bits(0x7f7f_0000)))] {
        near(&row.cast(dtype).nan_to_num().cast(F64), &[0.0, largest, -largest]);
        assert_eq!(row.cast(dtype).nan_to_num().dtype(), dtype);
    }
    near(&row.cast(F32).nan_to_num().cast(F64), &[0.0, f32::MAX.into(), f32::MIN.into()]);
    near(&row.cast(F16).nan_to_num_with(0.5, Some(1e6), None).cast(F64), &[0.5, INF, -65504.0]);
    assert_eq!(Tensor::from([1i64, -2]).nan_to_num_with(3.0, None, None).to_vec::<i64>(), [1, -2]);
    assert_eq!(Tensor::from([true, false]).nan_to_num().to_vec::<bool>(), [true, false]);
}

#[test]
fn sums_and_means_without_nan() {
    let x = holes();
    near(&x.nansum(1), &[-0.5, 7.5, 0.0]);
    near(&x.nansum_keepdim(0), &[3.0, 2.0, 2.0]);
    near(&x.nansum(()), &[7.0]);
    near(&x.nanmean(1), &[-0.25, 2.5, NAN]);
    near(&x.nanmean_keepdim(0), &[3.0, 1.0, 1.0]);
    near(&x.nanmean([0, -1]), &[1.4]);
    assert_eq!(
        (&x.nansum_keepdim(0).shape()[..], &x.nanmean_keepdim(1).shape()[..]),
        (&[1, 3][..], &[3, 1][..])
    );
    // Infinities count, nothing sums up to 0 and has no mean, and a number may be named an axis.
    near(&Tensor::from([INF, 1.0, NAN]).nansum(0), &[INF]);
    near(&Tensor::from([INF, -INF, NAN]).nanmean(0), &[NAN]);
    near(&F64.zeros([0, 2]).nansum(0), &[0.0, 0.0]);
    near(&F64.zeros([0, 2]).nanmean(0), &[NAN, NAN]);
    near(&Tensor::from(NAN).nansum(-1), &[0.0]);
    // Without NaN they are the plain ones, to the bit and in their types.
    let (full, bits) = (F32.randn([40, 30], &mut Rng::new(3)), |x: Tensor| x.to_vec::<f32>());
    assert_eq!(bits(full.nansum(0)), bits(full.sum(0)));
    assert_eq!(bits(full.nanmean(())), bits(full.mean(())));
    assert_eq!(Tensor::from([1i64, 2]).nansum(0).to_vec::<i64>(), [3]);
    assert_eq!(Tensor::from([true, true]).nansum(()).to_vec::<i64>(), [2]);
    // Halves are added up and divided in f32: 120003 / 3 is within their reach, the sum is not.
    let half = Tensor::from([NAN, 60000.0, 60000.0, 3.0]).cast(F16);
    assert_eq!(half.nanmean(0).cast(F64).item(), 40000.0);
    assert_eq!(half.nansum(0).cast(F64).item(), INF);
    assert!(attempt(|| Tensor::from([1i64]).nanmean(0)).unwrap_err().to_string().contains("nanmean"));
    assert!(attempt(|| Tensor::from([1.0]).nansum(1)).unwrap_err().to_string().contains("nansum"));
}

#[test]
fn their_gradients() {
    let x = holes();
    near(&gradient(&x, |x| x.nansum(1)), &[0.0, 1.0, 1.0, 2.0, 2.0, 2.0, 0.0, 0.0, 0.0]);
    let third = 2.0 / 3.0;
    near(&gradient(&x, |x| x.nanmean(1)), &[0.0, 0.5, 0.5, third, third, third, 0.0, 0.0, 0.0]);
    near(&gradient(&x, |x| x.nanmean(0)), &[0.0, 1.0, 1.5, 1.0, 1.0, 1.5, 0.0, 0.0, 0.0]);
    // To second order at what is not NaN, beside a NaN and an infinity that are filled in later.
    let with = |v: &Tensor| stack(&[v.clone(), v.full_like(NAN), v.square()], 0);
    let v = Tensor::from([0.5, -1.5, 2.0]);
    slopes(&v, |v| with(v).nansum(0));
    slopes(&v, |v| with(v).nanmean(0));
    slopes(&v, |v| with(v).nanmean_keepdim(1).nan_to_num_with(2.5, None, None));
    slopes(&v, |v| with(v).nansum(()).sin() * with(v).nan_to_num());
}

#[test]
fn inside_vmap() {
    let x = holes();
    near(&vmap(|x| x[0].nansum(0), &[&x]), &[-0.5, 7.5, 0.0]);
    near(&vmap(|x| x[0].nanmean_keepdim(0), &[&x]), &[-0.25, 2.5, NAN]);
    near(&vmap(|x| x[0].nan_to_num(), &[&x]), &[0.0, 1.5, -2.0, 3.0, 0.5, 4.0, 0.0, 0.0, 0.0]);
}
