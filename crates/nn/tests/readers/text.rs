//! Text, vocabularies and windows.

use crate::files::{TempFolder, gzipped, refused};
use retrograd_nn::data::{DataLoader, Dataset, Vocabulary, Windows, read_text};
use retrograd_tensor::{ErrorKind, F32, I64, Rng, Tensor, attempt};

const NOVEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/data/northanger-abbey.txt.gz");

#[test]
fn a_novel_goes_through_ids_and_back() {
    let text = read_text(NOVEL).unwrap();
    assert!(text.is_ascii() && text.len() > 400_000);
    let vocabulary = Vocabulary::of(&text);
    assert_eq!(vocabulary.decode(&vocabulary.encode(&text).unwrap()), text);
    assert_eq!(vocabulary.characters().len(), vocabulary.len());
    let greek = Vocabulary::of("αβγ\n");
    assert_eq!(greek.encode("γ\nα").unwrap().to_vec::<i64>(), [3, 0, 1]);
    let e = greek.encode("αx").unwrap_err();
    assert!(e.detail().contains("'x' at place 1"), "{e}");
    let e = attempt(|| greek.decode(&Tensor::from([4i64]))).unwrap_err();
    assert_eq!((e.kind(), e.detail()), (ErrorKind::Index, "no id: 4; ids lie in 0..4"));
    assert!(attempt(|| greek.decode(&Tensor::from([-1i64]))).is_err());
    assert!(attempt(|| greek.decode(&Tensor::from([0.5f32]))).is_err());
}

#[test]
fn files_that_are_no_text_are_refused() {
    let folder = TempFolder::new("text");
    let path = folder.file("a.txt", b"one\ntwo\xff");
    refused(
        read_text(&path),
        &path,
        ErrorKind::Format,
        &["is not UTF-8: line 2, byte 7 of the file is 0xff"],
    );
    let whole = gzipped("some text. ".repeat(3000).as_bytes());
    let path = folder.file("cut.gz", &whole[..whole.len() - 20]);
    refused(read_text(&path), &path, ErrorKind::Format, &["ends too early: at byte "]);
}

#[test]
fn windows_slide_and_have_what_follows() {
    let ids = I64.arange(0, 11, 1);
    let windows = Windows::new(ids.clone(), 3);
    assert_eq!(windows.len(), 3);
    let starts = |stride| {
        let windows = Windows::new(ids.clone(), 3).stride(stride);
        let batch = DataLoader::new(windows.clone()).batch_size(20).batches().next().unwrap().unwrap();
        for (at, (x, y)) in (0..windows.len()).map(|at| (at, windows.get(at).unwrap())) {
            assert_eq!(batch.0.select(0, at), x);
            assert_eq!(batch.1.select(0, at), y);
            assert_eq!(y, &x + 1);
        }
        batch.0.select(1, 0).to_vec::<i64>()
    };
    assert_eq!(starts(3), [0, 3, 6]);
    assert_eq!(starts(1), [0, 1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(starts(4), [0, 4]);

    let (x, y) = windows.random_batch(500, &mut Rng::new(0));
    assert_eq!((&x + 1, x.size(1)), (y, 3));
    let mut starts = x.select(1, 0).to_vec::<i64>();
    starts.sort_unstable();
    starts.dedup();
    assert_eq!(starts, (0..8).collect::<Vec<_>>());

    assert!(Windows::new(ids.clone(), 11).is_empty());
    assert!(attempt(|| Windows::new(ids.clone(), 11).random_batch(1, &mut Rng::new(0))).is_err());
    assert!(attempt(|| Windows::new(ids.clone(), 0)).is_err());
    assert!(attempt(|| Windows::new(ids.clone(), 1).stride(0)).is_err());
    assert!(attempt(|| Windows::new(ids.cast(F32), 1)).is_err());
}
