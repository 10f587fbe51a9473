//! The claims of the examples, each run with a small budget: the direction of what an example shows must hold, with a
//! margin. What margins were seen over several seeds stands beside each check.
//!
//! An example `NAME` is the module `NAME`, its check the file `check_NAME.rs` beside this one.

#[path = "../../examples/vanishing_gradient.rs"]
#[expect(dead_code, reason = "the program's main")]
mod vanishing_gradient;

mod check_vanishing_gradient;

#[path = "../../examples/hidden_units.rs"]
#[expect(dead_code, reason = "the program's main")]
mod hidden_units;

mod check_hidden_units;

#[path = "../../examples/latent_then_linear.rs"]
#[expect(dead_code, reason = "the program's main")]
mod latent_then_linear;

mod check_latent_then_linear;

#[path = "../../examples/fault_tolerance.rs"]
#[expect(dead_code, reason = "the program's main")]
mod fault_tolerance;

mod check_fault_tolerance;

#[path = "../../examples/distillation.rs"]
#[expect(dead_code, reason = "the program's main")]
mod distillation;

mod check_distillation;

#[path = "../../examples/loss_surface.rs"]
#[expect(dead_code, reason = "the program's main")]
mod loss_surface;

mod check_loss_surface;

#[path = "../../examples/basis_vs_learned.rs"]
#[expect(dead_code, reason = "the program's main")]
mod basis_vs_learned;

mod check_basis_vs_learned;

#[path = "../../examples/skip_connections.rs"]
#[expect(dead_code, reason = "the program's main")]
mod skip_connections;

mod check_skip_connections;

#[path = "../../examples/reaction_time.rs"]
#[expect(dead_code, reason = "the program's main")]
mod reaction_time;

mod check_reaction_time;

#[path = "../../examples/without_backprop.rs"]
#[expect(dead_code, reason = "the program's main")]
mod without_backprop;

mod check_without_backprop;

#[path = "../../examples/sparse_wiring.rs"]
#[expect(dead_code, reason = "the program's main")]
mod sparse_wiring;

mod check_sparse_wiring;

#[path = "../../examples/lateral_connections.rs"]
#[expect(dead_code, reason = "the program's main")]
mod lateral_connections;

mod check_lateral_connections;

#[path = "../../examples/implicit_regularization.rs"]
#[expect(dead_code, reason = "the program's main")]
mod implicit_regularization;

mod check_implicit_regularization;

#[path = "../../examples/edge_detectors.rs"]
#[expect(dead_code, reason = "the program's main")]
mod edge_detectors;

mod check_edge_detectors;

#[path = "../../examples/self_play.rs"]
#[expect(dead_code, reason = "the program's main")]
mod self_play;

mod check_self_play;

#[path = "../../examples/noisy_teacher.rs"]
#[expect(dead_code, reason = "the program's main")]
mod noisy_teacher;

mod check_noisy_teacher;
