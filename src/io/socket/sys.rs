//! The system calls, with errors as numbers instead of `errno`.

use super::addr::{SockAddr, Text};
use libc::{c_int, c_void};
use std::ffi::CStr;
use std::mem::size_of;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

/// An `errno` value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Errno(pub c_int);

impl Errno {
    /// That of the last failed call of this thread.
    pub fn last() -> Errno {
        Errno(
            std::io::Error::last_os_error()
                .raw_os_error()
                .unwrap_or(libc::EIO),
        )
    }

    /// Try again later: no room, nothing there, or interrupted.
    pub fn is_temporary(self) -> bool {
        self.0 == libc::EAGAIN || self.0 == libc::EWOULDBLOCK || self.0 == libc::EINTR
    }

    /// The text of the C library.
    pub fn text(self) -> Text {
        let mut buf = [0 as libc::c_char; 128];
        let mut t = Text::new();
        // SAFETY: the buffer has the length that is given; the XSI variant fills it with a terminated string.
        if unsafe { libc::strerror_r(self.0, buf.as_mut_ptr(), buf.len()) } == 0 {
            // SAFETY: terminated by the call above.
            t.append(unsafe { CStr::from_ptr(buf.as_ptr()) }.to_bytes());
        } else {
            t.append(b"Unknown error");
        }
        t
    }
}

fn checked(n: isize) -> Result<usize, Errno> {
    usize::try_from(n).map_err(|_| Errno::last())
}

/// read(2) into `len` bytes at `to`.
///
/// # Safety
/// `to` has room for `len` bytes.
pub unsafe fn read(fd: RawFd, to: *mut c_void, len: usize) -> Result<usize, Errno> {
    // SAFETY: by contract.
    checked(unsafe { libc::read(fd, to, len) })
}

/// write(2).
pub fn write(fd: RawFd, bytes: &[u8]) -> Result<usize, Errno> {
    // SAFETY: the slice is readable.
    checked(unsafe { libc::write(fd, bytes.as_ptr().cast(), bytes.len()) })
}

// The kernel's way from send(2) to a socket is shorter than that from write(2), and the C library makes both a point at
// which threads can be cancelled, with two locked instructions for a call. So these go to the kernel by themselves.

/// recv(2) of a stream, or read(2) of what is no socket, into `len` bytes at `to`.
///
/// # Safety
/// `to` has room for `len` bytes.
pub unsafe fn receive(fd: RawFd, to: *mut c_void, len: usize) -> Result<usize, Errno> {
    let nobody = std::ptr::null_mut::<c_void>();
    // SAFETY: by contract; nobody's address is asked for.
    let got = checked(
        unsafe { libc::syscall(libc::SYS_recvfrom, fd, to, len, 0, nobody, nobody) } as isize,
    );
    match got {
        // SAFETY: contract of this function.
        Err(Errno(libc::ENOTSOCK)) => unsafe { read(fd, to, len) },
        got => got,
    }
}

/// send(2) on a stream, or write(2) to what is no socket.
pub fn send(fd: RawFd, bytes: &[u8]) -> Result<usize, Errno> {
    let (nobody, flags) = (std::ptr::null::<c_void>(), libc::MSG_NOSIGNAL);
    // SAFETY: the slice is readable; there is no address.
    let sent = checked(unsafe {
        libc::syscall(
            libc::SYS_sendto,
            fd,
            bytes.as_ptr(),
            bytes.len(),
            flags,
            nobody,
            0usize,
        )
    } as isize);
    match sent {
        Err(Errno(libc::ENOTSOCK)) => write(fd, bytes),
        sent => sent,
    }
}

/// sendmsg(2) on a stream, or writev(2) to what is no socket.
///
/// # Safety
/// The entries describe readable memory.
pub unsafe fn send_vectored(fd: RawFd, iov: &[libc::iovec]) -> Result<usize, Errno> {
    // SAFETY: all-zero is a message without address and control data.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = iov.as_ptr().cast_mut();
    message.msg_iovlen = iov.len() as _;
    let flags = libc::MSG_NOSIGNAL;
    // SAFETY: by contract; the kernel only reads the message. The callers keep the number of entries below IOV_MAX.
    let sent = checked(
        unsafe { libc::syscall(libc::SYS_sendmsg, fd, &raw const message, flags) } as isize,
    );
    match sent {
        Err(Errno(libc::ENOTSOCK)) => {
            // SAFETY: as above.
            checked(unsafe { libc::writev(fd, iov.as_ptr(), iov.len() as c_int) })
        }
        sent => sent,
    }
}

/// sendto(2).
pub fn send_to(fd: RawFd, bytes: &[u8], to: &SockAddr) -> Result<usize, Errno> {
    // SAFETY: slice and address are readable with the given lengths.
    checked(unsafe {
        libc::sendto(
            fd,
            bytes.as_ptr().cast(),
            bytes.len(),
            0,
            to.as_ptr(),
            to.len(),
        )
    })
}

/// recvfrom(2).
pub fn receive_from(fd: RawFd, room: &mut [u8]) -> Result<(usize, SockAddr), Errno> {
    let mut from = SockAddr::empty();
    let (addr, len) = from.as_mut();
    // SAFETY: the slice is writable, and so is the address with the length that stands in `len`.
    let n =
        checked(unsafe { libc::recvfrom(fd, room.as_mut_ptr().cast(), room.len(), 0, addr, len) })?;
    Ok((n, from))
}

/// socket(2), closed on exec; `nonblocking` as the name says.
pub fn socket(family: c_int, kind: c_int, nonblocking: bool) -> Result<OwnedFd, Errno> {
    let flags = libc::SOCK_CLOEXEC | if nonblocking { libc::SOCK_NONBLOCK } else { 0 };
    // SAFETY: no pointers.
    owned(unsafe { libc::socket(family, kind | flags, 0) })
}

fn owned(fd: c_int) -> Result<OwnedFd, Errno> {
    if fd < 0 {
        return Err(Errno::last());
    }
    // SAFETY: the kernel has just made this descriptor for this call.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// accept4(2): not blocking, closed on exec. Where a filter knows accept(2) alone, by that.
pub fn accept(listener: RawFd) -> Result<(OwnedFd, SockAddr), Errno> {
    let mut from = SockAddr::empty();
    let (addr, len) = from.as_mut();
    // SAFETY: the address is writable with the length that stands in `len`.
    let taken = owned(unsafe {
        libc::accept4(
            listener,
            addr,
            len,
            libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC,
        )
    });
    match taken {
        Ok(fd) => Ok((fd, from)),
        Err(Errno(libc::ENOSYS | libc::EPERM)) => accept_plainly(listener),
        Err(e) => Err(e),
    }
}

fn accept_plainly(listener: RawFd) -> Result<(OwnedFd, SockAddr), Errno> {
    let mut from = SockAddr::empty();
    let (addr, len) = from.as_mut();
    // SAFETY: as in `accept`.
    let fd = owned(unsafe { libc::accept(listener, addr, len) })?;
    for (command, value) in [
        (libc::F_SETFD, libc::FD_CLOEXEC),
        (libc::F_SETFL, libc::O_NONBLOCK),
    ] {
        // SAFETY: no pointers.
        checked(unsafe { libc::fcntl(fd.as_raw_fd(), command, value) } as isize)?;
    }
    Ok((fd, from))
}

/// connect(2): `true` if the connection stands at once.
pub fn connect(fd: RawFd, to: &SockAddr) -> Result<bool, Errno> {
    // SAFETY: the address is readable with its length.
    if unsafe { libc::connect(fd, to.as_ptr(), to.len()) } == 0 {
        return Ok(true);
    }
    match Errno::last() {
        Errno(libc::EINPROGRESS) => Ok(false),
        e => Err(e),
    }
}

/// bind(2) with SO_REUSEADDR.
pub fn bind(fd: &OwnedFd, to: &SockAddr) -> Result<(), Errno> {
    set_option(fd.as_raw_fd(), libc::SOL_SOCKET, libc::SO_REUSEADDR, 1)?;
    // SAFETY: the address is readable with its length.
    checked(unsafe { libc::bind(fd.as_raw_fd(), to.as_ptr(), to.len()) } as isize).map(drop)
}

/// listen(2).
pub fn listen(fd: &OwnedFd, backlog: c_int) -> Result<(), Errno> {
    // SAFETY: no pointers.
    checked(unsafe { libc::listen(fd.as_raw_fd(), backlog) } as isize).map(drop)
}

/// setsockopt(2) with an int.
pub fn set_option(fd: RawFd, level: c_int, name: c_int, value: c_int) -> Result<(), Errno> {
    // SAFETY: the value is readable with its size.
    let r = unsafe {
        libc::setsockopt(
            fd,
            level,
            name,
            (&raw const value).cast(),
            size_of::<c_int>() as u32,
        )
    };
    checked(r as isize).map(drop)
}

/// Whether a socket has room to write, or an error.
pub fn has_room(fd: RawFd) -> bool {
    let mut poll = libc::pollfd {
        fd,
        events: libc::POLLOUT,
        revents: 0,
    };
    // SAFETY: one descriptor, which is writable; no wait.
    unsafe { libc::poll(&mut poll, 1, 0) > 0 }
}

/// The pending error of a socket (and forgets it); 0 if there is none.
pub fn pending_error(fd: RawFd) -> Result<c_int, Errno> {
    let mut value: c_int = 0;
    let mut len = size_of::<c_int>() as u32;
    // SAFETY: the value is writable with its size.
    let r = unsafe {
        libc::getsockopt(
            fd,
            libc::SOL_SOCKET,
            libc::SO_ERROR,
            (&raw mut value).cast(),
            &mut len,
        )
    };
    checked(r as isize).map(|_| value)
}

/// getsockname(2).
pub fn local_name(fd: RawFd) -> Result<SockAddr, Errno> {
    let mut a = SockAddr::empty();
    let (addr, len) = a.as_mut();
    // SAFETY: the address is writable with the length that stands in `len`.
    checked(unsafe { libc::getsockname(fd, addr, len) } as isize).map(|_| a)
}

/// getpeername(2).
pub fn peer_name(fd: RawFd) -> Result<SockAddr, Errno> {
    let mut a = SockAddr::empty();
    let (addr, len) = a.as_mut();
    // SAFETY: the address is writable with the length that stands in `len`.
    checked(unsafe { libc::getpeername(fd, addr, len) } as isize).map(|_| a)
}

/// shutdown(2); a descriptor that is no socket does not care.
pub fn shutdown(fd: RawFd, how: c_int) {
    // SAFETY: no pointers.
    unsafe { libc::shutdown(fd, how) };
}

/// close(2).
pub fn close(fd: RawFd) {
    // SAFETY: the caller gives the descriptor up.
    unsafe { libc::close(fd) };
}

/// Sets O_NONBLOCK.
pub fn set_nonblocking(fd: RawFd) {
    // SAFETY: no pointers.
    unsafe {
        let flags = libc::fcntl(fd, libc::F_GETFL, 0);
        if flags != -1 {
            libc::fcntl(fd, libc::F_SETFL, flags | libc::O_NONBLOCK);
        }
    }
}
