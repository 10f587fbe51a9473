//! Depth and width: no walk over a graph recurses, so a million operations in a row are recorded, differentiated
//! and dropped on a stack of 2 MiB, and no expression grows without bound.
use retrograd::prelude::*;

/// A million where the code is compiled to be fast.
const LONG: usize = if cfg!(debug_assertions) { 100_000 } else { 1_000_000 };

/// Runs `f` on a thread with a small stack.
fn on_small_stack(f: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(2 << 20).spawn(f).expect("a thread starts");
    if let Err(payload) = thread.join() {
        std::panic::resume_unwind(payload);
    }
}
/// Three operations, of which one saves its operand and one its result; near `x` for small `x`.
fn third(k: usize, x: Tensor, w: &Tensor) -> Tensor {
    match k % 3 {
        0 => x * w,
        1 => x.tanh(),
        _ => x + 0.25,
    }
}

#[test]
fn a_long_chain_forward_backward_and_drop() {
    on_small_stack(|| {
        let x = Tensor::from([0.5f64, -0.25]).tracked();
        let mut y = x.clone();
        for _ in 0..LONG {
            y += 1.0;
        }
        let grads = (&y * &y).sum(()).backward();
        let n = LONG as f64;
        assert_eq!(y.to_vec::<f64>(), [n + 0.5, n - 0.25]);
        assert_eq!(grads[&x].to_vec::<f64>(), [2.0 * n + 1.0, 2.0 * n - 0.5]);
    });
}
#[test]
fn a_long_chain_that_saves() {
    on_small_stack(|| {
        let (x, w) = (Tensor::from([0.5f64, -0.25]).tracked(), Tensor::from([0.5f64, 2.0]).tracked());
        let y = (0..LONG).fold(x.clone(), |y, k| third(k, y, &w));
        let grads = y.sum(()).backward_keep();
        // What the last operations give to `w`, by the same formulas in plain numbers.
        let (mut values, mut v) = (vec![], [0.5f64, -0.25]);
        for k in 0..LONG {
            values.push(v);
            v = [0, 1].map(|i| [v[i] * [0.5, 2.0][i], v[i].tanh(), v[i] + 0.25][k % 3]);
        }
        let (mut g, mut want) = ([1.0f64; 2], [0.0f64; 2]);
        for (k, v) in values.iter().enumerate().rev() {
            for i in 0..2 {
                match k % 3 {
                    0 => {
                        want[i] += g[i] * v[i];
                        g[i] *= [0.5, 2.0][i];
                    }
                    1 => g[i] *= 1.0 - v[i].tanh().powi(2),
                    _ => {}
                }
            }
        }
        let got = grads[&w].to_vec::<f64>();
        assert!(
            (0..2).all(|i| (got[i] - want[i]).abs() < 1e-9 * want[i].abs()),
            "{got:?}, expected {want:?}"
        );
        // The tape is still whole: it is dropped from here, last operation first.
        drop(y);
    });
}
#[test]
fn a_long_chain_with_every_handle_kept() {
    on_small_stack(|| {
        let n = LONG / 2;
        let (x, w) = (Tensor::from([0.5f64, -0.25]).tracked(), Tensor::from([0.5f64, 2.0]).tracked());
        let mut kept = vec![x.clone()];
        for k in 0..n {
            let next = third(k, kept[k].clone(), &w);
            kept.push(next);
        }
        let grads = kept[n].sum(()).backward();
        assert!(grads[&w].iter::<f64>().all(f64::is_finite));
        // From the middle outwards: some handles end before their producers', some after.
        let tail = kept.split_off(n / 2);
        drop(tail);
        kept.reverse();
        drop(kept);
    });
}
#[test]
fn a_long_chain_of_lazy_values() {
    on_small_stack(|| {
        let y = (0..LONG).fold(Tensor::from([0.5f64]), |y, _| y + 1.0);
        assert_eq!(y.item(), LONG as f64 + 0.5);
        let y = (0..LONG).fold(Tensor::from([0.5f32; 6]), |y, k| {
            if k % 2 == 0 { y.reshape([2, 3]) } else { y.reshape([6]) }
        });
        assert_eq!(y.to_vec::<f32>(), [0.5; 6]);
        let y = (0..LONG / 10)
            .fold(Tensor::from([0.5f32; 6]) * 2.0, |y, _| y.reshape([2, 3]).cast(F64).cast(F32));
        assert_eq!(y.to_vec::<f32>(), [1.0; 6]);
    });
}
#[test]
fn pending_values_are_dropped_in_any_order() {
    on_small_stack(|| {
        let x = Tensor::from([1.0f32, 2.0, 3.0]);
        let mut all = vec![&x * 1.0];
        for k in 0..LONG {
            let next = &all[k] * 0.5 + &all[k / 2];
            all.push(next);
        }
        let last = all.pop();
        all.truncate(LONG / 2);
        drop(all);
        drop(last);
    });
}
#[test]
fn a_chain_whose_marks_outlive_it() {
    // A comparison of tracked values marks where gradients end, and remembers what it cut off for the message.
    on_small_stack(|| {
        let x = Tensor::from([0.5f64, -0.25]).tracked();
        let mut marks = vec![];
        let mut y = x.clone();
        for _ in 0..LONG / 2 {
            marks.push(y.gt(0.0));
            y += 1.0;
        }
        drop(x);
        drop(y);
        assert_eq!(marks[0].to_vec::<bool>(), [true, false]);
    });
}

#[test]
fn squares_of_squares() {
    let x = Tensor::from([1.0f64, -1.0]).tracked();
    let y = (0..30).fold(x.clone(), |y, _| &y * &y);
    let grads = y.sum(()).backward();
    assert_eq!(y.to_vec::<f64>(), [1.0, 1.0]);
    let power = f64::from(1 << 30);
    assert_eq!(grads[&x].to_vec::<f64>(), [power, -power]);

    // Each value has two paths to the one before: an expression of shared parts must not count, or run, twice.
    let y = (0..LONG / 10).fold(Tensor::from([1.0f32; 3]), |y, _| &y * &y);
    assert_eq!(y.to_vec::<f32>(), [1.0; 3]);
    let y = (0..LONG / 10).fold(Tensor::from([0.5f64; 3]).tracked(), |y, _| (y.sin() + y.cos()) * 0.5);
    assert!(y.sum(()).backward().iter().all(|(_, g)| g.iter::<f64>().all(f64::is_finite)));
}
#[test]
fn one_operand_of_very_many() {
    on_small_stack(|| {
        let n = LONG / 10;
        let x = Tensor::from([0.5f64, -0.25]).tracked();
        let mut sum = Tensor::from(0.0f64);
        for k in 0..n {
            sum += &x * (k % 7) as f64;
        }
        let total: usize = (0..n).map(|k| k % 7).sum();
        let grads = sum.sum(()).backward();
        assert_eq!(grads[&x].to_vec::<f64>(), [total as f64; 2]);
    });
}
#[test]
fn very_many_operands_of_one() {
    on_small_stack(|| {
        let n = LONG / 50;
        let leaves: Vec<Tensor> = (0..n).map(|k| Tensor::from([k as f64, 1.0]).tracked()).collect();
        let rows: Vec<Tensor> = leaves.iter().map(|x| x.square()).collect();
        let whole = stack(&rows, 0);
        drop(rows);
        let grads = whole.sum(()).backward();
        assert_eq!(grads.len(), n);
        assert!(leaves.iter().enumerate().all(|(k, x)| grads[x].to_vec::<f64>() == [2.0 * k as f64, 2.0]));
        let everything: Vec<&Tensor> = leaves.iter().collect();
        force_all(&everything);
    });
}
#[test]
fn thousands_of_values_demanded_at_once() {
    let x = Tensor::from([1.0f32, 2.0]);
    let values: Vec<Tensor> = (0..20_000).map(|k| &x + k as f32).collect();
    force_all(&values.iter().collect::<Vec<_>>());
    assert!(values.iter().enumerate().all(|(k, v)| v.to_vec::<f32>() == [1.0 + k as f32, 2.0 + k as f32]));
}
