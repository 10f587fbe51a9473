//! Element types: what a tensor may hold, how types combine, and how Rust numbers become elements.
//!
//! Pure definitions; no storage and no tensors here.
use crate::error::{Error, ErrorKind};
use half::{bf16, f16};
use std::fmt;

/// The type of a tensor's elements.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub enum DType {
    /// True or false, one byte.
    Bool,
    /// Unsigned 8-bit integer.
    U8,
    /// Signed 32-bit integer.
    I32,
    /// Signed 64-bit integer; the type of indices and counts.
    I64,
    /// IEEE half precision; computed in `F32` and rounded after every operation.
    F16,
    /// bfloat16; computed in `F32` and rounded after every operation.
    BF16,
    /// IEEE single precision, the default.
    F32,
    /// IEEE double precision.
    F64,
}
pub use DType::{BF16, Bool, F16, F32, F64, I32, I64, U8};

impl DType {
    /// Bytes of one element.
    pub const fn size(self) -> usize {
        match self {
            Bool | U8 => 1,
            F16 | BF16 => 2,
            I32 | F32 => 4,
            I64 | F64 => 8,
        }
    }
    /// Whether this is one of the four floating types.
    pub const fn is_float(self) -> bool {
        matches!(self, F16 | BF16 | F32 | F64)
    }
    /// Whether this is `U8`, `I32` or `I64`.
    pub const fn is_int(self) -> bool {
        matches!(self, U8 | I32 | I64)
    }
    /// The type in which block kernels compute: half types in `F32`.
    pub(crate) const fn compute(self) -> DType {
        match self {
            F16 | BF16 => F32,
            d => d,
        }
    }
    /// The lower-case name, as in messages: `f32`.
    pub const fn name(self) -> &'static str {
        match self {
            Bool => "bool",
            U8 => "u8",
            I32 => "i32",
            I64 => "i64",
            F16 => "f16",
            BF16 => "bf16",
            F32 => "f32",
            F64 => "f64",
        }
    }
}
impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The common type of two operands: bool < u8 < i32 < i64, any of them with a float gives the float,
/// two different floats are an error that names `cast`.
pub(crate) fn promote(op: &'static str, a: DType, b: DType) -> Result<DType, Error> {
    if a == b {
        return Ok(a);
    }
    match (a.is_float(), b.is_float()) {
        (true, true) => Err(Error::new(
            op,
            ErrorKind::Dtype,
            format!(
                "float types differ: {a} and {b}; cast one of them, as in x.cast({})",
                b.name().to_uppercase()
            ),
        )),
        (true, false) => Ok(a),
        (false, true) => Ok(b),
        (false, false) => Ok(a.max(b)),
    }
}

mod sealed {
    pub trait Sealed {}
}

/// A Rust type that tensors can hold.
pub trait Element:
    Copy + Send + Sync + PartialEq + fmt::Debug + fmt::Display + 'static + sealed::Sealed
{
    /// The tensor type of this Rust type.
    const DTYPE: DType;
    /// This value as `f64`; `i64` beyond 2^53 is rounded.
    fn to_f64(self) -> f64;
    /// This value as `i64`: floats are truncated and saturate.
    fn to_i64(self) -> i64;
    /// The nearest value of this type: floats round, integers saturate, NaN gives 0.
    fn from_f64(v: f64) -> Self;
}
macro_rules! element { ($($t:ty, $d:ident, |$v:ident| $to:expr, $int:expr, |$w:ident| $from:expr;)*) => {$(
    impl sealed::Sealed for $t {}
    impl Element for $t {
        const DTYPE: DType = $d;
        #[inline(always)]
        fn to_f64(self) -> f64 { let $v = self; $to }
        #[inline(always)]
        fn to_i64(self) -> i64 { let $v = self; $int }
        #[inline(always)]
        fn from_f64($w: f64) -> Self { $from }
    })*};
}
element! {
    bool, Bool, |v| f64::from(u8::from(v)), i64::from(v), |v| v != 0.0;
    u8, U8, |v| f64::from(v), i64::from(v), |v| v as u8;
    i32, I32, |v| f64::from(v), i64::from(v), |v| v as i32;
    i64, I64, |v| v as f64, v, |v| v as i64;
    f16, F16, |v| v.to_f64(), v.to_f64() as i64, |v| f16::from_f64(v);
    bf16, BF16, |v| v.to_f64(), v.to_f64() as i64, |v| bf16::from_f64(v);
    f32, F32, |v| f64::from(v), v as i64, |v| v as f32;
    f64, F64, |v| v, v as i64, |v| v;
}

/// A Rust number used as an operand: it takes the type of the tensor beside it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Number {
    /// A floating number.
    Float(f64),
    /// An integer.
    Int(i64),
    /// A truth value.
    Bool(bool),
}
impl Number {
    /// The number as `f64`.
    pub fn to_f64(self) -> f64 {
        match self {
            Number::Float(v) => v,
            Number::Int(v) => v as f64,
            Number::Bool(v) => v.to_f64(),
        }
    }
    /// The number's bits as an element of `dtype` (half types: of `F32`), low bytes first.
    pub(crate) fn bits(self, dtype: DType) -> u64 {
        let int = match self {
            Number::Int(v) => Some(v),
            Number::Bool(v) => Some(i64::from(v)),
            Number::Float(_) => None,
        };
        let v = self.to_f64();
        match (dtype, int) {
            (Bool, _) => u64::from(v != 0.0),
            (U8, Some(v)) => u64::from(v as u8),
            (I32, Some(v)) => u64::from((v as i32) as u32),
            (I64, Some(v)) => v as u64,
            (U8, None) => u64::from(v as u8),
            (I32, None) => u64::from((v as i32) as u32),
            (I64, None) => (v as i64) as u64,
            (F64, _) => v.to_bits(),
            (F16 | BF16 | F32, _) => u64::from((v as f32).to_bits()),
        }
    }
}
macro_rules! number { ($($t:ty, $k:ident, $as:ty;)*) => {$(
    impl From<$t> for Number { fn from(v: $t) -> Number { Number::$k(v as $as) } }
)*}; }
number! { f32, Float, f64; f64, Float, f64; u8, Int, i64; i32, Int, i64; i64, Int, i64; u32, Int, i64; usize, Int, i64; }
impl From<bool> for Number {
    fn from(v: bool) -> Number {
        Number::Bool(v)
    }
}
