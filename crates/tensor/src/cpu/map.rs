//! Block kernels of elementwise formulas: one pass over registers of a few hundred elements.
//!
//! A formula (a type that implements [`Arith`], [`Float`], [`Integer`], [`Test`] or [`Logic`]) becomes a
//! [`BlockFn`] for each dtype and instruction set. The destination never is a source: with equal pointers LLVM's
//! overlap test sends the loop down its scalar path, 6 to 10 times slower.
use super::lane::{Bits, Num, Real, V};
use super::{by_isa, per_isa};
use crate::dtype::{Bool, DType, Element, F32, F64, I32, I64, U8};
use half::{bf16, f16};

/// Destination, up to three sources, element count. All valid for `n` elements of the types that the kernel was
/// picked for; the destination overlaps no source.
pub(crate) type BlockFn = unsafe fn(*mut u8, *const u8, *const u8, *const u8, usize);

/// A formula for every numeric type.
pub(crate) trait Arith<const N: usize> {
    /// The result for one element.
    fn map<T: Num>(x: [T; N]) -> T;
}
/// A formula for floats.
pub(crate) trait Float<const N: usize> {
    /// Whether `map` is right only where [`Float::is_far`] is false.
    const FAR: bool = false;
    /// The result for one element.
    fn map<T: Real>(x: [T; N]) -> T;
    /// Whether this element needs [`Float::far`].
    #[inline(always)]
    fn is_far<T: Real>(_: [T; N]) -> bool {
        false
    }
    /// As `map` for the elements that it gets wrong: a call, for few of them.
    #[inline(always)]
    fn far<T: Real>(x: [T; N]) -> T {
        Self::map(x)
    }
}
/// A formula for integers.
pub(crate) trait Integer<const N: usize> {
    /// The result for one element.
    fn map<T: Bits>(x: [T; N]) -> T;
}
/// A comparison.
pub(crate) trait Test<const N: usize> {
    /// The answer for one element.
    fn test<T: Num>(x: [T; N]) -> bool;
}
/// A formula over truth values.
pub(crate) trait Logic<const N: usize> {
    /// The result for one element.
    fn map(x: [bool; N]) -> bool;
}

/// # Safety
/// `p` is valid for `n` elements of `T` for as long as the slice is used.
#[inline(always)]
pub(super) unsafe fn src<'a, T>(p: *const u8, n: usize) -> &'a [T] {
    // SAFETY: the caller's promise.
    unsafe { std::slice::from_raw_parts(p.cast::<T>(), n) }
}
/// # Safety
/// As [`src`], and nothing else reads or writes these elements meanwhile.
#[inline(always)]
pub(super) unsafe fn dst<'a, T>(p: *mut u8, n: usize) -> &'a mut [T] {
    // SAFETY: the caller's promise.
    unsafe { std::slice::from_raw_parts_mut(p.cast::<T>(), n) }
}
#[inline(always)]
pub(super) fn each1<A: Copy, D>(d: &mut [D], a: &[A], f: impl Fn(A) -> D) {
    let n = d.len();
    let a = &a[..n];
    for i in 0..n {
        d[i] = f(a[i]);
    }
}
/// Puts right what lanes got wrong, in a second pass if there is any such element.
#[inline(always)]
fn mend<K: Float<1>, T: Real>(d: &mut [T], a: &[T]) {
    if a.iter().fold(false, |any, &x| any | K::is_far([x])) {
        for (d, &x) in d.iter_mut().zip(a).filter(|(_, x)| K::is_far([**x])) {
            *d = K::far([x]);
        }
    }
}
#[inline(always)]
fn each2<A: Copy, B: Copy, D>(d: &mut [D], a: &[A], b: &[B], f: impl Fn(A, B) -> D) {
    let n = d.len();
    let (a, b) = (&a[..n], &b[..n]);
    for i in 0..n {
        d[i] = f(a[i], b[i]);
    }
}
#[inline(always)]
pub(super) fn each3<A: Copy, B: Copy, C: Copy, D>(
    d: &mut [D],
    a: &[A],
    b: &[B],
    c: &[C],
    f: impl Fn(A, B, C) -> D,
) {
    let n = d.len();
    let (a, b, c) = (&a[..n], &b[..n], &c[..n]);
    for i in 0..n {
        d[i] = f(a[i], b[i], c[i]);
    }
}

macro_rules! kernels {
    ([$($feature:literal)?] $fma:literal) => {
        kernels!(@ [$($feature)?] arith1[K: Arith<1>, T: Element][V<T, $fma>: Num] |d, a, b, c, n|
            each1(dst::<V<T, $fma>>(d, n), src::<V<T, $fma>>(a, n), |x| K::map([x])));
        kernels!(@ [$($feature)?] arith2[K: Arith<2>, T: Element][V<T, $fma>: Num] |d, a, b, c, n|
            each2(dst::<V<T, $fma>>(d, n), src::<V<T, $fma>>(a, n), src(b, n), |x, y| K::map([x, y])));
        kernels!(@ [$($feature)?] arith3[K: Arith<3>, T: Element][V<T, $fma>: Num] |d, a, b, c, n|
            each3(dst::<V<T, $fma>>(d, n), src::<V<T, $fma>>(a, n), src(b, n), src(c, n), |x, y, z| K::map([x, y, z])));
        kernels!(@ [$($feature)?] float1[K: Float<1>, T: Element][V<T, $fma>: Real] |d, a, b, c, n| {
            let (d, a) = (dst::<V<T, $fma>>(d, n), src::<V<T, $fma>>(a, n));
            each1(d, a, |x| K::map([x]));
            if K::FAR {
                mend::<K, V<T, $fma>>(d, a);
            }
        });
        kernels!(@ [$($feature)?] float2[K: Float<2>, T: Element][V<T, $fma>: Real] |d, a, b, c, n|
            each2(dst::<V<T, $fma>>(d, n), src::<V<T, $fma>>(a, n), src(b, n), |x, y| K::map([x, y])));
        kernels!(@ [$($feature)?] float3[K: Float<3>, T: Element][V<T, $fma>: Real] |d, a, b, c, n|
            each3(dst::<V<T, $fma>>(d, n), src::<V<T, $fma>>(a, n), src(b, n), src(c, n), |x, y, z| K::map([x, y, z])));
        kernels!(@ [$($feature)?] bits1[K: Integer<1>, T: Element][V<T, $fma>: Bits] |d, a, b, c, n|
            each1(dst::<V<T, $fma>>(d, n), src::<V<T, $fma>>(a, n), |x| K::map([x])));
        kernels!(@ [$($feature)?] bits2[K: Integer<2>, T: Element][V<T, $fma>: Bits] |d, a, b, c, n|
            each2(dst::<V<T, $fma>>(d, n), src::<V<T, $fma>>(a, n), src(b, n), |x, y| K::map([x, y])));
        kernels!(@ [$($feature)?] test1[K: Test<1>, T: Element][V<T, $fma>: Num] |d, a, b, c, n|
            each1(dst::<bool>(d, n), src::<V<T, $fma>>(a, n), |x| K::test([x])));
        kernels!(@ [$($feature)?] test2[K: Test<2>, T: Element][V<T, $fma>: Num] |d, a, b, c, n|
            each2(dst::<bool>(d, n), src::<V<T, $fma>>(a, n), src(b, n), |x, y| K::test([x, y])));
        kernels!(@ [$($feature)?] choose[T: Copy][] |d, a, b, c, n|
            each3(dst::<T>(d, n), src::<bool>(a, n), src(b, n), src(c, n), |p, x, y| if p { x } else { y }));
        kernels!(@ [$($feature)?] cast[A: Element, B: Cast<A>][] |d, a, b, c, n|
            each1(dst::<B>(d, n), src::<A>(a, n), B::cast));
    };
    (@ [$($feature:literal)?] $name:ident[$($generics:tt)*][$($where:tt)*] |$d:ident, $a:ident, $b:ident, $c:ident, $n:ident| $body:expr) => {
        $(#[target_feature(enable = $feature)])?
        pub(super) unsafe fn $name<$($generics)*>($d: *mut u8, $a: *const u8, $b: *const u8, $c: *const u8, $n: usize)
        where $($where)* {
            let _ = ($b, $c);
            #[allow(clippy::multiple_unsafe_ops_per_block, reason = "the same promise covers every slice of the one loop")]
            // SAFETY: the contract of `BlockFn`.
            unsafe { $body }
        }
    };
}
per_isa!(kernels);

macro_rules! pick {
    ($($name:ident[$tr:ident $arity:literal: $($d:ident $t:ty),*];)*) => {$(
        /// The kernel of formula `K` for operands of this type, if it has one.
        pub(crate) fn $name<K: $tr<$arity>>(dtype: DType) -> Option<BlockFn> {
            Some(match dtype { $($d => by_isa!($name::<K, $t>),)* _ => return None })
        }
    )*};
}
pick! {
    arith1[Arith 1: F32 f32, F64 f64, I64 i64, I32 i32, U8 u8];
    arith2[Arith 2: F32 f32, F64 f64, I64 i64, I32 i32, U8 u8];
    arith3[Arith 3: F32 f32, F64 f64, I64 i64, I32 i32, U8 u8];
    float1[Float 1: F32 f32, F64 f64];
    float2[Float 2: F32 f32, F64 f64];
    float3[Float 3: F32 f32, F64 f64];
    bits1[Integer 1: I64 i64, I32 i32, U8 u8];
    bits2[Integer 2: I64 i64, I32 i32, U8 u8];
    test1[Test 1: F32 f32, F64 f64, I64 i64, I32 i32, U8 u8, Bool u8];
    test2[Test 2: F32 f32, F64 f64, I64 i64, I32 i32, U8 u8, Bool u8];
}
/// The kernel of a one-operand formula over truth values.
pub(crate) fn logic1<K: Logic<1>>(dtype: DType) -> Option<BlockFn> {
    (dtype == Bool).then_some(logic1_block::<K>)
}
/// The kernel of a two-operand formula over truth values.
pub(crate) fn logic2<K: Logic<2>>(dtype: DType) -> Option<BlockFn> {
    (dtype == Bool).then_some(logic2_block::<K>)
}
/// # Safety
/// See [`BlockFn`].
#[allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "the same promise covers every slice of the one loop"
)]
unsafe fn logic1_block<K: Logic<1>>(d: *mut u8, a: *const u8, _b: *const u8, _c: *const u8, n: usize) {
    // SAFETY: the contract of `BlockFn`.
    let (d, a) = unsafe { (dst::<bool>(d, n), src::<bool>(a, n)) };
    each1(d, a, |x| K::map([x]));
}
/// # Safety
/// See [`BlockFn`].
#[allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "the same promise covers every slice of the one loop"
)]
unsafe fn logic2_block<K: Logic<2>>(d: *mut u8, a: *const u8, b: *const u8, _c: *const u8, n: usize) {
    // SAFETY: the contract of `BlockFn`.
    let (d, a, b) = unsafe { (dst::<bool>(d, n), src::<bool>(a, n), src::<bool>(b, n)) };
    each2(d, a, b, |x, y| K::map([x, y]));
}
/// The kernel that picks its second or third operand by its first, for elements of `dtype`.
pub(crate) fn choose(dtype: DType) -> BlockFn {
    match dtype.size() {
        1 => by_isa!(choose::<u8>),
        2 => by_isa!(choose::<u16>),
        4 => by_isa!(choose::<u32>),
        _ => by_isa!(choose::<u64>),
    }
}

/// Conversion between element types, as Rust's `as`: floats to integers saturate, NaN gives 0.
trait Cast<A>: Element {
    fn cast(v: A) -> Self;
}
macro_rules! casts {
    ($($from:ty => $($to:ty: |$v:ident| $e:expr),*;)*) => {$($( impl Cast<$from> for $to {
        #[inline(always)]
        fn cast($v: $from) -> $to { $e }
    } )*)*};
}
macro_rules! number_casts { ($($from:ty)*) => { casts! { $( $from =>
    f32: |v| v as f32, f64: |v| v as f64, i64: |v| v as i64, i32: |v| v as i32, u8: |v| v as u8, bool: |v| v != (0 as $from),
    f16: |v| f16::from_f32(v as f32), bf16: |v| bf16::from_f32(v as f32); )* } }; }
number_casts!(f32 i64 i32 u8);
casts! {
    f64 => f32: |v| v as f32, f64: |v| v, i64: |v| v as i64, i32: |v| v as i32, u8: |v| v as u8, bool: |v| v != 0.0,
        f16: |v| f16::from_f64(v), bf16: |v| bf16::from_f64(v);
    bool => f32: |v| f32::from(u8::from(v)), f64: |v| f64::from(u8::from(v)), i64: |v| i64::from(v), i32: |v| i32::from(v),
        u8: |v| u8::from(v), bool: |v| v, f16: |v| f16::from_f32(f32::from(u8::from(v))), bf16: |v| bf16::from_f32(f32::from(u8::from(v)));
    f16 => f32: |v| v.to_f32(), f64: |v| v.to_f64(), i64: |v| v.to_f32() as i64, i32: |v| v.to_f32() as i32, u8: |v| v.to_f32() as u8,
        bool: |v| v.to_f32() != 0.0, f16: |v| v, bf16: |v| bf16::from_f32(v.to_f32());
    bf16 => f32: |v| v.to_f32(), f64: |v| v.to_f64(), i64: |v| v.to_f32() as i64, i32: |v| v.to_f32() as i32, u8: |v| v.to_f32() as u8,
        bool: |v| v.to_f32() != 0.0, f16: |v| f16::from_f32(v.to_f32()), bf16: |v| v;
}
macro_rules! by_dtype {
    ($d:expr, $t:ident => $e:expr) => {
        match $d {
            $crate::dtype::F32 => {
                type $t = f32;
                $e
            }
            $crate::dtype::F64 => {
                type $t = f64;
                $e
            }
            $crate::dtype::I64 => {
                type $t = i64;
                $e
            }
            $crate::dtype::I32 => {
                type $t = i32;
                $e
            }
            $crate::dtype::U8 => {
                type $t = u8;
                $e
            }
            $crate::dtype::Bool => {
                type $t = bool;
                $e
            }
            $crate::dtype::F16 => {
                type $t = half::f16;
                $e
            }
            $crate::dtype::BF16 => {
                type $t = half::bf16;
                $e
            }
        }
    };
}
pub(crate) use by_dtype;

/// The kernel that converts elements; a copy if the types are equal.
pub(crate) fn cast(from: DType, to: DType) -> BlockFn {
    match (from, to) {
        (F32, _) => by_dtype!(to, B => by_isa!(cast::<f32, B>)),
        (_, F32) => by_dtype!(from, A => by_isa!(cast::<A, f32>)),
        (Bool, _) => by_dtype!(to, B => by_isa!(cast::<bool, B>)),
        // Of the rest one version serves every instruction set: they are many, and rare.
        _ => by_dtype!(from, A => by_dtype!(to, B => cast_block::<A, B>)),
    }
}
/// # Safety
/// See [`BlockFn`].
#[allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "the same promise covers every slice of the one loop"
)]
unsafe fn cast_block<A: Element, B: Cast<A>>(
    d: *mut u8,
    a: *const u8,
    _b: *const u8,
    _c: *const u8,
    n: usize,
) {
    // SAFETY: the contract of `BlockFn`.
    let (d, a) = unsafe { (dst::<B>(d, n), src::<A>(a, n)) };
    each1(d, a, B::cast);
}

/// A formula's value at one point in `F64`.
pub(crate) fn one_f64(kernel: BlockFn, x: [f64; 3]) -> f64 {
    let mut out = 0.0_f64;
    let p = |i: usize| (&raw const x[i]).cast::<u8>();
    // SAFETY: one `f64` result and three `f64` operands, all distinct.
    unsafe { kernel((&raw mut out).cast(), p(0), p(1), p(2), 1) };
    out
}
