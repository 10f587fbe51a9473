//! Safetensors: a header of names, types, shapes and places, and then the elements.
//!
//! The `safetensors` crate knows the header; this room reads files by it, one tensor at a time and only the bytes
//! that are asked for, and writes them. A header is checked as a whole when a file is opened.

mod header;

use super::element::{self, Order};
use super::{fail, replace, unreadable};
use crate::module::{Source, StateDict};
use header::{Entry, Header};
use retrograd_tensor::{DType, Error, ErrorKind, Tensor};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

const OPEN: &str = "SafeTensors";

/// A safetensors file that is read as far as it is asked for: its header at once, each tensor when it is wanted.
///
/// Several threads may read one file. A file that changes meanwhile gives an `Err`, or the new content.
///
/// ```
/// use retrograd_nn::files::{SafeTensors, save_safetensors};
/// use retrograd_tensor::Tensor;
/// let path = std::env::temp_dir().join(format!("doc-{}.safetensors", std::process::id()));
/// let state = [("embed.weight".to_owned(), Tensor::from([[1.0f32, 2.0], [3.0, 4.0], [5.0, 6.0]]))].into();
/// save_safetensors(&path, &state)?;
///
/// let file = SafeTensors::open(&path)?;
/// assert_eq!(file.names().collect::<Vec<_>>(), ["embed.weight"]);
/// assert_eq!(file.shape("embed.weight"), Some(&[3, 2][..]));
/// assert_eq!(file.get("embed.weight")?, state["embed.weight"]);
/// assert_eq!(file.rows("embed.weight", 1..2)?.to_vec::<f32>(), [3.0, 4.0]);
/// # std::fs::remove_file(&path).unwrap();
/// # Ok::<(), retrograd_tensor::Error>(())
/// ```
#[derive(Debug)]
pub struct SafeTensors {
    path: PathBuf,
    file: Mutex<File>,
    header: Header,
}

impl SafeTensors {
    /// Opens the file at `path` and reads its header.
    ///
    /// # Errors
    /// If the file cannot be read, or its header is damaged, gives a name twice, or does not fit its length: shapes
    /// and places of tensors must cover the file without gap or overlap.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref().to_owned();
        let unopened = |e| fail(OPEN, &path, ErrorKind::Io, &format!("cannot be opened: {e}"));
        let mut file = File::open(&path).map_err(unopened)?;
        let length = file.metadata().map_err(unopened)?.len();
        let header =
            Header::read(&mut file, length).map_err(|e| unreadable(OPEN, &path, "the header", &e))?;
        Ok(Self { path, file: Mutex::new(file), header })
    }

    /// The names of the tensors, in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.header.tensors.keys().map(String::as_str)
    }

    /// The shape of the tensor `name`, if there is one.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.header.tensors.get(name).map(|entry| &entry.shape[..])
    }

    /// The element type of the tensor `name`; none if there is no such tensor, or tensors have no such type.
    pub fn dtype(&self, name: &str) -> Option<DType> {
        self.header.tensors.get(name)?.dtype().ok()
    }

    /// What whoever wrote the file said about it.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.header.metadata
    }

    /// Reads the tensor `name`, and nothing else.
    ///
    /// # Errors
    /// If there is no such tensor, its type is none of ours, or the file cannot be read or ends too early.
    #[track_caller]
    pub fn get(&self, name: &str) -> Result<Tensor, Error> {
        let entry = self.entry(name)?;
        self.read(name, entry, &entry.shape, 0)
    }

    /// Reads `rows` of the first axis of the tensor `name`, and nothing else: `[rows, ..]`.
    ///
    /// # Errors
    /// As [`get`](SafeTensors::get), and if the tensor has no such rows.
    #[track_caller]
    pub fn rows(&self, name: &str, rows: Range<usize>) -> Result<Tensor, Error> {
        let entry = self.entry(name)?;
        let size = entry.shape.first().copied().unwrap_or(0);
        if rows.start > rows.end || rows.end > size || entry.shape.is_empty() {
            let problem = format!("`{name}` has no rows {rows:?}: its shape is {:?}", entry.shape);
            return Err(fail(OPEN, &self.path, ErrorKind::Index, &problem));
        }
        let mut shape = entry.shape.clone();
        shape[0] = rows.len();
        let row = if size == 0 { 0 } else { entry.bytes / size as u64 };
        self.read(name, entry, &shape, row * rows.start as u64)
    }

    /// Reads all tensors.
    ///
    /// # Errors
    /// Lists every tensor whose type is none of ours; or if the file cannot be read or ends too early.
    #[track_caller]
    pub fn state_dict(&self) -> Result<StateDict, Error> {
        let refused =
            self.header.tensors.iter().filter_map(|(name, entry)| Some((name, entry.dtype().err()?)));
        let problems: Vec<String> = refused.map(|(name, problem)| format!("`{name}` {problem}")).collect();
        if !problems.is_empty() {
            return Err(fail(OPEN, &self.path, ErrorKind::Format, &problems.join(", ")));
        }
        self.names().map(|name| Ok((name.to_owned(), self.get(name)?))).collect()
    }

    fn entry(&self, name: &str) -> Result<&Entry, Error> {
        let absent = || fail(OPEN, &self.path, ErrorKind::Format, &format!("`{name}` is missing"));
        self.header.tensors.get(name).ok_or_else(absent)
    }

    /// The part of `shape` of a tensor, which starts `skip` bytes behind the tensor's first.
    fn read(&self, name: &str, entry: &Entry, shape: &[usize], skip: u64) -> Result<Tensor, Error> {
        let refuse =
            |problem: String| fail(OPEN, &self.path, ErrorKind::Format, &format!("`{name}` {problem}"));
        let dtype = entry.dtype().map_err(refuse)?;
        let bytes = element::count(shape, dtype).map_err(refuse)? * dtype.size();
        // Whoever panicked under the lock left a place in the file, which is set anew here.
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let place = SeekFrom::Start(entry.start + skip);
        file.seek(place)
            .and_then(|_| {
                element::read(&mut Read::take(&mut *file, bytes as u64), dtype, shape, Order::Little, bytes)
            })
            .map_err(|e| unreadable(OPEN, &self.path, &format!("`{name}`"), &e))
    }
}

/// A model takes from a file what it wants, after the header has shown that it fits.
impl Source for SafeTensors {
    fn names(&self) -> Vec<&str> {
        Self::names(self).collect()
    }

    fn spec(&self, name: &str) -> Option<Result<(Vec<usize>, DType), String>> {
        let entry = self.header.tensors.get(name)?;
        Some(entry.dtype().map(|dtype| (entry.shape.clone(), dtype)))
    }

    fn value(&self, name: &str) -> Result<Tensor, Error> {
        self.get(name)
    }
}

/// All tensors of the safetensors file at `path`, by name.
///
/// To read single tensors, or only a header, open a [`SafeTensors`]; to read into a model, see
/// [`Module::load`](crate::Module::load).
///
/// # Errors
/// If the file cannot be read or is damaged; lists every tensor whose type is none of ours.
#[track_caller]
pub fn load_safetensors(path: impl AsRef<Path>) -> Result<StateDict, Error> {
    SafeTensors::open(path)?.state_dict()
}

/// Writes `state` to the safetensors file at `path`, replacing what is there in one step.
///
/// Tensors are written one after the other, the bytes in the order in which PyTorch writes them; equal states give
/// equal files. The metadata say `format: pt`, as libraries over PyTorch expect.
///
/// ```
/// use retrograd_nn::files::{load_safetensors, save_safetensors};
/// use retrograd_tensor::Tensor;
/// let path = std::env::temp_dir().join(format!("doc-save-{}.safetensors", std::process::id()));
/// let state = [("weight".to_owned(), Tensor::ones([2, 3]))].into();
/// save_safetensors(&path, &state)?;
/// assert_eq!(load_safetensors(&path)?, state);
/// # std::fs::remove_file(&path).unwrap();
/// # Ok::<(), retrograd_tensor::Error>(())
/// ```
///
/// # Errors
/// If the file cannot be written; what was there before stays.
pub fn save_safetensors(path: impl AsRef<Path>, state: &StateDict) -> Result<(), Error> {
    let tensors = state.iter().map(|(name, value)| (name.as_str(), value)).collect();
    write(OPEN, path.as_ref(), tensors, ("format", "pt"))
}

/// Writes `tensors` and one entry of metadata (of several, the order would be by chance).
pub(super) fn write(
    op: &'static str,
    path: &Path,
    mut tensors: Vec<(&str, &Tensor)>,
    metadata: (&str, &str),
) -> Result<(), Error> {
    let header = header::write(&mut tensors, metadata).map_err(|problem| {
        fail(
            op,
            path,
            ErrorKind::Format,
            &format!("cannot be written: {problem}; what was there before stays"),
        )
    })?;
    replace::replace(op, path, |sink| {
        sink.write_all(&header)?;
        tensors.iter().try_for_each(|(_, value)| element::write(value, sink))
    })
}
