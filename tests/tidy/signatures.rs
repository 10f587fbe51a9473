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

/// Single functions that do no more, or cannot be refused, as `file: name`.
const READERS: &[&str] = &[
    "crates/autograd/src/gradients.rs: grad_or_zeros",
    "crates/autograd/src/gradients.rs: take",
    "crates/nn/src/layers/container.rs: forward",
    "crates/nn/src/param.rs: value",
];

/// What the lines above say of a function.
#[derive(Default)]
struct Place {
    in_tests: bool,
    in_trait: bool,
    /// In an implementation for tensors or parameters.
    on_tensors: bool,
    /// In an implementation of a trait.
    implements: bool,
}

impl Place {
    fn pass(&mut self, line: &str) {
        self.in_tests |= line.starts_with("mod tests");
        if line.starts_with('}') {
            (self.on_tensors, self.implements) = (false, false);
        }
        self.in_trait = !line.starts_with('}') && (self.in_trait || line.starts_with("pub trait "));
        if line.trim_start().starts_with("impl") {
            self.on_tensors = ["Tensor", "Param", "$"].iter().any(|operand| line.contains(operand));
            self.implements = has_word(line, "for");
        }
    }
}

/// The public functions of `source` that can reach `apply` and do not bear `#[track_caller]`.
pub(crate) fn without_track_caller(source: &Source) -> Vec<String> {
    let mut findings = Vec::new();
    let mut place = Place::default();
    for (index, line) in source.lines.iter().enumerate() {
        place.pass(&line.code);
        let Some(name) = function(&line.code) else { continue };
        let reader = READERS.contains(&format!("{}: {name}", source.path).as_str());
        if place.in_tests || reader || source.under(&INNER) || bears_track_caller(source, index) {
            continue;
        }
        let signature = signature(source, index);
        let method = place.implements && place.on_tensors && signature.contains("self") && name != "clone";
        let operator = method && OPERATORS.contains(&name);
        let default_method = place.in_trait && !signature.ends_with(';');
        let callable = has_word(&line.code, "pub fn") || default_method || method;
        if operator || (callable && gives_tensor(&signature)) {
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

/// The signature that starts on line `index`, up to its body, or to the semicolon in its place.
fn signature(source: &Source, index: usize) -> String {
    let mut signature = String::new();
    for line in &source.lines[index..] {
        // The semicolon of an array's type is none of these.
        let end =
            line.code.find('{').or_else(|| line.code.trim_end().ends_with(';').then_some(line.code.len()));
        signature.push_str(line.code[..end.unwrap_or(line.code.len())].trim_end());
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
    if has_word(given, "Result") {
        return false;
    }
    // A reference to a tensor was there before; a result carries its error to the caller.
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

/// Whether `#[track_caller]` stands among the attributes and comments above line `index`, back to what comes before
/// the function: an empty line, or the end of another item.
fn bears_track_caller(source: &Source, index: usize) -> bool {
    let above = source.lines[..index].iter().rev().take_while(|line| {
        let code = line.code.trim();
        let empty = code.is_empty() && line.comment.trim().is_empty();
        !empty && !code.ends_with(['{', '}', ';'])
    });
    above.into_iter().any(|line| line.code.contains("track_caller"))
}
