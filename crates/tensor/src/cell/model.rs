//! The lock protocol under every schedule of a few threads, as far as loom tells schedules apart.
//!
//! The cells are the real ones; around them stands what `plan` and `value` do with them, without elements: collect
//! and lock in decreasing id, decide what is written and whose memory is taken over, publish, unlock, and only
//! then drop recipes. Only the cells' own atomics and locks order anything here: memory is watched by loom, and
//! what else is shared (counters, `Arc`) is the standard library's, which loom does not see.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p retrograd-tensor --release --lib cell`
use super::{Cell, Guard};
use loom::cell::UnsafeCell;
use loom::thread;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};

/// A buffer of one number. Two uses that nothing orders, one of them a write, fail the model.
struct Memory {
    watched: UnsafeCell<()>,
    number: AtomicU64,
}
// SAFETY: the watched cell holds nothing; loom checks who uses it when.
unsafe impl Sync for Memory {}
impl Memory {
    fn new(number: u64) -> Arc<Memory> {
        Arc::new(Memory { watched: UnsafeCell::new(()), number: AtomicU64::new(number) })
    }
    fn read(&self) -> u64 {
        self.watched.with(|_| self.number.load(Relaxed))
    }
    fn write(&self, number: u64) {
        self.watched.with_mut(|_| self.number.store(number, Relaxed));
    }
}

type Operands = Vec<usize>;
struct Node {
    cell: Cell<Operands, Arc<Memory>>,
    computed: AtomicUsize,
    freed: AtomicBool,
}
/// Node `i` is a leaf of value 10 if it has no operands, else 1 more than their sum. Operands have smaller numbers.
struct Graph {
    nodes: Vec<Node>,
    operands: Vec<Operands>,
}
struct Locked<'a> {
    id: usize,
    guard: Option<Guard<'a, Operands, Arc<Memory>>>,
    refs: usize,
    value: u64,
}

impl Graph {
    /// With one user handle for each of `held`.
    fn new(operands: &[&[usize]], held: &[usize]) -> Arc<Graph> {
        let node = |operands: &&[usize]| Node {
            cell: if operands.is_empty() {
                Cell::ready(Memory::new(10))
            } else {
                Cell::pending(operands.to_vec(), 1)
            },
            computed: AtomicUsize::new(0),
            freed: AtomicBool::new(false),
        };
        let nodes: Vec<Node> = operands.iter().map(node).collect();
        for &k in operands.iter().copied().flatten().chain(held) {
            nodes[k].cell.hold();
        }
        Arc::new(Graph { nodes, operands: operands.iter().map(|o| o.to_vec()).collect() })
    }
    /// Locks the pending nodes below `root`; nothing if it is ready.
    fn collect(&self, root: usize) -> Vec<Locked<'_>> {
        let mut found: Vec<Locked<'_>> = vec![];
        let mut heap = BinaryHeap::from([(root, true)]);
        while let Some((id, root)) = heap.pop() {
            if let Some(same) = found.last_mut().filter(|n| n.id == id) {
                same.refs += 1;
                continue;
            }
            let guard = self.nodes[id].cell.lock();
            match &guard {
                Some(g) => heap.extend(g.recipe().iter().map(|&k| (k, false))),
                None if root => continue,
                None => {}
            }
            found.push(Locked { id, guard, refs: usize::from(!root), value: 0 });
        }
        found
    }
    fn force(&self, root: usize) {
        if self.nodes[root].cell.cost() == 0 {
            return;
        }
        let mut graph = self.collect(root);
        // What others hold is written too, and the memory of a leaf that nobody else can reach is taken over.
        let cell = |n: &Locked<'_>| &self.nodes[n.id].cell;
        let written =
            |n: &Locked<'_>| n.guard.is_some() && (n.id == root || cell(n).holders() != (n.refs, 0));
        let written: Vec<usize> = graph.iter().filter(|n| written(n)).map(|n| n.id).collect();
        let dies = |n: &&Locked<'_>| n.guard.is_none() && cell(n).only_held_by(n.refs);
        let mut dying: Vec<Arc<Memory>> =
            graph.iter().filter(dies).filter_map(|n| cell(n).result().cloned()).collect();
        DONATED.fetch_add(dying.len(), Relaxed);
        self.compute(&mut graph);
        let mut recipes: Operands = vec![];
        for n in graph.iter_mut().filter(|n| written.contains(&n.id)) {
            let memory = dying.pop().unwrap_or_else(|| Memory::new(0));
            memory.write(n.value);
            recipes.extend(n.guard.as_mut().expect("written nodes were pending").publish(memory));
        }
        drop(graph);
        recipes.into_iter().for_each(|k| self.release(k));
    }
    fn compute(&self, graph: &mut [Locked<'_>]) {
        for i in (0..graph.len()).rev() {
            graph[i].value = match &graph[i].guard {
                None => self.nodes[graph[i].id].cell.result().expect("a leaf is ready").read(),
                Some(g) => {
                    let value =
                        |k: &usize| graph.iter().find(|n| n.id == *k).expect("operands are there").value;
                    self.nodes[graph[i].id].computed.fetch_add(1, Relaxed);
                    g.recipe().iter().map(value).sum::<u64>() + 1
                }
            };
        }
    }
    /// Drops a handle; a pending node without handles goes, and the handles in its recipe with it.
    fn release(&self, k: usize) {
        let node = &self.nodes[k];
        node.cell.release();
        if node.cell.holders() == (0, 0) && node.cell.cost() != 0 && !node.freed.swap(true, Relaxed) {
            self.operands[k].iter().for_each(|&j| self.release(j));
        }
    }
    /// Reads a ready node through a handle of the caller's.
    fn read(&self, k: usize) -> u64 {
        self.nodes[k].cell.result().expect("ready").read()
    }
    /// Forces and reads through a handle of the caller's, and drops it.
    fn demand(&self, k: usize) -> u64 {
        self.force(k);
        let value = self.read(k);
        self.release(k);
        value
    }
    fn computed(&self) -> Vec<usize> {
        self.nodes.iter().map(|n| n.computed.load(Relaxed)).collect()
    }
}

/// Operands whose memory was taken over, in all schedules.
static DONATED: AtomicUsize = AtomicUsize::new(0);
/// Models take turns, since they count.
static TURN: std::sync::Mutex<()> = std::sync::Mutex::new(());

/// Runs `f` under every schedule; in some memory is taken over, if `donates`, else in none.
fn model(donates: bool, f: impl Fn() + Send + Sync + 'static) {
    let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    DONATED.store(0, Relaxed);
    loom::model(f);
    assert_eq!(DONATED.load(Relaxed) > 0, donates, "whether memory is taken over in any schedule");
}
fn on_another_thread<R: 'static>(
    graph: &Arc<Graph>,
    f: impl FnOnce(&Graph) -> R + 'static,
) -> thread::JoinHandle<R> {
    let graph = graph.clone();
    thread::spawn(move || f(&graph))
}

#[test]
fn overlapping_graphs_are_computed_once() {
    model(true, || {
        // 1 is read by both roots, and by nobody else.
        let graph = Graph::new(&[&[], &[0], &[1], &[1, 0]], &[2, 3]);
        let other = on_another_thread(&graph, |g| g.demand(2));
        assert_eq!(graph.demand(3), 22);
        assert_eq!(other.join().unwrap(), 12);
        assert_eq!(graph.computed(), [0, 1, 1, 1]);
    });
}
#[test]
fn roots_within_each_other() {
    model(true, || {
        let graph = Graph::new(&[&[], &[0], &[1, 1], &[2, 1]], &[3, 2, 1]);
        let other = on_another_thread(&graph, |g| (g.demand(2), g.demand(1)));
        assert_eq!(graph.demand(3), 35);
        assert_eq!(other.join().unwrap(), (23, 11));
        assert_eq!(graph.computed(), [0, 1, 1, 1]);
    });
}
#[test]
fn crossing_operands_do_not_deadlock() {
    model(true, || {
        let graph = Graph::new(&[&[], &[0], &[0], &[1, 2], &[2, 1]], &[3, 4]);
        let other = on_another_thread(&graph, |g| g.demand(4));
        assert_eq!(graph.demand(3), 23);
        assert_eq!(other.join().unwrap(), 23);
        assert_eq!(graph.computed(), [0, 1, 1, 1, 1]);
    });
}
#[test]
fn three_threads() {
    model(true, || {
        let graph = Graph::new(&[&[], &[0], &[1]], &[1, 2, 2]);
        let others = [2, 1].map(|k| on_another_thread(&graph, move |g| g.demand(k)));
        assert_eq!(graph.demand(2), 12);
        assert_eq!(others.map(|t| t.join().unwrap()), [12, 11]);
        assert_eq!(graph.computed(), [0, 1, 1]);
    });
}

#[test]
fn a_last_reader_and_a_taker() {
    model(true, || {
        let graph = Graph::new(&[&[], &[0]], &[0, 1]);
        let taker = on_another_thread(&graph, |g| g.demand(1));
        assert_eq!(graph.read(0), 10);
        graph.release(0);
        assert_eq!(taker.join().unwrap(), 11);
    });
}
#[test]
fn a_cloned_handle_protects_as_its_original() {
    model(true, || {
        let graph = Graph::new(&[&[], &[0]], &[0, 1]);
        let taker = on_another_thread(&graph, |g| g.demand(1));
        graph.nodes[0].cell.hold();
        graph.release(0);
        assert_eq!(graph.read(0), 10);
        graph.release(0);
        assert_eq!(taker.join().unwrap(), 11);
    });
}
#[test]
fn a_reference_protects_while_its_handle_lives() {
    model(false, || {
        let graph = Graph::new(&[&[], &[0]], &[0, 1]);
        let taker = on_another_thread(&graph, |g| g.demand(1));
        let reader = on_another_thread(&graph, |g| g.read(0));
        assert_eq!(reader.join().unwrap(), 10);
        assert_eq!(taker.join().unwrap(), 11);
        assert_eq!(graph.read(0), 10);
    });
}
#[test]
fn a_saved_handle_protects() {
    model(true, || {
        let graph = Graph::new(&[&[], &[0]], &[1]);
        graph.nodes[0].cell.save();
        let taker = on_another_thread(&graph, |g| g.demand(1));
        // As a gradient rule: a handle of its own, then the record goes, then it reads.
        graph.nodes[0].cell.hold();
        graph.nodes[0].cell.unsave();
        assert_eq!(graph.read(0), 10);
        graph.release(0);
        assert_eq!(taker.join().unwrap(), 11);
    });
}
#[test]
fn two_readers_of_which_the_last_takes() {
    model(true, || {
        let graph = Graph::new(&[&[], &[0], &[0]], &[1, 2]);
        let other = on_another_thread(&graph, |g| g.demand(2));
        assert_eq!(graph.demand(1), 11);
        assert_eq!(other.join().unwrap(), 11);
    });
}

#[test]
fn a_cost_of_0_shows_the_result() {
    model(true, || {
        let graph = Graph::new(&[&[], &[0]], &[1, 1]);
        let other = on_another_thread(&graph, |g| g.demand(1));
        // Without this wait loom would not try the schedule in which the reader is late.
        while graph.nodes[1].cell.cost() != 0 {
            thread::yield_now();
        }
        assert_eq!(graph.read(1), 11);
        other.join().unwrap();
    });
}
#[test]
fn an_abandoned_computation_leaves_everything_pending() {
    model(true, || {
        let graph = Graph::new(&[&[], &[0], &[1]], &[2, 2]);
        // Unwinding drops the guards, and no more.
        let abandons = on_another_thread(&graph, |g| {
            let locked = g.collect(2);
            locked.iter().filter(|n| n.guard.is_some()).count()
        });
        assert_eq!(graph.demand(2), 12);
        assert!([0, 2].contains(&abandons.join().unwrap()));
        assert_eq!(graph.computed(), [0, 1, 1]);
    });
    model(false, || {
        let graph = Graph::new(&[&[], &[0], &[1]], &[2]);
        on_another_thread(&graph, |g| drop(g.collect(2))).join().unwrap();
        assert!([1, 2].iter().all(|&k| graph.nodes[k].cell.lock().is_some()));
    });
}
