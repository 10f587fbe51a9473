//! Elimination and reflections: Cholesky, LU, QR, and systems of triangles.
use crate::spectrum::{negate, negative};
use crate::{Number, SEQ, Triangle, finite, give, scaled, take, view};
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt::factor::{cholesky_in_place, cholesky_in_place_scratch};
use faer::linalg::householder;
use faer::linalg::lu::partial_pivoting::factor::{lu_in_place, lu_in_place_scratch};
use faer::linalg::qr::no_pivoting::factor::{qr_in_place, qr_in_place_scratch, recommended_block_size};
use faer::linalg::triangular_solve as triangles;
use faer::{Conj, Mat};
use num_traits::Float;

pub(crate) fn cholesky<T: Number>(a: &mut [T], n: usize) -> bool {
    let mut l = take(view(a, n, n));
    let mut memory = MemBuffer::new(cholesky_in_place_scratch::<T>(n, SEQ, Default::default()));
    let stack = MemStack::new(&mut memory);
    if cholesky_in_place(l.as_mut(), Default::default(), SEQ, stack, Default::default()).is_err() {
        return false;
    }
    for (i, row) in a.chunks_exact_mut(n.max(1)).enumerate() {
        row.iter_mut().enumerate().for_each(|(j, to)| *to = if j > i { T::zero() } else { l[(i, j)] });
    }
    finite(a)
}

pub(crate) fn lu<T: Number>(a: &mut [T], [m, n]: [usize; 2], rows: &mut [usize]) {
    if m.min(n) <= 16 {
        return eliminate(a, [m, n], rows); // less work than the copies and calls
    }
    let mut factors = take(view(a, m, n));
    let mut memory = MemBuffer::new(lu_in_place_scratch::<usize, T>(m, n, SEQ, Default::default()));
    let (stack, mut places) = (MemStack::new(&mut memory), vec![0; m]);
    lu_in_place(factors.as_mut(), rows, &mut places, SEQ, stack, Default::default());
    if (0..n).all(|j| (0..m).all(|i| factors[(i, j)].is_finite())) {
        give(factors.as_ref(), a);
    } else {
        eliminate(a, [m, n], rows);
    }
}
/// Row by row below a pivot, the largest of its column. Goes past columns of zeros; faer divides by a pivot of 0.
fn eliminate<T: Number>(a: &mut [T], [m, n]: [usize; 2], rows: &mut [usize]) {
    rows.iter_mut().enumerate().for_each(|(i, row)| *row = i);
    for k in 0..m.min(n) {
        let larger = |best: usize, i: usize| {
            if Float::abs(a[i * n + k]) > Float::abs(a[best * n + k]) { i } else { best }
        };
        let pivot = (k + 1..m).fold(k, larger);
        (0..n).for_each(|j| a.swap(k * n + j, pivot * n + j));
        rows.swap(k, pivot);
        if a[k * n + k] == T::zero() {
            continue; // so is what is below it
        }
        let (head, below) = a.split_at_mut((k + 1) * n);
        let top = &head[k * n + k..];
        for row in below.chunks_exact_mut(n) {
            let f = row[k] / top[0];
            row[k] = f;
            row[k + 1..].iter_mut().zip(&top[1..]).for_each(|(x, &y)| *x -= f * y);
        }
    }
}

pub(crate) fn qr<T: Number>(a: &[T], [m, n]: [usize; 2], q: &mut [T], r: &mut [T]) -> bool {
    let k = m.min(n);
    if k == 0 {
        return true;
    }
    let (mut factors, scale) = scaled(view(a, m, n));
    let mut all = Mat::identity(m, k);
    reflect(&mut factors, &mut all);
    let sign = |i: usize| if factors[(i, i)] < T::zero() { -T::one() } else { T::one() };
    for (i, row) in r.chunks_exact_mut(n).enumerate() {
        let at = |j: usize| if j < i { T::zero() } else { sign(i) * factors[(i, j)] * scale };
        row.iter_mut().enumerate().for_each(|(j, to)| *to = at(j));
    }
    for (i, row) in q.chunks_exact_mut(k).enumerate() {
        row.iter_mut().enumerate().for_each(|(j, to)| *to = sign(j) * all[(i, j)]);
    }
    finite(r)
}

/// Overwrites `factors` by their reflections, below R, and `all` by Q times it.
fn reflect<T: Number>(factors: &mut Mat<T>, all: &mut Mat<T>) {
    let (m, n) = (factors.nrows(), factors.ncols());
    let k = m.min(n);
    let block = recommended_block_size::<T>(m, n);
    let mut turns = Mat::zeros(block, k);
    let memory = qr_in_place_scratch::<T>(m, n, block, SEQ, Default::default());
    let mut memory = MemBuffer::new(memory);
    let stack = MemStack::new(&mut memory);
    qr_in_place(factors.as_mut(), turns.as_mut(), SEQ, stack, Default::default());
    let columns = all.ncols();
    let memory =
        householder::apply_block_householder_sequence_on_the_left_in_place_scratch::<T>(m, block, columns);
    let mut memory = MemBuffer::new(memory);
    householder::apply_block_householder_sequence_on_the_left_in_place_with_conj(
        factors.as_ref().subcols(0, k),
        turns.as_ref(),
        Conj::No,
        all.as_mut(),
        SEQ,
        MemStack::new(&mut memory),
    );
}

pub(crate) fn complement<T: Number>(u: &[T], [m, k]: [usize; 2], to: &mut [T]) {
    let mut all = Mat::from_fn(m, m - k, |i, j| if i == j + k { T::one() } else { T::zero() });
    if k > 0 {
        reflect(&mut take(view(u, m, k)), &mut all);
    }
    for j in 0..m - k {
        if negative(all.col(j)) {
            negate(all.col_mut(j));
        }
    }
    give(all.as_ref(), to);
}

pub(crate) fn solve_triangular<T: Number>(a: &[T], n: usize, b: &mut [T], k: usize, by: Triangle) {
    let a = take(view(a, n, n));
    let a = if by.transposed { a.as_ref().transpose() } else { a.as_ref() };
    let mut x = take(view(b, n, k));
    match (by.upper != by.transposed, by.unit) {
        (false, false) => triangles::solve_lower_triangular_in_place(a, x.as_mut(), SEQ),
        (false, true) => triangles::solve_unit_lower_triangular_in_place(a, x.as_mut(), SEQ),
        (true, false) => triangles::solve_upper_triangular_in_place(a, x.as_mut(), SEQ),
        (true, true) => triangles::solve_unit_upper_triangular_in_place(a, x.as_mut(), SEQ),
    }
    give(x.as_ref(), b);
}
