//! NumPy's `.npy`: one array, with a header that is the text of a Python dictionary.
//!
//! No crate reads it without bringing a grammar of Python's literals and, to build it, a C compiler; three keys of
//! fixed form need neither.

mod header;

use super::element::{self, invalid};
use super::{fail, replace, unreadable};
use header::Header;
use retrograd_tensor::{Error, ErrorKind, Tensor};
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::Path;

const NAME: &str = "npy";

/// The array in the `.npy` file at `path`: in C or Fortran order, little or big endian, of any version of the format.
/// Its types are bool, u8, i32, i64, f16, f32 and f64.
///
/// # Errors
/// If the file cannot be read, is none of NumPy's, is damaged, or longer or shorter than its header says; if its type
/// is none of ours. Objects and structures are refused, not run.
#[track_caller]
pub fn load_npy(path: impl AsRef<Path>) -> Result<Tensor, Error> {
    let path = path.as_ref();
    let unopened = |e| fail(NAME, path, ErrorKind::Io, &format!("cannot be opened: {e}"));
    let file = File::open(path).map_err(unopened)?;
    let length = file.metadata().map_err(unopened)?.len();
    read(&mut BufReader::new(file), length, length, "").map_err(|e| unreadable(NAME, path, "the array", &e))
}

/// Writes `tensor` to the `.npy` file at `path`, replacing what is there in one step.
///
/// ```
/// use retrograd_nn::files::{load_npy, save_npy};
/// use retrograd_tensor::Tensor;
/// let path = std::env::temp_dir().join(format!("doc-{}.npy", std::process::id()));
/// let x = Tensor::from([[1.0f64, 2.0], [3.0, 4.0]]);
/// save_npy(&path, &x)?;
/// assert_eq!(load_npy(&path)?, x);
/// # std::fs::remove_file(&path).unwrap();
/// # Ok::<(), retrograd_tensor::Error>(())
/// ```
///
/// # Errors
/// If the file cannot be written, or the type is `bf16`, which NumPy does not have; what was there before stays.
pub fn save_npy(path: impl AsRef<Path>, tensor: &Tensor) -> Result<(), Error> {
    let path = path.as_ref();
    let header = header_of(tensor).map_err(|problem| fail(NAME, path, ErrorKind::Dtype, &problem))?;
    replace::replace(NAME, path, |sink| write(&header, tensor, sink))
}

/// The bytes in front of the elements of `tensor`, if NumPy has its type.
pub(super) fn header_of(tensor: &Tensor) -> Result<Vec<u8>, String> {
    header::write(tensor.dtype(), tensor.shape())
}

pub(super) fn write(header: &[u8], tensor: &Tensor, sink: &mut dyn Write) -> io::Result<()> {
    sink.write_all(header)?;
    element::write(tensor, sink)
}

/// The array that is all of `source`, of which `present` bytes are known to be there and at most `most` may come,
/// `because` of what.
pub(super) fn read(source: &mut dyn Read, present: u64, most: u64, because: &str) -> io::Result<Tensor> {
    let (Header { dtype, order, columns_first, mut shape }, taken) = Header::read(source)?;
    let elements = element::count(&shape, dtype).map_err(|problem| invalid(&problem))?;
    let (bytes, room) = ((elements * dtype.size()) as u64, most.saturating_sub(taken));
    if bytes > room {
        let problem = format!(
            "of type {dtype} and shape {shape:?} takes {bytes} bytes; there is room for {room}{because}"
        );
        return Err(invalid(&problem));
    }
    if columns_first {
        shape.reverse();
    }
    let present = usize::try_from(present).unwrap_or(usize::MAX);
    let stored = element::read(source, dtype, &shape, order, present)?;
    if source.read(&mut [0])? != 0 {
        return Err(invalid(&format!("goes on after the {bytes} bytes of its shape")));
    }
    let axes: Vec<isize> = (0..shape.len() as isize).rev().collect();
    Ok(if columns_first { stored.permute(&axes[..]) } else { stored })
}
