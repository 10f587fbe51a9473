//! Text for language models: characters as ids, and windows of them with what follows.

use super::dataset::Dataset;
#[cfg(feature = "data")]
use super::source::{Source, fail, unreadable};
use retrograd_tensor::{Error, ErrorKind, I64, Rng, Tensor, raise};
use std::collections::BTreeSet;
#[cfg(feature = "data")]
use std::io::Read;
#[cfg(feature = "data")]
use std::path::Path;

/// The text in the file at `path`, gzipped or not, which is unpacked to 1 GiB at most.
///
/// ```
/// use retrograd_nn::data::read_text;
/// let path = std::env::temp_dir().join(format!("text-doctest-{}", std::process::id()));
/// std::fs::write(&path, "to be")?;
/// assert_eq!(read_text(&path)?, "to be");
/// # std::fs::remove_file(&path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// If the file cannot be read or is not UTF-8; the message has the line and the byte.
#[cfg(feature = "data")]
pub fn read_text(path: impl AsRef<Path>) -> Result<String, Error> {
    let path = path.as_ref();
    let mut bytes = Vec::new();
    let read = Source::open("read_text", path)?.read_to_end(&mut bytes);
    read.map_err(|e| unreadable("read_text", path, &format!("byte {}", bytes.len()), &e))?;
    String::from_utf8(bytes).map_err(|e| {
        let good = e.utf8_error().valid_up_to();
        let line = 1 + e.as_bytes()[..good].iter().filter(|&&byte| byte == b'\n').count();
        let problem =
            format!("is not UTF-8: line {line}, byte {good} of the file is {:#04x}", e.as_bytes()[good]);
        fail("read_text", path, ErrorKind::Format, &problem)
    })
}

/// The characters of a text, each with an id: its place in their order.
///
/// ```
/// use retrograd_nn::data::Vocabulary;
/// let vocabulary = Vocabulary::of("abracadabra");
/// assert_eq!(vocabulary.len(), 5);
/// let ids = vocabulary.encode("bad")?;
/// assert_eq!(ids.to_vec::<i64>(), [1, 0, 3]);
/// assert_eq!(vocabulary.decode(&ids), "bad");
/// assert!(vocabulary.encode("bed").is_err());
/// # Ok::<(), retrograd_tensor::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vocabulary {
    /// In order.
    characters: Vec<char>,
}

impl Vocabulary {
    /// The characters that occur in `text`.
    pub fn of(text: &str) -> Self {
        Self { characters: text.chars().collect::<BTreeSet<_>>().into_iter().collect() }
    }

    /// The number of characters, which is above every id.
    pub fn len(&self) -> usize {
        self.characters.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.characters.is_empty()
    }

    /// The characters in the order of their ids.
    pub fn characters(&self) -> &[char] {
        &self.characters
    }

    /// The ids of the characters of `text`: `[characters]` in `I64`.
    ///
    /// # Errors
    /// If one of them is not in the vocabulary.
    pub fn encode(&self, text: &str) -> Result<Tensor, Error> {
        let id = |(place, character): (usize, char)| {
            self.characters.binary_search(&character).map(|id| id as i64).map_err(|_| {
                let known = self.characters.len();
                let detail = format!(
                    "unknown character: {character:?} at place {place}; none of the {known} known ones"
                );
                Error::new("encode", ErrorKind::Value, detail)
            })
        };
        Ok(Tensor::from(text.chars().enumerate().map(id).collect::<Result<Vec<i64>, _>>()?))
    }

    /// The text of these ids.
    ///
    /// # Panics
    /// If they are not integers, or one is no id.
    #[track_caller]
    pub fn decode(&self, ids: &Tensor) -> String {
        check_ids("decode", ids);
        let mut text = String::new();
        for id in ids.cast(I64).iter::<i64>() {
            match usize::try_from(id).ok().and_then(|id| self.characters.get(id)) {
                Some(&character) => text.push(character),
                None => {
                    let detail = format!("no id: {id}; ids lie in 0..{}", self.characters.len());
                    raise(Error::new("decode", ErrorKind::Index, detail))
                }
            }
        }
        text
    }
}

/// Windows of a sequence of ids, with the same windows one place further as targets: what a language model learns
/// from.
///
/// As a [`Dataset`] it is the windows from the start on, a stride apart; [`Windows::random_batch`] has windows from
/// anywhere.
///
/// ```
/// use retrograd_nn::data::{Dataset, Windows};
/// use retrograd_tensor::{I64, Rng};
/// let windows = Windows::new(I64.arange(0, 10, 1), 4).stride(2);
/// assert_eq!(windows.len(), 3);
/// let (x, y) = windows.get(1)?;
/// assert_eq!((x.to_vec::<i64>(), y.to_vec::<i64>()), (vec![2, 3, 4, 5], vec![3, 4, 5, 6]));
/// let (x, y) = windows.random_batch(8, &mut Rng::new(0));
/// assert_eq!((x.shape()[..].to_vec(), y), (vec![8, 4], &x + 1));
/// # Ok::<(), retrograd_tensor::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Windows {
    ids: Tensor,
    size: usize,
    stride: usize,
}

impl Windows {
    /// The windows of `size` ids in `ids`, `[n]` integers; the next one starts where the one before ends.
    ///
    /// # Panics
    /// If `ids` is no sequence of integers, or `size` is 0.
    #[track_caller]
    pub fn new(ids: Tensor, size: usize) -> Self {
        check_ids("Windows", &ids);
        if ids.rank() != 1 || size == 0 {
            let detail =
                format!("no windows: size {size} of ids {}; at least 1 of a sequence [n]", ids.shape());
            raise(Error::new("Windows", ErrorKind::Value, detail));
        }
        Self { ids, size, stride: size }
    }

    /// The same with windows that start `stride` places apart.
    ///
    /// # Panics
    /// If `stride` is 0.
    #[must_use]
    #[track_caller]
    pub fn stride(self, stride: usize) -> Self {
        if stride == 0 {
            raise(Error::new("Windows", ErrorKind::Value, "no way forward: stride 0; at least 1"));
        }
        Self { stride, ..self }
    }

    /// `size` windows from random places and their targets, `[size, window]` each.
    ///
    /// # Panics
    /// If the sequence is too short for a window and its target.
    #[track_caller]
    pub fn random_batch(&self, size: usize, rng: &mut Rng) -> (Tensor, Tensor) {
        let starts = self.starts();
        if starts == 0 {
            let detail = format!("too few ids: {}; a window of {} and one more", self.ids.numel(), self.size);
            raise(Error::new("random_batch", ErrorKind::Shape, detail));
        }
        self.at(&I64.randint(0, starts as i64, [size], rng))
    }

    /// How many places a window can start at.
    fn starts(&self) -> usize {
        self.ids.numel().saturating_sub(self.size)
    }

    /// The windows that start at `starts`, and their targets.
    #[track_caller]
    fn at(&self, starts: &Tensor) -> (Tensor, Tensor) {
        let places = starts.unsqueeze(1) + I64.arange(0, self.size as i64, 1);
        let (rows, places) = (starts.numel(), places.flatten(0, -1));
        let window = |places: &Tensor| self.ids.index_select(0, places).reshape([rows, self.size]);
        (window(&places), window(&(&places + 1)))
    }
}

impl Dataset for Windows {
    type Item = (Tensor, Tensor);

    fn len(&self) -> usize {
        self.starts().div_ceil(self.stride)
    }

    fn get(&self, index: usize) -> Result<(Tensor, Tensor), Error> {
        let start = index * self.stride;
        Ok((self.ids.narrow(0, start, self.size), self.ids.narrow(0, start + 1, self.size)))
    }

    fn get_batch(&self, indices: &[usize]) -> Result<(Tensor, Tensor), Error> {
        let starts: Vec<i64> = indices.iter().map(|&index| (index * self.stride) as i64).collect();
        Ok(self.at(&Tensor::from(starts)))
    }
}

#[track_caller]
fn check_ids(op: &'static str, ids: &Tensor) {
    if !ids.dtype().is_int() {
        let detail = format!("no ids: elements of type {}; ids are integers", ids.dtype());
        raise(Error::new(op, ErrorKind::Dtype, detail));
    }
}
