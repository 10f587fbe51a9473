//! Arithmetic below the functions: fused multiply-add where the instruction
//! set has one, polynomials, and sums and products with their rounding errors.
//! Branch-free and allocation-free; nothing here knows a mathematical function.

/// Error-free transformations and polynomials over one float type.
///
/// `F` says whether fused multiply-add is an instruction; without it
/// `mul_add` would be a library call per lane, so products are split instead.
pub(super) trait Arith: Copy {
    /// `self * b + c`, in one rounding if `F`.
    fn fma<const F: bool>(self, b: Self, c: Self) -> Self;
    /// The polynomial whose highest power's coefficient comes first, by Horner's rule over pairs:
    /// a loop over lanes is bound by the length of the chain.
    fn poly<const F: bool, const N: usize>(self, c: [Self; N]) -> Self;
    /// `self + b` and its rounding error, for any order of magnitudes.
    fn two_sum(self, b: Self) -> (Self, Self);
    /// `self + b` and its rounding error, for `|self| >= |b|` or `self == 0`.
    fn fast_two_sum(self, b: Self) -> (Self, Self);
    /// `self * b` and its rounding error; must not overflow when split.
    fn two_prod<const F: bool>(self, b: Self) -> (Self, Self);
    /// `self` bounded to `lo..=hi`; NaN stays NaN.
    fn bound(self, lo: Self, hi: Self) -> Self;
}

macro_rules! arith {
    ($t:ty, $splitter:literal) => {
        impl Arith for $t {
            #[inline(always)]
            fn fma<const F: bool>(self, b: Self, c: Self) -> Self {
                if F { self.mul_add(b, c) } else { self * b + c }
            }
            #[inline(always)]
            fn poly<const F: bool, const N: usize>(self, c: [Self; N]) -> Self {
                let z = self * self;
                let (mut p, mut i) = if N % 2 == 0 { (self.fma::<F>(c[0], c[1]), 2) } else { (c[0], 1) };
                while i < N {
                    p = p.fma::<F>(z, self.fma::<F>(c[i], c[i + 1]));
                    i += 2;
                }
                p
            }
            #[inline(always)]
            fn two_sum(self, b: Self) -> (Self, Self) {
                let s = self + b;
                let t = s - self;
                (s, (self - (s - t)) + (b - t))
            }
            #[inline(always)]
            fn fast_two_sum(self, b: Self) -> (Self, Self) {
                let s = self + b;
                (s, b - (s - self))
            }
            #[inline(always)]
            fn two_prod<const F: bool>(self, b: Self) -> (Self, Self) {
                let p = self * b;
                if F {
                    (p, self.mul_add(b, -p))
                } else {
                    let split = |v: $t| {
                        let w = v * $splitter;
                        let hi = w - (w - v);
                        (hi, v - hi)
                    };
                    let ((ah, al), (bh, bl)) = (split(self), split(b));
                    (p, ((ah * bh - p) + ah * bl + al * bh) + al * bl)
                }
            }
            #[inline(always)]
            fn bound(self, lo: Self, hi: Self) -> Self {
                let x = if self < lo { lo } else { self };
                if x > hi { hi } else { x }
            }
        }
    };
}
arith!(f32, 4097.0);
arith!(f64, 134_217_729.0);
