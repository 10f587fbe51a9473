//! Loops over half types compute in `f32` and round once: the conversions there and back.
use super::for_chunks;
use crate::dtype::Element;
use half::slice::HalfFloatSliceExt;

/// Elements that one thread converts at a time.
const CHUNK: usize = 1 << 13;

/// The elements as `f32`.
pub(super) fn widened<T: Element>(from: &[T]) -> Vec<f32>
where
    [T]: HalfFloatSliceExt,
{
    let mut wide = vec![0.0_f32; from.len()];
    for_chunks(&mut wide, CHUNK, 1, |i, part| from[i * CHUNK..][..part.len()].convert_to_f32_slice(part));
    wide
}
/// Writes each element rounded.
pub(super) fn rounded<T: Element>(from: &[f32], to: &mut [T])
where
    [T]: HalfFloatSliceExt,
{
    for_chunks(to, CHUNK, 1, |i, part| part.convert_from_f32_slice(&from[i * CHUNK..][..part.len()]));
}
