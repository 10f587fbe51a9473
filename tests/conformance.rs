//! Every recorded case of every family as a test of its own, named `family/id`, against the reference values
//! under `tests/data/conformance`, or in the folder `CONFORMANCE_DIR` where that is set.
//!
//! What is not built yet is counted and listed by name, as ignored tests. In a family that is said to be
//! complete, an operator missing from the table is a failure.

#![allow(clippy::print_stdout, reason = "a test program reports on standard output")]

#[path = "conformance/case.rs"]
mod case;
#[path = "conformance/compare.rs"]
mod compare;
#[path = "conformance/layers.rs"]
mod layers;
#[path = "conformance/layout.rs"]
mod layout;
#[path = "conformance/malformed.rs"]
mod malformed;
#[path = "conformance/operator.rs"]
mod operator;
#[path = "conformance/optimizers.rs"]
mod optimizers;
#[path = "conformance/schedulers.rs"]
mod schedulers;
#[path = "conformance/training.rs"]
mod training;
#[path = "conformance/transforms.rs"]
mod transforms;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use libtest_mimic::{Arguments, Trial};
use retrograd::testing::{Entry, entries};

use crate::case::{FAMILIES, Family, Run};
use crate::operator::Report;

/// How the cases of a family that is not about operators are run: which kinds there are, and the checks of one.
struct Runner {
    family: &'static str,
    knows: fn(&str) -> bool,
    check: fn(&Run) -> Report,
}

const RUNNERS: [Runner; 4] = [
    Runner { family: "layers", knows: layers::knows, check: layers::check },
    Runner { family: "optimizers", knows: optimizers::knows, check: optimizers::check },
    Runner { family: "schedulers", knows: schedulers::knows, check: schedulers::check },
    Runner { family: "training", knows: training::knows, check: training::check },
];

/// What was run of a family.
#[derive(Default)]
struct Tally {
    cases: AtomicUsize,
    cases_passed: AtomicUsize,
    checks: AtomicUsize,
    checks_passed: AtomicUsize,
    /// Checks that ask nothing of the reference.
    generated: AtomicUsize,
    /// Checks that were left out, by reason.
    skips: Mutex<BTreeMap<&'static str, usize>>,
    /// Operators that `vmap` ran slice by slice.
    sliced: Mutex<BTreeSet<String>>,
}

/// The tests of one family, and what there is to say of it.
struct Plan {
    name: String,
    trials: Vec<Trial>,
    /// Cases that are run, and the operators that they call or the kinds that they are of.
    cases: usize,
    operators: BTreeSet<String>,
    /// What is not built, by operator or kind, with its number of cases.
    absent: BTreeMap<String, usize>,
    tally: Arc<Tally>,
}

fn main() -> ExitCode {
    let args = Arguments::from_args();
    let given = std::env::var_os("CONFORMANCE_DIR").map(PathBuf::from);
    let own = || Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/conformance");
    let dir = given.clone().unwrap_or_else(own);
    let read = case::load(&dir).map_err(|error| format!("cannot read the cases: {error}"));
    let (families, table) = match read.and_then(|families| Ok((families, table()?))) {
        Ok(read) => read,
        Err(error) => {
            eprintln!("conformance: {error}");
            return ExitCode::FAILURE;
        }
    };
    let called = families.iter().flat_map(|family| &family.operators).map(|case| case.op.clone());
    let called = called.collect::<BTreeSet<_>>();
    let mut plans = families.into_iter().map(|family| plan(family, &table)).collect::<Vec<_>>();
    if !args.list {
        announce(&plans, &table, &called);
    }
    operator::quiet_panics();
    let mut trials: Vec<Trial> = plans.iter_mut().flat_map(|plan| std::mem::take(&mut plan.trials)).collect();
    if given.is_none() {
        trials.extend(malformed::trials());
    }
    let conclusion = libtest_mimic::run(&args, trials);
    if !args.list {
        conclude(&plans, table.len());
    }
    conclusion.exit_code()
}

/// The operators that can be called, by name.
fn table() -> Result<BTreeMap<&'static str, &'static Entry>, String> {
    let mut table = BTreeMap::new();
    for entry in entries() {
        if table.insert(entry.name, entry).is_some() {
            return Err(format!("the table names `{}` twice", entry.name));
        }
    }
    Ok(table)
}

fn plan(family: Family, table: &BTreeMap<&'static str, &'static Entry>) -> Plan {
    let Family { name, operators, runs } = family;
    let mut plan = Plan {
        name,
        trials: Vec::new(),
        cases: 0,
        operators: BTreeSet::new(),
        absent: BTreeMap::new(),
        tally: Arc::default(),
    };
    for case in operators {
        let Some(&entry) = table.get(case.op.as_str()) else {
            plan.skip(&case.id, &case.op);
            continue;
        };
        let (family, id, op) = (plan.name.clone(), case.id.clone(), case.op.clone());
        let about = format!("{:?}", case.attrs);
        plan.add(&id, &op, about, move || operator::check(&family, &case, entry));
    }
    for run in runs {
        let runner = RUNNERS.iter().find(|runner| runner.family == plan.name && (runner.knows)(&run.kind));
        let Some(Runner { check, .. }) = runner else {
            plan.skip(&run.id, &run.kind);
            continue;
        };
        let (id, kind) = (run.id.clone(), run.kind.clone());
        let about = run.attrs().map_or_else(|error| error, |attrs| format!("{attrs:?}"));
        plan.add(&id, &kind, about, move || check(&run));
    }
    plan
}

impl Plan {
    /// A test of the case `id`, which calls the operator, or is of the kind, `kind`.
    fn add(&mut self, id: &str, kind: &str, about: String, check: impl Fn() -> Report + Send + 'static) {
        self.cases += 1;
        self.operators.insert(kind.to_owned());
        let (kind, tally) = (kind.to_owned(), Arc::clone(&self.tally));
        self.trials.push(Trial::test(format!("{}/{id}", self.name), move || {
            let report = check();
            let checks = report.passed + report.failures.len();
            tally.cases.fetch_add(1, Ordering::Relaxed);
            tally.checks.fetch_add(checks, Ordering::Relaxed);
            tally.checks_passed.fetch_add(report.passed, Ordering::Relaxed);
            tally.generated.fetch_add(report.generated, Ordering::Relaxed);
            let mut skips = tally.skips.lock().unwrap_or_else(PoisonError::into_inner);
            report.skips.iter().for_each(|reason| *skips.entry(reason).or_default() += 1);
            drop(skips);
            if report.sliced {
                tally.sliced.lock().unwrap_or_else(PoisonError::into_inner).insert(kind.clone());
            }
            if report.failures.is_empty() {
                tally.cases_passed.fetch_add(1, Ordering::Relaxed);
                return Ok(());
            }
            let head = format!("{} of {checks} checks failed, {about}", report.failures.len());
            Err(format!("{head}\n  {}", report.failures.join("\n  ")).into())
        }));
    }

    fn skip(&mut self, id: &str, kind: &str) {
        *self.absent.entry(kind.to_owned()).or_default() += 1;
        let failure = format!("`{kind}` is not built");
        let trial = Trial::test(format!("{}/{id}", self.name), move || Err(failure.into()));
        self.trials.push(trial.with_ignored_flag(!FAMILIES.contains(&self.name.as_str())));
    }
}

/// What will be run and what is not built, before the tests.
fn announce(plans: &[Plan], table: &BTreeMap<&'static str, &'static Entry>, called: &BTreeSet<String>) {
    for plan in plans.iter().filter(|plan| plan.cases > 0) {
        println!("family {}: {} cases of {} operators", plan.name, plan.cases, plan.operators.len());
    }
    for plan in plans.iter().filter(|plan| !plan.absent.is_empty()) {
        let names = plan.absent.iter().map(|(name, count)| format!("{name} ({count})"));
        let total = plan.absent.values().sum::<usize>();
        println!("not built: {}: {total} cases: {}", plan.name, names.collect::<Vec<_>>().join(", "));
    }
    let uncalled = table.keys().filter(|name| !called.contains(**name)).copied().collect::<Vec<_>>();
    if !uncalled.is_empty() {
        println!("in the table without a case: {}", uncalled.join(", "));
    }
}

/// How much of it passed, after the tests.
fn conclude(plans: &[Plan], operators: usize) {
    let read = |count: &AtomicUsize| count.load(Ordering::Relaxed);
    let mut total = [0; 4];
    for plan in plans {
        let tally = &plan.tally;
        let counts = [&tally.cases_passed, &tally.cases, &tally.checks_passed, &tally.checks].map(read);
        if counts[1] > 0 {
            let [passed, cases, checks_passed, checks] = counts;
            println!("passed: {}: {passed} of {cases} cases, {checks_passed} of {checks} checks", plan.name);
        }
        for (sum, count) in total.iter_mut().zip(counts) {
            *sum += count;
        }
    }
    let [passed, cases, checks_passed, checks] = total;
    let absent = plans.iter().flat_map(|plan| plan.absent.values()).sum::<usize>();
    let lock = |plan: &Plan| plan.tally.sliced.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let sliced: BTreeSet<String> = plans.iter().flat_map(lock).collect();
    println!(
        "vmap runs {} operators slice by slice: {}",
        sliced.len(),
        sliced.into_iter().collect::<Vec<_>>().join(", ")
    );
    println!(
        "passed in all: {passed} of {cases} cases, {checks_passed} of {checks} checks; not built: {absent} cases"
    );
    let generated = plans.iter().map(|plan| read(&plan.tally.generated)).sum::<usize>();
    println!(
        "operators in the table: {operators}; checks that ask nothing of the reference: {generated} of {checks}"
    );
    let mut skips = BTreeMap::new();
    for plan in plans {
        for (reason, count) in &*plan.tally.skips.lock().unwrap_or_else(PoisonError::into_inner) {
            *skips.entry(*reason).or_default() += *count;
        }
    }
    println!("skipped: {} checks", skips.values().sum::<usize>());
    for (reason, count) in skips {
        println!("  {count} times: {reason}");
    }
}
