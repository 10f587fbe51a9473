//! Case files that are missing, cut short or wrong: reading them gives an error that names the file and the place.

use std::path::{Path, PathBuf};

use libtest_mimic::{Failed, Trial};

use crate::case;

/// A family file with one fault, and what must be said of it.
struct Fault {
    name: &'static str,
    json: &'static str,
    message: &'static str,
}

const FAULTS: [Fault; 6] = [
    Fault { name: "cut_short", json: r#"{"cases": ["#, message: "cut_short.json: EOF while parsing" },
    Fault {
        name: "without_cases",
        json: r#"{"tensors": "none.safetensors"}"#,
        message: "without_cases.json: field `cases`: absent or not a list",
    },
    Fault {
        name: "without_arrays",
        json: r#"{"tensors": "absent.safetensors", "cases": []}"#,
        message: "absent.safetensors: ",
    },
    Fault {
        name: "arrays_are_text",
        json: r#"{"tensors": "arrays_are_text.json", "cases": []}"#,
        message: "arrays_are_text.json: ",
    },
    Fault {
        name: "without_id",
        json: r#"{"tensors": "empty.safetensors", "cases": [{"op": "abs"}]}"#,
        message: "without_id.json: case 0: field `id`: absent or not a string",
    },
    Fault {
        name: "unknown_array",
        json: r#"{"tensors": "empty.safetensors", "cases": [{"id": "abs/0", "op": "abs", "inputs": ["a"]}]}"#,
        message: "unknown_array.json: case 0 `abs/0`: field `inputs`: tensor `a` is not in the file",
    },
];

/// A safetensors file without tensors: the length of its header, and the header.
const EMPTY: &[u8] = b"\x08\0\0\0\0\0\0\0{}      ";

/// One test for each fault.
pub(crate) fn trials() -> Vec<Trial> {
    let faults = FAULTS.iter();
    faults.map(|fault| Trial::test(format!("files/{}", fault.name), || check(fault))).collect()
}

fn check(fault: &Fault) -> Result<(), Failed> {
    let folder = Folder::new(fault.name)?;
    std::fs::write(folder.0.join(format!("{}.json", fault.name)), fault.json)?;
    std::fs::write(folder.0.join("empty.safetensors"), EMPTY)?;
    match case::load(&folder.0) {
        Ok(_) => Err("read without an error".into()),
        Err(error) if error.contains(fault.message) => Ok(()),
        Err(error) => Err(format!("{error}; `{}` was expected in it", fault.message).into()),
    }
}

/// A folder for one test, removed with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> std::io::Result<Self> {
        let folder = std::env::temp_dir().join(format!("retrograd-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        Ok(Self(folder))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A folder that stays in the temporary directory does no harm.
        let _ = std::fs::remove_dir_all(Path::new(&self.0));
    }
}
