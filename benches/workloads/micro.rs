//! Single operations and formulas.
use crate::{Step, Workload};
use retrograd::prelude::*;

const N1: usize = 1 << 20;
const N16: usize = 1 << 24;

pub(crate) const WORKLOADS: &[Workload] = &[
    ("matmul_64", || product([64, 64], [64, 64], F32)),
    ("matmul_256", || product([256, 256], [256, 256], F32)),
    ("matmul_1024", || product([1024, 1024], [1024, 1024], F32)),
    ("matmul_2048", || product([2048, 2048], [2048, 2048], F32)),
    ("matmul_f64_1024", || product([1024, 1024], [1024, 1024], F64)),
    ("matmul_128x784x512", || product([128, 784], [784, 512], F32)),
    ("bmm_64x64x32x64", || {
        let (a, b) = (normal([64, 64, 32]), normal([64, 32, 64]));
        forward(move || a.matmul(&b))
    }),
    ("elementwise_1m", || formula(N1)),
    ("elementwise_16m", || formula(N16)),
    ("elementwise_grad_1m", formula_grad),
    ("softmax_1024x1000", || {
        let (x, g) = (normal([1024, 1000]).tracked(), normal([1024, 1000]));
        both(move || x.softmax(-1), g)
    }),
    ("layer_norm_4096x768", layer_norm),
    ("batch_norm_32x64x32x32", batch_norm),
    ("max_pool_32x64x32x32_k2", || {
        let x = normal([32, 64, 32, 32]).tracked();
        both(move || x.max_pool([2, 2]), normal([32, 64, 16, 16]))
    }),
    ("sum_axis0_4096", || {
        let x = normal([4096, 4096]);
        forward(move || x.sum(0))
    }),
    ("sum_axis1_4096", || {
        let x = normal([4096, 4096]);
        forward(move || x.sum(1))
    }),
    ("transpose_copy_4096", || {
        let x = normal([4096, 4096]);
        forward(move || x.t().contiguous())
    }),
    ("broadcast_add_4096", || {
        let (x, b) = (normal([4096, 4096]), normal([4096]));
        forward(move || &x + &b)
    }),
    ("gather_embedding", gather),
    ("conv2d_32x64x32x32_k3", || {
        let (x, w) = (normal([32, 64, 32, 32]).tracked(), normal([64, 64, 3, 3]).tracked());
        both(move || x.conv2d(&w, None, Conv::new().padding(1)), normal([32, 64, 32, 32]))
    }),
    ("overhead_small_ops", || {
        let (x, b) = (normal([16]), normal([16]));
        forward(move || repeated_add(&x, &b))
    }),
    ("overhead_small_ops_grad", || {
        let (x, b) = (normal([16]).tracked(), normal([16]).tracked());
        Box::new(move || {
            let y = repeated_add(&x, &b);
            let loss = y.sum(());
            drop(y);
            let grads = loss.backward();
            std::hint::black_box((&grads, loss.item()));
        })
    }),
];

/// Standard normal numbers; every call goes on in the same stream.
pub(crate) fn normal(shape: impl IntoShape) -> Tensor {
    use std::sync::{LazyLock, Mutex};
    static RNG: LazyLock<Mutex<Rng>> = LazyLock::new(|| Mutex::new(Rng::new(0)));
    let x = Tensor::randn(shape, &mut RNG.lock().expect("one thread"));
    x.force();
    x
}
/// Times a forward pass.
fn forward(f: impl Fn() -> Tensor + 'static) -> Step {
    Box::new(move || {
        let y = f();
        y.force();
        std::hint::black_box(&y);
    })
}
/// Times a forward pass and the gradients that follow from cotangent `g`.
fn both(f: impl Fn() -> Tensor + 'static, g: Tensor) -> Step {
    Box::new(move || {
        let y = f();
        let grads = y.backward_with(&g);
        std::hint::black_box((y.force(), &grads));
    })
}
fn product(a: [usize; 2], b: [usize; 2], dtype: DType) -> Step {
    let (a, b) = (normal(a).cast(dtype), normal(b).cast(dtype));
    force_all(&[&a, &b]);
    forward(move || a.matmul(&b))
}
fn formula(n: usize) -> Step {
    let [x, a, b, c] = [0; 4].map(|_| normal([n]));
    forward(move || (&x * &a + &b).tanh() * &c + &x)
}
fn formula_grad() -> Step {
    let [x, a, b, c] = [0; 4].map(|_| normal([N1]).tracked());
    Box::new(move || {
        let y = (&x * &a + &b).tanh() * &c + &x;
        let loss = y.sum(());
        drop(y);
        let grads = loss.backward();
        std::hint::black_box((&grads, loss.item()));
    })
}
fn layer_norm() -> Step {
    let x = normal([4096, 768]).tracked();
    let (w, b) = (normal([768]).tracked(), normal([768]).tracked());
    both(move || x.layer_norm([768], Some(&w), Some(&b), 1e-5), normal([4096, 768]))
}
fn batch_norm() -> Step {
    let x = normal([32, 64, 32, 32]).tracked();
    let (w, b) = (normal([64]).tracked(), normal([64]).tracked());
    let (mut running_mean, mut running_var) = (Tensor::zeros([64]), Tensor::ones([64]));
    let n = (x.numel() / 64) as f64;
    let g = normal([32, 64, 32, 32]);
    Box::new(move || {
        let (y, mean, var) = x.batch_norm(Some(&w), Some(&b), 1e-5);
        running_mean = &running_mean * 0.9 + mean * 0.1;
        running_var = &running_var * 0.9 + var * (0.1 * n / (n - 1.0));
        force_all(&[&y, &running_mean, &running_var]);
        let grads = y.backward_with(&g);
        std::hint::black_box((&y, &grads));
    })
}
fn gather() -> Step {
    let w = normal([10_000, 256]).tracked();
    let ids = Tensor::randint(0, 10_000, [4096], &mut Rng::new(1));
    both(move || w.index_select(0, &ids), normal([4096, 256]))
}
fn repeated_add(x: &Tensor, b: &Tensor) -> Tensor {
    let mut y = x.clone();
    for _ in 0..1000 {
        y += b;
    }
    y
}
