//! What a model is made of: [`Param`], a trainable leaf with an identity, and [`Buffer`], state that is saved
//! but never trained.
//!
//! Tensors are immutable; these two slots are the only places of a model whose content changes. A parameter's
//! slot changes through `&mut`, a buffer's also through `&` under its lock, since a forward pass takes the
//! model by shared reference. This room knows neither names nor optimizers.

use retrograd_autograd::{Differentiate, Leaf, LeafId};
use retrograd_tensor::{DType, Error, ErrorKind, Operand, OrRaise, Tensor, raise};
use retrograd_tensor::{hidden, levels, replay};
use std::fmt;
use std::ops::{Add, Deref, Div, Mul, Neg, Rem, Sub};
use std::sync::{Mutex, PoisonError};

/// A trainable tensor with an identity of its own.
///
/// It derefs to its [`Tensor`], works as an operand wherever a tensor does, and is the key under which
/// [`Gradients`](retrograd_autograd::Gradients) hold its gradient. The identity is given at construction and
/// survives every change of the value. `clone` makes another parameter: the same value, shared until one of
/// the two changes, under a new identity.
///
/// A parameter lives in one place of a model; to tie two uses, use it twice in `forward`.
pub struct Param {
    leaf: hidden::Leaf,
    value: Tensor,
    trainable: bool,
}

impl Param {
    /// A trainable parameter with this value; the value's own past is forgotten.
    ///
    /// # Panics
    /// If the value is not of a floating type.
    #[track_caller]
    pub fn new(value: impl Into<Tensor>) -> Self {
        let value = value.into();
        if !value.dtype().is_float() {
            let detail = format!("not a floating type: {}; only real values can be trained", value.dtype());
            raise(Error::new("Param", ErrorKind::Dtype, detail));
        }
        let leaf = hidden::Leaf::new();
        let value = leaf.attach(&value);
        Self { leaf, value, trainable: true }
    }

    /// The identity that gradients and optimizers go by.
    pub fn id(&self) -> u64 {
        self.leaf.id()
    }

    /// The present value, tracked as this leaf unless the parameter is frozen.
    pub fn value(&self) -> &Tensor {
        &self.value
    }

    /// Puts another value into the slot and returns the old one.
    ///
    /// # Panics
    /// If shape or dtype differ from the present ones, or the value is one for each example of a `vmap`.
    #[track_caller]
    pub fn replace(&mut self, value: &Tensor) -> Tensor {
        check_fit("Param::replace", &self.value, value);
        let value = self.attached(value);
        std::mem::replace(&mut self.value, value)
    }

    /// Puts a value with its own past into the slot of a copy, for a call: gradients are those of the value.
    pub(crate) fn stand_in(&mut self, value: &Tensor) {
        self.value = value.clone();
    }

    /// The same parameter, identity included, for the slot of a copy.
    pub(crate) fn again(&self) -> Self {
        Self { leaf: self.leaf.clone(), value: self.value.clone(), trainable: self.trainable }
    }

    /// Makes the value of type `dtype`, under the same identity.
    pub(crate) fn convert(&mut self, dtype: DType) {
        self.value = self.attached(&self.value.detach().cast(dtype));
    }

    /// Takes the parameter out of training: it is no longer tracked, and optimizers pass it by.
    pub fn freeze(&mut self) {
        self.trainable = false;
        self.value = self.value.detach();
    }

    /// Undoes [`freeze`](Param::freeze).
    pub fn unfreeze(&mut self) {
        self.trainable = true;
        self.value = self.leaf.attach(&self.value);
    }

    /// Whether the parameter is trained, that is, not frozen.
    pub fn is_trainable(&self) -> bool {
        self.trainable
    }

    /// The present value without its place on the tape, and without a mark that it had one: for what computes the
    /// next value.
    pub(crate) fn bare(&self) -> Tensor {
        hidden::with_edge(&self.value, None)
    }

    fn attached(&self, value: &Tensor) -> Tensor {
        if self.trainable { self.leaf.attach(value) } else { value.detach() }
    }
}

impl Clone for Param {
    fn clone(&self) -> Self {
        let mut copy =
            Self { leaf: hidden::Leaf::new(), value: self.value.detach(), trainable: self.trainable };
        copy.value = copy.attached(&copy.value);
        copy
    }
}

impl From<Tensor> for Param {
    #[track_caller]
    fn from(value: Tensor) -> Self {
        Self::new(value)
    }
}

impl Deref for Param {
    type Target = Tensor;

    fn deref(&self) -> &Tensor {
        &self.value
    }
}

impl AsRef<Tensor> for Param {
    fn as_ref(&self) -> &Tensor {
        &self.value
    }
}

impl From<&Param> for Operand {
    fn from(param: &Param) -> Self {
        (&param.value).into()
    }
}

impl Leaf for Param {
    fn leaf(&self) -> Option<LeafId> {
        Some(self.id())
    }

    fn tensor(&self) -> &Tensor {
        &self.value
    }
}

/// Shape and type only, as a model of parameters should print.
impl fmt::Debug for Param {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let frozen = if self.trainable { "" } else { ", frozen" };
        write!(f, "Param({} {:?}{frozen})", self.dtype(), &self.shape()[..])
    }
}

/// State that a model keeps beside its parameters: running statistics, counters.
///
/// It is part of the state dict and never trained. A layer writes it during a forward pass, in training mode
/// only, so the slot has a lock of its own.
pub struct Buffer {
    value: Mutex<Tensor>,
    kind: BufferKind,
}

/// Who needs a buffer's value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum BufferKind {
    Needed,
    Optional,
    Stream,
}

impl Buffer {
    /// A slot with this value, which every state dict must hold.
    pub fn new(value: impl Into<Tensor>) -> Self {
        Self { value: Mutex::new(value.into().detach()), kind: BufferKind::Needed }
    }

    /// A slot that is saved, and that a state dict from elsewhere may lack: then it stays as it is.
    pub fn optional(value: impl Into<Tensor>) -> Self {
        Self { kind: BufferKind::Optional, ..Self::new(value) }
    }

    /// A slot for the state of a random stream: [optional](Buffer::optional), and of use only for continuing a run.
    /// `Module::save` leaves it out.
    ///
    /// ```
    /// use retrograd_nn::{Buffer, Module};
    /// use retrograd_tensor::Tensor;
    /// let stream = Buffer::stream(Tensor::from([7i64, 0]));
    /// assert!(stream.is_optional() && stream.state_dict().len() == 1);
    /// ```
    pub fn stream(value: impl Into<Tensor>) -> Self {
        Self { kind: BufferKind::Stream, ..Self::new(value) }
    }

    /// The present value.
    pub fn value(&self) -> Tensor {
        self.lock().clone()
    }

    /// Puts another value into the slot, without its past, and returns the old one.
    ///
    /// # Panics
    /// If shape or dtype differ from the present ones, or the value is one for each example of a `vmap`.
    #[track_caller]
    pub fn replace(&self, value: &Tensor) -> Tensor {
        let mut slot = self.lock();
        check_fit("Buffer::replace", &slot, value);
        std::mem::replace(&mut slot, value.detach())
    }

    /// Replaces the value by `f` of it, under the lock: two updates at once both count. Returns the old value. Code
    /// that `remat` runs again changes nothing and gets what it got the first time.
    ///
    /// # Panics
    /// If `f` changes shape or dtype, or its value is one for each example of a `vmap`.
    #[track_caller]
    pub fn update(&self, f: impl FnOnce(&Tensor) -> Tensor) -> Tensor {
        let old = replay::value(|| {
            let mut slot = self.lock();
            let value = f(&slot).detach();
            fits("Buffer::update", &slot, &value)?;
            Ok(std::mem::replace(&mut *slot, value))
        });
        old.or_raise()
    }

    /// Puts a value into the slot of a copy, for a call; it may be one for each example of a `vmap`.
    pub(crate) fn stand_in(&mut self, value: &Tensor) {
        *self.value.get_mut().unwrap_or_else(PoisonError::into_inner) = value.detach();
    }

    /// Makes a value of floats of type `dtype`.
    pub(crate) fn convert(&mut self, dtype: DType) {
        let slot = self.value.get_mut().unwrap_or_else(PoisonError::into_inner);
        if slot.dtype().is_float() {
            *slot = slot.cast(dtype);
        }
    }

    /// Whether a state dict may lack this slot.
    pub fn is_optional(&self) -> bool {
        self.kind != BufferKind::Needed
    }

    /// Whether this is the state of a random stream.
    pub fn is_stream(&self) -> bool {
        self.kind == BufferKind::Stream
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Tensor> {
        // The slot holds one whole value at any time, so a panic elsewhere cannot have left half of one.
        self.value.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clone for Buffer {
    fn clone(&self) -> Self {
        Self { value: Mutex::new(self.value()), kind: self.kind }
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.value();
        write!(f, "Buffer({} {:?})", value.dtype(), &value.shape()[..])
    }
}

/// Whether, inside `vmap`, `new` is one for each example where `old` is one for all.
pub(crate) fn varies_more(new: &Tensor, old: &Tensor) -> bool {
    let known = levels::of(old).0;
    levels::of(new).0.iter().any(|level| !known.contains(level))
}

#[track_caller]
fn check_fit(op: &'static str, old: &Tensor, new: &Tensor) {
    fits(op, old, new).or_raise();
}

fn fits(op: &'static str, old: &Tensor, new: &Tensor) -> Result<(), Error> {
    if varies_more(new, old) {
        let detail =
            "inside vmap: the new value differs from example to example; a slot has one for all of them";
        return Err(Error::new(op, ErrorKind::Value, detail));
    }
    if old.shape()[..] != new.shape()[..] {
        let (old, new) = (&old.shape()[..], &new.shape()[..]);
        let detail = format!("shapes differ: {new:?} for {old:?}; a slot keeps its shape");
        return Err(Error::new(op, ErrorKind::Shape, detail));
    }
    if old.dtype() != new.dtype() {
        let detail = format!("types differ: {} for {}; cast the new value", new.dtype(), old.dtype());
        return Err(Error::new(op, ErrorKind::Dtype, detail));
    }
    Ok(())
}

/// Operators with a parameter on the left; on the right it is an operand like a tensor.
macro_rules! operators {
    ($($op:ident $method:ident: $($number:ty)*;)*) => {$(
        impl<R: Into<Operand>> $op<R> for &Param {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, other: R) -> Tensor {
                $op::$method(&self.value, other)
            }
        }
        $(impl $op<&Param> for $number {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, other: &Param) -> Tensor {
                $op::$method(self, &other.value)
            }
        })*
    )*};
}

operators! {
    Add add: f64 i64;
    Sub sub: f64 i64;
    Mul mul: f64 i64;
    Div div: f64 i64;
    Rem rem: f64 i64;
}

impl Neg for &Param {
    type Output = Tensor;

    #[track_caller]
    fn neg(self) -> Tensor {
        Neg::neg(&self.value)
    }
}
