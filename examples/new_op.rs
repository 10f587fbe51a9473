//! Three ways to a new operation with gradients: a scalar function, an operation with a kernel of its own, and a rule
//! put on existing code.
//!
//! ```text
//! cargo run --release --example new_op
//! ```

#![expect(clippy::print_stdout, reason = "a program that tells what it checked")]

use retrograd::call::Call;
use retrograd::op::{Kernel, Op, Saves, Spec, Specs, apply};
use retrograd::prelude::*;
use retrograd::{Context, Cotangents, PadMode, gradcheck, gradgradcheck, scalar_fn, with_vjp};

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

// 2. A loop over memory and its rule, which is tensor code and so can be differentiated again.
/// The product of neighbours, x[i] x[i + 1], of a list.
#[derive(Debug)]
struct Neighbours;
impl Op for Neighbours {
    fn name(&self) -> &'static str {
        "neighbours"
    }
    fn infer(&self, x: &[Spec]) -> Result<Specs, Error> {
        Ok([Spec::new([x[0].shape[0] - 1], x[0].dtype)].into())
    }
    fn kernel(&self, _: &[Spec], _: &[Spec]) -> Kernel {
        Kernel::Call(Call::new("neighbours", |x, out| {
            let x = x[0].dense::<f64>();
            out[0].data().iter_mut().zip(x.windows(2)).for_each(|(y, x)| *y = x[0] * x[1]);
        }))
    }
    fn saves(&self, _: u64) -> Saves {
        Saves::inputs([0])
    }
    fn vjp(&self, cx: &Context<'_>, g: &Tensor) -> Cotangents {
        let (x, n) = (cx.input(0), cx.shape(0)[0] as isize);
        let left = (g * x.at(s![1..])).pad(&[(0, 1)], PadMode::Zeros);
        let right = (g * x.at(s![..n - 1])).pad(&[(1, 0)], PadMode::Zeros);
        [(left + right).into()].into_iter().collect()
    }
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

    let neighbours = |x: &[Tensor]| apply(Neighbours, &[&x[0]]).remove(0);
    gradcheck(neighbours, &[&x])?;
    gradgradcheck(neighbours, &[&x])?;
    println!("neighbours(x):\n{:.4}\nso do these\n", neighbours(std::slice::from_ref(&x)));

    let refused = gradcheck(|x| straight_through(&x[0]), &[&x]).unwrap_err();
    println!("straight_through(x):\n{:.1}\nwrong on purpose, and found: {refused}\n", straight_through(&x));
    let t = x.tracked();
    let grads = (straight_through(&t) * 3.0).sum(()).backward();
    println!("its gradient is that of the identity:\n{:.1}", grads[&t]);
    Ok(())
}
