//! What one optimizer is: a [`Rule`], its settings and its update; `optimizer!` makes the public struct of it.

use super::Knobs;
use super::core::Update;
use retrograd_tensor::{Scalar, Tensor};
use std::fmt::Debug;

/// The state that goes with one parameter: names, and values before the first step.
pub(super) type Slots = Vec<(&'static str, Tensor)>;

/// The settings of one group of parameters, and what a step makes of them.
pub(super) trait Rule: Clone + Debug {
    /// The optimizer's name, for messages.
    const NAME: &'static str;

    /// What a schedule turns.
    fn knobs(&mut self) -> Knobs<'_>;

    /// Refuses values that no option may have.
    fn check(&self) -> Result<(), String>;

    /// Refuses options that do not go together; asked before each step, when all of them are set.
    fn coherent(&self) -> Result<(), String> {
        Ok(())
    }

    /// Refuses parameters that the rule has no update for.
    fn accepts(&self, shape: &[usize]) -> Result<(), String> {
        let _ = shape;
        Ok(())
    }

    /// The state of a parameter like this one.
    fn slots(&self, like: &Tensor) -> Slots;

    /// The new parameter, then its new state.
    fn update(&self, update: Update<'_>) -> Vec<Tensor>;
}

/// Zeros in the parameter's shape and type for each name.
pub(super) fn zeros(names: &[&'static str], like: &Tensor) -> Slots {
    names.iter().map(|&name| (name, like.zeros_like())).collect()
}

/// The gradient that a formula goes by: downhill, with the decay of the parameter added.
pub(super) fn directed(p: Scalar, g: Scalar, maximize: bool, weight_decay: f64) -> Scalar {
    let g = if maximize { -g } else { g };
    if weight_decay == 0.0 { g } else { g + p * weight_decay }
}

/// Refuses an option below 0, or NaN.
pub(super) fn at_least_0(option: &str, value: f64) -> Result<(), String> {
    if value >= 0.0 { Ok(()) } else { Err(format!("{option} not allowed: {value}; it must be at least 0")) }
}

/// Refuses a share outside [0, 1).
pub(super) fn below_1(option: &str, value: f64) -> Result<(), String> {
    if (0.0..1.0).contains(&value) {
        return Ok(());
    }
    Err(format!("{option} not allowed: {value}; it must be at least 0 and below 1"))
}

/// Refuses both shares of a pair outside [0, 1).
pub(super) fn betas_below_1((first, second): (f64, f64)) -> Result<(), String> {
    below_1("first beta", first)?;
    below_1("second beta", second)
}

/// The settings, the struct around them and its [`Optimizer`](super::Optimizer), of one rule.
macro_rules! optimizer {
    (
        $(#[$doc:meta])*
        $name:ident, $options:ident {
            $($(#[$field_doc:meta])* $field:ident($($arg:ident: $arg_type:ty),+): $type:ty = $default:expr;)*
        }
    ) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name {
            core: $crate::optim::core::Core<$options>,
        }

        #[doc = concat!("The settings of one group of parameters of [`", stringify!($name), "`].")]
        #[derive(Clone, Debug)]
        pub struct $options {
            /// The learning rate.
            pub lr: f64,
            $($(#[$field_doc])* pub $field: $type,)*
        }

        impl $name {
            /// An optimizer of the parameters of `model` with this learning rate.
            ///
            /// # Panics
            /// If the rate is negative or NaN.
            #[track_caller]
            pub fn new(model: &dyn $crate::module::Module, lr: f64) -> Self {
                Self { core: $crate::optim::core::Core::new(model, $options { lr, $($field: $default,)* }) }
            }

            $(
                $(#[$field_doc])*
                ///
                /// # Panics
                /// If the value is outside the option's range.
                #[must_use]
                #[track_caller]
                pub fn $field(mut self, $($arg: $arg_type),+) -> Self {
                    self.core.change(|options| options.$field = ($($arg),+));
                    self
                }
            )*

            /// Gives the parameters whose name and shape `chosen` accepts settings of their own: those set so far,
            /// changed by `change`. A parameter belongs to the last group that chose it.
            ///
            /// # Panics
            /// If no parameter is chosen, or a value is outside its option's range.
            #[must_use]
            #[track_caller]
            pub fn group(
                mut self,
                chosen: impl Fn(&str, &[usize]) -> bool,
                change: impl FnOnce(&mut $options),
            ) -> Self {
                self.core.group(chosen, change);
                self
            }

            /// Leaves all parameters alone but those whose name and shape `chosen` accepts: another optimizer
            /// moves the others.
            ///
            /// # Panics
            /// If no parameter is chosen.
            #[must_use]
            #[track_caller]
            pub fn only(mut self, chosen: impl Fn(&str, &[usize]) -> bool) -> Self {
                self.core.only(chosen);
                self
            }

            /// What to do about parameters that the loss does not depend on.
            #[must_use]
            pub fn unused(mut self, unused: $crate::optim::Unused) -> Self {
                self.core.unused = unused;
                self
            }
        }

        impl $crate::optim::Optimizer for $name {
            fn step(
                &mut self,
                model: &mut dyn $crate::module::Module,
                grads: &retrograd_autograd::Gradients,
            ) -> Result<(), retrograd_tensor::Error> {
                self.core.step(model, grads)
            }

            fn knobs(&mut self) -> Vec<$crate::optim::Knobs<'_>> {
                self.core.knobs()
            }

            fn state_dict(&self) -> $crate::module::StateDict {
                self.core.state_dict()
            }

            fn load_state_dict(
                &mut self,
                state: &$crate::module::StateDict,
            ) -> Result<(), retrograd_tensor::Error> {
                self.core.load_state_dict(state)
            }
        }
    };
}

pub(super) use optimizer;
