//! Data sets, batches, the digits reader and what it refuses, metrics.

#![cfg(feature = "data")]

use flate2::Compression;
use flate2::write::GzEncoder;
use retrograd_nn::data::{Split, TensorDataset, digits};
use retrograd_nn::metrics::{ConfusionMatrix, accuracy};
use retrograd_tensor::{ErrorKind, I64, Rng, Tensor};
use std::io::Write;
use std::path::{Path, PathBuf};

const DIGITS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/data/digits.csv.gz");

/// A file of its own for each test, gone at the end.
struct TempFile(PathBuf);

impl TempFile {
    fn new(name: &str, content: &[u8]) -> Self {
        let path = std::env::temp_dir().join(format!("retrograd-{}-{name}", std::process::id()));
        std::fs::write(&path, content).unwrap();
        Self(path)
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn gzipped(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn line(pixel: &str, label: &str) -> String {
    format!("{}{label}\n", format!("{pixel},").repeat(64))
}

#[track_caller]
fn refused(path: &Path, kind: ErrorKind, problem: &str) {
    let error = digits(path).unwrap_err();
    let message = error.to_string();
    assert!(message.contains(problem) && message.contains(&path.display().to_string()), "{message}");
    assert_eq!(error.kind(), kind, "{message}");
}

#[test]
fn digits_are_split_and_scaled() {
    let Split { train, test } = digits(DIGITS).unwrap();
    assert_eq!((train.x.shape()[..].to_vec(), test.x.shape()[..].to_vec()), (vec![1437, 64], vec![360, 64]));
    assert_eq!((train.x.amax(()).item(), train.x.amin(()).item()), (1.0, 0.0));
    assert_eq!(train.y.dtype(), I64);
    // The file begins with the digits 0 to 9 in order.
    assert_eq!(test.y.to_vec::<i64>()[..2], [0, 5]);
    assert_eq!(train.y.to_vec::<i64>()[..4], [1, 2, 3, 4]);
}

#[test]
fn files_that_are_wrong_are_errors_with_their_place() {
    refused(Path::new("no/such/file.csv"), ErrorKind::Io, "cannot be opened");
    let good = line("16", "9");
    let plain = TempFile::new("plain.csv", good.as_bytes());
    assert_eq!(digits(&plain.0).unwrap().test.y.to_vec::<i64>(), [9]);
    let cases = [
        ("short.csv", format!("{good}1,2,3\n"), "line 2: wrong number of fields: 3"),
        (
            "word.csv",
            format!("{good}{good}{}", line("x", "1")),
            "line 3: field 1 is no whole number from 0 to 16: \"x\"",
        ),
        ("dark.csv", line("17", "1"), "line 1: field 1 is no whole number from 0 to 16"),
        ("label.csv", line("0", "10"), "line 1: field 65 is no whole number from 0 to 9"),
        ("real.csv", line("0.5", "1"), "line 1: field 1 is no whole number"),
        ("empty.csv", String::new(), "is empty"),
    ];
    for (name, text, problem) in cases {
        refused(&TempFile::new(name, text.as_bytes()).0, ErrorKind::Format, problem);
        refused(&TempFile::new(&format!("{name}.gz"), &gzipped(&text)).0, ErrorKind::Format, problem);
    }
    refused(
        &TempFile::new("bytes.csv", b"\xff\xfe,1\n").0,
        ErrorKind::Format,
        "is no table of text after line 0",
    );
}

#[test]
fn a_cut_off_file_is_an_error() {
    let whole = std::fs::read(DIGITS).unwrap();
    let file = TempFile::new("cut.csv.gz", &whole[..whole.len() / 2]);
    refused(&file.0, ErrorKind::Format, "ends too early: after line ");
    let mut damaged = whole.clone();
    damaged[20_000..20_050].fill(0x55);
    assert!(digits(&TempFile::new("damaged.csv.gz", &damaged).0).is_err());
    assert!(digits(&TempFile::new("text.csv.gz", b"not gzip at all").0).is_err());
}

#[test]
fn batches_give_every_sample_once_in_random_order() {
    let y: Vec<i64> = (0..10).collect();
    let data = TensorDataset::new(Tensor::from(y.clone()) * 10, Tensor::from(y.clone()));
    let mut rng = Rng::new(2);
    let passes: Vec<Vec<i64>> = (0..2)
        .map(|_| {
            let batches = data.batches(4, &mut rng);
            assert_eq!(batches.len(), 3);
            batches
                .flat_map(|(x, y)| {
                    assert_eq!(x, &y * 10);
                    y.to_vec::<i64>()
                })
                .collect()
        })
        .collect();
    assert_ne!(passes[0], passes[1]);
    for mut pass in passes {
        pass.sort_unstable();
        assert_eq!(pass, y);
    }
}

#[test]
fn metrics_count() {
    let scores = Tensor::from([[0.1f32, 0.8, 0.1], [0.9, 0.0, 0.1], [0.2, 0.3, 0.5], [0.2, 0.3, 0.5]]);
    let labels = Tensor::from([1i64, 0, 0, 2]);
    assert_eq!(accuracy(&scores, &labels), 0.75);
    assert_eq!(accuracy(&Tensor::from([true, false]), &Tensor::from([1f32, 1.0])), 0.5);
    let matrix = ConfusionMatrix::of(3, &scores, &labels);
    assert_eq!((matrix.total(), matrix.count(0, 2), matrix.accuracy()), (4, 1, 0.75));
    assert_eq!((matrix.precision(2), matrix.recall(0), matrix.recall(2)), (0.5, 0.5, 1.0));
    let table = "label \\ predicted  0  1  2  recall
                0  1  .  1   0.500
                1  .  1  .   1.000
                2  .  .  1   1.000
";
    assert_eq!(matrix.to_string(), table);
}
