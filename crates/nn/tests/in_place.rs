//! A step works in place. Alone in its file: the counters are those of the process.

use retrograd_autograd::Differentiate;
use retrograd_nn::{Adam, Linear, Optimizer};
use retrograd_tensor::{Rng, Tensor, memory};

#[test]
fn steps_work_in_place() {
    let mut rng = Rng::new(0);
    let mut model: Vec<Linear> = (0..20).map(|_| Linear::new(40, 40, &mut rng)).collect();
    let x = Tensor::randn([8, 40], &mut rng);
    let mut adam = Adam::new(&model, 1e-3);
    let mut step = |model: &mut Vec<Linear>| {
        let y = model.iter().fold(x.clone(), |x, layer| layer.forward(&x).relu());
        let grads = y.square().mean(()).backward();
        let before = memory::stats();
        adam.step(model, &grads).unwrap();
        let after = memory::stats();
        (after.in_place - before.in_place, after.fresh - before.fresh)
    };
    step(&mut model);
    step(&mut model);
    for _ in 0..3 {
        let (in_place, fresh) = step(&mut model);
        assert_eq!((in_place, fresh), (3 * 2 * 20, 0));
    }
}
