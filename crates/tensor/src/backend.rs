//! The seam to hardware: what a device must do to run everything above it.
//!
//! A device gets programs (fused passes) and calls (named loops over operands in memory), and memory. One that has
//! its own version of a call knows it by name. The CPU is the only one so far, so buffers are host memory and
//! nothing has to be waited for; a device with memory of its own adds copies in and out, and a wait.
use crate::buffer::{Buffer, Refused};
use crate::call::{Call, View, ViewMut};
use crate::cpu::Cpu;
use crate::fuse::Code;
use crate::plan::Binding;

/// A device.
pub(crate) trait Backend: Sync {
    /// Memory for results.
    fn allocate(&self, bytes: usize) -> Result<Buffer, Refused>;
    /// Runs a program over its operands; not at all, without the memory that it takes beside them.
    fn run(&self, code: &Code, bound: &Binding<'_>) -> Result<(), Refused>;
    /// Takes the memory that a run would take beside its operands and results, and gives it back.
    fn rehearse(&self, code: &Code, bound: &Binding<'_>) -> Result<(), Refused>;
    /// Runs a loop over whole operands.
    fn call(&self, call: &Call, x: &[View<'_>], out: &mut [ViewMut<'_>]);
}
/// The device in use.
pub(crate) fn backend() -> &'static dyn Backend {
    &Cpu
}
