//! IDX files, the form of MNIST and its kin: a type, sizes, and big-endian elements.

use super::source::{Source, fail, unreadable};
use retrograd_tensor::{Error, ErrorKind, Tensor};
use std::io::Read;
use std::path::Path;

const OP: &str = "read_idx";

/// The most axes that are read.
const MOST_AXES: usize = 4;

/// The tensor in the IDX file at `path`, gzipped or not, of 1 to 4 axes.
///
/// Bytes give `U8`, signed bytes, 16- and 32-bit integers `I32`, floats `F32` and `F64`. A gzipped file is unpacked to
/// 1 GiB at most.
///
/// ```
/// use retrograd_nn::data::read_idx;
/// let path = std::env::temp_dir().join(format!("idx-doctest-{}", std::process::id()));
/// std::fs::write(&path, [0, 0, 0x08, 2, 0, 0, 0, 1, 0, 0, 0, 3, 7, 8, 9])?;
/// let x = read_idx(&path)?;
/// assert_eq!((x.shape()[..].to_vec(), x.to_vec::<u8>()), (vec![1, 3], vec![7, 8, 9]));
/// # std::fs::remove_file(&path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// If the file cannot be read, is no IDX file, or holds fewer or more elements than its sizes say. Nothing is
/// allocated for sizes that the file could not hold.
///
/// Source: the form as described on the page of the MNIST database.
pub fn read_idx(path: impl AsRef<Path>) -> Result<Tensor, Error> {
    let path = path.as_ref();
    let mut source = Source::open(OP, path)?;
    let Header { kind, sizes } = Header::read(path, &mut source)?;
    let asked = format!("its sizes {sizes:?} of {} bytes each", kind.size());
    let bytes =
        sizes.iter().try_fold(kind.size() as u64, |bytes, &size| bytes.checked_mul(size.max(1) as u64));
    let bytes = match bytes {
        Some(bytes) if sizes.iter().all(|&size| size > 0) => bytes,
        Some(_) => 0,
        None => return Err(format_error(path, &format!("is too large: {asked} cannot be counted"))),
    };
    if !source.could_hold(bytes) {
        return Err(format_error(path, &format!("is too short: {asked} ask for more than it can hold")));
    }
    let mut data = Vec::new();
    // One byte further, to see whether the file ends there.
    let read = source.take(bytes + 1).read_to_end(&mut data);
    read.map_err(|e| unreadable(OP, path, &format!("byte {} of its elements", data.len()), &e))?;
    if data.len() as u64 != bytes {
        let given = if (data.len() as u64) < bytes { data.len().to_string() } else { "more".to_owned() };
        let problem = format!("does not fit its header: {asked} ask for {bytes} bytes, and {given} follow");
        return Err(format_error(path, &problem));
    }
    Ok(kind.tensor(data, &sizes))
}

struct Header {
    kind: Kind,
    sizes: Vec<usize>,
}

impl Header {
    fn read(path: &Path, source: &mut Source) -> Result<Self, Error> {
        let mut word = || {
            let mut bytes = [0; 4];
            source.read_exact(&mut bytes).map_err(|e| unreadable(OP, path, "its header", &e))?;
            Ok(bytes)
        };
        let magic: [u8; 4] = word()?;
        let [0, 0, kind, axes] = magic else {
            return Err(format_error(
                path,
                &format!("is no IDX file: it starts with {magic:02x?}, not with 00 00"),
            ));
        };
        let kind = Kind::of(kind).ok_or_else(|| {
            format_error(path, &format!("has unknown elements: type {kind:#04x}; 08, 09, 0b to 0e"))
        })?;
        if !(1..=MOST_AXES).contains(&usize::from(axes)) {
            return Err(format_error(path, &format!("has {axes} axes; 1 to {MOST_AXES} can be read")));
        }
        let sizes = (0..axes).map(|_| Ok(u32::from_be_bytes(word()?) as usize));
        Ok(Self { kind, sizes: sizes.collect::<Result<_, Error>>()? })
    }
}

/// The types of elements.
#[derive(Clone, Copy)]
enum Kind {
    U8,
    I8,
    I16,
    I32,
    F32,
    F64,
}

impl Kind {
    fn of(code: u8) -> Option<Self> {
        Some(match code {
            0x08 => Self::U8,
            0x09 => Self::I8,
            0x0b => Self::I16,
            0x0c => Self::I32,
            0x0d => Self::F32,
            0x0e => Self::F64,
            _ => return None,
        })
    }

    fn size(self) -> usize {
        match self {
            Self::U8 | Self::I8 => 1,
            Self::I16 => 2,
            Self::I32 | Self::F32 => 4,
            Self::F64 => 8,
        }
    }

    #[track_caller]
    fn tensor(self, data: Vec<u8>, sizes: &[usize]) -> Tensor {
        match self {
            Self::U8 => Tensor::from_vec(data, sizes),
            Self::I8 => Tensor::from_vec(each(&data, |[v]| i32::from(v as i8)), sizes),
            Self::I16 => Tensor::from_vec(each(&data, |v| i32::from(i16::from_be_bytes(v))), sizes),
            Self::I32 => Tensor::from_vec(each(&data, i32::from_be_bytes), sizes),
            Self::F32 => Tensor::from_vec(each(&data, f32::from_be_bytes), sizes),
            Self::F64 => Tensor::from_vec(each(&data, f64::from_be_bytes), sizes),
        }
    }
}

/// The elements of `N` bytes each.
fn each<const N: usize, T>(data: &[u8], element: impl Fn([u8; N]) -> T) -> Vec<T> {
    data.as_chunks::<N>().0.iter().map(|&bytes| element(bytes)).collect()
}

fn format_error(path: &Path, problem: &str) -> Error {
    fail(OP, path, ErrorKind::Format, problem)
}
