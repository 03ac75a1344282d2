//! Daemon mode: a process in the background whose id stands in a locked file.

use std::ffi::{CStr, OsStr};
use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::fd::{AsRawFd, IntoRawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

/// Bytes of a pid file that are looked at.
const LONGEST_ID: u64 = 64;

/// Goes into the background. The caller's process ends here, and the new one returns, with its id in `pidfile` (locked as
/// long as it lives) and its standard input and outputs on `/dev/null`. The working directory stays.
pub fn init(pidfile: &CStr) -> Result<(), String> {
    let path = Path::new(OsStr::from_bytes(pidfile.to_bytes()));
    if let Some(pid) = running(path) {
        return Err(format!("Skynet is already running, pid = {pid}."));
    }
    // Before this process ends with status 0. The lock belongs to the open file, which the new process has too.
    let file = lock(path)?;
    // What cannot be written is told while somebody waits for the status.
    write_id(&file)?;
    // SAFETY: called before the node starts threads, which would not survive.
    #[allow(deprecated)]
    if unsafe { libc::daemon(1, 1) } != 0 {
        return Err("Can't daemonize.".into());
    }
    write_id(&file)?;
    // Kept open: closing it would give the lock up.
    let _ = file.into_raw_fd();
    silence().map_err(|reason| format!("Can't redirect to /dev/null: {reason}"))
}

/// Removes the file, at the end of the node.
pub fn exit(pidfile: &CStr) {
    let _ = std::fs::remove_file(Path::new(OsStr::from_bytes(pidfile.to_bytes())));
}

/// The id at the beginning of the file, which may be anything, and of any length.
fn stored_pid(file: &File) -> Option<i32> {
    let mut text = String::new();
    file.take(LONGEST_ID).read_to_string(&mut text).ok()?;
    text.split_whitespace().next()?.parse().ok()
}

/// The id in the file, if such a process lives and it is not this one.
fn running(path: &Path) -> Option<i32> {
    let pid = stored_pid(&File::open(path).ok()?)?;
    if pid <= 0 || pid == std::process::id() as i32 {
        return None;
    }
    // SAFETY: signal 0 only asks.
    let gone = unsafe { libc::kill(pid, 0) } != 0
        && std::io::Error::last_os_error().raw_os_error() == Some(libc::ESRCH);
    (!gone).then_some(pid)
}

/// Opens the file, makes it if it is not there, and locks it as long as it is open.
fn lock(path: &Path) -> Result<File, String> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o644)
        .open(path)
        .map_err(|_| format!("Can't create pidfile [{}].", path.display()))?;
    // SAFETY: the descriptor is open.
    if unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } != 0 {
        return Err(match stored_pid(&file) {
            Some(pid) => format!("Can't lock pidfile, lock is held by pid {pid}."),
            None => "Can't lock and read pidfile.".into(),
        });
    }
    Ok(file)
}

/// Writes this process's id. A longer id of an earlier one must not shine through.
fn write_id(file: &File) -> Result<(), String> {
    let text = format!("{}\n", std::process::id());
    file.set_len(0)
        .and_then(|()| file.write_all_at(text.as_bytes(), 0))
        .map_err(|_| "Can't write pid.".to_string())
}

fn silence() -> std::io::Result<()> {
    let null = OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/null")?;
    for target in 0..3 {
        // SAFETY: both are descriptors; what they meant before is meant to go.
        if unsafe { libc::dup2(null.as_raw_fd(), target) } < 0 {
            return Err(std::io::Error::last_os_error());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str) -> std::path::PathBuf {
        std::env::temp_dir().join(format!("skynet-daemon-{}-{name}", std::process::id()))
    }

    #[test]
    fn a_live_process_in_the_file_is_running_and_a_dead_or_own_one_is_not() {
        let path = file("running");
        assert_eq!(running(&path), None);
        std::fs::write(&path, "1\n").unwrap();
        assert_eq!(running(&path), Some(1));
        std::fs::write(&path, format!("{}\n", std::process::id())).unwrap();
        assert_eq!(running(&path), None);
        std::fs::write(&path, "2000000000\n").unwrap();
        assert_eq!(running(&path), None);
        assert_eq!(running(Path::new("/dev/zero")), None);
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn the_file_holds_only_the_id_and_a_lock() {
        let path = file("claim");
        std::fs::write(&path, "99999999999999\nold").unwrap();
        let file = lock(&path).unwrap();
        write_id(&file).unwrap();
        write_id(&file).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, format!("{}\n", std::process::id()));
        // A lock belongs to the open file, so even this process cannot have it twice.
        let reason = lock(&path).unwrap_err();
        assert_eq!(
            reason,
            format!(
                "Can't lock pidfile, lock is held by pid {}.",
                std::process::id()
            )
        );
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_file_that_cannot_be_written_is_an_error() {
        assert!(
            lock(Path::new("/dev/full"))
                .and_then(|file| write_id(&file))
                .is_err()
        );
    }

    #[test]
    fn a_file_that_cannot_be_made_is_an_error() {
        let reason = lock(Path::new("/nonexistent/x.pid")).unwrap_err();
        assert_eq!(reason, "Can't create pidfile [/nonexistent/x.pid].");
    }
}
