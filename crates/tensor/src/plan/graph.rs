//! The pending values below some roots, locked, and what becomes of each.
use crate::cell::Guard;
use crate::profile::Share;
use crate::value::{Arg, Held, Kind, Pending, Value, View};
use smallvec::{SmallVec, smallvec};

/// Instructions that a value may cost to be recomputed rather than written when only the tape holds it.
const MAX_RECOMPUTED: u32 = 16;

/// A value of the graph, ready (a leaf) or pending and locked.
pub(super) struct Node<'a> {
    pub(super) value: &'a Value,
    pub(super) guard: Option<Guard<'a, Pending, View>>,
    /// Operand handles of this value inside the graph.
    refs: usize,
    root: bool,
    pub(super) fate: Fate,
    /// Stays pending, as an expression that the tape can have back.
    pub(super) kept: bool,
    /// Computed by this program.
    pub(super) needed: bool,
    /// Read by a value that stays pending.
    held_by_kept: bool,
    /// Positions of its operands that are values, in their order.
    pub(super) operands: SmallVec<[u32; 3]>,
    /// How many values were found before it.
    order: u32,
}
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fate {
    /// A leaf, or computed in registers only.
    Passing,
    /// Written to memory.
    Written,
    /// Only the tape holds it, and it can be had back cheaply.
    Recomputed,
}
/// In decreasing id: consumers before producers.
pub(super) struct Graph<'a> {
    pub(super) nodes: Vec<Node<'a>>,
}

/// Values that were found and not yet locked, in increasing id: the last is next.
struct Found {
    waiting: SmallVec<[Waiting; 16]>,
    count: u32,
}
struct Waiting {
    id: u64,
    value: *const Value,
    /// How many were found before it.
    order: u32,
    refs: usize,
    root: bool,
}
impl Found {
    fn add(&mut self, v: &Value) -> &mut Waiting {
        let at = match self.waiting.binary_search_by(|w| w.id.cmp(&v.id)) {
            Ok(at) => at,
            Err(at) => {
                let value = std::ptr::from_ref(v);
                let new = Waiting { id: v.id, value, order: self.count, refs: 0, root: false };
                self.waiting.insert(at, new);
                self.count += 1;
                at
            }
        };
        &mut self.waiting[at]
    }
}

impl<'a> Graph<'a> {
    /// Locks every pending value below `roots`.
    pub(super) fn collect(roots: &[&'a Held]) -> Graph<'a> {
        let mut found = Found { waiting: SmallVec::new(), count: 0 };
        for r in roots {
            found.add(r).root = true;
        }
        let instructions: u64 = roots.iter().map(|r| r.cell.cost() & u64::from(u32::MAX)).sum();
        let mut nodes: Vec<Node<'a>> = Vec::with_capacity(instructions.clamp(8, 96) as usize + 4);
        while let Some(w) = found.waiting.pop() {
            // SAFETY: a root outlives the graph; any other value is an operand of a locked recipe, which stays in
            // its cell, holding the operand, until `publish` hands it out after the program has run.
            let value: &'a Value = unsafe { &*w.value };
            let guard = value.cell.lock();
            let mut operands = SmallVec::new();
            if let Some(g) = &guard {
                for v in g.recipe().args.iter().filter_map(operand) {
                    let below = found.add(v);
                    below.refs += 1;
                    operands.push(below.order);
                }
            } else if w.root && w.refs == 0 {
                continue;
            }
            nodes.push(Node {
                value,
                guard,
                refs: w.refs,
                root: w.root,
                fate: Fate::Passing,
                kept: false,
                needed: false,
                held_by_kept: false,
                operands,
                order: w.order,
            });
        }
        // Operands are noted by the order in which values were found.
        let mut position: SmallVec<[u32; 32]> = smallvec![u32::MAX; found.count as usize];
        for (i, n) in nodes.iter().enumerate() {
            position[n.order as usize] = i as u32;
        }
        for n in &mut nodes {
            n.operands.iter_mut().for_each(|k| *k = position[*k as usize]);
        }
        Graph { nodes }
    }
    pub(super) fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }
    /// Whether this program is the end of ready value `i`: nobody else can reach it.
    pub(super) fn dies(&self, i: usize) -> bool {
        let n = &self.nodes[i];
        n.guard.is_none() && !n.root && !n.held_by_kept && n.value.cell.only_held_by(n.refs)
    }

    /// Settles the fate of every pending value.
    pub(super) fn decide(&mut self) {
        let mut candidates: SmallVec<[usize; 8]> = SmallVec::new();
        for i in 0..self.nodes.len() {
            let n = &mut self.nodes[i];
            let Some(g) = &n.guard else { continue };
            let (held, saved) = n.value.cell.holders();
            let reduction = matches!(g.recipe().kind, Kind::Fold { .. });
            if n.root || n.value.sink || held > n.refs || (saved > 0 && reduction) {
                n.fate = Fate::Written;
            } else if saved > 0 {
                n.fate = Fate::Recomputed;
                candidates.push(i);
            }
        }
        if !candidates.is_empty() {
            self.settle_recomputed(&candidates);
        }
        self.spread_need();
    }
    /// Of the values that only the tape holds, writes those that are dear, and those whose operands would live on
    /// for their sake alone at no saving.
    fn settle_recomputed(&mut self, candidates: &[usize]) {
        let mut work = vec![0u32; self.nodes.len()];
        for i in (0..self.nodes.len()).rev() {
            let Some(g) = &self.nodes[i].guard else { continue };
            let own = match &g.recipe().kind {
                Kind::Map { expr, .. } => expr.work as u32,
                Kind::Cast => 1,
                Kind::Same => 0,
                // A reduction is written if a recomputed value reads it; a call is no part of a program.
                Kind::Fold { .. } | Kind::Call(_) => continue,
            };
            let below =
                self.nodes[i].operands.iter().map(|&j| work[j as usize]).fold(own, u32::saturating_add);
            work[i] = if self.nodes[i].fate == Fate::Written { 0 } else { below };
            if below > MAX_RECOMPUTED && self.nodes[i].fate == Fate::Recomputed {
                self.nodes[i].fate = Fate::Written;
                work[i] = 0;
            }
        }
        let (mut dying, mut saved) = (0, 0);
        let mut seen = vec![false; self.nodes.len()];
        let mut dependent: SmallVec<[usize; 8]> = SmallVec::new();
        for &i in candidates.iter().filter(|&&i| self.nodes[i].fate == Fate::Recomputed) {
            let mut stack: SmallVec<[u32; 8]> = self.nodes[i].operands.iter().copied().collect();
            let mut depends = false;
            while let Some(j) = stack.pop() {
                let j = j as usize;
                let n = &self.nodes[j];
                if n.guard.is_some() {
                    if n.fate == Fate::Passing
                        && !matches!(n.guard.as_ref().map(|g| &g.recipe().kind), Some(Kind::Fold { .. }))
                    {
                        stack.extend(self.nodes[j].operands.iter().copied());
                    }
                } else if self.dies(j) {
                    depends = true;
                    if !std::mem::replace(&mut seen[j], true) {
                        dying += n.value.numel * n.value.dtype.size();
                    }
                }
            }
            if depends {
                saved += self.nodes[i].value.numel * self.nodes[i].value.dtype.size();
                dependent.push(i);
            }
        }
        if dying >= saved {
            for i in dependent {
                self.nodes[i].fate = Fate::Written;
            }
        }
    }
    /// What stays pending costs less now that values below it are ready.
    pub(super) fn reprice(&self) {
        let kept = |n: &&Node<'_>| n.kept && n.fate != Fate::Written;
        for guard in self.nodes.iter().rev().filter(kept).filter_map(|n| n.guard.as_ref()) {
            guard.reprice(guard.recipe().cost());
        }
    }
    /// What each value that this program computes does in it. An operand is read from memory for the first that names
    /// it.
    pub(super) fn shares(&self) -> Vec<Share> {
        let bytes = |v: &Value| (v.numel * v.dtype.size()) as u64;
        let mut read = vec![false; self.nodes.len()];
        let mut shares = vec![];
        for node in self.nodes.iter().rev().filter(|n| n.needed) {
            let Some(recipe) = node.guard.as_ref().map(Guard::recipe) else { continue };
            let operands = || node.operands.iter().map(|&k| k as usize);
            let elements = match recipe.kind {
                Kind::Fold { .. } => operands().map(|k| self.nodes[k].value.numel).sum(),
                _ => node.value.numel,
            } as u64;
            let mut share = Share {
                tag: recipe.tag,
                work: elements * recipe.kind.flops().max(1),
                bytes: if node.fate == Fate::Written { bytes(node.value) } else { 0 },
                flops: elements * recipe.kind.flops(),
            };
            for k in operands().filter(|&k| self.nodes[k].guard.is_none()) {
                if !std::mem::replace(&mut read[k], true) {
                    share.bytes += bytes(self.nodes[k].value);
                }
            }
            shares.push(share);
        }
        shares
    }
    /// What is computed is what written values need; what stays pending is what recomputed ones need.
    fn spread_need(&mut self) {
        for i in 0..self.nodes.len() {
            if self.nodes[i].guard.is_none() {
                continue;
            }
            let n = &mut self.nodes[i];
            n.kept |= n.fate == Fate::Recomputed;
            if n.fate == Fate::Written {
                (n.needed, n.kept) = (true, false);
            }
            let (needed, kept) = (n.needed, n.kept);
            for k in 0..self.nodes[i].operands.len() {
                let j = self.nodes[i].operands[k] as usize;
                let o = &mut self.nodes[j];
                o.needed |= needed;
                o.held_by_kept |= kept;
                if kept && o.guard.as_ref().is_some_and(|g| matches!(g.recipe().kind, Kind::Fold { .. })) {
                    o.fate = Fate::Written;
                }
                o.kept |= kept && o.guard.is_some() && o.fate != Fate::Written;
            }
        }
    }
}
fn operand(a: &Arg) -> Option<&Held> {
    if let Arg::Value(v) = a { Some(v) } else { None }
}
