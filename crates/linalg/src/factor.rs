//! Elimination and reflections: Cholesky, LU, QR, and systems of triangles.
use crate::{Triangle, add, dot, largest, two_rows};
use num_traits::Float;

pub(crate) fn cholesky<T: Float>(a: &mut [T], n: usize) -> bool {
    for i in 0..n {
        for j in 0..i {
            let (above, row) = two_rows(a, n, j, i);
            row[j] = (row[j] - dot(&row[..j], &above[..j])) / above[j];
        }
        let row = &mut a[i * n..(i + 1) * n];
        let square = row[i] - dot(&row[..i], &row[..i]);
        if square <= T::zero() || !square.is_finite() {
            return false;
        }
        row[i] = square.sqrt();
        row[i + 1..].fill(T::zero());
    }
    true
}

/// Row by row below a pivot, the largest of its column.
pub(crate) fn lu<T: Float>(a: &mut [T], [m, n]: [usize; 2], rows: &mut [usize]) {
    rows.iter_mut().enumerate().for_each(|(i, row)| *row = i);
    for k in 0..m.min(n) {
        let larger =
            |best: usize, i: usize| if a[i * n + k].abs() > a[best * n + k].abs() { i } else { best };
        let pivot = (k + 1..m).fold(k, larger);
        if pivot != k {
            let (x, y) = two_rows(a, n, k, pivot);
            x.swap_with_slice(y);
            rows.swap(k, pivot);
        }
        if a[k * n + k] == T::zero() {
            continue; // so is what is below it
        }
        for i in k + 1..m {
            let (top, row) = two_rows(a, n, k, i);
            let f = row[k] / top[k];
            row[k] = f;
            add(&mut row[k + 1..], -f, &top[k + 1..]);
        }
    }
}

/// The reflection `1 - f v vᵀ` that takes `x` to its first axis, with `v[0] = 1`, in `x`; `f` and where `x[0]` goes.
pub(crate) fn reflection<T: Float>(x: &mut [T]) -> (T, T) {
    let (size, zero, one) = (largest(x), T::zero(), T::one());
    let Some((first, rest)) = x.split_first_mut() else { return (zero, zero) };
    if largest(rest) == zero {
        let to = std::mem::replace(first, one);
        return (zero, to);
    }
    let norm = size * rest.iter().fold((*first / size).powi(2), |sum, &v| sum + (v / size).powi(2)).sqrt();
    let to = if *first > zero { -norm } else { norm };
    let head = *first - to;
    rest.iter_mut().for_each(|v| *v = *v / head);
    *first = one;
    (-head / to, to)
}
/// Reflects columns from `from` on of the last rows of `a`, as many as `v` has elements.
pub(crate) fn reflect<T: Float>(a: &mut [T], n: usize, from: usize, v: &[T], f: T) {
    let rows = a.len() / n - v.len();
    let mut along = vec![T::zero(); n - from];
    for (row, &v) in a.chunks_exact(n).skip(rows).zip(v) {
        add(&mut along, v, &row[from..]);
    }
    for (row, &v) in a.chunks_exact_mut(n).skip(rows).zip(v) {
        add(&mut row[from..], -f * v, &along);
    }
}
pub(crate) fn qr<T: Float>(a: &[T], [m, n]: [usize; 2], q: &mut [T], r: &mut [T]) {
    let (k, mut a) = (m.min(n), a.to_vec());
    let mut reflections = Vec::with_capacity(k);
    for i in 0..k {
        let mut v: Vec<T> = (i..m).map(|row| a[row * n + i]).collect();
        let (f, to) = reflection(&mut v);
        reflect(&mut a, n, i, &v, f);
        a[i * n + i] = to;
        reflections.push((v, f));
    }
    q.fill(T::zero());
    (0..k).for_each(|i| q[i * k + i] = T::one());
    for (i, (v, f)) in reflections.iter().enumerate().rev() {
        reflect(q, k, i, v, *f);
    }
    for i in 0..k {
        let sign = if a[i * n + i] < T::zero() { -T::one() } else { T::one() };
        (0..n).for_each(|j| r[i * n + j] = if j < i { T::zero() } else { sign * a[i * n + j] });
        (0..m).for_each(|row| q[row * k + i] = sign * q[row * k + i]);
    }
}

pub(crate) fn solve_triangular<T: Float>(a: &[T], n: usize, b: &mut [T], k: usize, by: Triangle) {
    let at = |i: usize, j: usize| if by.transposed { a[j * n + i] } else { a[i * n + j] };
    let upward = by.upper != by.transposed;
    for step in 0..n {
        let i = if upward { n - 1 - step } else { step };
        for known in 0..step {
            let j = if upward { n - 1 - known } else { known };
            let (low, high) = two_rows(b, k, i.min(j), i.max(j));
            let (row, other) = if i < j { (low, high) } else { (high, low) };
            add(row, -at(i, j), other);
        }
        if !by.unit {
            let pivot = at(i, i);
            b[i * k..(i + 1) * k].iter_mut().for_each(|v| *v = *v / pivot);
        }
    }
}
