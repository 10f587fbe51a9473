//! Operands drawn from where a row of the table says that it is defined and smooth, and how to call the row.
use retrograd::prelude::*;
use retrograd::testing::{Attrs, Class, Elementwise, Sample, entries};

/// `arity` operands of `count` elements each, from the domain of the row.
pub(crate) fn points(row: &Elementwise, count: usize) -> Vec<Vec<f64>> {
    let mut unit = units(11);
    let mut operands = vec![Vec::with_capacity(count); row.arity];
    while operands[0].len() < count {
        let point: Vec<f64> = (0..row.arity)
            .map(|_| match row.sample {
                Sample::Real | Sample::Distinct => 4.0 * unit() - 2.0,
                Sample::Positive => 0.25 + 2.75 * unit(),
                Sample::Unit => 1.8 * unit() - 0.9,
                Sample::Fraction => 0.05 + 0.9 * unit(),
                Sample::AboveOne => 1.1 + 1.9 * unit(),
            })
            .collect();
        if smooth(row.sample, &point) {
            for (operand, value) in operands.iter_mut().zip(point) {
                operand.push(value);
            }
        }
    }
    if row.class == Class::Choose {
        // A condition is true or false.
        operands[0].iter_mut().for_each(|x| *x = f64::from(*x > 0.0));
    }
    operands
}

/// Numbers from 0 to 1, without end.
pub(crate) fn units(seed: u64) -> impl FnMut() -> f64 {
    let (mut rng, mut drawn) = (Rng::new(seed), Vec::new());
    move || {
        if drawn.is_empty() {
            drawn = F64.rand([4096], &mut rng).to_vec::<f64>();
        }
        drawn.pop().expect("just filled")
    }
}

/// Whether a point keeps away from the kinks and jumps that its sample excludes.
fn smooth(sample: Sample, point: &[f64]) -> bool {
    let off = |x: f64| (x - x.round()).abs() > 0.02;
    if matches!(sample, Sample::Real | Sample::Distinct) && !point.iter().all(|x| off(2.0 * x)) {
        return false;
    }
    let pairs = || point.iter().enumerate().flat_map(|(i, x)| point[..i].iter().map(move |y| (*x, *y)));
    sample != Sample::Distinct || pairs().all(|(x, y)| (x - y).abs() > 0.02 && off(x / y) && off(y / x))
}

/// The row at these operands.
pub(crate) fn call(row: &Elementwise, x: &[Tensor]) -> Tensor {
    let name = row.name.trim_end_matches('_');
    let found = entries().into_iter().find(|entry| entry.name == name);
    let entry = found.unwrap_or_else(|| panic!("no entry calls `{}`", row.name));
    (entry.call)(x, &Attrs::default()).remove(0)
}
