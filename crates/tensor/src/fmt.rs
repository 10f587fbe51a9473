//! How tensors print: aligned columns in nested brackets, the middle of large ones left out.
//!
//! Printing reads elements, so it computes what is pending. It never panics: if elements cannot be had, it says so.
use crate::call::{View, by_dtype};
use crate::dtype::Element;
use crate::tensor::Tensor;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Above this many elements, only the edges of each axis are shown.
const WHOLE: usize = 1000;
/// Elements shown at each end of an axis.
const EDGE: usize = 3;
/// Characters after which a line is broken.
const LINE: usize = 100;

/// `Tensor(elements, shape, dtype)`, and `tracked` if gradients reach it; a precision sets the digits after the
/// point.
impl fmt::Debug for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const HEAD: &str = "Tensor(";
        f.write_str(HEAD)?;
        write_elements(self, HEAD.len(), f)?;
        if self.rank() > 0 {
            write!(f, ", shape {}", self.shape())?;
        }
        write!(f, ", {}{})", self.dtype(), mark(self))
    }
}
/// The elements, and below them shape, dtype and whether it is tracked; a scalar prints as its number alone. A
/// precision sets the digits after the point.
impl fmt::Display for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_elements(self, 0, f)?;
        if self.rank() > 0 {
            write!(f, "\nshape {}, {}{}", self.shape(), self.dtype(), mark(self))?;
        }
        Ok(())
    }
}
fn mark(t: &Tensor) -> &'static str {
    match &t.edge {
        Some(edge) if edge.record.is_tracked() => ", tracked",
        _ => "",
    }
}

fn write_elements(t: &Tensor, indent: usize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let elide = t.numel() > WHOLE;
    if t.value.is_planned() {
        return f.write_str("<planned in a dry run>");
    }
    let read = || by_dtype!(t.dtype(), T => shown::<T>(t, elide));
    // Elements may depend on code of the user that panics; a failure inside a failure message would hide both.
    let Ok(elements) = catch_unwind(AssertUnwindSafe(read)) else {
        return f.write_str("<its elements cannot be computed>");
    };
    let words = words(t, &elements, f.precision());
    let width = words.iter().map(String::len).max().unwrap_or(0);
    let mut words = words.iter();
    write_axis(t.shape(), elide, width, indent, &mut words, f)
}
/// The positions of an axis that are shown; the gap, if there is one, is after [`EDGE`] of them.
fn positions(size: usize, elide: bool) -> (impl Iterator<Item = usize>, bool) {
    let gap = elide && size > 2 * EDGE;
    let (head, tail) = if gap { (EDGE, size - EDGE) } else { (size, size) };
    ((0..head).chain(tail..size), gap)
}
/// An element as it is printed.
enum Shown {
    Float(f64),
    Word(String),
}
fn shown<T: Element>(t: &Tensor, elide: bool) -> Vec<Shown> {
    let view = View::of(&t.value);
    let (data, layout) = (view.data::<T>(), view.layout());
    let mut offsets = vec![layout.offset as isize];
    for (&size, &stride) in layout.shape.iter().zip(&layout.strides) {
        let along = |at: isize| positions(size, elide).0.map(move |i| at + i as isize * stride);
        offsets = offsets.into_iter().flat_map(along).collect();
    }
    let element = |at: isize| {
        let v = data[at as usize];
        if T::DTYPE.is_float() { Shown::Float(v.to_f64()) } else { Shown::Word(v.to_string()) }
    };
    offsets.into_iter().map(element).collect()
}
/// The elements as words in one notation: plain where all are of similar size, else with exponents.
fn words(t: &Tensor, elements: &[Shown], precision: Option<usize>) -> Vec<String> {
    let sizes = elements.iter().filter_map(|e| match e {
        Shown::Float(v) if v.is_finite() && *v != 0.0 => Some(v.abs()),
        _ => None,
    });
    let (low, high) =
        sizes.clone().fold((f64::INFINITY, 0.0_f64), |(low, high), v| (low.min(v), high.max(v)));
    let whole = sizes.clone().all(|v| v.fract() == 0.0);
    let wide = !whole && t.rank() > 0 && high / low > 1e5;
    let scientific = high >= 1e8 || low < 1e-4 || wide;
    let digits = precision.unwrap_or(if whole { 1 } else { 4 });
    let word = |e: &Shown| match e {
        Shown::Word(word) => word.clone(),
        Shown::Float(v) if !v.is_finite() => v.to_string(),
        Shown::Float(v) if scientific => format!("{v:.*e}", precision.unwrap_or(4)),
        Shown::Float(v) => format!("{v:.digits$}"),
    };
    elements.iter().map(word).collect()
}
fn write_axis<'a>(
    shape: &[usize],
    elide: bool,
    width: usize,
    indent: usize,
    words: &mut impl Iterator<Item = &'a String>,
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    let Some((&size, inner)) = shape.split_first() else {
        let word = words.next().map_or("", String::as_str);
        return write!(f, "{word:>width$}");
    };
    let (positions, gap) = positions(size, elide);
    let per_line = LINE.saturating_sub(indent) / (width + 2);
    let between = "\n".repeat(inner.len());
    f.write_str("[")?;
    for (count, _) in positions.enumerate() {
        let broken = !inner.is_empty() || count % per_line.max(1) == 0;
        let apart = if inner.is_empty() { "\n" } else { &between };
        let next = |f: &mut fmt::Formatter<'_>| {
            if broken { write!(f, "{apart}{:1$}", "", indent + 1) } else { f.write_str(" ") }
        };
        if count > 0 {
            f.write_str(",")?;
            next(f)?;
        }
        if gap && count == EDGE {
            f.write_str("...,")?;
            next(f)?;
        }
        write_axis(inner, elide, width, indent + 1, words, f)?;
    }
    f.write_str("]")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{F64, I64};

    #[test]
    fn columns_are_aligned() {
        let x = Tensor::from([[1.5f32, -10.25], [0.0, f32::NAN]]);
        assert_eq!(format!("{x}"), "[[  1.5000, -10.2500],\n [  0.0000,      NaN]]\nshape [2, 2], f32");
        let text = format!("{x:?}");
        assert_eq!(text, "Tensor([[  1.5000, -10.2500],\n        [  0.0000,      NaN]], shape [2, 2], f32)");
    }

    #[test]
    fn scalars_integers_truths_and_empty_tensors() {
        assert_eq!(format!("{}", Tensor::from(0.1234567f32)), "0.1235");
        assert_eq!(format!("{:.2}", Tensor::from(0.1234567f32)), "0.12");
        assert_eq!(format!("{:?}", Tensor::from(3.0f64)), "Tensor(3.0, f64)");
        assert_eq!(format!("{}", Tensor::from([1i64, -10])), "[  1, -10]\nshape [2], i64");
        assert_eq!(format!("{}", Tensor::from([true, false])), "[ true, false]\nshape [2], bool");
        assert_eq!(format!("{:?}", Tensor::zeros([0, 3])), "Tensor([], shape [0, 3], f32)");
        assert_eq!(format!("{:?}", Tensor::zeros([2, 0])), "Tensor([[],\n        []], shape [2, 0], f32)");
    }

    #[test]
    fn wide_ranges_take_exponents() {
        assert_eq!(format!("{}", Tensor::from([1e-6f64, 1.5])), "[1.0000e-6,  1.5000e0]\nshape [2], f64");
    }

    #[test]
    fn large_tensors_show_their_edges() {
        let x = I64.arange(0, 2000, 1);
        assert_eq!(format!("{x}"), "[   0,    1,    2, ..., 1997, 1998, 1999]\nshape [2000], i64");
        let y = format!("{}", F64.zeros([40, 50, 3]));
        assert_eq!(y.matches("...").count(), 7, "{y}");
    }

    #[test]
    fn long_rows_are_broken() {
        let text = format!("{}", I64.arange(100, 150, 1));
        assert!(text.lines().all(|line| line.len() <= LINE) && text.lines().count() == 4, "{text}");
    }
}
