//! Tables with bounded rows and with gradients by frequency, against numbers of PyTorch.

use retrograd_autograd::Differentiate;
use retrograd_nn::{Embedding, Optimizer, Sgd};
use retrograd_tensor::{F64, Rng, Tensor, attempt};

#[track_caller]
fn close(got: &Tensor, want: &[f64]) {
    let got = got.cast(F64).to_vec::<f64>();
    assert!(got.len() == want.len() && got.iter().zip(want).all(|(a, b)| (a - b).abs() < 1e-5), "{got:?}");
}

fn table() -> Embedding {
    let mut table = Embedding::new(4, 2, &mut Rng::new(0)).max_norm(1.0);
    drop(table.weight.replace(&Tensor::from([[3.0f32, 4.0], [0.3, 0.4], [-6.0, 8.0], [1.0, 2.0]])));
    table
}

/// A loss whose gradient differs from row to row.
fn loss(y: &Tensor) -> Tensor {
    let weights = Tensor::from([[1.0f32, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0]]);
    (y.reshape([4, 2]) * weights).sum(())
}

#[test]
fn bounded_rows_are_those_of_pytorch() {
    // torch.nn.Embedding(4, 2, max_norm=1.0) with this weight, ids [[0, 1], [0, 2]] and loss (y * weights).sum().
    let ids = Tensor::from([[0i64, 1], [0, 2]]);
    let mut table = table();
    let y = table.forward(&ids);
    close(&y, &OUTPUT);
    let grads = loss(&y).backward();
    close(&grads[&table.weight], &GRADIENT);
    // The table is as it was, until it is told; then a step of descent is PyTorch's too.
    close(&table.weight, &[3.0, 4.0, 0.3, 0.4, -6.0, 8.0, 1.0, 2.0]);
    table.renormalize(&ids);
    close(&table.weight, &TABLE);
    assert_eq!(table.forward(&ids), y);
    assert_eq!(loss(&table.forward(&ids)).backward()[&table.weight], grads[&table.weight]);
    let mut sgd = Sgd::new(&table, 0.1);
    sgd.step(&mut table, &grads).unwrap();
    close(&table.weight, &STEPPED);
}

const OUTPUT: [f64; 8] = [0.6, 0.8, 0.3, 0.4, 0.6, 0.8, -0.6, 0.8];
const GRADIENT: [f64; 8] = [6.0, 8.0, 3.0, 4.0, 7.0, 8.0, 0.0, 0.0];
const TABLE: [f64; 8] = [0.6, 0.8, 0.3, 0.4, -0.6, 0.8, 1.0, 2.0];
const STEPPED: [f64; 8] = [0.0, 0.0, 0.0, 0.0, -1.3, 0.0, 1.0, 2.0];

#[test]
fn lengths_may_be_of_another_norm_and_tables_without_a_bound_stay() {
    let ids = Tensor::from([2i64, 3]);
    let y = table().norm_type(1.0).forward(&ids);
    close(&y, &[-6.0 / 14.0, 8.0 / 14.0, 1.0 / 3.0, 2.0 / 3.0]);
    let y = table().norm_type(f64::INFINITY).max_norm(2.0).forward(&ids);
    close(&y, &[-1.5, 2.0, 1.0, 2.0]);
    let mut free = Embedding::new(3, 2, &mut Rng::new(0));
    let before = free.weight.value().clone();
    free.renormalize(&Tensor::from([0i64, 1, 2]));
    assert_eq!(free.weight.value(), &before);
    assert_eq!(table().forward(&Tensor::from(1i64)).shape()[..], [2]);
    assert_eq!(table().forward(&Tensor::zeros([0]).cast(retrograd_tensor::I64)).shape()[..], [0, 2]);
}

#[test]
fn gradients_are_divided_by_how_often_a_row_is_looked_up() {
    // torch.nn.Embedding(4, 2, padding_idx=2, scale_grad_by_freq=True).
    let table = Embedding::new(4, 2, &mut Rng::new(0)).padding(2).scale_grad_by_freq();
    let y = table.forward(&Tensor::from([[0i64, 1], [0, 2]]));
    close(&loss(&y).backward()[&table.weight], &[3.0, 4.0, 3.0, 4.0, 0.0, 0.0, 0.0, 0.0]);
}

#[test]
fn bounds_that_are_none_are_refused() {
    for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let error = attempt(|| Embedding::new(2, 2, &mut Rng::new(0)).max_norm(bad)).unwrap_err();
        assert!(error.to_string().starts_with("Embedding: max_norm not allowed: "), "{error}");
    }
    let error = attempt(|| Embedding::new(2, 2, &mut Rng::new(0)).norm_type(0.0)).unwrap_err();
    assert_eq!(error.to_string(), "Embedding: norm_type not allowed: 0; it is positive");
    let error = attempt(|| table().renormalize(&Tensor::from([4i64]))).unwrap_err();
    assert!(error.detail().contains('4'), "{error}");
}
