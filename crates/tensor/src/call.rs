//! `Call`: a loop over whole operands in memory, as a value that an operation's kernel returns.
//!
//! The loop is a safe function over typed views. A backend that has its own version of a call looks it up by name
//! and attributes; the CPU runs the function. All a view does is pair a buffer with a layout, and that is where the
//! unsafe of this room is.
use crate::buffer::Buffer;
use crate::cpu::pool;
use crate::dry;
use crate::dtype::{DType, Element};
use crate::layout::Layout;
use crate::memory;
use crate::mode;
use crate::shape::Shape;
use crate::value::Held;
use std::fmt;
use std::marker::PhantomData;
use std::sync::{Mutex, PoisonError};

mod convolution;
mod half;
mod product;
mod random;
pub(crate) use convolution::{Part, Sizes, convolution};
pub(crate) use product::{linear, product};
pub(crate) use random::{Random, dropout, random};

/// A named loop over operands in memory.
pub struct Call {
    /// What a backend knows it by.
    pub name: &'static str,
    /// The CPU's version.
    #[expect(clippy::type_complexity, reason = "a function over views, spelled where it is documented")]
    pub run: Box<dyn Fn(&[View<'_>], &mut [ViewMut<'_>]) + Send + Sync>,
    /// Whether it may run when its result is read instead of when it is made.
    waits: bool,
}
impl Call {
    /// A call.
    pub fn new(
        name: &'static str,
        run: impl Fn(&[View<'_>], &mut [ViewMut<'_>]) + Send + Sync + 'static,
    ) -> Call {
        Call { name, run: Box::new(run), waits: false }
    }
    /// The same, of one output, which may run late: it is worth not being run at all, and cannot fail.
    pub(crate) fn waiting(self) -> Call {
        Call { waits: true, ..self }
    }
    /// Whether to leave this call until its result is read: in a gradient that is recorded, which keeps its operands
    /// anyway and of which many elements are never read, and where it is to run beside another one.
    pub(crate) fn waits(&self) -> bool {
        self.waits && mode::is_waiting() && !mode::is_eager()
    }
}
impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// An operand of a [`Call`]: read-only elements of a buffer, and where they lie.
pub struct View<'a> {
    base: *const u8,
    /// Elements from `base` that the buffer has.
    len: usize,
    dtype: DType,
    layout: Layout,
    life: PhantomData<&'a [u8]>,
}
// SAFETY: a view is a shared borrow of immutable elements.
unsafe impl Send for View<'_> {}
// SAFETY: as above.
unsafe impl Sync for View<'_> {}
/// A result of a [`Call`]: dense elements in row-major order, contents undefined until written.
pub struct ViewMut<'a> {
    base: *mut u8,
    dtype: DType,
    shape: Shape,
    life: PhantomData<&'a mut [u8]>,
}

impl<'a> View<'a> {
    /// The elements of a value, computed now if need be. They stay as they are while `value` is held.
    #[track_caller]
    pub(crate) fn of(value: &'a Held) -> View<'a> {
        let layout = value.layout();
        let buffer = &value.ready_view().buffer;
        if buffer.is_planned() {
            dry::refuse("dry_run", value);
        }
        let len = buffer.capacity() / value.dtype.size();
        debug_assert!(layout.span().is_none_or(|(_, last)| last < len), "a view lies in its buffer");
        View { base: buffer.ptr(), len, dtype: value.dtype, layout, life: PhantomData }
    }
    /// The element type.
    pub fn dtype(&self) -> DType {
        self.dtype
    }
    /// The operand's shape.
    pub fn shape(&self) -> &Shape {
        &self.layout.shape
    }
    /// Where the elements lie in [`View::data`].
    pub fn layout(&self) -> &Layout {
        &self.layout
    }
    /// The elements of the buffer behind the view.
    ///
    /// # Panics
    /// If `T` is not the element type.
    pub fn data<T: Element>(&self) -> &'a [T] {
        assert_eq!(T::DTYPE, self.dtype, "a view is read as its own type");
        // SAFETY: `len` elements of the buffer, which are initialised (`Buffer`), and immutable while held.
        unsafe { std::slice::from_raw_parts(self.base.cast::<T>(), self.len) }
    }
    /// The elements in logical order: a slice of the buffer if they lie so, else a copy.
    ///
    /// # Panics
    /// If `T` is not the element type.
    #[track_caller]
    pub fn dense<T: Element>(&self) -> std::borrow::Cow<'a, [T]> {
        let data = self.data::<T>();
        let n = self.layout.numel();
        if n == 0 {
            return (&[]).into(); // an empty view may begin anywhere
        }
        if self.layout.is_dense() {
            return data[self.layout.offset..self.layout.offset + n].into();
        }
        let mut out = memory::list("to_vec", self.dtype, self.shape());
        self.layout.runs(0, n, |at, stride, count| {
            out.extend((0..count).map(|i| data[(at as isize + i as isize * stride) as usize]));
        });
        out.into()
    }
}
impl ViewMut<'_> {
    /// A result of `shape` in a buffer that nobody else has.
    pub(crate) fn of(buffer: &mut Buffer, dtype: DType, shape: Shape) -> ViewMut<'_> {
        let room = shape.numel() * dtype.size() <= buffer.capacity() && !buffer.is_planned();
        assert!(room, "room for the result");
        if dtype == DType::Bool {
            buffer.fill(0, dtype, shape.numel()); // old bytes need not be truth values
        }
        ViewMut { base: buffer.ptr(), dtype, shape, life: PhantomData }
    }
    /// The element type.
    pub fn dtype(&self) -> DType {
        self.dtype
    }
    /// The result's shape.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }
    /// The elements, to be written.
    ///
    /// # Panics
    /// If `T` is not the element type.
    pub fn data<T: Element>(&mut self) -> &mut [T] {
        assert_eq!(T::DTYPE, self.dtype, "a view is written as its own type");
        // SAFETY: room for them was checked, the buffer is borrowed mutably, its bytes are initialised and valid.
        unsafe { std::slice::from_raw_parts_mut(self.base.cast::<T>(), self.shape.numel()) }
    }
}
impl fmt::Debug for View<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.dtype, self.layout)
    }
}
impl fmt::Debug for ViewMut<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.dtype, self.shape)
    }
}

/// Elements of work below which a call is not worth a second thread.
const SERIAL: usize = 1 << 15;

/// Calls `f(i, part)` for each `chunk`-sized part of `out`, on several threads if `out` times `work` (elements
/// touched for each element of `out`) is large. Who runs a part may change from run to run; parts must not depend
/// on it.
pub fn for_chunks<T: Send>(out: &mut [T], chunk: usize, work: usize, f: impl Fn(usize, &mut [T]) + Sync) {
    let chunk = chunk.max(1);
    if out.len().saturating_mul(work) < SERIAL || pool::threads() == 1 {
        return out.chunks_mut(chunk).enumerate().for_each(|(i, part)| f(i, part));
    }
    let parts: Vec<Mutex<&mut [T]>> = out.chunks_mut(chunk).map(Mutex::new).collect();
    pool::parallel(parts.len(), &|i| f(i, &mut parts[i].lock().unwrap_or_else(PoisonError::into_inner)));
}

/// Runs an expression with `$t` as the Rust type of a dtype: `by_dtype!(dtype, T => view.data::<T>().len())`.
macro_rules! by_dtype {
    ($dtype:expr, $t:ident => $e:expr) => {
        $crate::cpu::map::by_dtype!($dtype, $t => $e)
    };
}
pub(crate) use by_dtype;
