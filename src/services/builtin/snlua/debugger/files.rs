//! Files that somebody names over the network: an editor, a user of the debug console.

use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use libc::c_int;
use skynet_support::State;

/// Bytes of a file, at most.
const MOST: u64 = 16 * 1024 * 1024;

/// The bytes of a regular file of at most [`MOST`]. Never waits: not for who writes a pipe, nor for what a device or a file of the
/// kernel has to tell. What is no file is not even opened, which may do something; it may have taken the place of one since.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let no_file = || io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file");
    if !fs::metadata(path)?.is_file() {
        return Err(no_file());
    }
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY) // closed on exec by the library
        .open(path)?;
    if !file.metadata()?.is_file() {
        return Err(no_file());
    }
    // What it says of its size need not hold: it grows, or it is one of /proc.
    let mut text = Vec::new();
    file.take(MOST + 1).read_to_end(&mut text)?;
    if text.len() as u64 > MOST {
        let problem = format!("it has more than {} MiB", MOST >> 20);
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, problem));
    }
    Ok(text)
}

/// `read(path)`: the bytes of a regular file of at most 16 MiB; nil and the reason if it cannot be read. Does not wait for anything.
pub(super) fn read_file(state: State<'_>) -> c_int {
    let path = Path::new(OsStr::from_bytes(state.check_bytes(1)));
    let (failed, bytes) = match read(path) {
        Ok(text) => (false, text),
        Err(problem) => (true, problem.to_string().into_bytes()),
    };
    if failed {
        state.push_nil();
    }
    let bytes = Box::into_raw(bytes.into_boxed_slice());
    // SAFETY: the box is this function's; while the string is made, which may raise, it is but an address.
    unsafe {
        state.push_bytes(&*bytes);
        drop(Box::from_raw(bytes));
    }
    1 + c_int::from(failed)
}

/// Whether there is something of that name that is neither file nor folder, but a pipe or a device: who opens it may wait for ever.
pub fn is_special(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|facts| !facts.is_file() && !facts.is_dir())
}

/// `special(path)`: see [`is_special`].
pub(super) fn special(state: State<'_>) -> c_int {
    let path = Path::new(OsStr::from_bytes(state.check_bytes(1)));
    state.push_boolean(is_special(path));
    1
}

#[cfg(test)]
mod tests {
    use std::ffi::CString;

    use super::*;

    #[test]
    fn only_regular_files_of_some_size_are_read() {
        let folder = std::env::temp_dir().join(format!("skynet-files-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let (file, pipe) = (folder.join("file"), folder.join("pipe"));
        let name = CString::new(pipe.as_os_str().as_bytes()).expect("a name");
        // SAFETY: a C string.
        assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
        for path in [&*pipe, &*folder, Path::new("/dev/zero")] {
            let problem = read(path).expect_err("it is no file").to_string();
            assert_eq!(problem, "it is no regular file", "{}", path.display());
            assert_eq!(is_special(path), path != folder, "{}", path.display());
        }
        let new = fs::File::create(&file).expect("a file");
        let (to_file, to_pipe) = (folder.join("to-file"), folder.join("to-pipe"));
        for (link, target) in [(&to_file, &file), (&to_pipe, &pipe)] {
            std::os::unix::fs::symlink(target, link).expect("a link");
            assert_eq!(is_special(link), target == &pipe);
        }
        assert!(!is_special(&file) && !is_special(&folder.join("none")));
        assert_eq!(read(&file).expect("an empty one").len(), 0);
        new.set_len(MOST).expect("a sparse one");
        assert_eq!(read(&file).expect("a long one").len() as u64, MOST);
        new.set_len(1 << 40).expect("a sparse one");
        let problem = read(&file).expect_err("it is too long").to_string();
        assert_eq!(problem, "it has more than 16 MiB");
        assert!(read(&folder.join("none")).is_err());
        assert!(read(Path::new(OsStr::from_bytes(b"file\0"))).is_err());
        fs::remove_dir_all(&folder).expect("it goes");
    }
}
