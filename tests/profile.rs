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

/// The work of `f` and of the gradient of its sum by `x`.
#[track_caller]
fn counts(f: impl Fn(&Tensor) -> Tensor, x: &Tensor) -> (u64, u64) {
    let x = x.tracked();
    let (name, costs) = profile(|| {
        let y = f(&x);
        y.backward_with(&y.ones_like());
        Tape::of(&f(&x)).lines().last().expect("a line").op
    });
    let spent: Vec<Spent> = costs.lines().into_iter().filter(|line| line.op == name).collect();
    // It ran twice forward.
    let all = |side: fn(&Spent) -> u64| spent.iter().map(side).sum::<u64>();
    (all(|s| s.forward.flops) / 2, all(|s| s.backward.flops))
}

#[test]
fn what_adds_counts_and_what_moves_does_not() {
    let x = F64.randn([5, 4], &mut Rng::new(1));
    let at = Tensor::from([0i64, 2, 2]);
    let lines = F64.ones([3, 4]);
    assert_eq!(counts(|x| x.index_select(0, &at), &x), (0, 12), "the gradient adds lines up");
    assert_eq!(counts(|x| x.index_add(0, &at, &lines), &x).0, 12);
    assert_eq!(counts(|x| x.index_copy(0, &at, &lines), &x).0, 0);
    let places = Tensor::from([[0i64, 1, 1, 3]]);
    assert_eq!(counts(|x| x.gather(0, &places), &x), (0, 4));
    assert_eq!(counts(|x| x.scatter_add(0, &places, F64.ones([1, 4])), &x).0, 4);
    assert_eq!(counts(|x| x.scatter(0, &places, F64.ones([1, 4])), &x).0, 0);
    assert_eq!(counts(|x| x.dropout(0.5, Rng::new(3).reserve(20)), &x), (20, 20));
    let (windows, overlap) = counts(|x| x.unfold(0, 3, 1), &x);
    assert_eq!((windows, overlap), (0, 3 * 3 * 4));
}

#[cfg(feature = "linalg")]
#[test]
fn factorisations_count_what_the_textbooks_say() {
    let matrices = |m: usize, n: usize| F64.randn([2, m, n], &mut Rng::new(2));
    let forward = |f: fn(&Tensor) -> Tensor, x: &Tensor| {
        let costs = profile(|| drop(f(x).force().clone())).1;
        costs.lines().iter().map(|line| line.forward.flops).max().unwrap_or(0)
    };
    let n = 6u64;
    let square = matrices(6, 6);
    let positive = square.matmul(square.mt()) + F64.eye(6);
    positive.force();
    assert_eq!(forward(|x| x.cholesky(), &positive), 2 * n.pow(3) / 3);
    assert_eq!(forward(|x| x.lu_factor().0, &square), 2 * 2 * n.pow(3) / 3);
    assert_eq!(forward(|x| x.eigh().0, &square), 2 * 9 * n.pow(3));
    assert_eq!(forward(|x| x.svdvals(), &square), 2 * 26 * n.pow(3));
    // Tall ones: R, and as much again for Q.
    let tall = matrices(9, 6);
    let r = 2 * 9 * n.pow(2) - 2 * n.pow(3) / 3;
    assert_eq!(forward(|x| x.qr().1, &tall), 2 * 2 * r);
    assert_eq!(forward(|x| x.lu_factor().0, &tall), 2 * r / 2);
    assert_eq!(forward(|x| x.svdvals(), &tall), 2 * (6 * 9 * n.pow(2) + 20 * n.pow(3)));
    assert_eq!(forward(|x| x.svdvals(), &matrices(6, 9)), 2 * (6 * 9 * n.pow(2) + 20 * n.pow(3)));
    assert_eq!(forward(|x| x.qr().1, &matrices(6, 9)), 2 * (2 * n.pow(2) * (9 - 2) + 4 * n.pow(3) / 3));
    // A system is a factorisation and two triangles.
    let right = F64.ones([2, 6, 3]);
    let solved = forward(|x| x.solve_triangular(&F64.ones([2, 6, 3]), true, false), &square);
    assert_eq!(solved, 2 * n.pow(2) * 3);
    let costs = profile(|| drop(square.solve(&right).force().clone())).1;
    let solve = costs.lines().iter().find(|line| line.op == "solve").expect("its line").forward.flops;
    assert!(solve >= 2 * (2 * n.pow(3) / 3 + 2 * n.pow(2) * 3), "{solve}");
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
