//! What a dry run refuses, and what it leaves alone.

use memory::{DryRun, dry_run};
use retrograd::prelude::*;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The refusal and its line.
fn refused<R>(f: impl FnOnce() -> R) -> String {
    format!("{:#}", attempt(|| dry_run(f)).unwrap_err())
}
/// Whether `text` begins so and names this line.
#[track_caller]
fn names(line: u32, begins: &str, text: &str) {
    assert!(text.starts_with(begins), "{text}");
    assert!(text.contains(&format!("(at tests/dry_refusals.rs:{line}:")), "{line}: {text}");
}

#[test]
fn what_depends_on_values_is_refused_at_its_line() {
    let x = Tensor::from([[1.0f32, -2.0], [3.0, 4.0]]);
    let item = "item: no elements: f32 [] was planned in a dry run, not computed; in a dry run only";
    let text = refused(|| (&x * 2.0).sum(()).item());
    names(line!() - 1, item, &text);
    let text = refused(|| (&x * 2.0).to_vec::<f32>());
    names(line!() - 1, "to_vec: no elements: f32 [2, 2] was planned", &text);
    let text = refused(|| (&x * 2.0).iter::<f32>().count());
    names(line!() - 1, "to_vec: no elements", &text);
    let text = refused(|| x.gt(0.0).nonzero());
    names(line!() - 1, "nonzero: no elements: bool [2, 2]", &text);
    let text = refused(|| x.masked_select(&x.gt(0.0)));
    names(line!() - 1, "masked_select: no elements: bool", &text);
    let text = refused(|| x.at(s![&x.gt(0.0)]));
    names(line!() - 1, "nonzero: no elements: bool", &text);
    let text = refused(|| (&x * 2.0) == x);
    names(line!() - 1, "dry_run: no elements", &text);
    assert_eq!(x.to_vec::<f32>(), [1.0, -2.0, 3.0, 4.0]);
    let mut shown = String::new();
    dry_run(|| shown = format!("{}", (&x * 2.0).force()));
    assert!(shown.starts_with("<planned in a dry run>"), "{shown}");
}

#[test]
fn what_gets_out_cannot_be_read() {
    let x = Tensor::from([1.0f32, 2.0]);
    let mut kept = vec![];
    dry_run(|| kept.extend([(&x * 2.0).force().clone(), &x + 1.0]));
    let refused = |f: &dyn Fn() -> Vec<f32>| format!("{:#}", attempt(f).unwrap_err());
    let text = refused(&|| kept[0].to_vec());
    names(line!() - 1, "to_vec: no elements: f32 [2] was planned in a dry run", &text);
    assert!(text.contains("make it again outside of dry_run"), "{text}");
    let sum = &kept[0] + &x;
    let text = refused(&|| sum.to_vec());
    names(line!() - 1, "dry_run: no elements: f32 [2]", &text);
    let text = refused(&|| kept[0].reshape([1, 2]).matmul(&x).to_vec());
    names(line!() - 1, "dry_run: no elements: f32 [1, 2]", &text);
    // On another thread too.
    let sum = &kept[0] * &x;
    assert!(std::thread::spawn(move || attempt(|| sum.to_vec::<f32>()).is_err()).join().unwrap());
    // What was never planned is an expression like any other.
    assert_eq!(kept[1].to_vec::<f32>(), [2.0, 3.0]);
}

#[test]
fn what_was_there_before_stays() {
    let x = Tensor::from_vec((0..4096).map(|i| i as f32).collect(), [64, 64]);
    let given = x.to_vec::<f32>();
    // A dying operand would be overwritten; the handle that is moved in is its last but for this pending value.
    let before = &x * 1.0;
    let planned = dry_run(move || {
        let y = x + 1.0;
        y.force();
        let z = (y * 2.0).exp();
        z.force().clone()
    });
    // The first result cannot take over what `before` reads; the second takes over the first.
    assert_eq!((planned.peak, planned.programs), (4 * 4096, 2));
    assert_eq!(before.to_vec::<f32>(), given);
    // Pending before: computed, and not counted.
    let pending = &before + 1.0;
    let planned = dry_run(|| (&pending * 2.0).force().clone());
    assert_eq!((planned.peak, planned.programs), (4 * 4096, 1));
    assert_eq!(pending.to_vec::<f32>()[..2], [1.0, 2.0]);
    // Alive before and dropped inside makes room.
    let planned = dry_run(move || {
        drop(before);
        Tensor::from(vec![1.0f32; 1024])
    });
    assert_eq!(planned.peak, 0);
}

#[test]
fn graphs_from_before_are_refused_and_intact() {
    let x = Tensor::from([1.0f64, 2.0]).tracked();
    let loss = x.exp().sum(());
    let line = line!() + 1;
    let text = refused(|| loss.backward());
    assert!(
        text.starts_with("backward: in a dry run, a graph from before: sum at tests/dry_refusals.rs"),
        "{text}"
    );
    assert!(text.contains(&format!("(at tests/dry_refusals.rs:{line}:")), "{text}");
    assert_eq!(loss.backward()[&x], x.exp().detach());
}

#[test]
fn dry_runs_end_with_panics_and_nest() {
    let x = Tensor::from(vec![1.0f32; 1000]);
    assert!(catch_unwind(AssertUnwindSafe(|| dry_run(|| panic!("inside")))).is_err());
    assert_eq!((&x + 1.0).sum(()).item(), 2000.0);
    let mut inner = DryRun::default();
    let outer = dry_run(|| {
        let kept = (&x + 1.0).force().clone();
        inner = dry_run(|| (&kept + &x).force().clone());
        kept
    });
    assert_eq!((inner.peak, outer.peak, outer.programs), (4096, 8192, 2));
    // Positions that are not known are taken to be in range; known ones are checked.
    let far = Tensor::from([1_000_000i64]);
    assert_eq!(dry_run(|| x.index_select(0, &(&far - 5))).calls, 1);
    assert!(refused(|| x.index_select(0, &far)).starts_with("index_select: index out of range"));
}
