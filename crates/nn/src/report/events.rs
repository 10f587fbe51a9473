//! Event files, which TensorBoard shows while a run goes on.

use super::histogram::Histogram;
use super::picture::{self, Picture};
use super::wire::{self, Message};
use retrograd_tensor::{Error, ErrorKind, Tensor};
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, UNIX_EPOCH};

/// How old an event may become in memory while others come.
const PAUSE: Duration = Duration::from_secs(2);
/// How many names are tried for a new file.
const ATTEMPTS: usize = 100;

/// Writes scalars, histograms and images into an event file that TensorBoard reads: `tensorboard --logdir runs`, with a
/// folder below `runs` for each run.
///
/// Tags with a common part before a `/` are shown together. What is written reaches the file at the latest with
/// [`flush`](EventWriter::flush) or the end of the writer, and about every two seconds while events come. TensorBoard
/// stores scalars as `f32`.
///
/// ```
/// use retrograd_nn::report::EventWriter;
/// let folder = std::env::temp_dir().join(format!("retrograd-events-doc-{}", std::process::id()));
/// let mut events = EventWriter::create(&folder)?;
/// events.scalar(1, "loss/train", 0.5)?;
/// events.scalar(2, "loss/train", 0.25)?;
/// events.flush()?;
/// assert_eq!(std::fs::read_dir(&folder)?.count(), 1);
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct EventWriter {
    writer: Box<dyn Write + Send>,
    clock: Box<dyn Fn() -> f64 + Send>,
    path: Option<PathBuf>,
    begun: bool,
    flushed: Instant,
}

impl EventWriter {
    /// A writer of a new file in `folder`, which is made if need be; files that are there stay.
    ///
    /// # Errors
    /// If the file cannot be made.
    pub fn create(folder: impl AsRef<Path>) -> Result<Self, Error> {
        let folder = folder.as_ref();
        let (path, file) = new_file(folder).map_err(|e| error(Some(folder), &e))?;
        Ok(Self { path: Some(path), ..Self::to(BufWriter::new(file)) })
    }

    /// A writer of the same bytes to somewhere else.
    ///
    /// ```
    /// use retrograd_nn::report::EventWriter;
    /// let mut events = EventWriter::to(std::io::sink()).clock(|| 0.0);
    /// events.scalar(1, "loss", 0.5)?;
    /// # Ok::<(), retrograd_tensor::Error>(())
    /// ```
    pub fn to(writer: impl Write + Send + 'static) -> Self {
        let clock = || UNIX_EPOCH.elapsed().unwrap_or_default().as_secs_f64();
        let (writer, clock) = (Box::new(writer), Box::new(clock));
        Self { writer, clock, path: None, begun: false, flushed: Instant::now() }
    }

    /// The same with another clock, in seconds since 1970: for runs of another time.
    #[must_use]
    pub fn clock(self, now: impl Fn() -> f64 + Send + 'static) -> Self {
        Self { clock: Box::new(now), ..self }
    }

    /// One number.
    ///
    /// ```
    /// use retrograd_nn::report::EventWriter;
    /// EventWriter::to(std::io::sink()).scalar(1, "loss/test", 0.5)?;
    /// # Ok::<(), retrograd_tensor::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn scalar(&mut self, step: u64, tag: &str, value: f64) -> Result<(), Error> {
        self.event(step, tag, wire::scalar(value))
    }

    /// The distribution of some numbers.
    ///
    /// ```
    /// use retrograd_nn::report::{EventWriter, Histogram};
    /// use retrograd_tensor::{Rng, Tensor};
    /// let x = Tensor::randn([100], &mut Rng::new(0));
    /// EventWriter::to(std::io::sink()).histogram(1, "x", &Histogram::of(&x, 30))?;
    /// # Ok::<(), retrograd_tensor::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn histogram(&mut self, step: u64, tag: &str, histogram: &Histogram) -> Result<(), Error> {
        self.event(step, tag, wire::histogram(histogram))
    }

    /// An image, `[height, width]`, `[1, height, width]` or `[3, height, width]`, of bytes or of numbers from 0 to 1.
    ///
    /// ```
    /// use retrograd_nn::report::EventWriter;
    /// use retrograd_tensor::Tensor;
    /// EventWriter::to(std::io::sink()).image(1, "digit", &Tensor::zeros([28, 28]))?;
    /// # Ok::<(), retrograd_tensor::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the file cannot be written.
    ///
    /// # Panics
    /// If the shape is none of these.
    #[track_caller]
    pub fn image(&mut self, step: u64, tag: &str, image: &Tensor) -> Result<(), Error> {
        self.picture(step, tag, &picture::image(image))
    }

    pub(super) fn picture(&mut self, step: u64, tag: &str, picture: &Picture) -> Result<(), Error> {
        self.event(step, tag, wire::image(picture))
    }

    /// Brings everything written so far into the file.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn flush(&mut self) -> Result<(), Error> {
        self.flushed = Instant::now();
        self.begin().and_then(|()| self.writer.flush()).map_err(|e| error(self.path.as_deref(), &e))
    }

    /// Where the file is; `None` if it is none.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Writes what a file begins with, once.
    fn begin(&mut self) -> io::Result<()> {
        if std::mem::replace(&mut self.begun, true) {
            return Ok(());
        }
        self.writer.write_all(&wire::version((self.clock)()).record())
    }

    fn event(&mut self, step: u64, tag: &str, value: Message) -> Result<(), Error> {
        let begun = self.begin();
        let record = wire::event((self.clock)(), step, tag, value).record();
        begun.and_then(|()| self.writer.write_all(&record)).map_err(|e| error(self.path.as_deref(), &e))?;
        if self.flushed.elapsed() > PAUSE { self.flush() } else { Ok(()) }
    }
}

impl std::fmt::Debug for EventWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EventWriter").field("path", &self.path).finish_non_exhaustive()
    }
}

/// A file whose name TensorBoard takes for events, and which orders runs by time.
fn new_file(folder: &Path) -> io::Result<(PathBuf, File)> {
    fs::create_dir_all(folder)?;
    let (seconds, process) = (UNIX_EPOCH.elapsed().unwrap_or_default().as_secs(), std::process::id());
    for number in 0..ATTEMPTS {
        let path = folder.join(format!("events.out.tfevents.{seconds:010}.retrograd.{process}.{number}"));
        match File::create_new(&path) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            opened => return opened.map(|file| (path, file)),
        }
    }
    Err(io::Error::new(io::ErrorKind::AlreadyExists, "too many event files of this second"))
}

fn error(path: Option<&Path>, error: &io::Error) -> Error {
    let place = path.map_or("events".to_owned(), |path| path.display().to_string());
    Error::new("EventWriter", ErrorKind::Io, format!("{place}: cannot be written: {error}"))
}
