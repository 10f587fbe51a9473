//! Discrete Fourier transforms of one row, by `rustfft` and `realfft`, nowhere scaled.
//!
//! A crate of its own so that their generic code is compiled here, once for `f32` and once for `f64`, and not with every
//! change to the crate of tensors, which calls it. Complex numbers are pairs, real part first.
#![forbid(unsafe_code)]

use realfft::RealFftPlanner;
use rustfft::num_complex::Complex;
use rustfft::{FftDirection, FftNum, FftPlanner};

/// A transform of rows of `n` numbers, `n` at least 1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Transform {
    /// `n` pairs to `n` pairs, with `exp(-2 pi i jk / n)`.
    Forward,
    /// `n` pairs to `n` pairs, with `exp(2 pi i jk / n)`.
    Inverse,
    /// `n` real numbers to the first `n / 2 + 1` pairs of their forward transform.
    ToHalf,
    /// The first `n / 2 + 1` pairs of a row that is conjugate to itself reversed to the `n` real numbers of its inverse
    /// transform. Imaginary parts that such a row has not are not read.
    FromHalf,
}
/// A transform made ready: reads its first row and fills its second.
pub type Plan<T> = Box<dyn Fn(&[T], &mut [T]) + Send + Sync>;

/// An element type that has transforms: `f32` and `f64`.
pub trait Real: Copy {
    /// Makes a transform of rows of `n` numbers ready.
    ///
    /// ```
    /// use retrograd_fft::{Real, Transform};
    /// let mut y = [0.0f64; 4];
    /// f64::plan(Transform::ToHalf, 2)(&[3.0, 1.0], &mut y);
    /// assert_eq!(y, [4.0, 0.0, 2.0, 0.0]);
    /// ```
    fn plan(transform: Transform, n: usize) -> Plan<Self>;
}
impl Real for f32 {
    fn plan(transform: Transform, n: usize) -> Plan<f32> {
        plan(transform, n)
    }
}
impl Real for f64 {
    fn plan(transform: Transform, n: usize) -> Plan<f64> {
        plan(transform, n)
    }
}

fn plan<T: FftNum>(transform: Transform, n: usize) -> Plan<T> {
    match transform {
        Transform::Forward => complex(n, FftDirection::Forward),
        Transform::Inverse => complex(n, FftDirection::Inverse),
        Transform::ToHalf => {
            let fft = RealFftPlanner::new().plan_fft_forward(n);
            Box::new(move |x, y| {
                let (mut row, mut half) = (x.to_vec(), fft.make_output_vec());
                fft.process(&mut row, &mut half).expect("rows of the planned lengths");
                write(&half, y);
            })
        }
        Transform::FromHalf => {
            let fft = RealFftPlanner::new().plan_fft_inverse(n);
            Box::new(move |x, y| {
                let mut half = pairs(x);
                half[0].im = T::zero();
                if n.is_multiple_of(2) {
                    half[n / 2].im = T::zero();
                }
                fft.process(&mut half, y).expect("rows of the planned lengths");
            })
        }
    }
}
fn complex<T: FftNum>(n: usize, direction: FftDirection) -> Plan<T> {
    let fft = FftPlanner::new().plan_fft(n, direction);
    Box::new(move |x, y| {
        let mut row = pairs(x);
        fft.process(&mut row);
        write(&row, y);
    })
}
fn pairs<T: FftNum>(x: &[T]) -> Vec<Complex<T>> {
    x.chunks_exact(2).map(|pair| Complex::new(pair[0], pair[1])).collect()
}
fn write<T: FftNum>(x: &[Complex<T>], y: &mut [T]) {
    for (pair, v) in y.chunks_exact_mut(2).zip(x) {
        pair.copy_from_slice(&[v.re, v.im]);
    }
}
