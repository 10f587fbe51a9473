//! Eigenvalues and singular values.
use crate::{Number, SEQ, give, scaled, view};
use faer::diag::DiagMut;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::evd::{ComputeEigenvectors, self_adjoint_evd, self_adjoint_evd_scratch};
use faer::linalg::svd::{self as by_faer, ComputeSvdVectors, svd_scratch};
use faer::{ColMut, ColRef, Mat};
use num_traits::Float;

pub(crate) fn eigh<T: Number>(a: &[T], n: usize, w: &mut [T], v: &mut [T]) -> bool {
    if n == 0 {
        return true;
    }
    let lower = |i: usize, j: usize| if j > i { a[j * n + i] } else { a[i * n + j] };
    let full: Vec<T> = (0..n * n).map(|at| lower(at / n, at % n)).collect();
    let (a, scale) = scaled(view(&full, n, n));
    let memory = self_adjoint_evd_scratch::<T>(n, ComputeEigenvectors::Yes, SEQ, Default::default());
    let mut memory = MemBuffer::new(memory);
    let (stack, mut vectors) = (MemStack::new(&mut memory), Mat::zeros(n, n));
    let (values, to) = (DiagMut::from_slice_mut(w), Some(vectors.as_mut()));
    if self_adjoint_evd(a.as_ref(), values, to, SEQ, stack, Default::default()).is_err() {
        return false;
    }
    w.iter_mut().for_each(|w| *w *= scale);
    for j in 0..n {
        if negative(vectors.col(j)) {
            negate(vectors.col_mut(j));
        }
    }
    give(vectors.as_ref(), v);
    true
}

pub(crate) fn svd<T: Number>(a: &[T], [m, n]: [usize; 2], u: &mut [T], s: &mut [T], v: &mut [T]) -> bool {
    let k = m.min(n);
    if k == 0 {
        return true;
    }
    let (a, scale) = scaled(view(a, m, n));
    let thin = ComputeSvdVectors::Thin;
    let mut memory = MemBuffer::new(svd_scratch::<T>(m, n, thin, thin, SEQ, Default::default()));
    let (stack, mut left, mut right) = (MemStack::new(&mut memory), Mat::zeros(m, k), Mat::zeros(n, k));
    let (values, to) = (DiagMut::from_slice_mut(s), (Some(left.as_mut()), Some(right.as_mut())));
    if by_faer::svd(a.as_ref(), values, to.0, to.1, SEQ, stack, Default::default()).is_err() {
        return false;
    }
    s.iter_mut().for_each(|s| *s *= scale);
    for j in 0..k {
        if negative(left.col(j)) {
            negate(left.col_mut(j));
            negate(right.col_mut(j));
        }
    }
    give(left.as_ref(), u);
    give(right.as_ref(), v);
    true
}

/// Whether the largest element is below 0. Signs are free; without a choice of ours a small change to a matrix may turn
/// them, and what is computed from vectors would jump.
pub(crate) fn negative<T: Number>(column: ColRef<'_, T>) -> bool {
    let larger = |most: T, &x: &T| if Float::abs(x) > Float::abs(most) { x } else { most };
    column.iter().fold(T::zero(), larger) < T::zero()
}
pub(crate) fn negate<T: Number>(column: ColMut<'_, T>) {
    column.iter_mut().for_each(|x| *x = -*x);
}
