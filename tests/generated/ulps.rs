//! How far results in f32, f16 and bf16 lie from those in f64, in units of the last place.
use crate::Report;
use crate::sample::{call, points, units};
use retrograd::prelude::*;
use retrograd::testing::{Class, Elementwise, Sample};

/// How many points of the sample, and of numbers of every size.
const POINTS: usize = 4000;
/// What a result may be off by in f32.
const SINGLE: f64 = 3.0;
/// Half types are computed in f32 and rounded once.
const HALF: f64 = 0.51;
/// The rows that add parts of opposite sign, as PyTorch does, so that what is left is no more exact than these: their
/// errors are in units of the last place of the largest operand.
const CANCELLING: &[(&str, &str)] = &[
    ("lerp", "start + weight * (end - start) near its zero"),
    ("logaddexp", "the larger + log1p(exp(-distance)) near its zero"),
];
/// Another bound in f32.
const LOOSE: &[(&str, f64, &str)] = &[
    ("gelu", 5.0, "a power of e, a fraction and a product, each rounded"),
    ("ndtr", 5.0, "a power of e, a fraction and a product, each rounded"),
    ("gelu_tanh", 100.0, "e to a rounded power of up to 87, whose last place is 64 times that of 1"),
];

pub(crate) fn check(row: &'static Elementwise) -> Report {
    let mut report = Report::default();
    if matches!(row.class, Class::Test | Class::Logic | Class::Bits) {
        report.skip("ulps: truth values and integers are exact, which the tails check");
        return report;
    }
    let mut line = format!("ulps of {:<14}", row.name);
    let cancelling = CANCELLING.iter().find(|(name, _)| *name == row.name);
    let loose = LOOSE.iter().find(|(name, ..)| *name == row.name);
    for dtype in [F32, F16, BF16] {
        let (worst, at) = worst(row, dtype, cancelling.is_some());
        line.push_str(&format!("  {dtype} {worst:5.3}"));
        let bound = match loose {
            _ if dtype != F32 => HALF,
            Some((_, bound, _)) => *bound,
            None => SINGLE,
        };
        let outcome =
            if worst <= bound { Ok(()) } else { Err(format!("{worst} at {at:?}; {bound} is allowed")) };
        report.note(&format!("accuracy of {dtype}"), outcome);
    }
    if let Some((_, sum)) = cancelling {
        line.push_str(&format!("  of the largest operand: {sum}"));
    }
    if let Some((.., why)) = loose {
        line.push_str(&format!("  {why}"));
    }
    report.lines.push(line);
    report
}

/// Points of the sample, and numbers of its domain of every size.
fn arguments(row: &Elementwise) -> Vec<Vec<f64>> {
    let mut unit = units(17);
    let mut size = |low: f64, high: f64| (low + (high - low) * unit()).exp2();
    let mut operands = points(row, POINTS);
    for i in 0..POINTS {
        for operand in &mut operands {
            let sign = if i % 2 == 0 { 1.0 } else { -1.0 };
            operand.push(match row.sample {
                Sample::Real | Sample::Distinct => sign * size(-20.0, 6.0),
                Sample::Positive => size(-20.0, 6.0),
                Sample::Unit => sign * (1.0 - size(-20.0, 0.0)),
                Sample::Fraction => {
                    if i % 2 == 0 {
                        size(-20.0, 0.0)
                    } else {
                        1.0 - size(-10.0, 0.0)
                    }
                }
                Sample::AboveOne => 1.0 + size(-20.0, 10.0),
            });
        }
    }
    operands
}

/// The largest error, and the operands that have it.
fn worst(row: &Elementwise, dtype: DType, of_operands: bool) -> (f64, Vec<f64>) {
    let x: Vec<Tensor> = arguments(row).into_iter().map(|x| Tensor::from(x).cast(dtype)).collect();
    let wide: Vec<Tensor> = x.iter().map(|x| x.cast(F64)).collect();
    let (got, want) = (call(row, &x).cast(F64).to_vec::<f64>(), call(row, &wide).to_vec::<f64>());
    let wide: Vec<Vec<f64>> = wide.iter().map(Tensor::to_vec).collect();
    let mut worst = (0.0, vec![]);
    for (i, (got, want)) in got.iter().zip(&want).enumerate() {
        let at = || wide.iter().map(|x| x[i]);
        let scale = if of_operands { at().fold(want.abs(), |most, x| most.max(x.abs())) } else { want.abs() };
        let error = ulps(dtype, *got, *want, scale);
        if error > worst.0 {
            worst = (error, at().collect());
        }
    }
    worst
}

/// How far `got` is from `want`, in units of the last place of `scale` as a `dtype`.
fn ulps(dtype: DType, got: f64, want: f64, scale: f64) -> f64 {
    // Digits after the first, the smallest exponent, the largest.
    let (digits, least, most) = match dtype {
        F32 => (23, -126, 127),
        F16 => (10, -14, 15),
        _ => (7, -126, 127),
    };
    let largest = (2.0 - 2f64.powi(-digits)) * 2f64.powi(most);
    if got == want || got.is_nan() && want.is_nan() {
        return 0.0;
    }
    if !want.is_finite() || got.is_nan() {
        return f64::INFINITY;
    }
    let unit = 2f64.powi((scale.log2().floor() as i32).clamp(least, most) - digits);
    // What is too large to be written is an infinity.
    let beyond = largest + 2f64.powi(most - digits);
    let got = if got.is_finite() { got } else { beyond.copysign(got) };
    (got - want.clamp(-beyond, beyond)).abs() / unit
}
