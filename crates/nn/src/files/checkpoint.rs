//! Checkpoints: one file with everything that a run needs in order to go on as if it had not stopped.
//!
//! A checkpoint has named parts, each a state dict. Underneath lies a safetensors file with tensors called
//! `part/name`. Its metadata hold the list of parts, the user's own notes and a checksum of each tensor, and begin with
//! a checksum of themselves, so that damage is found wherever it is.

mod parts;

use super::{SafeTensors, element, fail, safetensors};
use crate::module::StateDict;
use retrograd_tensor::{Error, ErrorKind, Tensor, raise};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

pub use parts::Parts;

const NAME: &str = "Checkpoint";

/// The name of the entry in the file's metadata.
const ENTRY: &str = "retrograd";

/// The version of what the entry holds.
const VERSION: u64 = 1;

/// What stands between the names of part and tensor.
const SEPARATOR: char = '/';

/// Everything that a run needs in order to continue: weights, optimizer, schedule, random streams, position.
///
/// What belongs to a run is told once, by a closure or a method that shows [`Parts`] everything that changes; saving
/// and restoring follow it. A file is replaced in one step: a run that is killed at any moment, also while it saves,
/// finds the last whole checkpoint, and ends with the same bits as a run that nobody killed.
///
/// ```
/// use retrograd_autograd::Differentiate;
/// use retrograd_nn::files::{Checkpoint, Parts};
/// use retrograd_nn::{Adam, Linear, Optimizer};
/// use retrograd_tensor::{Rng, Tensor};
///
/// struct Run { model: Linear, adam: Adam, rng: Rng, step: u64 }
///
/// impl Run {
///     fn new() -> Self {
///         let mut rng = Rng::new(0);
///         let model = Linear::new(2, 1, &mut rng);
///         Self { adam: Adam::new(&model, 0.1), model, rng, step: 0 }
///     }
///     fn step(&mut self) {
///         let x = Tensor::randn([8, 2], &mut self.rng);
///         let grads = self.model.forward(&x).square().mean(()).backward();
///         self.adam.step(&mut self.model, &grads).unwrap();
///         self.step += 1;
///     }
///     fn parts(&mut self, parts: &mut Parts) {
///         parts.module("model", &mut self.model);
///         parts.optimizer("adam", &mut self.adam);
///         parts.rng("rng", &mut self.rng);
///         parts.count("step", &mut self.step);
///     }
/// }
///
/// let path = std::env::temp_dir().join(format!("doc-{}.checkpoint", std::process::id()));
/// let mut run = Run::new();
/// run.step();
/// Checkpoint::of(|parts| run.parts(parts)).save(&path)?;
/// run.step();
///
/// let mut resumed = Run::new();
/// Checkpoint::load(&path)?.restore(|parts| resumed.parts(parts))?;
/// assert_eq!(resumed.step, 1);
/// resumed.step();
/// assert_eq!(*resumed.model.weight, *run.model.weight);
/// # std::fs::remove_file(&path).unwrap();
/// # Ok::<(), retrograd_tensor::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Checkpoint {
    parts: BTreeMap<String, StateDict>,
    notes: BTreeMap<String, String>,
}

impl Checkpoint {
    /// A checkpoint without parts.
    pub fn new() -> Self {
        Self::default()
    }

    /// The present state of everything that `show` shows. Values are shared, not copied: the run may go on.
    pub fn of(mut show: impl FnMut(&mut Parts<'_>)) -> Self {
        let mut checkpoint = Self::new();
        show(&mut Parts::save(&mut checkpoint.parts));
        checkpoint
    }

    /// With the state of one more part.
    ///
    /// # Panics
    /// If there is a part of this name, or the name is empty or contains `/`.
    #[must_use]
    #[track_caller]
    pub fn with(mut self, part: &str, state: StateDict) -> Self {
        put(&mut self.parts, part, state);
        self
    }

    /// With a note for whoever looks at the file.
    #[must_use]
    pub fn with_note(mut self, key: &str, text: &str) -> Self {
        self.notes.insert(key.to_owned(), text.to_owned());
        self
    }

    /// The notes.
    pub fn notes(&self) -> &BTreeMap<String, String> {
        &self.notes
    }

    /// The names of the parts, in alphabetical order.
    pub fn parts(&self) -> impl Iterator<Item = &str> {
        self.parts.keys().map(String::as_str)
    }

    /// The state of the part of this name.
    pub fn part(&self, name: &str) -> Option<&StateDict> {
        self.parts.get(name)
    }

    /// Puts the checkpoint's state into everything that `show` shows: all of it, or none.
    ///
    /// `show` is called up to three times: to note the present state, to load, and, if anything did not fit, to go
    /// back.
    ///
    /// # Errors
    /// Lists every part that is missing or unexpected, and whatever does not fit in any of them; everything is as it
    /// was then.
    pub fn restore(&self, mut show: impl FnMut(&mut Parts<'_>)) -> Result<(), Error> {
        let before = Self::of(&mut show);
        let Err(problems) = self.load_into(&mut show) else { return Ok(()) };
        let mut detail = format!("does not fit: {}; everything is as it was", problems.join("; "));
        if let Err(problems) = before.load_into(&mut show) {
            detail = format!("{detail}, but for what does not take its own state: {}", problems.join("; "));
        }
        Err(Error::new(NAME, ErrorKind::Format, detail))
    }

    fn load_into(&self, show: &mut dyn FnMut(&mut Parts<'_>)) -> Result<(), Vec<String>> {
        let mut parts = Parts::load(&self.parts);
        show(&mut parts);
        parts.finish()
    }

    /// Writes the checkpoint to the file at `path`, replacing what is there in one step. Equal checkpoints give equal
    /// files.
    ///
    /// # Errors
    /// If the file cannot be written; what was there before stays.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        let mut tensors = BTreeMap::new();
        for (part, state) in &self.parts {
            tensors.extend(state.iter().map(|(name, value)| (format!("{part}{SEPARATOR}{name}"), value)));
        }
        let sums: Map<String, Value> =
            tensors.iter().map(|(name, value)| (name.clone(), checksum(value).into())).collect();
        let parts: Vec<&str> = self.parts().collect();
        let text =
            json!({ "version": VERSION, "parts": parts, "notes": self.notes, "crc32": sums }).to_string();
        let entry = format!("{:08x} {text}", crc32fast::hash(text.as_bytes()));
        let tensors = tensors.iter().map(|(name, &value)| (name.as_str(), value)).collect();
        safetensors::write(NAME, path.as_ref(), tensors, (ENTRY, &entry))
    }

    /// Reads the checkpoint in the file at `path`, and compares every checksum.
    ///
    /// # Errors
    /// If the file cannot be read, is no checkpoint, or is damaged: lists every tensor that is.
    #[track_caller]
    pub fn load(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let refuse = |problem: String| fail(NAME, path, ErrorKind::Format, &problem);
        let file = SafeTensors::open(path)?;
        let contents = Contents::read(file.metadata().get(ENTRY)).map_err(refuse)?;
        let mut parts: BTreeMap<String, StateDict> =
            contents.parts.into_iter().map(|part| (part, StateDict::new())).collect();
        let mut sums = contents.sums;
        let mut problems = Vec::new();
        for name in file.names() {
            let value = file.get(name)?;
            let place = name.split_once(SEPARATOR);
            match (sums.remove(name), place.and_then(|(part, name)| Some((parts.get_mut(part)?, name)))) {
                (Some(sum), Some((state, name))) if sum == checksum(&value) => {
                    state.insert(name.to_owned(), value);
                }
                (Some(_), Some(_)) => problems.push(format!("`{name}` is damaged: its checksum is another")),
                _ => problems.push(format!("`{name}` is unexpected")),
            }
        }
        problems.extend(sums.keys().map(|name| format!("`{name}` is missing")));
        if problems.is_empty() {
            Ok(Self { parts, notes: contents.notes })
        } else {
            Err(refuse(problems.join(", ")))
        }
    }
}

/// Adds the state of a part.
#[track_caller]
fn put(parts: &mut BTreeMap<String, StateDict>, part: &str, state: StateDict) {
    let problem = match part {
        "" => "is no name",
        _ if part.contains(SEPARATOR) => "contains `/`",
        _ if parts.contains_key(part) => "is there already",
        _ => {
            parts.insert(part.to_owned(), state);
            return;
        }
    };
    let detail = format!("part `{part}` {problem}; parts have names of their own, without `/`");
    raise(Error::new(NAME, ErrorKind::Value, detail));
}

/// What the metadata of the file say.
struct Contents {
    parts: Vec<String>,
    notes: BTreeMap<String, String>,
    sums: BTreeMap<String, u32>,
}

impl Contents {
    fn read(entry: Option<&String>) -> Result<Self, String> {
        let (sum, text) =
            entry.and_then(|entry| entry.split_once(' ')).ok_or("is no checkpoint of this library")?;
        if sum != format!("{:08x}", crc32fast::hash(text.as_bytes())) {
            return Err("the list of contents is damaged: its checksum is another".to_owned());
        }
        // Whoever made the checksum made the rest too; it may still be a program of another version.
        let contents: Value = serde_json::from_str(text).map_err(|e| format!("the list of contents: {e}"))?;
        if contents["version"] != VERSION {
            return Err(format!(
                "is a checkpoint of version {}; this library reads {VERSION}",
                contents["version"]
            ));
        }
        Self::parse(&contents).ok_or_else(|| "the list of contents is not one of version 1".to_owned())
    }

    fn parse(contents: &Value) -> Option<Self> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let sum = |value: &Value| value.as_u64().and_then(|sum| u32::try_from(sum).ok());
        let notes = contents["notes"].as_object()?.iter().map(|(key, note)| Some((key.clone(), text(note)?)));
        let sums =
            contents["crc32"].as_object()?.iter().map(|(name, value)| Some((name.clone(), sum(value)?)));
        Some(Self {
            parts: contents["parts"].as_array()?.iter().map(text).collect::<Option<_>>()?,
            notes: notes.collect::<Option<_>>()?,
            sums: sums.collect::<Option<_>>()?,
        })
    }
}

/// The checksum of a tensor's type, shape and elements.
fn checksum(tensor: &Tensor) -> u32 {
    let mut sum = Sum(crc32fast::Hasher::new());
    sum.0.update(format!("{} {:?} ", tensor.dtype(), &tensor.shape()[..]).as_bytes());
    match element::write(tensor, &mut sum) {
        Ok(()) => sum.0.finalize(),
        Err(e) => unreachable!("adding up bytes does not fail: {e}"),
    }
}

/// What is written here is added up.
struct Sum(crc32fast::Hasher);

impl Write for Sum {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
