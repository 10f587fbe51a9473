//! Files: weights under their names, arrays, and one file with everything that a run needs.
//!
//! | | |
//! |---|---|
//! | [`SafeTensors`], [`load_safetensors`], [`save_safetensors`] | tensors by name, in the format that PyTorch users exchange; [`Module::save`](crate::Module::save) and [`Module::load`](crate::Module::load) use it |
//! | [`Checkpoint`], [`Parts`] | everything that a run needs in order to continue, in one file |
//! | `Npz`, `load_npy`, `load_npz`, `save_npy`, `save_npz` (feature `data`) | NumPy's arrays |
//!
//! What a file says is never trusted. Its length is known before anything is read, headers are checked against it
//! before memory is taken for them, and elements are read in small pieces, so that no file makes its reader take
//! more memory than it has bytes (compressed ones: than it unpacks to, up to a limit). Whatever is wrong is an `Err`
//! with the path and the names concerned, and what was to be loaded stays as it was.
//!
//! A file is written under another name and renamed when it is complete: whoever reads the path, or is killed while
//! writing, finds the old file or the new one, whole. `replace` does that, `element` turns elements into bytes and
//! back.

mod checkpoint;
mod element;
#[cfg(feature = "data")]
mod npy;
#[cfg(feature = "data")]
mod npz;
pub(crate) mod replace;
mod safetensors;

use retrograd_tensor::{Error, ErrorKind};
use std::io;
use std::path::Path;

pub use self::checkpoint::{Checkpoint, Parts};
#[cfg(feature = "data")]
pub use self::npy::{load_npy, save_npy};
#[cfg(feature = "data")]
pub use self::npz::{Npz, load_npz, save_npz, save_npz_compressed};
pub use self::safetensors::{SafeTensors, load_safetensors, save_safetensors};

/// An error of `op` about the file at `path`.
pub(crate) fn fail(op: &'static str, path: &Path, kind: ErrorKind, problem: &str) -> Error {
    Error::new(op, kind, format!("{}: {problem}", path.display()))
}

/// The error of reading `what` from the file at `path`: of its format if the content is to blame.
fn unreadable(op: &'static str, path: &Path, what: &str, error: &io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => fail(op, path, ErrorKind::Format, &format!("ends within {what}")),
        _ if error.raw_os_error().is_some() => {
            fail(op, path, ErrorKind::Io, &format!("{what} cannot be read: {error}"))
        }
        _ => fail(op, path, ErrorKind::Format, &format!("{what}: {error}")),
    }
}
