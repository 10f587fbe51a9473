//! The profile: whose work is counted where.

use retrograd::prelude::*;
use retrograd::{Spent, profile};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

fn of(lines: &[Spent], op: &str, line: u32) -> Spent {
    let here = |l: &&Spent| l.op == op && l.at.line() == line && l.at.file() == file!();
    *lines.iter().find(here).unwrap_or_else(|| panic!("{op} at {line} in {lines:#?}"))
}

#[test]
fn products_and_convolutions_count_forward_and_backward() {
    let rng = &mut Rng::new(0);
    let (x, w) = (Tensor::randn([8, 16], rng).tracked(), Tensor::randn([16, 32], rng).tracked());
    let (image, taps) =
        (Tensor::randn([2, 4, 9, 9], rng).tracked(), Tensor::randn([6, 2, 3, 3], rng).tracked());
    let line = line!() + 2;
    let (_, costs) = profile(|| {
        let y = x.matmul(&w).sum(());
        let z = image.conv2d(&taps, None, Conv::new().groups(2)).sum(());
        (y + z).backward()
    });
    let lines = costs.lines();
    let product = of(&lines, "matmul", line);
    assert_eq!((product.forward.flops, product.backward.flops), (2 * 8 * 16 * 32, 2 * 2 * 8 * 16 * 32));
    assert_eq!(product.forward.bytes, 4 * (8 * 16 + 16 * 32 + 8 * 32));
    let conv = of(&lines, "conv2d", line + 1);
    let once = 2 * (2 * 6 * 7 * 7) * 2 * 3 * 3;
    assert_eq!((conv.forward.flops, conv.backward.flops), (once, 2 * once));
    assert_eq!(of(&lines, "sum", line).forward.flops, 8 * 32);
    assert!(lines.iter().all(|l| l.backward.flops == 0 || l.at.file() == file!()), "{lines:#?}");
    let spent: Duration = lines.iter().map(|l| l.forward.time + l.backward.time).sum();
    assert!(spent > Duration::ZERO && spent + costs.other().time <= costs.total);
}

#[test]
fn one_program_is_shared_out_to_its_operations() {
    let x = Tensor::from_vec(vec![0.5f32; 1 << 16], [256, 256]);
    let (w, first) = (&x + 1.0, line!() + 2);
    let (_, costs) = profile(|| {
        let y = x.tanh();
        let y = (y * &w).sum(1);
        drop(y.force().clone());
    });
    let lines = costs.lines();
    let (tanh, mul) = (of(&lines, "tanh", first), of(&lines, "mul", first + 1));
    let sum = of(&lines, "sum", first + 1);
    let n = 1 << 16;
    assert_eq!([tanh, mul, sum].map(|l| l.forward.flops), [n, n, n]);
    // Values between them are never written. `w` is made in the same pass, reads `x` first, and belongs to nobody here.
    assert_eq!([tanh, mul, sum].map(|l| l.forward.bytes), [0, 0, 4 * 256]);
    assert_eq!((costs.other().flops, costs.other().bytes), (n, 2 * 4 * n));
    assert_eq!(tanh.forward.time, mul.forward.time);
    assert_eq!(tanh.backward, Default::default());
}

#[test]
fn a_composed_operation_is_one_and_loops_add_up() {
    let x = Tensor::from_vec(vec![0.5f32; 64], [8, 8]).tracked();
    let line = line!() + 2;
    let (tape, costs) = profile(|| {
        let product = |y: Tensor, _| y.matmul(&x);
        let y = (0..3).fold(x.clone(), product).softmax(1).sum(());
        let tape = Tape::of(&y);
        y.backward();
        tape
    });
    let all = of(&costs.lines(), "matmul", line);
    // Four cotangents of `x` are added up by the rules that they come from.
    assert_eq!((all.forward.flops, all.backward.flops), (3 * 1024, 6 * 1024 + 3 * 64));
    let tape = tape.profiled(&costs);
    let each: Vec<_> = tape.lines().iter().filter(|l| l.op == "matmul").collect();
    assert_eq!(each.len(), 3);
    assert!(each.iter().all(|l| l.forward.unwrap().flops == 1024 && l.backward.unwrap().flops >= 2048));
    let page = tape.html("loop");
    assert!(page.contains("<td class=\"n\">1.0 k</td>") && page.contains("tests/profile.rs:"));
    assert!(tape.lines()[0].forward.is_none(), "a leaf costs nothing");
}

#[test]
fn it_ends_with_its_scope_and_nests() {
    let x = Tensor::from([1.0f32, 2.0]);
    let stops = || profile(|| panic!("inside"));
    assert!(catch_unwind(AssertUnwindSafe(stops)).is_err());
    let (inner, outer) = profile(|| {
        drop((&x + 1.0).force().clone());
        profile(|| drop((&x * 2.0).force().clone())).1
    });
    let ops = |p: &retrograd::Profile| {
        let mut ops: Vec<_> = p.lines().iter().map(|l| l.op).collect();
        ops.sort_unstable();
        ops
    };
    assert_eq!((ops(&inner), ops(&outer)), (vec!["mul"], vec!["add", "mul"]));
    let (_, empty) = profile(|| ());
    assert!(empty.lines().is_empty() && empty.to_string().contains("in all"));
    assert_eq!((&x + 1.0).to_vec::<f32>(), [2.0, 3.0]);
}
