//! Operators that are formulas over others, each against its formula written out: values and gradients.
use super::near;
use retrograd::prelude::*;
use retrograd::{FftNorm, meshgrid};

fn matrix() -> Tensor {
    Tensor::from([[0.5, -1.5, 2.0], [3.0, 0.0, -0.25]])
}
/// The same value and the same gradient.
#[track_caller]
fn alike(f: impl Fn(&Tensor) -> Tensor, formula: impl Fn(&Tensor) -> Tensor) {
    let run = |f: &dyn Fn(&Tensor) -> Tensor| {
        let x = matrix().tracked();
        let y = f(&x);
        let g = grad(&(y.square() * F64.arange(1, y.numel() + 1, 1).reshape(y.shape())).sum(()), &[&x]);
        (y.detach(), g[0].clone())
    };
    let ((y, g), (value, slope)) = (run(&f), run(&formula));
    assert_eq!(y.shape(), value.shape());
    near(&y, &value.to_vec::<f64>());
    near(&g, &slope.to_vec::<f64>());
}

#[test]
fn reshaped_forms() {
    alike(|x| x.view([3, 2]), |x| x.reshape([3, 2]));
    alike(|x| x.unflatten(1, [3, 1]), |x| x.reshape([2, 3, 1]));
    alike(|x| x.unsqueeze(0).unsqueeze(-1).squeeze_all(), Tensor::clone);
    alike(|x| x.swapaxes(0, -1), |x| x.transpose(0, 1));
    alike(|x| x.unbind(0).remove(1), |x| x.select(0, 1));
    alike(|x| x.narrow(1, 0, 2).diag(), |x| x.diagonal(0, 0, 1));
    alike(|x| x.select(0, 0).diag(), |x| F64.eye(3) * x.select(0, 0));
    alike(
        |x| x.reshape([1, 6, 1]).channel_shuffle(3),
        |x| x.reshape([1, 3, 2, 1]).transpose(1, 2).reshape([1, 6, 1]),
    );
    alike(|x| meshgrid(&[x.select(0, 0), x.select(0, 1)]).remove(1), |x| x.select(0, 1).expand([3, 3]));
}
#[test]
fn reduced_forms() {
    alike(|x| x.softmin(1), |x| (-x).softmax(1));
    alike(|x| x.max_along_keepdim(1).0, |x| x.amax_keepdim(1));
    alike(|x| x.min_along_keepdim(0).0, |x| x.amin_keepdim(0));
    alike(|x| x.median_keepdim(1).0, |x| x.median(1).0.unsqueeze(1));
    alike(|x| x.kthvalue_keepdim(2, 1).0, |x| x.kthvalue(2, 1).0.unsqueeze(1));
    alike(|x| x.standardize(1, 0.1), |x| (x - x.mean_keepdim(1)) / (x.var_keepdim(1, 0) + 0.1).sqrt());
    let (_, mean, var) = matrix().standardize_stats(1, 0.1);
    near(&mean, &matrix().mean(1).to_vec::<f64>());
    near(&var, &matrix().var(1, 0).to_vec::<f64>());
    assert_eq!(matrix().count_nonzero(()).item(), 5.0);
    assert_eq!(matrix().count_nonzero_keepdim(1).to_vec::<i64>(), [3, 2]);
}
#[test]
fn distances_of_pairs() {
    let other = || Tensor::from([1.0, -1.0, 0.5]);
    alike(|x| x.pairwise_distance(&other(), 2.0, 1e-3), |x| (x - other() + 1e-3).square().sum(1).sqrt());
    alike(
        |x| other().pairwise_distance_keepdim(x, 3.0, 0.0),
        |x| (other() - x).abs().pow(3.0).sum_keepdim(1).pow(1.0 / 3.0),
    );
    // Of equal vectors eps is the difference, and the gradient that of a norm there.
    let x = matrix().tracked();
    let far = x.pairwise_distance(&matrix(), 2.0, 1e-6);
    near(&far, &[3f64.sqrt() * 1e-6; 2]);
    near(&grad(&far.sum(()), &[&x])[0], &[1.0 / 3f64.sqrt(); 6]);
}
#[test]
fn elementwise_forms() {
    alike(|x| x.softplus_with(2.0, 5.0), |x| (x * 2.0).gt(5.0).where_(x, (x * 2.0).softplus() / 2.0));
    alike(|x| (x.abs() + 1.0).polygamma(0), |x| (x.abs() + 1.0).digamma());
    alike(|x| x.cast_as(&matrix()), Tensor::clone);
    let close = matrix().isclose(matrix() + Tensor::from([0.0, 1e-3, 1e-9]), 0.0, 1e-6);
    assert_eq!(close.to_vec::<bool>(), [true, false, true, true, false, true]);
}
#[test]
fn windows_and_their_places() {
    let at = |x: &Tensor| x.max_pool_indices([1, 2]).1;
    alike(
        |x| x.max_pool([1, 2]).max_unpool(&at(x), [2, 3]),
        |x| {
            let y = x.max_pool([1, 2]);
            F64.zeros(6).scatter(0, &at(x).reshape(-1), y.reshape(-1)).reshape([2, 3])
        },
    );
    let (values, places) = matrix().adaptive_max_pool_indices([1, 3]);
    near(&values, &[3.0, 0.0, 2.0]);
    assert_eq!(places.to_vec::<i64>(), [3, 4, 2]);
}
#[test]
fn a_transform_and_its_inverse() {
    let pairs = F64.randn([3, 4, 2], &mut Rng::new(1));
    let back = pairs.fft2(None, FftNorm::Backward).ifft2(None, FftNorm::Backward);
    near(&back, &pairs.to_vec::<f64>());
}
#[test]
fn draws_of_one_stream() {
    let rng = || Rng::new(5);
    let x = Tensor::zeros([40]);
    assert_eq!(x.rand_like(&mut rng()).to_vec::<f32>(), Tensor::rand([40], &mut rng()).to_vec::<f32>());
    let normal = Tensor::randn([40], &mut rng());
    assert_eq!(x.randn_like(&mut rng()).to_vec::<f32>(), normal.to_vec::<f32>());
    let moved = Tensor::normal([40], 2.0, 3.0, &mut rng());
    near(&moved.cast(F64).round(), &(normal.cast(F64) * 3.0 + 2.0).round().to_vec::<f64>());
    let key = rng().reserve(40);
    assert_eq!(Tensor::rand_at([40], key).to_vec::<f32>(), Tensor::rand([40], &mut rng()).to_vec::<f32>());
    let chosen = Tensor::from([0.0f32, 2.0, 0.0]).multinomial(5, true, &mut rng());
    assert_eq!(chosen.to_vec::<i64>(), [1; 5]);
    let heads = Tensor::bernoulli([4000], 0.25, &mut rng()).cast(F64).mean(()).item();
    assert!((heads - 0.25).abs() < 0.03, "{heads}");
}
