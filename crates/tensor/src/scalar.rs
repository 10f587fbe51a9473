//! `Scalar`: a symbol that records what is done to it, and `Expr`: the elementwise operation that comes of it.
//!
//! A derivative of the table and a user's closure are both traced once into an [`Expr`], straight-line code over
//! inputs and rows of the table. Expressions are closed under differentiation ([`Expr::pullback`]), so one rule
//! serves every elementwise operation, to any order. Nothing here computes.
use crate::elementwise::{Class, Elementwise, Rule};
use crate::fuse::Mix;
use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::ops::{Add, Div, Mul, Neg, Rem, Sub};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// A number that is not known yet: an input, or what was made of inputs, inside a closure given to
/// [`Tensor::map`](crate::Tensor::map) and kin.
#[derive(Clone, Copy, Debug)]
pub struct Scalar(u32);

/// A row of the table, compared by identity.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OpRef(pub(crate) &'static Elementwise);
impl PartialEq for OpRef {
    fn eq(&self, o: &OpRef) -> bool {
        std::ptr::eq(self.0, o.0)
    }
}
impl Eq for OpRef {}
impl Hash for OpRef {
    fn hash<H: Hasher>(&self, h: &mut H) {
        std::ptr::from_ref(self.0).hash(h);
    }
}

/// One instruction; operands are indices of earlier ones.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Ins {
    /// Input `k`.
    In(u8),
    /// The number with these bits.
    Const(u64),
    /// A row of the table over its operands, `u32::MAX` beyond its arity.
    Do(OpRef, [u32; 3]),
}
impl Ins {
    pub(crate) fn operands(&self) -> &[u32] {
        match self {
            Ins::Do(op, a) => &a[..op.0.arity],
            _ => &[],
        }
    }
}

#[derive(Default)]
struct Trace {
    code: Vec<Ins>,
    seen: HashMap<Ins, u32, BuildHasherDefault<Mix>>,
    /// Whether a derivative is formed: whose zeros say that nothing flows. A zero that somebody wrote is a number.
    slopes: bool,
    /// The zero of derivatives, apart from all others.
    nothing: Option<u32>,
}
thread_local! { static TRACE: RefCell<Trace> = RefCell::default(); }

fn put(ins: Ins) -> Scalar {
    TRACE.with_borrow_mut(|t| {
        let code = &mut t.code;
        Scalar(*t.seen.entry(ins).or_insert_with(|| {
            code.push(ins);
            code.len() as u32 - 1
        }))
    })
}

/// The 0 by which a derivative says that nothing flows.
fn nothing() -> Scalar {
    TRACE.with_borrow_mut(|t| {
        let code = &mut t.code;
        Scalar(*t.nothing.get_or_insert_with(|| {
            code.push(Ins::Const(0));
            code.len() as u32 - 1
        }))
    })
}

impl Scalar {
    /// Whether this is a derivative of 0: what is multiplied by it may be left out, even if that were infinite or NaN.
    /// A 0 in a formula is a number like others, whose product with NaN is NaN.
    pub(crate) fn vanishes(self) -> bool {
        TRACE.with_borrow(|t| t.nothing == Some(self.0))
    }
    /// The value, if this is a constant of the trace.
    fn constant(self) -> Option<f64> {
        TRACE.with_borrow(|t| match t.code[self.0 as usize] {
            Ins::Const(bits) => Some(f64::from_bits(bits)),
            _ => None,
        })
    }
    /// Records a row of the table, unless it folds to a constant or simplifies.
    pub(crate) fn apply(op: &'static Elementwise, x: &[Scalar]) -> Scalar {
        let mut known = [None; 3];
        for (k, s) in known.iter_mut().zip(x) {
            *k = s.constant();
        }
        let known = &known[..x.len()];
        if let Some(simple) = (op.simplify)(x, known) {
            return simple;
        }
        if let Some(v) = fold(op, known) {
            let flows = v != 0.0 || !x.iter().any(|s| s.vanishes());
            return if flows { put(Ins::Const(v.to_bits())) } else { nothing() };
        }
        let mut operands = [u32::MAX; 3];
        for (o, s) in operands.iter_mut().zip(x) {
            *o = s.0;
        }
        put(Ins::Do(OpRef(op), operands))
    }
    /// Whether two symbols stand for the same computation.
    pub(crate) fn same(self, o: Scalar) -> bool {
        self.0 == o.0
    }
}
/// The value of a row over constants.
fn fold(op: &'static Elementwise, known: &[Option<f64>]) -> Option<f64> {
    if !(op.class.is_arith() || op.class == Class::Float) {
        return None;
    }
    let mut x = [0.0; 3];
    for (x, k) in x.iter_mut().zip(known) {
        *x = (*k)?;
    }
    crate::cpu::map::one_f64((op.kernel)(crate::dtype::F64)?, x).into()
}

impl From<f64> for Scalar {
    fn from(v: f64) -> Scalar {
        let vanishes = v == 0.0 && TRACE.with_borrow(|t| t.slopes);
        if vanishes { nothing() } else { put(Ins::Const(v.to_bits())) }
    }
}
impl From<f32> for Scalar {
    fn from(v: f32) -> Scalar {
        f64::from(v).into()
    }
}
impl From<i32> for Scalar {
    fn from(v: i32) -> Scalar {
        f64::from(v).into()
    }
}
// On the left only `f64`: with `f32` beside it the literal in `(1.0 + x).log()` would have no type.
macro_rules! operators { ($($tr:ident $f:ident $op:ident)*) => {$(
    impl<R: Into<Scalar>> $tr<R> for Scalar {
        type Output = Scalar;
        fn $f(self, o: R) -> Scalar { Scalar::apply(&crate::ops::arith::$op, &[self, o.into()]) }
    }
    impl $tr<Scalar> for f64 {
        type Output = Scalar;
        fn $f(self, o: Scalar) -> Scalar { Scalar::apply(&crate::ops::arith::$op, &[self.into(), o]) }
    }
)*}; }
operators!(Add add ADD Sub sub SUB Mul mul MUL Div div DIV Rem rem REM);
impl Neg for Scalar {
    type Output = Scalar;
    fn neg(self) -> Scalar {
        Scalar::apply(&crate::ops::arith::NEG, &[self])
    }
}

/// Straight-line code over scalars: an elementwise operation of `n_in` inputs with one or more outputs.
#[derive(Debug)]
pub(crate) struct Expr {
    pub(crate) name: &'static str,
    pub(crate) n_in: usize,
    pub(crate) code: Vec<Ins>,
    pub(crate) outs: Vec<u32>,
    /// Instructions that are work.
    pub(crate) work: usize,
    /// Bit k is set if input k is used as a truth value.
    pub(crate) truths: u64,
    /// Whether some row takes floats only.
    pub(crate) floats: bool,
    /// Whether some row takes numbers, not truth values.
    pub(crate) numbers: bool,
    /// Whether some row takes integers only.
    pub(crate) integers: bool,
    /// Per output and input; see [`Expr::pullback`].
    derivatives: OnceLock<Vec<Derivative>>,
}
/// The cotangent of one input, an expression over inputs, output and the output's cotangent.
#[derive(Debug)]
pub(crate) struct Derivative {
    pub(crate) expr: Arc<Expr>,
    /// Bit k is set if the expression reads its input k.
    pub(crate) reads: u64,
    /// Identically 0.
    pub(crate) zero: bool,
    /// The output's cotangent, unchanged.
    pub(crate) identity: bool,
}

impl Expr {
    fn new(name: &'static str, n_in: usize, code: Vec<Ins>, outs: Vec<u32>) -> Arc<Expr> {
        let (mut work, mut truths) = (0, 0);
        let (mut floats, mut numbers, mut integers) = (false, false, false);
        for ins in &code {
            let Ins::Do(op, _) = ins else { continue };
            work += 1;
            floats |= op.0.class == Class::Float;
            numbers |= op.0.class.is_arith();
            integers |= op.0.class == Class::Bits;
            let conditions = match op.0.class {
                Class::Logic => op.0.arity,
                Class::Choose => 1,
                _ => 0,
            };
            for &j in &ins.operands()[..conditions] {
                if let Ins::In(k) = code[j as usize] {
                    truths |= 1 << k;
                }
            }
        }
        Arc::new(Expr {
            name,
            n_in,
            code,
            outs,
            work,
            truths,
            floats,
            numbers,
            integers,
            derivatives: OnceLock::new(),
        })
    }
    /// Whether output `out` is a truth value.
    pub(crate) fn is_truth(&self, out: usize) -> bool {
        let mut at = self.outs[out];
        loop {
            match self.code[at as usize] {
                Ins::Do(op, a) => match op.0.class {
                    Class::Test | Class::Logic => return true,
                    Class::Choose => at = a[1],
                    _ => return false,
                },
                Ins::In(k) => return self.truths >> k & 1 == 1,
                Ins::Const(_) => return false,
            }
        }
    }
    /// Records `f` over `n_in` fresh symbols. Traces nest.
    pub(crate) fn trace(
        name: &'static str,
        n_in: usize,
        f: impl FnOnce(&[Scalar]) -> Vec<Scalar>,
    ) -> Arc<Expr> {
        struct Outer(Option<Trace>);
        impl Drop for Outer {
            fn drop(&mut self) {
                TRACE.set(self.0.take().unwrap_or_default());
            }
        }
        let outer = Outer(Some(TRACE.take()));
        let inputs: Vec<Scalar> = (0..n_in).map(|i| put(Ins::In(i as u8))).collect();
        let outs: Vec<u32> = f(&inputs).into_iter().map(|s| s.0).collect();
        let code = TRACE.take().code;
        drop(outer);
        let (code, outs) = reachable(&code, &outs);
        Expr::new(name, n_in, code, outs)
    }
    /// As [`Expr::trace`] for code of the user: its constants become further inputs, returned beside it, and equal
    /// code gives the same expression, so that a closure called in a loop is differentiated and planned once.
    pub(crate) fn of_closure(
        name: &'static str,
        n_in: usize,
        f: impl FnOnce(&[Scalar]) -> Vec<Scalar>,
    ) -> (Arc<Expr>, Vec<f64>) {
        let traced = Expr::trace(name, n_in, f);
        let mut numbers = vec![];
        let code: Vec<Ins> = traced
            .code
            .iter()
            .map(|ins| match *ins {
                Ins::Const(bits) if n_in + numbers.len() < MAX_INPUTS => {
                    numbers.push(f64::from_bits(bits));
                    Ins::In((n_in + numbers.len() - 1) as u8)
                }
                other => other,
            })
            .collect();
        (intern(name, n_in + numbers.len(), code, traced.outs.clone()), numbers)
    }
    /// The expression of one row of the table.
    pub(crate) fn of(op: &'static Elementwise) -> &'static Arc<Expr> {
        op.expr.get_or_init(|| {
            let n = op.arity as u32;
            let mut code: Vec<Ins> = (0..n).map(|i| Ins::In(i as u8)).collect();
            let mut operands = [u32::MAX; 3];
            for (i, o) in operands.iter_mut().take(op.arity).enumerate() {
                *o = i as u32;
            }
            code.push(Ins::Do(OpRef(op), operands));
            Expr::new(op.name, op.arity, code, vec![n])
        })
    }
    /// The row of the table that this whole expression is, if it is one.
    pub(crate) fn single(&self) -> Option<&'static Elementwise> {
        match self.code.last() {
            Some(Ins::Do(op, a))
                if self.work == 1 && a.iter().take(op.0.arity).enumerate().all(|(i, &k)| k == i as u32) =>
            {
                Some(op.0)
            }
            _ => None,
        }
    }
    /// Why this expression has no gradient, if any of its rows has none.
    pub(crate) fn no_gradient(&self) -> Option<&'static str> {
        match &self.single()?.rule {
            Rule::None(why) => Some(why),
            Rule::Grad(_) => None,
        }
    }
    /// The derivatives of output `out`, one per input, over (inputs, output, cotangent). Reverse mode over `code`.
    pub(crate) fn pullback(&self, out: usize) -> &[Derivative] {
        let all = self.derivatives.get_or_init(|| {
            (0..self.outs.len())
                .flat_map(|out| (0..self.n_in).map(move |wrt| (out, wrt)))
                .map(|(o, w)| self.derive(o, w))
                .collect()
        });
        &all[out * self.n_in..(out + 1) * self.n_in]
    }
    fn derive(&self, out: usize, wrt: usize) -> Derivative {
        let expr =
            Expr::trace(self.name, self.n_in + 2, |v| vec![self.adjoint(self.outs[out] as usize, wrt, v)]);
        let reads = expr.code.iter().fold(0, |m, i| if let Ins::In(k) = i { m | 1 << k } else { m });
        let result = expr.code[expr.outs[0] as usize];
        let zero = matches!(result, Ins::Const(bits) if f64::from_bits(bits) == 0.0);
        let identity = result == Ins::In(self.n_in as u8 + 1);
        Derivative { expr, reads, zero, identity }
    }
    /// The cotangent of input `wrt` when instruction `out` has cotangent `v[n_in + 1]`.
    fn adjoint(&self, out: usize, wrt: usize, v: &[Scalar]) -> Scalar {
        let mut value: Vec<Scalar> = Vec::with_capacity(self.code.len());
        for (i, ins) in self.code.iter().enumerate() {
            value.push(match *ins {
                Ins::In(k) => v[k as usize],
                // The output itself stands for its own computation.
                _ if i == out => v[self.n_in],
                Ins::Const(bits) => f64::from_bits(bits).into(),
                Ins::Do(op, _) => {
                    let x: Vec<Scalar> = ins.operands().iter().map(|&j| value[j as usize]).collect();
                    Scalar::apply(op.0, &x)
                }
            });
        }
        TRACE.with_borrow_mut(|t| t.slopes = true);
        let mut cotangent: Vec<Option<Scalar>> = vec![None; self.code.len()];
        cotangent[out] = Some(v[self.n_in + 1]);
        let mut sum = Scalar::from(0.0);
        for (i, ins) in self.code.iter().enumerate().rev() {
            let Some(g) = cotangent[i] else { continue };
            match ins {
                Ins::In(k) if *k as usize == wrt => sum = sum + g,
                Ins::Do(op, _) => {
                    let Rule::Grad(rule) = op.0.rule else { continue };
                    let x: Vec<Scalar> = ins.operands().iter().map(|&j| value[j as usize]).collect();
                    for (&j, d) in ins.operands().iter().zip(rule(&x, value[i], g)) {
                        let slot = &mut cotangent[j as usize];
                        *slot = Some(slot.map_or(d, |s| s + d));
                    }
                }
                _ => {}
            }
        }
        sum
    }
}
/// What one expression may read; the mask of [`Derivative::reads`] has this many bits with output and cotangent.
pub(crate) const MAX_INPUTS: usize = 62;

/// The code that the outputs need, renumbered; inputs are kept.
fn reachable(code: &[Ins], outs: &[u32]) -> (Vec<Ins>, Vec<u32>) {
    let mut new = vec![u32::MAX; code.len()];
    for &o in outs {
        new[o as usize] = 0;
    }
    for (i, ins) in code.iter().enumerate().rev() {
        if new[i] == 0 {
            for &j in ins.operands() {
                new[j as usize] = 0;
            }
        }
    }
    let mut kept = vec![];
    for (i, ins) in code.iter().enumerate() {
        if new[i] != 0 {
            continue;
        }
        new[i] = kept.len() as u32;
        kept.push(match *ins {
            Ins::Do(op, mut a) => {
                for j in &mut a[..op.0.arity] {
                    *j = new[*j as usize];
                }
                Ins::Do(op, a)
            }
            other => other,
        });
    }
    (kept, outs.iter().map(|&o| new[o as usize]).collect())
}

/// The one expression with this code. Programs and derivatives are cached per expression, so equal closures must
/// be one; the table is cleared when it grows beyond what programs hold.
#[expect(clippy::mutable_key_type, reason = "rows of the table are compared by address")]
fn intern(name: &'static str, n_in: usize, code: Vec<Ins>, outs: Vec<u32>) -> Arc<Expr> {
    type Code = (&'static str, usize, Vec<Ins>, Vec<u32>);
    type Known = HashMap<Code, Arc<Expr>, BuildHasherDefault<Mix>>;
    static KNOWN: Mutex<Option<Known>> = Mutex::new(None);
    const MOST: usize = 4096;
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let known = known.get_or_insert_with(Known::default);
    if known.len() >= MOST {
        known.clear();
    }
    let fresh = |key: &Code| Expr::new(name, n_in, key.2.clone(), key.3.clone());
    known.entry((name, n_in, code, outs)).or_insert_with_key(fresh).clone()
}
