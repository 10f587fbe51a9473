//! Initial values: bounds, moments, orthogonality, refusals; and the defaults of layers.

use retrograd_nn::init::{self, Fan, Nonlinearity};
use retrograd_nn::{Dropout, Linear, Module};
use retrograd_tensor::{F64, Rng, Tensor, attempt};

/// Mean, standard deviation and largest magnitude.
fn moments(x: &Tensor) -> (f64, f64, f64) {
    let x: Vec<f64> = x.to_vec::<f32>().into_iter().map(f64::from).collect();
    let mean = x.iter().sum::<f64>() / x.len() as f64;
    let variance = x.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / x.len() as f64;
    (mean, variance.sqrt(), x.iter().fold(0.0, |largest, v| v.abs().max(largest)))
}

#[track_caller]
fn check_uniform(x: &Tensor, bound: f64) {
    let (mean, std, largest) = moments(x);
    assert!(largest <= bound * (1.0 + 1e-6) && largest > 0.99 * bound, "largest {largest}, bound {bound}");
    assert!(
        mean.abs() < 0.03 * bound && (std * 3f64.sqrt() / bound - 1.0).abs() < 0.03,
        "mean {mean}, std {std}"
    );
}

#[track_caller]
fn check_normal(x: &Tensor, std: f64) {
    let (mean, found, largest) = moments(x);
    assert!(
        mean.abs() < 0.03 * std && (found / std - 1.0).abs() < 0.03,
        "mean {mean}, std {found} for {std}"
    );
    assert!(largest > 3.0 * std, "no tails: {largest} for {std}");
}

#[test]
fn formulas_are_those_of_the_papers() {
    let rng = &mut Rng::new(5);
    // Fan in 80 · 2 = 160, fan out 60 · 2 = 120.
    let shape = [60, 80, 2];
    let (fan_in, fan_out) = (160f64, 120f64);
    check_uniform(&init::kaiming_uniform(shape, Fan::In, Nonlinearity::Relu, rng), (6.0 / fan_in).sqrt());
    check_normal(&init::kaiming_normal(shape, Fan::Out, Nonlinearity::Tanh, rng), 5.0 / 3.0 / fan_out.sqrt());
    check_uniform(&init::xavier_uniform(shape, 2.0, rng), 2.0 * (6.0 / (fan_in + fan_out)).sqrt());
    check_normal(&init::xavier_normal(shape, 1.0, rng), (2.0 / (fan_in + fan_out)).sqrt());
    check_uniform(&init::lecun_uniform(shape, rng), (3.0 / fan_in).sqrt());
    check_normal(&init::lecun_normal(shape, rng), fan_in.sqrt().recip());
    assert_eq!(Nonlinearity::LeakyRelu(1.0).gain(), 1.0);
    let (mean, std, _) = moments(&init::normal([10_000], 3.0, 0.5, rng));
    assert!((mean - 3.0).abs() < 0.05 && (std - 0.5).abs() < 0.02);
    assert_eq!(init::constant([2], 0.25).to_vec::<f32>(), [0.25; 2]);
    assert_eq!((init::zeros([1]).item(), init::ones([1]).item()), (0.0, 1.0));
}

#[test]
fn orthogonal_matrices_are() {
    for shape in [[7, 7], [5, 12], [12, 5]] {
        let w = init::orthogonal(shape, 2.0, &mut Rng::new(1));
        assert_eq!(w.shape()[..], shape);
        let short = shape[0].min(shape[1]);
        let product = if shape[0] <= shape[1] { w.matmul(w.t()) } else { w.t().matmul(&w) };
        for (position, value) in product.to_vec::<f32>().into_iter().enumerate() {
            let want = if position % short == position / short { 4.0 } else { 0.0 };
            assert!((value - want).abs() < 1e-5, "{position}: {value}");
        }
    }
    assert_eq!(init::orthogonal([4, 2, 3], 1.0, &mut Rng::new(1)).shape()[..], [4, 2, 3]);
}

#[test]
fn one_seed_gives_one_model() {
    let model = |seed| Linear::new(30, 20, &mut Rng::new(seed)).state_dict();
    assert_eq!(model(4), model(4));
    assert_ne!(model(4), model(5));
    let layer = Linear::new(400, 50, &mut Rng::new(4));
    check_uniform(&layer.weight, 1.0 / 20.0);
    assert!(moments(layer.bias.as_ref().unwrap()).2 <= 1.0 / 20.0);
}

#[test]
fn dropout_keeps_the_mean_and_repeats_from_its_state() {
    let layer = Dropout::new(0.25, &mut Rng::new(9));
    let mut resumed = layer.clone();
    let x = Tensor::ones([100, 100]);
    let y = layer.forward(&x);
    let values = y.to_vec::<f32>();
    let kept = values.iter().filter(|&&v| v != 0.0).count();
    assert!((7_300..7_700).contains(&kept), "{kept} of 10,000 kept");
    assert!(values.iter().all(|&v| v == 0.0 || (v - 4.0 / 3.0).abs() < 1e-6));
    assert_eq!(resumed.forward(&x), y);
    let second = layer.forward(&x);
    assert_ne!(second, y);
    let state = layer.state_dict();
    let third = layer.forward(&x);
    resumed.load_state_dict(&state).unwrap();
    assert_eq!(resumed.forward(&x), third);
    assert_eq!(Dropout::new(1.0, &mut Rng::new(9)).forward(&x), Tensor::zeros([100, 100]));
    let mut rng = Rng::new(9);
    let [first, second] = [(); 2].map(|()| Dropout::new(0.25, &mut rng).forward(&x));
    assert_ne!(first, second, "layers of one generator have masks of their own");
    assert_eq!(first, y, "and one seed the same ones");
}

#[test]
fn what_dropout_drops_is_zero_whatever_it_was() {
    let layer = Dropout::new(0.5, &mut Rng::new(2));
    let y = layer.forward(&(Tensor::ones([1000]) / 0.0)).to_vec::<f32>();
    assert!(y.iter().all(|&v| v == 0.0 || v == f32::INFINITY));
    let y = layer.forward(&F64.ones([1000]));
    assert!((y.mean(()).item() - 1.0).abs() < 0.1 && y.dtype() == F64);
}

#[test]
fn what_cannot_be_is_refused() {
    let message = attempt(|| init::xavier_uniform([3], 1.0, &mut Rng::new(0))).unwrap_err().to_string();
    assert!(message.contains("xavier_uniform: too few axes: shape [3]"), "{message}");
    let message = attempt(|| Dropout::new(1.5, &mut Rng::new(0))).unwrap_err().to_string();
    assert!(message.contains("Dropout: no probability: p = 1.5"), "{message}");
    let layer = Linear::new(3, 2, &mut Rng::new(0));
    let line = line!() + 1;
    let error = attempt(|| layer.forward(&Tensor::zeros([4, 5]))).unwrap_err();
    assert_eq!(error.to_string(), "Linear: input does not fit: shape [4, 5]; Linear(3, 2) takes [.., 3]");
    assert_eq!(error.location().map(std::panic::Location::line), Some(line));
}
