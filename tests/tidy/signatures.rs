//! Which public functions must report misuse at the line of their caller: those that give a tensor, or gradients,
//! and so can reach the seam where every check is.

use crate::source::{Source, has_word};

/// Types a function that can reach `apply` gives back.
const GIVEN: [&str; 2] = ["Tensor", "Gradients"];

/// The methods of operator traits.
const OPERATORS: [&str; 11] = [
    "add",
    "sub",
    "mul",
    "div",
    "rem",
    "neg",
    "add_assign",
    "sub_assign",
    "mul_assign",
    "div_assign",
    "rem_assign",
];

/// Files whose functions give tensors that were there before: the tape's own view of its records.
const INNER: [&str; 2] = ["crates/tensor/src/hidden.rs", "crates/tensor/src/record.rs"];

/// Single functions of which the same holds, as `file: name`.
const READERS: &[&str] = &["crates/nn/src/param.rs: value", "crates/nn/src/layers/container.rs: forward"];

/// The public functions of `source` that can reach `apply` and do not bear `#[track_caller]`.
pub fn without_track_caller(source: &Source) -> Vec<String> {
    let mut findings = Vec::new();
    if source.under(&INNER) {
        return findings;
    }
    let (mut in_trait, mut in_tests, mut on_tensors) = (false, false, false);
    for index in 0..source.lines.len() {
        let line = source.lines[index].code.as_str();
        in_tests |= line.starts_with("mod tests");
        if line.trim_start().starts_with("impl") {
            on_tensors = ["Tensor", "Param", "$"].iter().any(|operand| line.contains(operand));
        }
        in_trait = !line.starts_with('}') && (in_trait || line.starts_with("pub trait "));
        let Some(name) = function(line) else { continue };
        let public = has_word(line, "pub fn") || in_trait;
        if in_tests || READERS.contains(&format!("{}: {name}", source.path).as_str()) {
            continue;
        }
        let reaches = public && gives_tensor(&signature(source, index));
        let operator = OPERATORS.contains(&name) && line.contains("self") && on_tensors && !public;
        if (reaches || operator) && !bears_track_caller(source, index) {
            findings.push(format!("{}:{}: {name}", source.path, index + 1));
        }
    }
    findings
}

/// The name of the function that `line` starts.
fn function(line: &str) -> Option<&str> {
    let (before, after) = line.split_once("fn ")?;
    let words = ["pub", "const", "(crate)", "pub(crate)", "pub(super)"];
    let starts = before.split_whitespace().all(|word| words.contains(&word));
    let name = after.split(['(', '<']).next()?;
    (starts && !name.is_empty()).then_some(name)
}

/// The signature that starts on line `index`, up to its body.
fn signature(source: &Source, index: usize) -> String {
    let mut signature = String::new();
    for line in &source.lines[index..] {
        let end = line.code.find([';', '{']);
        signature.push_str(&line.code[..end.unwrap_or(line.code.len())]);
        if end.is_some() {
            break;
        }
        signature.push(' ');
    }
    signature
}

fn gives_tensor(signature: &str) -> bool {
    let Some(close) = closing(signature) else { return false };
    let given = signature[close..].split(" where ").next().unwrap_or_default();
    // A reference to a tensor was there before.
    GIVEN.iter().any(|name| {
        has_word(given, name)
            && !has_word(given, &format!("&{name}"))
            && !given.contains(&format!("&'a {name}"))
    })
}

/// Where the list of parameters ends.
fn closing(signature: &str) -> Option<usize> {
    let open = signature.find('(')?;
    let mut depth = 0;
    for (at, c) in signature.char_indices().skip_while(|(at, _)| *at < open) {
        match c {
            '(' => depth += 1,
            ')' if depth == 1 => return Some(at + 1),
            ')' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// Whether `#[track_caller]` stands among the attributes and comments above line `index`.
fn bears_track_caller(source: &Source, index: usize) -> bool {
    let above = source.lines[..index].iter().rev().take_while(|line| {
        let code = line.code.trim();
        code.starts_with("#[") || code.ends_with(")]") || (code.is_empty() && !line.comment.trim().is_empty())
    });
    above.into_iter().any(|line| line.code.contains("track_caller"))
}
