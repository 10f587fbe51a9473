//! The search along a line for a point that satisfies Wolfe's strong conditions (Nocedal and Wright, 2006,
//! algorithms 3.5 and 3.6, with the choices of PyTorch): enough descent, and a slope much flatter than at the start.

use retrograd_tensor::{Error, Tensor};

/// The least descent, as a share of what the slope at the start promises.
const DESCENT: f64 = 1e-4;
/// The largest slope, as a share of that at the start.
const SLOPE: f64 = 0.9;

/// The loss at the distance `t`.
#[derive(Clone, Debug)]
pub(super) struct Point {
    pub(super) t: f64,
    pub(super) loss: f64,
    pub(super) grad: Tensor,
    /// The derivative by `t`.
    pub(super) slope: f64,
}

impl Point {
    fn descends(&self, start: &Point) -> bool {
        // A NaN counts as descending, as in PyTorch; the next comparison turns it down.
        self.loss.is_nan() || self.loss <= start.loss + DESCENT * self.t * start.slope
    }

    fn is_flat(&self, start: &Point) -> bool {
        self.slope.abs() <= -SLOPE * start.slope
    }
}

/// The point that is found from the first guess `t`, and the number of evaluations. It may miss the conditions if
/// `most` evaluations or a bracket narrower than `tolerance` end the search.
pub(super) fn strong_wolfe(
    along: &mut dyn FnMut(f64) -> Result<Point, Error>,
    start: &Point,
    t: f64,
    tolerance: f64,
    most: usize,
) -> Result<(Point, usize), Error> {
    let mut last = start.clone();
    let mut now = along(t)?;
    let mut used = 0;
    // Go on until two points bracket what is wanted.
    while used < most {
        if !now.descends(start) || (used > 1 && now.loss >= last.loss) {
            break;
        }
        if now.is_flat(start) {
            return Ok((now, used + 1));
        }
        if now.slope >= 0.0 {
            break;
        }
        let bounds = (now.t + 0.01 * (now.t - last.t), now.t * 10.0);
        let next = lowest_of_cubic(&last, &now, bounds);
        last = std::mem::replace(&mut now, along(next)?);
        used += 1;
    }
    if used >= most {
        last = start.clone();
    }
    let (low, high) = if last.loss <= now.loss { (last, now) } else { (now, last) };
    narrow(along, start, (low, high), tolerance, (used, most))
}

/// Narrows a bracket, whose first point is the lower one.
fn narrow(
    along: &mut dyn FnMut(f64) -> Result<Point, Error>,
    start: &Point,
    (mut low, mut high): (Point, Point),
    tolerance: f64,
    (mut used, most): (usize, usize),
) -> Result<(Point, usize), Error> {
    let mut close_before = false;
    while used < most && (high.t - low.t).abs() >= tolerance {
        let (from, to) = (low.t.min(high.t), low.t.max(high.t));
        let mut t = lowest_of_cubic(&low, &high, (from, to));
        let margin = 0.1 * (to - from);
        let close = (to - t).min(t - from) < margin;
        // Twice close to an end, or on it: step inside.
        let step_inside = close && (close_before || t >= to || t <= from);
        if step_inside {
            t = if (t - to).abs() < (t - from).abs() { to - margin } else { from + margin };
        }
        close_before = close && !step_inside;
        let now = along(t)?;
        used += 1;
        if !now.descends(start) || now.loss >= low.loss {
            high = now;
            if high.loss < low.loss {
                std::mem::swap(&mut low, &mut high);
            }
            continue;
        }
        if now.is_flat(start) {
            low = now;
            break;
        }
        if now.slope * (high.t - low.t) >= 0.0 {
            high = low;
        }
        low = now;
    }
    Ok((low, used + 1))
}

/// Where the cubic through two points and their slopes is lowest within bounds; their middle where it is nowhere.
fn lowest_of_cubic(a: &Point, b: &Point, (least, most): (f64, f64)) -> f64 {
    let (a, b) = if a.t <= b.t { (a, b) } else { (b, a) };
    let d1 = a.slope + b.slope - 3.0 * (a.loss - b.loss) / (a.t - b.t);
    let square = d1 * d1 - a.slope * b.slope;
    if square.is_nan() || square < 0.0 {
        return (least + most) / 2.0;
    }
    let d2 = square.sqrt();
    let t = b.t - (b.t - a.t) * ((b.slope + d2 - d1) / (b.slope - a.slope + 2.0 * d2));
    t.max(least).min(most)
}
