//! The editor, as far as it is standard input: what it sends, and its end.

use super::frames;
use std::io::{self, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::thread;
use std::time::Duration;

/// Pieces of what the editor has sent that wait.
const WAITING: usize = 64;
/// Bytes of a piece.
const PIECE: usize = 16 * 1024;
/// Bytes that are taken before there is an adapter.
const EARLY: usize = 1 << 20;
/// How long an adapter may take to close the connection of an editor that has left.
const PATIENCE: Duration = Duration::from_secs(2);

/// What has been read of the editor's requests: by a thread of its own, so that the end is noticed at any time.
pub struct Requests {
    pieces: Receiver<Vec<u8>>,
    /// Taken already, and not used.
    early: Vec<u8>,
}

impl Requests {
    /// Begins to read.
    pub fn begin() -> Requests {
        let (sender, pieces) = mpsc::sync_channel(WAITING);
        thread::spawn(move || {
            let mut input = io::stdin().lock();
            let mut piece = vec![0; PIECE];
            while let Ok(size @ 1..) = input.read(&mut piece) {
                if sender.send(piece[..size].to_vec()).is_err() {
                    break; // nobody wants to know
                }
            }
        });
        Requests {
            pieces,
            early: Vec::new(),
        }
    }

    /// Before there is an adapter: whether the editor has gone.
    pub fn have_ended(&mut self) -> bool {
        while self.early.len() < EARLY {
            match self.pieces.try_recv() {
                Ok(piece) => self.early.extend(piece),
                Err(TryRecvError::Empty) => return false,
                Err(TryRecvError::Disconnected) => return true,
            }
        }
        false
    }

    /// What has come early that is no request.
    pub fn problem(&self) -> Result<(), String> {
        let mut early = &self.early[..];
        while frames::read_request(&mut early)?.is_some() {}
        Ok(())
    }

    /// Passes on all that comes, until the editor, or the adapter, has gone. The error says what has come that is no request.
    pub fn pass_to(self, adapter: &mut UnixStream) -> Result<(), String> {
        let mut reader = BufReader::new(self);
        while let Some(request) = frames::read_request(&mut reader)? {
            if adapter.write_all(&request).is_err() {
                break;
            }
        }
        Ok(())
    }
}

impl Read for Requests {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.early.is_empty() {
            // Its end is the end of the input.
            self.early = self.pieces.recv().unwrap_or_default();
        }
        let size = buffer.len().min(self.early.len());
        buffer[..size].copy_from_slice(&self.early[..size]);
        self.early.drain(..size);
        Ok(size)
    }
}

/// That the editor leaves, or this process is to end: the node ends too.
#[derive(Default)]
pub struct Parting {
    begun: AtomicBool,
    adapter: Mutex<Option<UnixStream>>,
}

impl Parting {
    /// There is a connection to the adapter, which ends with the session.
    pub fn set_adapter(&self, adapter: UnixStream) {
        *self.lock() = Some(adapter);
        if self.has_begun() {
            self.begin(); // meanwhile
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<UnixStream>> {
        self.adapter
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub fn has_begun(&self) -> bool {
        self.begun.load(Ordering::SeqCst)
    }

    /// Ends the session: the adapter hears that the editor has left, answers what it still has to, and closes the connection.
    pub fn begin(&self) {
        self.begun.store(true, Ordering::SeqCst);
        let adapter = self.lock().take();
        if let Some(adapter) = adapter {
            // One that has been closed already is what is wanted.
            let _ = adapter.shutdown(Shutdown::Write);
            thread::spawn(move || {
                thread::sleep(PATIENCE);
                let _ = adapter.shutdown(Shutdown::Both);
            });
        }
    }
}
