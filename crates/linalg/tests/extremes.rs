//! Matrices at the ends of the range, with dependent rows, or empty: factors that multiply to the matrix, in both types.
use retrograd_linalg::Real;

/// Sizes below and above those at which faer changes its algorithm.
const SIZES: &[[usize; 2]] = &[
    [0, 0],
    [0, 3],
    [3, 0],
    [1, 1],
    [1, 5],
    [5, 1],
    [2, 2],
    [3, 3],
    [5, 3],
    [3, 5],
    [40, 17],
    [33, 33],
    [20, 70],
];

trait Test: Real + num_traits::Float + std::fmt::Debug {}
impl<T: Real + num_traits::Float + std::fmt::Debug> Test for T {}

/// Numbers between -1 and 1.
fn numbers<T: Test>(count: usize) -> Vec<T> {
    let mut state = 1u64;
    let mut next = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        T::from((state >> 40) as f64 / (1 << 23) as f64 - 1.0).expect("in range")
    };
    (0..count).map(|_| next()).collect()
}
/// `x` (m by k) times `y` (k by n, or n by k if transposed).
fn product<T: Test>(x: &[T], y: &[T], [m, k, n]: [usize; 3], transposed: bool) -> Vec<T> {
    let at = |p: usize, j: usize| if transposed { y[j * k + p] } else { y[p * n + j] };
    let sum = |i: usize, j: usize| (0..k).fold(T::zero(), |sum, p| sum + x[i * k + p] * at(p, j));
    (0..m * n).map(|place| sum(place / n, place % n)).collect()
}
#[track_caller]
fn close<T: Test>(x: &[T], y: &[T], case: &str) {
    let size = y.iter().fold(T::min_positive_value(), |most, &v| most.max(v.abs()));
    let bar = T::epsilon() * T::from(400).expect("in range");
    for (&x, &y) in x.iter().zip(y) {
        assert!((x / size - y / size).abs() <= bar, "{case}: {x:?} for {y:?}");
    }
}
#[track_caller]
fn orthonormal<T: Test>(x: &[T], [m, k]: [usize; 2], case: &str) {
    let columns: Vec<T> = (0..k * m).map(|at| x[at % m * k + at / m]).collect();
    let mut unit = vec![T::zero(); k * k];
    (0..k).for_each(|i| unit[i * k + i] = T::one());
    close(&product(&columns, &columns, [k, m, k], true), &unit, case);
}
/// Each size with plain elements, at both ends of the range, of rank one, with columns of zeros, and zero.
fn matrices<T: Test>(mut check: impl FnMut(&[T], [usize; 2], &str)) {
    let (large, small) = (T::max_value() / T::from(256).expect("in range"), T::min_positive_value());
    for &[m, n] in SIZES {
        let plain = numbers::<T>(m * n);
        let of =
            |f: &dyn Fn(usize, usize) -> T| -> Vec<T> { (0..m * n).map(|at| f(at / n, at % n)).collect() };
        let cases = [
            ("plain", plain.clone()),
            ("large", of(&|i, j| plain[i * n + j] * large)),
            ("small", of(&|i, j| plain[i * n + j] * small)),
            ("denormal", of(&|i, j| plain[i * n + j] * small * T::epsilon())),
            ("both", of(&|i, j| plain[i * n + j] * if (i + j) % 2 == 0 { large } else { small })),
            ("graded", of(&|i, j| plain[i * n + j] * T::epsilon().powi(j as i32))),
            ("rank one", of(&|i, j| plain[i * n] * plain[j])),
            ("gaps", of(&|i, j| if j % 3 == 0 { T::zero() } else { plain[i * n + j] })),
            ("ones", of(&|_, _| T::one())),
            ("zero", of(&|_, _| T::zero())),
            ("unit", of(&|i, j| if i == j { T::one() } else { T::zero() })),
        ];
        cases.iter().for_each(|(name, a)| check(a, [m, n], &format!("{name} {m} by {n}")));
    }
}

/// The largest element of each column is positive.
#[track_caller]
fn signed<T: Test>(x: &[T], k: usize, case: &str) {
    for j in 0..k {
        let column = || x.iter().skip(j).step_by(k).copied();
        let (most, least) = (column().fold(T::zero(), T::max), column().fold(T::zero(), T::min));
        assert!(most >= -least, "{case}: column {j}");
    }
}

fn singular_values<T: Test>() {
    matrices::<T>(|a, [m, n], case| {
        let k = m.min(n);
        let (mut u, mut s, mut v) = (vec![T::zero(); m * k], vec![T::zero(); k], vec![T::zero(); n * k]);
        assert!(T::svd(a, [m, n], &mut u, &mut s, &mut v), "{case}");
        orthonormal(&u, [m, k], case);
        orthonormal(&v, [n, k], case);
        signed(&u, k, case);
        assert!(s.windows(2).all(|s| s[0] >= s[1]) && s.iter().all(|&s| s >= T::zero()), "{case}: {s:?}");
        let scaled: Vec<T> = u.iter().enumerate().map(|(at, &u)| u * s[at % k]).collect();
        close(&product(&scaled, &v, [m, k, n], true), a, case);
    });
}
fn eigenvalues<T: Test>() {
    matrices::<T>(|a, [m, n], case| {
        if m != n {
            return;
        }
        let (mut w, mut v) = (vec![T::zero(); n], vec![T::zero(); n * n]);
        assert!(T::eigh(a, n, &mut w, &mut v), "{case}");
        orthonormal(&v, [n, n], case);
        signed(&v, n, case);
        assert!(w.windows(2).all(|w| w[0] <= w[1]), "{case}: {w:?}");
        let scaled: Vec<T> = v.iter().enumerate().map(|(at, &v)| v * w[at % n]).collect();
        let lower: Vec<T> = (0..n * n).map(|at| a[(at / n).max(at % n) * n + (at / n).min(at % n)]).collect();
        close(&product(&scaled, &v, [n, n, n], true), &lower, case);
    });
}
fn orthogonal_factors<T: Test>() {
    matrices::<T>(|a, [m, n], case| {
        let k = m.min(n);
        let (mut q, mut r) = (vec![T::zero(); m * k], vec![T::zero(); k * n]);
        assert!(T::qr(a, [m, n], &mut q, &mut r), "{case}");
        orthonormal(&q, [m, k], case);
        assert!(
            (0..k).all(|i| r[i * n + i] >= T::zero() && (0..i).all(|j| r[i * n + j] == T::zero())),
            "{case}"
        );
        close(&product(&q, &r, [m, k, n], false), a, case);
    });
}
fn triangular_factors<T: Test>() {
    matrices::<T>(|a, [m, n], case| {
        let (k, mut packed, mut rows) = (m.min(n), a.to_vec(), vec![0; m]);
        T::lu(&mut packed, [m, n], &mut rows);
        let lower = |i: usize, j: usize| match i.cmp(&j) {
            std::cmp::Ordering::Less => T::zero(),
            std::cmp::Ordering::Equal => T::one(),
            std::cmp::Ordering::Greater => packed[i * n + j],
        };
        let l: Vec<T> = (0..m * k).map(|at| lower(at / k, at % k)).collect();
        let u: Vec<T> = (0..k * n).map(|at| if at % n < at / n { T::zero() } else { packed[at] }).collect();
        assert!(
            l.iter().all(|l| l.abs() <= T::one() + T::epsilon()),
            "{case}: not the largest of its column"
        );
        let ordered: Vec<T> = rows.iter().flat_map(|&row| a[row * n..(row + 1) * n].to_vec()).collect();
        close(&product(&l, &u, [m, k, n], false), &ordered, case);
    });
}

#[test]
fn of_doubles() {
    singular_values::<f64>();
    eigenvalues::<f64>();
    orthogonal_factors::<f64>();
    triangular_factors::<f64>();
}
#[test]
fn of_singles() {
    singular_values::<f32>();
    eigenvalues::<f32>();
    orthogonal_factors::<f32>();
    triangular_factors::<f32>();
}

/// Some loops of faer start at an aligned element; where a matrix lies must not show.
#[test]
fn places_in_memory_leave_the_bits() {
    let n = 45;
    let numbers = numbers::<f64>(n * n + 8);
    let want: Vec<f64> = numbers[..n * n].to_vec();
    let all = |a: &[f64]| {
        let (mut u, mut s, mut v) = (vec![0.0; n * n], vec![0.0; n], vec![0.0; n * n]);
        assert!(f64::svd(a, [n, n], &mut u, &mut s, &mut v));
        let (mut w, mut x) = (vec![0.0; n], vec![0.0; n * n]);
        assert!(f64::eigh(a, n, &mut w, &mut x));
        let (mut q, mut r) = (vec![0.0; n * n], vec![0.0; n * n]);
        assert!(f64::qr(a, [n, n], &mut q, &mut r));
        [u, s, v, w, x, q, r]
    };
    for offset in 0..8 {
        let mut moved = vec![0.0; offset];
        moved.extend(&want);
        assert!(all(&moved[offset..]) == all(&want), "{offset}");
    }
}
