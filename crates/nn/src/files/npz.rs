//! NumPy's `.npz`: a zip archive of `.npy` files.
//!
//! The `rawzip` crate knows the archive, `flate2` unpacks. What archives can lie about is checked here: names that
//! come twice, members that share their bytes, and how much is unpacked.

use super::element::invalid;
use super::{fail, npy, replace, unreadable};
use crate::module::StateDict;
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use rawzip::path::ZipFilePath;
use rawzip::{
    CompressionMethod, FileReader, RECOMMENDED_BUFFER_SIZE, ZipArchive, ZipArchiveEntryWayfinder,
    ZipArchiveWriter,
};
use retrograd_tensor::{Error, ErrorKind, Tensor};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

const NAME: &str = "npz";

/// The end of a member's name, which is not part of the array's.
const SUFFIX: &str = ".npy";

/// What one compressed array may unpack to, unless told otherwise: 4 GiB.
const LIMIT: u64 = 1 << 32;

/// An `.npz` file whose arrays are read when they are wanted.
///
/// ```
/// use retrograd_nn::files::{Npz, save_npz};
/// use retrograd_tensor::Tensor;
/// let path = std::env::temp_dir().join(format!("doc-{}.npz", std::process::id()));
/// let arrays = [("x".to_owned(), Tensor::ones([2, 3])), ("y".to_owned(), Tensor::from([1i64, 2]))].into();
/// save_npz(&path, &arrays)?;
///
/// let file = Npz::open(&path)?;
/// assert_eq!(file.names().collect::<Vec<_>>(), ["x", "y"]);
/// assert_eq!(file.get("y")?.to_vec::<i64>(), [1, 2]);
/// # std::fs::remove_file(&path).unwrap();
/// # Ok::<(), retrograd_tensor::Error>(())
/// ```
#[derive(Debug)]
pub struct Npz {
    path: PathBuf,
    archive: ZipArchive<FileReader>,
    members: BTreeMap<String, Member>,
    limit: u64,
}

#[derive(Debug)]
struct Member {
    place: ZipArchiveEntryWayfinder,
    method: CompressionMethod,
    encrypted: bool,
}

impl Npz {
    /// Opens the file at `path` and reads its list of arrays.
    ///
    /// # Errors
    /// If the file cannot be read or is no archive of arrays; if a name comes twice, or the arrays are said to have
    /// more bytes than the file.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref().to_owned();
        let unopened = |e| fail(NAME, &path, ErrorKind::Io, &format!("cannot be opened: {e}"));
        let file = File::open(&path).map_err(unopened)?;
        let length = file.metadata().map_err(unopened)?.len();
        let (archive, members) =
            list(file, length).map_err(|problem| fail(NAME, &path, ErrorKind::Format, &problem))?;
        Ok(Self { path, archive, members, limit: LIMIT })
    }

    /// Lets a compressed array unpack to at most so many bytes, instead of 4 GiB. A small file can unpack to a
    /// thousand times its size; arrays that are not compressed never take more than the file has.
    #[must_use]
    pub fn limit(self, bytes: u64) -> Self {
        Self { limit: bytes, ..self }
    }

    /// The names of the arrays, in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.members.keys().map(String::as_str)
    }

    /// Reads the array `name`, and nothing else.
    ///
    /// # Errors
    /// If there is no such array, or it cannot be read; see [`load_npy`](super::load_npy).
    #[track_caller]
    pub fn get(&self, name: &str) -> Result<Tensor, Error> {
        let absent = || fail(NAME, &self.path, ErrorKind::Format, &format!("`{name}` is missing"));
        let member = self.members.get(name).ok_or_else(absent)?;
        self.read(member).map_err(|e| unreadable(NAME, &self.path, &format!("`{name}`"), &e))
    }

    /// Reads all arrays.
    ///
    /// # Errors
    /// Lists every array that cannot be read.
    #[track_caller]
    pub fn state_dict(&self) -> Result<StateDict, Error> {
        let (mut state, mut problems) = (StateDict::new(), Vec::new());
        for (name, member) in &self.members {
            match self.read(member) {
                Ok(value) => drop(state.insert(name.clone(), value)),
                Err(e) => problems.push(format!("`{name}`: {e}")),
            }
        }
        if problems.is_empty() {
            return Ok(state);
        }
        Err(fail(NAME, &self.path, ErrorKind::Format, &problems.join(", ")))
    }

    fn read(&self, member: &Member) -> io::Result<Tensor> {
        let refuse = |problem: &str| Err(invalid(problem));
        if member.encrypted {
            return refuse("is encrypted");
        }
        let entry = self.archive.get_entry(member.place).map_err(io::Error::other)?;
        let present = member.place.compressed_size_hint();
        // The verifying reader compares length and checksum when it comes to the end, which reading an array does.
        match member.method {
            CompressionMethod::STORE => {
                let stored = entry.verifying_reader(entry.reader());
                npy::read(&mut BufReader::new(stored), present, present, "")
            }
            CompressionMethod::DEFLATE => {
                let unpacked = entry.verifying_reader(DeflateDecoder::new(entry.reader()));
                npy::read(&mut BufReader::new(unpacked), present, self.limit, ", as `limit` says")
            }
            _ => refuse("is compressed in a way that NumPy does not write"),
        }
    }
}

/// The members of an archive in a file of `length` bytes.
fn list(file: File, length: u64) -> Result<(ZipArchive<FileReader>, BTreeMap<String, Member>), String> {
    let no_archive = |e: rawzip::Error| format!("is no archive: {e}");
    let mut buffer = vec![0; RECOMMENDED_BUFFER_SIZE];
    let archive = ZipArchive::from_file(file, &mut buffer).map_err(no_archive)?;
    let mut members = BTreeMap::new();
    let (mut problems, mut bytes, mut count) = (Vec::new(), 0u64, 0);
    let mut entries = archive.entries(&mut buffer);
    while let Some(entry) = entries.next_entry().map_err(no_archive)? {
        let path = entry.file_path();
        let name = String::from_utf8_lossy(path.as_bytes()).into_owned();
        let place = entry.wayfinder();
        bytes = bytes.saturating_add(place.compressed_size_hint());
        count += 1;
        let Some(array) = name.strip_suffix(SUFFIX).filter(|_| !name.contains(char::REPLACEMENT_CHARACTER))
        else {
            problems.push(format!("`{name}` is no array: its name does not end with {SUFFIX}"));
            continue;
        };
        let member =
            Member { place, method: entry.compression_method(), encrypted: entry.flags().is_encrypted() };
        if members.insert(array.to_owned(), member).is_some() {
            problems.push(format!("`{array}` is there twice"));
        }
    }
    if bytes > length {
        problems.push(format!("the arrays are said to have {bytes} bytes; the file has {length}"));
    }
    if count != archive.entries_hint() {
        problems.push(format!("is said to have {} members and has {count}", archive.entries_hint()));
    }
    if problems.is_empty() { Ok((archive, members)) } else { Err(problems.join(", ")) }
}

/// All arrays of the `.npz` file at `path`, by name.
///
/// # Errors
/// If the file cannot be read or is no archive of arrays; lists every array that cannot be read. See [`Npz`].
#[track_caller]
pub fn load_npz(path: impl AsRef<Path>) -> Result<StateDict, Error> {
    Npz::open(path)?.state_dict()
}

/// Writes `arrays` to the `.npz` file at `path` as they are, replacing what is there in one step: `numpy.savez`.
///
/// # Errors
/// If the file cannot be written; lists every array with a type that NumPy lacks or a name that archives lack. What was
/// there before stays.
pub fn save_npz(path: impl AsRef<Path>, arrays: &StateDict) -> Result<(), Error> {
    save(path.as_ref(), arrays, CompressionMethod::STORE)
}

/// As [`save_npz`], compressed: `numpy.savez_compressed`.
///
/// # Errors
/// As [`save_npz`].
pub fn save_npz_compressed(path: impl AsRef<Path>, arrays: &StateDict) -> Result<(), Error> {
    save(path.as_ref(), arrays, CompressionMethod::DEFLATE)
}

fn save(path: &Path, arrays: &StateDict, method: CompressionMethod) -> Result<(), Error> {
    let (mut members, mut problems) = (Vec::new(), Vec::new());
    for (name, tensor) in arrays {
        let member = format!("{name}{SUFFIX}");
        // An archive would write another name.
        if ZipFilePath::from_str(&member).as_str() != member {
            problems.push(format!("`{name}` is no name in an archive"));
        }
        match npy::header_of(tensor) {
            Ok(header) => members.push((member, header, tensor)),
            Err(problem) => problems.push(format!("`{name}`: {problem}")),
        }
    }
    if !problems.is_empty() {
        return Err(fail(NAME, path, ErrorKind::Format, &problems.join(", ")));
    }
    replace::replace(NAME, path, |sink| {
        let mut archive = ZipArchiveWriter::new(sink);
        for (member, header, tensor) in &members {
            let file = archive.new_file(member.as_str()).compression_method(method);
            let (mut entry, config) = file.start().map_err(io::Error::other)?;
            let descriptor = if method == CompressionMethod::DEFLATE {
                let mut array = config.wrap(DeflateEncoder::new(&mut entry, Compression::default()));
                npy::write(header, tensor, &mut array)?;
                let (encoder, descriptor) = array.finish().map_err(io::Error::other)?;
                encoder.finish()?;
                descriptor
            } else {
                let mut array = config.wrap(&mut entry);
                npy::write(header, tensor, &mut array)?;
                array.finish().map_err(io::Error::other)?.1
            };
            entry.finish(descriptor).map_err(io::Error::other)?;
        }
        archive.finish().map_err(io::Error::other)?.flush()
    })
}
