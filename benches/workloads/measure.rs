//! The clock of the workloads, and the line that they print.
use std::fmt;
use std::time::{Duration, Instant};

/// What one workload took.
pub(crate) struct Line {
    workload: String,
    threads: usize,
    median: f64,
    min: f64,
    iters: usize,
    peak_rss_mb: f64,
}
impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Line { workload, threads, median, min, iters, peak_rss_mb } = self;
        write!(f, "{{\"workload\": \"{workload}\", \"framework\": \"retrograd\", \"threads\": {threads}, ")?;
        write!(
            f,
            "\"median_s\": {median:.9}, \"min_s\": {min:.9}, \"iters\": {iters}, \"peak_rss_mb\": {peak_rss_mb:.1}}}"
        )
    }
}
#[expect(clippy::print_stdout, reason = "the lines are this program's result")]
pub(crate) fn print(line: &str) {
    println!("{line}");
}

/// The most memory that this process has had, in MB.
fn peak_rss_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|l| l.starts_with("VmHWM"));
    let kib = line.and_then(|l| l.split_whitespace().nth(1)).and_then(|v| v.parse::<f64>().ok());
    kib.unwrap_or(0.0) / 1024.0
}
fn line(workload: &str, threads: usize, mut times: Vec<f64>) -> Line {
    times.sort_by(f64::total_cmp);
    let (median, min, iters) = (times[times.len() / 2], times[0], times.len());
    Line { workload: workload.to_owned(), threads, median, min, iters, peak_rss_mb: peak_rss_mb() }
}
/// One call, a warm-up, then timed calls.
pub(crate) fn measure(workload: &str, threads: usize, step: &mut dyn FnMut()) -> Line {
    step();
    let (warm, mut calls) = (Instant::now(), 0);
    while calls < 2 || (warm.elapsed() < Duration::from_millis(300) && calls < 1000) {
        step();
        calls += 1;
    }
    let (begin, mut times) = (Instant::now(), vec![]);
    loop {
        let start = Instant::now();
        step();
        times.push(start.elapsed().as_secs_f64());
        let all = begin.elapsed();
        if (all >= Duration::from_secs(1) && times.len() >= 20) || all >= Duration::from_secs(30) {
            return line(workload, threads, times);
        }
    }
}
/// The wall time of whole processes.
pub(crate) fn cold_start(run: impl Fn() -> bool, threads: usize) -> Line {
    run();
    let mut times = vec![];
    for _ in 0..5 {
        let start = Instant::now();
        run();
        times.push(start.elapsed().as_secs_f64());
    }
    line("cold_start", threads, times)
}
