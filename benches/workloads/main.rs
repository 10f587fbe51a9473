//! Times workloads and prints a JSON line for each: `cargo bench --bench workloads -- [NAME,..] [--threads N]`.
//!
//! Each workload runs in a process of its own, pinned to N cores where `taskset` exists, by these rules: one call
//! first, warm-up for 0.3 s, then timed calls for at least 1 s and 20 calls (or 30 s), each timed alone; results are
//! in memory before the clock stops, and dropping them is timed too. `--list` prints the names.
mod measure;
mod micro;
mod nets;
mod train;

use measure::Line;
use std::process::{Command, ExitCode};

/// A workload: made once, then called again and again.
type Step = Box<dyn FnMut()>;
/// The name of a workload, and what makes it.
type Workload = (&'static str, fn() -> Step);

fn workloads() -> Vec<Workload> {
    [micro::WORKLOADS, train::WORKLOADS, nets::WORKLOADS].concat()
}
fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let value = |flag: &str| args.iter().position(|a| a == flag).and_then(|i| args.get(i + 1)).cloned();
    let threads: usize = match value("--threads").map(|v| v.parse()) {
        None => 2,
        Some(Ok(n)) if n > 0 => n,
        Some(_) => return refuse("--threads takes a whole number above 0"),
    };
    if let Some(name) = value("--one") {
        return one(&name, threads);
    }
    let all: Vec<&str> = workloads().iter().map(|w| w.0).chain(["cold_start"]).collect();
    if args.iter().any(|a| a == "--list") {
        for name in all {
            measure::print(name);
        }
        return ExitCode::SUCCESS;
    }
    let skip = args.iter().position(|a| a == "--threads").map(|i| i + 1);
    let named = args.iter().enumerate().filter(|(i, a)| Some(*i) != skip && !a.starts_with("--"));
    let wanted: Vec<&str> = named.flat_map(|(_, a)| a.split(',')).filter(|n| !n.is_empty()).collect();
    if let Some(unknown) = wanted.iter().find(|n| !all.contains(n)) {
        return refuse(&format!("no workload {unknown}; --list prints the names"));
    }
    for name in all.iter().filter(|n| wanted.is_empty() || wanted.contains(n)) {
        if *name == "cold_start" {
            measure::print(
                &measure::cold_start(|| in_process("shallow", threads, true), threads).to_string(),
            );
        } else if !in_process(name, threads, false) {
            measure::print(&format!(
                "{{\"workload\": \"{name}\", \"framework\": \"retrograd\", \"error\": \"failed\"}}"
            ));
        }
    }
    ExitCode::SUCCESS
}
fn refuse(why: &str) -> ExitCode {
    eprintln!("workloads: {why}");
    ExitCode::FAILURE
}
/// Runs one workload in a fresh process; `cold`: only its first step.
fn in_process(name: &str, threads: usize, cold: bool) -> bool {
    let own = std::env::current_exe().expect("this program's path");
    let threads_arg = threads.to_string();
    let mut args = vec!["--one", name, "--threads", &threads_arg];
    if cold {
        args.push("--cold");
    }
    let cores = format!("0-{}", threads - 1);
    let pinned = Command::new("taskset").args(["-c", &cores]).arg(&own).args(&args).status();
    pinned.or_else(|_| Command::new(&own).args(&args).status()).is_ok_and(|s| s.success())
}
fn one(name: &str, threads: usize) -> ExitCode {
    let Some(&(_, make)) = workloads().iter().find(|w| w.0 == name) else {
        return refuse("unknown workload");
    };
    retrograd::with_threads(threads, || {
        let mut step = make();
        if std::env::args().any(|a| a == "--cold") {
            step();
            return;
        }
        let line: Line = measure::measure(name, threads, &mut *step);
        measure::print(&line.to_string());
    });
    ExitCode::SUCCESS
}
