//! What the node writes: it never waits for an editor that does not read it.

use super::frames::Output;
use std::io::{BufRead, BufReader, Read};
use std::process::Child;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

/// How long the rest of what the node has written may take to come when it has ended. Another process may hold the pipe.
pub const REST: Duration = Duration::from_secs(1);
/// Bytes that wait for the editor, with those that a line takes beside its text. What is more is left out.
const MOST: usize = 32 << 20;
const LINE: usize = 64;
/// A line without an end does not grow for ever.
const LONGEST: u64 = 64 * 1024;
/// Between two looks whether the editor reads, and how long it may read nothing at the end.
const LOOK: Duration = Duration::from_millis(10);
const PATIENCE: Duration = Duration::from_secs(2);

/// What the node writes, on its way to the editor.
pub struct Written {
    /// Ends when all was passed on.
    end: Receiver<()>,
    waiting: Arc<AtomicUsize>,
}

impl Written {
    /// Passes on what the node writes.
    pub fn pass(node: &mut Child, output: &Arc<Output>) -> Written {
        let (until_end, end) = mpsc::channel();
        let waiting = Arc::default();
        if let Some(pipe) = node.stdout.take() {
            pass_lines(pipe, "stdout", output, &waiting, until_end.clone());
        }
        if let Some(pipe) = node.stderr.take() {
            pass_lines(pipe, "stderr", output, &waiting, until_end);
        }
        Written { end, waiting }
    }

    /// The node has ended: what it has written is in the pipes, and comes soon; and what waits goes on as long as the editor reads.
    pub fn wait_for_rest(&self) {
        // Nothing is ever sent. It ends with the last writer, or with the time.
        let _ = self.end.recv_timeout(REST);
        // Another process that holds the pipe may go on writing: no more than what may wait is waited for.
        let begin = Instant::now();
        let (mut before, mut since) = (usize::MAX, begin);
        loop {
            let waiting = self.waiting.load(Ordering::Relaxed);
            if waiting < before {
                (before, since) = (waiting, Instant::now());
            }
            if waiting == 0 || since.elapsed() > PATIENCE {
                return;
            }
            thread::sleep(LOOK);
        }
    }
}

/// A thread that reads, and one that tells the editor.
fn pass_lines(
    pipe: impl Read + Send + 'static,
    category: &'static str,
    output: &Arc<Output>,
    waiting: &Arc<AtomicUsize>,
    until_end: Sender<()>,
) {
    let output = Arc::clone(output);
    let (lines, read) = mpsc::channel::<Vec<u8>>();
    let passed = Arc::clone(waiting);
    thread::spawn(move || {
        let _until_end = until_end;
        for line in read {
            output.line(category, &line);
            passed.fetch_sub(line.len() + LINE, Ordering::Relaxed);
        }
    });
    let waiting = Arc::clone(waiting);
    thread::spawn(move || read_lines(pipe, &lines, &waiting));
}

fn read_lines(pipe: impl Read, lines: &Sender<Vec<u8>>, waiting: &AtomicUsize) {
    let mut reader = BufReader::new(pipe);
    let mut missed = 0_u64;
    let send = |line: Vec<u8>| {
        waiting.fetch_add(line.len() + LINE, Ordering::Relaxed);
        // It is there until the channel ends.
        let _ = lines.send(line);
    };
    loop {
        let mut line = Vec::new();
        if !matches!(
            reader.by_ref().take(LONGEST).read_until(b'\n', &mut line),
            Ok(1..)
        ) {
            break;
        }
        if waiting.load(Ordering::Relaxed) + line.len() > MOST {
            missed += 1;
            continue;
        }
        if missed > 0 {
            send(note(std::mem::take(&mut missed)));
        }
        send(line);
    }
    if missed > 0 {
        send(note(missed));
    }
}

fn note(missed: u64) -> Vec<u8> {
    format!(
        "skynet debug: {missed} lines are left out: the node writes faster than the editor reads\n"
    )
    .into_bytes()
}
