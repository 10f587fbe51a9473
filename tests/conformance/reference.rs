//! Where the reference itself is inexact. Two of PyTorch's backward kernels round a constant to single precision
//! even when they compute in double: 1/6 in that of hard_sigmoid, alpha in that of celu. Their gradients are off
//! by about 3e-8 of their size, more than the bar. The recorded values are brought to the exact constant here, so
//! that the bar stays as it is for everyone.

use crate::case::{Array, Case, Data};

/// The recorded first gradient `want` of `case` as it is with exact constants.
pub fn exact(case: &Case, want: &Array) -> Array {
    let (Data::Real(grads), Some(Data::Real(x))) = (&want.data, case.inputs.first().map(|x| &x.data)) else {
        return want.clone();
    };
    let grads = grads.iter().zip(x);
    let exact = match case.op.as_str() {
        "hard_sigmoid" => grads.map(|(grad, _)| grad / 6.0 / f64::from(1.0_f32 / 6.0)).collect(),
        "celu" => {
            let alpha = case.attrs.f64("alpha");
            let rounded = f64::from(alpha as f32);
            // Recorded is alpha / rounded * exp(x / rounded); exact is exp(x / alpha).
            let factor = |x: f64| rounded / alpha * (x / alpha - x / rounded).exp();
            grads.map(|(grad, &x)| if x > 0.0 { *grad } else { grad * factor(x) }).collect()
        }
        _ => return want.clone(),
    };
    Array { shape: want.shape.clone(), data: Data::Real(exact) }
}
