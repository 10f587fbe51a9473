//! Opening files, gzipped or not, with bounds on what they can make the program allocate.

pub(super) use crate::files::fail;
use flate2::read::MultiGzDecoder;
use retrograd_tensor::{Error, ErrorKind};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

/// The most bytes that a compressed file is unpacked to. Others are bounded by their own length.
pub(super) const MOST_UNPACKED: u64 = 1 << 30;

/// Deflate makes of one byte at most so many.
const MOST_EXPANSION: u64 = 1032;

/// An open file, unpacked as it is read if it is gzipped.
pub(super) struct Source {
    reader: Box<dyn BufRead>,
    /// Bytes in the file.
    stored: u64,
    gzipped: bool,
}

impl Source {
    /// The file at `path`; whether it is gzipped its first bytes tell.
    pub(super) fn open(op: &'static str, path: &Path) -> Result<Self, Error> {
        let opened = File::open(path).and_then(|file| Ok((file.metadata()?, file)));
        let (metadata, file) =
            opened.map_err(|e| fail(op, path, ErrorKind::Io, &format!("cannot be opened: {e}")))?;
        if metadata.is_dir() {
            return Err(fail(op, path, ErrorKind::Io, "is a folder, not a file"));
        }
        let mut file = BufReader::new(file);
        let start = file.fill_buf().map_err(|e| unreadable(op, path, "its start", &e))?;
        let gzipped = start.starts_with(&[0x1f, 0x8b]);
        let reader: Box<dyn BufRead> = if gzipped {
            Box::new(BufReader::new(Bounded {
                inner: MultiGzDecoder::new(file),
                most: MOST_UNPACKED,
                given: 0,
            }))
        } else {
            Box::new(file)
        };
        Ok(Self { reader, stored: metadata.len(), gzipped })
    }

    /// Whether the file could hold so many bytes, unpacked if need be.
    pub(super) fn could_hold(&self, bytes: u64) -> bool {
        let most = if self.gzipped {
            self.stored.saturating_mul(MOST_EXPANSION).min(MOST_UNPACKED)
        } else {
            self.stored
        };
        bytes <= most
    }
}

impl Read for Source {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.reader.read(out)
    }
}

/// A reader that refuses to give more than so many bytes.
struct Bounded<R> {
    inner: R,
    most: u64,
    given: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(out)?;
        self.given += read as u64;
        if self.given > self.most {
            let problem = format!("it unpacks to more than {} bytes", self.most);
            return Err(io::Error::new(io::ErrorKind::InvalidData, problem));
        }
        Ok(read)
    }
}

/// Whether an image of `raw` bytes can lie in a PNG file of `stored` bytes.
pub(super) fn could_inflate(stored: u64, raw: u64) -> bool {
    // Interlacing pads the lines of each pass, so twice the bound, and room for the smallest images.
    raw <= stored.saturating_mul(2 * MOST_EXPANSION).saturating_add(1 << 16)
}

/// The error of `op` whose reading stopped at `place`.
pub(super) fn unreadable(op: &'static str, path: &Path, place: &str, e: &io::Error) -> Error {
    match e.kind() {
        io::ErrorKind::UnexpectedEof => {
            fail(op, path, ErrorKind::Format, &format!("ends too early: at {place}; the file is cut off"))
        }
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => {
            fail(op, path, ErrorKind::Format, &format!("is damaged at {place}: {e}"))
        }
        _ => fail(op, path, ErrorKind::Io, &format!("cannot be read at {place}: {e}")),
    }
}

/// What is wrong with a file: the first few places, and how many there are.
#[derive(Default)]
pub(super) struct Problems {
    listed: Vec<String>,
    count: usize,
}

impl Problems {
    const LISTED: usize = 10;

    pub(super) fn push(&mut self, problem: String) {
        self.count += 1;
        if self.listed.len() < Self::LISTED {
            self.listed.push(problem);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The error of all of them, if there are any.
    pub(super) fn check(self, op: &'static str, path: &Path) -> Result<(), Error> {
        let more = match self.count - self.listed.len() {
            0 => String::new(),
            more => format!("; and {more} more"),
        };
        match self.count {
            0 => Ok(()),
            _ => Err(fail(op, path, ErrorKind::Format, &format!("{}{more}", self.listed.join("; ")))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Bounded, MultiGzDecoder};
    use flate2::{Compression, write::GzEncoder};
    use std::io::{Read, Write};

    #[test]
    fn what_unpacks_to_too_much_is_given_up() {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&vec![0; 1 << 20]).unwrap();
        let packed = encoder.finish().unwrap();
        let unpacked = |most| {
            let mut data = Vec::new();
            let mut bounded = Bounded { inner: MultiGzDecoder::new(&packed[..]), most, given: 0 };
            (bounded.read_to_end(&mut data).map_err(|e| e.to_string()), data.len())
        };
        assert_eq!(unpacked(1 << 20), (Ok(1 << 20), 1 << 20));
        let (refused, given) = unpacked(1 << 16);
        assert_eq!(refused, Err("it unpacks to more than 65536 bytes".to_owned()));
        assert!(given <= 1 << 16);
    }
}
