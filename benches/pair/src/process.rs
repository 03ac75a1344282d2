//! A process that is measured, and the results that it prints.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// Longest time that any run may take.
const LIMIT: Duration = Duration::from_secs(60);

/// What a run has found: name and value of each figure.
pub type Values = Vec<(String, f64)>;

/// A running node or limit program. Killed when dropped.
pub struct Process {
    child: Child,
    lines: Receiver<String>,
    deadline: Instant,
    errors: PathBuf,
}

impl Process {
    /// Start a program in `dir`, which also takes what it writes to standard error.
    pub fn start(mut command: Command, dir: &Path) -> Result<Process, String> {
        let errors = dir.join("stderr");
        let file = fs::File::create(&errors).map_err(|e| e.to_string())?;
        // SAFETY: prctl(2) is a system call; nothing else happens between fork and exec.
        unsafe {
            command.pre_exec(|| {
                // Nothing stays behind when the benchmark itself is killed.
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                Ok(())
            })
        };
        let mut child = command
            .current_dir(dir)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(file)
            .spawn()
            .map_err(|e| format!("{}: {e}", command.get_program().display()))?;
        let (sender, lines) = channel();
        let output = child.stdout.take().ok_or("no standard output")?;
        std::thread::spawn(move || {
            for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
                if sender
                    .send(String::from_utf8_lossy(&line).into_owned())
                    .is_err()
                {
                    break;
                }
            }
        });
        Ok(Process {
            child,
            lines,
            deadline: Instant::now() + LIMIT,
            errors,
        })
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The next result that the process prints; `None` when its output has ended.
    fn next(&mut self) -> Result<Option<(String, f64)>, String> {
        loop {
            match self
                .lines
                .recv_timeout(self.deadline.saturating_duration_since(Instant::now()))
            {
                Ok(line) => {
                    let mut words = line
                        .split_whitespace()
                        .skip_while(|word| *word != "BENCH")
                        .skip(1);
                    if let (Some(name), Some(Ok(value))) =
                        (words.next(), words.next().map(str::parse))
                    {
                        return Ok(Some((name.to_owned(), value)));
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return Ok(None),
                Err(RecvTimeoutError::Timeout) => {
                    return Err(format!("no end after {} s", LIMIT.as_secs()));
                }
            }
        }
    }

    /// Wait until the process prints a result of this name; the value.
    pub fn wait_for(&mut self, name: &str) -> Result<f64, String> {
        while let Some((got, value)) = self.next()? {
            if got == name {
                return Ok(value);
            }
        }
        Err(self.ended())
    }

    /// All results until the process ends, which it must do with status 0.
    pub fn finish(mut self) -> Result<Values, String> {
        let mut values = Values::new();
        while let Some(value) = self.next()? {
            values.push(value);
        }
        let status = self.child.wait().map_err(|e| e.to_string())?;
        if status.success() && !values.is_empty() {
            Ok(values)
        } else {
            Err(self.ended())
        }
    }

    fn ended(&mut self) -> String {
        match self.child.wait() {
            Ok(status) => {
                let said = fs::read_to_string(&self.errors).unwrap_or_default();
                let last = said.lines().last().unwrap_or_default();
                format!("it ended early or without results ({status}) {last}")
            }
            Err(e) => e.to_string(),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself; either way it has to be waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
