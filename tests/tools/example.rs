//! Runs the examples: in a copy of their folder, so that ports can be changed and files they write do no harm.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::node::executable;
use super::running::Node;
use super::{root, scratch};

/// Copies a folder with those in it. `used` tells which of the changes have met their text.
fn copy_folder(from: &Path, to: &Path, changes: &[(&str, String)], used: &mut [bool]) {
    fs::create_dir_all(to).expect("folder of the example");
    for entry in fs::read_dir(from).expect("the example").flatten() {
        let (path, copy) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy_folder(&path, &copy, changes, used);
            continue;
        }
        // A compiled service that lies there is no part of it.
        let Ok(mut text) = fs::read_to_string(path) else {
            continue;
        };
        for ((old, new), used) in changes.iter().zip(&mut *used) {
            *used |= text.contains(old);
            text = text.replace(old, new);
        }
        fs::write(copy, text).expect("copy of a file");
    }
}

/// A copy of `examples/NAME`.
pub struct Example {
    name: String,
    place: PathBuf,
}

impl Example {
    /// Copies an example. `changes` are replacements in its files: what stands there, and what this test needs.
    pub fn new(name: &str, changes: &[(&str, String)]) -> Self {
        // Tests of one example run at once.
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let example = Self {
            name: name.to_string(),
            place: scratch(&format!("example-{name}-{number}")),
        };
        let mut used = vec![false; changes.len()];
        let source = root().join("examples").join(name);
        copy_folder(&source, &example.path(""), changes, &mut used);
        assert!(used.iter().all(|&used| used), "changes: {changes:?}");
        example
    }

    /// A file of the copy.
    pub fn path(&self, file: &str) -> PathBuf {
        self.place.join("examples").join(&self.name).join(file)
    }

    /// Starts a node with one of the configs, in a place that looks like the root of the project.
    pub fn start(&self, config: &str) -> Node {
        Node::spawn(
            Command::new(executable())
                .arg(format!("examples/{}/{config}", self.name))
                .current_dir(&self.place),
        )
    }

    /// Runs a script of the example with the executable to its end. Returns what was printed.
    pub fn run_script(&self, script: &str) -> Vec<String> {
        Node::spawn(
            Command::new("sh")
                .arg(format!("examples/{}/{script}", self.name))
                .arg(executable())
                .current_dir(&self.place),
        )
        .ends()
    }

    /// Runs a config to its end, which has to be a good one. Returns what was printed.
    pub fn run(&self, config: &str) -> Vec<String> {
        self.start(config).ends()
    }
}

/// Asserts that lines which begin like these were printed, in this order.
pub fn assert_lines(printed: &[String], expected: &[&str]) {
    let mut lines = printed.iter();
    for text in expected {
        assert!(
            lines.any(|line| line.starts_with(text)),
            "no {text:?}, in this order, in\n{}",
            printed.join("\n")
        );
    }
}
