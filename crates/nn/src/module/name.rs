//! Dotted names of slots, which every walk over a model puts together anew: an optimizer's step, say.
use smallvec::SmallVec;
use std::fmt::{self, Write};
use std::ops::Deref;

/// A name, which needs no memory of its own up to 48 bytes.
#[doc(hidden)]
#[derive(Debug, Default)]
pub struct Name(SmallVec<[u8; 48]>);

impl Name {
    /// `path` and the dot behind it, if it is not empty.
    fn below(path: &str) -> Self {
        let mut name = Self::default();
        if !path.is_empty() {
            name.push(path);
            name.push(".");
        }
        name
    }

    fn push(&mut self, part: &str) {
        self.0.extend_from_slice(part.as_bytes());
    }
}

impl Write for Name {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        self.push(part);
        Ok(())
    }
}

impl Deref for Name {
    type Target = str;

    fn deref(&self) -> &str {
        std::str::from_utf8(&self.0).expect("made of text")
    }
}

/// The name of `segment` below `path`.
#[doc(hidden)]
pub fn join(path: &str, segment: &str) -> Name {
    let mut name = Name::below(path);
    name.push(segment);
    name
}

/// The name of the part at `position` of the list `path`.
pub(super) fn at(path: &str, position: usize) -> Name {
    let mut name = Name::below(path);
    write!(name, "{position}").expect("a name takes any text");
    name
}
