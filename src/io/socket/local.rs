//! Listening on a path of this machine (unix(7)): `unix:/run/game/console.sock` in the place of a host.

use super::sys::{self, Errno};
use std::ffi::{CStr, OsStr};
use std::mem::{MaybeUninit, offset_of, size_of};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

/// What such a host begins with.
const PREFIX: &[u8] = b"unix:";

/// Only the user that the node runs as may connect.
const MODE: libc::mode_t = 0o600;

/// The path in a host, if it is one.
pub fn path(host: &CStr) -> Option<&[u8]> {
    host.to_bytes().strip_prefix(PREFIX)
}

/// A path as the kernel takes it.
struct Address {
    storage: libc::sockaddr_un,
    len: u32,
}

impl Address {
    fn new(path: &[u8]) -> Result<Address, Errno> {
        // SAFETY: all-zero is a valid sockaddr_un.
        let mut storage: libc::sockaddr_un = unsafe { MaybeUninit::zeroed().assume_init() };
        // One byte stays 0.
        if path.is_empty() || path.len() >= storage.sun_path.len() {
            return Err(Errno(libc::ENAMETOOLONG));
        }
        storage.sun_family = libc::AF_UNIX as u16;
        for (to, from) in storage.sun_path.iter_mut().zip(path) {
            *to = *from as libc::c_char;
        }
        let len = offset_of!(libc::sockaddr_un, sun_path) + path.len() + 1;
        debug_assert!(len <= size_of::<libc::sockaddr_un>());
        Ok(Address {
            storage,
            len: len as u32,
        })
    }

    fn bind(&self, fd: &OwnedFd) -> Result<(), Errno> {
        let address = (&raw const self.storage).cast();
        // SAFETY: the address is readable with its length.
        match unsafe { libc::bind(fd.as_raw_fd(), address, self.len) } {
            0 => Ok(()),
            _ => Err(Errno::last()),
        }
    }

    /// Whether no process listens there any more.
    fn is_left_behind(&self) -> bool {
        let Ok(fd) = sys::socket(libc::AF_UNIX, libc::SOCK_STREAM, true) else {
            return false;
        };
        let address = (&raw const self.storage).cast();
        // SAFETY: the address is readable with its length.
        let done = unsafe { libc::connect(fd.as_raw_fd(), address, self.len) };
        done != 0 && Errno::last() == Errno(libc::ECONNREFUSED)
    }
}

/// A bound socket. The file that an earlier node has left is replaced; other files, and sockets that a process listens on,
/// are not.
pub fn bind(path: &[u8]) -> Result<OwnedFd, Errno> {
    let address = Address::new(path)?;
    let fd = sys::socket(libc::AF_UNIX, libc::SOCK_STREAM, false)?;
    // Before there is a file that others could open.
    // SAFETY: no pointers.
    if unsafe { libc::fchmod(fd.as_raw_fd(), MODE) } != 0 {
        return Err(Errno::last());
    }
    match address.bind(&fd) {
        Err(Errno(libc::EADDRINUSE)) => {}
        result => return result.map(|()| fd),
    }
    let file = Path::new(OsStr::from_bytes(path));
    let is_socket = std::fs::symlink_metadata(file).is_ok_and(|it| it.file_type().is_socket());
    if !is_socket || !address.is_left_behind() || std::fs::remove_file(file).is_err() {
        return Err(Errno(libc::EADDRINUSE));
    }
    address.bind(&fd).map(|()| fd)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::UnixStream;

    fn scratch(name: &str) -> std::path::PathBuf {
        let path = std::env::temp_dir().join(format!("skynet-{name}-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        path
    }

    #[test]
    fn only_the_user_may_connect_and_a_file_left_behind_is_replaced() {
        let path = scratch("local");
        let bytes = path.as_os_str().as_bytes();
        let first = bind(bytes).unwrap();
        sys::listen(&first, 5).unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        UnixStream::connect(&path).unwrap();
        assert_eq!(bind(bytes).unwrap_err(), Errno(libc::EADDRINUSE));
        drop(first);
        let second = bind(bytes).unwrap();
        sys::listen(&second, 5).unwrap();
        UnixStream::connect(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn what_is_no_socket_stays() {
        let path = scratch("file");
        std::fs::write(&path, "precious").unwrap();
        let result = bind(path.as_os_str().as_bytes());
        assert_eq!(result.unwrap_err(), Errno(libc::EADDRINUSE));
        assert_eq!(std::fs::read(&path).unwrap(), b"precious");
        std::fs::remove_file(&path).unwrap();
        assert!(bind(&[b'x'; 200]).is_err());
        assert_eq!(super::path(c"127.0.0.1"), None);
    }
}
