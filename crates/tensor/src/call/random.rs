//! The loops behind random draws: chunks of fixed length, each a function of key and counter.
use super::{Call, for_chunks};
use crate::cpu::random::{Bits, CHUNK, Draw, Normal, Unit, fill};
use crate::dtype::{BF16, Bool, Element, F16, F64, I32, I64, U8};
use half::{bf16, f16};

/// What is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Random {
    /// Uniform in [0, 1).
    Unit,
    /// Standard normal.
    Normal,
    /// Integers from `low`, `range` of them equally likely.
    Integer { low: i64, range: u64 },
    /// True with this probability.
    Chance(f64),
}
/// Work of a random element, in elements touched.
const WORK: usize = 4;

/// A draw at a key and counter.
pub(crate) fn random(draw: Random, state: (u64, u64)) -> Call {
    Call::new("random", move |_, out| {
        let out = &mut out[0];
        match (draw, out.dtype()) {
            (Random::Unit, F64) => whole::<Unit<f64>>(out.data(), state),
            // Fewer bits, or rounding to the type would give 1.
            (Random::Unit, F16) => {
                each(out.data(), state, |bits| f16::from_f32((bits >> 21) as f32 / 2048.0));
            }
            (Random::Unit, BF16) => {
                each(out.data(), state, |bits| bf16::from_f32((bits >> 24) as f32 / 256.0));
            }
            (Random::Unit, _) => whole::<Unit<f32>>(out.data(), state),
            (Random::Normal, F64) => whole::<Normal<f64>>(out.data(), state),
            (Random::Normal, F16) => mapped::<Normal<f32>, _>(out.data(), state, f16::from_f32),
            (Random::Normal, BF16) => mapped::<Normal<f32>, _>(out.data(), state, bf16::from_f32),
            (Random::Normal, _) => whole::<Normal<f32>>(out.data(), state),
            (Random::Integer { low, range }, I32) => {
                mapped::<Bits<u64>, _>(out.data(), state, |bits| below(bits, low, range) as i32);
            }
            (Random::Integer { low, range }, U8) => {
                mapped::<Bits<u64>, _>(out.data(), state, |bits| below(bits, low, range) as u8);
            }
            (Random::Integer { low, range }, _) => {
                debug_assert_eq!(out.dtype(), I64);
                mapped::<Bits<u64>, _>(out.data(), state, |bits| below(bits, low, range));
            }
            (Random::Chance(p), _) => {
                debug_assert_eq!(out.dtype(), Bool);
                let below = threshold(p);
                each(out.data(), state, |bits| u64::from(bits) < below);
            }
        }
    })
}
fn below(bits: u64, low: i64, range: u64) -> i64 {
    low.wrapping_add(((u128::from(bits) * u128::from(range)) >> 64) as i64)
}
/// The number of 32-bit words that stand for an event of probability `p`.
fn threshold(p: f64) -> u64 {
    (p * 4_294_967_296.0).round() as u64
}
fn place((key, counter): (u64, u64), chunk: usize) -> (u64, u64) {
    (key, counter.wrapping_add((chunk * CHUNK) as u64))
}

/// Chunks in place.
fn whole<D: Draw<Out: Send>>(out: &mut [D::Out], state: (u64, u64)) {
    for_chunks(out, CHUNK, WORK, |i, part| {
        let (key, counter) = place(state, i);
        fill::<D>(key, counter, part);
    });
}
/// Chunks as elements of another type.
fn mapped<D: Draw, T: Element>(out: &mut [T], state: (u64, u64), f: impl Fn(D::Out) -> T + Sync) {
    for_chunks(out, CHUNK, WORK, |i, part| {
        let (key, counter) = place(state, i);
        let mut drawn = [D::Out::default(); CHUNK];
        fill::<D>(key, counter, &mut drawn);
        part.iter_mut().zip(drawn).for_each(|(out, v)| *out = f(v));
    });
}
fn each<T: Element>(out: &mut [T], state: (u64, u64), f: impl Fn(u32) -> T + Sync) {
    mapped::<Bits<u32>, T>(out, state, f);
}

/// The operand with elements set to 0 with probability `p`, and the others scaled by 1 / (1 - p).
pub(crate) fn dropout(p: f64, state: (u64, u64)) -> Call {
    Call::new("dropout", move |x, out| {
        let (x, out, scale) = (&x[0], &mut out[0], 1.0 / (1.0 - p));
        let drop = threshold(p);
        match out.dtype() {
            F64 => mask(&x.dense::<f64>(), out.data(), drop, state, |v| v * scale),
            F16 => {
                mask(&x.dense(), out.data(), drop, state, |v: f16| f16::from_f32(v.to_f32() * scale as f32));
            }
            BF16 => {
                mask(&x.dense(), out.data(), drop, state, |v: bf16| {
                    bf16::from_f32(v.to_f32() * scale as f32)
                });
            }
            _ => mask(&x.dense::<f32>(), out.data(), drop, state, |v| v * scale as f32),
        }
    })
}
fn mask<T: Element>(x: &[T], out: &mut [T], drop: u64, state: (u64, u64), keep: impl Fn(T) -> T + Sync) {
    for_chunks(out, CHUNK, WORK, |i, part| {
        let (key, counter) = place(state, i);
        let mut bits = [0; CHUNK];
        fill::<Bits<u32>>(key, counter, &mut bits);
        let x = &x[i * CHUNK..][..part.len()];
        for ((out, &x), bits) in part.iter_mut().zip(x).zip(bits) {
            *out = if u64::from(bits) < drop { T::from_f64(0.0) } else { keep(x) };
        }
    });
}
