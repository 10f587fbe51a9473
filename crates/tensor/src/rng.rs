//! `Rng`: a stream of random numbers as a key and a counter.
//!
//! A draw takes counters when it is called and is a function of them alone, so it is the same bits on any thread
//! and at any number of threads. There is no global generator and no seed from the outside. What tensors are drawn,
//! and how, is `ops::random`'s.
use crate::cpu::random::philox;
use rand::TryRng;
use std::convert::Infallible;

/// A stream of random numbers: one seed, one sequence, the same on every run and for every number of threads.
///
/// It works with the `rand` and `rand_distr` crates, which see it as a generator of bits. It is not for secrets.
///
/// ```
/// use retrograd_tensor::{Rng, Tensor};
/// let mut rng = Rng::new(7);
/// let x = Tensor::randn([2, 3], &mut rng);
/// assert_eq!(x, Tensor::randn([2, 3], &mut Rng::new(7)));
/// assert_ne!(x, Tensor::randn([2, 3], &mut rng));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rng {
    key: u64,
    counter: u64,
}

impl Rng {
    /// The stream of this seed, from its start.
    pub fn new(seed: u64) -> Rng {
        Rng { key: seed, counter: 0 }
    }
    /// The stream of a key at a counter: a place that [`Rng::state`] gave.
    ///
    /// ```
    /// use retrograd_tensor::{Rng, Tensor};
    /// let mut rng = Rng::new(7);
    /// Tensor::rand([5], &mut rng);
    /// let (key, counter) = rng.state();
    /// let mut again = Rng::at(key, counter);
    /// assert_eq!(Tensor::rand([5], &mut rng), Tensor::rand([5], &mut again));
    /// ```
    pub fn at(key: u64, counter: u64) -> Rng {
        Rng { key, counter }
    }
    /// Key and counter: all that there is to save.
    pub fn state(&self) -> (u64, u64) {
        (self.key, self.counter)
    }
    /// The key, which tells streams apart.
    pub fn key(&self) -> u64 {
        self.key
    }
    /// A stream of its own, for a layer or a thread; each call gives another one.
    ///
    /// ```
    /// use retrograd_tensor::Rng;
    /// let mut rng = Rng::new(7);
    /// assert_ne!(rng.split().key(), rng.split().key());
    /// ```
    #[must_use]
    pub fn split(&mut self) -> Rng {
        // Stream `u64::MAX` is not that of numbers, so that a key is never also seen as one.
        let (key, counter) = self.reserve(1);
        let [low, high, ..] = philox(key, u64::MAX, counter).map(u64::from);
        Rng::new(low | high << 32)
    }
    /// Takes the counters of a draw of `n` elements (those of the first run, when `remat` runs code again); gives the state before, which is the key of the keyed draws
    /// such as [`Tensor::rand_at`](crate::Tensor::rand_at).
    ///
    /// ```
    /// use retrograd_tensor::{Rng, Tensor};
    /// let mut rng = Rng::new(7);
    /// let key = rng.clone().reserve(5);
    /// assert_eq!(Tensor::rand([5], &mut rng), Tensor::rand_at([5], key));
    /// ```
    pub fn reserve(&mut self, n: u64) -> (u64, u64) {
        crate::replay::value(|| {
            let state = self.state();
            self.counter = self.counter.wrapping_add(n);
            state
        })
    }
    /// The stream of block `block` of a draw that reserved its counters at `state`.
    pub(crate) fn block((key, counter): (u64, u64), block: u64) -> Stream {
        Stream { key, stream: counter.wrapping_add(block).wrapping_add(1), counter: 0, left: [0; 2], have: 0 }
    }
}

/// Each call takes one counter.
impl TryRng for Rng {
    type Error = Infallible;
    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let (key, counter) = self.reserve(1);
        Ok(philox(key, 0, counter)[0])
    }
    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let (key, counter) = self.reserve(1);
        let [low, high, ..] = philox(key, 0, counter).map(u64::from);
        Ok(low | high << 32)
    }
    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        for part in out.chunks_mut(8) {
            part.copy_from_slice(&self.try_next_u64()?.to_le_bytes()[..part.len()]);
        }
        Ok(())
    }
}

/// The numbers of one block of a draw, which uses as many as it likes.
#[derive(Debug)]
pub(crate) struct Stream {
    key: u64,
    stream: u64,
    counter: u64,
    left: [u64; 2],
    have: usize,
}
impl Stream {
    fn next(&mut self) -> u64 {
        if self.have == 0 {
            let x = philox(self.key, self.stream, self.counter).map(u64::from);
            self.left = [x[2] | x[3] << 32, x[0] | x[1] << 32];
            (self.counter, self.have) = (self.counter.wrapping_add(1), 2);
        }
        self.have -= 1;
        self.left[self.have]
    }
    /// A number below `n`.
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(n)) >> 64) as u64
    }
}
impl TryRng for Stream {
    type Error = Infallible;
    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok((self.next() >> 32) as u32)
    }
    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.next())
    }
    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        for part in out.chunks_mut(8) {
            part.copy_from_slice(&self.next().to_le_bytes()[..part.len()]);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
