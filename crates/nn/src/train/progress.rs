//! What a training loop shows while it runs: one line with loss, metrics, samples per second and time left.
//!
//! [`Progress`] is told about each batch and each epoch by whoever has the loop, and averages. On a
//! terminal the line is redrawn in place (feature `train`); elsewhere an epoch is a line, and lines come at most
//! twice a second. All of it goes to standard error: standard output belongs to the program.

use std::io::Write;
use std::time::{Duration, Instant};

/// The least time between two plain lines.
const PAUSE: Duration = Duration::from_millis(500);

/// The progress line of one training run.
///
/// ```
/// use retrograd_nn::train::Progress;
/// let (epochs, samples) = (2, 100);
/// let mut progress = Progress::to(std::io::sink(), epochs, samples);
/// for _ in 0..epochs {
///     progress.batch(60, 0.5, 0.8);
///     progress.batch(40, 0.5, 0.9);
///     let epoch = progress.epoch();
///     assert!((epoch.accuracy - 0.84).abs() < 1e-12);
/// }
/// ```
pub struct Progress {
    epochs: usize,
    /// Samples of one epoch.
    samples: usize,
    started: Instant,
    /// Epochs that were over before the clock was started.
    before: usize,
    /// Epochs that are over, those included.
    done: usize,
    current: Sums,
    output: Output,
}

/// Means over the samples of an epoch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Epoch {
    /// The mean loss.
    pub loss: f64,
    /// The mean accuracy.
    pub accuracy: f64,
}

/// Sums over the samples of the epoch that runs.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    samples: usize,
    loss: f64,
    accuracy: Option<f64>,
}

enum Output {
    Plain {
        writer: Box<dyn Write + Send>,
        last: Option<Instant>,
    },
    #[cfg(feature = "train")]
    Terminal(indicatif::ProgressBar),
}

impl Progress {
    /// The line of a run of `epochs` epochs of `samples` samples, on standard error.
    pub fn new(epochs: usize, samples: usize) -> Self {
        #[cfg(feature = "train")]
        {
            // Left as it stands if the run ends early.
            let bar = indicatif::ProgressBar::new((epochs * samples) as u64)
                .with_finish(indicatif::ProgressFinish::Abandon);
            if !bar.is_hidden() {
                if let Ok(style) = indicatif::ProgressStyle::with_template("{bar:24} {msg}") {
                    bar.set_style(style);
                }
                return Self::with(Output::Terminal(bar), epochs, samples);
            }
        }
        Self::to(std::io::stderr(), epochs, samples)
    }

    /// The same as plain lines, to `writer`.
    pub fn to(writer: impl Write + Send + 'static, epochs: usize, samples: usize) -> Self {
        Self::with(Output::Plain { writer: Box::new(writer), last: None }, epochs, samples)
    }

    fn with(output: Output, epochs: usize, samples: usize) -> Self {
        let current = Sums::default();
        Self { epochs, samples, started: Instant::now(), before: 0, done: 0, current, output }
    }

    /// The same for a run that goes on after `done` of its epochs.
    ///
    /// ```
    /// use retrograd_nn::train::Progress;
    /// let mut progress = Progress::to(std::io::sink(), 5, 100).after(3);
    /// progress.batch_loss(100, 0.5);
    /// assert_eq!(progress.epoch_with(&[("val_loss", 0.6)]).loss, 0.5);       // shown as epoch 4 of 5
    /// ```
    #[must_use]
    pub fn after(self, done: usize) -> Self {
        #[cfg(feature = "train")]
        if let Output::Terminal(bar) = &self.output {
            bar.set_position((done * self.samples) as u64);
        }
        Self { before: done, done, ..self }
    }

    /// Counts a batch of `samples` samples with this mean loss and accuracy.
    pub fn batch(&mut self, samples: usize, loss: f64, accuracy: f64) {
        *self.current.accuracy.get_or_insert_default() += accuracy * samples as f64;
        self.batch_loss(samples, loss);
    }

    /// Counts a batch of `samples` samples with this mean loss, where accuracy means nothing.
    pub fn batch_loss(&mut self, samples: usize, loss: f64) {
        self.current.samples += samples;
        self.current.loss += loss * samples as f64;
        #[cfg(feature = "train")]
        if let Output::Terminal(bar) = &self.output {
            let shown = self.current.shown(&[]);
            bar.set_message(self.line(self.done + 1, &shown, self.current.samples));
            bar.inc(samples as u64);
        }
    }

    /// Ends an epoch and returns its means; that of accuracies is NaN if none were told.
    pub fn epoch(&mut self) -> Epoch {
        self.epoch_with(&[])
    }

    /// [`epoch`](Progress::epoch) whose line shows these figures too.
    pub fn epoch_with(&mut self, metrics: &[(&str, f64)]) -> Epoch {
        let sums = std::mem::take(&mut self.current);
        self.done += 1;
        let is_last = self.done == self.epochs;
        let line = self.line(self.done, &sums.shown(metrics), 0);
        match &mut self.output {
            Output::Plain { writer, last } => {
                if is_last || last.is_none_or(|last| last.elapsed() >= PAUSE) {
                    // A lost progress line is no reason to stop training.
                    let _ = writeln!(writer, "{line}");
                    *last = Some(Instant::now());
                }
            }
            #[cfg(feature = "train")]
            Output::Terminal(bar) => {
                bar.set_message(line);
                if is_last {
                    bar.abandon();
                }
            }
        }
        sums.epoch()
    }

    /// The line for epoch number `number`, with `running` samples beyond those of the epochs that are over.
    fn line(&self, number: usize, shown: &str, running: usize) -> String {
        let seen = (self.done - self.before) * self.samples + running;
        let rate = seen as f64 / self.started.elapsed().as_secs_f64().max(1e-9);
        let all = self.epochs.saturating_sub(self.before) * self.samples;
        let left = all.saturating_sub(seen) as f64 / rate.max(1e-9);
        let epochs = self.epochs;
        format!("epoch {number}/{epochs}  {shown}  {rate:.0} samples/s  {} left", duration(left))
    }
}

impl Sums {
    fn epoch(self) -> Epoch {
        let samples = self.samples as f64;
        Epoch { loss: self.loss / samples, accuracy: self.accuracy.unwrap_or(f64::NAN) / samples }
    }

    /// The figures as a line shows them.
    fn shown(self, metrics: &[(&str, f64)]) -> String {
        let Epoch { loss, accuracy } = self.epoch();
        let mut shown = format!("loss {loss:.4}");
        if self.accuracy.is_some() {
            shown += &format!("  accuracy {accuracy:.4}");
        }
        metrics.iter().for_each(|(name, value)| shown += &format!("  {name} {value:.4}"));
        shown
    }
}

impl std::fmt::Debug for Progress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Progress")
            .field("epochs", &self.epochs)
            .field("done", &self.done)
            .finish_non_exhaustive()
    }
}

/// Seconds for people: `8 s`, `3 min 20 s`, `2 h 5 min`.
fn duration(seconds: f64) -> String {
    let seconds = seconds.ceil().min(u32::MAX.into()) as u64;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::duration;

    #[test]
    fn durations_are_readable() {
        assert_eq!([7.2, 200.0, 7500.0].map(duration), ["8 s", "3 min 20 s", "2 h 5 min"]);
    }
}
