//! A program on a pseudo terminal: what it shows, and what is typed.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

/// How long something may take to come.
const LIMIT: Duration = Duration::from_secs(60);

/// A program in the foreground of a terminal of its own; killed when dropped.
pub struct Terminal {
    child: Child,
    master: File,
    /// Kept open, so that settings can be asked for when the program has ended.
    slave: OwnedFd,
    output: Receiver<Vec<u8>>,
    seen: String,
    /// What was waited for ends here.
    place: usize,
}

impl Terminal {
    /// Starts a program on a terminal of that size.
    pub fn spawn(command: &mut Command, columns: u16, rows: u16) -> Terminal {
        let (mut master, mut slave) = (-1, -1);
        let size = size(columns, rows);
        // SAFETY: places for two descriptors, and the size; no name and no settings are wanted.
        let status = unsafe {
            libc::openpty(
                &mut master,
                &mut slave,
                std::ptr::null_mut(),
                std::ptr::null_mut(),
                &size,
            )
        };
        assert_eq!(status, 0, "openpty: {}", std::io::Error::last_os_error());
        // SAFETY: fresh descriptors that nobody else has.
        let (master, slave) = unsafe { (File::from_raw_fd(master), OwnedFd::from_raw_fd(slave)) };
        let end = || Stdio::from(slave.try_clone().expect("a descriptor"));
        command.stdin(end()).stdout(end()).stderr(end());
        command.env("TERM", "xterm-256color");
        // SAFETY: system calls that touch no memory: a session with this terminal.
        unsafe {
            command.pre_exec(|| {
                libc::setsid();
                libc::ioctl(0, libc::TIOCSCTTY, 0);
                Ok(())
            });
        }
        let child = command.spawn().expect("the program starts");
        let mut reader = master.try_clone().expect("a descriptor");
        let (sender, output) = mpsc::channel();
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count) = reader.read(&mut bytes)
                && count > 0
                && sender.send(bytes[..count].to_vec()).is_ok()
            {}
        });
        Terminal {
            child,
            master,
            slave,
            output,
            seen: String::new(),
            place: 0,
        }
    }

    /// Waits until the program has written `text`, after what was waited for before.
    pub fn wait(&mut self, text: &str) -> &mut Terminal {
        let begin = Instant::now();
        loop {
            if let Some(at) = self.seen[self.place..].find(text) {
                self.place += at + text.len();
                return self;
            }
            let left = LIMIT.saturating_sub(begin.elapsed());
            match self.output.recv_timeout(left) {
                Ok(bytes) => self.seen.push_str(&String::from_utf8_lossy(&bytes)),
                Err(_) => panic!("no {text:?} in {:?}", &self.seen[self.place..]),
            }
        }
    }

    /// Waits until `text` is among what is drawn after `redraw` was typed: a program may write only what has changed.
    pub fn shows(&mut self, redraw: &str, text: &str) -> &mut Terminal {
        let begin = Instant::now();
        loop {
            self.types(redraw).wait("\x1b[2J");
            while let Ok(bytes) = self.output.recv_timeout(Duration::from_millis(100)) {
                self.seen.push_str(&String::from_utf8_lossy(&bytes));
                if self.seen[self.place..].contains(text) {
                    return self;
                }
            }
            let shown = &self.seen[self.place..];
            assert!(begin.elapsed() < LIMIT, "no {text:?} in {shown:?}");
        }
    }

    /// All that it has written, as far as it was waited for.
    pub fn seen(&self) -> &str {
        &self.seen
    }

    /// Types.
    pub fn types(&mut self, text: &str) -> &mut Terminal {
        self.master.write_all(text.as_bytes()).expect("a terminal");
        self
    }

    /// The process's id.
    pub fn id(&self) -> i32 {
        self.child.id() as i32
    }

    /// Sends a signal to the program.
    pub fn signal(&mut self, signal: i32) -> &mut Terminal {
        // SAFETY: a child that was not waited for.
        assert_eq!(unsafe { libc::kill(self.id(), signal) }, 0);
        self
    }

    /// Waits until the program is stopped by a signal.
    pub fn stops(&mut self) -> &mut Terminal {
        let mut status = 0;
        // SAFETY: a child, and a place for its status.
        let found = unsafe { libc::waitpid(self.id(), &mut status, libc::WUNTRACED) };
        assert!(
            found == self.id() && libc::WIFSTOPPED(status),
            "{status:#x}"
        );
        self
    }

    /// Waits until the program ends.
    pub fn ends(&mut self) -> ExitStatus {
        let begin = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return status;
            }
            // What it writes is taken, or it would wait for that.
            if let Ok(bytes) = self.output.recv_timeout(Duration::from_millis(20)) {
                self.seen.push_str(&String::from_utf8_lossy(&bytes));
            }
            assert!(begin.elapsed() < LIMIT, "no end after {:?}", self.seen);
        }
    }

    /// Whether lines are edited and shown by the terminal, as a shell expects it.
    pub fn is_cooked(&self) -> bool {
        // SAFETY: all-zero is a value of the type.
        let mut settings: libc::termios = unsafe { std::mem::zeroed() };
        // SAFETY: a terminal, and a place for its settings.
        let status = unsafe { libc::tcgetattr(self.slave.as_raw_fd(), &mut settings) };
        let wanted = libc::ICANON | libc::ECHO | libc::ISIG;
        status == 0 && settings.c_lflag & wanted == wanted
    }

    /// Another size of the window.
    pub fn resize(&mut self, columns: u16, rows: u16) -> &mut Terminal {
        let size = size(columns, rows);
        // SAFETY: a terminal, and a size.
        let status = unsafe { libc::ioctl(self.master.as_raw_fd(), libc::TIOCSWINSZ, &size) };
        assert_eq!(status, 0);
        self
    }
}

fn size(columns: u16, rows: u16) -> libc::winsize {
    libc::winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The signal that ended a program.
pub fn ended_by(status: ExitStatus) -> Option<i32> {
    status.signal()
}
