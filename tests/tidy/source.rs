//! The project's files as text: which there are, and of Rust source what is code, comment or string. No parser:
//! enough to tell a word of code from the same word in a sentence.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder of the workspace.
pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every file of the project, by path from the root with `/` between folders: what git tracks or would, or where
/// there is no git, all but build outputs.
pub(crate) fn files() -> Vec<String> {
    let arguments = ["ls-files", "--cached", "--others", "--exclude-standard", "-z"];
    let listed = Command::new("git").args(arguments).current_dir(root()).output();
    let mut files = match listed {
        Ok(output) if output.status.success() => {
            String::from_utf8_lossy(&output.stdout).split_terminator('\0').map(str::to_owned).collect()
        }
        _ => walked(),
    };
    files.retain(|file: &String| root().join(file).is_file());
    files.sort();
    files.dedup();
    assert!(files.iter().any(|file| file == "Cargo.toml"), "the files of the project were not found");
    files
}

fn walked() -> Vec<String> {
    let (mut files, mut folders) = (Vec::new(), vec![root()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder of the project can be read") {
            let path = entry.expect("an entry of a folder can be read").path();
            if !path.is_dir() {
                files.push(relative(&path));
            } else if !matches!(relative(&path).as_str(), "target" | ".git") {
                folders.push(path);
            }
        }
    }
    files
}

fn relative(path: &Path) -> String {
    let path = path.strip_prefix(root()).expect("the path lies under the root");
    path.components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}

/// The text of `file`, or nothing where it is no UTF-8 text.
pub(crate) fn text(file: &str) -> Option<String> {
    String::from_utf8(std::fs::read(root().join(file)).ok()?).ok().filter(|text| !text.contains('\0'))
}

/// One line of a Rust file, taken apart. Columns are kept: what was removed is blank.
#[derive(Debug, Default, Clone)]
pub(crate) struct Line {
    /// Code without comments and without the contents of strings.
    pub code: String,
    /// The text of comments.
    pub comment: String,
}

/// One Rust file.
#[derive(Debug)]
pub(crate) struct Source {
    pub path: String,
    pub text: String,
    pub lines: Vec<Line>,
}

impl Source {
    /// Every Rust file of the project.
    pub(crate) fn all() -> Vec<Self> {
        let rust = files().into_iter().filter(|file| file.ends_with(".rs"));
        let read = |path: String| {
            let text = text(&path).unwrap_or_else(|| panic!("{path}: not UTF-8 text"));
            Self::new(path, text)
        };
        rust.map(read).collect()
    }

    /// The file at `path` that says `text`.
    pub(crate) fn new(path: String, text: String) -> Self {
        Self { lines: lines(&text), text, path }
    }

    /// Whether the file lies under one of `places`: folders end in `/`, files are named in full.
    pub(crate) fn under(&self, places: &[&str]) -> bool {
        places
            .iter()
            .any(|place| self.path == *place || (place.ends_with('/') && self.path.starts_with(place)))
    }

    /// Whether the file belongs to a library crate.
    pub(crate) fn is_library(&self) -> bool {
        self.path.starts_with("crates/") && self.path.contains("/src/")
    }

    /// The numbers of the lines of code that hold `word` between characters that cannot continue it. Words may
    /// hold punctuation, as in `cpu::` or `dbg!`.
    pub(crate) fn having(&self, word: &str) -> Vec<usize> {
        let lines = self.lines.iter().enumerate();
        lines.filter(|(_, line)| has_word(&line.code, word)).map(|(index, _)| index + 1).collect()
    }

    /// All code, each line followed by a newline.
    pub(crate) fn code(&self) -> String {
        self.lines.iter().map(|line| line.code.clone() + "\n").collect()
    }
}

/// Whether `code` holds `word` as a word of its own.
pub(crate) fn has_word(code: &str, word: &str) -> bool {
    let joins = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        let after = code[at + word.len()..].chars().next();
        let continued = (word.starts_with(joins) && before.is_some_and(joins))
            || (word.ends_with(joins) && after.is_some_and(joins));
        !continued
    })
}

/// Where the reader of a file stands.
#[derive(Clone, Copy)]
enum State {
    Code,
    LineComment,
    /// Block comments nest.
    BlockComment(usize),
    Text,
    /// A raw string, closed by a quote and that many `#`.
    RawText(usize),
}

fn lines(text: &str) -> Vec<Line> {
    let chars = text.chars().collect::<Vec<_>>();
    let (mut lines, mut line) = (Vec::new(), Line::default());
    let (mut at, mut state) = (0, State::Code);
    while at < chars.len() {
        if chars[at] == '\n' {
            lines.push(std::mem::take(&mut line));
            if matches!(state, State::LineComment) {
                state = State::Code;
            }
            at += 1;
            continue;
        }
        let (next, taken) = step(&chars[at..], state, at > 0 && is_word(chars[at - 1]));
        for &c in &chars[at..at + taken] {
            let (code, comment) = match (state, next) {
                (State::Code, State::Code) => (c, ' '),
                (State::LineComment | State::BlockComment(_), _) => (' ', c),
                _ => (' ', ' '),
            };
            line.code.push(code);
            line.comment.push(comment);
        }
        (at, state) = (at + taken, next);
    }
    lines.push(line);
    lines
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The state after the next characters of `rest`, and how many these are. Never takes a newline with them.
fn step(rest: &[char], state: State, in_word: bool) -> (State, usize) {
    let second = rest.get(1).copied();
    match (state, rest[0], second) {
        (State::Code, '/', Some('/')) => (State::LineComment, 2),
        (State::Code, '/', Some('*')) => (State::BlockComment(1), 2),
        (State::Code, '"', _) => (State::Text, 1),
        (State::Code, 'r', Some('"' | '#')) if !in_word => {
            let hashes = rest[1..].iter().take_while(|&&c| c == '#').count();
            let opens = rest.get(1 + hashes) == Some(&'"');
            if opens { (State::RawText(hashes), 2 + hashes) } else { (State::Code, 1) }
        }
        (State::Code, '\'', Some('\\')) => {
            let close = rest[2..].iter().skip(1).position(|&c| c == '\'').map_or(1, |end| end + 4);
            (State::Code, close.min(rest.len()))
        }
        (State::Code, '\'', Some(_)) if rest.get(2) == Some(&'\'') => (State::Code, 3),
        (State::BlockComment(depth), '*', Some('/')) => {
            (if depth == 1 { State::Code } else { State::BlockComment(depth - 1) }, 2)
        }
        (State::BlockComment(depth), '/', Some('*')) => (State::BlockComment(depth + 1), 2),
        (State::Text, '\\', Some(second)) if second != '\n' => (State::Text, 2),
        (State::Text, '"', _) => (State::Code, 1),
        (State::RawText(hashes), '"', _)
            if rest[1..].iter().take(hashes).filter(|&&c| c == '#').count() == hashes =>
        {
            (State::Code, 1 + hashes)
        }
        (state, ..) => (state, 1),
    }
}
