//! Handwritten digits, 8x8: a CSV file, gzipped or not, of 64 pixels from 0 to 16 and a label in each line.

use super::source::{Source, fail};
use super::tensors::{Split, TensorDataset};
use csv::{ErrorKind as CsvErrorKind, ReaderBuilder, StringRecord};
use retrograd_tensor::{Error, ErrorKind, Tensor};
use std::io;
use std::path::Path;

const OP: &str = "digits";
const PIXELS: usize = 64;
const DARKEST: u8 = 16;
const CLASSES: u8 = 10;

/// The digits in the file at `path`: `x` `[samples, 64]` in `f32`, pixels divided by 16, and labels `y` in
/// `i64`. Every fifth sample, from the first, is in the test set, as in the reference figures.
///
/// # Errors
/// With file and line, if the file is missing, ends too early, is empty, or holds anything but 65 whole numbers
/// in range on each line.
pub fn digits(path: impl AsRef<Path>) -> Result<Split, Error> {
    let path = path.as_ref();
    let source = Source::open(OP, path)?;
    Ok(read(path, source)?.split(|position| position % 5 == 0))
}

fn read(path: &Path, source: Source) -> Result<TensorDataset, Error> {
    let mut reader = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(source);
    let mut record = StringRecord::new();
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    loop {
        match reader.read_record(&mut record) {
            Ok(true) => {
                let line = record.position().map_or(0, csv::Position::line);
                let label = parse(&record, &mut pixels).map_err(|problem| {
                    fail(OP, path, ErrorKind::Format, &format!("line {line}: {problem}"))
                })?;
                labels.push(label);
            }
            Ok(false) => break,
            Err(e) => return Err(unreadable(path, labels.len(), &e)),
        }
    }
    if labels.is_empty() {
        return Err(fail(OP, path, ErrorKind::Format, "is empty: no line; 65 numbers on each"));
    }
    let samples = labels.len();
    Ok(TensorDataset::new(Tensor::from_vec(pixels, [samples, PIXELS]), Tensor::from_vec(labels, [samples])))
}

/// Appends the pixels of a line and returns its label.
fn parse(record: &StringRecord, pixels: &mut Vec<f32>) -> Result<i64, String> {
    if record.len() != PIXELS + 1 {
        return Err(format!("wrong number of fields: {}; 64 pixels and a label are 65", record.len()));
    }
    let field = |position: usize, largest: u8| {
        let text = record[position].trim();
        text.parse::<u8>()
            .ok()
            .filter(|&value| value <= largest)
            .ok_or_else(|| format!("field {} is no whole number from 0 to {largest}: {text:?}", position + 1))
    };
    for position in 0..PIXELS {
        pixels.push(f32::from(field(position, DARKEST)?) / f32::from(DARKEST));
    }
    Ok(i64::from(field(PIXELS, CLASSES - 1)?))
}

/// What stopped the reader after `lines` good lines.
fn unreadable(path: &Path, lines: usize, e: &csv::Error) -> Error {
    let after = format!("after line {lines}");
    match e.kind() {
        CsvErrorKind::Io(e) if e.kind() == io::ErrorKind::UnexpectedEof => fail(
            OP,
            path,
            ErrorKind::Format,
            &format!("ends too early: {after}; the compressed stream is cut off"),
        ),
        CsvErrorKind::Io(e) => fail(OP, path, ErrorKind::Io, &format!("cannot be read {after}: {e}")),
        _ => fail(OP, path, ErrorKind::Format, &format!("is no table of text {after}: {e}")),
    }
}
