//! The folder of the socket between the editor's process and the node.
//!
//! Who has it holds a lock on it, which the system takes away with the process, also with one that is killed. Folders that nobody
//! holds any more go when the next one is made.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Bytes that the path of a socket may have, on all systems.
const LONGEST: usize = 103;
/// The socket's name, and that of the file of [`Folder::grace`].
const SOCKET: &str = "adapter";
const GRACE: &str = "grace";
/// What names of folders begin with; the number of the process follows, and another one.
const NAME: &str = "skynet-debug-";

/// A folder that only this user can read, with a socket, which goes at the end.
pub struct Folder {
    path: PathBuf,
    /// Locked as long as it is there.
    _held: File,
}

impl Folder {
    /// In the folder of temporary files; elsewhere if that is not there, or its path is too long for a socket's.
    pub fn new() -> io::Result<Folder> {
        let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
        let places = [Some(std::env::temp_dir()), runtime, Some("/tmp".into())];
        let mut first_problem = None;
        for place in places.into_iter().flatten() {
            match Folder::inside(&place) {
                Ok(folder) => return Ok(folder),
                Err(problem) => {
                    let named = format!("{}: {problem}", place.display());
                    first_problem.get_or_insert(io::Error::new(problem.kind(), named));
                }
            }
        }
        Err(first_problem.unwrap_or_else(|| io::Error::from(io::ErrorKind::NotFound)))
    }

    fn inside(place: &Path) -> io::Result<Folder> {
        // One that is there is another's, who may have chosen the name.
        for number in 0..1000 {
            let path = place.join(format!("{NAME}{}-{number}", std::process::id()));
            let length = path.join(SOCKET).as_os_str().as_bytes().len();
            if length > LONGEST {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidInput,
                    format!(
                        "a socket's path would have {length} bytes there, and {LONGEST} at most fit: set TMPDIR to a folder with a \
                         shorter path"
                    ),
                ));
            }
            match fs::DirBuilder::new().mode(0o700).create(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                made => made?,
            }
            let held = open(&path)?;
            // Who clears up may have come before the lock.
            if held.try_lock().is_ok()
                && fs::symlink_metadata(&path).is_ok_and(|there| is_same(&there, &held))
            {
                clear(place, &held);
                return Ok(Folder { path, _held: held });
            }
        }
        Err(io::Error::from(io::ErrorKind::AlreadyExists))
    }

    pub fn socket(&self) -> PathBuf {
        self.path.join(SOCKET)
    }

    /// The file in which the node notes how long its services may take to finish, if the config says so.
    pub fn grace(&self) -> PathBuf {
        self.path.join(GRACE)
    }

    /// As at the end, for who ends the process without one.
    pub fn remove(&self) {
        remove(&self.path, &self._held);
    }
}

/// [`Folder::grace`], for the node, which knows the socket.
pub fn grace_beside(socket: &Path) -> PathBuf {
    socket.with_file_name(GRACE)
}

impl Drop for Folder {
    fn drop(&mut self) {
        self.remove();
    }
}

/// Opens a folder, and nothing else: no link to one.
fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_DIRECTORY | libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path)
}

fn is_same(there: &fs::Metadata, held: &File) -> bool {
    held.metadata()
        .is_ok_and(|held| (held.dev(), held.ino()) == (there.dev(), there.ino()))
}

/// Takes a folder away with what may be in it. What is not gone then stays in the folder of temporary files.
fn remove(path: &Path, held: &File) {
    for name in [c"adapter", c"grace"] {
        // In this folder, whatever stands at its path meanwhile. SAFETY: an open folder, and C strings.
        unsafe { libc::unlinkat(held.as_raw_fd(), name.as_ptr(), 0) };
    }
    // An empty folder, and no link to one.
    let _ = fs::remove_dir(path);
}

/// Takes away what processes have left behind that were killed: folders of this user, as they are made here, whose process is gone and that
/// nobody holds.
fn clear(place: &Path, own: &File) {
    let (Ok(entries), Ok(own)) = (fs::read_dir(place), own.metadata()) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let process = name
            .to_str()
            .and_then(|name| name.strip_prefix(NAME)?.split_once('-'))
            .and_then(|(process, _)| process.parse().ok());
        if process.is_none_or(is_alive) {
            continue;
        }
        let Ok(folder) = open(&entry.path()) else {
            continue;
        };
        let is_ours = folder
            .metadata()
            .is_ok_and(|facts| facts.uid() == own.uid() && facts.mode() & 0o777 == 0o700);
        // A process of that number may run where the same folders are seen, but not the same processes.
        if is_ours && folder.try_lock().is_ok() {
            remove(&entry.path(), &folder);
        }
    }
}

fn is_alive(process: libc::pid_t) -> bool {
    // SAFETY: no signal is sent.
    process > 0
        && (unsafe { libc::kill(process, 0) } == 0
            || io::Error::last_os_error().raw_os_error() != Some(libc::ESRCH))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_folder_in_which_no_socket_fits_is_not_taken() {
        let long = std::env::temp_dir().join("l".repeat(100));
        let problem = Folder::inside(&long).err().expect("too long").to_string();
        assert!(problem.contains("TMPDIR"), "{problem}");
    }

    /// No process has such a number (PID_MAX_LIMIT).
    #[test]
    fn folders_of_processes_that_are_gone_go_and_nothing_else() {
        let place = std::env::temp_dir().join(format!("skynet-folders-{}", std::process::id()));
        fs::create_dir(&place).expect("a folder");
        let make = |name: &str, mode| {
            let path = place.join(name);
            fs::DirBuilder::new()
                .mode(mode)
                .create(&path)
                .expect("a folder");
            path
        };
        let left = make("skynet-debug-2000000000-0", 0o700);
        fs::write(left.join(SOCKET), "").expect("a file");
        fs::write(left.join(GRACE), "30").expect("a file");
        let held = make("skynet-debug-2000000001-0", 0o700);
        let lock = open(&held).expect("a folder");
        lock.try_lock().expect("nobody holds it");
        let full = make("skynet-debug-2000000002-0", 0o700);
        fs::write(full.join("other"), "").expect("a file");
        let open_to_all = make("skynet-debug-2000000003-0", 0o755);
        let alive = make(&format!("skynet-debug-{}-9", std::process::id()), 0o700);
        let elsewhere = make("elsewhere", 0o700);
        fs::write(elsewhere.join(SOCKET), "").expect("a file");
        let link = place.join("skynet-debug-2000000004-0");
        symlink(&elsewhere, &link).expect("a link");
        let file = place.join("skynet-debug-2000000005-0");
        fs::write(&file, "").expect("a file");

        let folder = Folder::inside(&place).expect("a folder");
        assert!(!left.exists(), "its process is gone");
        for kept in [&held, &full, &open_to_all, &alive, &link, &file] {
            assert!(kept.symlink_metadata().is_ok(), "{}", kept.display());
        }
        assert!(full.join("other").exists() && elsewhere.join(SOCKET).exists());
        let (path, socket) = (folder.path.clone(), folder.socket());
        fs::write(socket, "").expect("a file");
        drop(folder);
        assert!(!path.exists(), "it goes at the end");
        fs::remove_dir_all(&place).expect("it goes");
    }
}
