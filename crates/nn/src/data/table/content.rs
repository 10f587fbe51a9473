//! What was in a table file.

use crate::data::TensorDataset;
use retrograd_tensor::{Error, ErrorKind, Tensor, raise};
use std::collections::BTreeMap;

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
    /// The categories of each column of text, by its name; the number `i` stands for the category at position `i`.
    pub categories: BTreeMap<String, Vec<String>>,
    /// The mean of each column whose missing numbers are its mean, by its name.
    pub means: BTreeMap<String, f64>,
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
