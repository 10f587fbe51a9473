//! Linear algebra: identities on random matrices of all shapes, failures as errors, gradients by differences.
#![cfg(feature = "linalg")]

use retrograd::prelude::*;
use retrograd::{ErrorKind, MatrixNorm, attempt, grad_recorded, vmap};

/// Leading axes and both sizes: none, empty, one, tall, wide, batches.
const SHAPES: &[(&[usize], usize, usize)] = &[
    (&[], 1, 1),
    (&[], 0, 0),
    (&[], 3, 0),
    (&[], 0, 2),
    (&[], 5, 5),
    (&[], 7, 3),
    (&[], 3, 8),
    (&[], 40, 33),
    (&[0], 2, 2),
    (&[2, 3], 4, 4),
    (&[3], 6, 2),
    (&[2], 1, 4),
];
fn square() -> impl Iterator<Item = (&'static [usize], usize)> {
    SHAPES.iter().filter(|s| s.1 == s.2).map(|s| (s.0, s.1)).chain([(&[][..], 150)])
}
fn seeded(lead: &[usize], m: usize, n: usize, seed: u64) -> Tensor {
    let shape: Shape = lead.iter().chain(&[m, n]).copied().collect();
    F64.randn(shape, &mut Rng::new(seed))
}
/// Symmetric positive definite.
fn positive(lead: &[usize], n: usize, seed: u64) -> Tensor {
    let x = seeded(lead, n, n, seed);
    x.matmul(x.mt()) + F64.eye(n)
}
fn eye_like(x: &Tensor) -> Tensor {
    F64.eye(x.size(-1)).broadcast_to(x.shape())
}
#[track_caller]
fn close(a: &Tensor, b: &Tensor, bar: f64) {
    assert_eq!(a.shape(), b.shape());
    let far = (a - b).abs().to_vec::<f64>().into_iter().fold(0.0, f64::max);
    let size = b.abs().to_vec::<f64>().into_iter().fold(1.0, f64::max);
    assert!(far <= bar * size, "differ by {far}: {a:?} and {b:?}");
}

#[test]
fn inverses_and_systems() {
    for (lead, n) in square() {
        let a = seeded(lead, n, n, 1);
        close(&a.matmul(a.inv()), &eye_like(&a), 1e-9);
        let b = seeded(lead, n, 3, 2);
        close(&a.matmul(a.solve(&b)), &b, 1e-9);
        let (lu, order) = a.lu_factor();
        close(&lu.lu_solve(&order, &b), &a.solve(&b), 1e-12);
        let column = seeded(lead, n, 1, 3);
        let vector = column.squeeze(-1);
        close(&a.solve(&vector).unsqueeze(-1), &a.solve(&column), 0.0);
        let p = positive(lead, n, 4);
        close(&p.matmul(p.cholesky().cholesky_solve(&b)), &b, 1e-9);
        close(&p.matmul(p.cholesky().cholesky_inverse()), &eye_like(&p), 1e-9);
    }
    // Leading axes broadcast.
    let (a, b) = (seeded(&[2, 1], 3, 3, 5), seeded(&[4], 3, 2, 6));
    close(&a.matmul(a.solve(&b)), &b.broadcast_to([2, 4, 3, 2]), 1e-10);
}

#[test]
fn triangular_systems_read_one_triangle() {
    for (lead, n) in square() {
        let (a, b) =
            (seeded(lead, n, n, 1) * 0.2 + eye_like(&seeded(lead, n, n, 1)) * 2.0, seeded(lead, n, 2, 2));
        close(&a.triu(0).matmul(a.solve_triangular(&b, true, false)), &b, 1e-9);
        close(&a.tril(0).matmul(a.solve_triangular(&b, false, false)), &b, 1e-9);
        if n < 100 {
            let unit = a.tril(-1) + eye_like(&a);
            close(&unit.matmul(a.solve_triangular(&b, false, true)), &b, 1e-9);
            let unit = a.triu(1) + eye_like(&a);
            close(&unit.matmul(a.solve_triangular(&b, true, true)), &b, 1e-9);
        }
    }
}

#[test]
fn factors_multiply_to_the_matrix() {
    for &(lead, m, n) in SHAPES.iter().chain(&[(&[][..], 150, 130), (&[][..], 60, 200)]) {
        let (a, k) = (seeded(lead, m, n, 1), m.min(n));
        let unit = F64.eye(k);
        let (q, r) = a.qr();
        close(&q.matmul(&r), &a, 1e-13);
        close(&q.mt().matmul(&q), &unit.broadcast_to(q.mt().matmul(&q).shape()), 1e-13);
        close(&r.tril(-1), &r.zeros_like(), 0.0);
        assert!(r.diagonal(0, -2, -1).to_vec::<f64>().iter().all(|&d| d > 0.0));
        let (u, s, vt) = a.svd();
        close(&(&u * s.unsqueeze(-2)).matmul(&vt), &a, 1e-13);
        close(&u.mt().matmul(&u), &unit.broadcast_to(u.mt().matmul(&u).shape()), 1e-13);
        close(&vt.matmul(vt.mt()), &unit.broadcast_to(u.mt().matmul(&u).shape()), 1e-13);
        close(&s.sort(-1, true).0, &s, 0.0);
        close(&a.svdvals(), &s, 0.0);
        let (p, l, u) = a.lu();
        close(&p.matmul(&l).matmul(&u), &a, 1e-13);
        close(&l.triu(1), &l.zeros_like(), 0.0);
        close(&u.tril(-1), &u.zeros_like(), 0.0);
    }
    for (lead, n) in square() {
        let a = positive(lead, n, 2);
        let l = a.cholesky();
        close(&l.matmul(l.mt()), &a, 1e-13);
        let (w, v) = a.eigh();
        close(&(&v * w.unsqueeze(-2)).matmul(v.mt()), &a, 1e-12);
        close(&w.sort(-1, false).0, &w, 0.0);
        close(&a.eigvalsh(), &w, 0.0);
        // The upper triangle is not read.
        close(&(a.tril(0) + seeded(lead, n, n, 3).triu(1)).eigvalsh(), &w, 1e-12);
        close(&(a.tril(0) + seeded(lead, n, n, 3).triu(1)).cholesky(), &l, 1e-13);
    }
}

#[test]
fn full_singular_vectors_are_bases() {
    for &(lead, m, n) in SHAPES {
        let (a, k) = (seeded(lead, m, n, 1), m.min(n));
        let ((u, s, vt), (thin_u, thin_s, thin_vt)) = (a.svd_full(), a.svd());
        for (basis, size) in [(&u, m), (&vt, n)] {
            assert_eq!(basis.shape()[lead.len()..], [size, size]);
            close(&basis.matmul(basis.mt()), &F64.eye(size).broadcast_to(basis.shape()), 1e-13);
        }
        close(&u.narrow(-1, 0, k), &thin_u, 0.0);
        close(&vt.narrow(-2, 0, k), &thin_vt, 0.0);
        close(&s, &thin_s, 0.0);
        // Beyond the values there is nothing.
        let image = u.mt().matmul(&a).matmul(vt.mt());
        close(&image.narrow(-2, k, m - k), &F64.zeros(image.narrow(-2, k, m - k).shape()), 1e-12);
        close(&image.narrow(-1, k, n - k), &F64.zeros(image.narrow(-1, k, n - k).shape()), 1e-12);
    }
    assert!(Tensor::from([[f64::NAN]]).try_svd_full().is_err());
    let rows = seeded(&[3], 4, 2, 5);
    let each = vmap(|x| x[0].svd_full().0, &[&rows]);
    close(&each, &rows.svd_full().0, 0.0);
}

#[test]
fn least_squares_say_what_is_left() {
    for &(lead, m, n) in SHAPES {
        let (a, b) = (seeded(lead, m, n, 1), seeded(lead, m, 2, 2));
        let fit = a.lstsq_full(&b, None);
        close(&fit.solution, &a.lstsq(&b, None), 0.0);
        close(&fit.residuals, &(a.matmul(&fit.solution) - &b).square().sum(-2), 0.0);
        assert_eq!(fit.rank.to_vec::<i64>(), a.matrix_rank(None).to_vec::<i64>());
        assert_eq!(fit.rank.shape()[..], *lead);
    }
    // A line through three points, and two matrices for one list, the second of rank 1.
    let a = Tensor::from([[[1.0f64, 0.0], [1.0, 1.0], [1.0, 2.0]], [[1.0, 2.0], [1.0, 2.0], [1.0, 2.0]]]);
    let b = Tensor::from([0.0f64, 3.0, 0.0]);
    let fit = a.lstsq_full(&b, None);
    close(&fit.solution, &Tensor::from([[1.0f64, 0.0], [0.2, 0.4]]), 1e-14);
    close(&fit.residuals, &Tensor::from([6.0f64, 6.0]), 1e-14);
    assert_eq!(fit.rank.to_vec::<i64>(), [2, 1]);
    assert_eq!(a.select(0, 0).lstsq_full(&b, Some(0.9)).rank.item(), 1.0);
    assert!(Tensor::from([[f64::NAN]]).try_lstsq_full(&b.narrow(0, 0, 1), None).is_err());
    let each = vmap(|x| x[0].lstsq_full(&b, None).residuals, &[&a]);
    close(&each, &fit.residuals, 1e-14);
    let rank = a.tracked().lstsq_full(&b, None).rank;
    assert!(!rank.is_tracked());
}

#[test]
fn equal_and_vanishing_values() {
    for x in [F64.eye(4), F64.zeros([3, 4]), F64.ones([5, 2]), F64.eye(150)] {
        let (u, s, vt) = x.svd();
        close(&(&u * s.unsqueeze(-2)).matmul(&vt), &x, 1e-13);
        close(&u.mt().matmul(&u), &F64.eye(s.numel()), 1e-13);
        close(&vt.matmul(vt.mt()), &F64.eye(s.numel()), 1e-13);
        // The values alone have a finite gradient everywhere, though the vectors are a choice.
        let leaf = x.tracked();
        let dx = grad(&leaf.svdvals().sum(()), &[&leaf]).swap_remove(0);
        close(&dx, &u.matmul(&vt), 1e-12);
    }
    let leaf = F64.eye(3).tracked();
    let dx = grad(&leaf.eigvalsh().sum(()), &[&leaf]).swap_remove(0);
    close(&dx, &F64.eye(3), 1e-13);
    // What depends on the choice has none, and says so.
    let (w, v) = leaf.eigh();
    let of_vectors = grad(&(w.sum(()) + (v * seeded(&[], 3, 3, 1)).sum(())), &[&leaf]).swap_remove(0);
    assert!(of_vectors.to_vec::<f64>().iter().any(|d| !d.is_finite()));
}

#[test]
fn pseudoinverses_least_squares_and_ranks() {
    for &(lead, m, n) in SHAPES {
        let a = seeded(lead, m, n, 1);
        let p = a.pinv(None);
        close(&a.matmul(&p).matmul(&a), &a, 1e-12);
        close(&p.matmul(&a).matmul(&p), &p, 1e-12);
        close(&a.matmul(&p), &a.matmul(&p).mt(), 1e-12);
        close(&p.matmul(&a), &p.matmul(&a).mt(), 1e-12);
        // The residual is orthogonal to the columns.
        let b = seeded(lead, m, 2, 2);
        let x = a.lstsq(&b, None);
        close(&a.mt().matmul(a.matmul(&x) - &b), &x.zeros_like(), 1e-11);
        assert!(a.matrix_rank(None).to_vec::<i64>().iter().all(|&r| r == m.min(n) as i64));
    }
    let low = seeded(&[], 6, 2, 3).matmul(seeded(&[], 2, 5, 4));
    assert_eq!(low.matrix_rank(None).item(), 2.0);
    close(&low.matmul(low.pinv(None)).matmul(&low), &low, 1e-12);
}

#[test]
fn determinants() {
    for (lead, n) in square().filter(|s| s.1 < 100) {
        let a = seeded(lead, n, n, 1);
        let (sign, log) = a.slogdet();
        close(&(&sign * log.exp()), &a.det(), 1e-11);
        let b = seeded(lead, n, n, 2);
        close(&a.matmul(&b).det(), &(a.det() * b.det()), 1e-9);
        // An exchange of two rows changes the sign.
        if n > 1 {
            close(&a.flip(-2).det().abs(), &a.det().abs(), 1e-11);
            let swapped = cat(&[a.narrow(-2, 1, 1), a.narrow(-2, 0, 1), a.narrow(-2, 2, n - 2)], -2);
            close(&swapped.det(), &-a.det(), 1e-11);
        }
    }
    let singular = Tensor::from([[1.0f64, 2.0], [2.0, 4.0]]).tracked();
    assert_eq!(singular.det().item(), 0.0);
    let cofactors = grad(&singular.det(), &[&singular]).swap_remove(0);
    close(&cofactors, &Tensor::from([[4.0f64, -2.0], [-2.0, 1.0]]), 1e-13);
    let (sign, log) = singular.slogdet();
    assert_eq!((sign.item(), log.item()), (0.0, f64::NEG_INFINITY));
    assert!(Tensor::from([[f64::NAN, 1.0], [1.0, 1.0]]).det().item().is_nan());
}

#[test]
fn exponentials_and_powers() {
    for (lead, n) in square().filter(|s| s.1 < 100) {
        let a = seeded(lead, n, n, 1);
        close(&a.matrix_exp().matmul((-&a).matrix_exp()), &eye_like(&a), 1e-10);
        close(&(&a * 30.0).matrix_exp(), &(&a * 15.0).matrix_exp().matrix_power(2), 1e-9);
        close(&a.matrix_power(0), &eye_like(&a), 0.0);
        close(&a.matrix_power(5), &a.matmul(&a).matmul(&a).matmul(&a).matmul(&a), 1e-13);
        close(&a.matrix_power(-3), &a.inv().matrix_power(3), 1e-12);
    }
    // Of a symmetric matrix, from its eigenvalues; one that is large beside one that is small.
    let a = seeded(&[2], 4, 4, 2) * Tensor::from([1e-3f64, 8.0]).reshape([2, 1, 1]);
    let a = &a + a.mt();
    let (w, v) = a.eigh();
    let y = (&v * w.exp().unsqueeze(-2)).matmul(v.mt());
    close(&a.matrix_exp().select(0, 0), &y.select(0, 0), 1e-13);
    close(&a.matrix_exp().select(0, 1), &y.select(0, 1), 1e-11);
    close(&a.matrix_exp().select(0, 0), &a.select(0, 0).matrix_exp(), 0.0);
    let single = a.cast(F32).matrix_exp().select(0, 0).cast(F64);
    close(&single, &y.select(0, 0), 1e-6);
}

#[test]
fn norms_and_condition_numbers() {
    use MatrixNorm::{Frobenius, Infinity, LeastInfinity, LeastOne, LeastTwo, Nuclear, One, Two};
    let a = seeded(&[2], 4, 3, 1);
    let s = a.svdvals();
    close(&a.matrix_norm(Frobenius), &s.square().sum(-1).sqrt(), 1e-13);
    close(&a.matrix_norm(Nuclear), &s.sum(-1), 0.0);
    close(&a.matrix_norm(Two), &s.select(-1, 0), 0.0);
    close(&a.matrix_norm(LeastTwo), &s.select(-1, 2), 0.0);
    close(&a.matrix_norm(One), &a.mt().matrix_norm(Infinity), 1e-15);
    close(&a.matrix_norm(LeastOne), &a.mt().matrix_norm(LeastInfinity), 1e-15);
    let b = Tensor::from([[[2.0f64, 0.0], [0.0, 5.0]], [[1.0, 1.0], [1.0, 1.0]]]);
    assert_eq!(b.cond(One).to_vec::<f64>(), [2.5, f64::INFINITY]);
    assert_eq!(b.cond(Two).select(0, 0).item(), 2.5);
}

#[test]
fn failures_are_errors_that_name_the_matrix() {
    let bad = Tensor::from([[[1.0f64, 0.0], [0.0, 1.0]], [[1.0, 2.0], [2.0, 4.0]]]);
    let e = bad.try_inv().unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Numeric);
    assert!(e.to_string().starts_with("inv: singular: matrix [1] of a batch [2]; "), "{e}");
    assert!(
        bad.try_solve(&Tensor::ones([2]).cast(F64)).unwrap_err().to_string().starts_with("solve: singular")
    );
    let negative = bad.reshape([1, 2, 2, 2]) - F64.eye(2) * 0.5;
    let e = negative.try_cholesky().unwrap_err();
    assert!(
        e.to_string().starts_with("cholesky: not positive definite: matrix [0, 1] of a batch [1, 2]; "),
        "{e}"
    );
    let nan = Tensor::from([[1.0f64, f64::NAN], [0.0, 1.0]]);
    let errors = [
        nan.try_inv().unwrap_err(),
        nan.try_cholesky().unwrap_err(),
        nan.try_qr().unwrap_err(),
        nan.try_svd().unwrap_err(),
        nan.try_eigh().unwrap_err(),
        nan.try_lstsq(&F64.ones([2, 1]), None).unwrap_err(),
        nan.try_solve(&F64.ones([2, 1])).unwrap_err(),
    ];
    for e in errors {
        assert!(e.detail().starts_with("not finite: the matrix has NaN or infinite elements"), "{e}");
        assert_eq!(e.location().map(std::panic::Location::file), Some(file!()));
    }
    // The plain form raises the same, here.
    let line = line!() + 1;
    let e = attempt(|| bad.inv()).unwrap_err();
    assert_eq!(
        (e.kind(), e.location().map(|at| (at.file(), at.line()))),
        (ErrorKind::Numeric, Some((file!(), line)))
    );
    // Under `vmap`, where the batch is not to be seen.
    let e = attempt(|| vmap(|x| x[0].inv(), &[&bad])).unwrap_err();
    assert!(e.to_string().starts_with("inv: singular: matrix [1] of a batch [2]"), "{e}");
}

#[test]
fn misuse_is_refused() {
    type Call = fn(&Tensor) -> Tensor;
    let calls: [(&str, Call); 8] = [
        ("inv", Tensor::inv),
        ("det", Tensor::det),
        ("cholesky", Tensor::cholesky),
        ("eigvalsh", Tensor::eigvalsh),
        ("matrix_exp", Tensor::matrix_exp),
        ("slogdet", Tensor::logabsdet),
        ("matrix_power", |x| x.matrix_power(2)),
        ("solve", |x| x.solve(x)),
    ];
    for (name, call) in calls {
        let e = attempt(|| call(&F64.ones([2, 3]))).unwrap_err();
        assert_eq!(
            e.to_string(),
            format!("{name}: not square: shape [2, 3]; the last two sizes must be equal")
        );
        let e = attempt(|| call(&F64.ones([3]))).unwrap_err();
        assert_eq!(e.to_string(), format!("{name}: not a matrix: shape [3]; it takes at least two axes"));
        let e = attempt(|| call(&F16.ones([3, 3]))).unwrap_err();
        assert_eq!(e.kind(), ErrorKind::Dtype);
    }
    let e = attempt(|| F64.eye(3).solve(&F64.ones([2, 1]))).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Shape);
    let e = attempt(|| F64.eye(3).solve(&F32.ones([3, 1]))).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Shape);
}

/// Compares first and second gradients of `f` at `x` with central differences along random directions.
#[track_caller]
fn differentiates(f: impl Fn(&Tensor) -> Tensor, x: &Tensor, bar: f64) {
    // The square keeps gradients of linear functions from being constants.
    let f = |x: &Tensor| f(x) + x.square().sum(());
    let seed = F64.randn(x.shape(), &mut Rng::new(91));
    let first = |x: &Tensor| {
        let leaf = x.tracked();
        grad(&f(&leaf), &[&leaf]).swap_remove(0)
    };
    let leaf = x.tracked();
    let along = (&grad_recorded(&f(&leaf), &[&leaf])[0] * &seed).sum(());
    let second = grad(&along, &[&leaf]).swap_remove(0);
    for k in 0..3 {
        let direction = F64.randn(x.shape(), &mut Rng::new(100 + k));
        let h = 1e-5;
        let (up, down) = (x + &direction * h, x - &direction * h);
        let want = (f(&up) - f(&down)).item() / (2.0 * h);
        let got = (first(x) * &direction).sum(()).item();
        assert!((got - want).abs() <= bar * (1.0 + want.abs()), "first: {got}, by differences {want}");
        let want = ((first(&up) - first(&down)) * &seed).sum(()).item() / (2.0 * h);
        let got = (&second * &direction).sum(()).item();
        assert!(
            (got - want).abs() <= 10.0 * bar * (1.0 + want.abs()),
            "second: {got}, by differences {want}"
        );
    }
}
/// The sum of all outputs, each element with a weight of its own.
fn total(outputs: &[&Tensor]) -> Tensor {
    let weighted = |(i, y): (usize, &&Tensor)| (*y * F64.randn(y.shape(), &mut Rng::new(i as u64))).sum(());
    outputs.iter().enumerate().map(weighted).reduce(|a, b| a + b).expect("outputs")
}

#[test]
fn gradients_of_factorisations() {
    for &(lead, m, n) in &[(&[][..], 1, 1), (&[], 4, 4), (&[], 5, 3), (&[], 3, 5), (&[2], 4, 2), (&[2], 2, 4)]
    {
        let x = seeded(lead, m, n, 8);
        let pair = |(a, b): (Tensor, Tensor)| total(&[&a, &b]);
        let triple = |(a, b, c): (Tensor, Tensor, Tensor)| total(&[&a, &b, &c]);
        differentiates(|x| pair(x.qr()), &x, 1e-5);
        differentiates(|x| triple(x.svd()), &x, 1e-5);
        differentiates(|x| total(&[&x.svdvals()]), &x, 1e-5);
        differentiates(|x| triple(x.lu()), &x, 1e-5);
        differentiates(|x| total(&[&x.pinv(None)]), &x, 1e-5);
        let full = |x: &Tensor| {
            let ((u, s, vt), k) = (x.svd_full(), m.min(n));
            let (first, rest) = (u.narrow(-1, 0, k), u.narrow(-1, k, m - k));
            // Of the vectors to no value only the span is determined.
            total(&[&first, &rest.matmul(rest.mt()), &s, &vt.narrow(-2, 0, k)])
        };
        differentiates(full, &x, 1e-5);
        let b = seeded(lead, m, 2, 9);
        let left = |x: &Tensor, b: &Tensor| total(&[&x.lstsq_full(b, None).residuals]);
        differentiates(|x| left(x, &b), &x, 1e-5);
        differentiates(|b| left(&x, b), &b, 1e-5);
        differentiates(|x| total(&[&x.lstsq(&b, None)]), &x, 1e-5);
        differentiates(|b| total(&[&x.lstsq(b, None)]), &b, 1e-5);
    }
    for &(lead, n) in &[(&[][..], 1), (&[], 4), (&[2], 3)] {
        let x = seeded(lead, n, n, 8);
        let symmetric = |x: &Tensor| (x + x.mt()) * 0.5;
        let eigen = |x: &Tensor| {
            let (w, v) = symmetric(x).eigh();
            total(&[&w, &v])
        };
        differentiates(eigen, &x, 1e-5);
        differentiates(|x| total(&[&(symmetric(x) + F64.eye(n) * 9.0).cholesky()]), &x, 1e-5);
    }
}

#[test]
fn the_gradient_of_a_cholesky_factor_is_symmetric() {
    for (lead, n) in square() {
        let a = positive(lead, n, 2).tracked();
        let l = a.cholesky();
        let g = grad(&(&l * seeded(lead, n, n, 5)).sum(()), &[&a]).remove(0);
        close(&g, &g.mt(), 0.0);
    }
}

#[test]
fn gradients_of_systems_and_functions() {
    for &(lead, n) in &[(&[][..], 1), (&[], 4), (&[2], 3)] {
        let x = seeded(lead, n, n, 18) + F64.eye(n) * 2.0;
        let b = seeded(lead, n, 2, 9);
        differentiates(|x| total(&[&x.inv()]), &x, 1e-5);
        differentiates(|x| total(&[&x.det()]), &x, 1e-5);
        differentiates(|x| total(&[&x.logabsdet()]), &x, 1e-5);
        differentiates(|x| total(&[&x.matrix_exp()]), &x, 1e-5);
        differentiates(|x| total(&[&x.solve(&b)]), &x, 1e-5);
        differentiates(|b| total(&[&x.solve(b)]), &b, 1e-5);
        for (upper, unit) in [(true, false), (false, false), (true, true), (false, true)] {
            differentiates(|x| total(&[&x.solve_triangular(&b, upper, unit)]), &x, 1e-5);
        }
        differentiates(|b| total(&[&x.solve_triangular(b, true, false)]), &b, 1e-5);
        let through_factors = |x: &Tensor| {
            let (lu, order) = x.lu_factor();
            total(&[&lu.lu_solve(&order, &b)])
        };
        differentiates(through_factors, &x, 1e-5);
        differentiates(|x| total(&[&x.cholesky_solve(&b), &x.cholesky_inverse()]), &x, 1e-5);
    }
}

#[test]
fn threads_and_layouts_leave_the_bits() {
    let a = seeded(&[16], 20, 20, 1);
    let (p, transposed) = (positive(&[16], 20, 2), a.mt().contiguous().mt());
    let all = |a: &Tensor, p: &Tensor| {
        let ((q, r), (u, s, vt), (w, v)) = (a.qr(), a.svd(), p.eigh());
        [q, r, u, s, vt, w, v, a.inv(), p.cholesky(), a.matrix_exp(), a.det()].map(|t| t.to_vec::<f64>())
    };
    let want = all(&a, &p);
    assert!(all(&transposed, &p) == want);
    assert!(with_threads(1, || all(&a, &p)) == want);
    for i in [0, 9] {
        assert_eq!(a.select(0, i).inv().to_vec::<f64>(), a.inv().select(0, i).to_vec::<f64>());
    }
}
