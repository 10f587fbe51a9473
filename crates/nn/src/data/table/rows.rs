//! The rows of a table as they are read: numbers, categories and labels, and what is wrong with them.

use super::content::Table;
use super::{Missing, OP};
use crate::data::source::Problems;
use csv::StringRecord;
use retrograd_tensor::{DType, Error, F64, I64, Tensor};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// Fields that are missing values, whatever is in the column.
const NOTHING: [&str; 3] = ["", "NA", "NaN"];

/// A column that becomes one of the values.
pub(super) struct Slot {
    pub(super) name: String,
    /// Its position in the file.
    pub(super) at: usize,
    pub(super) missing: Missing,
    /// Of a column of text.
    pub(super) words: Option<Words>,
}

/// The column of labels.
pub(super) struct Label {
    pub(super) at: usize,
    /// Of labels that are names.
    pub(super) words: Option<Words>,
}

/// The words of a column, numbered as they come, or as they are given.
pub(super) struct Words {
    numbers: HashMap<String, usize>,
    /// Whether there are no others.
    given: bool,
}

impl Words {
    pub(super) fn new(given: Option<&[String]>) -> Self {
        let known = given.unwrap_or_default().iter().cloned();
        Self { numbers: known.zip(0..).collect(), given: given.is_some() }
    }

    fn number(&mut self, word: &str) -> Option<usize> {
        let next = self.numbers.len();
        match self.numbers.get(word) {
            Some(&number) => Some(number),
            None if self.given => None,
            None => Some(*self.numbers.entry(word.to_owned()).or_insert(next)),
        }
    }

    /// The words in their order, and the place in it of each number: alphabetical, unless the order was given.
    fn ordered(self) -> (Vec<String>, Vec<usize>) {
        let mut words: Vec<(String, usize)> = self.numbers.into_iter().collect();
        if self.given {
            words.sort_by_key(|(_, number)| *number);
        } else {
            words.sort();
        }
        let mut places = vec![0; words.len()];
        words.iter().zip(0..).for_each(|((_, number), place)| places[*number] = place);
        (words.into_iter().map(|(word, _)| word).collect(), places)
    }
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

    fn push_number(&mut self, number: f64) {
        match self {
            Self::F32(values) => values.push(number as f32),
            Self::F64(values) => values.push(number),
            Self::I64(values) => values.push(number as i64),
        }
    }

    fn get(&self, at: usize) -> f64 {
        match self {
            Self::F32(values) => values[at].into(),
            Self::F64(values) => values[at],
            Self::I64(values) => values[at] as f64,
        }
    }

    fn set(&mut self, at: usize, number: f64) {
        match self {
            Self::F32(values) => values[at] = number as f32,
            Self::F64(values) => values[at] = number,
            Self::I64(values) => values[at] = number as i64,
        }
    }
}

/// The rows that have been read.
pub(super) struct Rows {
    pub(super) count: usize,
    /// Columns in the file.
    names: Vec<String>,
    slots: Vec<Slot>,
    label: Option<Label>,
    /// Fields that the user calls missing.
    nothing: Vec<String>,
    values: Values,
    /// Rows and slots without a value.
    holes: Vec<(usize, usize)>,
    labels: Vec<i64>,
    problems: Problems,
}

impl Rows {
    pub(super) fn new(
        dtype: DType,
        names: Vec<String>,
        slots: Vec<Slot>,
        label: Option<Label>,
        nothing: Vec<String>,
    ) -> Self {
        let values = match dtype {
            F64 => Values::F64(Vec::new()),
            I64 => Values::I64(Vec::new()),
            _ => Values::F32(Vec::new()),
        };
        let (holes, labels, problems) = (Vec::new(), Vec::new(), Problems::default());
        Self { count: 0, names, slots, label, nothing, values, holes, labels, problems }
    }

    pub(super) fn add(&mut self, line: u64, record: &StringRecord) {
        self.count += 1;
        let columns = self.names.len();
        if record.len() != columns {
            self.problems.push(format!("line {line} has {} fields, not {columns}", record.len()));
            return;
        }
        let mut order: Vec<(usize, Option<usize>)> = Vec::with_capacity(self.slots.len() + 1);
        order.extend(self.slots.iter().enumerate().map(|(k, slot)| (slot.at, Some(k))));
        order.extend(self.label.iter().map(|label| (label.at, None)));
        for (at, slot) in order {
            let field = record.get(at).unwrap_or_default().trim();
            let taken = match slot {
                Some(k) => self.value(k, field),
                None => self.labelled(field),
            };
            if let Err(problem) = taken {
                self.problems.push(format!("line {line}, column `{}` is {problem}", self.names[at]));
            }
        }
    }

    /// Whether nothing is known where this field stands.
    fn is_missing(&self, field: &str) -> bool {
        NOTHING.contains(&field) || self.nothing.iter().any(|word| word == field)
    }

    fn value(&mut self, k: usize, field: &str) -> Result<(), String> {
        let missing = self.is_missing(field);
        let slot = &mut self.slots[k];
        // Where values may be missing, a number that is none is one.
        let none = slot.words.is_none() && field.eq_ignore_ascii_case("nan");
        if slot.missing != Missing::Error && (missing || none) {
            self.holes.push((self.count - 1, k));
            self.values.push_number(0.0);
            return Ok(());
        }
        let hint = if missing { " (a missing value: `missing` says what becomes of it)" } else { "" };
        match &mut slot.words {
            Some(_) if missing => Err(format!("no category: {field:?}{hint}")),
            Some(words) => {
                let number = words.number(field);
                self.values
                    .push_number(number.ok_or_else(|| format!("no known category: {field:?}"))? as f64);
                Ok(())
            }
            None if missing => Err(format!("no number: {field:?}{hint}")),
            None => self.values.push(field).map_err(|problem| format!("{problem}: {field:?}")),
        }
    }

    fn labelled(&mut self, field: &str) -> Result<(), String> {
        let missing = self.is_missing(field);
        let Some(label) = &mut self.label else { return Ok(()) };
        let number = match &mut label.words {
            Some(_) if missing => return Err(format!("no class: {field:?} (a missing value)")),
            Some(words) => words.number(field).ok_or_else(|| format!("no known class: {field:?}"))? as i64,
            None => field.parse().map_err(|_| format!("no whole number: {field:?}"))?,
        };
        self.labels.push(number);
        Ok(())
    }

    pub(super) fn finish(mut self, path: &Path) -> Result<Table, Error> {
        let means = if self.problems.is_empty() { self.means() } else { BTreeMap::new() };
        self.problems.check(OP, path)?;
        let columns = self.slots.len();
        let mut categories = BTreeMap::new();
        for (k, slot) in self.slots.iter_mut().enumerate() {
            let Some(words) = slot.words.take() else { continue };
            let (words, places) = words.ordered();
            for at in (0..self.count).map(|row| row * columns + k).filter(|_| !places.is_empty()) {
                self.values.set(at, places[self.values.get(at) as usize] as f64);
            }
            categories.insert(slot.name.clone(), words);
        }
        for &(row, k) in &self.holes {
            let slot = &self.slots[k];
            let value = match slot.missing {
                Missing::Value(value) => value,
                Missing::Mean => means[&slot.name],
                Missing::Error | Missing::Nan => f64::NAN,
            };
            self.values.set(row * columns + k, value);
        }
        let (mut labels, mut classes) = (None, Vec::new());
        if let Some(label) = self.label {
            if let Some(words) = label.words {
                let (words, places) = words.ordered();
                self.labels.iter_mut().for_each(|label| *label = places[*label as usize] as i64);
                classes = words;
            }
            labels = Some(Tensor::from(self.labels));
        }
        let shape = [self.count, columns];
        let values = match self.values {
            Values::F32(values) => Tensor::from_vec(values, shape),
            Values::F64(values) => Tensor::from_vec(values, shape),
            Values::I64(values) => Tensor::from_vec(values, shape),
        };
        let names = self.slots.into_iter().map(|slot| slot.name).collect();
        Ok(Table { names, values, labels, classes, categories, means })
    }

    /// The means of the columns that need one, of the numbers that are there.
    fn means(&mut self) -> BTreeMap<String, f64> {
        let columns = self.slots.len();
        let mut missing = vec![0_usize; columns];
        self.holes.iter().for_each(|&(_, k)| missing[k] += 1);
        let mut means = BTreeMap::new();
        for (k, slot) in self.slots.iter().enumerate().filter(|(_, slot)| slot.missing == Missing::Mean) {
            if missing[k] == self.count {
                self.problems.push(format!("column `{}` has no values, so no mean", slot.name));
            }
            // A value that is missing is 0 up to here.
            let total: f64 = (0..self.count).map(|row| self.values.get(row * columns + k)).sum();
            means.insert(slot.name.clone(), total / (self.count - missing[k]) as f64);
        }
        means
    }
}
