//! Colours: of series, and of values from low to high.

/// Okabe and Ito's colours, told apart by colour-blind readers too; two of Tol's make them ten.
pub(crate) const COLOURS: [&str; 10] = [
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#882255", "#999999",
    "#f0e442",
];

/// What stands for a value that is not finite: no colour of [`sequential`] is grey.
pub(crate) const NONE: [u8; 3] = [200, 200, 200];

/// Blue for -1, nearly white for 0, red for 1; yellow for what is not finite.
pub(crate) fn diverging(value: f64) -> [u8; 3] {
    const MIDDLE: [f64; 3] = [247.0, 247.0, 245.0];
    if !value.is_finite() {
        return [240, 228, 66];
    }
    let end = if value < 0.0 { [33.0, 102.0, 172.0] } else { [178.0, 24.0, 43.0] };
    let share = value.abs().min(1.0);
    [0, 1, 2].map(|i| (MIDDLE[i] + (end[i] - MIDDLE[i]) * share).round() as u8)
}

/// From dark violet over green to yellow, for shares from 0 to 1: rising lightness, after matplotlib's viridis.
pub(crate) fn sequential(share: f64) -> [u8; 3] {
    const STOPS: [[f64; 3]; 6] = [
        [68.0, 1.0, 84.0],
        [65.0, 68.0, 135.0],
        [42.0, 120.0, 142.0],
        [34.0, 168.0, 132.0],
        [122.0, 209.0, 81.0],
        [253.0, 231.0, 37.0],
    ];
    let place = share.clamp(0.0, 1.0) * 5.0;
    let from = (place as usize).min(4);
    let within = place - from as f64;
    [0, 1, 2].map(|i| (STOPS[from][i] * (1.0 - within) + STOPS[from + 1][i] * within).round() as u8)
}

/// White for 0, black for 1; yellow for what is not finite.
pub(super) fn grey(share: f64) -> [u8; 3] {
    if share.is_finite() {
        [255 - (share.clamp(0.0, 1.0) * 255.0).round() as u8; 3]
    } else {
        diverging(share)
    }
}

/// A colour as SVG names it.
pub(crate) fn hex([r, g, b]: [u8; 3]) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}

#[cfg(test)]
mod tests {
    use super::{diverging, grey, hex, sequential};

    #[test]
    fn ends_and_middles() {
        assert_eq!([grey(0.0), grey(1.0), grey(2.0)].map(hex), ["#ffffff", "#000000", "#000000"]);
        assert_eq!(hex(sequential(0.0)), "#440154");
        assert!(diverging(-1.0)[2] > diverging(-1.0)[0] && diverging(1.0)[0] > diverging(1.0)[2]);
        assert_eq!(grey(f64::NAN), diverging(f64::INFINITY));
    }
}
