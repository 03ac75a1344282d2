//! The password of a console: from the environment, or typed where nobody sees it.

use super::connection::Connection;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::AsRawFd;

/// Where scripts give it.
const VARIABLE: &str = "SKYNET_CONSOLE_PASSWORD";

/// A connection that may run commands, and the password that it took. Without the variable the password is asked for, if the console
/// wants one and there is a terminal.
pub fn connect(node: &str) -> Result<(Connection, Option<String>), String> {
    let mut connection = Connection::open(node)?;
    let given = std::env::var(VARIABLE).ok();
    if !connection.wants_password()? {
        return Ok((connection, given));
    }
    if let Some(password) = given {
        connection.authenticate(&password)?;
        return Ok((connection, Some(password)));
    }
    let place = connection.place.clone();
    let Some(password) = ask(&format!("password of {place}: ")) else {
        return Err(format!(
            "{place}: the console wants a password: give it in {VARIABLE}"
        ));
    };
    connection.authenticate(&password)?;
    Ok((connection, Some(password)))
}

/// A line from the terminal, which does not show it; `None` without a terminal, or when nothing is said.
fn ask(prompt: &str) -> Option<String> {
    let mut terminal = File::options()
        .read(true)
        .write(true)
        .open("/dev/tty")
        .ok()?;
    let line = hidden(&terminal, prompt);
    // The end of the line was not shown.
    let _ = terminal.write_all(b"\n");
    line.ok().flatten()
}

/// Asks when nothing is shown any more: who sees the question may answer at once.
fn hidden(mut terminal: &File, prompt: &str) -> io::Result<Option<String>> {
    let descriptor = terminal.as_raw_fd();
    let mut settings = std::mem::MaybeUninit::<libc::termios>::uninit();
    // SAFETY: the place is writable, and filled when the call succeeds.
    let before = unsafe {
        if libc::tcgetattr(descriptor, settings.as_mut_ptr()) != 0 {
            return Err(io::Error::last_os_error());
        }
        settings.assume_init()
    };
    let mut silent = before;
    silent.c_lflag &= !(libc::ECHO | libc::ISIG);
    let set = |when, settings: &libc::termios| {
        // SAFETY: the descriptor is open, and the settings are whole.
        let status = unsafe { libc::tcsetattr(descriptor, when, settings) };
        if status == 0 {
            Ok(())
        } else {
            Err(io::Error::last_os_error())
        }
    };
    set(libc::TCSAFLUSH, &silent)?;
    let mut line = Vec::new();
    let asked = terminal.write_all(prompt.as_bytes());
    let read = asked.and_then(|()| BufReader::new(terminal).read_until(b'\n', &mut line));
    // What is typed behind the password is for the console.
    set(libc::TCSADRAIN, &before)?;
    read?;
    // ^C, which is a character here, so that the settings are restored in every case.
    if line.contains(&3) {
        return Ok(None);
    }
    let text = String::from_utf8_lossy(&line);
    let text = text.trim_end_matches(['\n', '\r']);
    Ok((!text.is_empty()).then(|| text.to_owned()))
}
