//! Gradients that no memory is left for, and steps that run into it: refused at a line of the program, and everything
//! stays as it was. (Operations by themselves: the tests of the tensor crate.)
use retrograd::ErrorKind;
use retrograd::prelude::*;

/// The side of a matrix of `f32` that needs 2^48 bytes, more than processors can address today.
const SIDE: usize = 1 << 23;

#[test]
fn a_gradient_is_refused_at_the_line_of_its_operation() {
    let x = F32.ones([1, SIDE]).tracked();
    let wide = x.expand([SIDE, SIDE]);
    let here = line!() + 1;
    let row = wide.select(0, 3);
    let loss = row.narrow(0, 0, 8).sum(());
    assert_eq!(loss.item(), 8.0);
    for _ in 0..2 {
        let e = attempt(|| grad(&loss, &[&x])[0].force().numel()).expect_err("no system has the memory");
        assert_eq!(e.kind(), ErrorKind::Memory, "{e}");
        assert!(e.to_string().contains("[8388608, 8388608] needs 281474976710656 bytes"), "{e}");
        let place = e.location().expect("a line of ours");
        assert_eq!((place.file(), place.line()), (file!(), here), "{e:#}");
    }
    // What there is memory for is differentiated as before, through the same leaf too.
    let loss = (&x * &x).narrow(1, 0, 4).sum(());
    assert_eq!(grad(&loss, &[&x])[0].narrow(1, 2, 3).to_vec::<f32>(), [2.0, 2.0, 0.0]);
}

#[test]
fn a_step_that_fails_changes_no_parameter() {
    let mut model = Linear::new(4, 1, &mut Rng::new(1));
    let mut sgd = Sgd::new(&model, 0.1).momentum(0.9);
    let x = Tensor::randn([16, 4], &mut Rng::new(2));
    let mut step = |model: &mut Linear, huge: bool| {
        let loss = model.forward(&x).square().mean(());
        if huge {
            (F32.ones([SIDE, 1]) + F32.ones([1, SIDE]) * loss.detach()).force();
        }
        sgd.step(model, &loss.backward()).expect("finite gradients");
        loss.item()
    };
    let first = step(&mut model, false);
    let before = model.weight.value().to_vec::<f32>();
    let e = attempt(|| step(&mut model, true)).expect_err("no system has the memory");
    assert_eq!(e.kind(), ErrorKind::Memory);
    assert_eq!(model.weight.value().to_vec::<f32>(), before);
    assert!(step(&mut model, false) < first);
}
