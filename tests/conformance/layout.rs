//! The ways in which one recorded array is handed to an operator: as it was written, or as a view of other
//! memory that shows the same elements. What lies between the elements of a view is poison.

use retrograd::Element;
use retrograd::prelude::*;

use crate::case::{Array, Data};
use crate::compare::coordinates;

/// The floating dtype of a run. Integers and booleans stay as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Precision {
    F64,
    F32,
}

/// How the elements of an input lie in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// In logical order without gaps.
    Contiguous,
    /// Every second element; the others are poison.
    Strided,
    /// Axes in reverse order.
    Transposed,
    /// Backward along every axis.
    Reversed,
    /// Not computed yet: the operator meets an expression.
    Pending,
}

/// The tensor of `array` laid out as `layout` says.
pub(crate) fn tensor(array: &Array, precision: Precision, layout: Layout) -> Tensor {
    let shape = &array.shape[..];
    let laid = match (&array.data, precision) {
        (Data::Real(data), Precision::F64) => lay(data, f64::NAN, shape, layout),
        (Data::Real(data), Precision::F32) => lay(&to_f32(data), f32::NAN, shape, layout),
        (Data::Int(data), _) => lay(data, i64::MIN / 2, shape, layout),
        (Data::Bool(data), _) => lay(data, true, shape, layout),
    };
    // Two changes of sign keep every bit, that of zero included.
    if layout == Layout::Pending && matches!(array.data, Data::Real(_)) { -(-laid) } else { laid }
}

/// The array whose slices along one axis all equal its first, as an expanded view and written out. None where no
/// axis is longer than one.
pub(crate) fn expanded(array: &Array, precision: Precision) -> Option<(Tensor, Tensor)> {
    let axis = array.shape.iter().position(|&size| size > 1)?;
    if array.shape.contains(&0) {
        return None;
    }
    let mut thin = array.shape.clone();
    thin[axis] = 1;
    let first = thin.iter().product::<usize>();
    let narrow = rearranged(array, &thin, first, |position| position);
    let written = rearranged(array, &array.shape, array.shape.iter().product(), |mut position| {
        position[axis] = 0;
        position
    });
    let view = tensor(&narrow, precision, Layout::Contiguous).broadcast_to(&array.shape[..]);
    Some((view, tensor(&written, precision, Layout::Contiguous)))
}

fn to_f32(data: &[f64]) -> Vec<f32> {
    data.iter().map(|&value| value as f32).collect()
}

fn lay<T: Element>(data: &[T], poison: T, shape: &[usize], layout: Layout) -> Tensor {
    let reversed = |sizes: &[usize]| sizes.iter().rev().copied().collect::<Vec<usize>>();
    match layout {
        Layout::Contiguous | Layout::Pending => Tensor::from_vec(data.to_vec(), shape),
        Layout::Strided => {
            let spaced = data.iter().flat_map(|&value| [value, poison]).collect::<Vec<T>>();
            Tensor::from_vec(spaced, [shape, &[2]].concat()).select(-1, 0)
        }
        Layout::Transposed => {
            let turned = reversed(shape);
            let pick = |index| offset(&reversed(&coordinates(index, &turned)), shape);
            let moved = (0..data.len()).map(|index| data[pick(index)]).collect::<Vec<T>>();
            let back = (0..shape.len() as isize).rev().collect::<Vec<isize>>();
            Tensor::from_vec(moved, turned).permute(&back[..])
        }
        Layout::Reversed => {
            let backward = data.iter().rev().copied().collect::<Vec<T>>();
            let axes = (0..shape.len() as isize).collect::<Vec<isize>>();
            Tensor::from_vec(backward, shape).flip(&axes[..])
        }
    }
}

/// The place in logical order of the element at `position`.
fn offset(position: &[usize], shape: &[usize]) -> usize {
    position.iter().zip(shape).fold(0, |offset, (&index, &size)| offset * size + index)
}

/// An array of `shape` whose element at a position is that of `array` at `source(position)`.
fn rearranged(
    array: &Array,
    shape: &[usize],
    count: usize,
    source: impl Fn(Vec<usize>) -> Vec<usize>,
) -> Array {
    let from = |index| offset(&source(coordinates(index, shape)), &array.shape);
    let data = match &array.data {
        Data::Real(data) => Data::Real((0..count).map(|index| data[from(index)]).collect()),
        Data::Int(data) => Data::Int((0..count).map(|index| data[from(index)]).collect()),
        Data::Bool(data) => Data::Bool((0..count).map(|index| data[from(index)]).collect()),
    };
    Array { shape: shape.to_vec(), data }
}
