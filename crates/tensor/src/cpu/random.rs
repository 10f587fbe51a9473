//! Random numbers as a pure function of key and counter: Philox4x32-10 (Salmon et al., "Parallel random numbers: as
//! easy as 1, 2, 3", 2011), and chunks of uniform and normal numbers made of it.
//!
//! A chunk of [`CHUNK`] elements has its own counters, so it is the same bits whichever thread makes it, and
//! element i of a draw reads none of its counters beyond the i-th: a draw of n elements owns n counters.
use super::vmath::Math;
use super::{by_isa, per_isa};
use std::f64::consts::TAU;
use std::marker::PhantomData;

/// Elements that are made together.
pub(crate) const CHUNK: usize = 1024;

/// The 128 bits at a place of a stream.
#[inline(always)]
pub(crate) fn philox(key: u64, stream: u64, counter: u64) -> [u32; 4] {
    let (mut k0, mut k1) = (key as u32, (key >> 32) as u32);
    let mut x = [counter as u32, (counter >> 32) as u32, stream as u32, (stream >> 32) as u32];
    for round in 0..10 {
        if round > 0 {
            (k0, k1) = (k0.wrapping_add(0x9E37_79B9), k1.wrapping_add(0xBB67_AE85));
        }
        let (a, b) = (0xD251_1F53 * u64::from(x[0]), 0xCD9E_8D57 * u64::from(x[2]));
        x = [(b >> 32) as u32 ^ x[1] ^ k0, b as u32, (a >> 32) as u32 ^ x[3] ^ k1, a as u32];
    }
    x
}

/// What a chunk of elements is made of: the same elements on every machine but for the last bit of normal ones.
pub(crate) trait Draw {
    /// An element.
    type Out: Copy + Default;
    /// A chunk; `F`: whether the machine has fused multiply-add.
    fn draw<const F: bool>(key: u64, counter: u64, out: &mut [Self::Out; CHUNK]);
}

/// Uniform bits.
#[derive(Debug)]
pub(crate) struct Bits<T>(PhantomData<T>);
impl Draw for Bits<u32> {
    type Out = u32;
    #[inline(always)]
    fn draw<const F: bool>(key: u64, counter: u64, out: &mut [u32; CHUNK]) {
        const N: usize = CHUNK / 4;
        let (a, out) = out.split_at_mut(N);
        let (b, out) = out.split_at_mut(N);
        let (c, d) = out.split_at_mut(N);
        for i in 0..N {
            [a[i], b[i], c[i], d[i]] = philox(key, 0, counter.wrapping_add(i as u64));
        }
    }
}
impl Draw for Bits<u64> {
    type Out = u64;
    #[inline(always)]
    fn draw<const F: bool>(key: u64, counter: u64, out: &mut [u64; CHUNK]) {
        let (a, b) = out.split_at_mut(CHUNK / 2);
        for i in 0..CHUNK / 2 {
            let x = philox(key, 0, counter.wrapping_add(i as u64)).map(u64::from);
            (a[i], b[i]) = (x[0] | x[1] << 32, x[2] | x[3] << 32);
        }
    }
}

/// The upper bits as a number in [0, 1) that the type holds exactly.
macro_rules! unit {
    ($t:ident, $int:ident, $digits:literal, $bits:expr) => {
        ($bits >> ($int::BITS - $digits)) as $int as $t * (1.0 / (1_u64 << $digits) as $t)
    };
}

/// Uniform in [0, 1).
#[derive(Debug)]
pub(crate) struct Unit<T>(PhantomData<T>);
/// Standard normal: Box and Muller, pairs half a chunk apart.
#[derive(Debug)]
pub(crate) struct Normal<T>(PhantomData<T>);
macro_rules! float {
    ($t:ident, $bits:ident, $int:ident, $digits:literal) => {
        impl Draw for Unit<$t> {
            type Out = $t;
            #[inline(always)]
            fn draw<const F: bool>(key: u64, counter: u64, out: &mut [$t; CHUNK]) {
                let mut bits = [0; CHUNK];
                Bits::<$bits>::draw::<F>(key, counter, &mut bits);
                for (out, bits) in out.iter_mut().zip(bits) {
                    *out = unit!($t, $int, $digits, bits);
                }
            }
        }
        impl Draw for Normal<$t> {
            type Out = $t;
            #[inline(always)]
            fn draw<const F: bool>(key: u64, counter: u64, out: &mut [$t; CHUNK]) {
                const N: usize = CHUNK / 2;
                const STEP: $t = 1.0 / (1_u64 << ($bits::BITS - 1)) as $t;
                let mut bits = [0; CHUNK];
                Bits::<$bits>::draw::<F>(key, counter, &mut bits);
                let ((x, y), (cos, sin)) = (bits.split_at(N), out.split_at_mut(N));
                for i in 0..N {
                    // In (0, 1], with steps as fine near 0 as the bits allow: the tail reaches as far as they do.
                    let u = ((x[i] >> 1) as $int as $t + 1.0) * STEP;
                    let radius = (-2.0 * Math::log::<F>(u)).sqrt();
                    let angle = unit!($t, $int, $digits, y[i]) * TAU as $t;
                    cos[i] = radius * Math::cos::<F>(angle);
                    sin[i] = radius * Math::sin::<F>(angle);
                }
            }
        }
    };
}
float!(f32, u32, i32, 24);
float!(f64, u64, i64, 53);

macro_rules! kernels {
    ([$($feature:literal)?] $fma:literal) => {
        $(#[target_feature(enable = $feature)])?
        pub(super) fn chunk<D: Draw>(key: u64, counter: u64, out: &mut [D::Out; CHUNK]) {
            D::draw::<$fma>(key, counter, out);
        }
    };
}
per_isa!(kernels);

/// The first elements of a chunk, at most [`CHUNK`].
pub(crate) fn fill<D: Draw>(key: u64, counter: u64, out: &mut [D::Out]) {
    let chunk: unsafe fn(u64, u64, &mut [D::Out; CHUNK]) = by_isa!(chunk::<D>);
    if let Ok(out) = out.try_into() {
        // SAFETY: this CPU has the instruction set that the kernel was picked for.
        return unsafe { chunk(key, counter, out) };
    }
    let mut whole = [D::Out::default(); CHUNK];
    // SAFETY: as above.
    unsafe { chunk(key, counter, &mut whole) };
    out.copy_from_slice(&whole[..out.len()]);
}

#[cfg(test)]
mod tests {
    use super::philox;

    #[test]
    fn philox_gives_the_published_answers() {
        assert_eq!(philox(0, 0, 0), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(
            philox(u64::MAX, u64::MAX, u64::MAX),
            [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]
        );
        let pi = philox(0x299f_31d0_a409_3822, 0x0370_7344_1319_8a2e, 0x85a3_08d3_243f_6a88);
        assert_eq!(pi, [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]);
    }
}
