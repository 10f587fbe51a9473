//! The header of a safetensors file: read with everything checked, and written.

use crate::files::element::{AXES, invalid};
use ::safetensors::Dtype;
use ::safetensors::tensor::{Metadata, TensorInfo};
use retrograd_tensor::{DType, Tensor};
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read};

/// The bytes of the header's length, in front of it.
const LENGTH: u64 = size_of::<u64>() as u64;

/// The longest header that the format allows.
const LONGEST: u64 = 100_000_000;

/// The name under which a header holds its metadata; no tensor may bear it.
const METADATA: &str = "__metadata__";

#[derive(Debug)]
pub(super) struct Header {
    pub(super) tensors: BTreeMap<String, Entry>,
    pub(super) metadata: BTreeMap<String, String>,
}

/// Where a tensor is in the file, and what it is.
#[derive(Debug)]
pub(super) struct Entry {
    dtype: Dtype,
    pub(super) shape: Vec<usize>,
    /// The place of its first byte in the file.
    pub(super) start: u64,
    pub(super) bytes: u64,
}

impl Entry {
    /// The element type, or that there is none such.
    pub(super) fn dtype(&self) -> Result<DType, String> {
        Ok(match self.dtype {
            Dtype::BOOL => DType::Bool,
            Dtype::U8 => DType::U8,
            Dtype::I32 => DType::I32,
            Dtype::I64 => DType::I64,
            Dtype::F16 => DType::F16,
            Dtype::BF16 => DType::BF16,
            Dtype::F32 => DType::F32,
            Dtype::F64 => DType::F64,
            other => return Err(format!("is of type {other}, which tensors do not have")),
        })
    }
}

fn stored(dtype: DType) -> Dtype {
    match dtype {
        DType::Bool => Dtype::BOOL,
        DType::U8 => Dtype::U8,
        DType::I32 => Dtype::I32,
        DType::I64 => Dtype::I64,
        DType::F16 => Dtype::F16,
        DType::BF16 => Dtype::BF16,
        DType::F32 => Dtype::F32,
        DType::F64 => Dtype::F64,
    }
}

impl Header {
    /// Reads the header from the start of `file`, which has `length` bytes.
    pub(super) fn read(file: &mut dyn Read, length: u64) -> io::Result<Self> {
        let mut size = [0; LENGTH as usize];
        file.read_exact(&mut size)?;
        let size = u64::from_le_bytes(size);
        let room = length.saturating_sub(LENGTH).min(LONGEST);
        if size > room {
            let problem = format!("is said to have {size} bytes; this file has room for {room}");
            return Err(invalid(&problem));
        }
        let mut text = vec![0; size as usize];
        file.read_exact(&mut text)?;
        let text = str::from_utf8(&text).map_err(|e| invalid(&format!("is no text: {e}")))?;
        let parsed: Parsed = serde_json::from_str(text).map_err(|e| invalid(&e.to_string()))?;
        parsed.check(LENGTH + size, length)
    }
}

/// What a header says, not yet compared with anything.
struct Parsed {
    tensors: Vec<(String, TensorInfo)>,
    metadata: BTreeMap<String, String>,
}

impl Parsed {
    /// The header of a file of `length` bytes whose elements begin at `start`.
    fn check(mut self, start: u64, length: u64) -> io::Result<Header> {
        let wrong =
            self.tensors.iter().filter_map(|(name, info)| Some(format!("`{name}` {}", size_problem(info)?)));
        let wrong: Vec<String> = wrong.collect();
        if !wrong.is_empty() {
            return Err(invalid(&wrong.join(", ")));
        }
        self.tensors.sort_by_key(|(_, info)| info.data_offsets);
        let end = self.tensors.last().map_or(0, |(_, info)| info.data_offsets.1 as u64);
        let mut tensors = BTreeMap::new();
        for (name, info) in &self.tensors {
            let (from, to) = info.data_offsets;
            let (start, bytes) = (start + from as u64, (to - from) as u64);
            tensors
                .insert(name.clone(), Entry { dtype: info.dtype, shape: info.shape.clone(), start, bytes });
        }
        // The format's own rules: no gap and no overlap.
        Metadata::new(None, self.tensors).map_err(|e| invalid(&e.to_string()))?;
        if length - start != end {
            let problem = format!("gives the tensors {end} bytes; the file has {}", length - start);
            return Err(invalid(&problem));
        }
        Ok(Header { tensors, metadata: self.metadata })
    }
}

/// Why a tensor's bytes cannot be those of its shape, if they cannot.
fn size_problem(info: &TensorInfo) -> Option<String> {
    let TensorInfo { dtype, shape, data_offsets: (from, to) } = info;
    if shape.len() > AXES {
        return Some(format!("has {} axes; {AXES} is the most", shape.len()));
    }
    let elements = shape.iter().try_fold(1usize, |elements, &size| elements.checked_mul(size));
    let bits = elements.and_then(|elements| elements.checked_mul(dtype.bitsize()));
    let Some(bits) = bits else { return Some(format!("has too many elements: shape {shape:?}")) };
    let bytes = bits.div_ceil(8);
    let given = to.checked_sub(*from);
    (given != Some(bytes)).then(|| {
        format!(
            "of type {dtype} and shape {shape:?} takes {bytes} bytes; it is said to lie from {from} to {to}"
        )
    })
}

impl<'de> Deserialize<'de> for Parsed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Entries)
    }
}

/// Gathers the entries of a header; no name may come twice.
struct Entries;

impl<'de> Visitor<'de> for Entries {
    type Value = Parsed;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of tensors by name")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Parsed, A::Error> {
        let mut tensors = BTreeMap::new();
        let mut metadata = None;
        while let Some(name) = map.next_key::<String>()? {
            let place = |e: A::Error| A::Error::custom(format!("`{name}`: {e}"));
            let twice = if name == METADATA {
                metadata.replace(map.next_value().map_err(place)?).is_some()
            } else {
                let info: TensorInfo = map.next_value().map_err(place)?;
                tensors.insert(name.clone(), info).is_some()
            };
            if twice {
                return Err(A::Error::custom(format!("`{name}` is there twice")));
            }
        }
        Ok(Parsed { tensors: tensors.into_iter().collect(), metadata: metadata.unwrap_or_default() })
    }
}

/// The header of a file of `tensors`, its length in front, and puts them into the order in which their elements
/// follow: wide types first, so that all lie aligned, and by name.
pub(super) fn write(tensors: &mut [(&str, &Tensor)], (key, value): (&str, &str)) -> Result<Vec<u8>, String> {
    tensors.sort_by(|(left, a), (right, b)| {
        stored(b.dtype()).cmp(&stored(a.dtype())).then_with(|| left.cmp(right))
    });
    let mut infos = Vec::new();
    let mut end = 0;
    for (name, tensor) in tensors {
        if *name == METADATA {
            return Err(format!("no tensor may be called `{METADATA}`"));
        }
        let start = end;
        end += tensor.numel() * tensor.dtype().size();
        let (dtype, shape) = (stored(tensor.dtype()), tensor.shape().to_vec());
        infos.push(((*name).to_owned(), TensorInfo { dtype, shape, data_offsets: (start, end) }));
    }
    let metadata = [(key.to_owned(), value.to_owned())].into_iter().collect();
    let header = Metadata::new(Some(metadata), infos).map_err(|e| e.to_string())?;
    let mut text = serde_json::to_vec(&header).map_err(|e| e.to_string())?;
    text.resize(text.len().next_multiple_of(LENGTH as usize), b' ');
    if text.len() as u64 > LONGEST {
        return Err(format!("the header has {} bytes; {LONGEST} is the most", text.len()));
    }
    let mut header = (text.len() as u64).to_le_bytes().to_vec();
    header.append(&mut text);
    Ok(header)
}
