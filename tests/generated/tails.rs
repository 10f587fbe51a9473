//! Every length from 1 on that leaves another tail of a vector register, with each special value in each place: the
//! same bits as the element alone.
use crate::sample::call;
use crate::{Report, bits};
use retrograd::prelude::*;
use retrograd::testing::{Class, Elementwise};
use std::collections::HashMap;

/// Longer than any unrolled loop over the widest registers of the narrowest elements is by one.
const LONGEST: usize = 70;
/// How far the values of each operand move from place to place: over all starts, every pair meets.
const STEPS: [usize; 3] = [1, 7, 11];
const DTYPES: [DType; 8] = [F64, F32, F16, BF16, I64, I32, U8, Bool];

pub(crate) fn check(row: &'static Elementwise) -> Report {
    let mut report = Report::default();
    for dtype in DTYPES {
        match refusal(row.class, dtype) {
            Some(reason) => report.skip(reason),
            None => report.note(&format!("tails of {dtype}"), lengths(row, dtype)),
        }
    }
    report
}

/// Why a class has no kernel for a type.
fn refusal(class: Class, dtype: DType) -> Option<&'static str> {
    match class {
        Class::Bits if dtype.is_float() => {
            Some("tails: an operation on the bits of integers takes no floats")
        }
        Class::Bits if dtype == Bool => {
            Some("tails: an operation on the bits of integers takes no truth values")
        }
        Class::Float if !dtype.is_float() => {
            Some("tails: what is not a float becomes F32 before a function of floats")
        }
        Class::Logic if dtype != Bool => {
            Some("tails: numbers become truth values before a function of these")
        }
        Class::Arith | Class::Quotient | Class::Power | Class::Test if dtype == Bool => {
            Some("tails: truth values become integers before arithmetic")
        }
        _ => None,
    }
}

/// The values of operand `k`: a prime number of them.
fn specials(class: Class, dtype: DType, k: usize) -> Tensor {
    if dtype == Bool || (class == Class::Choose && k == 0) {
        return Tensor::from([true, false, false, true, true]);
    }
    if dtype.is_float() {
        // The smallest number above 0 and the largest.
        let (tiny, huge) = match dtype {
            F64 => (f64::from_bits(1), f64::MAX),
            F32 => (f64::from(f32::from_bits(1)), f64::from(f32::MAX)),
            F16 => (2f64.powi(-24), 65504.0),
            _ => (2f64.powi(-133), (2.0 - 2f64.powi(-7)) * 2f64.powi(127)),
        };
        let (inf, nan) = (f64::INFINITY, f64::NAN);
        let values = [
            0.0,
            -0.0,
            inf,
            -inf,
            nan,
            tiny,
            -tiny,
            3.0 * tiny,
            huge,
            -huge,
            1.0,
            -1.0,
            0.5,
            -0.5,
            2.0,
            -2.0,
            1.01,
            3.0,
            0.1,
            -0.7,
            17.5,
            -20.0,
            300.0,
        ];
        return Tensor::from(values).cast(dtype);
    }
    let (least, most) = match dtype {
        U8 => (0, 255),
        I32 => (i64::from(i32::MIN), i64::from(i32::MAX)),
        _ => (i64::MIN, i64::MAX),
    };
    let values = match (class, k) {
        (Class::Quotient, 1) => [1, 2, 3, most, most - 1, 7, 100],
        (Class::Power, 1) => [0, 1, 2, 3, 5, 7, 40],
        _ => [0, 1, 2, 100, most, least, most - 1],
    };
    Tensor::from(values).cast(dtype)
}

fn lengths(row: &Elementwise, dtype: DType) -> Result<(), String> {
    let values: Vec<Tensor> = (0..row.arity).map(|k| specials(row.class, dtype, k)).collect();
    let most = values.iter().map(Tensor::numel).max().unwrap_or_default();
    // Place i of operand k holds the value of number start + i * step.
    let number = |k: usize, place: usize| (place * STEPS[k]) % values[k].numel();
    let lines: Vec<Tensor> = (0..row.arity)
        .map(|k| {
            let order = (0..LONGEST + most).map(|place| number(k, place) as i64).collect::<Vec<_>>();
            let line = values[k].index_select(0, &Tensor::from(order));
            line.force();
            line
        })
        .collect();
    let mut alone = HashMap::new();
    for start in 0..most {
        for n in 1..=LONGEST {
            let x: Vec<Tensor> = lines.iter().map(|line| line.narrow(0, start, n)).collect();
            let got = bits(&call(row, &x));
            for (i, got) in got.iter().enumerate() {
                let numbers: Vec<usize> = (0..row.arity).map(|k| number(k, start + i)).collect();
                let single = || {
                    numbers
                        .iter()
                        .zip(&values)
                        .map(|(j, v)| v.narrow(0, *j, 1).contiguous())
                        .collect::<Vec<_>>()
                };
                let want = *alone.entry(numbers.clone()).or_insert_with(|| bits(&call(row, &single()))[0]);
                if *got != want {
                    let shown = |bits: u64| f64::from_bits(bits);
                    let at = format!("element {i} of {n} at {:?}", single());
                    return Err(format!("{at}: {} ({got:x}); alone {} ({want:x})", shown(*got), shown(want)));
                }
            }
        }
    }
    Ok(())
}
