//! What a step gives by plain loops over indices, for steps that have a plain definition.
use crate::step::Op;
use retrograd::prelude::*;

/// Elements with exact integers apart, since they wrap.
enum Data {
    Float(Vec<f64>),
    Integer(Vec<i64>),
}
struct Array {
    shape: Vec<usize>,
    data: Data,
}
/// What is expected: a shape, and elements within a tolerance that depends on the element.
struct Expected {
    array: Array,
    tolerance: Vec<f64>,
}

impl Array {
    fn of(x: &Tensor) -> Array {
        let data = match x.dtype() {
            I64 => Data::Integer(x.to_vec::<i64>()),
            Bool => Data::Integer(x.iter::<bool>().map(i64::from).collect()),
            _ => Data::Float(x.cast(F64).to_vec::<f64>()),
        };
        Array { shape: x.shape().to_vec(), data }
    }
    fn numel(&self) -> usize {
        self.shape.iter().product()
    }
    fn float(&self, at: usize) -> f64 {
        match &self.data {
            Data::Float(x) => x[at],
            Data::Integer(x) => x[at] as f64,
        }
    }
    /// The elements at these positions, as an array of `shape`.
    fn pick(&self, shape: Vec<usize>, at: impl Fn(&[usize]) -> usize) -> Array {
        let places: Vec<usize> = (0..shape.iter().product()).map(|i| at(&unravel(i, &shape))).collect();
        let data = match &self.data {
            Data::Float(x) => Data::Float(places.iter().map(|&i| x[i]).collect()),
            Data::Integer(x) => Data::Integer(places.iter().map(|&i| x[i]).collect()),
        };
        Array { shape, data }
    }
    fn broadcast(&self, shape: &[usize]) -> Array {
        let skipped = shape.len() - self.shape.len();
        self.pick(shape.to_vec(), |ix| {
            let own: Vec<usize> =
                ix[skipped..].iter().zip(&self.shape).map(|(&i, &n)| if n == 1 { 0 } else { i }).collect();
            ravel(&own, &self.shape)
        })
    }
}
fn unravel(mut i: usize, shape: &[usize]) -> Vec<usize> {
    let mut ix = vec![0; shape.len()];
    for (k, &n) in shape.iter().enumerate().rev() {
        ix[k] = i % n;
        i /= n;
    }
    ix
}
fn ravel(ix: &[usize], shape: &[usize]) -> usize {
    ix.iter().zip(shape).fold(0, |at, (&i, &n)| at * n + i)
}
fn exact(array: Array) -> Expected {
    Expected { tolerance: vec![0.0; array.numel()], array }
}

/// Compares an eager result with the slow one, where there is one.
pub(crate) fn check(op: &Op, x: &[&Tensor], y: &Tensor) -> Result<(), String> {
    let args: Vec<Array> = x.iter().map(|x| Array::of(x)).collect();
    let Some(want) = expected(op, &args, y) else { return Ok(()) };
    let got = Array::of(y);
    if got.shape != want.array.shape {
        return Err(format!("the shape is {:?}, expected {:?}", got.shape, want.array.shape));
    }
    for i in 0..got.numel() {
        let right = match (&got.data, &want.array.data) {
            (Data::Integer(a), Data::Integer(b)) => a[i] == b[i],
            _ => {
                let (a, b) = (got.float(i), want.array.float(i));
                // A quotient may be rounded twice here, in denormal numbers of `F32`.
                a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= want.tolerance[i] + 1e-44
            }
        };
        if !right {
            let (a, b) = (got.float(i), want.array.float(i));
            return Err(format!("element {:?} is {a:e}, expected {b:e}", unravel(i, &got.shape)));
        }
    }
    Ok(())
}

fn expected(op: &Op, x: &[Array], y: &Tensor) -> Option<Expected> {
    let half = matches!(y.dtype(), F16 | BF16);
    match op {
        Op::Leaf { data, shape, .. } => {
            let stored = Array { shape: shape.clone(), data: Data::Float(data.clone()) };
            Some(exact(cast(&stored, y.dtype())))
        }
        Op::Unary(name) if !half => unary(name, &x[0], y.dtype()),
        Op::Binary(name) if !half => binary(name, &x[0], &x[1], y),
        Op::Number(name, v) if !half => binary(name, &x[0], &number(*v, y.dtype()), y),
        Op::Reversed(name, v) if !half => binary(name, &number(*v, y.dtype()), &x[0], y),
        Op::Compare(name) => compare(name, &x[0], &x[1], y),
        Op::Choose if !half => choose(x, y),
        Op::Cast(to) if !half => Some(exact(cast(&x[0], *to))),
        Op::Reduce { how, axes, keepdim } if !half => reduce(how, &x[0], axes, *keepdim, y),
        Op::Along(how, axis) if !half => along(how, &x[0], *axis as usize, y.dtype()),
        Op::Detach => Some(exact(x[0].broadcast(&x[0].shape))),
        _ => view(op, &x[0]),
    }
}
/// The nearest number of the type.
fn round(v: f64, dtype: DType) -> f64 {
    if dtype == F32 { f64::from(v as f32) } else { v }
}
fn number(v: f64, dtype: DType) -> Array {
    let data = if dtype == I64 { Data::Integer(vec![v as i64]) } else { Data::Float(vec![round(v, dtype)]) };
    Array { shape: vec![], data }
}
fn cast(x: &Array, to: DType) -> Array {
    let data = match (&x.data, to) {
        (Data::Float(x), I64) => Data::Integer(x.iter().map(|&v| v as i64).collect()),
        (Data::Integer(x), I64) => Data::Integer(x.clone()),
        (Data::Float(x), _) => Data::Float(x.iter().map(|&v| round(v, to)).collect()),
        (Data::Integer(x), F32) => Data::Float(x.iter().map(|&v| f64::from(v as f32)).collect()),
        (Data::Integer(x), _) => Data::Float(x.iter().map(|&v| v as f64).collect()),
    };
    Array { shape: x.shape.clone(), data }
}
fn unary(name: &str, x: &Array, dtype: DType) -> Option<Expected> {
    let data = match &x.data {
        Data::Integer(x) => {
            let f: fn(i64) -> i64 = match name {
                "neg" => i64::wrapping_neg,
                "abs" => i64::wrapping_abs,
                "square" => |v| v.wrapping_mul(v),
                _ => i64::signum,
            };
            Data::Integer(x.iter().map(|&v| f(v)).collect())
        }
        Data::Float(x) => {
            let f: fn(f64) -> f64 = match name {
                "neg" => |v| -v,
                "abs" => f64::abs,
                "square" => |v| v * v,
                "sign" => |v| {
                    if v > 0.0 {
                        1.0
                    } else if v < 0.0 {
                        -1.0
                    } else {
                        0.0
                    }
                },
                "sqrt" => f64::sqrt,
                "relu" => |v| if v > 0.0 || v.is_nan() { v } else { 0.0 },
                "reciprocal" => |v| 1.0 / v,
                "floor" => f64::floor,
                _ => return None,
            };
            Data::Float(x.iter().map(|&v| round(f(v), dtype)).collect())
        }
    };
    Some(exact(Array { shape: x.shape.clone(), data }))
}
fn binary(name: &str, a: &Array, b: &Array, y: &Tensor) -> Option<Expected> {
    let (shape, dtype) = (y.shape().to_vec(), y.dtype());
    let (a, b) = (a.broadcast(&shape), b.broadcast(&shape));
    let data = if let (Data::Integer(a), Data::Integer(b)) = (&a.data, &b.data) {
        let f: fn(i64, i64) -> i64 = match name {
            "add" | "add_assign" => i64::wrapping_add,
            "sub" => i64::wrapping_sub,
            "mul" | "mul_assign" => i64::wrapping_mul,
            "maximum" => i64::max,
            _ => i64::min,
        };
        Data::Integer(a.iter().zip(b).map(|(&a, &b)| f(a, b)).collect())
    } else {
        let nan = |a: f64, b: f64, v: f64| if a.is_nan() || b.is_nan() { f64::NAN } else { v };
        let f = |a: f64, b: f64| match name {
            "add" | "add_assign" => a + b,
            "sub" => a - b,
            "mul" | "mul_assign" => a * b,
            "div" => a / b,
            "maximum" => nan(a, b, a.max(b)),
            _ => nan(a, b, a.min(b)),
        };
        if name == "atan2" {
            return None;
        }
        let at = |i: usize| f(round(a.float(i), dtype), round(b.float(i), dtype));
        Data::Float((0..a.numel()).map(|i| round(at(i), dtype)).collect())
    };
    Some(exact(Array { shape, data }))
}
fn compare(name: &str, a: &Array, b: &Array, y: &Tensor) -> Option<Expected> {
    let shape = y.shape().to_vec();
    let (a, b) = (a.broadcast(&shape), b.broadcast(&shape));
    if matches!((&a.data, &b.data), (Data::Float(_), Data::Integer(_))) {
        return None; // the integers are rounded to the floats' type first
    }
    let f = |i: usize| match (&a.data, &b.data) {
        (Data::Integer(a), Data::Integer(b)) => by_name(name, a[i], b[i]),
        _ => by_name(name, a.float(i), b.float(i)),
    };
    let data = Data::Integer((0..a.numel()).map(|i| i64::from(f(i))).collect());
    Some(exact(Array { shape, data }))
}
fn by_name<T: PartialOrd + Copy>(name: &str, a: T, b: T) -> bool {
    match name {
        "gt" => a > b,
        "le" => a <= b,
        "eq" => a == b,
        _ => a != b,
    }
}
fn choose(x: &[Array], y: &Tensor) -> Option<Expected> {
    let shape = y.shape().to_vec();
    let [mask, a, b] = [0, 1, 2].map(|k| x[k].broadcast(&shape));
    let pick = |i: usize| if mask.float(i) != 0.0 { &a } else { &b };
    let n = mask.numel();
    let data = match (&a.data, &b.data) {
        (Data::Integer(a), Data::Integer(b)) => {
            Data::Integer((0..n).map(|i| if mask.float(i) != 0.0 { a[i] } else { b[i] }).collect())
        }
        _ => Data::Float((0..n).map(|i| round(pick(i).float(i), y.dtype())).collect()),
    };
    Some(exact(Array { shape, data }))
}

/// The positions that each result of a reduction combines.
fn groups(x: &Array, axes: &[isize]) -> (Vec<usize>, Vec<Vec<usize>>) {
    let kept = |k: usize| !axes.contains(&(k as isize));
    let shape: Vec<usize> = (0..x.shape.len()).map(|k| if kept(k) { x.shape[k] } else { 1 }).collect();
    let mut groups = vec![vec![]; shape.iter().product()];
    for i in 0..x.numel() {
        let ix: Vec<usize> =
            unravel(i, &x.shape).iter().enumerate().map(|(k, &i)| if kept(k) { i } else { 0 }).collect();
        groups[ravel(&ix, &shape)].push(i);
    }
    (shape, groups)
}
fn epsilon(dtype: DType) -> f64 {
    if dtype == F64 { f64::EPSILON } else { f64::from(f32::EPSILON) }
}
fn reduce(how: &str, x: &Array, axes: &[isize], keepdim: bool, y: &Tensor) -> Option<Expected> {
    let (mut shape, groups) = groups(x, axes);
    if !keepdim {
        shape = shape
            .iter()
            .enumerate()
            .filter(|(k, _)| !axes.contains(&(*k as isize)))
            .map(|(_, &n)| n)
            .collect();
    }
    if let Data::Integer(x) = &x.data {
        let f: fn(i64, i64) -> i64 = match how {
            "sum" => i64::wrapping_add,
            "prod" => i64::wrapping_mul,
            "amax" => i64::max,
            _ => i64::min,
        };
        let fold = |g: &Vec<usize>| g.iter().map(|&i| x[i]).reduce(f).expect("groups have elements");
        return Some(exact(Array { shape, data: Data::Integer(groups.iter().map(fold).collect()) }));
    }
    let mut tolerance = vec![];
    let mut data = vec![];
    for g in &groups {
        let values = || g.iter().map(|&i| x.float(i));
        let n = g.len() as f64;
        let size: f64 = values().map(f64::abs).sum();
        let nan = values().any(f64::is_nan);
        let unless_nan = |v: f64| if nan { f64::NAN } else { v };
        let most = values().fold(f64::NEG_INFINITY, f64::max);
        let (value, off) = match how {
            "sum" => (values().sum(), size),
            "mean" => (values().sum::<f64>() / n, size / n),
            "prod" => (values().product::<f64>(), values().product::<f64>().abs()),
            "amax" => (unless_nan(most), 0.0),
            "amin" => (unless_nan(values().fold(f64::INFINITY, f64::min)), 0.0),
            _ => {
                let sum: f64 = values().map(|v| (v - most).exp()).sum();
                (most + sum.ln(), most.abs() + sum.ln().abs() + 4.0)
            }
        };
        // Sums of huge numbers, and long products, overflow or vanish in an order of their own.
        let swing: f64 = values().map(|v| v.abs().ln().abs()).sum();
        let tame = if how == "prod" { swing < 40.0 } else { off == 0.0 || (off.is_finite() && size < 1e15) };
        tolerance.push(if tame { off * n.max(4.0) * 2.0 * epsilon(y.dtype()) } else { f64::INFINITY });
        data.push(if tame { value } else { f64::NAN });
    }
    let got = Array::of(y);
    // Where nothing is claimed, what is there is right.
    let settle = |(i, v): (usize, f64)| if tolerance[i].is_infinite() { got.float(i) } else { v };
    let data = data.into_iter().enumerate().map(settle).collect();
    (got.shape == shape).then_some(())?;
    Some(Expected { array: Array { shape, data: Data::Float(data) }, tolerance })
}
fn along(how: &str, x: &Array, axis: usize, dtype: DType) -> Option<Expected> {
    let (_, groups) = groups(x, &[axis as isize]);
    if let Data::Integer(v) = &x.data {
        let mut out = v.clone();
        for g in &groups {
            g.windows(2).for_each(|w| out[w[1]] = out[w[0]].wrapping_add(v[w[1]]));
        }
        return Some(exact(Array { shape: x.shape.clone(), data: Data::Integer(out) }));
    }
    if (0..x.numel()).any(|i| x.float(i).is_nan() || x.float(i).abs() > 1e6) {
        return None;
    }
    let (mut out, mut tolerance) = (vec![0.0; x.numel()], vec![0.0; x.numel()]);
    for g in &groups {
        let most = g.iter().map(|&i| x.float(i)).fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = g.iter().map(|&i| (x.float(i) - most).exp()).sum();
        let (mut total, mut size) = (0.0, 0.0);
        for &i in g {
            let v = x.float(i);
            total += v;
            size += v.abs();
            let near = (g.len() + 8) as f64 * epsilon(dtype);
            let shifted = v - most - sum.ln();
            (out[i], tolerance[i]) = match how {
                "cumsum" => (total, 2.0 * near * size),
                // The argument of `exp` is as exact as the numbers that it is the difference of.
                "softmax" => (shifted.exp(), near * (1.0 + v.abs() + most.abs())),
                _ => (shifted, near * (1.0 + v.abs() + most.abs())),
            };
        }
    }
    Some(Expected { array: Array { shape: x.shape.clone(), data: Data::Float(out) }, tolerance })
}

fn view(op: &Op, x: &Array) -> Option<Expected> {
    let own = &x.shape;
    let place = |ix: &[usize]| ravel(ix, own);
    Some(exact(match op {
        Op::Permute(order) => {
            let shape = order.iter().map(|&k| own[k as usize]).collect();
            x.pick(shape, |ix| {
                let mut at = vec![0; ix.len()];
                order.iter().zip(ix).for_each(|(&k, &i)| at[k as usize] = i);
                place(&at)
            })
        }
        Op::Flip(axes) => x.pick(own.clone(), |ix| {
            let turned = |k: usize| if axes.contains(&(k as isize)) { own[k] - 1 - ix[k] } else { ix[k] };
            place(&(0..ix.len()).map(turned).collect::<Vec<_>>())
        }),
        Op::Slice { axis, start, end, step } => {
            let mut shape = own.clone();
            shape[*axis as usize] = ((end - start) as usize).div_ceil(*step as usize);
            x.pick(shape, |ix| {
                let mut at = ix.to_vec();
                at[*axis as usize] = *start as usize + ix[*axis as usize] * *step as usize;
                place(&at)
            })
        }
        Op::Expand(dims) => x.broadcast(&dims.iter().map(|&n| n as usize).collect::<Vec<_>>()),
        Op::Reshape(dims) => {
            let known: isize = dims.iter().filter(|&&n| n >= 0).product();
            let size = |&n: &isize| if n < 0 { x.numel() / known.max(1) as usize } else { n as usize };
            let shape: Vec<usize> = dims.iter().map(size).collect();
            x.pick(shape.clone(), |ix| ravel(ix, &shape))
        }
        Op::Unsqueeze(axis) => {
            let mut shape = own.clone();
            shape.insert(*axis as usize, 1);
            x.pick(shape.clone(), |ix| ravel(ix, &shape))
        }
        _ => return None,
    }))
}
