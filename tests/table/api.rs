//! Every public operator: in the table, the twin of one that is, or a composite that a test calls by its name; and a
//! composite says what of. The sources say which there are.
use retrograd::testing::entries;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Files of the operations that hold options and the table itself, and no operators.
const NONE: [&str; 2] = ["conv/options.rs", "ops/mod.rs"];

/// Operators that are no composites, though it is a private function of their family that hands them to `apply`.
const OWN: &[(&str, &[&str])] = &[
    ("one call of a product", &["matmul", "mm", "mv", "bmm", "dot"]),
    ("one call of a convolution", &["conv1d", "conv2d", "conv3d"]),
    ("one call of a convolution", &["conv_transpose1d", "conv_transpose2d", "conv_transpose3d"]),
    ("one call of a resampling", &["avg_pool", "adaptive_avg_pool", "interpolate", "interpolate_by"]),
    ("transforms along several axes, a call for each", &["fft", "ifft", "rfft", "irfft"]),
    ("transforms along several axes, a call for each", &["fft2", "ifft2", "rfft2", "irfft2"]),
    ("transforms along several axes, a call for each", &["fftn", "ifftn", "rfftn", "irfftn"]),
    ("factorisations, and solutions with a rule", &["cholesky", "lu_factor", "qr", "svd", "svdvals"]),
    ("factorisations, and solutions with a rule", &["eigh", "eigvalsh", "pinv", "inv", "solve"]),
    ("factorisations, and solutions with a rule", &["solve_triangular"]),
    ("reductions, scans and orders along an axis", &["sum", "amax", "amin", "mean", "standardize"]),
    ("reductions, scans and orders along an axis", &["cumsum", "cumprod", "logcumsumexp"]),
    ("reductions, scans and orders along an axis", &["argmax", "argmin", "argsort"]),
    ("views, and writes to them", &["reshape", "permute", "slice", "narrow", "select", "split", "unfold"]),
    ("views, and writes to them", &["pad", "at", "with", "with_add", "index_put", "diag_embed"]),
    (
        "elements by position",
        &["index_select", "index_add", "index_copy", "gather", "scatter", "scatter_add"],
    ),
    ("the function of a method, or the other way round", &["cat", "where_"]),
    ("made of no tensor", &["rand", "rand_at", "randn", "randint", "bernoulli", "randperm", "sample"]),
    ("made of no tensor", &["fftfreq", "rfftfreq", "tril_indices", "triu_indices"]),
    ("read where they are called", &["nonzero", "is_contiguous"]),
];

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
/// A public function of a source.
struct Operator<'a> {
    name: &'a str,
    docs: String,
    body: String,
}
impl Operator<'_> {
    /// Whether the seam is called here, with an operation or a named formula.
    fn is_own(&self) -> bool {
        self.body.contains("apply::") || self.body.contains("map::named(")
    }
    fn is_composite(&self) -> bool {
        self.docs.contains("Composite of ")
    }
    fn is_scalar(&self) -> bool {
        self.docs.contains("The scalar form of")
    }
}
fn operators(source: &str) -> Vec<Operator<'_>> {
    let lines: Vec<&str> = source.lines().collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some(name) = public(line).next() else { continue };
        let above = |line: &&&str| ["///", "#["].iter().any(|start| line.trim_start().starts_with(start));
        let docs: Vec<&str> = lines[..at].iter().rev().take_while(above).copied().collect();
        let end = format!("{}}}", &line[..line.len() - line.trim_start().len()]);
        let body: Vec<&str> = lines[at..].iter().copied().take_while(|line| *line != end).collect();
        found.push(Operator { name, docs: docs.join("\n"), body: body.join("\n") });
    }
    found
}
/// The operator that a name is a twin of.
fn twin(name: &str) -> &str {
    name.trim_start_matches("try_").trim_end_matches("_keepdim")
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
    let mut missing = Vec::new();
    let mut composites = 0;
    for name in operators {
        if table.contains(name) || table.contains(twin(name)) {
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

#[test]
fn every_composite_says_what_of() {
    let sources = read(&["crates/tensor/src/ops"], |file| !NONE.iter().any(|none| file.ends_with(none)));
    let all: Vec<Operator<'_>> = sources.iter().flat_map(|source| operators(source)).collect();
    let listed: BTreeSet<&str> = OWN.iter().flat_map(|(_, names)| names.iter().copied()).collect();
    let mut findings = Vec::new();
    let mut needed = BTreeSet::new();
    for operator in all.iter().filter(|o| twin(o.name) == o.name && !o.is_scalar() && !o.is_own()) {
        match (operator.is_composite(), listed.contains(operator.name)) {
            (true, false) => {}
            (false, true) => drop(needed.insert(operator.name)),
            (false, false) => {
                findings.push(format!("{}: its doc does not say `Composite of`", operator.name));
            }
            (true, true) => findings.push(format!("{}: a composite, and in OWN", operator.name)),
        }
    }
    findings.extend(listed.difference(&needed).map(|name| format!("{name}: in OWN without need")));
    assert!(findings.is_empty(), "{findings:#?}");
    assert!(all.iter().filter(|o| o.is_composite()).count() > 80, "composites were not found");
}
