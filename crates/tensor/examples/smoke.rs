//! x
use retrograd_tensor::*;
fn t(s: &[usize]) -> Tensor { Tensor::from_slice(&(0..s.iter().product::<usize>()).map(|i| (i % 97) as f32 * 0.01 - 0.4).collect::<Vec<_>>(), s) }
fn main() {
    let x = Tensor::from([[1.0f32, 2.0], [3.0, 4.0]]);
    println!("{:?}", (&x * 2.0 + 1.0).sum(1).to_vec::<f32>());
    println!("{:?}", x.sum(()).item());
    println!("{:?}", x.sum(0).to_vec::<f32>());
    println!("{:?}", (x.permute([1, 0]) + &x).to_vec::<f32>());
    let z = t(&[100, 1000]);
    let e = z.exp();
    let s = e.sum_keepdim(1);
    let p = &e / &s;
    drop((e, s));
    let b = memory::stats();
    p.force();
    let a = memory::stats();
    println!("softmax programs {} outputs {}", a.programs - b.programs, a.outputs - b.outputs);
    println!("{:?}", &p.sum(1).to_vec::<f32>()[..4]);
    let v: f64 = z.to_vec::<f32>().iter().map(|&v| v as f64).sum();
    println!("{} {}", z.sum(()).item(), v);
    for s in [[1usize, 1], [3, 1], [1, 7], [5, 64], [300, 3], [70, 513], [2, 20000], [20000, 2], [129, 1000]] {
        for ax in [vec![0isize], vec![1], vec![0, 1]] {
            let x = t(&s);
            let lazy = (&x * 2.0 - 0.1).sum(&ax[..]).to_vec::<f32>();
            let eager = eager(|| (&x * 2.0 - 0.1).sum(&ax[..])).to_vec::<f32>();
            assert_eq!(lazy, eager, "{s:?} {ax:?}");
            let want: Vec<f64> = { let d = x.to_vec::<f32>(); let (r, c) = (s[0], s[1]); match ax.len() { 2 => vec![d.iter().map(|&v| v as f64 * 2.0 - 0.1).sum()], _ if ax[0] == 0 => (0..c).map(|j| (0..r).map(|i| d[i * c + j] as f64 * 2.0 - 0.1).sum()).collect(), _ => (0..r).map(|i| (0..c).map(|j| d[i * c + j] as f64 * 2.0 - 0.1).sum()).collect() } };
            for (a, b) in lazy.iter().zip(&want) { assert!((*a as f64 - b).abs() < 1e-3 * (1.0 + b.abs()), "{s:?} {ax:?} {a} {b}"); }
        }
    }
    let x = t(&[4, 70, 33]);
    println!("{:?}", &x.sum(1).to_vec::<f32>()[..3]);
    let a = eager(|| x.sum(1).to_vec::<f32>());
    assert_eq!(a, x.sum(1).to_vec::<f32>());
    let time = |n: &str, f: &mut dyn FnMut()| { f(); let mut v: Vec<u128> = (0..50).map(|_| { let s = std::time::Instant::now(); f(); s.elapsed().as_nanos() }).collect(); v.sort(); println!("{n:30} {:10.1} us  min {:10.1}", v[25] as f64 / 1e3, v[0] as f64 / 1e3); };
    let (b16, x16) = (t(&[16]), t(&[16]));
    time("1000 adds of 16", &mut || { let mut y = x16.clone(); for _ in 0..1000 { y = y + &b16; } y.force(); });
    let [x, a, b, c] = [0; 4].map(|_| t(&[1 << 20]));
    time("ew 1m", &mut || { let y = (&x * &a + &b).tanh() * &c + &x; y.force(); });
    time("ew 1m 1t", &mut || with_threads(1, || { let y = (&x * &a + &b).tanh() * &c + &x; y.force(); }));
    time("sum 1m", &mut || { x.sum(()).force(); });
    let m = t(&[4096, 4096]);
    time("sum0 4096", &mut || { m.sum(0).force(); });
    time("sum1 4096", &mut || { m.sum(1).force(); });
    let r = t(&[1024, 1000]);
    time("softmax fwd", &mut || { let e = r.exp(); let s = e.sum_keepdim(1); let p = e / s; p.force(); });
}
