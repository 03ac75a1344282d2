//! `skynet test`: finds files of tests, runs each in a node of its own, several at once, and tells how it went.
//!
//! A node is this executable once more ([`node`]), with a first service that runs the tests of one file and writes what becomes
//! of each into a file ([`report`]). So whatever a test does to its node (an endless loop, a crash, an early end) is seen
//! from outside, and the results before it are not lost.

mod child;
mod find;
mod junit;
pub mod node;
mod report;
mod tap;
mod text;

use crate::args::Test;
use child::{FileResult, Scratch};
use find::TestFile;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::Instant;

/// The arguments cannot be used.
const UNUSABLE: u8 = 2;

/// Runs the command; its status.
pub fn main(test: &Test) -> ExitCode {
    let refuse = |reason: String| {
        eprintln!("skynet test: {reason}");
        ExitCode::from(UNUSABLE)
    };
    let here = [PathBuf::from(".")];
    let paths = match test.paths.as_slice() {
        [] => &here,
        paths => paths,
    };
    let mut files = Vec::new();
    for path in paths {
        match find::files(path) {
            Ok(found) => files.extend(found),
            Err(reason) => return refuse(reason),
        }
    }
    files.sort();
    files.dedup_by(|a, b| a.path == b.path);
    if let Some(config) = &test.config
        && !config.is_file()
    {
        return refuse(format!("{}: there is no such file", config.display()));
    }
    let scratch = match Scratch::new() {
        Ok(scratch) => scratch,
        Err(reason) => return refuse(format!("a temporary folder: {reason}")),
    };
    let begin = Instant::now();
    let results = run_all(test, &files, &scratch);
    let seconds = begin.elapsed().as_secs_f64();
    let told = if test.tap {
        tap::print(&results)
    } else {
        text::summary(&results, test.filter.as_deref(), seconds)
    };
    if let Some(file) = &test.junit
        && let Err(reason) = std::fs::write(file, junit::xml(&results, seconds))
    {
        return refuse(format!("{}: {reason}", file.display()));
    }
    let ran = results.iter().any(|result| !result.cases.is_empty());
    ExitCode::from(u8::from(
        told.is_err() || !ran || results.iter().any(FileResult::failed),
    ))
}

/// A run of one file.
struct Job<'a> {
    file: &'a TestFile,
    /// Which file it is.
    place: usize,
    seed: Option<u64>,
}

/// All runs: of each file one, or one for each seed.
fn jobs<'a>(test: &Test, files: &'a [TestFile]) -> Vec<Job<'a>> {
    let first = test.node.seed;
    let seeds: Vec<Option<u64>> = match test.seeds {
        None => vec![first],
        Some(count) => {
            let first = first.unwrap_or(1);
            let last = first.saturating_add(count.get() - 1);
            (first..=last).map(Some).collect()
        }
    };
    let files = files.iter().enumerate();
    let of_file = |(place, file): (usize, &'a TestFile)| {
        let job = move |&seed: &Option<u64>| Job { file, place, seed };
        seeds.iter().map(job).collect::<Vec<_>>()
    };
    files.flat_map(of_file).collect()
}

/// What is known of a file so far.
struct Progress {
    /// Runs that are still to come, or under way.
    left: usize,
    /// Runs that are over.
    runs: u64,
    seconds: f64,
    /// Of the run that failed with the lowest seed, or of the last that passed.
    result: Option<FileResult>,
}

impl Progress {
    fn failed(&self) -> bool {
        self.result.as_ref().is_some_and(FileResult::failed)
    }

    /// A run is over. What is to be told, if that was the last one.
    fn note(&mut self, result: Option<FileResult>) -> Option<FileResult> {
        self.left -= 1;
        if let Some(result) = result {
            self.runs += 1;
            self.seconds += result.seconds;
            let better = match &self.result {
                None => true,
                Some(old) if old.failed() => result.failed() && result.seed < old.seed,
                Some(_) => true,
            };
            if better {
                self.result = Some(result);
            }
        }
        if self.left != 0 {
            return None;
        }
        let mut result = self.result.take()?;
        (result.runs, result.seconds) = (self.runs, self.seconds);
        Some(result)
    }
}

/// Runs the files, each as soon as there is room; the results in the order of the files.
fn run_all(test: &Test, files: &[TestFile], scratch: &Scratch) -> Vec<FileResult> {
    let most = test.jobs.map_or_else(
        || std::thread::available_parallelism().map_or(1, usize::from),
        usize::from,
    );
    let jobs = jobs(test, files);
    let each = jobs.len() / files.len().max(1);
    let begin = || Progress {
        left: each,
        runs: 0,
        seconds: 0.0,
        result: None,
    };
    let progress: Vec<_> = files.iter().map(|_| Mutex::new(begin())).collect();
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..most.min(jobs.len()) {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(job) = jobs.get(number) else { return };
                    let progress = &progress[job.place];
                    // One failure is enough.
                    let result = (!locked(progress).failed()).then(|| {
                        child::run(
                            test,
                            &job.file.root,
                            &job.file.path,
                            job.seed,
                            &scratch.file(number),
                        )
                    });
                    let Some(result) = locked(progress).note(result) else {
                        continue;
                    };
                    let mut results = locked(&results);
                    if !test.tap {
                        text::file(&result, test.verbose);
                    }
                    results.push((job.place, result));
                }
            });
        }
    });
    let mut results = results
        .into_inner()
        .unwrap_or_else(|broken| broken.into_inner());
    results.sort_by_key(|(place, _)| *place);
    results.into_iter().map(|(_, result)| result).collect()
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|broken| broken.into_inner())
}
