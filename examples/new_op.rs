//! Three ways to a new operation with gradients: a scalar function, an operation with a kernel of its own, and a rule
//! put on existing code.
//!
//! ```text
//! cargo run --release --example new_op
//! ```

#![expect(clippy::print_stdout, reason = "a program that tells what it checked")]

use retrograd::prelude::*;
use retrograd::{PadMode, gradcheck, gradcheck_against, gradgradcheck, op, scalar_fn, with_vjp};

// 1. Any code over numbers, loops and branches too: gradients to the fourth order are derived from it.
scalar_fn! {
    /// The solution y of y + exp(y) = x, by Newton's method.
    fn omega<T>(x) {
        let mut y = x.min(T::zero());
        for _ in 0..60 {
            let step = (y + y.exp() - x) / (T::one() + y.exp());
            y = y - step;
        }
        y
    }
}

// 2. A loop over memory, and its rule: tensor code, so that it can be differentiated again.
/// The product of neighbours, x[i] x[i + 1], of a list.
fn neighbours() -> op::Custom {
    op::custom::<f64>(
        "neighbours",
        |x| Ok([x[0][0] - 1].into()),
        |x, y| y.iter_mut().zip(x[0].windows(2)).for_each(|(y, x)| *y = x[0] * x[1]),
        |x, _, g| {
            let left = (g * x[0].at(s![1..])).pad(&[(0, 1)], PadMode::Zeros);
            let right = (g * x[0].at(s![..-1])).pad(&[(1, 0)], PadMode::Zeros);
            vec![left + right]
        },
    )
}

// 3. Existing code with another gradient: rounding that lets gradients through as if it were not there.
fn straight_through(x: &Tensor) -> Tensor {
    with_vjp(&[x], |x| x[0].round(), |_, _, g| vec![g.clone()])
}

fn main() -> Result<(), Error> {
    let x = F64.randn([6], &mut Rng::new(0));

    gradcheck(|x| omega(&x[0]), &[&x])?;
    gradgradcheck(|x| omega(&x[0]), &[&x])?;
    println!("omega(x):\n{:.4}\nfirst and second gradients agree with differences\n", omega(&x));

    let neighbours = neighbours();
    gradcheck(|x| neighbours.call(&[&x[0]]), &[&x])?;
    gradgradcheck(|x| neighbours.call(&[&x[0]]), &[&x])?;
    println!("neighbours(x):\n{:.4}\nso do these\n", neighbours.call(&[&x]));

    gradcheck_against(|x| straight_through(&x[0]), |x| x[0].clone(), &[&x])?;
    println!("straight_through(x):\n{:.1}\nits gradient is that of the identity", straight_through(&x));
    let refused = gradcheck(|x| straight_through(&x[0]), &[&x]).unwrap_err();
    println!("and not its own: {refused}");
    Ok(())
}
