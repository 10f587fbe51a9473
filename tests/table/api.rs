//! Every public operator: in the table, the twin of one that is, or a composite that a test calls by its name. The
//! sources say which there are.
use retrograd::testing::entries;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Files of the operations that hold options and the table itself, and no operators.
const NONE: [&str; 2] = ["conv/options.rs", "ops/mod.rs"];

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of the project") {
        let path = entry.expect("an entry of it").path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}
fn read(folders: &[&str], keep: impl Fn(&str) -> bool) -> Vec<String> {
    let mut files = Vec::new();
    for folder in folders {
        rust_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut files);
    }
    files.retain(|file| keep(&file.to_string_lossy().replace('\\', "/")));
    files.iter().map(|file| fs::read_to_string(file).expect("a source file")).collect()
}
/// The names of public functions: those that start a line, but for its indentation.
fn public(source: &str) -> impl Iterator<Item = &str> {
    let names = source.lines().filter_map(|line| line.trim_start().strip_prefix("pub fn "));
    names.map(|name| name.split(['(', '<']).next().unwrap_or_default())
}
/// Whether a name is called as a method or as a function of `Tensor`, or handed on as one.
fn calls(source: &str, name: &str) -> bool {
    source.match_indices(name).any(|(at, _)| {
        let (before, after) = (&source[..at], &source[at + name.len()..]);
        let method = before.ends_with('.') || before.ends_with("::");
        let function =
            before.ends_with([' ', '(', '|']) && !before.ends_with("fn ") && after.starts_with("(");
        function || method && (after.starts_with(['(', ',', ')']) || after.starts_with("::<"))
    })
}

#[test]
fn every_public_operator_is_in_the_table_or_a_tested_composite() {
    let table: BTreeSet<&str> = entries().into_iter().map(|entry| entry.name).collect();
    let sources = read(&["crates/tensor/src/ops"], |file| !NONE.iter().any(|none| file.ends_with(none)));
    let tests = read(&["tests", "crates"], |file| !file.contains("/src/") || file.ends_with("tests.rs"));
    let mut operators: BTreeSet<&str> = BTreeSet::new();
    sources.iter().for_each(|source| operators.extend(public(source)));
    assert!(operators.len() > 200, "the operators were not found: {operators:?}");
    let twin = |name: &str| name.trim_start_matches("try_").trim_end_matches("_keepdim").to_owned();
    let mut missing = Vec::new();
    let mut composites = 0;
    for name in operators {
        if table.contains(name) || table.contains(twin(name).as_str()) {
            continue;
        }
        composites += 1;
        if !tests.iter().any(|source| calls(source, name)) {
            missing.push(name);
        }
    }
    assert!(composites > 0);
    assert!(missing.is_empty(), "neither an entry of the table nor called by a test: {missing:?}");
}
