//! Passes over memory: rows are folded as the elements say, and operands read alike however they lie.
use retrograd_tensor::{F32, F64, Tensor};

/// Distinct numbers.
fn numbers(n: usize) -> Vec<f64> {
    (0..n).map(|i| ((i * 7919) % 9973) as f64 * 1e-3 - 5.0).collect()
}

#[test]
fn extremes_are_exact_and_one_nan_anywhere_is_enough() {
    // Within a lane group, across one, and across the 512 elements of a chunk.
    for n in [1, 2, 10, 31, 32, 33, 511, 512, 513, 1100] {
        let clean = numbers(n);
        let (low, high) = clean.iter().fold((f64::MAX, f64::MIN), |(l, h), &v| (l.min(v), h.max(v)));
        for dtype in [F32, F64] {
            let row = Tensor::from_slice(&clean, [1, n]).cast(dtype);
            let number = |v: f64| Tensor::from(v).cast(dtype).cast(F64).item();
            for x in [row.clone(), row.t()] {
                assert_eq!(
                    (x.amax(()).cast(F64).item(), x.amin(()).cast(F64).item()),
                    (number(high), number(low))
                );
            }
        }
        for at in [0, n / 3, n / 2, n - 1] {
            let mut data = clean.clone();
            data[at] = f64::NAN;
            for dtype in [F32, F64] {
                let row = Tensor::from_slice(&data, [1, n]).cast(dtype);
                let (wide, tall) = (row.expand([3, n]).contiguous(), row.t().expand([n, 40]).contiguous());
                for y in [wide.amax(1), wide.amin(1), tall.amax(0), tall.amin(0)] {
                    assert!(y.isnan().all(()).item() != 0.0, "NaN at {at} of {n}");
                }
            }
        }
    }
}

#[test]
fn turned_operands_give_the_bits_of_dense_ones() {
    for (rows, columns) in [(4, 300), (300, 4), (130, 257), (300, 300)] {
        let x = Tensor::from_slice(&numbers(rows * columns), [rows, columns]).cast(F32);
        let batch = Tensor::from_slice(&numbers(3 * rows * columns), [3, rows, columns]);
        let (turned, dense) = (x.t(), x.t().contiguous());
        let row = Tensor::from_slice(&numbers(rows), [rows]).cast(F32);
        let bits = |x: &Tensor| -> Vec<Vec<u64>> {
            let results = [
                x * 2.0 + x,
                x + &row,
                x.sum(1).expand([2, x.shape()[0]]).contiguous(),
                x.softmax(1),
                x.sum(0),
            ];
            results
                .iter()
                .map(|y| y.cast(F64).to_vec::<f64>().iter().map(|v| v.to_bits()).collect())
                .collect()
        };
        assert_eq!(bits(&turned), bits(&dense));
        let data = numbers(rows * columns);
        let expected: Vec<f64> = (0..rows * columns)
            .map(|i| f64::from(data[i % rows * columns + i / rows] as f32 + 1.0))
            .collect();
        assert_eq!((&turned + 1.0).cast(F64).to_vec::<f64>(), expected);
        let outer = batch.permute([2, 0, 1]);
        assert_eq!((&outer + 1.0).to_vec::<f64>(), (&outer.contiguous() + 1.0).to_vec::<f64>());
    }
}
