//! What a path below a folder leads to, for a server of files.
//!
//! A path is looked up as the system does it, links included, and what comes out has to be in the folder. Until it is opened, anybody
//! who may write there can put a link in the place of what was found. So it is opened step by step from the folder on, and no step
//! follows a link; what is known of the file is asked of the open one.

use libc::c_int;
use std::ffi::{CString, OsStr};
use std::fs::{self, File, Metadata};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

/// What a path leads to.
#[derive(Debug)]
pub enum Found {
    /// A regular file, open.
    File(File, Facts),
    /// A folder.
    Folder,
}

/// What is known of a file.
#[derive(Debug, PartialEq)]
pub struct Facts {
    /// Bytes.
    pub size: u64,
    /// The last change of its content, in nanoseconds since 1970.
    pub changed: i64,
}

/// Opens what `path` leads to in `folder`. None when there is nothing, nothing that is served (a pipe, a device, what may not be read),
/// or when it is not in the folder: by `..`, or by a link. Links to what is in the folder are followed, and the folder may be one. An
/// error when that cannot be known: there may be too many open files.
pub fn open(folder: &[u8], path: &[u8]) -> io::Result<Option<Found>> {
    look_up(folder, path).map_or_else(absent, Ok)
}

fn look_up(folder: &[u8], path: &[u8]) -> io::Result<Option<Found>> {
    let folder = fs::canonicalize(Path::new(OsStr::from_bytes(folder)))?;
    match place_of(&folder, path)? {
        Some(place) => open_below(&folder, &place),
        None => Ok(None),
    }
}

/// What an error says: that there is nothing, or nothing for others; or only that nothing is known.
fn absent(error: io::Error) -> io::Result<Option<Found>> {
    match error.raw_os_error() {
        // A name with a zero in it, which no file has.
        None
        | Some(
            libc::ENOENT
            | libc::ENOTDIR
            | libc::ELOOP
            | libc::EACCES
            | libc::EPERM
            | libc::ENAMETOOLONG
            | libc::EINVAL
            | libc::ENXIO,
        ) => Ok(None),
        Some(_) => Err(error),
    }
}

/// Where `path` leads to, from the folder on and without links, `.` and `..`.
fn place_of(folder: &Path, path: &[u8]) -> io::Result<Option<PathBuf>> {
    // `join` would take an absolute path as it is.
    let relative = Path::new(OsStr::from_bytes(path));
    if relative.is_absolute() {
        return Ok(None);
    }
    let place = fs::canonicalize(folder.join(relative))?;
    // Nothing else is opened: opening a device may do something.
    let facts = fs::symlink_metadata(&place)?;
    if !facts.is_file() && !facts.is_dir() {
        return Ok(None);
    }
    Ok(place.strip_prefix(folder).ok().map(Path::to_path_buf))
}

/// How a folder is opened on the way: it need not be readable.
#[cfg(target_os = "linux")]
const STEP: c_int = libc::O_PATH | libc::O_DIRECTORY;
#[cfg(not(target_os = "linux"))]
const STEP: c_int = libc::O_DIRECTORY;

/// Opens a place of [`place_of`].
fn open_below(folder: &Path, place: &Path) -> io::Result<Option<Found>> {
    let mut at = open_step(libc::AT_FDCWD, folder.as_os_str(), STEP)?;
    let mut steps = place.iter().peekable();
    while let Some(step) = steps.next() {
        let within = at.as_raw_fd();
        at = match (steps.peek(), open_step(within, step, 0)) {
            (None, Ok(last)) => last,
            _ => open_step(within, step, STEP)?,
        };
    }
    let file = File::from(at);
    let facts = file.metadata()?;
    if facts.is_dir() {
        return Ok(Some(Found::Folder));
    }
    let facts_of = Facts::of(&facts);
    Ok(facts.is_file().then_some(Found::File(file, facts_of)))
}

/// What has that name in an open folder; nothing if it is a link. It does not wait for the writer of a pipe.
fn open_step(folder: c_int, name: &OsStr, kind: c_int) -> io::Result<OwnedFd> {
    const FLAGS: c_int =
        libc::O_RDONLY | libc::O_CLOEXEC | libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY;
    let name = CString::new(name.as_bytes())?;
    // SAFETY: the name is a C string; a descriptor that comes back is this function's.
    unsafe {
        match libc::openat(folder, name.as_ptr(), FLAGS | kind) {
            -1 => Err(io::Error::last_os_error()),
            descriptor => Ok(OwnedFd::from_raw_fd(descriptor)),
        }
    }
}

impl Facts {
    fn of(facts: &Metadata) -> Facts {
        Facts {
            size: facts.size(),
            changed: facts
                .mtime()
                .saturating_mul(1_000_000_000)
                .saturating_add(facts.mtime_nsec()),
        }
    }
}

/// Reads from a place of an open file until `block` is full, or the file ends. The number of bytes.
pub fn read(file: &File, from: u64, block: &mut [u8]) -> io::Result<usize> {
    let mut done = 0;
    while done < block.len() {
        match file.read_at(&mut block[done..], from + done as u64) {
            Ok(0) => break,
            Ok(count) => done += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn only_what_is_in_the_folder_is_seen() {
        let place = std::env::temp_dir().join(format!("skynet-http-file-{}", std::process::id()));
        let inside = place.join("inside");
        fs::create_dir_all(inside.join("folder")).expect("a folder");
        fs::write(inside.join("file"), "12345").expect("a file");
        fs::write(place.join("secret"), "secret").expect("a file");
        symlink("../secret", inside.join("out")).expect("a link");
        symlink("..", inside.join("folder/up")).expect("a link");
        symlink("../..", inside.join("folder/upper")).expect("a link");
        symlink("file", inside.join("in")).expect("a link");
        symlink("loop", inside.join("loop")).expect("a link");
        symlink("inside", place.join("link")).expect("a link");
        let size = |found| match found {
            Found::File(_, facts) => Some(facts.size),
            Found::Folder => None,
        };
        let kind = |folder: &str, path: &[u8]| {
            let found = open(place.join(folder).as_os_str().as_bytes(), path);
            found.expect("it is known").map(size)
        };
        for folder in ["inside", "link", "inside/", "inside/folder/.."] {
            assert_eq!(kind(folder, b"file"), Some(Some(5)));
            assert_eq!(kind(folder, b"in"), Some(Some(5)));
            assert_eq!(kind(folder, b"folder/up/file"), Some(Some(5)));
            assert_eq!(kind(folder, b"folder"), Some(None));
            assert_eq!(kind(folder, b""), Some(None));
            for path in [
                &b"out"[..],
                b"../secret",
                b"folder/upper/secret",
                b"/etc/passwd",
                b"file/",
                b"file/x",
                b"none",
                b"loop",
                b"file\0",
            ] {
                assert_eq!(kind(folder, path), None, "{path:?}");
            }
        }
        assert_eq!(kind("none", b"file"), None);
        assert!(open(b"/dev", b"null").expect("it is known").is_none());
        fs::remove_dir_all(&place).expect("it goes");
    }

    #[test]
    fn what_nobody_can_know_is_not_taken_for_absent() {
        for code in [libc::EMFILE, libc::ENFILE, libc::EIO, libc::ENOMEM] {
            let result = absent(io::Error::from_raw_os_error(code));
            assert_eq!(result.expect_err("unknown").raw_os_error(), Some(code));
        }
    }

    #[test]
    fn what_becomes_a_link_after_it_was_found_is_not_opened() {
        let place = std::env::temp_dir().join(format!("skynet-http-link-{}", std::process::id()));
        let inside = place.join("inside");
        fs::create_dir_all(inside.join("folder")).expect("a folder");
        fs::create_dir_all(place.join("outside")).expect("a folder");
        for file in ["inside/file", "inside/folder/file", "outside/file"] {
            fs::write(place.join(file), file).expect("a file");
        }
        let inside = fs::canonicalize(inside).expect("a folder");
        let found = [&b"file"[..], b"folder/file", b"folder"].map(|path| {
            let place = place_of(&inside, path).expect("known").expect("found");
            assert!(matches!(open_below(&inside, &place), Ok(Some(_))));
            place
        });
        fs::remove_dir_all(inside.join("folder")).expect("it goes");
        fs::remove_file(inside.join("file")).expect("it goes");
        symlink("../outside", inside.join("folder")).expect("a link");
        symlink("../outside/file", inside.join("file")).expect("a link");
        for place in found {
            let found = open_below(&inside, &place).map_or_else(absent, Ok);
            assert!(matches!(found, Ok(None)), "{place:?}");
        }
        fs::remove_dir_all(&place).expect("it goes");
    }

    #[test]
    fn what_is_open_is_read_from_any_place() {
        let place = std::env::temp_dir().join(format!("skynet-http-read-{}", std::process::id()));
        fs::create_dir_all(&place).expect("a folder");
        fs::write(place.join("file"), "0123456789").expect("a file");
        let Ok(Some(Found::File(file, facts))) = open(place.as_os_str().as_bytes(), b"file") else {
            panic!("no file");
        };
        fs::remove_dir_all(&place).expect("it goes");
        assert_eq!(facts.size, 10);
        let mut block = [0; 4];
        assert_eq!(read(&file, 2, &mut block).expect("readable"), 4);
        assert_eq!(&block, b"2345");
        assert_eq!(read(&file, 8, &mut block).expect("readable"), 2);
        assert_eq!(read(&file, 100, &mut block).expect("readable"), 0);
    }
}
