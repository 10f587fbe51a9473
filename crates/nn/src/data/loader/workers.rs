//! Threads that load batches ahead: jobs are sent in the order of the epoch, and received in it.
//!
//! A job knows all that its batch depends on, so it does not matter which thread does it, or when.

use super::{Fetch, Part};
use rayon::{ThreadPool, ThreadPoolBuilder};
use retrograd_tensor::{Error, ErrorKind, attempt, eager, raise};
use std::any::Any;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};

/// The threads of a loader, started when they are first needed.
pub(super) struct Workers {
    threads: usize,
    /// Batches that each thread may be ahead.
    ahead: usize,
    pool: Option<Arc<ThreadPool>>,
}

impl Workers {
    pub(super) fn none() -> Self {
        Self { threads: 0, ahead: 2, pool: None }
    }

    pub(super) fn set_threads(&mut self, threads: usize) {
        (self.threads, self.pool) = (threads, None);
    }

    pub(super) fn set_ahead(&mut self, batches: usize) {
        self.ahead = batches;
    }

    /// The threads, if there are any, and how many batches may be on their way.
    pub(super) fn pool(&mut self) -> Result<Option<(Arc<ThreadPool>, usize)>, Error> {
        if self.threads == 0 {
            return Ok(None);
        }
        let pool = match &self.pool {
            Some(pool) => Arc::clone(pool),
            None => Arc::new(ThreadPoolBuilder::new().num_threads(self.threads).build().map_err(|e| {
                let detail = format!("{} workers cannot be started: {e}", self.threads);
                Error::new("DataLoader", ErrorKind::Io, detail)
            })?),
        };
        self.pool = Some(Arc::clone(&pool));
        Ok(Some((pool, self.threads.saturating_mul(self.ahead))))
    }
}

/// What became of a batch: loaded or not, refused as misuse, or ended by a panic.
type Outcome<B> = Result<Result<Result<B, Error>, Error>, Box<dyn Any + Send>>;

/// The batches on their way, in the order of the epoch.
pub(super) struct Queue<B> {
    jobs: VecDeque<Receiver<Outcome<B>>>,
    /// The place in the epoch of the first sample that was not sent for.
    next: usize,
}

impl<B: Send + 'static> Queue<B> {
    /// An empty queue at this place in the epoch.
    pub(super) fn at(place: usize) -> Self {
        Self { jobs: VecDeque::new(), next: place }
    }

    pub(super) fn len(&self) -> usize {
        self.jobs.len()
    }

    pub(super) fn next_place(&self) -> usize {
        self.next
    }

    /// Sends for the batch of `part`, which starts at [`Queue::next_place`].
    pub(super) fn send(&mut self, pool: &ThreadPool, fetch: &Fetch<B>, part: Part) {
        let (sender, receiver) = sync_channel(1);
        self.next += part.indices.len();
        self.jobs.push_back(receiver);
        let fetch = Arc::clone(fetch);
        pool.spawn(move || {
            // At once: what is left pending would be computed by the loop that reads it.
            let fetched = || attempt(|| eager(|| fetch(&part)));
            let outcome = catch_unwind(AssertUnwindSafe(fetched));
            // Nobody waits any more if the loop was left.
            let _ = sender.send(outcome);
        });
    }

    /// Waits for the first of the batches on their way. A panic of its job goes on here.
    #[track_caller]
    pub(super) fn receive(&mut self) -> Result<B, Error> {
        let outcome = self.jobs.pop_front().map(|job| job.recv());
        match outcome {
            Some(Ok(Ok(Ok(batch)))) => batch,
            Some(Ok(Ok(Err(misuse)))) => raise(misuse),
            Some(Ok(Err(panic))) => resume_unwind(panic),
            Some(Err(_)) | None => unreachable!("every job that was sent for answers"),
        }
    }
}
