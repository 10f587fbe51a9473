//! Checks that are made from the table: every row of every elementwise family is tried at every length of a vector's
//! tail, in every layout, under every transform, and its accuracy is measured. A row is checked because it is in the
//! table; adding one needs no line here.

#![allow(clippy::print_stdout, reason = "a test program reports on standard output")]

#[path = "generated/layouts.rs"]
mod layouts;
#[path = "table/sample.rs"]
mod sample;
#[path = "generated/slopes.rs"]
mod slopes;
#[path = "generated/tails.rs"]
mod tails;
#[path = "generated/ulps.rs"]
mod ulps;

use libtest_mimic::{Arguments, Trial};
use retrograd::prelude::*;
use retrograd::testing::{Elementwise, elementwise, entries};
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

/// What became of the checks of a row.
#[derive(Default)]
struct Report {
    passed: usize,
    failures: Vec<String>,
    /// Why a check was left out.
    skips: Vec<&'static str>,
    /// Lines for the end.
    lines: Vec<String>,
}
impl Report {
    fn note(&mut self, check: &str, outcome: Result<(), String>) {
        match outcome {
            Ok(()) => self.passed += 1,
            Err(failure) => self.failures.push(format!("{check}: {failure}")),
        }
    }
    fn skip(&mut self, reason: &'static str) {
        self.skips.push(reason);
    }
}

/// What all rows together came to.
#[derive(Default)]
struct Tally {
    passed: usize,
    failed: usize,
    skips: BTreeMap<&'static str, usize>,
    lines: Vec<String>,
}

/// A kind of checks of one row.
type Kind = (&'static str, fn(&'static Elementwise) -> Report);
const KINDS: [Kind; 4] =
    [("tails", tails::check), ("layouts", layouts::check), ("slopes", slopes::check), ("ulps", ulps::check)];

fn main() -> ExitCode {
    let args = Arguments::from_args();
    let tally = Arc::new(Mutex::new(Tally::default()));
    let trials = KINDS.iter().flat_map(|kind| elementwise().map(|row| trial(*kind, row, &tally))).collect();
    let conclusion = libtest_mimic::run(&args, trials);
    if !args.list {
        conclude(&tally.lock().unwrap_or_else(PoisonError::into_inner));
    }
    conclusion.exit_code()
}

fn trial((kind, check): Kind, row: &'static Elementwise, tally: &Arc<Mutex<Tally>>) -> Trial {
    let tally = Arc::clone(tally);
    Trial::test(format!("{kind}/{}", row.name), move || {
        let mut report = check(row);
        let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
        tally.passed += report.passed;
        tally.failed += report.failures.len();
        tally.lines.append(&mut report.lines);
        for reason in report.skips {
            *tally.skips.entry(reason).or_default() += 1;
        }
        if report.failures.is_empty() { Ok(()) } else { Err(report.failures.join("\n  ").into()) }
    })
}

fn conclude(tally: &Tally) {
    let mut lines = tally.lines.clone();
    lines.sort();
    for line in lines {
        println!("{line}");
    }
    let (rows, operators) = (elementwise().count(), entries().len());
    println!("operators in the table: {operators}, of these {rows} elementwise rows");
    println!("generated checks of the rows: {} passed, {} failed", tally.passed, tally.failed);
    let skips = tally.skips.values().sum::<usize>();
    println!("skipped: {skips}, each because");
    for (reason, count) in &tally.skips {
        println!("  {count} times: {reason}");
    }
}

/// The elements as comparable numbers: bits of floats, any NaN like any other.
fn bits(t: &Tensor) -> Vec<u64> {
    let float = |v: f64| if v.is_nan() { f64::NAN.to_bits() } else { v.to_bits() };
    match t.dtype() {
        F64 => t.to_vec::<f64>().into_iter().map(float).collect(),
        F32 => t.to_vec::<f32>().into_iter().map(|v| float(v.into())).collect(),
        F16 | BF16 => t.force().cast(F32).to_vec::<f32>().into_iter().map(|v| float(v.into())).collect(),
        _ => t.force().cast(I64).to_vec::<i64>().into_iter().map(i64::cast_unsigned).collect(),
    }
}
/// Whether two tensors are the same, bit for bit.
fn same(got: &Tensor, want: &Tensor) -> Result<(), String> {
    if (got.dtype(), got.shape()) != (want.dtype(), want.shape()) {
        let spec = |t: &Tensor| format!("{} {}", t.dtype(), t.shape());
        return Err(format!("{}; it should be {}", spec(got), spec(want)));
    }
    if bits(got) == bits(want) { Ok(()) } else { Err(format!("{got:?}; it should be {want:?}")) }
}
