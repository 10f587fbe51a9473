//! What a model is to everything that does not compute with it: a tree of named slots, and [`Module`], the walk
//! over them.
//!
//! State dicts, counting, freezing, modes and optimizers are functions of the walk; none of them knows a layer.
//! Names are paths of fields and positions joined with dots, `blocks.0.fc1.weight`, as in PyTorch's files. The
//! walk is implemented by `#[derive(Module)]`; `fields` has it for the types of the standard library.

mod fields;
mod functional;
mod name;
mod state;

#[cfg(feature = "files")]
use crate::files;
use crate::param::{Buffer, Param};
use crate::summary::{self, Summary};
use retrograd_tensor::{DType, Error, ErrorKind, raise};
#[cfg(feature = "files")]
use std::path::Path;

pub use functional::{Substitutes, functional_call};
#[doc(hidden)]
pub use name::join;
#[cfg(feature = "files")]
pub(crate) use state::Source;
pub use state::{LoadOptions, Loaded, StateDict};

/// A slot that a visitor sees.
#[derive(Debug)]
#[non_exhaustive]
pub enum Slot<'a> {
    /// A parameter.
    Param(&'a Param),
    /// State that is saved and not trained.
    Buffer(&'a Buffer),
}

/// A slot that a visitor may change.
#[derive(Debug)]
#[non_exhaustive]
pub enum SlotMut<'a> {
    /// A parameter.
    Param(&'a mut Param),
    /// State that is saved and not trained.
    Buffer(&'a mut Buffer),
    /// The switch of a layer that works differently in training; it is no part of the state.
    Mode(&'a mut Mode),
}

/// Whether a layer works as in training or as in evaluation.
///
/// A layer that cares, like dropout, has a field of this type; [`Module::train`] and [`Module::eval`] find it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Training: what a new layer is in.
    #[default]
    Train,
    /// Evaluation.
    Eval,
}

impl Mode {
    /// Whether this is [`Mode::Train`].
    pub fn is_training(self) -> bool {
        self == Self::Train
    }
}

/// A part of a model: it can show its parameters and buffers under their names.
///
/// Derive it: `#[derive(Module)]`. Every field's type must be a module too, so that no parameter is forgotten;
/// numbers, strings, options, vectors, arrays, tuples and boxes are. What a model computes is an ordinary
/// method, `forward` by custom.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a `Module`",
    label = "neither a layer nor a plain value",
    note = "derive it with #[derive(Module)]; make a trainable value a `Param` and saved state a `Buffer`; mark a field that is neither with #[module(skip)]"
)]
pub trait Module {
    /// Calls `f` with every parameter and buffer and its name, in the order of declaration. `path` is the name
    /// of this module itself, empty for the whole model.
    fn visit<'a>(&'a self, path: &str, f: &mut dyn FnMut(&str, Slot<'a>));

    /// Calls `f` with everything that can be changed, under the same names as [`visit`](Module::visit).
    fn visit_mut<'a>(&'a mut self, path: &str, f: &mut dyn FnMut(&str, SlotMut<'a>));

    /// Calls `f` with every second name that a slot bears in state dicts, and with its first:
    /// `#[module(alias(head.weight = "embed.weight"))]`.
    fn aliases(&self, path: &str, f: &mut dyn FnMut(&str, &str)) {
        let _ = (path, f);
    }

    /// The parameters, frozen ones included.
    fn parameters(&self) -> Vec<&Param> {
        self.named_parameters().into_iter().map(|(_, param)| param).collect()
    }

    /// The parameters with their names, frozen ones included.
    fn named_parameters(&self) -> Vec<(String, &Param)> {
        let mut found = Vec::new();
        self.visit("", &mut |name, slot| {
            if let Slot::Param(param) = slot {
                found.push((name.to_owned(), param));
            }
        });
        found
    }

    /// The buffers with their names.
    fn named_buffers(&self) -> Vec<(String, &Buffer)> {
        let mut found = Vec::new();
        self.visit("", &mut |name, slot| {
            if let Slot::Buffer(buffer) = slot {
                found.push((name.to_owned(), buffer));
            }
        });
        found
    }

    /// How many numbers the parameters hold, frozen ones included.
    fn num_parameters(&self) -> usize {
        self.parameters().iter().map(|param| param.numel()).sum()
    }

    /// A table of what `run` calls: for each layer of this crate its output's shape and bytes, its parameters and its
    /// floating-point operations, and the totals.
    ///
    /// `run` runs once, without recording; running statistics and random streams are afterwards as before. Operations are
    /// counted as [`profile`](retrograd_tensor::profile()) does: 2·in·out for each row of a linear layer's product, and
    /// out for adding its bias; what only moves elements counts 0. Sums of totals are over the whole model, so that layers
    /// that are called twice have two rows, and count once.
    ///
    /// ```
    /// use retrograd_nn::{Linear, Module};
    /// use retrograd_tensor::{Rng, Tensor};
    /// let model = Linear::new(784, 10, &mut Rng::new(0));
    /// let summary = model.summary(|model| model.forward(&Tensor::zeros([32, 784])));
    /// let row = &summary.rows[0];
    /// assert_eq!((row.layer, &row.output[..], row.parameters), ("Linear", &[32, 10][..], 7850));
    /// assert_eq!(row.flops, 32 * (2 * 784 * 10 + 10));
    /// assert!(summary.to_string().contains("parameters: 7,850, 7,850 of them trainable, 30.7 KiB"));
    /// ```
    ///
    /// Source: torchinfo's `summary`, which counts a multiplication and an addition as one.
    #[track_caller]
    fn summary<R>(&self, run: impl FnOnce(&Self) -> R) -> Summary
    where
        Self: Sized,
    {
        summary::of(self, run)
    }

    /// The values of all parameters and buffers by name, aliases included. Nothing is copied: later steps put
    /// new values into the model and leave these as they are. An alias of a name that the model does not have stands for
    /// nothing.
    fn state_dict(&self) -> StateDict {
        state::collect(&mut |f| self.visit("", f), &mut |f| self.aliases("", f))
    }

    /// Puts the values of `state` into the model: all of them, or none.
    ///
    /// Identities, frozen or not, and modes stay. A buffer that is
    /// [optional](crate::Buffer::optional) may be absent. A parameter with an alias may be given under either
    /// name.
    ///
    /// # Errors
    /// Lists *every* entry that is missing, unexpected, or of another shape or dtype; the model is unchanged.
    fn load_state_dict(&mut self, state: &StateDict) -> Result<(), Error> {
        self.load_state_dict_with(state, LoadOptions::default()).map(drop)
    }

    /// As [`load_state_dict`](Module::load_state_dict), as exactly as `options` ask; says what it left aside.
    ///
    /// # Errors
    /// Lists *every* entry that does not fit; the model is unchanged.
    fn load_state_dict_with(&mut self, state: &StateDict, options: LoadOptions) -> Result<Loaded, Error> {
        let plan = state::check(&mut |f| self.visit("", f), &mut |f| self.aliases("", f), state, options)?;
        put(&mut |f| self.visit_mut("", &mut |name, slot| f(name, slot)), &plan.0);
        Ok(plan.1)
    }

    /// Writes the parameters and buffers to a safetensors file at `path`, replacing what is there in one step:
    /// PyTorch loads it by name into the same architecture.
    ///
    /// Random streams of layers are left out, as nobody else knows them; a
    /// [`Checkpoint`](crate::files::Checkpoint) is what a run continues from.
    ///
    /// ```
    /// use retrograd_nn::{Linear, Module};
    /// use retrograd_tensor::Rng;
    /// let path = std::env::temp_dir().join(format!("doc-model-{}.safetensors", std::process::id()));
    /// let (model, mut other) = (Linear::new(3, 2, &mut Rng::new(1)), Linear::new(3, 2, &mut Rng::new(2)));
    /// model.save(&path)?;
    /// other.load(&path)?;
    /// assert_eq!(model.state_dict(), other.state_dict());
    /// # std::fs::remove_file(&path).unwrap();
    /// # Ok::<(), retrograd_tensor::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the file cannot be written; what was there before stays.
    #[cfg(feature = "files")]
    fn save(&self, path: impl AsRef<Path>) -> Result<(), Error>
    where
        Self: Sized,
    {
        let mut state = self.state_dict();
        for (name, buffer) in self.named_buffers() {
            if buffer.is_stream() {
                state.remove(&name);
            }
        }
        files::save_safetensors(path, &state)
    }

    /// Takes the values in the safetensors file at `path` into the model: all of them, or none. The inverse of
    /// [`save`](Module::save), and the way to load what was trained with PyTorch.
    ///
    /// # Errors
    /// If the file cannot be read or is damaged; lists *every* entry that is missing, unexpected, or of another
    /// shape or dtype. The model is unchanged then.
    #[cfg(feature = "files")]
    fn load(&mut self, path: impl AsRef<Path>) -> Result<(), Error>
    where
        Self: Sized,
    {
        self.load_with(path, LoadOptions::default()).map(drop)
    }

    /// As [`load`](Module::load), as exactly as `options` ask; says what it left aside. Only what the model takes is
    /// read.
    ///
    /// # Errors
    /// If the file cannot be read or is damaged; lists *every* entry that does not fit. The model is unchanged then.
    #[cfg(feature = "files")]
    fn load_with(&mut self, path: impl AsRef<Path>, options: LoadOptions) -> Result<Loaded, Error>
    where
        Self: Sized,
    {
        let (path, file) = (path.as_ref(), files::SafeTensors::open(&path)?);
        let plan = state::check(&mut |f| self.visit("", f), &mut |f| self.aliases("", f), &file, options);
        let plan = plan.map_err(|e| match e.op() {
            "load_state_dict" => Error::new("load", e.kind(), format!("{}: {}", path.display(), e.detail())),
            _ => e,
        })?;
        put(&mut |f| self.visit_mut("", &mut |name, slot| f(name, slot)), &plan.0);
        Ok(plan.1)
    }

    /// Makes all parameters, and the buffers that hold floats, of the floating type `dtype`: PyTorch's `to`.
    ///
    /// Identities and modes stay. Convert before an optimizer is made: its state has the type of the parameters.
    ///
    /// # Panics
    /// If `dtype` is no floating type.
    #[track_caller]
    fn convert(&mut self, dtype: DType) {
        if !dtype.is_float() {
            let detail = format!("not a floating type: {dtype}; it must be one of F16, BF16, F32, F64");
            raise(Error::new("convert", ErrorKind::Dtype, detail));
        }
        self.visit_mut("", &mut |_, slot| match slot {
            SlotMut::Param(param) => param.convert(dtype),
            SlotMut::Buffer(buffer) => buffer.convert(dtype),
            SlotMut::Mode(_) => {}
        });
    }

    /// Takes all parameters out of training.
    fn freeze(&mut self) {
        self.visit_mut("", &mut |_, slot| {
            if let SlotMut::Param(param) = slot {
                param.freeze();
            }
        });
    }

    /// Puts all parameters back into training.
    fn unfreeze(&mut self) {
        self.visit_mut("", &mut |_, slot| {
            if let SlotMut::Param(param) = slot {
                param.unfreeze();
            }
        });
    }

    /// Takes the parameters at or under the dotted name `prefix` out of training. `blocks.1` is `blocks.1`
    /// and all below it, not `blocks.10`.
    ///
    /// # Panics
    /// If there is no such parameter.
    #[track_caller]
    fn freeze_prefix(&mut self, prefix: &str) {
        let found = change_prefix(
            &mut |f| self.visit_mut("", &mut |name, slot| f(name, slot)),
            prefix,
            &mut Param::freeze,
        );
        expect_some("freeze_prefix", prefix, found);
    }

    /// Puts the parameters at or under the dotted name `prefix` back into training.
    ///
    /// # Panics
    /// If there is no such parameter.
    #[track_caller]
    fn unfreeze_prefix(&mut self, prefix: &str) {
        let found = change_prefix(
            &mut |f| self.visit_mut("", &mut |name, slot| f(name, slot)),
            prefix,
            &mut Param::unfreeze,
        );
        expect_some("unfreeze_prefix", prefix, found);
    }

    /// Switches every layer to training.
    fn train(&mut self) {
        set_mode(&mut |f| self.visit_mut("", &mut |name, slot| f(name, slot)), Mode::Train);
    }

    /// Switches every layer to evaluation.
    fn eval(&mut self) {
        set_mode(&mut |f| self.visit_mut("", &mut |name, slot| f(name, slot)), Mode::Eval);
    }
}

/// `Module::visit_mut` of some module, ready to be given its visitor. Provided methods pass their walk on in
/// this form, since `Self` may be unsized there.
type WalkMut<'w> = dyn FnMut(&mut dyn FnMut(&str, SlotMut<'_>)) + 'w;

/// Puts checked values into their slots.
fn put(walk: &mut WalkMut<'_>, values: &StateDict) {
    walk(&mut |name, slot| {
        let Some(value) = values.get(name) else { return };
        match slot {
            SlotMut::Param(param) => drop(param.replace(value)),
            SlotMut::Buffer(buffer) => drop(buffer.replace(value)),
            SlotMut::Mode(_) => {}
        }
    });
}

fn change_prefix(walk: &mut WalkMut<'_>, prefix: &str, change: &mut dyn FnMut(&mut Param)) -> usize {
    let mut found = 0;
    walk(&mut |name, slot| {
        let below = name.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        if let (SlotMut::Param(param), true) = (slot, below) {
            change(param);
            found += 1;
        }
    });
    found
}

#[track_caller]
fn expect_some(op: &'static str, prefix: &str, found: usize) {
    if found == 0 {
        let detail =
            format!("no parameter found: at or under `{prefix}`; give a whole path such as `blocks.0`");
        raise(Error::new(op, ErrorKind::Value, detail));
    }
}

fn set_mode(walk: &mut WalkMut<'_>, mode: Mode) {
    walk(&mut |_, slot| {
        if let SlotMut::Mode(slot) = slot {
            *slot = mode;
        }
    });
}
