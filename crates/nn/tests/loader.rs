//! Loaders: order, random streams, workers, positions; samplers; sets made of others.

#![cfg(feature = "data")]

use retrograd_nn::StateDict;
use retrograd_nn::data::{
    ConcatDataset, DataLoader, Dataset, RandomSampler, Sampler, Subset, TensorDataset, WeightedRandomSampler,
    random_split,
};
use retrograd_tensor::hidden;
use retrograd_tensor::{Error, ErrorKind, F32, I64, Rng, Tensor, attempt};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

type Batch = (Tensor, Tensor);

fn numbers(n: i64) -> TensorDataset {
    let y = I64.arange(0, n, 1);
    TensorDataset::new(y.cast(F32).unsqueeze(1).broadcast_to([n as usize, 3]), y)
}

/// A loader whose samples have noise of their own.
fn noisy(workers: usize) -> DataLoader<Batch, Batch> {
    DataLoader::new(numbers(50))
        .batch_size(7)
        .shuffle(true)
        .seed(11)
        .map(|(x, y), rng| (&x + x.randn_like(rng), y))
        .workers(workers)
}

fn all(loader: &mut DataLoader<Batch, Batch>) -> Vec<Batch> {
    loader.batches().collect::<Result<_, _>>().unwrap()
}

fn ids(batches: &[Batch]) -> Vec<i64> {
    batches.iter().flat_map(|(_, y)| y.to_vec::<i64>()).collect()
}

#[test]
fn order_and_bits_are_the_same_at_any_number_of_workers() {
    let mut alone = noisy(0);
    let wanted: Vec<Vec<Batch>> = (0..3).map(|_| all(&mut alone)).collect();
    assert_ne!(ids(&wanted[0]), ids(&wanted[1]));
    let mut sorted = ids(&wanted[0]);
    sorted.sort_unstable();
    assert_eq!(sorted, (0..50).collect::<Vec<_>>());
    for workers in [1, 2, 5] {
        let mut loader = noisy(workers).prefetch_factor(3);
        for epoch in &wanted {
            assert_eq!(all(&mut loader), *epoch, "{workers} workers");
        }
    }
    // Noise follows the place in the epoch, not the batch.
    let whole = all(&mut noisy(2).batch_size(50));
    assert_eq!(whole[0].0, Tensor::cat(&wanted[0].iter().map(|(x, _)| x).collect::<Vec<_>>(), 0));
}

#[test]
fn workers_leave_nothing_to_compute() {
    for (x, y) in all(&mut noisy(2)) {
        assert!(!hidden::is_pending(&x) && !hidden::is_pending(&y));
    }
}

#[test]
fn a_run_that_was_stopped_gets_exactly_the_batches_that_were_left() {
    for (before, after) in [(0, 0), (3, 0), (0, 3), (2, 4)] {
        let mut first = noisy(before);
        let given: Vec<Batch> = first.batches().take(3).collect::<Result<_, _>>().unwrap();
        let state = first.state_dict();
        assert_eq!(state["position"].item(), 21.0);

        let mut second = noisy(after).seed(0);
        second.load_state_dict(&state).unwrap();
        let rest = all(&mut second);
        assert_eq!(rest.len(), 5);
        let whole = all(&mut noisy(0));
        assert_eq!([given, rest].concat(), whole);
        assert_eq!(second.epoch(), 1);

        // The loop that was left goes on too, and both agree on the next epoch.
        assert_eq!(all(&mut first).len(), 5);
        assert_eq!(all(&mut first), all(&mut second));
    }
}

#[test]
fn a_position_behind_the_last_batch_ends_the_epoch() {
    for drop_last in [false, true] {
        let mut loader = noisy(2).drop_last(drop_last);
        let batches = loader.len();
        assert_eq!(batches, if drop_last { 7 } else { 8 });
        assert!(loader.batches().take(batches).all(|batch| batch.is_ok()));
        let state = loader.state_dict();
        assert_eq!(
            (state["epoch"].item(), state["position"].item()),
            (0.0, if drop_last { 49.0 } else { 50.0 })
        );
        let mut other = noisy(0).drop_last(drop_last);
        other.load_state_dict(&state).unwrap();
        assert!(all(&mut other).is_empty());
        assert_eq!(other.epoch(), 1);
        loader.set_epoch(1);
        assert_eq!(all(&mut other), all(&mut loader));
    }
}

#[test]
fn batches_are_counted() {
    let mut loader = noisy(2);
    let mut batches = loader.batches();
    assert_eq!(batches.len(), 8);
    let _ = batches.next().unwrap().unwrap();
    assert_eq!(batches.len(), 7);
    drop(batches);
    assert_eq!(loader.batches().len(), 7);
    let mut batches = loader.batches();
    assert_eq!(batches.by_ref().count(), 7);
    // The iterator ends with its epoch.
    assert!(batches.next().is_none() && batches.len() == 0);
    assert!(DataLoader::new(numbers(3)).batch_size(4).drop_last(true).is_empty());
}

#[test]
fn a_state_that_does_not_fit_changes_nothing() {
    let mut loader = noisy(0);
    let _ = loader.batches().next();
    let state = loader.state_dict();
    let mut wrong = state.clone();
    wrong.remove("seed");
    wrong.insert("position".to_owned(), Tensor::from(-1i64));
    wrong.insert("samples".to_owned(), Tensor::from(49i64));
    wrong.insert("epoch".to_owned(), Tensor::from(0.0f32));
    wrong.insert("extra".to_owned(), Tensor::from(0i64));
    let e = loader.load_state_dict(&wrong).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Format);
    for problem in [
        "`seed` is missing",
        "`epoch` is f32",
        "`position` is negative: -1",
        "`samples` is 49, but the data set has 50",
        "`extra` is unexpected",
        "the loader is unchanged",
    ] {
        assert!(e.detail().contains(problem), "{problem}: {e}");
    }
    assert_eq!(loader.state_dict(), state);
    assert!(loader.load_state_dict(&StateDict::new()).is_err());
}

/// Numbers of which some cannot be read.
struct Fragile;

impl Dataset for Fragile {
    type Item = i64;

    fn len(&self) -> usize {
        9
    }

    fn get(&self, index: usize) -> Result<i64, Error> {
        if index == 4 {
            return Err(Error::new("Fragile", ErrorKind::Io, "sample 4 is gone"));
        }
        Ok(index as i64)
    }
}

#[test]
fn a_batch_that_cannot_be_loaded_is_an_error_in_its_place() {
    for workers in [0, 2] {
        let mut loader = DataLoader::new(Fragile).batch_size(2).workers(workers);
        let batches: Vec<Result<Tensor, Error>> = loader.batches().collect();
        assert_eq!(batches.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, true, false, true, true]);
        assert_eq!(batches[2].as_ref().unwrap_err().detail(), "sample 4 is gone");
        assert_eq!(batches[3].as_ref().unwrap().to_vec::<i64>(), [6, 7]);
    }
}

#[test]
fn misuse_in_a_worker_is_reported_in_the_loop() {
    for workers in [0, 2] {
        let misused = |(x, y): Batch, _: &mut Rng| (x.reshape([7]), y);
        let mut loader = DataLoader::new(numbers(4)).map(misused).workers(workers);
        let e = attempt(|| loader.batches().count()).unwrap_err();
        assert_eq!((e.op(), e.kind()), ("reshape", ErrorKind::Shape));
    }
    let mut loader = DataLoader::new(numbers(4)).map(|_, _| -> Tensor { panic!("mine") }).workers(1);
    let payload =
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| loader.batches().count())).unwrap_err();
    assert_eq!(payload.downcast_ref::<&str>(), Some(&"mine"));
}

#[test]
fn workers_load_ahead_but_not_too_far() {
    let loaded = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&loaded);
    let counting = move |sample: Batch, _: &mut Rng| {
        count.fetch_add(1, Ordering::SeqCst);
        sample
    };
    let mut loader = DataLoader::new(numbers(40)).map(counting).workers(2).prefetch_factor(3);
    let mut batches = loader.batches();
    let _ = batches.next().unwrap().unwrap();
    // The first batch and those on their way are six.
    for _ in 0..500 {
        if loaded.load(Ordering::SeqCst) == 6 {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    std::thread::sleep(std::time::Duration::from_millis(30));
    assert_eq!(loaded.load(Ordering::SeqCst), 6);
    drop(batches);
    assert_eq!(loader.state_dict()["position"].item(), 1.0);
}

#[test]
fn samples_that_do_not_fit_each_other_are_an_error() {
    let grow = |(_, y): Batch, _: &mut Rng| Tensor::zeros([1 + y.item() as usize]);
    let e = DataLoader::new(numbers(2)).map(grow).batch_size(2).batches().next().unwrap().unwrap_err();
    assert!(e.detail().contains("f32 [2] at place 1 of the batch, f32 [1] at place 0"), "{e}");
}

#[test]
fn draws_follow_their_weights() {
    let weights = [1.0, 2.0, 0.0, 5.0];
    let sampler = WeightedRandomSampler::new(weights, 80_000, true);
    let mut counts = [0f64; 4];
    for index in sampler.order(4, &mut Rng::new(3)) {
        counts[index] += 1.0 / 10_000.0;
    }
    for (count, weight) in counts.iter().zip(weights) {
        assert!((count - weight).abs() < 0.06, "{counts:?}");
    }

    // Without replacement: the first by weight, the second by the weights that are left.
    let sampler = WeightedRandomSampler::new(weights, 2, false);
    let mut pairs = [[0f64; 4]; 4];
    let mut rng = Rng::new(4);
    for _ in 0..20_000 {
        let order = sampler.order(4, &mut rng);
        pairs[order[0]][order[1]] += 1.0 / 20_000.0;
    }
    for first in 0..4 {
        for second in 0..4 {
            let wanted = if first == second {
                0.0
            } else {
                weights[first] / 8.0 * weights[second] / (8.0 - weights[first])
            };
            assert!((pairs[first][second] - wanted).abs() < 0.012, "{first}, {second}: {pairs:?}");
        }
    }
    let large = WeightedRandomSampler::new([f64::MAX, f64::MAX], 100, true).order(2, &mut Rng::new(0));
    assert!(large.contains(&0) && large.contains(&1));
}

#[test]
fn draws_that_are_not_possible_are_refused() {
    let refused = |weights: &[f64], draws, replacement| {
        attempt(|| WeightedRandomSampler::new(weights, draws, replacement)).unwrap_err().detail().to_owned()
    };
    assert!(refused(&[1.0, -1.0], 1, true).starts_with("no weight: -1 at position 1"));
    assert!(refused(&[f64::NAN], 1, true).starts_with("no weight: NaN"));
    assert!(refused(&[1.0, 0.0], 2, false).starts_with("too many draws: 2 of 1"));
    assert!(refused(&[0.0], 1, true).starts_with("too many draws: 1 of 0"));
    let sampler = WeightedRandomSampler::new([1.0], 1, true);
    let e = attempt(|| DataLoader::new(numbers(2)).sampler(sampler).batches().count()).unwrap_err();
    assert!(e.detail().starts_with("weights do not fit: 1 for 2 samples"));
    let outside = |_: usize, _: &mut Rng| vec![0, 2];
    let e = attempt(|| DataLoader::new(numbers(2)).sampler(outside).batches().count()).unwrap_err();
    assert_eq!((e.kind(), e.detail().starts_with("position out of range: 2 of 2")), (ErrorKind::Index, true));
    assert!(attempt(|| DataLoader::new(numbers(2)).batch_size(0)).is_err());
    assert!(attempt(|| DataLoader::new(numbers(2)).prefetch_factor(0)).is_err());
}

#[test]
fn draws_with_replacement_get_noise_of_their_own() {
    let same = |_: usize, _: &mut Rng| vec![1; 4];
    let mut loader =
        DataLoader::new(numbers(2)).sampler(same).batch_size(4).map(|(x, _), rng| x.randn_like(rng));
    let x = loader.batches().next().unwrap().unwrap();
    assert_ne!(x.select(0, 0), x.select(0, 1));
    let order = RandomSampler::with_replacement(100).order(3, &mut Rng::new(0));
    assert!((0..3).all(|index| order.contains(&index)) && order.iter().all(|&index| index < 3));
    assert!(RandomSampler::with_replacement(5).order(0, &mut Rng::new(0)).is_empty());
}

#[test]
fn sets_are_made_of_others() {
    let parts = random_split(numbers(10), &[6, 0, 4], &mut Rng::new(5));
    assert_eq!(parts.iter().map(Dataset::len).collect::<Vec<_>>(), [6, 0, 4]);
    let together = ConcatDataset::new(parts);
    let mut loader = DataLoader::new(together).batch_size(4);
    let mut found = ids(&all(&mut loader));
    assert_ne!(found, (0..10).collect::<Vec<_>>());
    found.sort_unstable();
    assert_eq!(found, (0..10).collect::<Vec<_>>());
    assert!(attempt(|| random_split(numbers(10), &[6, 3], &mut Rng::new(5))).is_err());
    assert!(attempt(|| Subset::new(numbers(2), [2])).is_err());
    let mixed: [Box<dyn Dataset<Item = Batch>>; 2] =
        [Box::new(numbers(2)), Box::new(Subset::new(numbers(5), [4]))];
    assert_eq!(ids(&all(&mut DataLoader::new(ConcatDataset::new(mixed)))), [0, 1, 4]);
}
