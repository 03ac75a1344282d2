//! What the node writes: it never waits for an editor that does not read it.

use super::frames::Output;
use std::io::{BufRead, BufReader, Read};
use std::process::Child;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
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
    room: Arc<Room>,
}

/// The room for what waits, of both streams.
#[derive(Default)]
struct Room {
    waiting: AtomicUsize,
    /// Lines that were left out and that nobody was told of.
    missed: AtomicU64,
}

impl Room {
    fn has_room(&self, line: &[u8]) -> bool {
        self.waiting.load(Ordering::SeqCst) + line.len() <= MOST
    }

    fn enter(&self, line: &[u8]) {
        self.waiting.fetch_add(line.len() + LINE, Ordering::SeqCst);
    }

    /// Whether nothing waits any more.
    fn leave(&self, line: &[u8]) -> bool {
        let size = line.len() + LINE;
        self.waiting.fetch_sub(size, Ordering::SeqCst) == size
    }

    /// A line about those that were left out, for whoever asks first.
    fn note(&self) -> Option<Vec<u8>> {
        match self.missed.swap(0, Ordering::SeqCst) {
            0 => None,
            missed => Some(note(missed)),
        }
    }
}

impl Written {
    /// Passes on what the node writes.
    pub fn pass(node: &mut Child, output: &Arc<Output>) -> Written {
        let (until_end, end) = mpsc::channel();
        let room = Arc::default();
        if let Some(pipe) = node.stdout.take() {
            pass_lines(pipe, "stdout", output, &room, until_end.clone());
        }
        if let Some(pipe) = node.stderr.take() {
            pass_lines(pipe, "stderr", output, &room, until_end);
        }
        Written { end, room }
    }

    /// The node has ended: what it has written is in the pipes, and comes soon; and what waits goes on as long as the editor reads.
    pub fn wait_for_rest(&self) {
        // Nothing is ever sent. It ends with the last writer, or with the time.
        let _ = self.end.recv_timeout(REST);
        // Another process that holds the pipe may go on writing: no more than what may wait is waited for.
        let begin = Instant::now();
        let (mut before, mut since) = (usize::MAX, begin);
        loop {
            let waiting = self.room.waiting.load(Ordering::Relaxed);
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
    room: &Arc<Room>,
    until_end: Sender<()>,
) {
    let (output, told) = (Arc::clone(output), Arc::clone(room));
    let (lines, read) = mpsc::channel::<Vec<u8>>();
    thread::spawn(move || {
        let _until_end = until_end;
        for line in read {
            output.line(category, &line);
            if told.leave(&line)
                && let Some(note) = told.note()
            {
                output.line(category, &note);
            }
        }
    });
    let room = Arc::clone(room);
    thread::spawn(move || read_lines(pipe, &lines, &room));
}

fn read_lines(pipe: impl Read, lines: &Sender<Vec<u8>>, room: &Room) {
    let mut reader = BufReader::new(pipe);
    let send = |line: Vec<u8>| {
        room.enter(&line);
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
        let fits = room.has_room(&line);
        if !fits {
            room.missed.fetch_add(1, Ordering::SeqCst);
        }
        // Where there is room, also since: who has made it may have looked before.
        if room.has_room(&line)
            && let Some(note) = room.note()
        {
            send(note);
        }
        if fits {
            send(line);
        }
    }
    if let Some(note) = room.note() {
        send(note);
    }
}

fn note(missed: u64) -> Vec<u8> {
    format!(
        "skynet debug: {missed} lines are left out: the node writes faster than the editor reads\n"
    )
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_are_left_out_are_told_of_although_no_other_comes() {
        let room = Room::default();
        let (first, second) = (vec![0; MOST - 2 * LINE], vec![0; LINE]);
        let other = b"a line";
        assert!(room.has_room(&first));
        room.enter(&first);
        room.enter(&second);
        assert!(!room.has_room(other));
        room.missed.fetch_add(1, Ordering::SeqCst);
        assert!(!room.leave(&first), "the second waits");
        assert!(room.has_room(other));
        assert!(room.leave(&second), "nothing waits, so it is told now");
        let told = room.note().unwrap();
        assert!(told.starts_with(b"skynet debug: 1 lines are left out"));
        assert_eq!(room.note(), None, "once");
    }
}
