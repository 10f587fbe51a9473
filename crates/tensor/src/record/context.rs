//! What a gradient rule reads.
use super::{Edge, OpRule, Record};
use crate::mode;
use crate::op::Spec;
use crate::shape::Shape;
use crate::tensor::Tensor;
use std::fmt;
use std::sync::Arc;

/// What a gradient rule sees of its record: saved values as tensors again.
pub struct Context<'a> {
    pub(super) record: &'a Arc<Record>,
    pub(super) edges: &'a [Option<Edge>],
    /// Bit i: the cotangent of operand i is asked for.
    pub(super) needs: u64,
    pub(super) rule: &'a OpRule,
}
impl fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.record.fmt(f)
    }
}
impl Context<'_> {
    /// Operand `i`, which [`Op::saves`](crate::op::Op::saves) named; tracked again if recording is on.
    ///
    /// # Panics
    /// If it was not saved.
    #[track_caller]
    pub fn input(&self, i: usize) -> Tensor {
        let saved = self.rule.inputs[i]
            .as_ref()
            .unwrap_or_else(|| panic!("{}: operand {i} was not saved", self.record.name));
        let edge = if mode::recording() { self.edges[i].clone() } else { None };
        Tensor { value: saved.hold(), edge, label: None }
    }
    /// Output `i`, which [`Op::saves`](crate::op::Op::saves) named.
    ///
    /// # Panics
    /// If it was not saved.
    #[track_caller]
    pub fn output(&self, i: usize) -> Tensor {
        let saved = self.rule.outputs[i]
            .as_ref()
            .unwrap_or_else(|| panic!("{}: output {i} was not saved", self.record.name));
        let edge = Edge { record: self.record.clone(), out: i as u32 };
        Tensor { value: saved.hold(), edge: mode::recording().then_some(edge), label: None }
    }
    /// How many operands the operation had.
    pub fn operands(&self) -> usize {
        self.edges.len()
    }
    /// Whether the cotangent of operand `i` is asked for.
    pub fn needs(&self, i: usize) -> bool {
        i >= 64 || self.needs >> i & 1 == 1
    }
    /// Shape and dtype of operand `i`.
    pub fn spec(&self, i: usize) -> &Spec {
        &self.rule.specs[i]
    }
    /// The shape of operand `i`.
    pub fn shape(&self, i: usize) -> &Shape {
        &self.rule.specs[i].shape
    }
}
