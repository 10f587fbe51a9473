//! Products against a plain sum in `f64`, and bit by bit against themselves: over layouts, threads, tiles, kernels.
use super::*;
use crate::cpu::pool::with_threads;

/// A small generator, so that these tests need nothing else of the crate.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        self.0 >> 33
    }

    fn below(&mut self, n: usize) -> usize {
        self.next() as usize % n
    }
}

trait Sample: Product + PartialEq + std::fmt::Debug {
    fn sample(r: &mut Random) -> Self;
    fn bits(self) -> u64;
}
macro_rules! sample {
    ($($t:ident: $from:expr, $bits:expr;)*) => {$(
        impl Sample for $t {
            fn sample(r: &mut Random) -> Self {
                $from(r.next())
            }
            fn bits(self) -> u64 {
                $bits(self)
            }
        }
    )*};
}
sample! {
    f32: |x| x as f32 / (1u64 << 30) as f32 - 1.0, |x: f32| u64::from(x.to_bits());
    f64: |x| x as f64 / (1u64 << 30) as f64 - 1.0, f64::to_bits;
    i64: |x: u64| x.wrapping_mul(0x9e37_79b9_7f4a_7c15) as i64, |x| x as u64;
    i32: |x: u64| x.wrapping_mul(0x9e37_79b9) as i32, |x| x as u64;
    u8: |x| x as u8, u64::from;
}

/// A batch of matrices with a layout of its own.
struct Matrices<T> {
    data: Vec<T>,
    offsets: Vec<usize>,
    strides: (isize, isize),
}

/// How a matrix may lie; `Spread` leaves gaps both ways, `Flipped` runs backwards.
#[derive(Clone, Copy, Debug)]
enum Layout {
    Rows,
    Columns,
    Spread,
    SpreadColumns,
    Flipped,
}
const LAYOUTS: [Layout; 5] =
    [Layout::Rows, Layout::Columns, Layout::Spread, Layout::SpreadColumns, Layout::Flipped];

impl<T: Sample> Matrices<T> {
    /// `values` are dense and row-major.
    fn new(values: &[T], batch: usize, rows: usize, cols: usize, layout: Layout) -> Self {
        let (r, c) = (rows as isize, cols as isize);
        let (strides, first) = match layout {
            Layout::Rows => ((c, 1), 0),
            Layout::Columns => ((1, r), 0),
            Layout::Spread => ((2 * c + 5, 2), 3),
            Layout::SpreadColumns => ((1, r + 7), 0),
            Layout::Flipped => ((-c, -1), (r * c - 1).max(0)),
        };
        let size = 3 * rows * cols + 8 * (rows + cols) + 8;
        let mut data = vec![T::default(); batch * size];
        let offsets: Vec<usize> = (0..batch).map(|b| b * size + first as usize).collect();
        for (i, &x) in values.iter().enumerate() {
            let (b, row, col) = (i / (rows * cols), i / cols % rows, i % cols);
            let at = offsets[b] as isize + row as isize * strides.0 + col as isize * strides.1;
            data[at as usize] = x;
        }
        Matrices { data, offsets, strides }
    }

    fn operand(&self) -> Operand<'_, T> {
        let (row_stride, col_stride) = self.strides;
        Operand { data: &self.data, offsets: &self.offsets, row_stride, col_stride }
    }
}

fn random<T: Sample>(r: &mut Random, n: usize) -> Vec<T> {
    (0..n).map(|_| T::sample(r)).collect()
}

fn run<T: Sample>([batch, m, k, n]: [usize; 4], a: Operand<T>, b: Operand<T>) -> Vec<T> {
    let mut out = vec![T::sample(&mut Random(9)); batch * m * n];
    product(&mut out, batch, [m, k, n], a, b, None);
    out
}

/// The product of one shape in all layouts and with several thread limits is the same to the bit; returns
/// operands and result.
#[track_caller]
fn same_bits<T: Sample>(shape: [usize; 4]) -> (Vec<T>, Vec<T>, Vec<T>) {
    let [batch, m, k, n] = shape;
    let mut r = Random((m * 31 + k * 17 + n) as u64);
    let (a, b) = (random::<T>(&mut r, batch * m * k), random::<T>(&mut r, batch * k * n));
    let lay = |la, lb| (Matrices::new(&a, batch, m, k, la), Matrices::new(&b, batch, k, n, lb));
    let (x, y) = lay(Layout::Rows, Layout::Rows);
    let expected = with_threads(1, || run(shape, x.operand(), y.operand()));
    for (i, j) in (0..LAYOUTS.len()).flat_map(|i| (0..LAYOUTS.len()).map(move |j| (i, j))) {
        // Of a large product a fifth of the pairs, or unoptimised tests would take minutes.
        if batch * m * k * n > 1 << 16 && (i + j) % LAYOUTS.len() != 1 {
            continue;
        }
        let (la, lb) = (LAYOUTS[i], LAYOUTS[j]);
        let (x, y) = lay(la, lb);
        let threads = 1 + r.below(3);
        let out = with_threads(threads, || run(shape, x.operand(), y.operand()));
        let equal = out.iter().zip(&expected).all(|(x, y)| x.bits() == y.bits());
        assert!(equal, "{shape:?} as {la:?}, {lb:?} on {threads} threads");
    }
    (a, b, expected)
}

macro_rules! close {
    ($name:ident, $t:ident) => {
        #[track_caller]
        fn $name(shape: [usize; 4]) {
            let [_, m, k, n] = shape;
            let (a, b, out) = same_bits::<$t>(shape);
            for (i, &got) in out.iter().enumerate() {
                let (item, row, col) = (i / (m * n), i / n % m, i % n);
                let terms = |p: usize| {
                    (f64::from(a[(item * m + row) * k + p]), f64::from(b[(item * k + p) * n + col]))
                };
                let exact: f64 = (0..k).map(|p| terms(p).0 * terms(p).1).sum();
                let size: f64 = (0..k).map(|p| (terms(p).0 * terms(p).1).abs()).sum();
                let allowed = f64::from($t::EPSILON) * size * 8.0;
                assert!((f64::from(got) - exact).abs() <= allowed, "{shape:?} at {i}: {got} for {exact}");
            }
        }
    };
}
close!(close_f32, f32);
close!(close_f64, f64);

const EDGES: [usize; 12] = [1, 2, 3, 7, 8, 15, 16, 17, 31, 33, 64, 130];

#[test]
fn floats_in_every_layout() {
    let mut r = Random(1);
    for _ in 0..60 {
        let mut pick = || EDGES[r.below(EDGES.len())];
        let shape = [1, pick(), pick(), pick()];
        close_f32(shape);
        close_f64(shape);
    }
}

#[test]
fn batches_and_long_k() {
    for shape in [
        [5, 33, 20, 40],
        [3, 1, 700, 50],
        [2, 20, 1100, 24],
        [1, 6, 513, 300],
        [1, 70, 1025, 65],
        [2, 1, 9000, 1],
        [3, 2, 5000, 4],
        [1, 8, 300, 1],
        [1, 130, 3, 2],
        [40, 3, 5, 4],
    ] {
        close_f32(shape);
        close_f64(shape);
    }
}

#[test]
fn shapes_that_are_cut_for_threads() {
    for shape in [[1, 200, 90, 150], [1, 300, 300, 40], [9, 64, 32, 64], [1, 1, 512, 600], [1, 900, 400, 1]] {
        close_f32(shape);
        close_f64(shape);
    }
}

fn wraps<T: Sample>() {
    for shape in
        [[1, 1, 1, 1], [2, 5, 9, 40], [1, 70, 600, 33], [1, 3, 300, 2], [1, 1, 5000, 1], [1, 64, 64, 64]]
    {
        let [_, m, k, n] = shape;
        let (a, b, out) = same_bits::<T>(shape);
        for (i, &got) in out.iter().enumerate() {
            let (item, row, col) = (i / (m * n), i / n % m, i % n);
            let exact = (0..k).fold(T::default(), |sum, p| {
                a[(item * m + row) * k + p].mul_add::<false>(b[(item * k + p) * n + col], sum)
            });
            assert_eq!(got, exact, "{shape:?} at {i}");
        }
    }
}

#[test]
fn integers_wrap() {
    wraps::<i64>();
    wraps::<i32>();
    wraps::<u8>();
}

/// What lets tiles and kernels be chosen freely: a row of a product is the product of the row, and both kernels
/// agree. Holds outside [`dot`], whose shapes are left out.
#[test]
fn every_element_is_one_chain() {
    fn check<T: Sample>() {
        for (m, k, n) in [(48, 300, 80), (33, 1200, 40), (16, 3, 17), (100, 513, 64)] {
            let mut r = Random(k as u64);
            let (a, b) = (random::<T>(&mut r, m * k), random::<T>(&mut r, k * n));
            let (x, y) =
                (Matrices::new(&a, 1, m, k, Layout::Rows), Matrices::new(&b, 1, k, n, Layout::Columns));
            let whole = run([1, m, k, n], x.operand(), y.operand());
            for (row, expected) in whole.chunks_exact(n).enumerate() {
                let x = Matrices::new(&a[row * k..][..k], 1, 1, k, Layout::Rows);
                let out = run([1, 1, k, n], x.operand(), y.operand());
                assert!(
                    out.iter().zip(expected).all(|(x, y)| x.bits() == y.bits()),
                    "{m} {k} {n}: row {row}"
                );
            }
        }
    }
    check::<f32>();
    check::<f64>();
}

#[test]
fn broadcast_operands() {
    let data = [2.0f32, 3.0];
    let a = Operand { data: &data, offsets: &[0, 1], row_stride: 0, col_stride: 0 };
    let b = Operand { data: &data, offsets: &[1, 1], row_stride: 0, col_stride: 0 };
    let out = run([2, 40, 50, 30], a, b);
    assert!(out[..1200].iter().all(|&x| x == 300.0) && out[1200..].iter().all(|&x| x == 450.0));
}

#[test]
fn nothing_to_do() {
    let none = Operand::<f32> { data: &[], offsets: &[], row_stride: 1, col_stride: 1 };
    assert!(run([0, 3, 3, 3], none, none).is_empty());
    let none = Operand { offsets: &[0], ..none };
    assert!(run([1, 0, 3, 3], none, none).is_empty());
    assert_eq!(run([1, 2, 0, 2], none, none), [0.0; 4]);
}

#[test]
fn special_values_pass() {
    for [m, k, n] in [[1, 3, 4], [20, 3, 20]] {
        let mut a = vec![1.0f32; m * k];
        a[0] = f32::INFINITY;
        a[1] = f32::NEG_INFINITY;
        a[(m - 1) * k + 2] = if m > 1 { f32::INFINITY } else { 1.0 };
        let (x, y) = (
            Matrices::new(&a, 1, m, k, Layout::Rows),
            Matrices::new(&vec![1.0; k * n], 1, k, n, Layout::Rows),
        );
        let out = run([1, m, k, n], x.operand(), y.operand());
        assert!(out[0].is_nan());
        assert!(m == 1 || out[m * n - 1] == f32::INFINITY);
    }
}

#[test]
#[should_panic(expected = "out of bounds")]
fn an_operand_must_lie_in_its_data() {
    let a = Operand { data: &[1.0f32; 5], offsets: &[0], row_stride: 3, col_stride: 1 };
    run([1, 2, 3, 2], a, Operand { data: &[1.0; 6], offsets: &[0], row_stride: 2, col_stride: 1 });
}
