//! How samples become a batch.

use retrograd_tensor::{Error, ErrorKind, Tensor};

/// A sample, and how several of them become a batch.
///
/// Tensors of one shape are stacked along a new first axis, numbers become a tensor, tuples are taken apart, and
/// strings are listed. A type of your own implements this; another batch of the same samples is
/// [`DataLoader::collate`](super::DataLoader::collate)'s.
///
/// ```
/// use retrograd_nn::data::Sample;
/// use retrograd_tensor::Tensor;
/// let samples = vec![(Tensor::from([1f32, 2.0]), 7i64), (Tensor::from([3f32, 4.0]), 8)];
/// let (x, y) = Sample::collate(samples)?;
/// assert_eq!((x.to_vec::<f32>(), y.to_vec::<i64>()), (vec![1.0, 2.0, 3.0, 4.0], vec![7, 8]));
/// # Ok::<(), retrograd_tensor::Error>(())
/// ```
///
/// Source: PyTorch's `torch.utils.data.default_collate`; numbers keep their type here.
pub trait Sample: Send + Sized + 'static {
    /// Several samples together.
    type Batch: Send + 'static;

    /// The batch of these samples, of which there is at least one.
    ///
    /// # Errors
    /// If they do not fit each other.
    fn collate(samples: Vec<Self>) -> Result<Self::Batch, Error>;
}

impl Sample for Tensor {
    type Batch = Tensor;

    fn collate(samples: Vec<Tensor>) -> Result<Tensor, Error> {
        let Some(first) = samples.first() else {
            return Err(Error::new("collate", ErrorKind::Value, "no samples: a batch has at least one"));
        };
        let fits = |sample: &Tensor| sample.shape() == first.shape() && sample.dtype() == first.dtype();
        if let Some(at) = samples.iter().position(|sample| !fits(sample)) {
            let detail = format!(
                "samples differ: {} {} at place {at} of the batch, {} {} at place 0; give them one shape and type, or a \
                 collate function",
                samples[at].dtype(),
                samples[at].shape(),
                first.dtype(),
                first.shape()
            );
            return Err(Error::new("collate", ErrorKind::Shape, detail));
        }
        Ok(Tensor::stack(&samples, 0))
    }
}

macro_rules! numbers {
    ($($number:ty),*) => {$(
        impl Sample for $number {
            type Batch = Tensor;

            fn collate(samples: Vec<Self>) -> Result<Tensor, Error> {
                Ok(Tensor::from(samples))
            }
        }
    )*};
}
numbers!(bool, u8, i32, i64, f32, f64);

impl Sample for String {
    type Batch = Vec<String>;

    fn collate(samples: Vec<String>) -> Result<Vec<String>, Error> {
        Ok(samples)
    }
}

impl<A: Sample, B: Sample> Sample for (A, B) {
    type Batch = (A::Batch, B::Batch);

    fn collate(samples: Vec<(A, B)>) -> Result<Self::Batch, Error> {
        let (a, b) = samples.into_iter().unzip();
        Ok((A::collate(a)?, B::collate(b)?))
    }
}

impl<A: Sample, B: Sample, C: Sample> Sample for (A, B, C) {
    type Batch = (A::Batch, B::Batch, C::Batch);

    fn collate(samples: Vec<(A, B, C)>) -> Result<Self::Batch, Error> {
        let (a, (b, c)) =
            samples.into_iter().map(|(a, b, c)| (a, (b, c))).unzip::<_, _, _, (Vec<B>, Vec<C>)>();
        Ok((A::collate(a)?, B::collate(b)?, C::collate(c)?))
    }
}
