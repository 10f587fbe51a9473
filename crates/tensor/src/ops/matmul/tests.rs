//! Products and `einsum` against loops over indices, for every layout of the operands.
use crate::dtype::{BF16, F16, F32, F64, I32, I64, U8};
use crate::shape::broadcast;
use crate::{Shape, Tensor, attempt, with_threads};

fn numbers(shape: &[usize], seed: u64) -> Tensor {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        f64::from((state >> 33) as u32) / f64::from(1_u32 << 30) - 1.0
    };
    Tensor::from_vec((0..shape.iter().product::<usize>()).map(|_| next()).collect(), shape)
}
/// The product by definition, for operands with two axes and more.
fn product(a: &Tensor, b: &Tensor) -> Tensor {
    let (i, j) = (a.rank() - 2, b.rank() - 2);
    let batch = broadcast("test", &a.shape()[..i].into(), &b.shape()[..j].into()).unwrap();
    let (m, k, n) = (a.shape()[i], a.shape()[i + 1], b.shape()[j + 1]);
    let full = |x: usize, y: usize| -> Vec<usize> { batch.iter().copied().chain([x, y]).collect() };
    let (x, y) = (a.broadcast_to(full(m, k)).to_vec::<f64>(), b.broadcast_to(full(k, n)).to_vec::<f64>());
    let mut out = vec![0.0; batch.numel() * m * n];
    for (at, out) in out.iter_mut().enumerate() {
        let (item, row, col) = (at / (m * n), at / n % m, at % n);
        *out = (0..k).map(|p| x[(item * m + row) * k + p] * y[(item * k + p) * n + col]).sum();
    }
    Tensor::from_vec(out, full(m, n))
}
/// The same elements in other places: transposed, reversed, every second of a larger tensor.
fn layouts(x: &Tensor) -> Vec<Tensor> {
    let back: Vec<usize> = (0..x.rank()).rev().collect();
    let (transposed, reversed) = (x.permute(&back).force().clone() + 0.0, x.flip(()).force().clone() + 0.0);
    let mut doubled: Vec<usize> = x.shape().to_vec();
    doubled.push(1);
    let doubled = x.reshape(&doubled).broadcast_to({
        *doubled.last_mut().unwrap() = 2;
        doubled
    }) + 0.0;
    crate::force_all(&[&transposed, &reversed, &doubled]);
    vec![x.clone(), transposed.permute(&back), reversed.flip(()), doubled.select(-1, 1)]
}

#[test]
fn products_of_every_rank_and_layout() {
    let shapes: [(&[usize], &[usize]); 10] = [
        (&[3, 4], &[4, 5]),
        (&[40, 70], &[70, 33]),
        (&[2, 3, 4], &[4, 5]),
        (&[2, 1, 300], &[300, 1]),
        (&[3, 4], &[6, 4, 5]),
        (&[2, 1, 3, 4], &[5, 4, 2]),
        (&[2, 3, 20, 30], &[2, 3, 30, 17]),
        (&[2, 3, 4, 5], &[1, 1, 5, 2]),
        (&[1, 1], &[1, 1]),
        (&[7, 600], &[600, 1]),
    ];
    for (a, b) in shapes {
        let (a, b) = (numbers(a, 1), numbers(b, 2));
        let (want, got) = (product(&a, &b), a.matmul(&b));
        assert!(got.allclose(&want, 1e-12, 1e-12), "{} x {}", a.shape(), b.shape());
        for (x, y) in layouts(&a).iter().flat_map(|x| layouts(&b).into_iter().map(move |y| (x.clone(), y))) {
            assert_eq!(x.matmul(&y), got, "{} x {}: bits depend on strides", a.shape(), b.shape());
        }
        assert_eq!(with_threads(1, || a.matmul(&b)), with_threads(3, || a.matmul(&b)));
    }
}
#[test]
fn vectors_are_rows_on_the_left_and_columns_on_the_right() {
    let (a, v, w) = (numbers(&[2, 3, 4], 1), numbers(&[4], 2), numbers(&[3], 3));
    let column = a.matmul(v.reshape([4, 1]));
    assert_eq!((a.matmul(&v).shape().to_vec(), a.matmul(&v).reshape([2, 3, 1])), (vec![2, 3], column));
    let row = w.reshape([1, 3]).matmul(&a);
    assert_eq!((w.matmul(&a).shape().to_vec(), w.matmul(&a).reshape([2, 1, 4])), (vec![2, 4], row));
    assert_eq!(v.matmul(&v), v.dot(&v));
    assert_eq!(v.dot(&v).rank(), 0);
    assert_eq!(*v.linear(numbers(&[6, 4], 1), None).shape(), [6]);
    assert_eq!(*a.linear(&v, None).shape(), [2, 3]);
}
#[test]
fn sums_over_nothing_are_zero_and_empty_products_are_empty() {
    assert_eq!(F64.zeros([2, 3, 0]).matmul(F64.zeros([0, 4])), F64.zeros([2, 3, 4]));
    assert_eq!(*F64.zeros([0, 3]).matmul(F64.zeros([3, 4])).shape(), [0, 4]);
    assert_eq!(*F64.zeros([0, 2, 3]).matmul(F64.zeros([3, 4])).shape(), [0, 2, 4]);
    assert_eq!(F64.zeros([0]).dot(F64.zeros([0])).item(), 0.0);
}
#[test]
fn every_numeric_type_multiplies() {
    let a = Tensor::from([[1i64, 2], [3, 4]]);
    for dtype in [U8, I32, I64, F16, BF16, F32, F64] {
        let x = a.cast(dtype);
        assert_eq!(x.matmul(&x).cast(I64), Tensor::from([[7i64, 10], [15, 22]]), "{dtype}");
        assert_eq!(x.matmul(&x).dtype(), dtype);
    }
    assert_eq!(Tensor::from([[200u8]]).matmul(Tensor::from([[2u8]])).to_vec::<u8>(), [144]);
    assert_eq!(a.matmul(F64.ones([2, 1])), Tensor::from([[3.0f64], [7.0]]));
    // Sums of halves are rounded once: 2048 + 1 + 1 in steps of f16 would stay at 2048.
    let ones = F16.ones([2050]);
    assert_eq!(ones.dot(&ones).item(), 2050.0);
}
#[test]
fn composites_agree_with_their_formulas() {
    let (a, b) = (numbers(&[2, 3], 1), numbers(&[4, 5], 2));
    let kron = a.kron(&b).to_vec::<f64>();
    let (x, y) = (a.to_vec::<f64>(), b.to_vec::<f64>());
    for (at, got) in kron.iter().enumerate() {
        let (i, j) = (at / 15, at % 15);
        assert_eq!(*got, x[i / 4 * 3 + j / 5] * y[i % 4 * 5 + j % 5]);
    }
    assert_eq!(*numbers(&[3], 1).kron(&b).shape(), [4, 15]);
    let (a, b) = (numbers(&[3, 4], 3), numbers(&[4, 5], 4));
    let bias = numbers(&[5], 5);
    let want = &bias * 0.5 + a.matmul(&b) * 2.0;
    assert!(bias.addmm(&a, &b, 0.5, 2.0).allclose(&want, 1e-12, 0.0));
    assert!((&bias * f64::NAN).addmm(&a, &b, 0.0, 1.0).allclose(&a.matmul(&b), 1e-12, 0.0));
    assert_eq!(a.linear(b.t(), Some(&bias)), a.matmul(&b) + &bias);
}

/// Thin products, ones without terms and ones in several tiles, of every layout.
#[test]
fn a_bias_gives_the_bits_of_a_sum() {
    let x: [&[usize]; 6] = [&[7], &[3, 7], &[2, 5, 7], &[0, 7], &[1, 1000], &[300, 300]];
    for (shape, (outputs, threads)) in x.into_iter().zip([(4, 1), (5, 2), (9, 2), (3, 1), (2, 2), (130, 3)]) {
        let inputs = shape[shape.len() - 1];
        let (x, w, b) = (numbers(shape, 1), numbers(&[outputs, inputs], 2), numbers(&[2 * outputs], 3));
        for (x, w) in layouts(&x).into_iter().zip(layouts(&w)) {
            for b in [
                b.narrow(0, 0, outputs),
                b.reshape([outputs, 2]).select(-1, 1),
                b.flip(0).narrow(0, 1, outputs),
            ] {
                for dtype in [F64, F32, F16] {
                    let [x, w, b] = [&x, &w, &b].map(|t| t.cast(dtype));
                    let got = with_threads(threads, || x.linear(&w, Some(&b)).force().clone());
                    assert_eq!(got, x.matmul(w.t()) + b, "{shape:?} {outputs} {dtype}");
                }
            }
        }
    }
    let none = numbers(&[4, 0], 1).linear(numbers(&[3, 0], 1), Some(&numbers(&[3], 2)));
    assert_eq!(none, numbers(&[3], 2).broadcast_to([4, 3]));
    let repeated =
        Tensor::ones([3, 7]).linear(Tensor::ones([5, 7]), Some(&Tensor::ones([1]).broadcast_to([5])));
    assert_eq!(repeated.to_vec::<f32>(), [8.0; 15]);
}

/// An equation by definition: a sum over all values of all letters. Without ellipsis.
fn by_definition(equation: &str, operands: &[&Tensor]) -> Tensor {
    let (left, right) = equation.split_once("->").unwrap();
    let terms: Vec<&str> = left.split(',').collect();
    let mut letters: Vec<char> = right.chars().collect();
    terms.iter().flat_map(|t| t.chars()).for_each(|c| {
        if !letters.contains(&c) {
            letters.push(c);
        }
    });
    let of = |t: usize, c: char| terms[t].chars().position(|d| d == c).map(|axis| operands[t].shape()[axis]);
    let size = |c: char| (0..terms.len()).filter_map(|t| of(t, c)).max().unwrap();
    let sizes: Shape = letters.iter().map(|&c| size(c)).collect();
    let out: Shape = right.chars().map(size).collect();
    let data: Vec<Vec<f64>> = operands.iter().map(|t| t.to_vec::<f64>()).collect();
    let mut sums = vec![0.0; out.numel()];
    let inner = sizes.numel() / out.numel();
    for flat in 0..sizes.numel() {
        let mut index = vec![0; sizes.rank()];
        let mut rest = flat;
        for axis in (0..sizes.rank()).rev() {
            (index[axis], rest) = (rest % sizes[axis], rest / sizes[axis]);
        }
        let at = |t: usize| {
            terms[t].chars().zip(operands[t].shape()).fold(0, |at, (c, &n)| {
                at * n + index[letters.iter().position(|&d| d == c).unwrap()].min(n - 1)
            })
        };
        sums[flat / inner] += (0..terms.len()).map(|t| data[t][at(t)]).product::<f64>();
    }
    Tensor::from_vec(sums, out)
}
#[test]
fn einsum_is_its_definition() {
    let cases: [(&str, &[&[usize]]); 20] = [
        ("ij,jk->ik", &[&[2, 3], &[3, 4]]),
        ("ij,jk->ki", &[&[2, 3], &[3, 4]]),
        ("ij,kj->", &[&[2, 3], &[4, 3]]),
        ("ii->", &[&[3, 3]]),
        ("ii->i", &[&[3, 3]]),
        ("iij->ji", &[&[3, 3, 2]]),
        ("ijiji->j", &[&[2, 3, 2, 3, 2]]),
        ("i,j->ij", &[&[2], &[3]]),
        ("i,i,i->i", &[&[3], &[3], &[3]]),
        ("bi,bi->b", &[&[2, 3], &[2, 3]]),
        ("bhqd,bhkd->bhqk", &[&[2, 3, 4, 5], &[2, 3, 6, 5]]),
        ("bij,bjk,bkl->bil", &[&[2, 3, 4], &[2, 4, 5], &[2, 5, 2]]),
        ("ab,bc,cd,de->ea", &[&[2, 3], &[3, 4], &[4, 5], &[5, 2]]),
        ("bn,anm,bm->ba", &[&[2, 3], &[4, 3, 5], &[2, 5]]),
        ("ij,jk->ik", &[&[2, 1], &[3, 4]]),
        ("bij,bjk->ik", &[&[1, 2, 3], &[4, 3, 5]]),
        ("ijk->k", &[&[2, 3, 4]]),
        ("ij,k->", &[&[2, 3], &[4]]),
        ("i,->i", &[&[3], &[]]),
        ("Ab,bA->A", &[&[2, 3], &[3, 2]]),
    ];
    for (equation, shapes) in cases {
        let operands: Vec<Tensor> =
            shapes.iter().zip(1..).map(|(shape, seed)| numbers(shape, seed)).collect();
        let by_ref: Vec<&Tensor> = operands.iter().collect();
        let (got, want) = (Tensor::einsum(equation, &operands), by_definition(equation, &by_ref));
        assert!(
            got.allclose(&want, 1e-12, 1e-12),
            "{equation}: {:?} is not {:?}",
            got.to_vec::<f64>(),
            want.to_vec::<f64>()
        );
        assert_eq!(Tensor::einsum(&equation.replace("->", " -> ").replace(',', " , "), &by_ref), got);
    }
}
#[test]
fn einsum_reads_ellipses_and_what_is_implied() {
    let (a, b) = (numbers(&[2, 3, 4, 5], 1), numbers(&[3, 5, 2], 2));
    let product = a.matmul(&b);
    assert_eq!(Tensor::einsum("...ij,...jk->...ik", &[&a, &b]), product);
    assert_eq!(Tensor::einsum("...ij,...jk", &[&a, &b]), product);
    assert_eq!(Tensor::einsum("i...j->j...i", &[&a]), a.transpose(0, 3));
    assert!(Tensor::einsum("...i->i", &[&a]).allclose(&a.sum([0, 1, 2]), 1e-12, 0.0));
    let c = numbers(&[2, 3], 3);
    assert_eq!(Tensor::einsum("ba", &[&c]), c.t());
    assert_eq!(Tensor::einsum("ij,jk", &[&c, &c.t()]), Tensor::einsum("ij,jk->ik", &[&c, &c.t()]));
    let integers = Tensor::from([[1i32, 2], [3, 4]]);
    assert_eq!(Tensor::einsum("ij->", &[&integers]), Tensor::from(10i32));
}
#[test]
fn what_does_not_fit_is_refused() {
    #[track_caller]
    fn refused(f: impl FnOnce() -> Tensor, said: &str) {
        assert_eq!(attempt(f).unwrap_err().to_string(), said);
    }
    let t = |shape: &[usize]| F32.zeros(shape);
    let inner = "the last of the left must equal the last but one of the right";
    let said = format!("matmul: inner dimensions differ: [2, 3] x [4, 5] has 3 and 4; {inner}");
    refused(|| t(&[2, 3]).matmul(t(&[4, 5])), &said);
    let inner = "the last of the left must equal the last of the right";
    let said = format!("linear: inner dimensions differ: [2, 3] x [4, 2] has 3 and 2; {inner}");
    refused(|| t(&[2, 3]).linear(t(&[4, 2]), None), &said);
    let said = format!("dot: inner dimensions differ: [3] x [4] has 3 and 4; {inner}");
    refused(|| t(&[3]).dot(t(&[4])), &said);
    let right = "axes before the last two must be equal or 1";
    let said = format!("matmul: batch axes do not broadcast: [2, 2, 3] x [3, 3, 2]; {right}");
    refused(|| t(&[2, 2, 3]).matmul(t(&[3, 3, 2])), &said);
    let right = "both need at least one axis; use * to multiply by a number";
    refused(|| t(&[3]).matmul(2.0), &format!("matmul: a scalar is no matrix: [3] x []; {right}"));
    let right = "it takes tensors of rank 3 and 3; matmul takes any ranks";
    refused(|| t(&[3]).bmm(t(&[3])), &format!("bmm: wrong number of axes: [3] x [3]; {right}"));
    refused(|| t(&[2, 2]).outer(t(&[3])), "outer: not two vectors: [2, 2] x [3]; each has one axis");
    let said = "matmul: float types differ: f32 and f64; cast one of them, as in x.cast(F64)";
    refused(|| t(&[2, 2]).matmul(F64.zeros([2, 2])), said);
    let of = |equation: &'static str, a: &[usize], b: &[usize]| {
        let (a, b) = (t(a), t(b));
        move || Tensor::einsum(equation, &[a, b])
    };
    let said =
        "einsum: sizes of one subscript differ: `j` of \"ij,jk->ik\" has 3 and 4; they must be equal or 1";
    refused(of("ij,jk->ik", &[2, 3], &[4, 2]), said);
    let given = "`ij` of \"ij,jk->ik\" for shape [2]; each axis has one subscript";
    refused(of("ij,jk->ik", &[2], &[4, 2]), &format!("einsum: a term does not fit its operand: {given}"));
    let given = "\"ij\" has 1 terms, there are 2 operands; each operand has one term";
    refused(of("ij", &[2, 2], &[2, 2]), &format!("einsum: terms and operands differ in number: {given}"));
    let said = "einsum: a subscript twice in the result: i,j->ii; each may stand there once";
    refused(of("i,j->ii", &[2], &[2]), said);
    let said =
        "einsum: no subscript: `*` in i*j,j; a subscript is a letter a-z or A-Z, an ellipsis is three dots";
    refused(of("i*j,j", &[2], &[2]), said);
    let said = "einsum: a diagonal of unequal axes: `ii` of \"ii,j\" has 2 and 3; they must be equal";
    refused(of("ii,j", &[2, 3], &[2]), said);
}
