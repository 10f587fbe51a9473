//! The NaN recorder and the audit: nothing that is missing or not finite hides.

use retrograd::find_nan;
use retrograd::prelude::*;

fn found(f: impl FnOnce() -> Tensor) -> String {
    format!("{:#}", find_nan(f).unwrap_err())
}

#[test]
fn the_first_operation_forward_is_named_with_its_operands() {
    let x = Tensor::from([[1.0f64, -4.0], [2.0, 0.5]]).tracked();
    let line = line!() + 1;
    let text = found(|| ((&x * 3.0).sqrt() + 1.0).sum(()));
    assert!(text.starts_with("sqrt: makes NaN: 1 of 4 elements, the first at [0, 1]"), "{text}");
    assert!(text.contains("operand 0: f64 [2, 2] from -12 to 6, of mul at tests/watch.rs"), "{text}");
    assert!(text.contains(&format!("(at tests/watch.rs:{line}:")), "{text}");
    assert!(found(|| Tensor::from([1000.0f32]).exp()).starts_with("exp: makes infinity: 1 of 1"));
    assert!(found(|| Tensor::from([3e38f32, 3e38]).sum(())).starts_with("sum: makes infinity"));
}

#[test]
fn a_gradient_rule_is_named_by_its_operation() {
    let x = Tensor::from([0.0f64, 4.0]).tracked();
    let line = line!() + 1;
    let text = found(|| x.sqrt().sum(()).backward()[&x].clone());
    assert!(text.contains("makes infinity: 1 of 2"), "{text}");
    assert!(text.contains(&format!("in the gradient of sqrt (at tests/watch.rs:{line}:")), "{text}");
}

#[test]
fn what_is_given_or_masked_or_handed_on_is_no_find() {
    let x = Tensor::from([f64::NAN, 1.0]);
    assert!(find_nan(|| (&x + 1.0).sum(())).is_ok(), "the NaN was there before");
    let masked = find_nan(|| x.isnan().where_(f64::NEG_INFINITY, &x).softmax(-1)).unwrap();
    assert_eq!(masked.to_vec::<f64>(), [0.0, 1.0]);
    assert!(find_nan(|| Tensor::full([2], f64::INFINITY) * 2.0).is_ok());
    let infinite = Tensor::from([f64::INFINITY]);
    let text = found(|| &infinite - &infinite);
    assert!(text.starts_with("sub: makes NaN") && text.contains("without a finite element"), "{text}");
    assert!(
        find_nan(|| Tensor::from([1.0f32, 2.0]).matmul(Tensor::from([1i64])))
            .unwrap_err()
            .to_string()
            .contains("matmul")
    );
}

#[derive(Module)]
struct Model {
    used: Linear,
    cut: Linear,
    idle: Linear,
    frozen: Linear,
}

#[test]
fn the_audit_tells_reached_from_cut_unused_frozen_and_broken() {
    let mut rng = Rng::new(0);
    let mut layer = || Linear::new(3, 3, &mut rng);
    let mut model = Model { used: layer(), cut: layer(), idle: layer(), frozen: layer() };
    model.frozen.freeze();
    let x = Tensor::ones([2, 3]);
    let h = model.used.forward(&x);
    let through = model.cut.forward(&x).detach();
    let scale = Tensor::from([1.0f32, f32::INFINITY, 1.0]);
    let loss = (h * scale + through + model.frozen.forward(&x)).sum(());
    let audited = audit(&model, &loss.backward());
    let row = |name: &str| audited.rows().iter().find(|r| r.name == name).unwrap();
    assert!(row("used.weight").missing.is_none());
    assert_eq!(row("used.weight").not_finite, 3);
    assert!(row("used.weight").norm > 0.0);
    let text = audited.to_string();
    let line = |name: &str| text.lines().find(|l| l.starts_with(name)).unwrap().to_owned();
    assert!(line("used.bias").contains("1 elements not finite"), "{text}");
    assert!(line("cut.weight").contains("cut by detach at tests/watch.rs"), "{text}");
    assert!(line("idle.bias").contains("not used in this graph"), "{text}");
    assert!(line("frozen.weight").ends_with("frozen"), "{text}");
    let unsound: Vec<&str> = audited.unsound().map(|r| r.name.as_str()).collect();
    assert_eq!(unsound, ["used.weight", "used.bias", "cut.weight", "cut.bias", "idle.weight", "idle.bias"]);
}
