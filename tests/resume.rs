//! A run that is killed with SIGKILL at random moments, also while it saves, and started again ends with the same bits
//! as one that nobody killed: weights, optimizer, schedule, random streams, position.
//!
//! The run is the example `resume`; its process is this program once more, called with the example's options.

#![expect(clippy::print_stdout, reason = "how many kills met a save is worth knowing")]

#[path = "../examples/resume.rs"]
mod example;

use libtest_mimic::{Arguments, Failed, Trial};
use retrograd::files::{Checkpoint, load_safetensors};
use retrograd::{Rng, Tensor};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

/// How often the run is killed.
const KILLS: usize = 20;

/// How often at most, if no kill has met a save before.
const MOST_KILLS: usize = 200;

/// Lives of a run, in which it comes to about its end if nobody ends it before.
const LIVES: u32 = 12;

/// The options of the run: it saves after every step.
const OPTIONS: [&str; 10] =
    ["--every", "1", "--epochs", "6", "--batch", "64", "--checkpoint", "run.checkpoint", "--out", "run.svg"];

fn main() -> ExitCode {
    if std::env::args().any(|argument| argument == "--checkpoint") {
        return match example::main() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{error}");
                ExitCode::FAILURE
            }
        };
    }
    let trials = vec![Trial::test("a_killed_run_ends_with_the_same_bits", killed_run)];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// A folder for a run, removed with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Result<Self, Failed> {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        Ok(Self(folder))
    }

    fn start(&self) -> Result<Child, Failed> {
        let mut command = Command::new(std::env::current_exe()?);
        let command = command.args(OPTIONS).current_dir(&self.0).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(command.spawn()?)
    }

    fn checkpoint(&self) -> PathBuf {
        self.0.join("run.checkpoint")
    }

    /// Saves that were begun and not finished.
    fn half_saved(&self) -> Result<usize, Failed> {
        let names = fs::read_dir(&self.0)?.flatten().map(|entry| entry.file_name());
        Ok(names.filter(|name| name.to_string_lossy().contains(".saving-")).count())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A folder that stays below `target` does no harm.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn finish(mut run: Child) -> Result<(), Failed> {
    let status = run.wait()?;
    if status.success() { Ok(()) } else { Err(format!("the run failed: {status}").into()) }
}

/// The same bytes are the same weights, moments, steps and streams, bit for bit.
fn compare(end: &[u8], run: &Folder) -> Result<(), Failed> {
    if fs::read(run.checkpoint())? == end {
        return Ok(());
    }
    let state = load_safetensors(run.checkpoint())?;
    Err(format!("the killed run ends elsewhere: {:?}", state.get("net/output.bias")).into())
}

fn killed_run() -> Result<(), Failed> {
    let straight = Folder::new("straight")?;
    let began = Instant::now();
    finish(straight.start()?)?;
    let length = began.elapsed();
    let end = fs::read(straight.checkpoint())?;
    let parts = Checkpoint::load(straight.checkpoint())?;
    if parts.part("epoch").map(|epoch| epoch["value"].item()) != Some(6.0) {
        return Err("the run did not come to its end".into());
    }

    let run = Folder::new("killed")?;
    let mut moments =
        Tensor::rand([MOST_KILLS * 4], &mut Rng::new(length.subsec_nanos().into())).iter::<f32>();
    let (mut kills, mut in_saves, mut ends) = (0, 0, 0);
    while kills < KILLS || (in_saves == 0 && kills < MOST_KILLS) {
        let mut child = run.start()?;
        let life = moments.next().ok_or("the run ends too often before it is killed")?;
        std::thread::sleep(length.mul_f32(2.0 * life) / LIVES + Duration::from_millis(1));
        if child.try_wait()?.is_some() {
            // Too late: that run is complete, and the next one begins.
            finish(child)?;
            compare(&end, &run)?;
            fs::remove_file(run.checkpoint())?;
            ends += 1;
            continue;
        }
        child.kill()?;
        child.wait()?;
        kills += 1;
        in_saves += usize::from(run.half_saved()? > 0);
        // What the kill has left is a whole checkpoint, or none if the first one was never complete.
        if run.checkpoint().exists() {
            Checkpoint::load(run.checkpoint())?;
        }
    }
    finish(run.start()?)?;
    compare(&end, &run)?;
    println!("{kills} kills, {in_saves} of them during a save, {} runs to the end", ends + 1);
    if run.half_saved()? > 0 {
        return Err("half a save is still there after the next one".into());
    }
    if in_saves == 0 { Err(format!("none of {kills} kills met a save").into()) } else { Ok(()) }
}
