//! Operations on the bits of integers. Truth values have `logical_and` and kin.
use crate::elementwise::elementwise;

elementwise! { (o, g)
    /// The bits that are set in both integers.
    ///
    /// *Gradient:* none.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([6i64, 5]).bitwise_and(3).to_vec::<i64>(), [2, 1]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast or an operand is not an integer.
    BITWISE_AND: bits bitwise_and(x, y) = x & y; none "integers have no gradient"; Real;
    /// The bits that are set in one or both integers.
    ///
    /// *Gradient:* none.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([6i64, 5]).bitwise_or(3).to_vec::<i64>(), [7, 7]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast or an operand is not an integer.
    BITWISE_OR: bits bitwise_or(x, y) = x | y; none "integers have no gradient"; Real;
    /// The bits that are set in exactly one of two integers.
    ///
    /// *Gradient:* none.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([6i64, 5]).bitwise_xor(3).to_vec::<i64>(), [5, 6]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast or an operand is not an integer.
    BITWISE_XOR: bits bitwise_xor(x, y) = x ^ y; none "integers have no gradient"; Real;
    /// All bits inverted.
    ///
    /// *Gradient:* none.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([0u8, 5]).bitwise_not().to_vec::<u8>(), [255, 250]);
    /// ```
    ///
    /// # Panics
    /// If the operand is not an integer.
    BITWISE_NOT: bits bitwise_not(x) = !x; none "integers have no gradient"; Real;
    /// The bits moved up by `y` places; 0 if that is not from 0 to the type's width.
    ///
    /// *Gradient:* none.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([1i64, 3]).bitwise_left_shift(4).to_vec::<i64>(), [16, 48]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast or an operand is not an integer.
    BITWISE_LEFT_SHIFT: bits bitwise_left_shift(x, y) = x << y; none "integers have no gradient"; Real;
    /// The bits moved down by `y` places, the sign kept; 0, or -1 below 0, if that is not from 0 to the type's width.
    ///
    /// *Gradient:* none.
    ///
    /// ```
    /// use retrograd_tensor::Tensor;
    /// assert_eq!(Tensor::from([16i64, -16]).bitwise_right_shift(3).to_vec::<i64>(), [2, -2]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast or an operand is not an integer.
    BITWISE_RIGHT_SHIFT: bits bitwise_right_shift(x, y) = x >> y; none "integers have no gradient"; Real;
}
