//! NumPy's files: every type, order and version that NumPy writes is read; what is written here comes back; files that
//! lie, end early, go on or unpack without end are refused.

#![cfg(feature = "data")]

use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc};
use retrograd_nn::StateDict;
use retrograd_nn::files::{Npz, load_npy, load_npz, save_npy, save_npz, save_npz_compressed};
use retrograd_tensor::{BF16, Bool, DType, Error, ErrorKind, F16, F32, F64, I32, I64, Tensor, U8};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/numpy");

fn fixture(name: &str) -> PathBuf {
    Path::new(FIXTURES).join(name)
}

/// A file of its own for each test, gone at the end.
struct TempFile(PathBuf);

impl TempFile {
    fn new(name: &str) -> Self {
        Self(std::env::temp_dir().join(format!("retrograd-arrays-{}-{name}", std::process::id())))
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// 0, 1, 2, .. in this shape; as bool, whether that is odd.
fn count(dtype: DType, shape: &[usize]) -> Tensor {
    let numbers = I64.arange(0, shape.iter().product::<usize>() as i64, 1).reshape(shape);
    if dtype == Bool { numbers.remainder(2).eq(1) } else { numbers.cast(dtype) }
}

fn counted() -> StateDict {
    let types = [("b1", Bool), ("u1", U8), ("i4", I32), ("i8", I64), ("f2", F16), ("f4", F32), ("f8", F64)];
    let mut arrays = StateDict::from([
        ("scalar".to_owned(), count(F32, &[])),
        ("vector".to_owned(), count(I64, &[5])),
        ("empty".to_owned(), F32.zeros([0, 3])),
        ("größe".to_owned(), count(F32, &[2])),
    ]);
    for (name, dtype) in types {
        for order in ["C", "F"] {
            for ends in ["<", ">"].iter().take(dtype.size().min(2)) {
                arrays.insert(format!("{order}{ends}{name}"), count(dtype, &[2, 3, 4]));
            }
        }
    }
    arrays
}

#[test]
fn what_numpy_writes_is_read() {
    let mut want = counted();
    assert_eq!(load_npz(fixture("stored.npz")).unwrap(), want);
    want.insert("zeros".to_owned(), F64.zeros([100, 1000]));
    assert_eq!(load_npz(fixture("compressed.npz")).unwrap(), want);
    assert_eq!(load_npy(fixture("fortran.npy")).unwrap(), count(F64, &[2, 3, 4]));
    assert_eq!(Npz::open(fixture("stored.npz")).unwrap().get("F>f4").unwrap(), count(F32, &[2, 3, 4]));
}

#[test]
fn what_is_written_comes_back() {
    let file = TempFile::new("back");
    let arrays = counted();
    for (name, array) in &arrays {
        save_npy(&file.0, array).unwrap();
        assert_eq!(load_npy(&file.0).unwrap(), *array, "{name}");
    }
    save_npz(&file.0, &arrays).unwrap();
    assert_eq!(load_npz(&file.0).unwrap(), arrays);
    let stored = fs::metadata(&file.0).unwrap().len();
    let zeros = StateDict::from([("zeros".to_owned(), F64.zeros([100, 1000]))]);
    save_npz_compressed(&file.0, &zeros).unwrap();
    assert_eq!(load_npz(&file.0).unwrap(), zeros);
    assert!(stored < 20_000 && fs::metadata(&file.0).unwrap().len() < 2000);
    save_npy(&file.0, &count(F32, &[2, 3]).t()).unwrap();
    let bytes = fs::read(&file.0).unwrap();
    assert_eq!(bytes.len(), 128 + 24);
    assert!(
        bytes.starts_with(
            b"\x93NUMPY\x01\0\x76\0{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), } "
        )
    );
}

#[track_caller]
fn refused<T>(result: Result<T, Error>, path: &Path, problem: &str) {
    let Err(error) = result else { panic!("{problem}: no error") };
    let message = error.to_string();
    assert!(message.contains(problem) && message.contains(&path.display().to_string()), "{message}");
}

#[test]
fn types_that_tensors_lack_are_told() {
    let path = fixture("int16.npy");
    refused(
        load_npy(&path),
        &path,
        "the array: has a header that has the type `<i2`, which tensors do not have",
    );
    let path = fixture("objects.npy");
    refused(load_npy(&path), &path, "has the type `|O`");
    let path = fixture("structure.npy");
    refused(load_npy(&path), &path, "has no simple type");
    let file = TempFile::new("bf16");
    refused(save_npy(&file.0, &BF16.ones([2])), &file.0, "NumPy has no bf16; cast to F32");
    let arrays = StateDict::from([("a".to_owned(), BF16.ones([2])), ("../b".to_owned(), F32.ones([2]))]);
    refused(save_npz(&file.0, &arrays), &file.0, "`../b` is no name in an archive, `a`: NumPy has no bf16");
    assert!(!file.0.exists());
}

/// An array file with this dictionary and these bytes behind it.
fn npy(dictionary: &str, data: &[u8]) -> Vec<u8> {
    let length = (dictionary.len() as u16).to_le_bytes();
    [b"\x93NUMPY\x01\0", &length[..], dictionary.as_bytes(), data].concat()
}

#[test]
fn headers_that_lie_are_refused() {
    let file = TempFile::new("hostile.npy");
    let f4 = |shape: &str| format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}");
    let cases = [
        (npy(&f4("(3,)"), &[0; 8]), "of type f32 and shape [3] takes 12 bytes; there is room for 8"),
        (npy(&f4("(1,)"), &[0; 5]), "goes on after the 4 bytes of its shape"),
        (npy(&f4("(1152921504606846976,)"), &[0; 8]), "there is room for 8"),
        (npy(&f4("(4294967296, 4294967296)"), &[0; 8]), "more elements than memory could hold"),
        (npy(&f4("(0, 9223372036854775807, 9)"), &[]), "more elements than memory could hold"),
        (npy(&f4("(99999999999999999999,)"), &[]), "has the shape (99999999999999999999,)"),
        (npy(&f4("(-1,)"), &[]), "has the shape (-1,)"),
        (npy(&f4("(1"), &[0; 4]), "ends within the shape"),
        (npy(&f4(&format!("({})", "1,".repeat(65))), &[0; 4]), "has 65 axes; 64 is the most"),
        (npy("{'descr': '<f4', 'shape': (), }", &[0; 4]), "lacks one of"),
        (npy("{'descr': '<f4', 'descr': '<f4', }", &[0; 4]), "has `descr` twice"),
        (npy("{'descr': '<f4', 'order': 1, }", &[0; 4]), "has a key `order`"),
        (npy("{'descr': '<f4', 'fortran_order': 0, }", &[0; 4]), "has no `False` before `0, }`"),
        (npy(&format!("{} x", f4("()")), &[0; 4]), "goes on after its end"),
        (npy("", &[]), "has no `{` before"),
        (npy("{'descr", &[]), "ends within a string"),
        (npy(&f4("()").replace("<f", "\u{ff}"), &[0; 4]), "has the type `\u{ff}4`"),
        (npy("{'descr': '\n'}", &[]), "lacks one of"),
        (npy("{'descr': '|b1', 'fortran_order': False, 'shape': (2,)}", &[1, 2]), "element 1 is neither"),
        (b"\x93NUMPY\x01\0\xff\xff{".to_vec(), "has a header of 65535 bytes; 10000 are the most"),
        (b"\x93NUMPY\x02\0\xff\xff\xff\xff{".to_vec(), "has a header of 4294967295 bytes"),
        (b"\x93NUMPY\x04\0\x01\0{".to_vec(), "is of version 4; 1 to 3 are known"),
        (b"\x93NUMPY\x01\0\x10\0{".to_vec(), "ends within the array"),
        (b"PK\x03\x04 something else".to_vec(), "is none of NumPy's"),
        (Vec::new(), "ends within the array"),
    ];
    for (bytes, problem) in cases {
        fs::write(&file.0, bytes).unwrap();
        refused(load_npy(&file.0), &file.0, problem);
    }
    refused(load_npy("no/such.npy"), Path::new("no/such.npy"), "cannot be opened");
    refused(load_npz("no/such.npz"), Path::new("no/such.npz"), "cannot be opened");
}

/// A member of an archive: name, method, bytes, how many they unpack to, and where the bytes of another member are that
/// this one uses instead of its own.
type Given<'a> = (&'a str, u16, &'a [u8], usize, Option<u32>);

/// An archive with these members.
fn archive(members: &[Given<'_>]) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for (name, method, data, unpacked, shared) in members {
        let mut fields = vec![20, 0, 0, 0];
        fields.extend(method.to_le_bytes());
        fields.extend([0; 4]);
        let mut sum = Crc::new();
        sum.update(data);
        fields.extend(sum.sum().to_le_bytes());
        fields.extend((data.len() as u32).to_le_bytes());
        fields.extend((*unpacked as u32).to_le_bytes());
        fields.extend((name.len() as u16).to_le_bytes());
        fields.extend([0; 2]);
        let place = shared.unwrap_or(bytes.len() as u32);
        directory.extend(
            [&b"PK\x01\x02\x14\0"[..], &fields, &[0; 10], &place.to_le_bytes(), name.as_bytes()].concat(),
        );
        if shared.is_none() {
            bytes.extend([&b"PK\x03\x04"[..], &fields, name.as_bytes(), data].concat());
        }
    }
    let count = (members.len() as u16).to_le_bytes();
    let (size, at) = ((directory.len() as u32).to_le_bytes(), (bytes.len() as u32).to_le_bytes());
    [&bytes[..], &directory, b"PK\x05\x06\0\0\0\0", &count, &count, &size, &at, &[0; 2]].concat()
}

fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn archives_that_lie_are_refused() {
    let file = TempFile::new("hostile.npz");
    let f4 = |size: usize| format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({size},)}}");
    let one = npy(&f4(2), &[0; 8]);
    let (short, long) = (npy(&f4(2), &[0; 7]), npy(&f4(2), &[0; 9]));
    let plain = |name, data: &[u8]| archive(&[(name, 0, data, data.len(), None)]);
    let large = npy(&f4(2000), &[0; 8000]);
    let twice = ("a.npy", 0, &one[..], one.len(), None);
    let (first, other) = (("a.npy", 0, &large[..], 8000, None), ("b.npy", 0, &large[..], 8000, Some(0)));
    let mut changed = plain("a.npy", &one);
    changed[30 + 5 + one.len() - 1] ^= 1;
    let cases = [
        (b"no archive".to_vec(), "is no archive"),
        (Vec::new(), "is no archive"),
        (plain("readme.txt", b"text"), "`readme.txt` is no array: its name does not end with .npy"),
        (archive(&[twice, twice]), "`a` is there twice"),
        (archive(&[first, other]), "the arrays are said to have 16136 bytes; the file has"),
        (plain("a.npy", &short), "`a`: of type f32 and shape [2] takes 8 bytes; there is room for 7"),
        (plain("a.npy", &long), "`a`: goes on after the 8 bytes of its shape"),
        (changed, "`a`: Invalid checksum"),
        (archive(&[("a.npy", 12, &one, one.len(), None)]), "compressed in a way that NumPy does not write"),
        (archive(&[("a.npy", 8, &[7; 30], 100, None)]), "`a`: "),
        (archive(&[("a.npy", 0, &one, one.len(), Some(3))]), "`a`: "),
    ];
    for (bytes, problem) in cases {
        fs::write(&file.0, bytes).unwrap();
        refused(load_npz(&file.0), &file.0, problem);
    }
}

#[test]
fn a_small_archive_does_not_unpack_without_end() {
    let file = TempFile::new("bomb.npz");
    let size = 1 << 20;
    let header = format!("{{'descr': '|u1', 'fortran_order': False, 'shape': ({size},)}}");
    let honest = npy(&header, &vec![0; size]);
    let lie = npy(&header.replace("1048576", "99999999999"), &vec![0; size]);
    let lies = StateDict::from([("a".to_owned(), U8.zeros([size]))]);
    save_npz_compressed(&file.0, &lies).unwrap();
    assert!(fs::metadata(&file.0).unwrap().len() < 3000);
    let limited = Npz::open(&file.0).unwrap().limit(1000);
    refused(
        limited.get("a"),
        &file.0,
        "`a`: of type u8 and shape [1048576] takes 1048576 bytes; there is room for",
    );
    refused(limited.get("a"), &file.0, ", as `limit` says");
    refused(limited.get("b"), &file.0, "`b` is missing");
    assert_eq!(limited.limit(honest.len() as u64 + 100).get("a").unwrap(), lies["a"]);
    let packed = deflated(&lie);
    fs::write(&file.0, archive(&[("a.npy", 8, &packed, lie.len(), None)])).unwrap();
    refused(load_npz(&file.0), &file.0, "takes 99999999999 bytes; there is room for");
    // Within the limit, memory grows only with what is unpacked.
    refused(Npz::open(&file.0).unwrap().limit(u64::MAX).get("a"), &file.0, "`a`: Invalid checksum");
}

type Save = fn(&Path, &StateDict) -> Result<(), Error>;
type Load = fn(&Path) -> Result<StateDict, Error>;

#[test]
fn damage_anywhere_gives_an_error_or_other_numbers() {
    let file = TempFile::new("damage");
    let arrays = StateDict::from([("a".to_owned(), count(F32, &[2, 3])), ("b".to_owned(), count(I64, &[2]))]);
    let save: [Save; 3] = [
        |path, x| save_npy(path, &x["a"]),
        |path, x| save_npz(path, x),
        |path, x| save_npz_compressed(path, x),
    ];
    let load: [Load; 3] = [
        |path| Ok(StateDict::from([("a".to_owned(), load_npy(path)?)])),
        |path| load_npz(path),
        |path| load_npz(path),
    ];
    for (save, load) in save.into_iter().zip(load) {
        save(&file.0, &arrays).unwrap();
        let good = fs::read(&file.0).unwrap();
        for length in 0..good.len() {
            fs::write(&file.0, &good[..length]).unwrap();
            let error = load(&file.0).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Format, "{error}");
        }
        let mut refusals = 0;
        for place in 0..good.len() {
            let mut bad = good.clone();
            bad[place] ^= [1, 0x80, 0xff][place % 3];
            fs::write(&file.0, &bad).unwrap();
            refusals += usize::from(load(&file.0).is_err());
        }
        assert!(refusals > good.len() / 3, "{refusals} of {}", good.len());
    }
}
