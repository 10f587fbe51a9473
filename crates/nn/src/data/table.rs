//! CSV files as tensors: numbers in columns, categories as numbers, and a label. What is read is said here; `rows`
//! reads it, `content` is what comes of it.

mod content;
mod rows;

pub use content::Table;

use super::source::{Source, fail, unreadable};
use csv::{ErrorKind as CsvErrorKind, ReaderBuilder, StringRecord};
use retrograd_tensor::{DType, Error, ErrorKind, F32, F64, I64, raise};
use rows::{Label, Rows, Slot, Words};
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
///
/// Columns of text, missing values, and a second file that is read as the first one was, like the lists of a ship's
/// passengers:
///
/// ```
/// use retrograd_nn::data::{Csv, Missing};
/// let file = |name| std::env::temp_dir().join(format!("csv-doctest-{name}-{}", std::process::id()));
/// let (train, test) = (file("train"), file("test"));
/// let text = "Survived,Name,Sex,Age,Embarked\n0,Owen,male,22,S\n1,Florence,female,38,C\n1,Laina,female,,S\n";
/// std::fs::write(&train, text)?;
/// std::fs::write(&test, "Name,Sex,Age,Embarked\nJames,male,NA,C\n")?;
/// let features = Csv::new()
///     .columns(["Sex", "Age", "Embarked"])
///     .categories("Sex")
///     .categories("Embarked")
///     .missing_in("Age", Missing::Mean);
/// let known = features.clone().label("Survived").read(&train)?;
/// assert_eq!(known.categories["Sex"], ["female", "male"]);
/// assert_eq!(known.values.to_vec::<f32>(), [1.0, 22.0, 1.0, 0.0, 38.0, 0.0, 0.0, 30.0, 1.0]);
/// assert_eq!(features.like(&known).read(&test)?.values.to_vec::<f32>(), [1.0, 30.0, 0.0]);
/// # std::fs::remove_file(&train)?;
/// # std::fs::remove_file(&test)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Csv {
    header: bool,
    skip: usize,
    delimiter: u8,
    dtype: DType,
    label: Option<(Column, Kind)>,
    /// What becomes values; all columns, if it was not said.
    columns: Option<Vec<Column>>,
    without: Vec<Column>,
    categories: Vec<(Column, Option<Vec<String>>)>,
    missing: Missing,
    missing_in: Vec<(Column, Missing)>,
    nothing: Vec<String>,
    /// The classes of a table that this one is to be like.
    classes: Option<Vec<String>>,
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

/// What becomes of a missing value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Missing {
    /// The file is refused, with the places of its missing values.
    Error,
    /// It is NaN.
    Nan,
    /// It is this number.
    Value(f64),
    /// It is the mean of the numbers that are there in its column.
    Mean,
}

/// What the fields of the label's column are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Number,
    Name,
}

impl Default for Csv {
    fn default() -> Self {
        Self::new()
    }
}

impl Csv {
    /// A first line of names, commas between fields, numbers in `F32` from all columns, no label, nothing missing.
    pub fn new() -> Self {
        Self {
            header: true,
            skip: 0,
            delimiter: b',',
            dtype: F32,
            label: None,
            columns: None,
            without: Vec::new(),
            categories: Vec::new(),
            missing: Missing::Error,
            missing_in: Vec::new(),
            nothing: Vec::new(),
            classes: None,
        }
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
        Self { label: Some((column.into(), Kind::Number)), ..self }
    }

    /// The same with a column of names as the label: classes, numbered in alphabetical order.
    #[must_use]
    pub fn label_names(self, column: impl Into<Column>) -> Self {
        Self { label: Some((column.into(), Kind::Name)), ..self }
    }

    /// The same with only these columns as values, in this order. The label's is none of them.
    #[must_use]
    pub fn columns(self, columns: impl IntoIterator<Item = impl Into<Column>>) -> Self {
        Self { columns: Some(columns.into_iter().map(Into::into).collect()), ..self }
    }

    /// The same without these columns, whatever is in them.
    #[must_use]
    pub fn without(mut self, columns: impl IntoIterator<Item = impl Into<Column>>) -> Self {
        self.without.extend(columns.into_iter().map(Into::into));
        self
    }

    /// The same with a column of text, whose words become numbers from 0 in alphabetical order:
    /// [`Table::categories`] has them.
    #[must_use]
    pub fn categories(mut self, column: impl Into<Column>) -> Self {
        self.categories.push((column.into(), None));
        self
    }

    /// The same with a column of text, whose words become their positions in this list. Another word is an error.
    #[must_use]
    pub fn categories_in(
        mut self,
        column: impl Into<Column>,
        words: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        self.categories.push((column.into(), Some(words.into_iter().map(Into::into).collect())));
        self
    }

    /// The same with this for missing numbers in every column but the label's and those of categories.
    ///
    /// A field is missing if it is empty, `NA`, `NaN` or one of [`Csv::missing_values`]. Where something else than an
    /// error is asked for, `nan` counts as missing however it is spelled; else `nan` is a number of the float types.
    #[must_use]
    pub fn missing(self, missing: Missing) -> Self {
        Self { missing, ..self }
    }

    /// The same with this for missing values of one column, which may be one of categories. These have no mean.
    #[must_use]
    pub fn missing_in(mut self, column: impl Into<Column>, missing: Missing) -> Self {
        self.missing_in.push((column.into(), missing));
        self
    }

    /// The same with these fields counting as missing too: `"?"`, say.
    #[must_use]
    pub fn missing_values(mut self, fields: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.nothing.extend(fields.into_iter().map(Into::into));
        self
    }

    /// The same with what was found in `table`: its columns in their order, its categories and classes under the same
    /// numbers, and its means for missing values. So a model that learned from that table can read this file.
    ///
    /// What is not known from there, a category or a class, is an error.
    #[must_use]
    pub fn like(mut self, table: &Table) -> Self {
        self.columns = Some(table.names.iter().map(|name| Column::Name(name.clone())).collect());
        self.without.clear();
        let known =
            |(name, words): (&String, &Vec<String>)| (Column::Name(name.clone()), Some(words.clone()));
        self.categories = table.categories.iter().map(known).collect();
        let means =
            table.means.iter().map(|(name, &mean)| (Column::Name(name.clone()), Missing::Value(mean)));
        self.missing_in.extend(means);
        self.classes = (!table.classes.is_empty()).then(|| table.classes.clone());
        self
    }

    /// The table in the file at `path`, gzipped or not, which is unpacked to 1 GiB at most.
    ///
    /// # Errors
    /// If the file cannot be read, has no rows, two columns of one name or not a column that was asked for; or if a
    /// field is no number of the type, missing, or a category that is not known: the first ten places are listed by
    /// line and column.
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
            unlike(path, &names)?;
        }
        let Some(first) = next(&mut record, 0)? else {
            return Err(fail(OP, path, ErrorKind::Format, "has no rows"));
        };
        if !self.header {
            names = (0..record.len()).map(|at| at.to_string()).collect();
        }
        let label = self.label_among(path, &names)?;
        let slots = self.slots(path, &names, label.as_ref().map(|label| label.at))?;
        let mut rows = Rows::new(self.dtype, names, slots, label, self.nothing.clone());
        let mut line = Some(first);
        while let Some(number) = line {
            rows.add(number, &record);
            line = next(&mut record, rows.count)?;
        }
        rows.finish(path)
    }

    /// Where the label stands among the columns.
    fn label_among(&self, path: &Path, names: &[String]) -> Result<Option<Label>, Error> {
        let Some((column, kind)) = &self.label else { return Ok(None) };
        let words = (*kind == Kind::Name).then(|| Words::new(self.classes.as_deref()));
        Ok(Some(Label { at: place(path, names, column)?, words }))
    }

    /// The columns that become values.
    fn slots(&self, path: &Path, names: &[String], label: Option<usize>) -> Result<Vec<Slot>, Error> {
        let refuse = |at: usize, what: &str| {
            fail(OP, path, ErrorKind::Value, &format!("column `{}` cannot be read so: {what}", names[at]))
        };
        let places =
            |columns: &[Column]| columns.iter().map(|c| place(path, names, c)).collect::<Result<Vec<_>, _>>();
        let without = places(&self.without)?;
        let chosen = match &self.columns {
            Some(columns) => places(columns)?,
            None => (0..names.len()).filter(|at| Some(*at) != label).collect(),
        };
        let mut slots: Vec<Slot> = Vec::new();
        for at in chosen.into_iter().filter(|at| !without.contains(at)) {
            if Some(at) == label {
                return Err(refuse(at, "it is the label, and one of the columns"));
            }
            if slots.iter().any(|slot| slot.at == at) {
                return Err(refuse(at, "it is listed twice"));
            }
            slots.push(Slot { name: names[at].clone(), at, missing: self.missing, words: None });
        }
        let find = |slots: &mut [Slot], column: &Column| -> Result<usize, Error> {
            let at = place(path, names, column)?;
            let found = slots.iter().position(|slot| slot.at == at);
            found.ok_or_else(|| refuse(at, "it is none of the columns that become values"))
        };
        for (column, words) in &self.categories {
            let k = find(&mut slots, column)?;
            (slots[k].words, slots[k].missing) = (Some(Words::new(words.as_deref())), Missing::Error);
        }
        for (column, missing) in &self.missing_in {
            let k = find(&mut slots, column)?;
            slots[k].missing = *missing;
        }
        for slot in &slots {
            match slot.missing {
                Missing::Mean if slot.words.is_some() => {
                    return Err(refuse(slot.at, "categories have no mean"));
                }
                Missing::Mean | Missing::Nan if self.dtype == I64 => {
                    return Err(refuse(slot.at, "NaN and means are not whole numbers; read F32 or F64"));
                }
                Missing::Value(value) if self.dtype == I64 && value.fract() != 0.0 => {
                    return Err(refuse(slot.at, &format!("{value} is no whole number; read F32 or F64")));
                }
                _ => {}
            }
        }
        Ok(slots)
    }
}

/// Where a column stands.
fn place(path: &Path, names: &[String], column: &Column) -> Result<usize, Error> {
    let at = match column {
        Column::Name(name) => names.iter().position(|known| known == name),
        Column::At(at) => Some(*at).filter(|at| *at < names.len()),
        Column::Last => names.len().checked_sub(1),
    };
    let missing =
        || fail(OP, path, ErrorKind::Format, &format!("has no column {column:?}; it has {names:?}"));
    at.ok_or_else(missing)
}

/// Refuses two columns of one name: which of them a name means would be a guess.
fn unlike(path: &Path, names: &[String]) -> Result<(), Error> {
    let mut twice: Vec<&String> = Vec::new();
    for (at, name) in names.iter().enumerate() {
        if names[..at].contains(name) && !twice.contains(&name) {
            twice.push(name);
        }
    }
    match twice.is_empty() {
        true => Ok(()),
        false => {
            Err(fail(OP, path, ErrorKind::Format, &format!("has several columns of one name: {twice:?}")))
        }
    }
}

/// What stopped the reader after `rows` rows.
fn broken(path: &Path, rows: usize, e: &csv::Error) -> Error {
    match e.kind() {
        CsvErrorKind::Io(e) => unreadable(OP, path, &format!("row {}", rows + 1), e),
        _ => fail(OP, path, ErrorKind::Format, &format!("is no table of text after row {rows}: {e}")),
    }
}
