//! Sockets as plain descriptors: connecting waits, so does sending; receiving does not.

use std::io::{self, ErrorKind};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{IntoRawFd, RawFd};

use libc::c_int;

/// What is there to receive.
pub enum Received {
    /// So many bytes; none at the end of the stream.
    Bytes(usize),
    /// Nothing now.
    Nothing,
}

/// A new connection that does not block.
pub fn connect(host: &str, port: u16) -> io::Result<RawFd> {
    let stream = TcpStream::connect((host, port))?;
    stream.set_nonblocking(true)?;
    Ok(stream.into_raw_fd())
}

/// Sends all of `bytes`; waits while the other side does not read.
pub fn send(fd: RawFd, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        // SAFETY: the bytes are readable. A closed connection shall be an error, not a signal.
        let sent =
            unsafe { libc::send(fd, bytes.as_ptr().cast(), bytes.len(), libc::MSG_NOSIGNAL) };
        match usize::try_from(sent) {
            Ok(sent) => bytes = &bytes[sent..],
            Err(_) => match io::Error::last_os_error() {
                error if error.kind() == ErrorKind::Interrupted => {}
                error if error.kind() == ErrorKind::WouldBlock => wait_writable(fd)?,
                error => return Err(error),
            },
        }
    }
    Ok(())
}

fn wait_writable(fd: RawFd) -> io::Result<()> {
    let mut poll = libc::pollfd {
        fd,
        events: libc::POLLOUT,
        revents: 0,
    };
    // SAFETY: one entry.
    let ready = unsafe { libc::poll(&mut poll, 1, -1) };
    if ready < 0 {
        let error = io::Error::last_os_error();
        if error.kind() != ErrorKind::Interrupted {
            return Err(error);
        }
    }
    Ok(())
}

/// Receives what is there.
pub fn receive(fd: RawFd, room: &mut [u8]) -> io::Result<Received> {
    // SAFETY: the room is writable.
    let got = unsafe { libc::recv(fd, room.as_mut_ptr().cast(), room.len(), 0) };
    match usize::try_from(got) {
        Ok(got) => Ok(Received::Bytes(got)),
        Err(_) => match io::Error::last_os_error() {
            error if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) => {
                Ok(Received::Nothing)
            }
            error => Err(error),
        },
    }
}

/// Ends one or both directions of a connection; one that is gone already is ignored.
pub fn shutdown(fd: RawFd, how: Shutdown) {
    let how = match how {
        Shutdown::Read => libc::SHUT_RD,
        Shutdown::Write => libc::SHUT_WR,
        Shutdown::Both => libc::SHUT_RDWR,
    };
    // SAFETY: no memory is involved.
    unsafe { libc::shutdown(fd, how) };
}

/// Closes a descriptor.
pub fn close(fd: c_int) {
    // SAFETY: no memory is involved; whose descriptor it is, the caller knows.
    unsafe { libc::close(fd) };
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::TcpListener;

    fn pair() -> (RawFd, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let fd = connect("127.0.0.1", port).unwrap();
        (fd, listener.accept().unwrap().0)
    }

    /// Waits until there is something.
    fn receive_some(fd: RawFd) -> io::Result<Vec<u8>> {
        let mut room = [0; 64];
        loop {
            match receive(fd, &mut room)? {
                Received::Bytes(got) => return Ok(room[..got].to_vec()),
                Received::Nothing => std::thread::yield_now(),
            }
        }
    }

    #[test]
    fn bytes_go_both_ways_and_the_end_is_no_bytes() {
        let (fd, mut peer) = pair();
        assert!(matches!(receive(fd, &mut [0; 8]), Ok(Received::Nothing)));
        send(fd, b"question").unwrap();
        let mut room = [0; 8];
        peer.read_exact(&mut room).unwrap();
        assert_eq!(&room, b"question");
        peer.write_all(b"answer").unwrap();
        assert_eq!(receive_some(fd).unwrap(), b"answer");
        drop(peer);
        assert_eq!(receive_some(fd).unwrap(), b"");
        close(fd);
    }

    #[test]
    fn more_than_the_system_buffers_is_sent_when_the_other_side_reads() {
        let (fd, mut peer) = pair();
        let bytes = vec![7; 16 << 20];
        let reader = std::thread::spawn(move || {
            let mut all = Vec::new();
            peer.read_to_end(&mut all).unwrap();
            all.len()
        });
        send(fd, &bytes).unwrap();
        shutdown(fd, Shutdown::Write);
        assert_eq!(reader.join().unwrap(), bytes.len());
        close(fd);
    }
}
