//! Lines of the standard input, for programs that must not wait for them.

use std::io::{self, BufRead};
use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;

/// Lines that are read ahead.
const AHEAD: usize = 1024;

/// What the standard input has to offer.
pub enum Line {
    /// A line without its end.
    Text(Vec<u8>),
    /// Nothing yet.
    Nothing,
    /// No more lines will come.
    End,
}

/// The lines that a thread reads; it begins with the first call.
fn lines() -> MutexGuard<'static, Receiver<Vec<u8>>> {
    static LINES: OnceLock<Mutex<Receiver<Vec<u8>>>> = OnceLock::new();
    let lines = LINES.get_or_init(|| {
        let (sender, receiver) = mpsc::sync_channel(AHEAD);
        // Without a thread the channel is closed at once, which reads as the end.
        let _ = thread::Builder::new()
            .name(String::from("stdin"))
            .spawn(move || {
                for line in io::stdin().lock().split(b'\n') {
                    let Ok(line) = line else { break };
                    if sender.send(line).is_err() {
                        break;
                    }
                }
            });
        Mutex::new(receiver)
    });
    lines.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The next line, if there is one.
pub fn next() -> Line {
    match lines().try_recv() {
        Ok(line) => Line::Text(line),
        Err(TryRecvError::Empty) => Line::Nothing,
        Err(TryRecvError::Disconnected) => Line::End,
    }
}
