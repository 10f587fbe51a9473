//! `einsum`: sums of products in index notation, as diagonals, sums, permutations and matrix products.
use crate::Tensor;
use crate::entry::Entry;
use crate::error::{Error, ErrorKind, OrRaise};
use crate::shape::Shape;
use std::borrow::Borrow;

/// A subscript: a letter, or an axis that an ellipsis stands for, counted from its last (as -1, -2, ...).
type Label = i32;
/// A tensor with a label for each axis, no label twice.
struct Term {
    tensor: Tensor,
    labels: Vec<Label>,
}
/// An equation that fits its operands.
struct Plan {
    inputs: Vec<Vec<Label>>,
    output: Vec<Label>,
    /// Every label and its size.
    sizes: Vec<(Label, usize)>,
}

fn refuse<T>(kind: ErrorKind, wrong: &str, given: &str, right: &str) -> Result<T, Error> {
    Err(Error::new("einsum", kind, format!("{wrong}: {given}; {right}")))
}

/// The labels of one side's term; `ellipsis` axes stand for "...".
fn term(equation: &str, text: &str, ellipsis: usize) -> Result<Vec<Label>, Error> {
    let mut labels = vec![];
    let mut seen = false;
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        match rest.strip_prefix("...") {
            Some(_) if seen => {
                return refuse(ErrorKind::Value, "two ellipses in a term", equation, "a term may have one");
            }
            Some(after) => {
                labels.extend((1..=ellipsis as Label).rev().map(|i| -i));
                (seen, rest) = (true, after);
            }
            _ if c.is_ascii_alphabetic() => {
                labels.push(c as Label);
                rest = &rest[1..];
            }
            _ => {
                let right = "a subscript is a letter a-z or A-Z, an ellipsis is three dots";
                return refuse(ErrorKind::Value, "no subscript", &format!("`{c}` in {equation}"), right);
            }
        }
    }
    Ok(labels)
}

impl Plan {
    fn of(equation: &str, operands: &[&Tensor]) -> Result<Plan, Error> {
        let bare: String = equation.chars().filter(|c| !c.is_whitespace()).collect();
        let (left, right) =
            bare.split_once("->").map_or((&bare[..], None), |(left, right)| (left, Some(right)));
        let terms: Vec<&str> = left.split(',').collect();
        if terms.len() != operands.len() {
            let given =
                format!("\"{equation}\" has {} terms, there are {} operands", terms.len(), operands.len());
            let wrong = "terms and operands differ in number";
            return refuse(ErrorKind::Value, wrong, &given, "each operand has one term");
        }
        let mut plan = Plan { inputs: vec![], output: vec![], sizes: vec![] };
        let mut widest = 0;
        for (text, t) in terms.iter().zip(operands) {
            widest = widest.max(plan.read(equation, text, t.shape())?);
        }
        plan.output = match right {
            Some(text) => term(equation, text, widest)?,
            None => plan.implied(widest),
        };
        for (i, label) in plan.output.iter().enumerate() {
            if plan.output[..i].contains(label) {
                let wrong = "a subscript twice in the result";
                return refuse(ErrorKind::Value, wrong, equation, "each may stand there once");
            }
            if !plan.inputs.iter().any(|labels| labels.contains(label)) {
                let wrong = "a subscript of the result that no term has";
                return refuse(ErrorKind::Value, wrong, equation, "it needs a size");
            }
        }
        Ok(plan)
    }
    /// Adds the term of an operand; gives the number of axes that its ellipsis stands for.
    fn read(&mut self, equation: &str, text: &str, shape: &Shape) -> Result<usize, Error> {
        let letters = text.replace("...", "").len();
        let dots = if text.contains("...") { shape.rank().saturating_sub(letters) } else { 0 };
        let labels = term(equation, text, dots)?;
        if labels.len() != shape.rank() {
            let given = format!("`{text}` of \"{equation}\" for shape {shape}");
            let wrong = "a term does not fit its operand";
            return refuse(ErrorKind::Shape, wrong, &given, "each axis has one subscript");
        }
        for (axis, (&label, &size)) in labels.iter().zip(shape).enumerate() {
            let first = labels[..axis].iter().position(|l| *l == label);
            if let Some(other) = first.map(|i| shape[i]).filter(|&other| other != size) {
                let given = format!("`{text}` of \"{equation}\" has {other} and {size}");
                return refuse(ErrorKind::Shape, "a diagonal of unequal axes", &given, "they must be equal");
            }
            self.size(equation, label, size)?;
        }
        self.inputs.push(labels);
        Ok(dots)
    }
    /// Notes a size; those of one label are equal or 1.
    fn size(&mut self, equation: &str, label: Label, size: usize) -> Result<(), Error> {
        match self.sizes.iter_mut().find(|(known, _)| *known == label) {
            None => self.sizes.push((label, size)),
            Some((_, known)) if *known == 1 => *known = size,
            Some((_, known)) if size != 1 && size != *known => {
                let name = u8::try_from(label).map_or("...".to_owned(), |c| (c as char).to_string());
                let given = format!("`{name}` of \"{equation}\" has {known} and {size}");
                let wrong = "sizes of one subscript differ";
                return refuse(ErrorKind::Shape, wrong, &given, "they must be equal or 1");
            }
            Some(_) => {}
        }
        Ok(())
    }
    /// The result's labels where the equation has no arrow: the ellipsis, then letters that stand once, sorted.
    fn implied(&self, ellipsis: usize) -> Vec<Label> {
        let count = |label: Label| self.inputs.iter().flatten().filter(|&&l| l == label).count();
        let mut letters: Vec<Label> =
            self.sizes.iter().map(|s| s.0).filter(|&l| l > 0 && count(l) == 1).collect();
        letters.sort_unstable();
        (1..=ellipsis as Label).rev().map(|i| -i).chain(letters).collect()
    }
    fn size_of(&self, label: Label) -> usize {
        self.sizes.iter().find(|(known, _)| *known == label).map_or(1, |s| s.1)
    }
    /// Labels of the result and of all terms but these.
    fn read_beside(&self, terms: &[Term], but: [usize; 2]) -> Vec<Label> {
        let others = terms.iter().enumerate().filter(|(i, _)| !but.contains(i));
        others.flat_map(|(_, t)| &t.labels).chain(&self.output).copied().collect()
    }
    /// The elements that a tensor with these labels has.
    fn elements(&self, labels: &[Label]) -> f64 {
        labels.iter().map(|&l| self.size_of(l) as f64).product()
    }
}

impl Term {
    /// An operand without repeated labels, and without axes of size 1 that are broadcast.
    #[track_caller]
    fn of(plan: &Plan, tensor: &Tensor, labels: &[Label]) -> Term {
        let mut term = Term { tensor: tensor.clone(), labels: labels.to_vec() };
        while let Some((i, j)) = twice(&term.labels) {
            term.tensor = term.tensor.diagonal(0, i as isize, j as isize);
            let label = term.labels.remove(j);
            term.labels.remove(i);
            term.labels.push(label);
        }
        let kept =
            |(label, &size): (&Label, &usize)| (size == plan.size_of(*label)).then_some((*label, size));
        let axes: Vec<_> = term.labels.iter().zip(term.tensor.shape()).filter_map(kept).collect();
        let to: Shape = axes.iter().map(|axis| axis.1).collect();
        Term { tensor: term.tensor.reshaped(&to), labels: axes.into_iter().map(|axis| axis.0).collect() }
    }
    /// Sums over the labels that nobody reads any more. Integers stay what they are, as in a product.
    #[track_caller]
    fn sum(&mut self, read: impl Fn(Label) -> bool) {
        let axes: Vec<usize> = (0..self.labels.len()).filter(|&i| !read(self.labels[i])).collect();
        if axes.is_empty() {
            return;
        }
        let dtype = self.tensor.dtype();
        self.tensor = self.tensor.sum(&axes);
        if dtype.is_int() {
            self.tensor = self.tensor.cast(dtype);
        }
        self.labels.retain(|&l| read(l));
    }
    /// The axes in this order; labels that the term lacks have size 1.
    #[track_caller]
    fn arranged(&self, order: &[Label]) -> Tensor {
        let place = |l: &Label| self.labels.iter().position(|own| own == l);
        let axes: Vec<usize> = order.iter().filter_map(place).collect();
        let shape = self.tensor.shape();
        let to: Shape = order.iter().map(|l| place(l).map_or(1, |axis| shape[axis])).collect();
        let in_order = axes.is_sorted();
        (if in_order { self.tensor.clone() } else { self.tensor.permute(&axes) }).reshaped(&to)
    }
    /// The product of two terms, summed over the labels that only they read.
    #[track_caller]
    fn times(&self, other: &Term, read: impl Fn(Label) -> bool) -> Term {
        let (x, y) = (self, other);
        let shared = |l: &Label| y.labels.contains(l);
        let batch: Vec<Label> = x.labels.iter().copied().filter(|l| shared(l) && read(*l)).collect();
        let inner: Vec<Label> = x.labels.iter().copied().filter(|l| shared(l) && !read(*l)).collect();
        let left: Vec<Label> = x.labels.iter().copied().filter(|l| !shared(l)).collect();
        let right: Vec<Label> = y.labels.iter().copied().filter(|l| !x.labels.contains(l)).collect();
        let all: Vec<Label> = [&batch[..], &left, &right, &inner].concat();
        if inner.is_empty() || (left.is_empty() && right.is_empty()) {
            // One pass over memory, with whatever else is fused into it.
            let mut term = Term { tensor: x.arranged(&all) * y.arranged(&all), labels: all };
            term.sum(read);
            return term;
        }
        let sizes = |t: &Term, labels: &[Label]| -> usize {
            labels
                .iter()
                .filter_map(|l| t.labels.iter().position(|own| own == l))
                .map(|i| t.tensor.shape()[i])
                .product()
        };
        let (m, k, n, b) = (sizes(x, &left), sizes(x, &inner), sizes(y, &right), sizes(x, &batch));
        let mut to: Shape = batch.iter().chain(&left).map(|l| sizes(x, &[*l])).collect();
        right.iter().for_each(|l| to.push(sizes(y, &[*l])));
        let a = x.arranged(&[&batch[..], &left, &inner].concat()).reshaped(&[b, m, k].into());
        let c = y.arranged(&[&batch[..], &inner, &right].concat()).reshaped(&[b, k, n].into());
        Term { tensor: a.matmul(c).reshaped(&to), labels: [batch, left, right].concat() }
    }
}
/// The first two axes with one label.
fn twice(labels: &[Label]) -> Option<(usize, usize)> {
    let second = (1..labels.len()).find(|&j| labels[..j].contains(&labels[j]))?;
    Some((labels.iter().position(|l| *l == labels[second])?, second))
}

impl Tensor {
    /// The sum of products that an equation in index notation describes, as in `"bij,bjk->bik"`.
    ///
    /// Composite of [`Tensor::permute`], products and [`Tensor::sum`].
    ///
    /// Every operand has a term, every axis a letter. Axes with one letter run together; the result has the letters
    /// after the arrow and is summed over all others. A letter twice in a term takes the diagonal. `...` stands for
    /// any further axes, which broadcast; sizes of 1 broadcast under a letter too. Without an arrow the result has
    /// the ellipsis and then, sorted, the letters that stand once. Spaces do not matter. Three and more operands are
    /// multiplied in pairs, first the pair whose product adds the fewest elements.
    ///
    /// *Gradient:* that of the products, sums and views which it is made of.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// let a = Tensor::from([[1.0f32, 2.0], [3.0, 4.0]]);
    /// assert_eq!(Tensor::einsum("ij,jk->ik", &[&a, &a]).to_vec::<f32>(), [7.0, 10.0, 15.0, 22.0]);
    /// assert_eq!(Tensor::einsum("ii", &[&a]).item(), 5.0);
    /// ```
    ///
    /// # Panics
    /// If the equation cannot be read or does not fit the operands.
    #[track_caller]
    pub fn einsum<T: Borrow<Tensor>>(equation: &str, operands: &[T]) -> Tensor {
        let operands: Vec<&Tensor> = operands.iter().map(Borrow::borrow).collect();
        let plan = Plan::of(equation, &operands).or_raise();
        let mut terms: Vec<Term> = Vec::with_capacity(operands.len());
        for (&tensor, labels) in operands.iter().zip(&plan.inputs) {
            terms.push(Term::of(&plan, tensor, labels));
        }
        loop {
            // What only one term has is summed before it is multiplied.
            for i in 0..terms.len() {
                let read = plan.read_beside(&terms, [i, i]);
                terms[i].sum(|l| read.contains(&l));
            }
            let Some((i, j)) = cheapest(&plan, &terms) else { break };
            let read = plan.read_beside(&terms, [i, j]);
            let (y, x) = (terms.remove(j), terms.remove(i));
            terms.insert(i, x.times(&y, |l| read.contains(&l)));
        }
        let last = terms.pop().expect("an equation has at least one term");
        last.arranged(&plan.output)
    }
}
/// The pair whose product adds the fewest elements, the first of equals; `None` if one term is left.
fn cheapest(plan: &Plan, terms: &[Term]) -> Option<(usize, usize)> {
    let mut best: Option<(f64, (usize, usize))> = None;
    for j in 1..terms.len() {
        for i in 0..j {
            let (x, y) = (&terms[i].labels, &terms[j].labels);
            let mut kept: Vec<Label> = x.iter().chain(y.iter().filter(|l| !x.contains(l))).copied().collect();
            let read = plan.read_beside(terms, [i, j]);
            kept.retain(|l| read.contains(l));
            let added = plan.elements(&kept) - plan.elements(x) - plan.elements(y);
            if best.is_none_or(|(least, _)| added < least) {
                best = Some((added, (i, j)));
            }
        }
    }
    best.map(|(_, pair)| pair)
}

pub(crate) const ENTRIES: &[Entry] =
    &[Entry::new("einsum", |x, a| vec![Tensor::einsum(a.str_or("equation", ""), x)])];
