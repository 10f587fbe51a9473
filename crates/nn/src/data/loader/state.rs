//! The position of a loader, saved and taken back.

use super::{DataLoader, LoaderBatches};
use crate::data::sample::Sample;
use crate::module::StateDict;
use retrograd_tensor::{Error, ErrorKind, Tensor};

/// Where a source of batches stands, as a checkpoint saves it: a [`DataLoader`], or its batches while they are given out.
///
/// A source of one's own may implement it, to be shown to `Parts::loader`.
pub trait Position {
    /// Where it stands.
    fn state_dict(&self) -> StateDict;

    /// Goes where it stood.
    ///
    /// # Errors
    /// If `state` does not fit; nothing is changed then.
    fn load_state_dict(&mut self, state: &StateDict) -> Result<(), Error>;
}

impl<T: Sample, B: Send + 'static> Position for DataLoader<T, B> {
    fn state_dict(&self) -> StateDict {
        Self::state_dict(self)
    }

    fn load_state_dict(&mut self, state: &StateDict) -> Result<(), Error> {
        Self::load_state_dict(self, state)
    }
}

/// The position of the loader; on loading, the batches that come next are those from there on.
impl<T: Sample, B: Send + 'static> Position for LoaderBatches<'_, T, B> {
    fn state_dict(&self) -> StateDict {
        self.loader().state_dict()
    }

    fn load_state_dict(&mut self, state: &StateDict) -> Result<(), Error> {
        self.go_to(state)
    }
}

impl<P: Position + ?Sized> Position for &mut P {
    fn state_dict(&self) -> StateDict {
        (**self).state_dict()
    }

    fn load_state_dict(&mut self, state: &StateDict) -> Result<(), Error> {
        (**self).load_state_dict(state)
    }
}

impl<T: Sample, B: Send + 'static> DataLoader<T, B> {
    /// `seed`, `epoch`, `position` (how many samples of the epoch have been given out) and `samples` (how many the
    /// data set has), each one `i64`. Batches that workers have loaded ahead have not been given out.
    pub fn state_dict(&self) -> StateDict {
        let entry = |name: &str, value: u64| (name.to_owned(), Tensor::from(value as i64));
        StateDict::from([
            entry("seed", self.seed),
            entry("epoch", self.epoch),
            entry("position", self.position as u64),
            entry("samples", self.samples as u64),
        ])
    }

    /// Goes to a saved position: the batches that come are those that would have come, bit for bit, if data set,
    /// sampler, map and size of batches are the same.
    ///
    /// ```
    /// use retrograd_nn::data::{DataLoader, TensorDataset};
    /// use retrograd_tensor::{Error, I64};
    /// let y = I64.arange(0, 9, 1);
    /// let data = TensorDataset::new(y.clone(), y);
    /// let mut loader = DataLoader::new(data.clone()).batch_size(2).shuffle(true).seed(3);
    /// let _ = loader.batches().nth(1);
    /// let mut other = DataLoader::new(data).batch_size(2).shuffle(true);
    /// other.load_state_dict(&loader.state_dict())?;
    /// let left = loader.batches().collect::<Result<Vec<_>, Error>>()?;
    /// assert_eq!((left.len(), left), (3, other.batches().collect::<Result<Vec<_>, Error>>()?));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// With everything that is missing, unknown or does not fit the data set; nothing is changed then.
    pub fn load_state_dict(&mut self, state: &StateDict) -> Result<(), Error> {
        let mut problems = Vec::new();
        let like = Tensor::from(0i64);
        let mut read = |name: &str| {
            let value = crate::optim::entry(state, name, &like);
            let value = value.map_err(|problem| problems.push(problem)).ok()?;
            Some(value.to_vec::<i64>()[0])
        };
        let [seed, epoch, position, samples] = ["seed", "epoch", "position", "samples"].map(&mut read);
        for (name, value) in [("epoch", epoch), ("position", position)] {
            problems.extend(
                value.filter(|&value| value < 0).map(|value| format!("`{name}` is negative: {value}")),
            );
        }
        if let Some(samples) = samples.filter(|&samples| samples != self.samples as i64) {
            problems.push(format!("`samples` is {samples}, but the data set has {}", self.samples));
        }
        let known = ["seed", "epoch", "position", "samples"];
        let unknown = state.keys().filter(|name| !known.contains(&name.as_str()));
        problems.extend(unknown.map(|name| format!("`{name}` is unexpected")));
        match (seed, epoch, position) {
            (Some(seed), Some(epoch), Some(position)) if problems.is_empty() => {
                (self.seed, self.epoch, self.position) = (seed as u64, epoch as u64, position as usize);
                Ok(())
            }
            _ => {
                let detail = format!("state does not fit: {}; the loader is unchanged", problems.join(", "));
                Err(Error::new("DataLoader", ErrorKind::Format, detail))
            }
        }
    }
}
