//! Fourier transforms against sums over all elements, their norms, gradients, and `vmap`.
#![cfg(feature = "fft")]

use retrograd::prelude::*;
use retrograd::{FftNorm, attempt, grad_recorded};
use std::f64::consts::TAU;

const LENGTHS: [usize; 9] = [1, 2, 3, 4, 5, 12, 17, 64, 97];
const NORMS: [FftNorm; 3] = [FftNorm::Backward, FftNorm::Ortho, FftNorm::Forward];

fn seeded(shape: impl IntoShape, seed: u64) -> Tensor {
    F64.randn(shape, &mut Rng::new(seed))
}
#[track_caller]
fn close(a: &Tensor, b: &Tensor, bar: f64) {
    assert_eq!(a.shape(), b.shape());
    let far = (a - b).abs().to_vec::<f64>().into_iter().fold(0.0, f64::max);
    assert!(far <= bar, "differ by {far}: {a:?} and {b:?}");
}
/// The transform of `[.., n, 2]` by its definition.
fn slow(x: &Tensor, inverse: bool) -> Tensor {
    let n = x.size(-2);
    let angle =
        |k: usize| (0..n).map(move |j| (j * k % n) as f64 / n as f64 * if inverse { TAU } else { -TAU });
    let angles = Tensor::from_vec((0..n).flat_map(angle).collect::<Vec<f64>>(), [n, n]);
    let (c, s) = (angles.cos(), angles.sin());
    let (re, im) = (x.select(-1, 0).unsqueeze(-1), x.select(-1, 1).unsqueeze(-1));
    let parts = [c.matmul(&re) - s.matmul(&im), s.matmul(&re) + c.matmul(&im)];
    cat(&parts, -1)
}
fn complex(x: &Tensor) -> Tensor {
    stack(&[x.clone(), x.zeros_like()], -1)
}

#[test]
fn transforms_are_their_sums() {
    for n in LENGTHS {
        let x = seeded([3, n, 2], n as u64);
        close(&x.fft(None, -1, FftNorm::Backward), &slow(&x, false), 1e-11);
        close(&x.ifft(None, -1, FftNorm::Forward), &slow(&x, true), 1e-11);
        let (real, half) = (x.select(-1, 0), n / 2 + 1);
        let whole = slow(&complex(&real), false);
        let y = real.rfft(None, -1, FftNorm::Backward);
        close(&y, &whole.narrow(-2, 0, half), 1e-11);
        close(&y.irfft(Some(n), -1, FftNorm::Backward), &real, 1e-12);
        close(&y.irfft(Some(n), 1, FftNorm::Forward), &(slow(&whole, true).select(-1, 0)), 1e-10);
        close(&real.ihfft(None, -1, FftNorm::Backward).hfft(Some(n), -1, FftNorm::Backward), &real, 1e-12);
        // Half of a Hermitian row: its transform is real.
        let row = slow(&complex(&real), true);
        close(
            &row.narrow(-2, 0, half).hfft(Some(n), -1, FftNorm::Backward),
            &slow(&row, false).select(-1, 0),
            1e-10,
        );
        let single = x.cast(F32).fft(None, -1, FftNorm::Ortho).cast(F64);
        close(&single, &x.fft(None, -1, FftNorm::Ortho), 1e-5);
    }
}

#[test]
fn norms_invert_each_other_and_keep_the_energy() {
    for (n, norm) in LENGTHS.into_iter().zip(NORMS.into_iter().cycle()) {
        let x = seeded([n, 3, 2], 1);
        close(&x.fft(None, 0, norm).ifft(None, 0, norm), &x, 1e-13);
        close(&x.fftn(None, (), norm).ifftn(None, (), norm), &x, 1e-13);
        let y = x.fft2(None, FftNorm::Ortho);
        assert!((y.square().sum(()) - x.square().sum(())).item().abs() < 1e-10);
        let real = x.select(-1, 0);
        close(&real.rfftn(None, (), norm).irfftn(Some(&[n, 3]), (), norm), &real, 1e-13);
    }
}

#[test]
fn several_axes_are_one_after_the_other() {
    let x = seeded([2, 5, 4, 2], 1);
    let want = x.fft(None, 1, FftNorm::Ortho).fft(Some(6), 0, FftNorm::Ortho);
    close(&x.fftn(Some(&[5, 6]), [1, 0], FftNorm::Ortho), &want, 1e-13);
    close(&x.fft2(None, FftNorm::Backward), &x.fftn(None, [-2, -1], FftNorm::Backward), 0.0);
    close(&x.fftn(Some(&[4]), (), FftNorm::Backward), &x.fft(Some(4), -1, FftNorm::Backward), 0.0);
    let real = x.select(-1, 0);
    let half = complex(&real).fftn(None, [0, 2], FftNorm::Backward).narrow(2, 0, 3);
    close(&real.rfftn(None, [0, 2], FftNorm::Backward), &half, 1e-13);
    close(
        &real
            .rfft2(Some([3, 6]), FftNorm::Forward)
            .irfft2(Some([3, 6]), FftNorm::Forward)
            .narrow(1, 0, 3)
            .narrow(2, 0, 4),
        &real.narrow(1, 0, 3),
        1e-13,
    );
    // Lengths cut, or fill up by zeros.
    let padded = cat(&[x.clone(), F64.zeros([2, 5, 3, 2])], 2);
    close(&x.fft(Some(7), -1, FftNorm::Backward), &padded.fft(None, -1, FftNorm::Backward), 1e-14);
    close(&x.ifft(Some(2), 1, FftNorm::Backward), &x.narrow(1, 0, 2).ifft(None, 1, FftNorm::Backward), 1e-14);
}

type Call = fn(&Tensor) -> Tensor;
const CALLS: [(Call, &[usize]); 8] = [
    (|x| x.fft(Some(5), 0, FftNorm::Backward), &[3, 4, 2]),
    (|x| x.ifft(None, 1, FftNorm::Ortho), &[3, 4, 2]),
    (|x| x.rfft(None, -1, FftNorm::Backward), &[3, 5]),
    (|x| x.rfft(Some(6), 0, FftNorm::Forward), &[7, 3]),
    (|x| x.irfft(None, -1, FftNorm::Backward), &[3, 4, 2]),
    (|x| x.irfft(Some(5), 0, FftNorm::Ortho), &[3, 2, 2]),
    (|x| x.hfft(Some(7), -1, FftNorm::Backward), &[2, 4, 2]),
    (|x| x.ihfft(None, -1, FftNorm::Ortho), &[2, 6]),
];

#[test]
fn gradients_are_the_transposed_transforms() {
    for (call, shape) in CALLS {
        let x = seeded(shape, 1).tracked();
        let y = call(&x);
        let (g, d) = (seeded(y.shape(), 2), seeded(shape, 3));
        // <g, T d> = <Tᵀ g, d> for every g and d.
        let dx = &grad(&(&y * &g).sum(()), &[&x])[0];
        let (left, right) = ((call(&d) * &g).sum(()).item(), (dx * &d).sum(()).item());
        assert!((left - right).abs() < 1e-12, "{left} and {right}");
        // Second order, of the energy: twice the transpose of the transform.
        let first = &grad_recorded(&call(&x).square().sum(()), &[&x])[0];
        let second = &grad(&(first * &d).sum(()), &[&x])[0];
        let e = seeded(shape, 4);
        let (left, right) = ((call(&d) * call(&e)).sum(()).item() * 2.0, (second * &e).sum(()).item());
        assert!((left - right).abs() < 1e-11, "{left} and {right}");
    }
}

#[test]
fn vmap_is_a_loop() {
    for (call, shape) in CALLS {
        let x = seeded([&[3], shape].concat(), 1);
        let each = |x: &Tensor| {
            let leaf = x.tracked();
            grad(&call(&leaf).sin().sum(()), &[&leaf]).swap_remove(0)
        };
        let (values, gradients) = (vmap(|x| call(&x[0]), &[&x]), vmap(|x| each(&x[0]), &[&x]));
        for i in 0..3 {
            close(&values.select(0, i), &call(&x.select(0, i)), 0.0);
            close(&gradients.select(0, i), &each(&x.select(0, i)), 1e-13);
        }
    }
    assert_eq!(retrograd::testing::sliced(), 0);
}

#[test]
fn shifts_and_frequencies() {
    let x = F64.arange(0, 15, 1).reshape([3, 5]);
    assert_eq!(x.fftshift(1).select(0, 0).to_vec::<f64>(), [3.0, 4.0, 0.0, 1.0, 2.0]);
    close(&x.fftshift(()).ifftshift(()), &x, 0.0);
    assert_eq!(F64.fftfreq(4, 0.5).to_vec::<f64>(), [0.0, 0.5, -1.0, -0.5]);
    assert_eq!(F64.rfftfreq(5, 0.5).to_vec::<f64>(), [0.0, 0.4, 0.8]);
}

#[test]
fn misuse_is_refused() {
    let e = attempt(|| F64.ones([4, 3]).fft(None, 0, FftNorm::Backward)).unwrap_err();
    assert_eq!(e.to_string(), "fft: not complex: shape [4, 3]; a last axis of 2 has real and imaginary part");
    for call in [
        || F16.ones([4, 2]).fft(None, 0, FftNorm::Backward),
        || F64.ones([4, 2]).fft(None, 1, FftNorm::Backward),
        || F64.ones([4, 2]).fft(Some(0), 0, FftNorm::Backward),
        || F64.ones([0, 2]).fft(None, 0, FftNorm::Backward),
        || F64.ones([1, 2]).irfft(None, 0, FftNorm::Backward),
        || F64.ones([3, 4]).rfftn(Some(&[1, 2]), [0], FftNorm::Backward),
    ] {
        assert!(attempt(call).is_err());
    }
}
