//! Losses that the trainer scales: gradients that half numbers would lose, factors that are too large, clipping,
//! accumulation, and checkpoints.

extern crate retrograd_nn as retrograd;

use retrograd_nn::data::{DataLoader, TensorDataset};
use retrograd_nn::train::{History, NonFinite, Trainer};
use retrograd_nn::{GradScaler, Linear, Losses, Module, Sgd};
use retrograd_tensor::{DType, Error, F16, F32, Rng, Tensor};

type Loader = DataLoader<(Tensor, Tensor), (Tensor, Tensor)>;
type Of<'a> = Trainer<'a, Linear, (Tensor, Tensor)>;

/// 40 samples of a linear function, in batches of 8.
fn loader() -> Loader {
    let x = Tensor::randn([40, 3], &mut Rng::new(1));
    let y = x.matmul(Tensor::from([[1.0f32], [-2.0], [0.5]])) + 0.25;
    DataLoader::new(TensorDataset::new(x, y)).batch_size(8).shuffle(true).seed(2)
}

/// A run whose loss is so small that f16 rounds its gradients to 0, and whose rate is so much larger.
fn run(dtype: DType, told: impl FnOnce(Of<'_>) -> Of<'_>) -> (Linear, Result<History, Error>) {
    let mut model = Linear::new(3, 1, &mut Rng::new(0));
    let mut sgd = Sgd::new(&model, 1e8);
    let trainer = Trainer::new(&mut model, &mut sgd).epochs(8).autocast(dtype);
    let history = told(trainer).fit(&mut loader(), |model, (x, y)| model.forward(x).mse_loss(y) * 1e-9);
    (model, history)
}

fn last(history: &History) -> f64 {
    history.epochs.last().unwrap().loss * 1e9
}

#[test]
fn small_gradients_reach_the_parameters() {
    let begin = Linear::new(3, 1, &mut Rng::new(0));
    let (lost, _) = run(F16, |trainer| trainer);
    assert_eq!(lost.state_dict(), begin.state_dict());
    let (_, whole) = run(F32, |trainer| trainer);
    let (learned, history) = run(F16, |trainer| trainer.grad_scaler(GradScaler::new().init_scale(1e6)));
    let (whole, history) = (whole.unwrap(), history.unwrap());
    assert!(last(&whole) < 1e-2 && last(&history) < 1e-2, "{} and {}", last(&whole), last(&history));
    assert_eq!(history.skipped, 0);
    assert!((learned.weight.value() - Tensor::from([[1.0f32, -2.0, 0.5]])).abs().amax(()).item() < 0.1);
    // The history has gradients as they are.
    let (a, b) = (history.steps[0].grad_norm, whole.steps[0].grad_norm);
    assert!((a / b - 1.0).abs() < 0.01, "{a} and {b}");
}

#[test]
fn a_factor_that_is_too_large_costs_steps_and_falls() {
    let scaler = || GradScaler::new().init_scale(2f64.powi(60));
    let (_, history) = run(F16, |trainer| trainer.grad_scaler(scaler()));
    let history = history.unwrap();
    // Halved until gradients of about 10⁻⁹ fit below 65,504: 2⁶⁰ is about 10¹⁸.
    assert!((10..20).contains(&history.skipped), "{}", history.skipped);
    assert_eq!(history.steps.len() as u64 + history.skipped, 40);
    assert!(last(&history) < 0.05, "{}", last(&history));

    // Without half numbers nothing overflows, and powers of two change no bit; with clipping and accumulation too.
    fn both(trainer: Of<'_>) -> Of<'_> {
        trainer.accumulate(2).clip_grad_norm(1e-9).clip_grad_value(6e-10)
    }
    let (plain, _) = run(F32, both);
    let (scaled, history) = run(F32, |trainer| both(trainer).grad_scaler(GradScaler::new()));
    assert_eq!((plain.state_dict(), history.unwrap().skipped), (scaled.state_dict(), 0));
}

#[test]
fn a_loss_that_is_not_finite_is_an_error_as_before() {
    let fit = |non_finite: NonFinite| {
        let mut model = Linear::new(3, 1, &mut Rng::new(0));
        let mut sgd = Sgd::new(&model, 0.1);
        Trainer::new(&mut model, &mut sgd)
            .non_finite(non_finite)
            .grad_scaler(GradScaler::new())
            .fit(&mut loader(), |model, (x, y)| model.forward(x).mse_loss(y) * f64::INFINITY)
    };
    assert!(fit(NonFinite::Error).unwrap_err().to_string().contains("not finite at step 1"));
    assert_eq!(fit(NonFinite::Skip).unwrap().skipped, 5);
}

#[cfg(feature = "files")]
#[test]
fn a_run_that_goes_on_has_its_factor_again() {
    let path = std::env::temp_dir().join(format!("retrograd-scaling-{}.checkpoint", std::process::id()));
    let scaler = || GradScaler::new().init_scale(2f64.powi(44)).growth_interval(1);
    let (whole, history) = run(F16, |trainer| trainer.grad_scaler(scaler()));
    let history = history.unwrap();
    assert!(history.skipped > 3, "{}", history.skipped);
    let (_, part) = run(F16, |trainer| {
        trainer.grad_scaler(scaler()).checkpoint(&path).on_step(|at| {
            if at.record.step == 13 {
                at.stop();
            }
            Ok(())
        })
    });
    assert!(part.unwrap().steps.len() == 13);
    let (resumed, again) =
        run(F16, |trainer| trainer.grad_scaler(scaler().init_scale(7.0)).checkpoint(&path).resume());
    std::fs::remove_file(&path).unwrap();
    assert_eq!((resumed.state_dict(), again.unwrap()), (whole.state_dict(), history));
}
