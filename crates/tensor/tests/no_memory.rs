//! More memory than any system has: refused in words, at the line that asked for it, and everything goes on.
use rand_distr::Gamma;
use retrograd_tensor::{
    Error, ErrorKind, F32, F64, I64, Rng, Tensor, attempt, eager, force_all, map_n, memory, with_threads,
};
use std::panic::catch_unwind;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The side of a matrix of `f32` that needs 2^48 bytes, more than processors can address today.
const SIDE: usize = 1 << 23;
const NEEDS: &str = "f32 [8388608, 8388608] needs 281474976710656 bytes (256.0 TiB)";

/// Counters are the process's: one test at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}
/// A column and a row whose sum is too large, neither of which takes memory.
fn sides() -> (Tensor, Tensor) {
    (F32.ones([SIDE, 1]), F32.full([1, SIDE], 2.0))
}
/// What `f` is refused with, for want of memory.
#[track_caller]
fn refused<T>(f: impl FnOnce() -> T) -> Error {
    let live = memory::stats().live;
    let error = attempt(|| drop(f())).expect_err("no system has the memory");
    assert_eq!(error.kind(), ErrorKind::Memory, "{error}");
    assert_eq!(memory::stats().live, live, "memory that was not given is not counted: {error}");
    works();
    error
}
/// The library computes as ever, on several threads too.
#[track_caller]
fn works() {
    let x = Tensor::from_vec((0..70_000).map(|i| i as f32).collect(), [700, 100]);
    let y = with_threads(3, || ((&x + 1.0) * 2.0).sum(1));
    assert_eq!(y.to_vec::<f32>()[1], 2.0 * (100..200).map(|i| i as f32 + 1.0).sum::<f32>());
    assert_eq!(x.t().matmul(&x).shape(), [100, 100]);
}
/// The line of a refusal.
fn line(e: &Error) -> (&str, u32) {
    let place = e.location().expect("a line of ours");
    (place.file(), place.line())
}

#[test]
fn a_lazy_request_is_refused_at_the_line_that_made_it() {
    let _alone = alone();
    let (x, y) = sides();
    let here = line!() + 1;
    let sum = &x + &y;
    let small = &x + 1.0;
    for _ in 0..2 {
        let e = refused(|| sum.force());
        assert_eq!((e.op(), line(&e)), ("add", (file!(), here)));
        assert!(e.detail().starts_with(&format!("no memory: {NEEDS}; ")), "{e}");
    }
    // What is wanted together with it, and what is made of it.
    let both = [&small.narrow(0, 0, 4), &sum];
    refused(|| force_all(&both));
    assert_eq!(both[0].to_vec::<f32>(), [2.0; 4]);
    let e = refused(|| (&sum * 2.0).tanh().to_vec::<f32>());
    assert!(e.detail().contains(NEEDS), "{e}");
    // As a panic its message holds the line, and the panic is catchable.
    let panic = catch_unwind(|| sum.force().numel()).expect_err("refused");
    let message = panic.downcast_ref::<String>().expect("a message");
    assert!(
        message.starts_with("add: no memory") && message.contains(&format!("{}:{here}:", file!())),
        "{message}"
    );
    works();
    // A column of the result is not too large.
    assert_eq!((&x.narrow(0, 0, 3) + &y.narrow(1, 0, 1)).to_vec::<f32>(), [3.0; 3]);
}

#[test]
fn a_call_is_refused_where_it_stands() {
    let _alone = alone();
    let (x, y) = sides();
    let here = line!() + 1;
    let e = refused(|| x.matmul(&y));
    assert_eq!((e.op(), line(&e)), ("matmul", (file!(), here)));
    assert!(e.detail().contains(NEEDS), "{e}");
    assert_eq!(refused(|| Tensor::cat(&[x.expand([SIDE, SIDE]), y.expand([SIDE, SIDE])], 0)).op(), "cat");
    let e = refused(|| F64.zeros([1 << 46]).median(0).0);
    assert_eq!((e.op(), line(&e).0), ("median", file!()));
    assert!(e.detail().contains("f64 [70368744177664] needs 562949953421312 bytes (512.0 TiB)"), "{e}");
    let e = refused(|| F64.zeros([1 << 46]).argmax(0));
    assert_eq!((e.op(), line(&e).0), ("argmax", file!()));
    let mut rng = Rng::new(5);
    assert_eq!(refused(|| F32.rand([1 << 46], &mut rng)).op(), "rand");
    // What was not drawn leaves the stream where it was.
    let (gamma, before) = (Gamma::new(2.0f64, 1.0).expect("a distribution"), rng.state());
    assert_eq!(refused(|| Tensor::sample(gamma, [1 << 46], &mut rng)).op(), "sample");
    assert_eq!(rng.state(), before);
}

#[test]
fn whole_tensors_that_nobody_can_hold() {
    let _alone = alone();
    let e = refused(|| F32.arange(0, 1_i64 << 46, 1));
    assert_eq!((e.op(), line(&e).0), ("arange", file!()));
    assert_eq!(refused(|| F64.arange(0.0, 2f64.powi(46), 1.0)).op(), "arange");
    assert_eq!(refused(|| F32.linspace(0.0, 1.0, 1 << 46)).op(), "linspace");
    assert!(refused(|| F32.eye(SIDE)).detail().contains(NEEDS));
    // Zeros take no memory; a copy of them does.
    let zeros = Tensor::zeros([SIDE, SIDE]);
    assert_eq!(zeros.select(0, 7).narrow(0, 0, 2).to_vec::<f32>(), [0.0; 2]);
    let e = refused(|| zeros.to_vec::<f32>());
    assert_eq!((e.op(), line(&e).0), ("to_vec", file!()));
    assert!(e.detail().contains(NEEDS), "{e}");
    assert!(refused(|| zeros.contiguous().force().clone()).detail().contains(NEEDS));
    assert!(refused(|| zeros.cast(I64).force().clone()).detail().contains("i64 [8388608, 8388608] needs"));
}

#[test]
fn bytes_that_cannot_be_counted() {
    let _alone = alone();
    for (dtype, size, bytes) in
        [(F32, 1_usize << 62, "18446744073709551616"), (F64, 1 << 60, "9223372036854775808")]
    {
        let x = dtype.zeros([size]);
        let e = refused(|| (&x + 1.0).force().clone());
        assert!(e.detail().contains(&format!("{dtype} [{size}] needs {bytes} bytes")), "{e}");
        assert!(refused(|| x.flip(0).contiguous().force().clone()).detail().contains(bytes));
        let planned = attempt(|| memory::dry_run(|| (&x + 1.0).force().clone()));
        assert_eq!(planned.expect_err("no plan for so much").kind(), ErrorKind::Memory);
    }
    // Elements that cannot be counted are refused by the shape, as ever.
    assert_eq!(attempt(|| F32.zeros([usize::MAX])).unwrap_err().kind(), ErrorKind::Shape);
    let long = F32.ones([1 << 40, 1]);
    let e = attempt(|| &long + F32.ones([1, 1 << 40])).unwrap_err();
    assert_eq!((e.op(), e.kind()), ("add", ErrorKind::Shape));
    // A dry run of what can be counted is a plan.
    let (x, y) = sides();
    assert!(memory::dry_run(|| (&x + &y).force().clone()).peak >= 1 << 48);
}

#[test]
fn what_a_reduction_collects() {
    let _alone = alone();
    let [x, y, z] = [[1 << 20, 1, 1], [1, 1 << 20, 1], [1, 1, 1 << 20]].map(|shape| F32.ones(shape));
    let here = line!() + 1;
    let total = map_n([x.into(), y.into(), z.into()], |s| s[0] + s[1] + s[2]).sum(());
    let e = refused(|| total.item());
    assert_eq!((e.op(), line(&e)), ("sum", (file!(), here)));
    assert!(e.detail().contains("f32 [1048576, 1048576, 1048576]"), "{e}");
}

#[test]
fn in_place_operations_leave_what_was_there() {
    let _alone = alone();
    let (mut x, y) = sides();
    refused(|| eager(|| x += &y));
    assert_eq!(x.shape(), [SIDE, 1]);
    assert_eq!(x.narrow(0, 0, 2).to_vec::<f32>(), [1.0, 1.0]);
    let mut z = Tensor::from([1.0f32, 2.0]).exp();
    let outer = z.reshape([2, 1, 1]);
    let mut w = outer.clone();
    refused(|| eager(|| w += &x * &y));
    w += 1.0;
    z += 1.0;
    assert_eq!(w.to_vec::<f32>(), z.to_vec::<f32>());
}
