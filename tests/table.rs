//! The table of operations, held against itself: the rows of every elementwise family against finite differences,
//! what no reference case calls against known values, and the entries against the reference cases, so that a new
//! one without either is a failure.

#[path = "table/api.rs"]
mod api;
#[path = "table/composites.rs"]
mod composites;
#[path = "table/known.rs"]
mod known;
#[path = "table/nan.rs"]
mod nan;
#[path = "table/neighbours.rs"]
mod neighbours;
#[path = "table/rows.rs"]
mod rows;
#[path = "table/sample.rs"]
mod sample;
#[path = "table/spatial.rs"]
mod spatial;

use retrograd::prelude::*;
use retrograd::testing::{elementwise, entries};
use std::collections::BTreeSet;
use std::path::Path;

/// Whether `got` has these elements up to rounding in f64, NaN being equal to NaN.
#[track_caller]
fn near(got: &Tensor, want: &[f64]) {
    let got = got.to_vec::<f64>();
    let close = |(a, b): (&f64, &f64)| (a - b).abs() <= 1e-12 || a == b || a.is_nan() && b.is_nan();
    assert!(got.len() == want.len() && got.iter().zip(want).all(close), "{got:?}; should be {want:?}");
}

/// The operators that the recorded cases call.
fn called() -> BTreeSet<String> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/conformance");
    let mut called = BTreeSet::new();
    for file in std::fs::read_dir(&dir).expect("the folder of the recorded cases") {
        let path = file.expect("a file of it").path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("a family's cases");
        let family: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let cases = family["cases"].as_array().expect("a list of cases");
        called.extend(cases.iter().filter_map(|case| case["op"].as_str()).map(str::to_owned));
    }
    called
}

#[test]
fn every_entry_has_a_reference_case_or_a_test_here() {
    let called = called();
    let rows: BTreeSet<&str> = elementwise().map(|row| row.name).collect();
    let tested = |name: &str| called.contains(name) || rows.contains(name) || known::NAMES.contains(&name);
    let names = entries().into_iter().map(|entry| entry.name);
    let missing: Vec<&str> = names.filter(|name| !tested(name)).collect();
    assert!(missing.is_empty(), "no reference case, and no test in tests/table/known.rs: {missing:?}");
    let unneeded: Vec<_> = known::NAMES.iter().filter(|name| called.contains(**name)).collect();
    assert!(unneeded.is_empty(), "these have reference cases: {unneeded:?}");
}
