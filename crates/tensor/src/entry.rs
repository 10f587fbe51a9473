//! The names under which tests call the functions of the table: one [`Entry`] per user function, primitive or
//! composite, with the attributes of a recorded case. Only tests read it; nothing in the library looks an
//! operation up by name.
//!
//! Conventions of the recorded cases (PyTorch's): tensors come in the operator's order, masks and conditions as
//! `i64` zeros and ones, indices as `i64`; attributes bear PyTorch's names.

use crate::Tensor;

/// A user function under the name that recorded cases give it.
#[derive(Clone, Copy)]
pub struct Entry {
    /// The operator's name in the reference set.
    pub name: &'static str,
    /// Calls it with the inputs and attributes of a case; gives its outputs in order.
    pub call: fn(&[Tensor], &Attrs) -> Vec<Tensor>,
}

impl Entry {
    /// The entry `name`, called through `call`.
    pub const fn new(name: &'static str, call: fn(&[Tensor], &Attrs) -> Vec<Tensor>) -> Self {
        Self { name, call }
    }
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entry").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The value of one attribute.
#[derive(Clone, Debug, PartialEq)]
pub enum Attr {
    /// Given, and empty.
    Null,
    /// A switch.
    Bool(bool),
    /// An integer or a real number.
    Num(f64),
    /// A word, such as a reduction or an equation.
    Str(String),
    /// Values in order, such as axes.
    List(Vec<Attr>),
}

/// The attributes of a case, read by name. An attribute that is absent or of another type is a panic that names
/// it: the table and the cases must agree.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Attrs {
    pairs: Vec<(String, Attr)>,
}

impl Attrs {
    /// The attributes of `pairs`; of two with the same name, the first.
    pub fn from_pairs(pairs: impl IntoIterator<Item = (String, Attr)>) -> Self {
        Self { pairs: pairs.into_iter().collect() }
    }

    /// Whether `name` is given and not null.
    pub fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// The number `name`; the words `"inf"` and `"-inf"` are numbers too.
    #[track_caller]
    pub fn f64(&self, name: &str) -> f64 {
        self.number(name, self.given(name))
    }

    /// The number `name`, or `default` where it is absent.
    #[track_caller]
    pub fn f64_or(&self, name: &str, default: f64) -> f64 {
        self.find(name).map_or(default, |value| self.number(name, value))
    }

    /// The switch `name`, or `default` where it is absent.
    #[track_caller]
    pub fn bool_or(&self, name: &str, default: bool) -> bool {
        match self.find(name) {
            None => default,
            Some(Attr::Bool(value)) => *value,
            Some(other) => self.mistyped(name, "a boolean", other),
        }
    }

    /// The word `name`, or `default` where it is absent.
    #[track_caller]
    pub fn str_or<'a>(&'a self, name: &str, default: &'a str) -> &'a str {
        match self.find(name) {
            None => default,
            Some(Attr::Str(value)) => value,
            Some(other) => self.mistyped(name, "a string", other),
        }
    }

    /// The integer `name`.
    #[track_caller]
    pub fn int(&self, name: &str) -> isize {
        self.integer(name, self.given(name))
    }

    /// The integer `name`, or `default` where it is absent.
    #[track_caller]
    pub fn int_or(&self, name: &str, default: isize) -> isize {
        self.find(name).map_or(default, |value| self.integer(name, value))
    }

    /// The list of integers `name`.
    #[track_caller]
    pub fn ints(&self, name: &str) -> Vec<isize> {
        match self.given(name) {
            Attr::List(values) => values.iter().map(|value| self.integer(name, value)).collect(),
            other => self.mistyped(name, "a list of integers", other),
        }
    }

    /// The numbers `name`; one alone counts as a list of one.
    #[track_caller]
    pub fn numbers(&self, name: &str) -> Vec<f64> {
        match self.given(name) {
            Attr::List(values) => values.iter().map(|value| self.number(name, value)).collect(),
            value => vec![self.number(name, value)],
        }
    }

    fn find(&self, name: &str) -> Option<&Attr> {
        let found = self.pairs.iter().find(|(given, _)| given == name).map(|(_, value)| value);
        found.filter(|value| **value != Attr::Null)
    }

    #[track_caller]
    fn given(&self, name: &str) -> &Attr {
        self.find(name).unwrap_or_else(|| {
            let names: Vec<&str> = self.pairs.iter().map(|(given, _)| given.as_str()).collect();
            panic!("attribute `{name}`: absent: the case gives {names:?}; the operator needs it")
        })
    }

    #[track_caller]
    fn number(&self, name: &str, value: &Attr) -> f64 {
        match value {
            Attr::Num(number) => *number,
            Attr::Str(word) if word == "inf" => f64::INFINITY,
            Attr::Str(word) if word == "-inf" => f64::NEG_INFINITY,
            other => self.mistyped(name, "a number", other),
        }
    }

    #[track_caller]
    fn integer(&self, name: &str, value: &Attr) -> isize {
        match value {
            Attr::Num(number) if number.fract() == 0.0 => *number as isize,
            other => self.mistyped(name, "an integer", other),
        }
    }

    #[track_caller]
    fn mistyped(&self, name: &str, wanted: &str, value: &Attr) -> ! {
        panic!("attribute `{name}`: wrong type: {value:?}; the operator wants {wanted}")
    }
}

#[cfg(test)]
mod tests {
    use super::{Attr, Attrs};

    fn attrs() -> Attrs {
        Attrs::from_pairs([
            ("dim".to_owned(), Attr::Num(-1.0)),
            ("ord".to_owned(), Attr::Str("inf".to_owned())),
            ("weight".to_owned(), Attr::Null),
            ("dims".to_owned(), Attr::List(vec![Attr::Num(0.0), Attr::Num(2.0)])),
        ])
    }

    #[test]
    fn attributes_are_read_by_name_and_type() {
        let attrs = attrs();
        assert_eq!(attrs.int("dim"), -1);
        assert_eq!(attrs.ints("dims"), [0, 2]);
        assert_eq!(attrs.f64("ord"), f64::INFINITY);
        assert!(attrs.has("dim") && !attrs.has("weight") && !attrs.has("absent"));
        assert_eq!(attrs.f64_or("absent", 0.5), 0.5);
        assert_eq!(attrs.str_or("absent", "mean"), "mean");
        assert!(attrs.bool_or("absent", true));
    }

    #[test]
    #[should_panic(expected = "attribute `absent`: absent: the case gives")]
    fn an_absent_attribute_is_named() {
        attrs().int("absent");
    }

    #[test]
    #[should_panic(expected = "attribute `dims`: wrong type")]
    fn an_attribute_of_another_type_is_named() {
        attrs().f64("dims");
    }
}
