//! Safetensors files: what is written comes back bit for bit; models load by name, exactly or not; files that lie,
//! end early or are damaged are refused, with every name concerned, and change nothing.

#![cfg(feature = "files")]

extern crate retrograd_nn as retrograd;

use retrograd_nn::files::{SafeTensors, load_safetensors, save_safetensors};
use retrograd_nn::{Buffer, Dropout, Linear, LoadOptions, Module, StateDict};
use retrograd_tensor::{BF16, Bool, Error, ErrorKind, F16, F32, F64, I32, I64, Rng, Tensor, U8};
use std::fs;
use std::path::PathBuf;

/// A folder of its own for each test, gone at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("retrograd-safetensors-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// A file of this header, with its true length in front, and these bytes.
    fn with(&self, name: &str, header: &str, data: &[u8]) -> PathBuf {
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header.as_bytes());
        bytes.extend(data);
        fs::write(self.file(name), bytes).unwrap();
        self.file(name)
    }

    /// The names in the folder.
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A state with every element type, an empty tensor, a single number and a name beyond ASCII.
fn every_type() -> StateDict {
    let x = Tensor::from([[1.5f32, -0.0, f32::INFINITY], [f32::MIN_POSITIVE / 2.0, 3.0, -7.25]]);
    let entries = [
        ("bool", x.gt(0.0)),
        ("u8", Tensor::from([0u8, 7, 255])),
        ("i32", Tensor::from([i32::MIN, -1, i32::MAX])),
        ("i64", Tensor::from([i64::MIN, -1, i64::MAX])),
        ("f16", x.cast(F16)),
        ("bf16", x.cast(BF16)),
        ("f32", x.clone()),
        ("f64", Tensor::from([std::f64::consts::PI, f64::MIN_POSITIVE / 8.0])),
        ("leer.größe", F32.zeros([0, 3])),
        ("one", Tensor::from(5i64)),
        ("turned", x.t()),
    ];
    entries.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

#[test]
fn every_type_comes_back_bit_for_bit() {
    let folder = Folder::new("types");
    let (state, path) = (every_type(), folder.file("new/folder/a.safetensors"));
    save_safetensors(&path, &state).unwrap();
    let read = load_safetensors(&path).unwrap();
    assert_eq!(read, state);
    let types: Vec<_> =
        ["bool", "u8", "i32", "i64", "f16", "bf16", "f32", "f64"].map(|n| read[n].dtype()).into();
    assert_eq!(types, [Bool, U8, I32, I64, F16, BF16, F32, F64]);
    // Signs of zeros are not seen by a comparison.
    assert!(read["f32"].to_vec::<f32>()[1].is_sign_negative());
    // Equal states give equal files, and nothing else is left in the folder.
    let first = fs::read(&path).unwrap();
    save_safetensors(&path, &read).unwrap();
    assert_eq!(fs::read(&path).unwrap(), first);
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    assert!(first.starts_with(
        b"\xb8\x02\0\0\0\0\0\0{\"__metadata__\":{\"format\":\"pt\"},\"i64\":{\"dtype\":\"I64\""
    ));
}

#[test]
fn single_tensors_and_rows_are_read_alone() {
    let folder = Folder::new("rows");
    let (state, path) = (every_type(), folder.file("a"));
    save_safetensors(&path, &state).unwrap();
    let file = SafeTensors::open(&path).unwrap();
    assert_eq!(file.names().count(), state.len());
    assert_eq!(file.metadata()["format"], "pt");
    assert_eq!((file.shape("turned"), file.dtype("turned")), (Some(&[3, 2][..]), Some(F32)));
    assert_eq!((file.shape("no"), file.dtype("no")), (None, None));
    assert_eq!(file.rows("turned", 1..3).unwrap(), state["turned"].narrow(0, 1, 2));
    assert_eq!(file.rows("turned", 1..1).unwrap().shape()[..], [0, 2]);
    assert_eq!(file.rows("leer.größe", 0..0).unwrap(), state["leer.größe"]);
    for (name, rows) in [("turned", 2..4), ("one", 0..1)] {
        let error = file.rows(name, rows).unwrap_err();
        assert!(error.to_string().contains("has no rows") && error.kind() == ErrorKind::Index, "{error}");
    }
    let error = file.get("no").unwrap_err().to_string();
    assert!(error.contains("`no` is missing") && error.contains(&path.display().to_string()), "{error}");
    // Elements of other tensors are not looked at.
    let length = fs::metadata(&path).unwrap().len();
    fs::File::options().write(true).open(&path).unwrap().set_len(length - 1).unwrap();
    assert_eq!(file.get("f64").unwrap(), state["f64"]);
    let error = file.get("bool").unwrap_err().to_string();
    assert!(error.contains("ends within `bool`"), "{error}");
}

#[derive(Clone, Module)]
struct Model {
    fc: Linear,
    dropout: Dropout,
    count: Buffer,
}

fn model(seed: u64) -> Model {
    let rng = &mut Rng::new(seed);
    Model {
        fc: Linear::new(3, 2, rng),
        dropout: Dropout::new(0.5, rng),
        count: Buffer::new(Tensor::from(seed as i64)),
    }
}

#[test]
fn models_are_saved_without_streams_and_load_by_name() {
    let folder = Folder::new("model");
    let path = folder.file("model.safetensors");
    let (first, mut second) = (model(1), model(2));
    let stream = second.state_dict()["dropout.stream"].clone();
    first.save(&path).unwrap();
    let names: Vec<String> = SafeTensors::open(&path).unwrap().names().map(str::to_owned).collect();
    assert_eq!(names, ["count", "fc.bias", "fc.weight"]);
    second.load(&path).unwrap();
    for name in names {
        assert_eq!(first.state_dict()[&name], second.state_dict()[&name], "{name}");
    }
    assert_eq!(second.state_dict()["dropout.stream"], stream);
}

#[test]
fn a_file_that_does_not_fit_is_refused_by_its_header_with_every_name() {
    let folder = Folder::new("misfit");
    let path = folder.file("other.safetensors");
    let mut model = model(1);
    let mut state = model.state_dict();
    state.insert("fc.weight".to_owned(), Tensor::ones([2, 4]));
    state.insert("fc.bias".to_owned(), F16.ones([2]));
    state.insert("head".to_owned(), Tensor::ones([1]));
    state.remove("count");
    save_safetensors(&path, &state).unwrap();
    let before = model.state_dict();
    let error = model.load(&path).unwrap_err();
    let message = format!(
        "load: {}: 4 of 4 entries do not fit: `fc.weight` has shape [2, 4], not [2, 3], `fc.bias` is f16, not f32, \
         `count` is missing, `head` is unexpected; the model is unchanged",
        path.display()
    );
    assert_eq!((error.to_string(), error.kind()), (message, ErrorKind::Format));
    assert_eq!(model.state_dict(), before);

    let options = LoadOptions { strict: false, cast: true };
    let error = model.load_with(&path, options).unwrap_err().to_string();
    assert!(error.contains("1 of 4 entries do not fit: `fc.weight` has shape [2, 4]"), "{error}");
    state.insert("fc.weight".to_owned(), F64.full([2, 3], 0.1));
    save_safetensors(&path, &state).unwrap();
    let loaded = model.load_with(&path, options).unwrap();
    assert_eq!((loaded.missing, loaded.unexpected), (vec!["count".to_owned()], vec!["head".to_owned()]));
    assert_eq!(model.fc.weight.to_vec::<f32>(), [0.1; 6]);
    assert_eq!(model.fc.bias.as_ref().unwrap().to_vec::<f32>(), [1.0; 2]);
}

#[track_caller]
fn refused<T>(result: Result<T, Error>, path: &std::path::Path, problem: &str) {
    let Err(error) = result else { panic!("{problem}: no error") };
    let message = error.to_string();
    assert!(message.contains(problem) && message.contains(&path.display().to_string()), "{message}");
}

#[test]
fn headers_that_lie_are_refused_before_memory_is_taken() {
    let folder = Folder::new("hostile");
    let f32s = |shape: &str, from: u64, to: u64| {
        format!(r#"{{"dtype":"F32","shape":{shape},"data_offsets":[{from},{to}]}}"#)
    };
    let cases = [
        (format!(r#"{{"a":{}}}"#, f32s("[2]", 0, 8)), 7, "gives the tensors 8 bytes; the file has 7"),
        (format!(r#"{{"a":{}}}"#, f32s("[2]", 0, 8)), 9, "gives the tensors 8 bytes; the file has 9"),
        (format!(r#"{{"a":{}}}"#, f32s("[1]", 4, 8)), 8, "invalid offset for tensor `a`"),
        (
            format!(r#"{{"a":{},"b":{}}}"#, f32s("[2]", 0, 8), f32s("[1]", 4, 8)),
            8,
            "invalid offset for tensor `b`",
        ),
        (
            format!(r#"{{"a":{},"b":{}}}"#, f32s("[2]", 0, 8), f32s("[2]", 0, 8)),
            8,
            "invalid offset for tensor",
        ),
        (format!(r#"{{"a":{}}}"#, f32s("[2]", 8, 0)), 8, "`a` of type F32 and shape [2] takes 8 bytes"),
        (
            format!(r#"{{"a":{},"b":{}}}"#, f32s("[3]", 0, 8), f32s("[9]", 8, 9)),
            9,
            "`a` of type F32 and shape [3]",
        ),
        (
            format!(r#"{{"a":{},"b":{}}}"#, f32s("[3]", 0, 8), f32s("[9]", 8, 9)),
            9,
            "`b` of type F32 and shape [9]",
        ),
        (format!(r#"{{"a":{}}}"#, f32s("[4294967296,4294967296,4]", 0, 8)), 8, "`a` has too many elements"),
        (format!(r#"{{"a":{}}}"#, f32s("[72057594037927936]", 0, 1 << 58)), 8, "gives the tensors"),
        (format!(r#"{{"a":{}}}"#, f32s("[-1]", 0, 8)), 8, "`a`: invalid value"),
        (format!(r#"{{"a":{}}}"#, f32s(&format!("[{}1]", "1,".repeat(64)), 0, 4)), 4, "`a` has 65 axes"),
        (format!(r#"{{"a":{0},"a":{0}}}"#, f32s("[2]", 0, 8)), 8, "`a` is there twice"),
        (
            r#"{"a":{"dtype":"Q7","shape":[],"data_offsets":[0,1]}}"#.to_owned(),
            1,
            "`a`: unknown variant `Q7`",
        ),
        (r#"{"__metadata__":{"n":1}}"#.to_owned(), 0, "`__metadata__`: invalid type"),
        ("[]".to_owned(), 0, "expected an object of tensors by name"),
        ("{".to_owned(), 0, "EOF while parsing"),
        ("[".repeat(100_000), 0, "expected an object"),
        (format!(r#"{{"a":{}"#, "[".repeat(100_000)), 0, "`a`"),
    ];
    for (header, data, problem) in &cases {
        let path = folder.with("case", header, &vec![0; *data]);
        refused(SafeTensors::open(&path), &path, problem);
    }
}

#[test]
fn lengths_that_lie_are_refused_before_memory_is_taken() {
    let folder = Folder::new("lengths");
    let path = folder.file("raw");
    for (bytes, problem) in [
        (&b"\0\0\0\0"[..], "ends within the header"),
        (b"", "ends within the header"),
        (b"\0\0\0\0\0\0\0\x10{}", "is said to have 1152921504606846976 bytes; this file has room for 2"),
        (b"\x03\0\0\0\0\0\0\0{}", "is said to have 3 bytes; this file has room for 2"),
        (b"\x02\0\0\0\0\0\0\0\"\xff", "the header: is no text"),
    ] {
        fs::write(&path, bytes).unwrap();
        refused(SafeTensors::open(&path), &path, problem);
    }
    // A file with holes may be as long as it likes; a header is still read only up to its limit.
    fs::write(&path, (1u64 << 33).to_le_bytes()).unwrap();
    fs::File::options().write(true).open(&path).unwrap().set_len(1 << 34).unwrap();
    refused(SafeTensors::open(&path), &path, "this file has room for 100000000");
    refused(SafeTensors::open(folder.file("absent")), &folder.file("absent"), "cannot be opened");
    refused(SafeTensors::open(&folder.0), &folder.0, "cannot be read");
}

#[test]
fn types_that_tensors_lack_are_named_and_others_stay_readable() {
    let folder = Folder::new("dtypes");
    let header = r#"{"a":{"dtype":"I16","shape":[1],"data_offsets":[0,2]},"b":{"dtype":"F8_E4M3","shape":[2],"data_offsets":[2,4]},"c":{"dtype":"U8","shape":[1],"data_offsets":[4,5]},"d":{"dtype":"BOOL","shape":[2],"data_offsets":[5,7]}}"#;
    let path = folder.with("types", header, &[0, 0, 0, 0, 9, 1, 2]);
    let file = SafeTensors::open(&path).unwrap();
    assert_eq!(file.get("c").unwrap().to_vec::<u8>(), [9]);
    assert_eq!(file.dtype("a"), None);
    refused(file.get("a"), &path, "`a` is of type I16, which tensors do not have");
    refused(file.get("d"), &path, "`d`: element 1 is neither true (1) nor false (0)");
    refused(
        load_safetensors(&path),
        &path,
        "`a` is of type I16, which tensors do not have, `b` is of type F8_E4M3",
    );
    let mut model = Buffer::new(Tensor::from([0u8]));
    let path = folder.with("unnamed", r#"{"":{"dtype":"I16","shape":[1],"data_offsets":[0,2]}}"#, &[0, 0]);
    refused(model.load(&path), &path, "1 of 1 entries do not fit: `` is of type I16");
}

#[test]
fn damage_anywhere_gives_an_error_or_other_numbers() {
    let folder = Folder::new("damage");
    let path = folder.file("good");
    save_safetensors(&path, &every_type()).unwrap();
    let good = fs::read(&path).unwrap();
    let mut refusals = 0;
    for length in 0..good.len() {
        fs::write(&path, &good[..length]).unwrap();
        refused(load_safetensors(&path), &path, "");
    }
    for place in 0..good.len() {
        let mut bad = good.clone();
        bad[place] ^= [1, 0x80, 0xff][place % 3];
        fs::write(&path, &bad).unwrap();
        refusals += usize::from(load_safetensors(&path).is_err());
    }
    assert!(refusals > good.len() / 2, "{refusals} of {}", good.len());
}

#[test]
fn a_save_that_fails_leaves_the_old_file_and_remains_of_others_go() {
    let folder = Folder::new("replace");
    let path = folder.file("a");
    let state = every_type();
    save_safetensors(&path, &state).unwrap();
    let wrong = StateDict::from([("__metadata__".to_owned(), Tensor::ones([1]))]);
    refused(save_safetensors(&path, &wrong), &path, "no tensor may be called `__metadata__`");
    refused(save_safetensors(path.join("below"), &state), &path, "cannot be written");
    assert_eq!(load_safetensors(&path).unwrap(), state);
    // What a killed process left is removed; what a living one writes is not, nor are other files.
    let living = fs::File::create(folder.file(".a.saving-1-0")).unwrap();
    living.try_lock().unwrap();
    fs::write(folder.file(".a.saving-2-0"), "half").unwrap();
    fs::write(folder.file(".ab.saving-2-0"), "other").unwrap();
    save_safetensors(&path, &state).unwrap();
    assert_eq!(folder.names(), [".a.saving-1-0", ".ab.saving-2-0", "a"]);
}

#[test]
fn saves_to_one_path_at_once_leave_one_of_them_whole() {
    let folder = Folder::new("at-once");
    let path = folder.file("a");
    let states: Vec<StateDict> =
        (0..8).map(|i| StateDict::from([("x".to_owned(), F64.full([3000], i))])).collect();
    std::thread::scope(|scope| {
        for state in &states {
            scope.spawn(|| (0..10).for_each(|_| save_safetensors(&path, state).unwrap()));
        }
    });
    assert!(states.contains(&load_safetensors(&path).unwrap()));
    assert_eq!(folder.names(), ["a"]);
}
