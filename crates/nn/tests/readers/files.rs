//! Files and folders of a test's own, gone at its end.

use flate2::Compression;
use flate2::write::GzEncoder;
use retrograd_tensor::{Error, ErrorKind};
use std::fmt::Debug;
use std::io::Write;
use std::path::{Path, PathBuf};

pub(crate) struct TempFolder(pub(crate) PathBuf);

impl TempFolder {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("retrograd-readers-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }
}

impl Drop for TempFolder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn gzipped(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// Zeros, gzipped: `mebibytes` of them in about a thousandth.
pub(crate) fn bomb(start: &[u8], mebibytes: usize) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(start).unwrap();
    let zeros = vec![0; 1 << 20];
    for _ in 0..mebibytes {
        encoder.write_all(&zeros).unwrap();
    }
    encoder.finish().unwrap()
}

/// The file must be refused with this kind, and a message that names it and has all of `problems`.
#[track_caller]
pub(crate) fn refused<T: Debug>(read: Result<T, Error>, path: &Path, kind: ErrorKind, problems: &[&str]) {
    let e = read.unwrap_err();
    let message = e.to_string();
    assert!(message.contains(&path.display().to_string()), "{message}");
    for problem in problems {
        assert!(message.contains(problem), "{problem}: {message}");
    }
    assert_eq!(e.kind(), kind, "{message}");
}
