//! What a backward pass gives: gradients of leaves, and for a missing one the reason.
use crate::differentiate::shown;
use crate::sweep::{Found, IdMap};
use retrograd_tensor::hidden::{self, Record};
use retrograd_tensor::{Error, ErrorKind, Tensor, force_all, levels, no_grad, raise};
use std::ops::Index;
use std::panic::Location;
use std::sync::{Arc, OnceLock};

/// The identity that a gradient is looked up by: that of a tracked tensor or a parameter.
pub type LeafId = u64;

/// What gradients can be looked up by.
pub trait Leaf {
    /// The leaf of the tape that this is, if it is one.
    fn leaf(&self) -> Option<LeafId>;
    /// Its elements, for shape and type.
    fn tensor(&self) -> &Tensor;
}
impl Leaf for Tensor {
    fn leaf(&self) -> Option<LeafId> {
        hidden::edge(self).filter(|e| e.record().is_leaf()).map(|e| e.record().id())
    }
    fn tensor(&self) -> &Tensor {
        self
    }
}
impl<L: Leaf + ?Sized> Leaf for &L {
    fn leaf(&self) -> Option<LeafId> {
        (**self).leaf()
    }
    fn tensor(&self) -> &Tensor {
        (**self).tensor()
    }
}

/// Why there is no gradient.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Missing {
    /// Nothing that was differentiated depends on it.
    Unused,
    /// The only way to it goes through an operation without a gradient, or a `detach` or `no_grad`.
    Cut {
        /// The operation.
        op: &'static str,
        /// The user's line.
        at: &'static Location<'static>,
        /// Why it has no gradient.
        why: &'static str,
    },
    /// It is neither tracked nor a parameter.
    Untracked,
    /// It is the result of an operation; `grad(&y, &[&h])` gives the gradient of any tensor on the way.
    NotALeaf,
}
impl std::fmt::Display for Missing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Missing::Unused => f.write_str("not used in this graph"),
            Missing::Cut { op, at, why } => write!(f, "cut by {op} at {at} ({why})"),
            Missing::Untracked => f.write_str("not tracked; make a leaf with x.tracked()"),
            Missing::NotALeaf => {
                f.write_str("not a leaf; grad(&y, &[&h]) gives gradients of results on the way")
            }
        }
    }
}

/// Gradients of the leaves that a backward pass reached.
///
/// A leaf that it did not reach has no entry: [`Gradients::get`] gives `None`, indexing panics and says why.
#[derive(Debug, Default)]
pub struct Gradients {
    cotangents: IdMap<Entry>,
    cuts: Vec<Arc<Record>>,
}
#[derive(Debug)]
struct Entry {
    /// As the record of the leaf sees it.
    g: Tensor,
    /// For a leaf that stands for many examples: the same, standing for one.
    one: OnceLock<Tensor>,
}
impl Entry {
    fn new(g: Tensor) -> Entry {
        Entry { g, one: OnceLock::new() }
    }
    fn of(&self, x: &Tensor) -> &Tensor {
        let (levels, _) = levels::of(x);
        if levels.is_empty() { &self.g } else { self.one.get_or_init(|| levels::hide(&self.g, &levels)) }
    }
}
impl Gradients {
    pub(crate) fn new(found: Found) -> Gradients {
        let cotangents = found.cotangents.into_iter().map(|(id, g)| (id, Entry::new(g))).collect();
        Gradients { cotangents, cuts: found.cuts }
    }
    /// The gradient of a leaf, of the leaf's shape and type.
    pub fn get(&self, x: &(impl Leaf + ?Sized)) -> Option<&Tensor> {
        Some(self.cotangents.get(&x.leaf()?)?.of(x.tensor()))
    }
    /// The gradient of a leaf, zeros if the graph does not reach it.
    pub fn grad_or_zeros(&self, x: &(impl Leaf + ?Sized)) -> Tensor {
        self.get(x).cloned().unwrap_or_else(|| x.tensor().zeros_like())
    }
    /// Replaces the gradient of a leaf, as clipping does. Nothing happens if there is none.
    ///
    /// # Panics
    /// If shape or dtype are not those of the old one.
    #[track_caller]
    pub fn replace(&mut self, x: &(impl Leaf + ?Sized), g: Tensor) {
        let Some(old) = x.leaf().and_then(|id| self.cotangents.get_mut(&id)) else { return };
        if old.of(x.tensor()).spec() != g.spec() {
            let old = old.of(x.tensor());
            let given =
                format!("the gradient is {} {}, not {} {}", old.dtype(), old.shape(), g.dtype(), g.shape());
            raise(Error::new(
                "replace",
                ErrorKind::Gradient,
                format!("{given}; a gradient has its leaf's shape and type"),
            ));
        }
        *old = Entry::new(shown(g, x.tensor()));
    }
    /// Adds the gradients of another backward pass, so that several small batches give what a large one gives: the
    /// losses of the parts, each times its share of the whole, add up to the loss of the whole.
    ///
    /// ```
    /// use retrograd_autograd::{Differentiate, Gradients};
    /// use retrograd_tensor::Tensor;
    /// let w = Tensor::from([1.0f64, 2.0]).tracked();
    /// let x = Tensor::from([[1.0f64, 0.0], [3.0, 1.0], [0.0, 2.0], [4.0, 4.0]]);
    /// let mut grads = Gradients::default();
    /// for part in x.chunk(2, 0) {
    ///     grads.add(((part * &w).square().mean(()) * 0.5).backward());
    /// }
    /// assert_eq!(grads[&w], (x * &w).square().mean(()).backward()[&w]);
    /// ```
    #[track_caller]
    pub fn add(&mut self, other: Gradients) {
        let mut sums = Vec::new();
        for (id, entry) in other.cotangents {
            let sum = match self.cotangents.remove(&id) {
                Some(old) => no_grad(|| old.g + entry.g),
                None => entry.g,
            };
            sums.push(sum.clone());
            self.cotangents.insert(id, Entry::new(sum));
        }
        self.cuts.extend(other.cuts);
        // Pending sums would keep the terms.
        force_all(&sums.iter().collect::<Vec<_>>());
    }
    /// Removes and returns the gradient of a leaf, so that its memory can be reused.
    pub fn take(&mut self, x: &(impl Leaf + ?Sized)) -> Option<Tensor> {
        let entry = self.cotangents.remove(&x.leaf()?)?;
        let (levels, _) = levels::of(x.tensor());
        Some(if levels.is_empty() { entry.g } else { levels::hide(&entry.g, &levels) })
    }
    pub(crate) fn by_id(&self, id: u64) -> Option<&Tensor> {
        self.cotangents.get(&id).map(|e| &e.g)
    }
    /// Why any tensor, leaf or not, has no gradient.
    pub(crate) fn why_missing_of(&self, x: &Tensor) -> Missing {
        match hidden::edge(x).map(hidden::Edge::record) {
            None => Missing::Untracked,
            Some(r) => match r.cut_reason() {
                Some(why) => Missing::Cut { op: r.name(), at: r.at(), why },
                None => self.reason(r.id()),
            },
        }
    }
    fn reason(&self, id: u64) -> Missing {
        let cut = self.cuts.iter().find(|c| c.may_read(id));
        cut.map_or(Missing::Unused, |c| Missing::Cut {
            op: c.name(),
            at: c.at(),
            why: c.cut_reason().unwrap_or(""),
        })
    }
    /// Why a leaf has no gradient. Asked of one that has, the answer means nothing.
    pub fn why_missing(&self, x: &(impl Leaf + ?Sized)) -> Missing {
        let Some(id) = x.leaf() else {
            return if hidden::edge(x.tensor()).is_some() { Missing::NotALeaf } else { Missing::Untracked };
        };
        self.reason(id)
    }
    /// How many leaves were reached.
    pub fn len(&self) -> usize {
        self.cotangents.len()
    }
    /// Whether no leaf was reached.
    pub fn is_empty(&self) -> bool {
        self.cotangents.is_empty()
    }
    /// Every gradient with the id of its leaf, in order of id.
    pub fn iter(&self) -> impl Iterator<Item = (LeafId, &Tensor)> {
        let mut all: Vec<(LeafId, &Tensor)> = self.cotangents.iter().map(|(&id, e)| (id, &e.g)).collect();
        all.sort_unstable_by_key(|g| g.0);
        all.into_iter()
    }
}
impl<L: Leaf + ?Sized> Index<&L> for Gradients {
    type Output = Tensor;
    #[track_caller]
    fn index(&self, x: &L) -> &Tensor {
        if let Some(found) = self.get(x) {
            return found;
        }
        let detail = format!("no gradient of the {} tensor: {}", x.tensor().shape(), self.why_missing(x));
        raise(Error::new("grads[]", ErrorKind::Gradient, detail))
    }
}
