//! Conversions from and to arrays of the `ndarray` crate. Elements are copied; strides of either side do not
//! matter.
use crate::dtype::Element;
use crate::error::{Error, ErrorKind};
use crate::tensor::Tensor;
use ndarray::{Array, ArrayBase, Data, Dimension, IxDyn};

/// The array's elements as a tensor of its shape and type.
///
/// ```
/// use ndarray::array;
/// use retrograd_tensor::Tensor;
/// let a = array![[1.0f32, 2.0], [3.0, 4.0]];
/// assert_eq!(Tensor::from(a.t()), Tensor::from([[1.0f32, 3.0], [2.0, 4.0]]));
/// ```
impl<T: Element, S: Data<Elem = T>, D: Dimension> From<&ArrayBase<S, D>> for Tensor {
    fn from(array: &ArrayBase<S, D>) -> Tensor {
        match array.as_slice() {
            Some(elements) => Tensor::from_slice(elements, array.shape()),
            None => Tensor::from_vec(array.iter().copied().collect(), array.shape()),
        }
    }
}
/// As from a reference.
impl<T: Element, S: Data<Elem = T>, D: Dimension> From<ArrayBase<S, D>> for Tensor {
    fn from(array: ArrayBase<S, D>) -> Tensor {
        (&array).into()
    }
}

/// The tensor's elements as an array of its type, with a fixed number of axes or (`ArrayD`) any.
///
/// ```
/// use ndarray::Array2;
/// use retrograd_tensor::Tensor;
/// let a = Array2::<f32>::try_from(&Tensor::from([[1.0f32, 2.0]])).unwrap();
/// assert_eq!(a.dim(), (1, 2));
/// assert!(Array2::<f64>::try_from(&Tensor::from([[1.0f32, 2.0]])).is_err());
/// ```
///
/// # Errors
/// If the element type or the number of axes is not the array's.
impl<T: Element, D: Dimension> TryFrom<&Tensor> for Array<T, D> {
    type Error = Error;
    fn try_from(tensor: &Tensor) -> Result<Array<T, D>, Error> {
        if tensor.dtype() != T::DTYPE {
            let detail = format!("element types differ: {} into {}", tensor.dtype(), T::DTYPE);
            let right = format!("cast the tensor, as in x.cast({})", T::DTYPE.name().to_uppercase());
            return Err(Error::new("ndarray", ErrorKind::Dtype, format!("{detail}; {right}")));
        }
        let misfit = |_| {
            let axes = D::NDIM.unwrap_or(tensor.rank());
            let detail = format!("numbers of axes differ: shape {} into {axes} axes", tensor.shape());
            Error::new("ndarray", ErrorKind::Shape, format!("{detail}; reshape the tensor, or use ArrayD"))
        };
        let array = Array::from_shape_vec(IxDyn(tensor.shape()), tensor.to_vec::<T>()).map_err(misfit)?;
        array.into_dimensionality::<D>().map_err(misfit)
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use ndarray::{Array0, Array1, Array3, ArrayD, arr0, array, s};

    #[test]
    fn arrays_and_tensors_agree_element_by_element() {
        let a = Array3::from_shape_fn((2, 3, 4), |(i, j, k)| (100 * i + 10 * j + k) as i64);
        let x = Tensor::from(&a);
        assert_eq!((x.shape()[..].to_vec(), x.to_vec::<i64>()), (vec![2, 3, 4], a.iter().copied().collect()));
        let view = a.slice(s![.., ..;-1, 1..3]);
        assert_eq!(ArrayD::<i64>::try_from(&Tensor::from(view)).unwrap(), view.into_dyn());
        assert_eq!(Array3::<i64>::try_from(&x.permute([2, 0, 1])).unwrap(), a.permuted_axes([2, 0, 1]));
        assert_eq!(Array0::<f64>::try_from(&Tensor::from(arr0(2.5f64))).unwrap(), arr0(2.5));
        assert_eq!(Tensor::from(array![true, false]).to_vec::<bool>(), [true, false]);
    }
    #[test]
    fn what_does_not_fit_is_an_error() {
        let said = Array1::<f32>::try_from(&Tensor::from([[1.0f32]])).unwrap_err().to_string();
        assert_eq!(
            said,
            "ndarray: numbers of axes differ: shape [1, 1] into 1 axes; reshape the tensor, or use ArrayD"
        );
        let said = Array1::<f64>::try_from(&Tensor::from([1.0f32])).unwrap_err().to_string();
        assert_eq!(said, "ndarray: element types differ: f32 into f64; cast the tensor, as in x.cast(F64)");
    }
}
