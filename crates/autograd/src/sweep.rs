//! The backward pass: one walk over records in descending id, used by `backward` and every functional transform.
//!
//! Cotangents are tensors like any other and stay pending as long as they can: sums of parts, elementwise rules and
//! reductions fuse. What needs memory (a product's rule) forces its cotangent, and with it every leaf gradient that
//! hangs on the same values, or these would live until the end.
use retrograd_tensor::hidden::{self, Cotangent, Edge, Record};
use retrograd_tensor::op::Spec;
use retrograd_tensor::{Error, ErrorKind, Tensor, force_all};
use smallvec::SmallVec;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

/// A hash for ids, which are distinct and small.
#[derive(Default, Clone, Copy, Debug)]
pub(crate) struct IdHash(u64);
impl Hasher for IdHash {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for &b in bytes {
            self.write_u64(u64::from(b));
        }
    }
    fn write_u64(&mut self, v: u64) {
        self.0 = (self.0 ^ v).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}
pub(crate) type IdMap<V> = HashMap<u64, V, BuildHasherDefault<IdHash>>;
pub(crate) type IdSet = HashSet<u64, BuildHasherDefault<IdHash>>;

/// What a walk is asked for.
pub(crate) struct Request<'a> {
    pub(crate) op: &'static str,
    /// Records whose cotangents are wanted; `None`: every leaf.
    pub(crate) wanted: Option<&'a IdSet>,
    /// Spend the records that are passed.
    pub(crate) take: bool,
    /// Do not go on below a record that is wanted.
    pub(crate) stop: bool,
}
/// What a walk found.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) cotangents: IdMap<Tensor>,
    /// Cuts that the walk met: where a missing gradient may have gone.
    pub(crate) cuts: Vec<Arc<Record>>,
}

/// A record whose cotangent is being summed.
struct Due {
    record: Arc<Record>,
    sum: Sum,
}
#[derive(Clone)]
enum Sum {
    /// Reached, but only by parts that are identically 0.
    Zero(Spec),
    Some(Tensor),
}
impl Sum {
    fn whole(self) -> Tensor {
        match self {
            Sum::Some(g) => g,
            Sum::Zero(spec) => spec.dtype.zeros(spec.shape),
        }
    }
}

struct Sweep<'a> {
    request: &'a Request<'a>,
    due: IdMap<Due>,
    order: BinaryHeap<u64>,
    /// Leaves whose gradients may be pending.
    leaves: Vec<u64>,
    /// With `wanted`: the records that lead to one.
    leading: Option<IdSet>,
    cut_ids: IdSet,
    found: Found,
}

/// Cotangents that there is room for at once.
const LEAVES: usize = 32;

/// Walks back from `roots`, each with its cotangent.
pub(crate) fn sweep(roots: Vec<(&Edge, Tensor)>, request: &Request<'_>) -> Result<Found, Error> {
    let leading = request.wanted.map(|wanted| leading(roots.iter().map(|r| r.0.record()), wanted));
    let mut s = Sweep {
        request,
        due: IdMap::default(),
        order: BinaryHeap::new(),
        leaves: vec![],
        leading,
        cut_ids: IdSet::default(),
        found: Found::default(),
    };
    s.found.cotangents.reserve(LEAVES);
    for (root, seed) in roots {
        s.add(root.clone(), Sum::Some(seed));
    }
    hidden::to_the_end(|| {
        while let Some(id) = s.order.pop() {
            let due = s.due.remove(&id).expect("an id in the queue is due");
            s.visit(id, due)?;
        }
        Ok(s.found)
    })
}

/// The records on a path from one of `roots` to a wanted one. Ids descend along edges, so one pass in ascending order of
/// what was reached decides.
fn leading<'a>(roots: impl Iterator<Item = &'a Arc<Record>>, wanted: &IdSet) -> IdSet {
    let lowest = wanted.iter().copied().min().unwrap_or(u64::MAX);
    let mut seen = IdSet::default();
    let mut inputs: Vec<(u64, Vec<u64>)> = vec![];
    let mut stack: Vec<Arc<Record>> = roots.cloned().collect();
    while let Some(record) = stack.pop() {
        if record.id() < lowest || !seen.insert(record.id()) {
            continue;
        }
        let edges = record.inputs();
        inputs.push((record.id(), edges.iter().flatten().map(|e| e.record().id()).collect()));
        stack.extend(
            edges
                .into_iter()
                .flatten()
                .filter(|e| e.record().cut_reason().is_none())
                .map(|e| e.record().clone()),
        );
    }
    inputs.sort_unstable_by_key(|i| i.0);
    let mut leading = wanted.clone();
    for (id, inputs) in inputs {
        if inputs.iter().any(|i| leading.contains(i)) {
            leading.insert(id);
        }
    }
    leading
}

impl Sweep<'_> {
    fn leads(&self, record: &Record) -> bool {
        self.leading.as_ref().is_none_or(|l| l.contains(&record.id()))
    }
    fn visit(&mut self, id: u64, due: Due) -> Result<(), Error> {
        let wanted = self.request.wanted.map_or(due.record.is_leaf(), |w| w.contains(&id));
        if due.record.is_leaf() || wanted && self.request.stop {
            if wanted {
                self.found.cotangents.insert(id, due.sum.whole());
            }
            return Ok(());
        }
        if wanted {
            self.found.cotangents.insert(id, due.sum.clone().whole());
        }
        match due.sum {
            Sum::Some(g) => self.pull(&due.record, g),
            Sum::Zero(_) => self.pass_zero(&due.record),
        }
    }
    fn spent(&self, record: &Record) -> Error {
        let detail = format!(
            "the graph was freed: an earlier backward pass took what {} at {} had saved; \
             sum the losses and call backward once, or use backward_keep",
            record.name(),
            record.at()
        );
        Error::new(self.request.op, ErrorKind::Gradient, detail)
    }
    /// A dry run must not take what a forward pass outside of it has saved.
    fn check_inside(&self, record: &Record) -> Result<(), Error> {
        if !record.precedes_dry_run() {
            return Ok(());
        }
        let detail = format!(
            "in a dry run, a graph from before: {} at {}; run the forward pass inside too",
            record.name(),
            record.at()
        );
        Err(Error::new(self.request.op, ErrorKind::Gradient, detail))
    }
    fn pull(&mut self, record: &Arc<Record>, g: Tensor) -> Result<(), Error> {
        self.check_inside(record)?;
        hidden::within_rule(record, || self.apply_rule(record, g))
    }
    fn apply_rule(&mut self, record: &Arc<Record>, g: Tensor) -> Result<(), Error> {
        for (edge, part) in hidden::pass(record, &g, &|e| self.leads(e.record())) {
            self.add(edge, Sum::Some(part));
        }
        if !record.fusable() && hidden::is_pending(&g) {
            self.force_with_leaves(&g);
        }
        let wanted = |e: &Edge| self.leads(e.record());
        let Some((edges, parts)) = hidden::pull(record, &g, self.request.take, &wanted) else {
            return Err(self.spent(record));
        };
        drop(g);
        let mut parts = parts.into_iter();
        for edge in edges {
            let part = parts.next().unwrap_or(Cotangent::None);
            let Some(edge) = edge else { continue };
            match part {
                Cotangent::Some(part) => self.add(edge, Sum::Some(part)),
                Cotangent::Zero(spec) => self.add(edge, Sum::Zero(spec)),
                Cotangent::None => self.note_cut(edge.record()),
            }
        }
        Ok(())
    }
    /// A record that only zeros have reached: its operands are reached too, by zeros.
    fn pass_zero(&mut self, record: &Arc<Record>) -> Result<(), Error> {
        self.check_inside(record)?;
        if record.spent() {
            return Err(self.spent(record));
        }
        for (i, edge) in record.inputs().into_iter().enumerate() {
            let (Some(edge), Some(spec)) = (edge, record.operand_spec(i)) else { continue };
            if edge.record().cut_reason().is_some() {
                self.note_cut(edge.record());
            } else if self.leads(edge.record()) {
                self.add(edge, Sum::Zero(spec));
            }
        }
        if self.request.take {
            record.forget();
        }
        Ok(())
    }
    fn note_cut(&mut self, record: &Arc<Record>) {
        if record.cut_reason().is_some() && self.cut_ids.insert(record.id()) {
            self.found.cuts.push(record.clone());
        }
    }
    fn add(&mut self, edge: Edge, part: Sum) {
        let record = edge.into_record();
        let id = record.id();
        let fuses = |t: &Tensor| hidden::is_pending(t) && !hidden::is_waiting(t);
        if record.is_leaf() && matches!(&part, Sum::Some(t) if fuses(t)) {
            self.leaves.push(id);
        }
        match self.due.get_mut(&id) {
            Some(due) => {
                if let Sum::Some(b) = part {
                    match &mut due.sum {
                        Sum::Some(a) => *a += b,
                        zero => *zero = Sum::Some(b),
                    }
                }
            }
            None => {
                self.order.push(id);
                self.due.insert(id, Due { record, sum: part });
            }
        }
    }
    /// Computes a cotangent together with the pending leaf gradients.
    fn force_with_leaves(&mut self, g: &Tensor) {
        let leaves: SmallVec<[Tensor; 4]> = self
            .leaves
            .drain(..)
            .filter_map(|id| match self.due.get(&id) {
                Some(Due { sum: Sum::Some(t), .. }) => Some(t.clone()),
                _ => None,
            })
            .collect();
        let all: SmallVec<[&Tensor; 5]> = leaves.iter().chain([g]).collect();
        force_all(&all);
    }
}
