//! Storage: aligned blocks of bytes from a size-class cache, and the counters of `memory::stats()`.
//!
//! A buffer knows neither dtype nor shape. Fresh memory is dear (page faults cost four times the pass that
//! fills it), so a dropped buffer goes back to its class until the cache holds [`CACHE_LIMIT`] bytes.
use crate::cpu::load;
use crate::dry::{self, Planned};
use crate::dtype::{DType, Element};
use std::alloc::{Layout, alloc, dealloc};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

/// Alignment of every buffer: a cache line, and the widest vector.
const ALIGN: usize = 64;
/// A large page, and the blocks that begin at one: with 4 KiB pages the walk of the page tables takes up to half the
/// time of a pass over memory.
const PAGE: usize = 2 << 20;
const LARGE: usize = 2 * PAGE;
/// Bytes that the cache keeps at most.
const CACHE_LIMIT: usize = 512 << 20;
/// Bytes that no system has, so that what is computed with sizes below cannot overflow.
const NOBODY_HAS: usize = isize::MAX as usize / 2;
/// Four classes per power of two, from 64 bytes up.
const CLASSES: usize = 4 * 58;

pub(crate) struct Buffer {
    ptr: NonNull<u8>,
    cap: usize,
    /// A buffer of a dry run: no bytes, and `ptr` leads nowhere.
    planned: Option<Box<Planned>>,
}
// SAFETY: a buffer owns its bytes; who may read or write them when is the lock protocol's business (`cell`).
unsafe impl Send for Buffer {}
// SAFETY: as above; a shared buffer hands out only a raw pointer.
unsafe impl Sync for Buffer {}

/// The system does not give so much memory. Nothing has changed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refused;

/// A cached block.
struct Free(NonNull<u8>);
// SAFETY: a free block belongs to nobody but the list that it lies in.
unsafe impl Send for Free {}

static FREE: [Mutex<Vec<Free>>; CLASSES] = [const { Mutex::new(Vec::new()) }; CLASSES];
/// What is taken from the system; the cache has what of it is not live.
static TAKEN: AtomicUsize = AtomicUsize::new(0);
static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);
static FRESH: AtomicUsize = AtomicUsize::new(0);

/// The class of a request and the bytes that a block of this class has.
fn class(bytes: usize) -> (usize, usize) {
    let b = bytes.max(64);
    let step = 1 << (b.ilog2() - 2);
    let cap = b.div_ceil(step) * step;
    let e = cap.ilog2() as usize;
    ((e - 6) * 4 + ((cap >> (e - 2)) & 3), cap)
}
fn list(class: usize) -> std::sync::MutexGuard<'static, Vec<Free>> {
    FREE[class].lock().unwrap_or_else(PoisonError::into_inner)
}
fn block(cap: usize) -> Layout {
    let align = if cap >= LARGE { PAGE } else { ALIGN };
    Layout::from_size_align(cap, align).expect("a size class is a valid layout")
}
/// A block of zeros from the system, if it gives one.
fn fresh(cap: usize) -> Option<NonNull<u8>> {
    // SAFETY: a class has at least 64 bytes.
    let ptr = NonNull::new(unsafe { alloc(block(cap)) })?;
    #[cfg(target_os = "linux")]
    if cap >= LARGE {
        // SAFETY: the block is ours and begins at a page. Where there are no large pages nothing happens.
        unsafe { libc::madvise(ptr.as_ptr().cast(), cap, libc::MADV_HUGEPAGE) };
    }
    // SAFETY: the block has `cap` bytes.
    unsafe { ptr.as_ptr().write_bytes(0, cap) };
    Some(ptr)
}

impl Buffer {
    /// A block of at least `bytes` bytes for results; they are initialised, to whatever was there last. In a dry run
    /// there are none.
    pub(crate) fn alloc(bytes: usize) -> Result<Buffer, Refused> {
        if !dry::planning() {
            return Buffer::room(bytes);
        }
        if bytes > NOBODY_HAS {
            return Err(Refused);
        }
        let (_, cap) = class(bytes);
        Ok(Buffer { ptr: NonNull::dangling(), cap, planned: Some(Planned::new(cap)) })
    }
    /// What stands in for `buffer` where a real run would write its results there.
    pub(crate) fn instead_of(buffer: Arc<Buffer>) -> Buffer {
        let cap = buffer.cap;
        Buffer { ptr: NonNull::dangling(), cap, planned: Some(Planned::instead_of(buffer)) }
    }
    /// Whether there are no bytes behind this buffer.
    #[inline]
    pub(crate) fn is_planned(&self) -> bool {
        self.planned.is_some()
    }
    /// A block of at least `bytes` bytes for what is given, in a dry run too.
    pub(crate) fn room(bytes: usize) -> Result<Buffer, Refused> {
        if bytes > NOBODY_HAS {
            return Err(Refused);
        }
        let (c, cap) = class(bytes);
        let cached = list(c).pop();
        let ptr = if let Some(Free(ptr)) = cached {
            ptr
        } else {
            let ptr = fresh(cap).or_else(|| {
                release();
                fresh(cap)
            });
            let ptr = ptr.ok_or(Refused)?;
            FRESH.fetch_add(cap, Relaxed);
            TAKEN.fetch_add(cap, Relaxed);
            ptr
        };
        dry::charge(cap as isize);
        let live = LIVE.fetch_add(cap, Relaxed) + cap;
        if live > PEAK.load(Relaxed) {
            PEAK.fetch_max(live, Relaxed);
        }
        Ok(Buffer { ptr, cap, planned: None })
    }
    /// Where the bytes are; nowhere, if [`Buffer::is_planned`].
    #[inline]
    pub(crate) fn ptr(&self) -> *mut u8 {
        self.ptr.as_ptr()
    }
    /// Copies `data` to the start.
    pub(crate) fn write<T: Element>(&mut self, data: &[T]) {
        assert!(size_of_val(data) <= self.cap && !self.is_planned(), "room for the data");
        // SAFETY: there is room, and the block is borrowed mutably, so the two do not overlap.
        unsafe { std::ptr::copy_nonoverlapping(data.as_ptr(), self.ptr().cast::<T>(), data.len()) }
    }
    /// `n` elements with these bits at the start.
    pub(crate) fn fill(&mut self, bits: u64, dtype: DType, n: usize) {
        assert!(n * dtype.size() <= self.cap && !self.is_planned(), "room for the elements");
        // SAFETY: there is room, and the block is borrowed mutably.
        unsafe { load::fill(self.ptr(), bits, dtype, n) }
    }
    /// Bytes of this block's class.
    #[inline]
    pub(crate) fn capacity(&self) -> usize {
        self.cap
    }
}
impl Drop for Buffer {
    fn drop(&mut self) {
        if self.is_planned() {
            return;
        }
        dry::charge(-(self.cap as isize));
        LIVE.fetch_sub(self.cap, Relaxed);
        if cached() <= CACHE_LIMIT {
            list(class(self.cap).0).push(Free(self.ptr));
            return;
        }
        TAKEN.fetch_sub(self.cap, Relaxed);
        // SAFETY: `ptr` came from `alloc` with this very layout and is dropped here once.
        unsafe { dealloc(self.ptr.as_ptr(), block(self.cap)) }
    }
}

/// Bytes of the cache; while other threads take and give back blocks, nearly.
fn cached() -> usize {
    TAKEN.load(Relaxed).saturating_sub(LIVE.load(Relaxed))
}
/// Gives every cached block back to the system.
pub(crate) fn release() {
    for c in 0..CLASSES {
        for Free(ptr) in std::mem::take(&mut *list(c)) {
            let cap = capacity_of(c);
            TAKEN.fetch_sub(cap, Relaxed);
            // SAFETY: blocks of class `c` were allocated with the layout of its capacity.
            unsafe { dealloc(ptr.as_ptr(), block(cap)) }
        }
    }
}
/// The inverse of [`class`].
fn capacity_of(class: usize) -> usize {
    let e = class / 4 + 6;
    (1 << e) + (class % 4) * (1 << (e - 2))
}
/// Live, peak, cached and freshly allocated bytes.
pub(crate) fn counters() -> [usize; 4] {
    [LIVE.load(Relaxed), PEAK.load(Relaxed), cached(), FRESH.load(Relaxed)]
}
/// Begins a new peak at what is live now.
pub(crate) fn reset_peak() {
    PEAK.store(LIVE.load(Relaxed), Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_tight_and_invertible() {
        for bytes in (0..5000).chain([1 << 20, (1 << 20) + 1, 3 << 30]) {
            let (c, cap) = class(bytes);
            assert!(cap >= bytes && (bytes < 64 || cap <= bytes + bytes / 4 + 1));
            assert_eq!((class(cap), capacity_of(c)), ((c, cap), cap));
        }
    }
}
