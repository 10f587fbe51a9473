//! Transforms of samples: where pixels go, and what is drawn.

use retrograd_nn::data::{
    DataLoader, Normalize, OneHot, RandomCrop, RandomHorizontalFlip, RandomRotation, RandomVerticalFlip,
    Rotate, TensorDataset, ToFloat, Transform,
};
use retrograd_tensor::{F32, F64, I64, PadMode, Rng, Tensor, attempt};

fn image(height: usize, width: usize) -> Tensor {
    F64.arange(0, (height * width) as i64, 1).reshape([1, height, width])
}

#[track_caller]
fn near(a: &Tensor, b: &Tensor) {
    assert_eq!(a.shape(), b.shape());
    assert!((a - b).abs().amax(()).item() < 1e-9, "{a}\n{b}");
}

#[test]
fn turns_by_right_angles_are_turns() {
    let (x, mut rng) = (image(5, 5), Rng::new(0));
    let turned = |degrees| Rotate::new(degrees).apply(&x, &mut Rng::new(0));
    near(&turned(0.0), &x);
    near(&turned(90.0), &x.transpose(1, 2).flip(1));
    near(&turned(-90.0), &x.transpose(1, 2).flip(2));
    near(&turned(180.0), &x.flip([1, 2]));
    near(&Rotate::new(180.0).apply(&image(3, 6), &mut rng), &image(3, 6).flip([1, 2]));
}

#[test]
fn turns_between_are_linear_in_the_pixels() {
    // A plane stays a plane where all four neighbours are inside: the value at the place that a pixel comes from.
    let (x, degrees) = (image(9, 9), 30f64);
    let y = Rotate::new(degrees).apply(&x, &mut Rng::new(0));
    let (sin, cos) = degrees.to_radians().sin_cos();
    for (row, column) in [(4, 4), (3, 5), (6, 4), (4, 1), (2, 3)] {
        let (dy, dx) = (f64::from(row) - 4.0, f64::from(column) - 4.0);
        let wanted = 9.0 * (4.0 + dx * sin + dy * cos) + 4.0 + dx * cos - dy * sin;
        let given = y.select(0, 0).select(0, row as usize).select(0, column as usize).item();
        assert!((given - wanted).abs() < 1e-9, "{row}, {column}: {given}, {wanted}");
    }
    // The corners come from outside.
    assert_eq!(y.select(0, 0).select(0, 0).select(0, 0).item(), 0.0);
    let batch = Tensor::stack(&[&x, &(&x * 2)], 0);
    near(&Rotate::new(degrees).apply(&batch, &mut Rng::new(0)).select(0, 1), &(y * 2));
    assert!(attempt(|| Rotate::new(1.0).apply(&I64.ones([2, 2]), &mut Rng::new(0))).is_err());
}

#[test]
fn crops_come_from_every_place() {
    let x = image(4, 5);
    let mut rng = Rng::new(1);
    let mut corners: Vec<i64> = Vec::new();
    for _ in 0..200 {
        let y = RandomCrop::new([3, 3]).apply(&x, &mut rng);
        let corner = y.select(0, 0).select(0, 0).select(0, 0).item() as i64;
        near(&y, &x.narrow(1, corner as usize / 5, 3).narrow(2, corner as usize % 5, 3));
        corners.push(corner);
    }
    corners.sort_unstable();
    corners.dedup();
    assert_eq!(corners, [0, 1, 2, 5, 6, 7]);
    let ones = F32.ones([2, 1, 3, 3]);
    let sums =
        (0..100).map(|_| RandomCrop::new([3, 3]).padding(1).apply(&ones, &mut rng).sum(()).item() as i64);
    let mut sums: Vec<i64> = sums.collect();
    sums.sort_unstable();
    sums.dedup();
    assert_eq!(sums, [8, 12, 18]);
    let crop = RandomCrop::new([3, 3]).padding(2).padding_mode(PadMode::Replicate);
    assert_eq!(crop.apply(&ones, &mut rng).sum(()).item(), 18.0);
    assert!(attempt(|| RandomCrop::new([6, 3]).apply(&x, &mut Rng::new(0))).is_err());
    assert!(attempt(|| RandomCrop::new([1, 1]).apply(&Tensor::ones([3]), &mut Rng::new(0))).is_err());
}

#[test]
fn flips_are_as_likely_as_asked() {
    let x = image(2, 3);
    let mut rng = Rng::new(2);
    for (flip, mirrored) in [
        (Box::new(RandomHorizontalFlip::new(0.25)) as Box<dyn Transform>, x.flip(2)),
        (Box::new(RandomVerticalFlip::new(0.25)), x.flip(1)),
    ] {
        let mut count = 0;
        for _ in 0..1000 {
            let y = flip.apply(&x, &mut rng);
            assert!(y == x || y == mirrored);
            count += usize::from(y == mirrored);
        }
        assert!((200..300).contains(&count), "{count}");
    }
    assert!(attempt(|| RandomVerticalFlip::new(1.5)).is_err());
    assert!(attempt(|| RandomRotation::new(1.0, 0.0)).is_err());
}

#[test]
fn numbers_are_normalized_by_channel() {
    let x =
        Tensor::randn([6, 3, 4, 5], &mut Rng::new(3)) * Tensor::from([[[1.0f32]], [[5.0]], [[0.0]]]) + 2.0;
    let y = Normalize::of(&x, 1).apply(&x, &mut Rng::new(0));
    let channels = y.movedim(1, 0).reshape([3, 120]);
    assert!(channels.mean(1).abs().amax(()).item() < 1e-5);
    let std = channels.std(1, 0).to_vec::<f32>();
    assert!((std[0] - 1.0).abs() < 1e-5 && (std[1] - 1.0).abs() < 1e-5 && std[2] < 1e-5, "{std:?}");
    // The same of a sample alone.
    assert_eq!(Normalize::of(&x, 1).apply(&x.select(0, 2), &mut Rng::new(0)), y.select(0, 2));
    assert!(attempt(|| Normalize::new([0.0], [0.0])).is_err());
    assert!(attempt(|| Normalize::new([0.0], [1.0, 1.0])).is_err());
    assert!(attempt(|| Normalize::new([0.0; 2], [1.0; 2]).apply(&x, &mut Rng::new(0))).is_err());
    assert!(attempt(|| Normalize::new([0.0], [1.0]).apply(&Tensor::ones([1]), &mut Rng::new(0))).is_err());
    assert_eq!(ToFloat::of(65535.0).apply(&Tensor::from([65535i32]), &mut Rng::new(0)).item(), 1.0);
    assert!(attempt(|| OneHot::new(2).apply(&Tensor::from([2i64]), &mut Rng::new(0))).is_err());
}

#[cfg(feature = "data")]
#[test]
fn augmented_batches_are_the_same_at_any_number_of_workers() {
    let data = TensorDataset::new(Tensor::rand([20, 1, 8, 8], &mut Rng::new(4)), I64.arange(0, 20, 1));
    let epochs = |workers, size| {
        let augment = RandomHorizontalFlip::new(0.5)
            .then(RandomRotation::new(-20.0, 20.0))
            .then(RandomCrop::new([8, 8]).padding(1));
        let loader = DataLoader::new(data.clone()).batch_size(size).shuffle(true).seed(9).workers(workers);
        let mut loader = loader.map(move |(x, y), rng| (augment.apply(&x, rng), y));
        let mut epoch = || {
            let images = loader.batches().map(|batch| batch.unwrap().0).collect::<Vec<_>>();
            Tensor::cat(&images, 0).to_vec::<f32>()
        };
        [epoch(), epoch()]
    };
    let wanted = epochs(0, 5);
    assert_ne!(wanted[0], wanted[1]);
    for (workers, size) in [(1, 5), (3, 5), (2, 20), (4, 1)] {
        assert_eq!(epochs(workers, size), wanted);
    }
}
