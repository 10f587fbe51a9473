//! Elements as bytes: what every format has in common once its header is understood.

use half::{bf16, f16};
use retrograd_tensor::{DType, Element, Error, Shape, Tensor};
use std::io::{self, Read, Write};

/// Elements that are turned at a time: the piece lies in cache, and a wrong length costs no more than it.
const PIECE: usize = 8192;

/// The most axes that a file may give a tensor; NumPy and PyTorch have the same limit.
pub(super) const AXES: usize = 64;

/// The order of an element's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Little,
    #[cfg_attr(not(feature = "data"), expect(dead_code, reason = "only NumPy's files may have it"))]
    Big,
}

/// An element with a form in bytes.
trait Stored: Element {
    /// Appends the elements of these bytes, if they are some.
    fn decode(bytes: &[u8], order: Order, into: &mut Vec<Self>) -> io::Result<()>;

    /// Appends the bytes of these elements, the lowest of each first.
    fn encode(elements: &[Self], into: &mut Vec<u8>);
}

macro_rules! stored {
    ($($t:ty)*) => {$(
        impl Stored for $t {
            fn decode(bytes: &[u8], order: Order, into: &mut Vec<Self>) -> io::Result<()> {
                let (elements, _) = bytes.as_chunks();
                match order {
                    Order::Little => into.extend(elements.iter().map(|&bytes| Self::from_le_bytes(bytes))),
                    Order::Big => into.extend(elements.iter().map(|&bytes| Self::from_be_bytes(bytes))),
                }
                Ok(())
            }

            fn encode(elements: &[Self], into: &mut Vec<u8>) {
                into.extend(elements.iter().flat_map(|element| element.to_le_bytes()));
            }
        }
    )*};
}
stored! { u8 i32 i64 f16 bf16 f32 f64 }

impl Stored for bool {
    fn decode(bytes: &[u8], _: Order, into: &mut Vec<Self>) -> io::Result<()> {
        if let Some(place) = bytes.iter().position(|&byte| byte > 1) {
            let place = into.len() + place;
            return Err(invalid(&format!("element {place} is neither true (1) nor false (0)")));
        }
        into.extend(bytes.iter().map(|&byte| byte == 1));
        Ok(())
    }

    fn encode(elements: &[Self], into: &mut Vec<u8>) {
        into.extend(elements.iter().map(|&element| u8::from(element)));
    }
}

/// Calls `$call` with `$t` as the Rust type of `$dtype`.
macro_rules! with_type {
    ($dtype:expr, $t:ident => $call:expr) => {
        match $dtype {
            DType::Bool => {
                type $t = bool;
                $call
            }
            DType::U8 => {
                type $t = u8;
                $call
            }
            DType::I32 => {
                type $t = i32;
                $call
            }
            DType::I64 => {
                type $t = i64;
                $call
            }
            DType::F16 => {
                type $t = f16;
                $call
            }
            DType::BF16 => {
                type $t = bf16;
                $call
            }
            DType::F32 => {
                type $t = f32;
                $call
            }
            DType::F64 => {
                type $t = f64;
                $call
            }
        }
    };
}

/// The number of elements of `shape`, if a tensor can have it and memory could hold its bytes.
pub(super) fn count(shape: &[usize], dtype: DType) -> Result<usize, String> {
    if shape.len() > AXES {
        return Err(format!("has {} axes; {AXES} is the most", shape.len()));
    }
    let elements = Shape::from(shape).checked_numel();
    let fits = |n: &usize| n.checked_mul(dtype.size()).is_some_and(|bytes| isize::try_from(bytes).is_ok());
    elements.filter(fits).ok_or_else(|| format!("has more elements than memory could hold: shape {shape:?}"))
}

/// The next elements of `source` as a tensor of `shape`, which [`count`] has passed. Memory for `present` bytes is
/// taken at once, since that many are known to be there; beyond that it grows with what arrives.
pub(super) fn read(
    source: &mut dyn Read,
    dtype: DType,
    shape: &[usize],
    order: Order,
    present: usize,
) -> io::Result<Tensor> {
    with_type!(dtype, T => {
        let data = read_elements::<T>(source, shape.iter().product(), order, present)?;
        retrograd_tensor::attempt(|| Tensor::from_vec(data, shape)).map_err(|e: Error| invalid(e.detail()))
    })
}

fn read_elements<T: Stored>(
    source: &mut dyn Read,
    elements: usize,
    order: Order,
    present: usize,
) -> io::Result<Vec<T>> {
    let mut data = Vec::new();
    data.try_reserve_exact(elements.min(present / size_of::<T>())).map_err(|_| io::ErrorKind::OutOfMemory)?;
    let mut bytes = vec![0; elements.min(PIECE) * size_of::<T>()];
    while data.len() < elements {
        let bytes = &mut bytes[..(elements - data.len()).min(PIECE) * size_of::<T>()];
        source.read_exact(bytes)?;
        data.try_reserve(bytes.len() / size_of::<T>()).map_err(|_| io::ErrorKind::OutOfMemory)?;
        T::decode(bytes, order, &mut data)?;
    }
    Ok(data)
}

/// Writes the elements of `tensor` in row-major order, the lowest byte of each first.
pub(super) fn write(tensor: &Tensor, sink: &mut dyn Write) -> io::Result<()> {
    with_type!(tensor.dtype(), T => {
        let mut bytes = Vec::new();
        for piece in tensor.to_vec::<T>().chunks(PIECE) {
            bytes.clear();
            T::encode(piece, &mut bytes);
            sink.write_all(&bytes)?;
        }
        Ok(())
    })
}

/// The error of content that is wrong.
pub(super) fn invalid(problem: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, problem)
}
