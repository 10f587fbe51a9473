//! Programs: block operations in order, and where each of their values lives.
//!
//! [`compile`] turns a structure (a [`Key`]: needed values, producers first, their operands by position) into
//! straight-line [`Code`]. Code depends on the structure and on what is written out, not on numbers or pointers, so
//! [`lookup`] keeps it: a training step plans its programs once.
use crate::cpu::fold::{Fold, Red};
use crate::cpu::load::{self, SpreadFn};
use crate::cpu::map::{self, BlockFn};
use crate::cpu::pair::{Basic, RowFn};
use crate::dtype::{Bool, DType};
use crate::elementwise::Class;
use crate::scalar::{Expr, Ins, OpRef};
use crate::value::{Over, ROW_MAX};
use smallvec::SmallVec;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};

mod join;

/// Whether a value has one element per element of the program, or one per row.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Level {
    Full,
    Row,
}
/// A value of a program.
#[derive(Debug)]
pub(crate) struct Val {
    pub(crate) level: Level,
    pub(crate) dtype: DType,
    pub(crate) place: Place,
    /// The step that makes it.
    pub(crate) def: u32,
    /// The last step that reads it.
    pub(crate) last_use: u32,
}
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    /// A scratch register.
    Slot(u32),
    /// Number `k` of the binding (or of the code: [`CONSTANT`]), in register `slot`, filled once.
    Number { k: u32, slot: u32 },
    /// Dense leaf `k` of the binding, read where it lies.
    Leaf(u32),
    /// Strided leaf `k` of the binding, which is the same in every block, in register `slot`, filled once.
    Repeated { k: u32, slot: u32 },
}
#[derive(Clone, Copy)]
pub(crate) enum Op {
    Map(BlockFn),
    /// Two basic operations; the result may lie where the last operand does.
    Pair(BlockFn),
    /// Strided leaf `k` of the binding, into a register.
    Load(u32),
    /// A row value over its rows.
    Spread(SpreadFn),
    /// A basic operation of a full operand and a row value.
    ByRow(RowFn),
    /// A reduction along the rows of the block.
    Rows(Fold),
    /// Sink `k`.
    Sink(u32),
}
pub(crate) struct Step {
    pub(crate) op: Op,
    pub(crate) level: Level,
    /// [`NONE`] for a sink.
    pub(crate) d: u32,
    pub(crate) s: [u32; 3],
}
/// A reduction that ends the program.
pub(crate) struct SinkCode {
    /// The item that it is, for the binding to find its value.
    pub(crate) item: usize,
    pub(crate) fold: Fold,
    pub(crate) dtype: DType,
    pub(crate) level: Level,
    pub(crate) over: Over,
}
pub(crate) const NONE: u32 = u32::MAX;
pub(crate) struct Code {
    pub(crate) vals: Vec<Val>,
    pub(crate) steps: Vec<Step>,
    pub(crate) sinks: Vec<SinkCode>,
    /// The value of each item, [`NONE`] for sinks.
    pub(crate) of_item: Vec<u32>,
    pub(crate) constants: Vec<(u64, DType)>,
    pub(crate) slots: u32,
    /// Whether blocks hold whole rows.
    pub(crate) by_rows: bool,
    /// Bytes of the widest element.
    pub(crate) width: usize,
    /// How many dense leaves it reads, and the bytes that those with an element for each of the program's take for one.
    pub(crate) leaves: usize,
    pub(crate) read: usize,
    /// The key holds addresses of these.
    _expressions: Vec<Arc<Expr>>,
}

/// One needed value of the graph, producers first.
#[derive(PartialEq, Eq, Clone, Copy)]
pub(crate) struct Item {
    pub(crate) what: What,
    pub(crate) dtype: DType,
    pub(crate) level: Level,
    /// How many of the key's operands are its.
    pub(crate) arity: u32,
    /// Whether it is wanted in memory.
    pub(crate) kept: bool,
}
#[derive(PartialEq, Eq, Clone, Copy)]
pub(crate) enum What {
    /// The expression's address, output, and the type that it computes in.
    Map(usize, u32, DType),
    Cast,
    Same,
    Fold(Red, Over),
}
/// An operand of an item.
#[derive(PartialEq, Eq, Hash, Clone, Copy)]
pub(crate) enum Ref {
    Item(u32),
    /// A dense leaf, its level and type.
    Leaf(u32, Level, DType),
    Load(u32, Level, DType),
    /// A strided leaf whose elements repeat from block to block.
    Repeated(u32, DType),
    /// Number `k` of the binding, as this type.
    Number(u32, DType),
}
#[derive(PartialEq, Eq, Clone)]
pub(crate) struct Key {
    pub(crate) last: usize,
    pub(crate) items: SmallVec<[Item; 8]>,
    /// The operands of all items, one after the other.
    pub(crate) args: SmallVec<[Ref; 16]>,
}
/// A word per item and per operand: the hash of a program is taken at every run.
impl Hash for Key {
    fn hash<H: Hasher>(&self, h: &mut H) {
        h.write_usize(self.last);
        for i in &self.items {
            let kind = match i.what {
                What::Map(expr, out, compute) => (expr as u64) << 8 ^ u64::from(out) << 4 ^ compute as u64,
                What::Cast => 1,
                What::Same => 2,
                What::Fold(red, Over::Rows(len)) => (len as u64) << 8 ^ (red as u64) << 4 ^ 3,
                What::Fold(red, Over::Columns { len, inner, .. }) => {
                    (len as u64) << 32 ^ (inner as u64) << 8 ^ (red as u64) << 4 ^ 4
                }
            };
            h.write_u64(
                kind.rotate_left(8) ^ (i.dtype as u64) << 4 ^ u64::from(i.kept) << 3 ^ i.level as u64,
            );
        }
        for &r in &self.args {
            h.write_u64(match r {
                Ref::Item(k) => u64::from(k) << 8,
                Ref::Leaf(k, level, dtype) => {
                    u64::from(k) << 8 ^ (dtype as u64) << 4 ^ (level as u64) << 2 ^ 1
                }
                Ref::Load(k, level, dtype) => {
                    u64::from(k) << 8 ^ (dtype as u64) << 4 ^ (level as u64) << 2 ^ 2
                }
                Ref::Number(k, dtype) => u64::from(k) << 8 ^ (dtype as u64) << 4 ^ 3,
                Ref::Repeated(k, dtype) => u64::from(k) << 8 ^ (dtype as u64) << 4 ^ 7,
            });
        }
    }
}

/// A fast hash for keys; they are made by this program, not by an adversary.
#[derive(Default)]
pub(crate) struct Mix(u64);
impl Hasher for Mix {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for &b in bytes {
            self.write_u64(u64::from(b));
        }
    }
    fn write_u8(&mut self, v: u8) {
        self.write_u64(u64::from(v));
    }
    fn write_u32(&mut self, v: u32) {
        self.write_u64(u64::from(v));
    }
    fn write_usize(&mut self, v: usize) {
        self.write_u64(v as u64);
    }
    fn write_isize(&mut self, v: isize) {
        self.write_u64(v as u64);
    }
    fn write_u64(&mut self, v: u64) {
        self.0 = (self.0.rotate_left(5) ^ v).wrapping_mul(0x517c_c1b7_2722_0a95);
    }
}

type Cache = HashMap<Key, Arc<Code>, BuildHasherDefault<Mix>>;
static CACHE: Mutex<Option<Cache>> = Mutex::new(None);
/// Programs that are kept; past this the cache starts anew.
const MOST: usize = 2048;

/// The code for this structure.
pub(crate) fn lookup<'e>(key: &Key, expressions: impl Iterator<Item = &'e Arc<Expr>>) -> Arc<Code> {
    let cache = || CACHE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(code) = cache().get_or_insert_with(Cache::default).get(key) {
        return code.clone();
    }
    let code = Arc::new(compile(key, expressions));
    let mut cache = cache();
    let cache = cache.get_or_insert_with(Cache::default);
    if cache.len() >= MOST {
        cache.clear();
    }
    cache.insert(key.clone(), code.clone());
    code
}
/// Forgets every program.
pub(crate) fn clear() {
    *CACHE.lock().unwrap_or_else(PoisonError::into_inner) = None;
}

/// `expressions` are those of the key's maps, in order.
fn compile<'e>(key: &Key, mut expressions: impl Iterator<Item = &'e Arc<Expr>>) -> Code {
    let mut c = Compiler { last: key.last, ..Compiler::default() };
    let mut rest = &key.args[..];
    for (i, item) in key.items.iter().enumerate() {
        let (args, after) = rest.split_at(item.arity as usize);
        rest = after;
        let v = match item.what {
            What::Map(_, out, compute) => {
                let expr = expressions.next().expect("an expression for each map");
                c.expressions.push(expr.clone());
                let v = c.inline(expr, out as usize, compute, args, item.level);
                c.cast(v, item.dtype)
            }
            What::Cast | What::Same => {
                let v = c.operand(args[0], item.level);
                c.cast(v, item.dtype)
            }
            What::Fold(red, over) => c.fold(i, item, args[0], red, over),
        };
        c.of_item.push(v);
    }
    let mut kept = vec![false; c.vals.len()];
    for (item, &v) in key.items.iter().zip(&c.of_item).filter(|(_, v)| **v != NONE) {
        kept[v as usize] |= item.kept;
    }
    c.join(&kept);
    c.finish()
}

#[derive(Default)]
struct Compiler {
    last: usize,
    vals: Vec<Val>,
    steps: Vec<Step>,
    sinks: Vec<SinkCode>,
    of_item: Vec<u32>,
    /// Values that leaves, loads and numbers have already.
    refs: HashMap<(Ref, Level), u32, BuildHasherDefault<Mix>>,
    /// Common subexpressions.
    known: HashMap<(OpRef, [u32; 3]), u32, BuildHasherDefault<Mix>>,
    spread: HashMap<u32, u32, BuildHasherDefault<Mix>>,
    /// The values that basic operations of floats make.
    basics: HashMap<u32, Basic, BuildHasherDefault<Mix>>,
    constants: Vec<(u64, DType)>,
    expressions: Vec<Arc<Expr>>,
}
impl Compiler {
    fn val(&mut self, level: Level, dtype: DType, place: Place) -> u32 {
        self.vals.push(Val { level, dtype, place, def: 0, last_use: 0 });
        self.vals.len() as u32 - 1
    }
    fn step(&mut self, op: Op, level: Level, dtype: DType, s: [u32; 3]) -> u32 {
        let out = if matches!(op, Op::Rows(_)) { Level::Row } else { level };
        let d = self.val(out, dtype, Place::Slot(0));
        self.steps.push(Step { op, level, d, s });
        d
    }
    fn cast(&mut self, v: u32, dtype: DType) -> u32 {
        let (from, level) = (self.vals[v as usize].dtype, self.vals[v as usize].level);
        if from == dtype {
            v
        } else {
            self.step(Op::Map(map::cast(from, dtype)), level, dtype, [v, NONE, NONE])
        }
    }
    /// An operand at `level`, as it is.
    fn operand(&mut self, r: Ref, level: Level) -> u32 {
        let v = match r {
            Ref::Item(k) => self.of_item[k as usize],
            _ => match self.refs.get(&(r, level)) {
                Some(&v) => v,
                None => {
                    let v = match r {
                        Ref::Leaf(k, level, dtype) => self.val(level, dtype, Place::Leaf(k)),
                        Ref::Load(k, level, dtype) => self.step(Op::Load(k), level, dtype, [NONE; 3]),
                        Ref::Repeated(k, dtype) => {
                            self.val(Level::Full, dtype, Place::Repeated { k, slot: 0 })
                        }
                        Ref::Number(k, dtype) => self.val(level, dtype, Place::Number { k, slot: 0 }),
                        Ref::Item(_) => unreachable!("handled above"),
                    };
                    self.refs.insert((r, level), v);
                    v
                }
            },
        };
        if self.vals[v as usize].level == level || level == Level::Row {
            return v;
        }
        if let Some(&full) = self.spread.get(&v) {
            return full;
        }
        let dtype = self.vals[v as usize].dtype;
        let full = self.step(Op::Spread(load::spread(dtype)), Level::Full, dtype, [v, NONE, NONE]);
        self.spread.insert(v, full);
        full
    }
    fn fold(&mut self, i: usize, item: &Item, arg: Ref, red: Red, over: Over) -> u32 {
        let s = self.operand(arg, item.level);
        let fold = red.fold(item.dtype);
        if let Over::Rows(len) = over
            && item.level == Level::Full
            && len <= ROW_MAX
        {
            return self.step(Op::Rows(fold), Level::Full, item.dtype, [s, NONE, NONE]);
        }
        let k = self.sinks.len() as u32;
        self.sinks.push(SinkCode { item: i, fold, dtype: item.dtype, level: item.level, over });
        self.steps.push(Step { op: Op::Sink(k), level: item.level, d: NONE, s: [s, NONE, NONE] });
        NONE
    }
    /// The instructions of one output of an expression; half types are computed in `F32`.
    fn inline(&mut self, expr: &Expr, out: usize, compute: DType, args: &[Ref], level: Level) -> u32 {
        let within = compute.compute();
        let mut live = vec![false; expr.code.len()];
        live[expr.outs[out] as usize] = true;
        for (j, ins) in expr.code.iter().enumerate().rev() {
            if live[j] {
                for &k in ins.operands() {
                    live[k as usize] = true;
                }
            }
        }
        let mut v = vec![NONE; expr.code.len()];
        for (j, ins) in expr.code.iter().enumerate() {
            if !live[j] {
                continue;
            }
            v[j] = match *ins {
                Ins::In(k) => {
                    let x = self.operand(args[k as usize], level);
                    if self.vals[x as usize].dtype == Bool { x } else { self.cast(x, within) }
                }
                Ins::Const(bits) => self.constant(bits, within, level),
                Ins::Do(op, a) => {
                    let mut s = [NONE; 3];
                    for (s, &x) in s.iter_mut().zip(&a[..op.0.arity]) {
                        *s = v[x as usize];
                    }
                    self.row(op, s, within, level)
                }
            };
        }
        v[expr.outs[out] as usize]
    }
    fn row(&mut self, op: OpRef, mut s: [u32; 3], within: DType, level: Level) -> u32 {
        self.agree(op.0.class, &mut s[..op.0.arity], within);
        if let Some(&v) = self.known.get(&(op, s)) {
            return v;
        }
        let operand = s[usize::from(op.0.class == Class::Choose)];
        let dtype = self.vals[operand as usize].dtype;
        let kernel =
            (op.0.kernel)(dtype).unwrap_or_else(|| unreachable!("{} of {dtype} passed infer", op.0.name));
        let result = if matches!(op.0.class, Class::Test | Class::Logic) { Bool } else { dtype };
        let v = self.step(Op::Map(kernel), level, result, s);
        self.known.insert((op, s), v);
        if let (Some(basic), true) = (op.0.basic, result.is_float()) {
            self.basics.insert(v, basic);
        }
        v
    }
    /// Gives a row's operands the types that its kernel takes: truth values are 0 and 1 beside numbers and in
    /// arithmetic, numbers are true unless 0.
    fn agree(&mut self, class: Class, s: &mut [u32], within: DType) {
        let conditions = match class {
            Class::Logic => s.len(),
            Class::Choose => 1,
            _ => 0,
        };
        let (conditions, data) = s.split_at_mut(conditions);
        let truth = |c: &Compiler, v: &u32| c.vals[*v as usize].dtype == Bool;
        let as_truths = matches!(class, Class::Test | Class::Choose) && data.iter().all(|v| truth(self, v));
        for v in conditions {
            *v = self.cast(*v, Bool);
        }
        for v in data {
            *v = self.cast(*v, if as_truths { Bool } else { within });
        }
    }
    /// A constant of an expression's code; its bits are part of the code.
    fn constant(&mut self, bits: u64, dtype: DType, level: Level) -> u32 {
        let bits = crate::dtype::Number::Float(f64::from_bits(bits)).bits(dtype);
        let k = self.constants.iter().position(|&c| c == (bits, dtype)).unwrap_or_else(|| {
            self.constants.push((bits, dtype));
            self.constants.len() - 1
        });
        self.operand(Ref::Number(CONSTANT | k as u32, dtype), level)
    }
    fn finish(mut self) -> Code {
        for (i, s) in self.steps.iter().enumerate() {
            if s.d != NONE {
                let v = &mut self.vals[s.d as usize];
                (v.def, v.last_use) = (i as u32, i as u32);
            }
            for &v in s.s.iter().filter(|&&v| v != NONE) {
                self.vals[v as usize].last_use = i as u32;
            }
        }
        let slots = self.allocate();
        let width = self.vals.iter().map(|v| v.dtype.size()).max().unwrap_or(1);
        let dense = || self.vals.iter().filter(|v| matches!(v.place, Place::Leaf(_)));
        let leaves = dense().count();
        let read = dense().filter(|v| v.level == Level::Full).map(|v| v.dtype.size()).sum();
        let by_rows = self.last != 0 && self.last <= ROW_MAX;
        Code {
            vals: self.vals,
            steps: self.steps,
            sinks: self.sinks,
            of_item: self.of_item,
            constants: self.constants,
            slots,
            by_rows,
            width,
            leaves,
            read,
            _expressions: self.expressions,
        }
    }
    /// Registers for values by their last use; a step's result never lies where one of its operands does.
    fn allocate(&mut self) -> u32 {
        let (mut free, mut slots) = (vec![], 0);
        let mut take = |free: &mut Vec<u32>| {
            free.pop().unwrap_or_else(|| {
                slots += 1;
                slots - 1
            })
        };
        for v in &mut self.vals {
            if let Place::Number { slot, .. } | Place::Repeated { slot, .. } = &mut v.place {
                *slot = take(&mut free);
            }
        }
        for (i, s) in self.steps.iter().enumerate() {
            if s.d != NONE {
                self.vals[s.d as usize].place = Place::Slot(take(&mut free));
            }
            let mut ends = |v: u32| {
                let v = &self.vals[v as usize];
                if let (Place::Slot(k), true) = (v.place, v.last_use == i as u32)
                    && !free.contains(&k)
                {
                    free.push(k);
                }
            };
            s.s.iter().chain([&s.d]).filter(|&&v| v != NONE).for_each(|&v| ends(v));
        }
        slots
    }
}
/// Marks a number that is a constant of the code instead of the binding's.
pub(crate) const CONSTANT: u32 = 1 << 31;
