//! Positions drawn by weights.
use crate::dtype::F64;
use crate::error::{Error, ErrorKind, OrRaise};
use crate::ops::reduce::floats;
use crate::{Rng, Tensor, no_grad};

impl Tensor {
    /// `n` positions along the last axis, drawn with these weights, of type `I64`: PyTorch's `multinomial`. Weights `[k]`
    /// give `[n]`, rows of weights `[m, k]` draws of each row, `[m, n]`. They need not sum to 1, and a weight of 0 is never
    /// drawn.
    ///
    /// With `replacement` each draw is of all positions. Without, a position is drawn at most once, and each next one in
    /// proportion to the weights of those that are left; the draws are in that order.
    ///
    /// Composite of [`Tensor::cumsum`] and [`Tensor::searchsorted`], or of [`Tensor::topk`] without replacement: position i
    /// gets a waiting time -ln(1 - u) / wᵢ, and the first to come are drawn.
    ///
    /// The weights are read at the call, and computed with in `F64`. There is no gradient.
    ///
    /// ```
    /// use retrograd_tensor::{Rng, Tensor};
    /// let (weights, mut rng) = (Tensor::from([3.0f32, 0.0, 1.0]), Rng::new(0));
    /// let draws = weights.multinomial(1000, true, &mut rng);
    /// let first = draws.iter::<i64>().filter(|&position| position == 0).count();
    /// assert!((700..800).contains(&first) && draws.iter::<i64>().all(|position| position != 1));
    /// let mut both = weights.multinomial(2, false, &mut rng).to_vec::<i64>();
    /// both.sort();
    /// assert_eq!(both, [0, 2]);
    /// ```
    ///
    /// Source: waiting times: Efraimidis and Spirakis, *Weighted random sampling with a reservoir*, 2006.
    ///
    /// # Panics
    /// If these are not floats with one or two axes, `n` is 0, a weight is negative or not finite, those of a row are all 0,
    /// or without replacement a row has fewer than `n` that are not.
    #[track_caller]
    pub fn multinomial(&self, n: usize, replacement: bool, rng: &mut Rng) -> Tensor {
        self.read_by("multinomial");
        let weights = checked(self, n, replacement).or_raise();
        let mut shape = weights.shape().clone();
        if !replacement {
            // By logarithms, so that no quotient is infinite but those of weights of 0.
            let waits = F64.rand(shape, rng).zip_map(&weights, |u, w| {
                w.gt(0.0).where_((-(1.0 - u).log()).log() - w.log(), f64::INFINITY)
            });
            return waits.topk(n, -1, false).1;
        }
        // Scaled first, so that the sum of large weights stays finite.
        let sums = (&weights / weights.amax_keepdim(-1)).cumsum(-1);
        shape[weights.rank() - 1] = n;
        // A number below 1 times the sum of all is below that sum: the last position with a weight is the last drawn.
        let places = F64.rand(shape, rng) * sums.narrow(-1, sums.shape()[sums.rank() - 1] - 1, 1);
        sums.searchsorted(&places, true)
    }
}

/// The weights as `F64`, if `n` positions can be drawn of each row.
fn checked(weights: &Tensor, n: usize, replacement: bool) -> Result<Tensor, Error> {
    const OP: &str = "multinomial";
    floats(OP, weights.dtype())?;
    if !(1..=2).contains(&weights.rank()) {
        let given = format!("weights of shape {}", weights.shape());
        let right = "they are a vector, or a matrix with a row for each result";
        return Err(Error::new(OP, ErrorKind::Shape, format!("{given}; {right}")));
    }
    let refuse = |detail: String| Err(Error::new(OP, ErrorKind::Value, detail));
    if n == 0 {
        return refuse("no draws: n is 0; it is at least 1".to_owned());
    }
    let wide = no_grad(|| weights.cast(F64));
    let size = weights.shape()[weights.rank() - 1];
    let rows = if weights.rank() == 1 { 1 } else { weights.shape()[0] };
    let values = wide.to_vec::<f64>();
    for row in 0..rows {
        let of_row = if weights.rank() == 1 { String::new() } else { format!(" of row {row}") };
        let values = &values[row * size..(row + 1) * size];
        if let Some(at) = values.iter().position(|w| !(w.is_finite() && *w >= 0.0)) {
            let given = format!("no weight: {} at position {at}{of_row}", values[at]);
            return refuse(format!("{given}; weights are finite and not negative"));
        }
        let possible = values.iter().filter(|&&w| w > 0.0).count();
        if possible == 0 {
            return refuse(format!("all weights{of_row} are 0; one at least is positive"));
        }
        if !replacement && possible < n {
            let given = format!("too many draws: {n} of {possible} positions{of_row} with a weight");
            return refuse(format!("{given}; draw fewer, or with replacement"));
        }
    }
    Ok(wide)
}
