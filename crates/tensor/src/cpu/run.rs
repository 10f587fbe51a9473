//! Running a program on the CPU: block by block, each block through all steps while it lies in cache.
//!
//! Blocks follow logical order. Which thread runs which block changes nothing: elementwise work is per element,
//! and every reduction folds fixed chunks (`cpu::fold`) whose results are joined in a fixed order at the end.
use crate::buffer::{Buffer, Refused};
use crate::cpu::fold::{CHUNK, COLUMN_CHUNK};
use crate::cpu::load::{self, LINE};
use crate::cpu::pool;
use crate::fuse::{CONSTANT, Code, Level, NONE, Op, Place, SinkCode, Step};
use crate::plan::{Binding, Out};
use crate::value::Over;
use smallvec::SmallVec;
use std::cell::Cell;

/// Elements of a block, a multiple of [`CHUNK`]; in a program over rows the nearest number of whole rows. A program
/// with few registers takes several at once.
pub(crate) const BLOCK: usize = 512;
/// Bytes of registers, operands and results that may lie in the nearest cache.
const NEAREST: usize = 3 << 13;
/// Blocks at once, at most.
const MOST: usize = 8;
/// Element-steps below which another thread does not pay.
const SERIAL: usize = 1 << 16;
/// Bytes of operands and results that lie near the processor in any case.
const NEAR: usize = 1 << 20;

/// How the elements of a program are cut into blocks.
struct Walk {
    /// Blocks never cross the end of a segment.
    segment: usize,
    block: usize,
    per_segment: usize,
    blocks: usize,
    /// Rows of a block and their length, if the program has rows.
    rows: usize,
    last: usize,
}
impl Walk {
    fn of(code: &Code, outs: usize, n: usize, last: usize) -> Walk {
        let (segment, rows) = match last {
            0 => (n, 0),
            _ if code.by_rows => (n, power_below((BLOCK / last).clamp(1, (n / last).max(1)))),
            _ => (last, 0),
        };
        let block = if rows > 0 { rows * last } else { BLOCK * Walk::together(code, outs, n, segment) };
        let per_segment = segment.div_ceil(block);
        Walk { segment, block, per_segment, blocks: n / segment * per_segment, rows, last: last.max(1) }
    }
    /// How many blocks a program with few registers takes at once, for fewer steps: so many that segments, if there
    /// are several, hold a whole number, and that there is enough to share if it is shared.
    fn together(code: &Code, outs: usize, n: usize, segment: usize) -> usize {
        let alone = work(code, n) < 2 * SERIAL;
        // What moves is there twice where the next block is asked for early.
        let lines = code.slots as usize + if alone { 1 } else { 2 } * (code.leaves + outs);
        let fits = |count: &usize| {
            let block = count * BLOCK;
            lines * block * code.width <= NEAREST
                && (segment == n || segment.is_multiple_of(block))
                && (alone || block * 16 <= n)
        };
        (1..=MOST).rev().filter(|c| c.is_power_of_two()).find(fits).unwrap_or(1)
    }
    /// First element and length of block `b`.
    fn at(&self, b: usize) -> (usize, usize) {
        let (s, k) = (b / self.per_segment, b % self.per_segment);
        let within = k * self.block;
        (s * self.segment + within, self.block.min(self.segment - within))
    }
    /// Blocks that must stay together so that no chunk of a column sink is shared by two tasks.
    fn unit(&self, code: &Code) -> usize {
        let aligned = |s: &SinkCode| match (s.over, s.level) {
            (Over::Columns { outer: 1, inner, .. }, Level::Full) => Some(COLUMN_CHUNK * inner),
            (Over::Columns { len, inner, .. }, Level::Full) => Some(len * inner),
            _ => None,
        };
        if self.segment != self.block * self.per_segment
            && code.sinks.iter().any(|s| aligned(s).is_some())
            && self.blocks > self.per_segment
        {
            return self.blocks; // segments of odd length under column sinks: one task
        }
        let elements = code.sinks.iter().filter_map(aligned).fold(self.block, lcm);
        (elements / self.block).clamp(1, self.blocks.max(1))
    }
}
/// Element-steps of a program.
fn work(code: &Code, n: usize) -> usize {
    n.saturating_mul(code.steps.len() + 1)
}
fn power_below(n: usize) -> usize {
    1 << n.ilog2()
}
fn lcm(a: usize, b: usize) -> usize {
    let (mut x, mut y) = (a, b);
    while y != 0 {
        (x, y) = (y, x % y);
    }
    (a / x).saturating_mul(b)
}

/// Where a sink collects what blocks give.
struct Gather {
    /// Partial results, or the operand's row values.
    buffer: Option<Buffer>,
    base: *mut u8,
    /// Room for partial results of the row values.
    partials: Option<Buffer>,
}
/// A run: shared by the threads that take its tasks.
struct Run<'a> {
    code: &'a Code,
    bound: &'a Binding<'a>,
    walk: Walk,
    gathers: SmallVec<[Gather; 2]>,
    /// Whether operands and results come from memory and go there, not from and to a cache.
    far: bool,
    /// Outputs by the step after which they are copied.
    copies: SmallVec<[(u32, &'a Out); 4]>,
}
// SAFETY: tasks write disjoint blocks of the outputs and disjoint chunks of the gathers, and only read the rest.
unsafe impl Sync for Run<'_> {}

/// Runs `code` over `bound`. All memory is taken before anything is written: a result may lie in an operand's.
pub(crate) fn run(code: &Code, bound: &Binding<'_>) -> Result<(), Refused> {
    let (n, last) = (bound.space.n, bound.space.last);
    let walk = Walk::of(code, bound.outs.len(), n, last);
    let gathers: Result<_, _> = code.sinks.iter().enumerate().map(|(k, s)| gather(s, bound, k)).collect();
    let gathers = gathers?;
    let mut copies: SmallVec<[(u32, &Out); 4]> =
        bound.outs.iter().filter(|o| o.copy).map(|o| (code.vals[o.val as usize].def, o)).collect();
    copies.sort_unstable_by_key(|c| c.0);
    let written: usize = bound.outs.iter().map(|o| code.vals[o.val as usize].dtype.size()).sum();
    let run = Run { code, bound, walk, gathers, far: (code.read + written).saturating_mul(n) > NEAR, copies };
    let unit = run.walk.unit(code);
    let units = run.walk.blocks.div_ceil(unit);
    let tasks = (work(code, n) / SERIAL).clamp(1, 4 * pool::threads()).min(units);
    pool::parallel(tasks, &|t| {
        let (from, to) = (t * units / tasks * unit, ((t + 1) * units / tasks * unit).min(run.walk.blocks));
        run.task(from, to);
    });
    for (k, s) in code.sinks.iter().enumerate() {
        run.finish(k, s);
    }
    Ok(())
}
/// Takes the memory that [`run`] takes for its sinks, and gives it back in the same order.
pub(crate) fn rehearse(code: &Code, bound: &Binding<'_>) -> Result<(), Refused> {
    type Rooms = SmallVec<[(Option<Buffer>, Option<Buffer>); 2]>;
    let rooms: Result<Rooms, Refused> =
        code.sinks.iter().map(|s| Ok((room(s, bound)?, partial_room(s)?))).collect();
    rooms.map(drop)
}
/// Chunks of one group of a column sink.
fn column_chunks(len: usize) -> usize {
    len.div_ceil(COLUMN_CHUNK)
}
/// Elements that a sink collects.
fn gathered(s: &SinkCode, bound: &Binding<'_>) -> usize {
    let (n, last) = (bound.space.n, bound.space.last);
    match (s.level, s.over) {
        (Level::Row, _) => n / last,
        (_, Over::Rows(len)) => n / len * len.div_ceil(CHUNK),
        (_, Over::Columns { outer, len, inner }) => outer * column_chunks(len) * inner,
    }
}
/// Memory for a number of elements.
fn elements(count: usize, s: &SinkCode) -> Result<Buffer, Refused> {
    Buffer::alloc(count.saturating_mul(s.dtype.size()))
}
/// Memory for these, unless they are the result.
fn room(s: &SinkCode, bound: &Binding<'_>) -> Result<Option<Buffer>, Refused> {
    let direct = matches!((s.level, s.over), (Level::Full, Over::Columns { len, .. }) if len <= COLUMN_CHUNK);
    (!direct).then(|| elements(gathered(s, bound), s)).transpose()
}
/// Partial results of the columns of row values.
fn partial_count(s: &SinkCode) -> Option<usize> {
    match (s.level, s.over) {
        (Level::Row, Over::Columns { outer, len, inner }) => Some(outer * column_chunks(len) * inner),
        _ => None,
    }
}
/// Memory for these.
fn partial_room(s: &SinkCode) -> Result<Option<Buffer>, Refused> {
    partial_count(s).map(|count| elements(count, s)).transpose()
}
fn gather(s: &SinkCode, bound: &Binding<'_>, k: usize) -> Result<Gather, Refused> {
    let (buffer, partials) = (room(s, bound)?, partial_room(s)?);
    let base = buffer.as_ref().map_or(bound.sinks[k].base, Buffer::ptr);
    if s.level == Level::Full && matches!(s.over, Over::Columns { .. }) {
        // SAFETY: the buffer has room for them, and no task runs yet.
        unsafe { load::fill(base, s.fold.identity, s.dtype, gathered(s, bound)) };
    }
    Ok(Gather { buffer, base, partials })
}

/// Pointers of one block.
struct Block<'a> {
    at: &'a [*mut u8],
    start: usize,
    len: usize,
    row: usize,
    rows: usize,
}
impl Block<'_> {
    fn ptr(&self, v: u32) -> *mut u8 {
        if v == NONE { std::ptr::null_mut() } else { self.at[v as usize] }
    }
    /// First element and count at a level.
    fn span(&self, level: Level) -> (usize, usize) {
        if level == Level::Row { (self.row, self.rows) } else { (self.start, self.len) }
    }
}
/// A value that lies in memory: its address moves from block to block.
struct Moving {
    val: u32,
    base: *mut u8,
    size: usize,
    level: Level,
}

/// The next block's memory, asked for bit by bit while this one is computed: the loops of one step are too short for
/// the processor to look past them, so each would wait for its first reads and writes.
struct Ahead {
    /// Value, offset from its place in this block and number of lines; for each step those up to its end.
    runs: SmallVec<[(u32, usize, usize); 32]>,
    ends: SmallVec<[u32; 32]>,
}
impl Ahead {
    /// Shares out the lines of the next block of `block` elements: a few of every value with each of so many steps.
    /// As many of one value after the other take twice as long.
    fn new(moving: &[Moving], block: usize, steps: usize) -> Ahead {
        let (mut runs, mut ends) = (SmallVec::new(), SmallVec::new());
        for i in 0..steps {
            for m in moving.iter().filter(|m| m.level == Level::Full) {
                let lines = block * m.size / LINE;
                let part = i * lines / steps..(i + 1) * lines / steps;
                if !part.is_empty() {
                    runs.push((m.val, block * m.size + part.start * LINE, part.len()));
                }
            }
            ends.push(runs.len() as u32);
        }
        Ahead { runs, ends }
    }
    /// The share that goes with step `i`.
    #[inline]
    fn fetch(&self, i: usize, at: &[*mut u8]) {
        let first = if i == 0 { 0 } else { self.ends[i - 1] };
        for &(val, offset, count) in &self.runs[first as usize..self.ends[i] as usize] {
            let next = at[val as usize].wrapping_add(offset);
            for k in 0..count {
                load::prefetch(next.wrapping_add(k * LINE));
            }
        }
    }
}
impl Run<'_> {
    fn task(&self, from: usize, to: usize) {
        let register = (self.walk.block.min(self.bound.space.n) * self.code.width).next_multiple_of(64);
        with_scratch(register * self.code.slots as usize, |scratch| {
            let (mut at, mut moving) = (SmallVec::new(), SmallVec::new());
            self.places(scratch, register, &mut at, &mut moving);
            let ahead = (self.far && self.code.steps.len() > 1)
                .then(|| Ahead::new(&moving, self.walk.block, self.code.steps.len()));
            for b in from..to {
                let (start, len) = self.walk.at(b);
                let (row, rows) =
                    if self.walk.rows > 0 { (start / self.walk.last, len / self.walk.last) } else { (0, 0) };
                for m in &moving {
                    let first = if m.level == Level::Row { row } else { start };
                    at[m.val as usize] = m.base.wrapping_add(first * m.size);
                }
                self.block(&Block { at: &at, start, len, row, rows }, ahead.as_ref());
            }
        });
    }
    /// Where each value of a block lies, and which of them move.
    fn places(
        &self,
        scratch: *mut u8,
        register: usize,
        at: &mut SmallVec<[*mut u8; 64]>,
        moving: &mut SmallVec<[Moving; 16]>,
    ) {
        let slot = |k: u32| scratch.wrapping_add(k as usize * register);
        for (i, v) in self.code.vals.iter().enumerate() {
            at.push(match v.place {
                Place::Slot(k) => slot(k),
                Place::Number { k, slot: s } => {
                    let constant = self.code.constants.get((k & !CONSTANT) as usize);
                    let bits = if k & CONSTANT == 0 {
                        self.bound.numbers[k as usize].0
                    } else {
                        constant.expect("in the code").0
                    };
                    // SAFETY: a register has room for a block of this type.
                    unsafe { load::fill(slot(s), bits, v.dtype, self.walk.block.min(self.bound.space.n)) };
                    slot(s)
                }
                Place::Repeated { k, slot: s } => {
                    let l = &self.bound.loads[k as usize];
                    let n = self.walk.block.min(self.bound.space.n);
                    // SAFETY: the layout's offsets are elements of the leaf, and a register has room for a block.
                    unsafe { load::gather(l.base, &l.layout, 0, n, slot(s), v.dtype) }
                    slot(s)
                }
                Place::Leaf(k) => {
                    let base = self.bound.leaves[k as usize].base.cast_mut();
                    moving.push(Moving { val: i as u32, base, size: v.dtype.size(), level: v.level });
                    base
                }
            });
        }
        for o in self.bound.outs.iter().filter(|o| !o.copy) {
            let v = &self.code.vals[o.val as usize];
            moving.push(Moving { val: o.val, base: o.base, size: v.dtype.size(), level: v.level });
        }
    }
    fn block(&self, b: &Block<'_>, ahead: Option<&Ahead>) {
        let mut copies = self.copies.iter().peekable();
        for (i, step) in self.code.steps.iter().enumerate() {
            self.step(step, b);
            if let Some(ahead) = ahead {
                ahead.fetch(i, b.at);
            }
            while let Some((_, out)) = copies.next_if(|c| c.0 == i as u32) {
                self.copy(out, b);
            }
        }
        copies.for_each(|(_, out)| self.copy(out, b));
    }
    #[inline]
    fn step(&self, s: &Step, b: &Block<'_>) {
        let (start, n) = b.span(s.level);
        let (d, x) = (b.ptr(s.d), b.ptr(s.s[0]));
        match s.op {
            // SAFETY: every place holds `n` elements of its value's type, which the kernel was picked for, and the
            // destination is no operand's place (`Compiler::allocate`; donated memory is written by `copy`), but for the
            // last of a pair's.
            Op::Map(f) | Op::Pair(f) => unsafe { f(d, x, b.ptr(s.s[1]), b.ptr(s.s[2]), n) },
            Op::Load(k) => {
                let l = &self.bound.loads[k as usize];
                let dtype = self.code.vals[s.d as usize].dtype;
                // SAFETY: the layout's offsets are elements of the leaf, and a register has room for a block.
                unsafe { load::gather(l.base, &l.layout, start, n, d, dtype) }
            }
            // SAFETY: `rows` row values over a full block.
            Op::Spread(f) => unsafe { f(x, d, b.rows, self.walk.last) },
            // SAFETY: as for maps, of a full block of `rows` rows and a row value for each.
            Op::ByRow(f) => unsafe { f(d, x, b.ptr(s.s[1]), b.rows, self.walk.last) },
            // SAFETY: a full block of `rows` rows, and room for a row value each.
            Op::Rows(f) => unsafe { f.rows(x, b.rows, self.walk.last, d) },
            Op::Sink(k) => self.sink(k as usize, x, b),
        }
    }
    fn copy(&self, out: &Out, b: &Block<'_>) {
        let v = &self.code.vals[out.val as usize];
        let (start, n) = b.span(v.level);
        let size = v.dtype.size();
        let d = out.base.wrapping_add(start * size);
        // SAFETY: the output has room for every element of the program, and a value in a register, a number's
        // register or a leaf is never the output's own memory: a donated leaf only passes through a register.
        unsafe { std::ptr::copy_nonoverlapping(b.ptr(out.val), d, n * size) }
    }
    fn sink(&self, k: usize, x: *const u8, b: &Block<'_>) {
        let s = &self.code.sinks[k];
        let (base, size) = (self.gathers[k].base, s.dtype.size());
        match (s.level, s.over) {
            // SAFETY: row values of this block, into their places of the gathered whole.
            (Level::Row, _) => unsafe {
                std::ptr::copy_nonoverlapping(x, base.wrapping_add(b.row * size), b.rows * size);
            },
            (_, Over::Rows(len)) => {
                let chunk = b.start / len * len.div_ceil(CHUNK) + b.start % len / CHUNK;
                // SAFETY: blocks are whole chunks of a segment; the gather has a place for each.
                unsafe { s.fold.chunks(x, b.len, base.wrapping_add(chunk * size), self.far) }
            }
            (_, Over::Columns { len, inner, .. }) => columns(s, base, x, b.start, b.len, len, inner),
        }
    }
    /// Joins what the blocks gave.
    fn finish(&self, k: usize, s: &SinkCode) {
        let (from, to) = (&self.gathers[k], &self.bound.sinks[k]);
        let Some(_) = from.buffer else { return };
        let n = if s.level == Level::Row {
            self.bound.space.n / self.bound.space.last
        } else {
            self.bound.space.n
        };
        match (s.level, s.over) {
            // SAFETY: `n` gathered row values, as rows of `len`.
            (Level::Row, Over::Rows(len)) => unsafe { s.fold.rows(from.base, n / len, len, to.base) },
            (Level::Row, Over::Columns { outer, len, inner }) => {
                let (Some(chunks), Some(partials)) = (partial_count(s), &from.partials) else { return };
                // SAFETY: room for a vector per chunk, which nobody else uses.
                unsafe { load::fill(partials.ptr(), s.fold.identity, s.dtype, chunks) };
                columns(s, partials.ptr(), from.base, 0, n, len, inner);
                join(s, partials.ptr(), to.base, outer, column_chunks(len), inner);
            }
            (_, Over::Rows(len)) => join(s, from.base, to.base, n / len, len.div_ceil(CHUNK), 1),
            (_, Over::Columns { outer, len, inner }) => {
                join(s, from.base, to.base, outer, column_chunks(len), inner);
            }
        }
    }
}
/// Folds elements `start..start + n` of `[outer, len, inner]` into the vectors of their chunks.
fn columns(s: &SinkCode, base: *mut u8, x: *const u8, start: usize, n: usize, len: usize, inner: usize) {
    let size = s.dtype.size();
    let chunks = column_chunks(len);
    let (group, within) = (start / (len * inner), start % (len * inner));
    let (mut group, mut row, mut column) = (group, within / inner, within % inner);
    let mut done = 0;
    while done < n {
        let acc = base.wrapping_add(((group * chunks + row / COLUMN_CHUNK) * inner + column) * size);
        let x = x.wrapping_add(done * size);
        let left = n - done;
        let (rows, width) = if column > 0 || left < inner {
            (1, (inner - column).min(left))
        } else {
            ((left / inner).min(COLUMN_CHUNK - row % COLUMN_CHUNK).min(len - row), inner)
        };
        // SAFETY: `rows` rows (or a part of one) of the operand, and the accumulators of their chunk, which belongs
        // to one task.
        unsafe { (s.fold.columns)(acc, x, rows, width) };
        done += rows * width;
        column += width;
        if column >= inner {
            (row, column) = (row + rows, 0);
        }
        if row == len {
            (group, row) = (group + 1, 0);
        }
    }
}
/// Joins `count` vectors of `inner` elements for each of `groups` results.
fn join(s: &SinkCode, partials: *mut u8, out: *mut u8, groups: usize, count: usize, inner: usize) {
    let bytes = inner * s.dtype.size();
    for g in 0..groups {
        let p = partials.wrapping_add(g * count * bytes);
        // SAFETY: the group's vectors, which no task uses any more.
        unsafe { (s.fold.join)(p, count, inner) };
        // SAFETY: the first vector, into the result's place.
        unsafe { std::ptr::copy_nonoverlapping(p, out.wrapping_add(g * bytes), bytes) };
    }
}

thread_local! { static SCRATCH: Cell<Vec<u64>> = const { Cell::new(vec![]) }; }
/// A scratch area of this thread, 64-byte aligned.
fn with_scratch(bytes: usize, f: impl FnOnce(*mut u8)) {
    let mut v = SCRATCH.take();
    if v.len() * 8 < bytes + 64 {
        v = vec![0; bytes / 8 + 16];
    }
    let p = v.as_mut_ptr().cast::<u8>();
    f(p.wrapping_add(p.align_offset(64)));
    SCRATCH.set(v);
}
