//! CSV files as tensors: numbers in columns, and a label.

use super::source::{Problems, Source, fail, unreadable};
use super::tensors::TensorDataset;
use csv::{ErrorKind as CsvErrorKind, ReaderBuilder, StringRecord};
use retrograd_tensor::{DType, Error, ErrorKind, F32, F64, I64, Tensor, raise};
use std::collections::BTreeSet;
use std::path::Path;

const OP: &str = "Csv";

/// How a CSV file is read.
///
/// ```
/// use retrograd_nn::data::{Column, Csv};
/// let path = std::env::temp_dir().join(format!("csv-doctest-{}", std::process::id()));
/// std::fs::write(&path, "length,width,kind\n5.1,3.5,setosa\n7.0,3.2,versicolor\n")?;
/// let table = Csv::new().label_names(Column::Last).read(&path)?;
/// assert_eq!(table.column("width").unwrap().to_vec::<f32>(), [3.5, 3.2]);
/// assert_eq!(table.classes, ["setosa", "versicolor"]);
/// assert_eq!(table.into_dataset().y.to_vec::<i64>(), [0, 1]);
/// # std::fs::remove_file(&path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Csv {
    header: bool,
    skip: usize,
    delimiter: u8,
    dtype: DType,
    label: Option<(Column, Label)>,
}

/// A column of a table: `"name"`, a position counted from 0, or the last one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Column {
    /// The column with this name in the header.
    Name(String),
    /// The column at this position.
    At(usize),
    /// The last column.
    Last,
}

impl From<&str> for Column {
    fn from(name: &str) -> Self {
        Self::Name(name.to_owned())
    }
}

impl From<usize> for Column {
    fn from(at: usize) -> Self {
        Self::At(at)
    }
}

/// What the fields of the label's column are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Label {
    Number,
    Name,
}

/// The content of a CSV file.
#[derive(Clone, Debug)]
pub struct Table {
    /// The names of the columns of `values`; without a header their positions in the file.
    pub names: Vec<String>,
    /// The numbers, `[rows, columns]`, without the label's column.
    pub values: Tensor,
    /// The label of each row, `[rows]` in `I64`, if a label was asked for.
    pub labels: Option<Tensor>,
    /// The names of the classes in order, if labels are names; label `i` is the class `classes[i]`.
    pub classes: Vec<String>,
}

impl Table {
    /// The numbers of the column `name`, `[rows]`.
    #[track_caller]
    pub fn column(&self, name: &str) -> Option<Tensor> {
        self.names.iter().position(|known| known == name).map(|at| self.values.select(1, at))
    }

    /// The rows as samples with their labels as targets.
    ///
    /// # Panics
    /// If no label was asked for.
    #[track_caller]
    pub fn into_dataset(self) -> TensorDataset {
        let Some(labels) = self.labels else {
            raise(Error::new(
                "into_dataset",
                ErrorKind::Value,
                "no labels: the table was read without; name a label",
            ))
        };
        TensorDataset::new(self.values, labels)
    }
}

impl Default for Csv {
    fn default() -> Self {
        Self::new()
    }
}

impl Csv {
    /// A first line of names, commas between fields, numbers in `F32`, no label.
    pub fn new() -> Self {
        Self { header: true, skip: 0, delimiter: b',', dtype: F32, label: None }
    }

    /// The same for a file whose first line has names, or with `false` none.
    #[must_use]
    pub fn header(self, header: bool) -> Self {
        Self { header, ..self }
    }

    /// The same without this many records at the beginning.
    #[must_use]
    pub fn skip(self, records: usize) -> Self {
        Self { skip: records, ..self }
    }

    /// The same with this character between fields.
    #[must_use]
    pub fn delimiter(self, delimiter: u8) -> Self {
        Self { delimiter, ..self }
    }

    /// The same with numbers of type `F32`, `F64` or `I64`.
    ///
    /// # Panics
    /// If it is another type.
    #[must_use]
    #[track_caller]
    pub fn dtype(self, dtype: DType) -> Self {
        if ![F32, F64, I64].contains(&dtype) {
            let detail = format!("element type not read: {dtype}; F32, F64 or I64, and cast what is read");
            raise(Error::new(OP, ErrorKind::Dtype, detail));
        }
        Self { dtype, ..self }
    }

    /// The same with a column of whole numbers as the label.
    #[must_use]
    pub fn label(self, column: impl Into<Column>) -> Self {
        Self { label: Some((column.into(), Label::Number)), ..self }
    }

    /// The same with a column of names as the label: classes, numbered in their order.
    #[must_use]
    pub fn label_names(self, column: impl Into<Column>) -> Self {
        Self { label: Some((column.into(), Label::Name)), ..self }
    }

    /// The table in the file at `path`, gzipped or not, which is unpacked to 1 GiB at most.
    ///
    /// # Errors
    /// If the file cannot be read, has no rows or not the label's column, or a field is no number of the type; the
    /// first ten places are listed by line and column.
    pub fn read(&self, path: impl AsRef<Path>) -> Result<Table, Error> {
        let path = path.as_ref();
        let mut builder = ReaderBuilder::new();
        builder.has_headers(false).flexible(true).delimiter(self.delimiter);
        let mut reader = builder.from_reader(Source::open(OP, path)?);
        let mut record = StringRecord::new();
        let mut next = |record: &mut StringRecord, rows: usize| match reader.read_record(record) {
            Ok(more) => Ok(more.then(|| record.position().map_or(0, csv::Position::line))),
            Err(e) => Err(broken(path, rows, &e)),
        };
        for _ in 0..self.skip {
            next(&mut record, 0)?;
        }
        let mut names = Vec::new();
        if self.header && next(&mut record, 0)?.is_some() {
            names = record.iter().map(|name| name.trim().to_owned()).collect();
        }
        let Some(first) = next(&mut record, 0)? else {
            return Err(fail(OP, path, ErrorKind::Format, "has no rows"));
        };
        if !self.header {
            names = (0..record.len()).map(|at| at.to_string()).collect();
        }
        let label = self.label_at(path, &names)?;
        let mut rows = Rows::new(self.dtype, names, label);
        let mut line = Some(first);
        while let Some(number) = line {
            rows.add(number, &record);
            line = next(&mut record, rows.count)?;
        }
        rows.finish(path)
    }

    /// Where the label stands among the columns.
    fn label_at(&self, path: &Path, names: &[String]) -> Result<Option<(usize, Label)>, Error> {
        let Some((column, label)) = &self.label else { return Ok(None) };
        let at = match column {
            Column::Name(name) => names.iter().position(|known| known == name),
            Column::At(at) => Some(*at).filter(|at| *at < names.len()),
            Column::Last => names.len().checked_sub(1),
        };
        let missing =
            || fail(OP, path, ErrorKind::Format, &format!("has no column {column:?}; it has {names:?}"));
        Ok(Some((at.ok_or_else(missing)?, *label)))
    }
}

/// The rows that have been read.
struct Rows {
    names: Vec<String>,
    label: Option<(usize, Label)>,
    count: usize,
    values: Values,
    numbers: Vec<i64>,
    words: Vec<String>,
    problems: Problems,
}

enum Values {
    F32(Vec<f32>),
    F64(Vec<f64>),
    I64(Vec<i64>),
}

impl Values {
    /// Appends the number that `field` shows, if it does.
    fn push(&mut self, field: &str) -> Result<(), &'static str> {
        match self {
            Self::F32(values) => values.push(field.parse().map_err(|_| "no number")?),
            Self::F64(values) => values.push(field.parse().map_err(|_| "no number")?),
            Self::I64(values) => values.push(field.parse().map_err(|_| "no whole number of 64 bits")?),
        }
        Ok(())
    }
}

impl Rows {
    fn new(dtype: DType, names: Vec<String>, label: Option<(usize, Label)>) -> Self {
        let values = match dtype {
            F64 => Values::F64(Vec::new()),
            I64 => Values::I64(Vec::new()),
            _ => Values::F32(Vec::new()),
        };
        let (numbers, words, problems) = (Vec::new(), Vec::new(), Problems::default());
        Self { names, label, count: 0, values, numbers, words, problems }
    }

    fn add(&mut self, line: u64, record: &StringRecord) {
        self.count += 1;
        let columns = self.names.len();
        if record.len() != columns {
            self.problems.push(format!("line {line} has {} fields, not {columns}", record.len()));
            return;
        }
        for (at, field) in record.iter().enumerate() {
            let field = field.trim();
            let pushed = match self.label {
                Some((label, Label::Name)) if label == at => {
                    self.words.push(field.to_owned());
                    Ok(())
                }
                Some((label, Label::Number)) if label == at => {
                    field.parse().map(|number| self.numbers.push(number)).map_err(|_| "no whole number")
                }
                _ => self.values.push(field),
            };
            if let Err(problem) = pushed {
                self.problems
                    .push(format!("line {line}, column `{}` is {problem}: {field:?}", self.names[at]));
            }
        }
    }

    fn finish(mut self, path: &Path) -> Result<Table, Error> {
        self.problems.check(OP, path)?;
        let mut columns = self.names.len();
        let (mut labels, mut classes) = (None, Vec::new());
        if let Some((at, label)) = self.label {
            self.names.remove(at);
            columns -= 1;
            if label == Label::Name {
                classes = self.words.iter().collect::<BTreeSet<_>>().into_iter().cloned().collect();
                let class = |word| classes.binary_search(word).unwrap_or_default() as i64;
                self.numbers = self.words.iter().map(class).collect();
            }
            labels = Some(Tensor::from(self.numbers));
        }
        let shape = [self.count, columns];
        let values = match self.values {
            Values::F32(values) => Tensor::from_vec(values, shape),
            Values::F64(values) => Tensor::from_vec(values, shape),
            Values::I64(values) => Tensor::from_vec(values, shape),
        };
        Ok(Table { names: self.names, values, labels, classes })
    }
}

/// What stopped the reader after `rows` rows.
fn broken(path: &Path, rows: usize, e: &csv::Error) -> Error {
    match e.kind() {
        CsvErrorKind::Io(e) => unreadable(OP, path, &format!("row {}", rows + 1), e),
        _ => fail(OP, path, ErrorKind::Format, &format!("is no table of text after row {rows}: {e}")),
    }
}
