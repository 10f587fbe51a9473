//! What one run of a program works on: pointers to leaves, numbers, and where results go.
use super::graph::{Fate, Graph};
use crate::backend::backend;
use crate::buffer::Buffer;
use crate::call::{View as CallView, ViewMut};
use crate::cpu::load::{self, LINE};
use crate::cpu::run::BLOCK;
use crate::dry;
use crate::dtype::{DType, Number};
use crate::error::{Error, raise};
use crate::fuse::{Code, Item, Key, Level, NONE, Op, Place, Ref, Step, What};
use crate::layout::Layout;
use crate::memory;
use crate::ops::copy::contiguous;
use crate::scalar::Expr;
use crate::value::{Arg, Held, Kind, Pending, ROW_MAX, Space, Value, View, values};
use smallvec::{SmallVec, smallvec};
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{Ordering::Acquire, fence};

/// Elements from which a turned operand is laid out anew by tiles, rather than read across.
const TURNED: usize = 1 << 12;
/// Bytes of a result up to which a fresh block is better than a copy.
const FRESH: usize = 1 << 16;

/// A dense operand, read where it lies.
pub(crate) struct Leaf {
    pub(crate) base: *const u8,
    node: usize,
}
/// An operand that is gathered into registers.
pub(crate) struct Load {
    pub(crate) base: *const u8,
    pub(crate) layout: Layout,
    node: usize,
    level: Level,
}
/// A value that is written to memory.
pub(crate) struct Out {
    pub(crate) val: u32,
    pub(crate) base: *mut u8,
    /// Made in a register and copied right after the step that makes it: the memory is still an operand of that
    /// step, or the value is an operand itself.
    pub(crate) copy: bool,
    node: usize,
    buffer: Arc<Buffer>,
}
/// The result of a reduction that ends the program.
pub(crate) struct Sink {
    pub(crate) base: *mut u8,
    node: usize,
    buffer: Arc<Buffer>,
}
/// Everything that a run needs beside its code. The pointers live as long as the graph's locks.
pub(crate) struct Binding<'g> {
    pub(crate) space: Space,
    pub(crate) leaves: SmallVec<[Leaf; 8]>,
    pub(crate) loads: SmallVec<[Load; 4]>,
    pub(crate) numbers: SmallVec<[(u64, DType); 4]>,
    /// By definition.
    pub(crate) outs: SmallVec<[Out; 8]>,
    pub(crate) sinks: SmallVec<[Sink; 2]>,
    nodes: SmallVec<[usize; 16]>,
    /// Turned operands, laid out anew.
    copies: SmallVec<[(usize, Buffer); 1]>,
    life: PhantomData<&'g Value>,
}

impl<'g> Binding<'g> {
    /// Nothing yet.
    pub(super) fn new(space: Space) -> Binding<'g> {
        Binding {
            space,
            leaves: SmallVec::new(),
            loads: SmallVec::new(),
            numbers: SmallVec::new(),
            outs: SmallVec::new(),
            sinks: SmallVec::new(),
            nodes: SmallVec::new(),
            copies: SmallVec::new(),
            life: PhantomData,
        }
    }
    /// Notes leaves and numbers of the needed part of the graph, and gives its structure.
    #[track_caller]
    pub(super) fn read(&mut self, graph: &Graph<'g>) -> Key {
        let mut item_of: SmallVec<[u32; 32]> = smallvec![NONE; graph.nodes.len()];
        let mut items = SmallVec::with_capacity(graph.nodes.len());
        let mut args = SmallVec::with_capacity(2 * graph.nodes.len());
        for (i, node) in graph.nodes.iter().enumerate().rev() {
            let (Some(guard), true) = (&node.guard, node.needed) else { continue };
            let recipe = guard.recipe();
            let level = self.level(node.value, recipe);
            let mut at = node.operands.iter();
            for (k, a) in recipe.args.iter().enumerate() {
                args.push(match a {
                    Arg::Number(n) => self.given(recipe, k, *n),
                    Arg::Value(v) => {
                        let at = *at.next().expect("a position for each") as usize;
                        match item_of[at] {
                            NONE => self.ready(at, v, node.value, recipe, level),
                            item => Ref::Item(item),
                        }
                    }
                });
            }
            let arity = recipe.args.len() as u32;
            item_of[i] = items.len() as u32;
            self.nodes.push(i);
            let what = match &recipe.kind {
                Kind::Map { expr, out, compute } => {
                    What::Map(Arc::as_ptr(expr) as usize, *out as u32, *compute)
                }
                Kind::Cast => What::Cast,
                Kind::Same => What::Same,
                Kind::Fold { red, over } => What::Fold(*red, *over),
                Kind::Call(_) => unreachable!("a call was run before what reads it was made"),
            };
            let kept = node.fate == Fate::Written;
            items.push(Item { what, dtype: node.value.dtype, level, arity, kept });
        }
        Key { last: self.space.last, items, args }
    }
    /// As [`Binding::read`], of one value that an expression makes of values in memory; none if it is another one.
    #[track_caller]
    pub(super) fn read_alone(&mut self, value: &Value, recipe: &Pending) -> Option<Key> {
        let Kind::Map { expr, out, compute } = &recipe.kind else { return None };
        if value.numel != self.space.n || values(&recipe.args).any(|v| v.is_pending()) {
            return None;
        }
        let mut args = SmallVec::new();
        for (k, a) in recipe.args.iter().enumerate() {
            args.push(match a {
                Arg::Number(n) => self.given(recipe, k, *n),
                Arg::Value(v) => self.ready(place_of(&recipe.args, v), v, value, recipe, Level::Full),
            });
        }
        let what = What::Map(Arc::as_ptr(expr) as usize, *out as u32, *compute);
        let arity = args.len() as u32;
        let item = Item { what, dtype: value.dtype, level: Level::Full, arity, kept: true };
        Some(Key { last: self.space.last, items: smallvec![item], args })
    }
    /// The expressions of the items that are maps, in order.
    pub(super) fn expressions<'s>(&'s self, graph: &'s Graph<'_>) -> impl Iterator<Item = &'s Arc<Expr>> {
        self.nodes.iter().filter_map(|&i| match &graph.nodes[i].guard.as_ref()?.recipe().kind {
            Kind::Map { expr, .. } => Some(expr),
            _ => None,
        })
    }
    fn level_of(&self, numel: usize) -> Level {
        if numel == self.space.n { Level::Full } else { Level::Row }
    }
    /// The level at which a value is computed; that of its operand for a reduction.
    fn level(&self, value: &Value, recipe: &Pending) -> Level {
        match (&recipe.kind, &recipe.args[0]) {
            (Kind::Fold { .. }, Arg::Value(x)) => self.level_of(x.numel),
            _ => self.level_of(value.numel),
        }
    }
    /// The number that is operand `k`.
    fn given(&mut self, recipe: &Pending, k: usize, n: Number) -> Ref {
        let Kind::Map { expr, compute, .. } = &recipe.kind else { unreachable!("only maps have numbers") };
        let dtype = if expr.truths >> k & 1 == 1 { crate::dtype::Bool } else { compute.compute() };
        self.number(n.bits(dtype), dtype)
    }
    /// An operand outside the program, for a consumer of `value`'s shape.
    #[track_caller]
    fn ready(&mut self, node: usize, v: &Held, value: &Value, recipe: &Pending, level: Level) -> Ref {
        let view = v.cell.result().expect("an operand outside the program is ready");
        if view.buffer.is_planned() && !dry::planning() {
            dry::refuse("dry_run", v);
        }
        let shape = if matches!(recipe.kind, Kind::Fold { .. }) { &v.shape } else { &value.shape };
        self.leaf(node, v, view, shape, level)
    }
    /// Equal numbers share a register: those of an optimizer's formula over many parameters, say.
    fn number(&mut self, bits: u64, dtype: DType) -> Ref {
        let k = self.numbers.iter().position(|&n| n == (bits, dtype)).unwrap_or_else(|| {
            self.numbers.push((bits, dtype));
            self.numbers.len() - 1
        });
        Ref::Number(k as u32, dtype)
    }
    #[track_caller]
    fn leaf(&mut self, node: usize, v: &Held, view: &View, shape: &crate::shape::Shape, level: Level) -> Ref {
        let want = match level {
            Level::Full => self.space.n,
            Level::Row => self.space.n / self.space.last,
        };
        let (base, layout) = match view.layout.as_deref() {
            Some(l) if v.numel >= TURNED && l.is_turned(LINE / v.dtype.size()) && !l.is_broadcast() => {
                (self.copied(node, v), None)
            }
            l => (view.buffer.ptr().cast_const(), l),
        };
        let at = |offset: usize| base.wrapping_add(offset * v.dtype.size());
        if v.numel == 1 {
            let offset = layout.map_or(0, |l| l.offset);
            // SAFETY: the one element of a ready value.
            return self.number(unsafe { element(&view.buffer, at(offset), v.dtype) }, v.dtype);
        }
        let dense = v.numel == want && layout.is_none_or(Layout::is_dense);
        if dense {
            let k = self.leaves.iter().position(|l| l.node == node).unwrap_or_else(|| {
                let base = at(layout.map_or(0, |l| l.offset));
                self.leaves.push(Leaf { base, node });
                self.leaves.len() - 1
            });
            return Ref::Leaf(k as u32, level, v.dtype);
        }
        let own = layout.cloned().unwrap_or_else(|| Layout::dense(v.shape.clone()));
        let layout = if v.numel == want { own } else { own.broadcast_to(shape) }.collapsed();
        if layout.strides.iter().all(|&s| s == 0) {
            // SAFETY: the one element that this value repeats.
            return self.number(unsafe { element(&view.buffer, at(layout.offset), v.dtype) }, v.dtype);
        }
        let k = self
            .loads
            .iter()
            .position(|l| l.node == node && l.level == level && l.layout == layout)
            .unwrap_or_else(|| {
                self.loads.push(Load { base, layout, node, level });
                self.loads.len() - 1
            });
        let repeated = level == Level::Full && self.repeats(&self.loads[k].layout);
        if repeated { Ref::Repeated(k as u32, v.dtype) } else { Ref::Load(k as u32, level, v.dtype) }
    }
    /// Whether a full operand has the same elements in every block: its period divides a row where blocks are whole
    /// rows, else a block.
    fn repeats(&self, layout: &Layout) -> bool {
        let unit = match self.space.last {
            0 => BLOCK,
            last if last <= ROW_MAX => last,
            _ => return false,
        };
        let axes = || layout.shape.iter().zip(&layout.strides);
        let period: usize = axes().skip_while(|&(_, &stride)| stride == 0).map(|(&size, _)| size).product();
        period < self.space.n && unit.is_multiple_of(period)
    }
    /// A dense copy of an operand, made once.
    #[track_caller]
    fn copied(&mut self, node: usize, v: &Held) -> *const u8 {
        if let Some((_, buffer)) = self.copies.iter().find(|c| c.0 == node) {
            return buffer.ptr();
        }
        let Ok(mut buffer) = backend().allocate(memory::bytes(&v.shape, v.dtype)) else {
            raise(memory::refused("contiguous", v.dtype, &v.shape))
        };
        if !dry::planning() {
            let mut out = [ViewMut::of(&mut buffer, v.dtype, v.shape.clone())];
            backend().call(&contiguous(v.dtype), &[CallView::of(v)], &mut out);
        }
        self.copies.push((node, buffer));
        self.copies[self.copies.len() - 1].1.ptr()
    }

    /// Memory for everything that is written: a dying operand's where the sizes agree, else fresh.
    #[track_caller]
    pub(super) fn place_outputs(&mut self, graph: &Graph<'_>, code: &Code) {
        let mut order: SmallVec<[(u32, u32, usize); 16]> = SmallVec::new();
        for (item, &node) in self.nodes.iter().enumerate() {
            let val = code.of_item[item];
            if graph.nodes[node].fate == Fate::Written && val != NONE {
                order.push((code.vals[val as usize].def, val, node));
            }
        }
        // An early output takes an early-dying operand.
        order.sort_unstable();
        let alone = order.len() == 1;
        let mut dying = self.dying(graph, code);
        for (def, val, node) in order {
            let made = matches!(code.vals[val as usize].place, Place::Slot(_));
            if let Some(twin) = self.outs.iter().find(|o| o.val == val && made) {
                let (base, buffer) = (twin.base, twin.buffer.clone());
                let copy = twin.copy;
                self.outs.push(Out { val, base, copy, node, buffer });
                continue;
            }
            let value = graph.nodes[node].value;
            let bytes = memory::bytes(&value.shape, value.dtype);
            let fits = |d: &Dying| made && d.fits(value, def, alone && bytes <= FRESH);
            let reused = dying.iter().position(fits).map(|k| dying.swap_remove(k));
            memory::count_output(reused.is_some());
            let (copy, buffer) = match reused {
                Some(d) => (d.copied(def), taken_over(d.buffer)),
                None => (!made, fresh_of(graph, node)),
            };
            self.outs.push(Out { val, base: buffer.ptr(), copy, node, buffer });
        }
        self.place_sinks(graph, code);
    }
    #[track_caller]
    fn place_sinks(&mut self, graph: &Graph<'_>, code: &Code) {
        for s in &code.sinks {
            let node = self.nodes[s.item];
            let buffer = fresh_of(graph, node);
            memory::count_output(false);
            self.sinks.push(Sink { base: buffer.ptr(), node, buffer });
        }
    }
    /// Operands whose memory nobody will read after their last use here.
    fn dying(&self, graph: &Graph<'_>, code: &Code) -> SmallVec<[Dying; 8]> {
        // The last step that reads each leaf; none if a leaf is written out as it is.
        let mut last_use: SmallVec<[Option<u32>; 16]> = smallvec![Some(0); self.leaves.len()];
        for val in &code.vals {
            if let Place::Leaf(k) = val.place {
                let last = &mut last_use[k as usize];
                *last = last.map(|l| l.max(val.last_use));
            }
        }
        for (item, &node) in self.nodes.iter().enumerate() {
            if let Some(val) = code.vals.get(code.of_item[item] as usize)
                && let Place::Leaf(k) = val.place
                && graph.nodes[node].fate == Fate::Written
            {
                last_use[k as usize] = None;
            }
        }
        let leaves = self.leaves.iter().zip(last_use).enumerate();
        let dies = |leaf: &Leaf| graph.dies(leaf.node).then(|| graph.nodes[leaf.node].value);
        let found = leaves.filter_map(|(k, (leaf, last))| self.reusable(code, k, last?, || dies(leaf)));
        found.collect()
    }
    /// Leaf `k`, last read in step `last_use`, if its memory can be had once it `dies`.
    fn reusable<'v>(
        &self,
        code: &Code,
        k: usize,
        last_use: u32,
        dies: impl FnOnce() -> Option<&'v Value>,
    ) -> Option<Dying> {
        if self.loads.iter().any(|l| l.node == self.leaves[k].node) {
            return None;
        }
        let value = dies()?;
        let view = value.cell.result().expect("a leaf is ready");
        if view.layout.is_some() || Arc::strong_count(&view.buffer) != 1 {
            return None;
        }
        // The count is read without order: what other views of the buffer, now gone, have read is over after this.
        fence(Acquire);
        let onto = written_over(code, last_use, k as u32);
        let buffer = view.buffer.clone();
        Some(Dying { last_use, onto, numel: value.numel, size: value.dtype.size(), buffer })
    }
    /// As [`Binding::place_outputs`], for what [`Binding::read_alone`] has read.
    #[track_caller]
    pub(super) fn place_alone(&mut self, code: &Code, value: &Value, recipe: &Pending) {
        let val = code.of_item[0];
        let (def, made) =
            (code.vals[val as usize].def, matches!(code.vals[val as usize].place, Place::Slot(_)));
        let bytes = memory::bytes(&value.shape, value.dtype);
        let dies = |leaf: &Leaf| {
            let Arg::Value(v) = &recipe.args[leaf.node] else { unreachable!("a leaf is a value") };
            let uses = values(&recipe.args).filter(|w| w.is(v)).count();
            v.cell.only_held_by(uses).then_some(&**v)
        };
        let mut reused = None;
        for (k, leaf) in self.leaves.iter().enumerate().filter(|_| made) {
            let uses = code.vals.iter().filter(|val| val.place == Place::Leaf(k as u32));
            let last_use = uses.map(|val| val.last_use).max().unwrap_or(0);
            reused = self
                .reusable(code, k, last_use, || dies(leaf))
                .filter(|d| d.fits(value, def, bytes <= FRESH));
            if reused.is_some() {
                break;
            }
        }
        memory::count_output(reused.is_some());
        let (copy, buffer) = match reused {
            Some(d) => (d.copied(def), taken_over(d.buffer)),
            None => (!made, fresh(value, recipe)),
        };
        self.outs.push(Out { val, base: buffer.ptr(), copy, node: 0, buffer });
    }

    /// The memory of the one result.
    pub(super) fn result(&mut self) -> Arc<Buffer> {
        self.outs.pop().expect("placed").buffer
    }

    /// The error of a run without the memory that it takes beside operands and results, which only reductions do.
    #[track_caller]
    #[cold]
    pub(super) fn refused(&self, graph: &Graph<'_>) -> Error {
        let largest = self.sinks.iter().max_by_key(|s| operand(graph, s.node).map_or(0, |x| x.numel));
        let node = largest.map_or(self.nodes[0], |s| s.node);
        let Some(guard) = &graph.nodes[node].guard else { unreachable!("a result is locked") };
        let of = operand(graph, node).unwrap_or(graph.nodes[node].value);
        super::refused(of, guard.recipe())
    }
    /// Makes the results visible. What they were made of is to be dropped after the graph, which holds the locks.
    pub(super) fn publish(&mut self, graph: &mut Graph<'_>) -> SmallVec<[Pending; 8]> {
        let mut recipes: SmallVec<[Pending; 8]> = SmallVec::new();
        let outs = self.outs.drain(..).map(|o| (o.node, o.buffer));
        let sinks = self.sinks.drain(..).map(|s| (s.node, s.buffer));
        for (node, buffer) in outs.chain(sinks) {
            let guard = graph.nodes[node].guard.as_mut().expect("a result is locked");
            recipes.push(guard.publish(View::dense(buffer)));
        }
        graph.reprice();
        recipes
    }
}
/// What a value is computed of.
fn operand<'g>(graph: &'g Graph<'_>, node: usize) -> Option<&'g Value> {
    values(&graph.nodes[node].guard.as_ref()?.recipe().args).next().map(|x| &**x)
}
/// New memory for a value.
#[track_caller]
fn fresh(value: &Value, recipe: &Pending) -> Arc<Buffer> {
    match backend().allocate(memory::bytes(&value.shape, value.dtype)) {
        Ok(buffer) => Arc::new(buffer),
        Err(_) => raise(super::refused(value, recipe)),
    }
}
#[track_caller]
fn fresh_of(graph: &Graph<'_>, node: usize) -> Arc<Buffer> {
    let at = &graph.nodes[node];
    fresh(at.value, at.guard.as_ref().expect("a result is locked").recipe())
}
/// The first place of a value among operands.
fn place_of(args: &[Arg], v: &Held) -> usize {
    let is = |a: &Arg| matches!(a, Arg::Value(w) if w.is(v));
    args.iter().position(is).expect("one of the operands")
}
/// The bits of the element at `at` in `buffer`. In a dry run bits that no other number has, if it is not known.
///
/// # Safety
/// `at` is an element of this type in the buffer, if that has bytes.
unsafe fn element(buffer: &Buffer, at: *const u8, dtype: DType) -> u64 {
    if buffer.is_planned() {
        // Halves and single floats have 32 bits; as a double this is a NaN that no operation gives.
        return 0xfff1 << 48 | std::ptr::from_ref(buffer) as u64;
    }
    // SAFETY: the caller's promise.
    unsafe { load::element(at, dtype) }
}
/// The memory of a dying operand, for a result. A dry run leaves what is real alone.
fn taken_over(buffer: Arc<Buffer>) -> Arc<Buffer> {
    if dry::planning() && !buffer.is_planned() { Arc::new(Buffer::instead_of(buffer)) } else { buffer }
}
/// Whether the step that last reads a leaf may write its result there.
fn written_over(code: &Code, step: u32, leaf: u32) -> bool {
    let is_leaf = |v: u32| v != NONE && code.vals[v as usize].place == Place::Leaf(leaf);
    let onto = |s: &Step| is_leaf(s.s[2]) && !is_leaf(s.s[0]) && !is_leaf(s.s[1]);
    code.steps.get(step as usize).is_some_and(|s| matches!(s.op, Op::Pair(_)) && onto(s))
}
struct Dying {
    last_use: u32,
    /// Whether the step that last reads it may write there.
    onto: bool,
    numel: usize,
    size: usize,
    buffer: Arc<Buffer>,
}
impl Dying {
    /// Whether it holds elements of `value`, which step `def` makes, and not merely for a copy if those are `little`:
    /// where that is so, a block of its own is better for a single result.
    fn fits(&self, value: &Value, def: u32, little: bool) -> bool {
        let same = self.numel == value.numel && self.size == value.dtype.size();
        same && self.last_use <= def && !(little && self.copied(def))
    }
    /// Whether to take over what step `def` itself reads is to copy afterwards, since it may not write there.
    fn copied(&self, def: u32) -> bool {
        self.last_use == def && !self.onto
    }
}
