//! The room rules of ARCHITECTURE.md, as far as the text of the project shows them: who may name whom, where
//! `unsafe` and process-wide state live, how long files are, what every file and attribute must say.
//!
//! Each test lists every place that breaks its rule. A new exception belongs into the list beside the rule, with
//! its reason; a list entry that nothing needs any more is a failure too.

#[path = "tidy/signatures.rs"]
mod signatures;
#[path = "tidy/source.rs"]
mod source;

use source::{Source, files, has_word, text};

/// What files under some places may not name.
struct Room {
    places: &'static [&'static str],
    except: &'static [&'static str],
    words: &'static [&'static str],
    why: &'static str,
}

const ROOMS: &[Room] = &[
    Room {
        places: &["crates/tensor/"],
        except: &[],
        words: &["retrograd_autograd", "retrograd_nn", "retrograd"],
        why: "tensor knows that a value is tracked, never what that is for",
    },
    Room {
        places: &["crates/autograd/src/"],
        except: &[],
        words: &["retrograd_nn", "retrograd", "retrograd_tensor::ops", "downcast_ref", "name() =="],
        why: "autograd reads records; it names no op and matches on none",
    },
    Room {
        places: &["crates/nn/src/"],
        except: &["crates/nn/src/param.rs"],
        words: &[
            "retrograd_tensor::hidden",
            "hidden::",
            "retrograd_tensor::ops",
            "Record",
            "Layout",
            "Program",
        ],
        why: "nn calls public methods only; a parameter alone is a leaf of the tape",
    },
    Room {
        places: &["crates/tensor/src/ops/"],
        except: &[],
        words: &["cpu", "buffer", "Buffer", "thread", "rayon", "unsafe"],
        why: "an op is its shape rule, kernel, gradient and docs; how it runs is not its matter",
    },
    Room {
        places: &["crates/tensor/src/cpu/"],
        except: &[],
        words: &["Tensor", "Record", "Held", "crate::ops", "crate::apply", "crate::record"],
        why: "cpu sees slices, layouts, programs and calls, never tensors or an op's name",
    },
    Room {
        places: &["crates/"],
        except: &["crates/tensor/src/plan/", "crates/tensor/src/value.rs", "crates/tensor/src/apply.rs"],
        words: &["plan::force"],
        why: "only plan forces, asked by a value or by the seam",
    },
    Room {
        places: &["crates/tensor/src/ops/"],
        except: &[],
        words: &["Value::pending", "Value::ready", "Record::new", "Record {"],
        why: "only apply makes values and records",
    },
    Room {
        places: &["crates/tensor/src/layout.rs", "crates/tensor/src/shape.rs"],
        except: &[],
        words: &["DType", "Tensor", "*const", "*mut"],
        why: "layouts and shapes are pure arithmetic",
    },
    Room {
        places: &["examples/", "tests/", "benches/"],
        except: &["tests/tidy.rs"],
        words: &["retrograd_tensor", "retrograd_autograd", "retrograd_nn", "retrograd_nn_derive"],
        why: "examples, tests and benches use only the facade",
    },
    Room {
        places: &["crates/"],
        except: &[],
        words: &["env::var", "env::var_os"],
        why: "environment variables change neither results nor recording",
    },
    Room {
        places: &["crates/", "examples/", "tests/", "benches/"],
        except: &["tests/tidy.rs"],
        words: &["todo!", "unimplemented!", "dbg!"],
        why: "nothing unfinished and no traces of debugging",
    },
    Room {
        places: &["crates/"],
        except: &[],
        words: &["println!", "print!"],
        why: "a library does not write to standard output",
    },
];

/// The files and folders that may hold `unsafe`, each with what it does there.
const UNSAFE: &[(&str, &str)] = &[
    ("crates/tensor/src/buffer.rs", "aligned, shared, reusable memory"),
    ("crates/tensor/src/call.rs", "typed views of buffers"),
    ("crates/tensor/src/cell/model.rs", "the loom model's buffer, which two threads must not share"),
    ("crates/tensor/src/cpu/", "kernels, dispatch, the thread pool"),
    ("crates/tensor/src/plan/", "buffers that change hands"),
];

/// The roots of the crates without `unsafe`.
const SAFE_CRATES: &[&str] = &[
    "crates/autograd/src/lib.rs",
    "crates/fft/src/lib.rs",
    "crates/linalg/src/lib.rs",
    "crates/nn/src/lib.rs",
    "crates/nn-derive/src/lib.rs",
    "crates/retrograd/src/lib.rs",
];

/// The files that hold state of the process or the thread, each with what it is.
const STATE: &[(&str, &str)] = &[
    ("crates/nn/src/autocast.rs", "the type of products of a thread"),
    ("crates/nn/src/summary.rs", "the summary of a thread that is under way"),
    ("crates/tensor/src/apply/assign.rs", "the spare tensor of assigning operators"),
    ("crates/tensor/src/buffer.rs", "the cache of buffers and its counters"),
    ("crates/tensor/src/cell/model.rs", "what the loom model has seen"),
    ("crates/tensor/src/cpu/mod.rs", "the instruction set"),
    ("crates/tensor/src/cpu/pool.rs", "the thread pool and the limit of threads"),
    ("crates/tensor/src/cpu/run.rs", "the registers of a thread"),
    ("crates/tensor/src/dry.rs", "whether a dry run is on in a thread, and its account"),
    ("crates/tensor/src/error.rs", "the open attempts of a thread"),
    ("crates/tensor/src/fuse.rs", "the cache of program code"),
    ("crates/tensor/src/levels.rs", "the open levels of a thread, operations that were sliced"),
    ("crates/tensor/src/memory.rs", "counters of programs and outputs"),
    ("crates/tensor/src/mode.rs", "recording and eager mode of a thread"),
    ("crates/tensor/src/plan/errand.rs", "the call that a thread has sent to another one"),
    ("crates/tensor/src/profile.rs", "the open profile of a thread"),
    ("crates/tensor/src/replay.rs", "the runs of a thread that are noted or repeated"),
    ("crates/tensor/src/scalar.rs", "the open trace of a thread, the known expressions"),
    ("crates/tensor/src/watch.rs", "the NaN recorder of a thread"),
    ("crates/tensor/src/value.rs", "the counter of ids, the owed reductions of a thread"),
];

/// Files longer than [`LINES`], each with its reason. None may be longer than [`MOST_LINES`].
const LONG: &[(&str, &str)] = &[];

const LINES: usize = 500;
const MOST_LINES: usize = 600;

/// What may stand at the top of the project beside files whose names start with a dot.
const TOP: &[&str] = &[
    "ARCHITECTURE.md",
    "BENCHMARKS.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "benches",
    "clippy.toml",
    "crates",
    "deny.toml",
    "docs",
    "examples",
    "rustfmt.toml",
    "tests",
];

/// Fails with every finding, if there is one.
#[track_caller]
fn none(rule: &str, findings: &[String]) {
    assert!(findings.is_empty(), "{rule}; {} places do not:\n  {}", findings.len(), findings.join("\n  "));
}

#[test]
fn words_are_found_in_code_only() {
    let text = r##"// unsafe
let a = "unsafe"; /* unsafe /* nested */ unsafe */ let b = r#"unsafe " "#;
let c = '"'; let not_unsafe = '\''; unsafe { f::<'a>("\"unsafe") }
"##;
    let source = Source::new("a.rs".to_owned(), text.to_owned());
    assert_eq!(source.having("unsafe"), [3]);
    assert_eq!(source.lines[0].comment.trim(), "unsafe");
}

#[test]
fn functions_that_must_report_their_caller_are_found() {
    let text = "
impl Tensor {
    #[track_caller]
    #[expect(
        some_lint, reason = \"over several lines\"
    )]
    /// Reported.
    pub fn a(&self) -> Tensor { self.b() }
    pub fn b(
        &self,
    ) -> (Tensor, Tensor) {
    }
    pub fn size(&self) -> usize { 0 }
    fn inner(&self) -> Tensor { self.a() }
}
impl Add for &Tensor {
    fn add(self, other: &Tensor) -> Tensor { other.a() }
}
pub trait Losses {
    fn declared(&self) -> Tensor;
    fn given(&self) -> Tensor { self.declared() }
}
";
    let source = Source::new("a.rs".to_owned(), text.to_owned());
    assert_eq!(signatures::without_track_caller(&source), ["a.rs:9: b", "a.rs:17: add", "a.rs:21: given"]);
}

#[test]
fn rooms_name_only_what_they_may() {
    let mut findings = Vec::new();
    for source in Source::all() {
        for room in ROOMS.iter().filter(|room| source.under(room.places) && !source.under(room.except)) {
            for word in room.words {
                let found = source.having(word).into_iter();
                findings.extend(found.map(|line| format!("{}:{line}: `{word}`: {}", source.path, room.why)));
            }
        }
    }
    none("rooms name only what they may", &findings);
}

#[test]
fn unsafe_code_stays_in_its_files() {
    let mut findings = Vec::new();
    let sources = Source::all();
    let mut needed = vec![false; UNSAFE.len()];
    for source in &sources {
        let found = source.having("unsafe");
        match UNSAFE.iter().position(|(place, _)| source.under(&[place])) {
            Some(known) => needed[known] |= !found.is_empty(),
            None => findings.extend(found.iter().map(|line| format!("{}:{line}: unsafe", source.path))),
        }
    }
    findings.extend(unneeded(UNSAFE, &needed));
    for root in SAFE_CRATES {
        let forbids = sources
            .iter()
            .any(|source| source.path == *root && source.code().contains("#![forbid(unsafe_code)]"));
        if !forbids {
            findings.push(format!("{root}: no `#![forbid(unsafe_code)]`"));
        }
    }
    none("unsafe code stays in its files", &findings);
}

#[test]
fn every_unsafe_block_says_why_it_is_sound() {
    let mut findings = Vec::new();
    for source in Source::all() {
        for place in ["unsafe {", "unsafe impl"].iter().flat_map(|word| source.having(word)) {
            // The sentence stands above the statement, which may have started a few lines earlier.
            let near = &source.lines[place.saturating_sub(9)..place];
            if !near.iter().any(|line| line.comment.contains("SAFETY:")) {
                findings.push(format!("{}:{place}: no SAFETY sentence above", source.path));
            }
        }
    }
    none("every unsafe block says why it is sound", &findings);
}

#[test]
fn state_of_the_process_is_listed() {
    let holders = ["Atomic", "Cell<", "OnceLock<", "LazyLock<", "Mutex<", "RwLock<"];
    let mut findings = Vec::new();
    let mut needed = vec![false; STATE.len()];
    for source in Source::all().iter().filter(|source| source.is_library()) {
        for (index, line) in source.lines.iter().enumerate() {
            let holds = holders.iter().any(|holder| line.code.contains(holder));
            if !(declares_static(&line.code) && holds) {
                continue;
            }
            match STATE.iter().position(|(file, _)| source.under(&[file])) {
                Some(known) => needed[known] = true,
                None => findings.push(format!("{}:{}: {}", source.path, index + 1, line.code.trim())),
            }
        }
    }
    findings.extend(unneeded(STATE, &needed));
    none("state of the process and of threads is listed in STATE", &findings);
}

/// Whether `code` holds `static NAME`, which `&'static` is not.
fn declares_static(code: &str) -> bool {
    let names = code.split("static ").skip(1).map(|rest| rest.trim_start_matches("mut "));
    names.into_iter().any(|name| name.starts_with(|c: char| c.is_ascii_uppercase()))
        && has_word(code, "static")
        && !code.contains("'static ")
}

fn unneeded(list: &[(&str, &str)], needed: &[bool]) -> Vec<String> {
    let unneeded = list.iter().zip(needed).filter(|(_, needed)| !**needed);
    unneeded.map(|((file, reason), _)| format!("{file}: listed ({reason}) without need")).collect()
}

#[test]
fn files_are_short() {
    let mut findings = Vec::new();
    let mut needed = vec![false; LONG.len()];
    for source in Source::all() {
        let lines = source.text.lines().count();
        if lines <= LINES {
            continue;
        }
        match LONG.iter().position(|(file, _)| source.path == *file) {
            Some(known) if lines <= MOST_LINES => needed[known] = true,
            Some(_) => findings.push(format!("{}: {lines} lines; {MOST_LINES} is the most", source.path)),
            None => {
                findings.push(format!("{}: {lines} lines; {LINES} without a reason in LONG", source.path));
            }
        }
    }
    findings.extend(unneeded(LONG, &needed));
    none("files are short", &findings);
}

#[test]
fn every_file_says_what_it_is_for() {
    let sources = Source::all();
    // Sources that must not compile are the data of a test: their lines stand in its expectations.
    let sources = sources.iter().filter(|source| !source.path.contains("/tests/ui/"));
    let silent = sources.filter(|source| !source.text.starts_with("//! "));
    let findings = silent.map(|source| format!("{}: no `//!` header", source.path)).collect::<Vec<_>>();
    none("every file starts with what it is for", &findings);
}

#[test]
fn no_file_is_a_drawer_for_everything() {
    let drawers = ["utils", "util", "helpers", "misc", "common"];
    let mut findings = files();
    findings.retain(|file| {
        let parts = file.split('/').map(|part| part.strip_suffix(".rs").unwrap_or(part));
        parts.into_iter().any(|part| drawers.contains(&part))
    });
    none("files are named after what they hold", &findings);
}

#[test]
fn every_exception_to_a_lint_has_a_reason() {
    let mut findings = Vec::new();
    for source in Source::all() {
        let code = source.code();
        for opening in ["[allow(", "[expect("] {
            for (at, _) in code.match_indices(opening) {
                let attribute = code[at..].split(")]").next().unwrap_or_default();
                if !has_word(attribute, "reason") {
                    let line = code[..at].matches('\n').count() + 1;
                    findings.push(format!("{}:{line}: no reason", source.path));
                }
            }
        }
        findings.extend(
            source.having("#[ignore").iter().map(|line| format!("{}:{line}: ignored test", source.path)),
        );
    }
    none("every exception to a lint has a reason, and no test is ignored", &findings);
}

#[test]
fn misuse_is_reported_at_the_line_of_the_user() {
    let sources = Source::all();
    let library = sources.iter().filter(|source| source.is_library());
    let findings = library.flat_map(signatures::without_track_caller).collect::<Vec<_>>();
    none("every public function that can reach `apply` bears #[track_caller]", &findings);
}

#[test]
fn the_top_of_the_project_holds_only_what_belongs_there() {
    let files = files();
    let tops = files.iter().map(|file| file.split('/').next().unwrap_or_default());
    let mut findings =
        tops.filter(|top| !top.starts_with('.') && !TOP.contains(top)).map(str::to_owned).collect::<Vec<_>>();
    findings.dedup();
    none("the top of the project holds only what belongs there", &findings);
}

#[test]
fn no_file_names_a_machine_or_a_registry() {
    let folders = ["work", "root", "home", "Users", "tmp", "mnt", "nix"].map(|folder| format!("/{folder}/"));
    let hosts = ["crates", "index.crates", "static.crates"].map(|host| format!("{host}.io"));
    let others = ["pypi", "npmjs", "anaconda", "huggingface"].map(|host| format!("{host}."));
    let mut findings = Vec::new();
    // Cargo writes the lock file, with the name of its registry.
    for file in files().iter().filter(|file| *file != "Cargo.lock") {
        let Some(text) = text(file) else { continue };
        for word in folders.iter().chain(&hosts).chain(&others) {
            for (index, line) in text.lines().enumerate() {
                if names(line, word) {
                    findings.push(format!("{file}:{}: `{word}`", index + 1));
                }
            }
        }
    }
    none("files name no absolute path and no registry host", &findings);
}

/// Whether `line` holds `word` where a path or a host name starts.
fn names(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '-' | '}' | ')' | '*'))
    })
}
