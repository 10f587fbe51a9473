//! Iterations: eigenvalues by implicit QR steps on a tridiagonal matrix, singular values by Jacobi rotations.
use crate::factor::{qr, reflect, reflection};
use crate::{add, dot, largest, rotate, transposed, two_rows};
use num_traits::Float;

/// Golub and Van Loan, *Matrix Computations*, section 8.3.
pub(crate) fn eigh<T: Float>(a: &[T], n: usize, w: &mut [T], v: &mut [T]) -> bool {
    let size = largest(&(0..n).flat_map(|i| a[i * n..i * n + i + 1].iter().copied()).collect::<Vec<T>>());
    if n == 0 || size == T::zero() {
        w.fill(T::zero());
        v.fill(T::zero());
        (0..n).for_each(|i| v[i * n + i] = T::one());
        return true;
    }
    let full = |i: usize, j: usize| a[i.max(j) * n + i.min(j)] / size;
    let mut full: Vec<T> = (0..n * n).map(|at| full(at / n, at % n)).collect();
    let (mut d, mut e, mut rows) = tridiagonal(&mut full, n);
    if !diagonalise(&mut d, &mut e, &mut rows) {
        return false;
    }
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&i, &j| d[i].partial_cmp(&d[j]).unwrap_or(std::cmp::Ordering::Equal));
    for (to, from) in order.into_iter().enumerate() {
        w[to] = d[from] * size;
        (0..n).for_each(|i| v[i * n + to] = rows[from * n + i]);
    }
    true
}
/// Diagonal and subdiagonal of `Q A Qᵀ`, and Q.
fn tridiagonal<T: Float>(a: &mut [T], n: usize) -> (Vec<T>, Vec<T>, Vec<T>) {
    let (mut e, mut reflections) = (vec![T::zero(); n.saturating_sub(1)], vec![]);
    let half = T::one() / (T::one() + T::one());
    for k in 0..n.saturating_sub(1) {
        let mut v: Vec<T> = (k + 1..n).map(|i| a[i * n + k]).collect();
        let (f, to) = reflection(&mut v);
        e[k] = to;
        let mut p: Vec<T> = (k + 1..n).map(|i| f * dot(&a[i * n + k + 1..(i + 1) * n], &v)).collect();
        let part = -half * f * dot(&p, &v);
        add(&mut p, part, &v);
        for i in k + 1..n {
            let row = &mut a[i * n + k + 1..(i + 1) * n];
            add(row, -v[i - k - 1], &p);
            add(row, -p[i - k - 1], &v);
        }
        reflections.push((v, f));
    }
    let d = (0..n).map(|i| a[i * n + i]).collect();
    let mut q = vec![T::zero(); n * n];
    (0..n).for_each(|i| q[i * n + i] = T::one());
    for (v, f) in reflections.iter().rev() {
        reflect(&mut q, n, 0, v, *f);
    }
    (d, e, transposed(&q, n, n))
}
/// QR steps with Wilkinson's shift until the subdiagonal is 0; every rotation turns two of `rows` too.
fn diagonalise<T: Float>(d: &mut [T], e: &mut [T], rows: &mut [T]) -> bool {
    let n = d.len();
    let two = T::one() + T::one();
    let mut last = n - 1;
    let mut steps = 60 * n;
    while last > 0 {
        for k in 0..last {
            if e[k].abs() <= T::epsilon() * (d[k].abs() + d[k + 1].abs())
                || e[k].abs() < T::min_positive_value()
            {
                e[k] = T::zero();
            }
        }
        if e[last - 1] == T::zero() {
            last -= 1;
            continue;
        }
        if steps == 0 {
            return false;
        }
        steps -= 1;
        let first = (0..last).rev().find(|&k| e[k] == T::zero()).map_or(0, |k| k + 1);
        let (gap, side) = ((d[last - 1] - d[last]) / two, e[last - 1]);
        let far = gap.abs() + gap.hypot(side);
        let shift = d[last] - if gap < T::zero() { -side / far * side } else { side / far * side };
        let (mut x, mut z) = (d[first] - shift, e[first]);
        for k in first..last {
            let r = x.hypot(z);
            let (c, s) = if r == T::zero() { (T::one(), T::zero()) } else { (x / r, z / r) };
            if k > first {
                e[k - 1] = r;
            }
            let (a, b, g) = (d[k], e[k], d[k + 1]);
            d[k] = c * c * a + two * c * s * b + s * s * g;
            d[k + 1] = s * s * a - two * c * s * b + c * c * g;
            e[k] = c * s * (g - a) + (c * c - s * s) * b;
            if k + 1 < last {
                (x, z) = (e[k], s * e[k + 1]);
                e[k + 1] = c * e[k + 1];
            }
            let (upper, lower) = two_rows(rows, n, k, k + 1);
            rotate(upper, lower, c, s);
        }
    }
    true
}

/// One-sided Jacobi rotations of the rows of R until they are orthogonal (Drmač and Veselić, *New fast and accurate
/// Jacobi SVD algorithm*, 2008).
pub(crate) fn svd<T: Float>(a: &[T], [m, n]: [usize; 2], u: &mut [T], s: &mut [T], v: &mut [T]) -> bool {
    if m < n {
        return svd(&transposed(a, m, n), [n, m], v, s, u);
    }
    if n == 0 {
        return true;
    }
    let size = largest(a);
    let size = if size == T::zero() { T::one() } else { size };
    let scaled: Vec<T> = a.iter().map(|&x| x / size).collect();
    let (mut q, mut rows) = (vec![T::zero(); m * n], vec![T::zero(); n * n]);
    qr(&scaled, [m, n], &mut q, &mut rows);
    let mut turns = vec![T::zero(); n * n];
    (0..n).for_each(|i| turns[i * n + i] = T::one());
    if !orthogonalise(&mut rows, &mut turns, n) {
        return false;
    }
    let norms: Vec<T> = rows.chunks_exact(n).map(|row| dot(row, row).sqrt()).collect();
    let most = largest(&norms);
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&i, &j| norms[j].partial_cmp(&norms[i]).unwrap_or(std::cmp::Ordering::Equal));
    // Vectors of what is 0 but for rounding are any that complete the others.
    let (mut right, mut triangle) = (vec![T::zero(); n * n], vec![T::zero(); n * n]);
    for (to, &from) in order.iter().enumerate() {
        s[to] = norms[from] * size;
        if norms[from] > T::epsilon() * most {
            (0..n).for_each(|i| right[i * n + to] = rows[from * n + i] / norms[from]);
        }
        for i in 0..m {
            u[i * n + to] = dot(&q[i * n..(i + 1) * n], &turns[from * n..(from + 1) * n]);
        }
    }
    qr(&right, [n, n], v, &mut triangle);
    true
}
/// Turns pairs of `rows`, and those of `turns` alike, until all are orthogonal.
fn orthogonalise<T: Float>(rows: &mut [T], turns: &mut [T], n: usize) -> bool {
    let two = T::one() + T::one();
    let bar = T::epsilon() * two * two * two;
    for _ in 0..60 {
        let mut turned = false;
        let norms = rows.chunks_exact(n).map(|row| dot(row, row));
        let most = norms.fold(T::zero(), T::max) * T::epsilon() * T::epsilon();
        for i in 0..n {
            for j in i + 1..n {
                let (x, y) = two_rows(rows, n, i, j);
                let (a, b, c) = (dot(x, x), dot(y, y), dot(x, y));
                if a <= most || b <= most || c.abs() <= bar * a.sqrt() * b.sqrt() {
                    continue;
                }
                turned = true;
                let zeta = (b - a) / (two * c);
                let t = zeta.signum() / (zeta.abs() + zeta.hypot(T::one()));
                let cos = T::one() / t.hypot(T::one());
                rotate(x, y, cos, -cos * t);
                let (x, y) = two_rows(turns, n, i, j);
                rotate(x, y, cos, -cos * t);
            }
        }
        if !turned {
            return true;
        }
    }
    false
}
