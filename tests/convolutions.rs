//! Convolutions against plain loops: small whole numbers, whose sums are exact in every order, so that any shape
//! must give the very values; and what the loops cannot show: bits, words for padding, `vmap`.
use retrograd::prelude::*;
use retrograd::{grad_with, vmap_axes};

/// A convolution of `rank` spatial axes.
#[derive(Clone, Debug)]
struct Case {
    batch: usize,
    groups: usize,
    channels: usize,
    filters: usize,
    image: Vec<usize>,
    kernel: Vec<usize>,
    stride: Vec<usize>,
    padding: Vec<usize>,
    dilation: Vec<usize>,
}
impl Case {
    fn rank(&self) -> usize {
        self.image.len()
    }
    fn out(&self) -> Vec<usize> {
        let size = |a: usize| {
            let room = self.image[a] + 2 * self.padding[a] - self.dilation[a] * (self.kernel[a] - 1);
            (room - 1) / self.stride[a] + 1
        };
        (0..self.rank()).map(size).collect()
    }
    fn fits(&self) -> bool {
        (0..self.rank())
            .all(|a| self.image[a] + 2 * self.padding[a] > self.dilation[a] * (self.kernel[a] - 1))
    }
    fn options(&self) -> Conv {
        let conv = Conv::new().stride(&self.stride).padding(&self.padding);
        conv.dilation(&self.dilation).groups(self.groups)
    }
    fn x_shape(&self) -> Vec<usize> {
        [vec![self.batch, self.groups * self.channels], self.image.clone()].concat()
    }
    fn w_shape(&self) -> Vec<usize> {
        [vec![self.groups * self.filters, self.channels], self.kernel.clone()].concat()
    }
    fn y_shape(&self) -> Vec<usize> {
        [vec![self.batch, self.groups * self.filters], self.out()].concat()
    }
    /// Calls `f` with the flat places in image, weight and output of everything that is multiplied.
    fn walk(&self, mut f: impl FnMut(usize, usize, usize)) {
        let (x, w, y) = (self.x_shape(), self.w_shape(), self.y_shape());
        let flat =
            |at: &[usize], shape: &[usize]| at.iter().zip(shape).fold(0, |i, (&at, &size)| i * size + at);
        for (n, o) in pairs(self.batch, self.groups * self.filters) {
            for (c, p) in pairs(self.channels, self.out().iter().product()) {
                for t in 0..self.kernel.iter().product() {
                    let (p, t) = (place(p, &self.out()), place(t, &self.kernel));
                    let at = |a: usize| {
                        (p[a] * self.stride[a] + t[a] * self.dilation[a]).checked_sub(self.padding[a])
                    };
                    let at: Option<Vec<usize>> =
                        (0..self.rank()).map(|a| at(a).filter(|&i| i < self.image[a])).collect();
                    let Some(at) = at else { continue };
                    let channel = o / self.filters * self.channels + c;
                    f(
                        flat(&[vec![n, channel], at].concat(), &x),
                        flat(&[vec![o, c], t].concat(), &w),
                        flat(&[vec![n, o], p].concat(), &y),
                    );
                }
            }
        }
    }
}
fn pairs(a: usize, b: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..a).flat_map(move |i| (0..b).map(move |j| (i, j)))
}
/// The place of element `i` of `shape`.
fn place(mut i: usize, shape: &[usize]) -> Vec<usize> {
    let mut at = vec![0; shape.len()];
    for (at, size) in at.iter_mut().zip(shape).rev() {
        (*at, i) = (i % size, i / size);
    }
    at
}

/// Whole numbers from -4 to 4.
fn whole(shape: &[usize], dtype: DType, rng: &mut Rng) -> Tensor {
    Tensor::randint(-4, 5, shape, rng).cast(dtype)
}
fn numbers(x: &Tensor) -> Vec<f64> {
    x.cast(F64).to_vec()
}
fn call(rank: usize, x: &Tensor, w: &Tensor, conv: Conv, transposed: bool) -> Tensor {
    match (rank, transposed) {
        (1, false) => x.conv1d(w, None, conv),
        (2, false) => x.conv2d(w, None, conv),
        (_, false) => x.conv3d(w, None, conv),
        (1, true) => x.conv_transpose1d(w, None, conv),
        (2, true) => x.conv_transpose2d(w, None, conv),
        (_, true) => x.conv_transpose3d(w, None, conv),
    }
}

/// The output and both gradients of `case`, and the transposed convolution, against loops.
#[track_caller]
fn check(case: &Case, dtype: DType, rng: &mut Rng) {
    let (mut x, mut w) = (whole(&case.x_shape(), dtype, rng), whole(&case.w_shape(), dtype, rng));
    if dtype.is_float() {
        (x, w) = (x.tracked(), w.tracked());
    }
    let g = whole(&case.y_shape(), dtype, rng);
    let (xs, ws, gs) = (numbers(&x), numbers(&w), numbers(&g));
    let (mut ys, mut dxs, mut dws) = (vec![0.0; gs.len()], vec![0.0; xs.len()], vec![0.0; ws.len()]);
    case.walk(|i, j, k| {
        ys[k] += xs[i] * ws[j];
        dxs[i] += gs[k] * ws[j];
        dws[j] += gs[k] * xs[i];
    });
    let y = call(case.rank(), &x, &w, case.options(), false);
    assert_eq!(y.shape(), case.y_shape(), "{case:?}");
    assert_eq!(numbers(&y), ys, "output of {case:?} in {dtype}");
    if dtype.is_float() {
        let grads = grad_with(&y, &[&x, &w], &g);
        assert_eq!(numbers(&grads[0]), dxs, "gradient of the image of {case:?} in {dtype}");
        assert_eq!(numbers(&grads[1]), dws, "gradient of the weight of {case:?} in {dtype}");
    }
    if case.image.contains(&0) {
        return; // what a transposed convolution does not make
    }
    // The result of a transposed convolution may be longer by what the stride has left.
    let more = |a: usize| {
        let windows = (case.out()[a] - 1) * case.stride[a] + case.dilation[a] * (case.kernel[a] - 1) + 1;
        (case.image[a] + 2 * case.padding[a]) - windows
    };
    let conv = case.options().output_padding((0..case.rank()).map(more).collect::<Vec<_>>());
    let back = call(case.rank(), &g, &w, conv, true);
    assert_eq!(numbers(&back), dxs, "transposed {case:?} in {dtype}");
}

fn pick(below: usize, rng: &mut Rng) -> usize {
    Tensor::randint(0, below as i64, (), rng).item() as usize
}
fn random(rng: &mut Rng) -> Case {
    let rank = 1 + pick(3, rng);
    let each = |least: usize, most: usize, rng: &mut Rng| {
        (0..rank).map(|_| least + pick(most + 1 - least, rng)).collect::<Vec<_>>()
    };
    let wide = pick(4, rng) == 0;
    Case {
        batch: pick(4, rng),
        groups: 1 + pick(3, rng),
        channels: 1 + pick(if wide { 9 } else { 4 }, rng),
        filters: 1 + pick(if wide { 27 } else { 7 }, rng),
        image: each(1, [40, 20, 8][rank - 1], rng),
        kernel: each(1, 4, rng),
        stride: each(1, 3, rng),
        padding: each(0, 5, rng),
        dilation: each(1, 3, rng),
    }
}

#[test]
fn random_shapes_are_those_of_a_loop() {
    let mut rng = Rng::new(1);
    let mut done = 0;
    while done < 250 {
        let case = random(&mut rng);
        if case.fits() {
            check(&case, [F32, F64, F32, F64, I64, I32][done % 6], &mut rng);
            done += 1;
        }
    }
}

#[test]
fn special_shapes_are_those_of_a_loop() {
    let plain = Case {
        batch: 2,
        groups: 1,
        channels: 3,
        filters: 8,
        image: vec![7, 32],
        kernel: vec![3, 3],
        stride: vec![1, 1],
        padding: vec![1, 1],
        dilation: vec![1, 1],
    };
    let cases = [
        Case { batch: 0, ..plain.clone() },
        Case { channels: 0, ..plain.clone() },
        Case { filters: 0, ..plain.clone() },
        Case { kernel: vec![1, 1], padding: vec![0, 0], ..plain.clone() },
        Case { kernel: vec![1, 1], padding: vec![3, 4], stride: vec![2, 3], ..plain.clone() },
        Case { image: vec![1, 1], ..plain.clone() },
        Case { image: vec![0, 2], padding: vec![3, 3], ..plain.clone() },
        Case { image: vec![3, 3], padding: vec![0, 0], filters: 40, channels: 20, ..plain.clone() },
        Case { stride: vec![9, 50], padding: vec![7, 40], ..plain.clone() },
        Case { dilation: vec![4, 15], padding: vec![5, 6], ..plain.clone() },
        Case { groups: 6, channels: 1, filters: 1, ..plain.clone() },
        Case {
            image: vec![8, 8],
            kernel: vec![4, 4],
            stride: vec![4, 4],
            padding: vec![0, 0],
            ..plain.clone()
        },
        // Enough work for several threads, with one item and with many.
        Case { batch: 1, channels: 16, filters: 21, image: vec![20, 33], ..plain.clone() },
        Case { batch: 9, channels: 7, filters: 24, image: vec![9, 17], stride: vec![2, 2], ..plain.clone() },
    ];
    for case in cases {
        for dtype in [F32, F64, I32] {
            check(&case, dtype, &mut Rng::new(2));
        }
    }
    let bytes = Tensor::from([[250u8, 3, 2]]);
    assert_eq!(bytes.conv1d(&Tensor::from([[[2u8, 1]]]), None, Conv::new()).to_vec::<u8>(), [247, 8]);
}

#[test]
fn bits_do_not_depend_on_threads() {
    for (batch, channels, filters, size, stride) in [(1, 16, 22, 24, 1), (6, 17, 9, 13, 2), (40, 3, 6, 9, 1)]
    {
        let mut rng = Rng::new(3);
        let x = Tensor::randn([batch, channels, size, size], &mut rng).tracked();
        let w = Tensor::randn([filters, channels, 3, 3], &mut rng).tracked();
        let run = |threads: usize| {
            with_threads(threads, || {
                let y = x.conv2d(&w, None, Conv::new().padding(1).stride(stride));
                let grads = grad(&y.sin().sum(()), &[&x, &w]);
                [&y, &grads[0], &grads[1]].map(|t| t.iter::<f32>().map(f32::to_bits).collect::<Vec<_>>())
            })
        };
        let want = run(1);
        for threads in [2, 3, 7] {
            assert!(run(threads) == want, "{threads} threads, {batch} items of {channels} channels");
        }
    }
}

#[test]
fn an_infinite_element_reaches_what_it_is_multiplied_with_only() {
    let case = Case {
        batch: 2,
        groups: 1,
        channels: 2,
        filters: 3,
        image: vec![4, 5],
        kernel: vec![2, 3],
        stride: vec![1, 1],
        padding: vec![0, 0],
        dilation: vec![1, 1],
    };
    let mut rng = Rng::new(4);
    let (w, g) = (Tensor::randn(case.w_shape(), &mut rng).tracked(), Tensor::randn(case.y_shape(), &mut rng));
    let mut data: Vec<f32> = Tensor::randn(case.x_shape(), &mut rng).to_vec();
    let finite = Tensor::from_slice(&data, case.x_shape());
    data[4] = f32::INFINITY; // the right end of a row, which the first taps do not read
    let x = Tensor::from_slice(&data, case.x_shape());
    let gradient = |x: &Tensor| grad_with(&x.conv2d(&w, None, case.options()), &[&w], &g)[0].to_vec::<f32>();
    let mut reached = vec![false; w.numel()];
    case.walk(|i, j, _| reached[j] |= i == 4);
    for ((reached, got), want) in reached.into_iter().zip(gradient(&x)).zip(gradient(&finite)) {
        assert_eq!(!got.is_finite(), reached);
        assert!(reached || got.to_bits() == want.to_bits());
    }
}

#[test]
fn padding_has_names_and_the_batch_may_be_missing() {
    let mut rng = Rng::new(5);
    let (x, w) = (whole(&[2, 3, 6, 7], F64, &mut rng), whole(&[4, 3, 2, 3], F64, &mut rng));
    let b = whole(&[4], F64, &mut rng);
    let same = x.conv2d(&w, Some(&b), Conv::new().padding("same").dilation([3, 2]));
    // An odd number of zeros has the larger half at the end.
    let padded = x.pad(&[(0, 0), (0, 0), (1, 2), (2, 2)], retrograd::PadMode::Zeros);
    let want = padded.conv2d(&w, Some(&b), Conv::new().padding("valid").dilation([3, 2]));
    assert_eq!(
        (same.shape(), numbers(&same)),
        (x.conv2d(&w, None, Conv::new().padding("same")).shape(), numbers(&want))
    );
    let one = x.select(0, 1).conv2d(&w, Some(&b), Conv::new().padding(1));
    assert_eq!(numbers(&one), numbers(&x.conv2d(&w, Some(&b), Conv::new().padding(1)).select(0, 1)));
    let back = one.conv_transpose2d(&w, None, Conv::new());
    assert_eq!(numbers(&back), numbers(&one.unsqueeze(0).conv_transpose2d(&w, None, Conv::new())));
}

#[test]
fn half_types_are_rounded_once() {
    let mut rng = Rng::new(6);
    let (x, w) = (Tensor::randn([2, 8, 9, 9], &mut rng), Tensor::randn([5, 8, 3, 3], &mut rng));
    for dtype in [F16, BF16] {
        let (x, w) = (x.cast(dtype), w.cast(dtype));
        let want = x.cast(F32).conv2d(&w.cast(F32), None, Conv::new()).cast(dtype);
        let got = x.conv2d(&w, None, Conv::new());
        assert_eq!((got.dtype(), numbers(&got)), (dtype, numbers(&want)));
    }
}

#[test]
fn vmap_is_a_loop_whatever_varies() {
    let mut rng = Rng::new(7);
    let (x, w) = (whole(&[3, 2, 4, 6, 5], F64, &mut rng), whole(&[3, 6, 2, 3, 2], F64, &mut rng));
    let conv = || Conv::new().padding(1).groups(2).stride([2, 1]);
    let gradients = |x: &Tensor, w: &Tensor| {
        let (x, w) = (x.tracked(), w.tracked());
        let y = x.conv2d(&w, None, conv());
        let mut all = grad(&y.square().sum(()), &[&x, &w]);
        all.push(y.detach());
        all
    };
    for (of_x, of_w) in [(Some(0), Some(0)), (Some(0), None), (None, Some(0))] {
        let (xs, ws) =
            (of_x.map_or(x.select(0, 0), |_| x.clone()), of_w.map_or(w.select(0, 0), |_| w.clone()));
        let all = vmap_axes(|e| gradients(&e[0], &e[1]), &[(&xs, of_x), (&ws, of_w)]);
        for i in 0..3 {
            let one = |t: &Tensor, axis: Option<isize>| axis.map_or(t.clone(), |_| t.select(0, i));
            let want = gradients(&one(&xs, of_x), &one(&ws, of_w));
            for (all, want) in all.iter().zip(want) {
                assert_eq!(numbers(&all.select(0, i)), numbers(&want), "{of_x:?} {of_w:?}");
            }
        }
    }
    // Plain weights, which each example has its own gradient of.
    let w = w.select(0, 0).tracked();
    let loss = |x: &Tensor| grad(&x.conv2d(&w, None, conv()).square().sum(()), &[&w]);
    let all = vmap_axes(|e| loss(&e[0]), &[(&x, Some(0))]);
    for i in 0..3 {
        assert_eq!(numbers(&all[0].select(0, i)), numbers(&loss(&x.select(0, i))[0]));
    }
    assert_eq!(retrograd::levels::sliced(), 0);
}

#[test]
fn what_does_not_fit_is_refused_in_words() {
    let (x, w) = (F32.zeros([1, 4, 5, 5]), F32.zeros([6, 2, 3, 3]));
    let two = || Conv::new().groups(2);
    let message = |f: &dyn Fn() -> Tensor| match attempt(f) {
        Ok(y) => panic!("accepted: {y:?}"),
        Err(error) => error.to_string(),
    };
    let calls: [(&dyn Fn() -> Tensor, &str); 13] = [
        (&|| x.conv1d(&w, None, two()), "conv1d: wrong number of axes: [1, 4, 5, 5]"),
        (&|| x.conv2d(&w, None, Conv::new()), "conv2d: channels do not fit: [1, 4, 5, 5] has 4"),
        (&|| x.conv2d(&w, None, two().groups(4)), "conv2d: groups do not fit"),
        (&|| x.conv2d(&w, None, two().groups(0)), "conv2d: groups do not fit"),
        (
            &|| x.conv2d(&w, None, two().dilation(3)),
            "conv2d: kernel larger than the padded image: a window of 7",
        ),
        (&|| x.conv2d(&w, None, two().stride(0)), "conv2d: stride is too small: 0 in [0]; at least 1"),
        (&|| x.conv2d(&w, None, two().padding([1, -1])), "conv2d: padding is too small: -1"),
        (&|| x.conv2d(&w, None, two().stride([1, 1, 1])), "conv2d: wrong number of sizes: stride [1, 1, 1]"),
        (
            &|| x.conv2d(&w, None, two().stride(2).padding("same")),
            "conv2d: padding \"same\" with a stride above 1",
        ),
        (&|| x.conv2d(&w, None, two().padding("full")), "conv: unknown padding: \"full\""),
        (&|| x.conv2d(&w, Some(&F32.zeros(5)), two()), "conv2d: bias does not fit: [5] for 6 channels"),
        (&|| x.conv2d(&w, None, two().output_padding(1)), "conv2d: output_padding given"),
        (
            &|| F32.zeros([1, 6, 5, 5]).conv_transpose2d(&w, None, two().output_padding(1)),
            "conv_transpose2d: output_padding is too large: 1",
        ),
    ];
    for (call, start) in calls {
        let got = message(call);
        assert!(got.starts_with(start), "{got}\nshould start with\n{start}");
    }
}
