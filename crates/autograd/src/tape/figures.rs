//! Figures as the table and the page show them.
use retrograd_tensor::Cost;

/// `12 B`, `3.4 KiB`, `5.6 MiB`.
pub(super) fn bytes(n: usize) -> String {
    match n {
        0..1024 => format!("{n} B"),
        1024..1_048_576 => format!("{:.1} KiB", n as f64 / 1024.0),
        _ => format!("{:.1} MiB", n as f64 / 1_048_576.0),
    }
}
/// `12`, `3.4 k`, `5.6 M`, `7.8 G`.
fn count(n: u64) -> String {
    match n {
        0..1000 => n.to_string(),
        1000..1_000_000 => format!("{:.1} k", n as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} M", n as f64 / 1e6),
        _ => format!("{:.1} G", n as f64 / 1e9),
    }
}
/// Time and operations.
pub(super) fn cost(c: Cost) -> [String; 2] {
    [format!("{:.1?}", c.time), count(c.flops)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn figures_have_units() {
        assert_eq!([bytes(1023), bytes(1536), bytes(3 << 20)], ["1023 B", "1.5 KiB", "3.0 MiB"]);
        let cost = cost(Cost { time: Duration::from_nanos(1500), bytes: 0, flops: 2_500_000 });
        assert_eq!(cost, ["1.5µs", "2.5 M"]);
        assert_eq!([count(999), count(7_800_000_000)], ["999", "7.8 G"]);
    }
}
