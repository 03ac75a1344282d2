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
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// The arguments cannot be used.
const UNUSABLE: u8 = 2;

/// Runs the command; its status.
pub fn main(test: &Test) -> ExitCode {
    let refuse = |reason: String| {
        eprintln!("skynet test: {reason}");
        ExitCode::from(UNUSABLE)
    };
    let project = match find::project(&test.path) {
        Ok(project) => project,
        Err(reason) => return refuse(reason),
    };
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
    let results = run_all(test, &project, &scratch);
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

/// Runs the files, each as soon as there is room; the results in the order of the files.
fn run_all(test: &Test, project: &find::Project, scratch: &Scratch) -> Vec<FileResult> {
    let jobs = test.jobs.map_or_else(
        || std::thread::available_parallelism().map_or(1, usize::from),
        usize::from,
    );
    let files: &[PathBuf] = &project.files;
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..jobs.min(files.len()) {
            scope.spawn(|| {
                loop {
                    let place = next.fetch_add(1, Ordering::Relaxed);
                    let Some(file) = files.get(place) else { return };
                    let result = child::run(test, &project.root, file, &scratch.file(place));
                    let mut results = results.lock().unwrap_or_else(|broken| broken.into_inner());
                    if !test.tap {
                        text::file(&result, test.verbose);
                    }
                    results.push((place, result));
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
