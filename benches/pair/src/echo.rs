//! The client of the socket rows: one thread, epoll, loopback only.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

const REQUEST: [u8; 64] = [b'x'; 64];

/// A port that nobody listens on at the moment.
pub fn free_port() -> Result<u16, String> {
    let probe = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|e| e.to_string())?;
    Ok(probe.local_addr().map_err(|e| e.to_string())?.port())
}

/// Connections that are reset when dropped, so that none lingers in TIME_WAIT.
pub struct Connections {
    streams: Vec<TcpStream>,
    epoll: i32,
}

impl Connections {
    /// Open `count` connections; with `greeted`, wait for the byte by which the service says that it has each.
    pub fn open(port: u16, count: usize, greeted: bool) -> Result<Connections, String> {
        // SAFETY: no pointers.
        let epoll = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        if epoll < 0 {
            return Err("epoll_create1 failed".to_owned());
        }
        let mut all = Connections {
            streams: Vec::with_capacity(count),
            epoll,
        };
        let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
        // In groups smaller than any backlog, so that no SYN is dropped and retried a second later.
        while all.streams.len() < count {
            let first = all.streams.len();
            for _ in 0..64.min(count - first) {
                let stream = TcpStream::connect(address).map_err(|e| format!("connect: {e}"))?;
                stream.set_nodelay(true).map_err(|e| e.to_string())?;
                reset_on_close(&stream);
                all.streams.push(stream);
            }
            if greeted {
                for stream in &mut all.streams[first..] {
                    stream
                        .set_read_timeout(Some(Duration::from_secs(5)))
                        .map_err(|e| e.to_string())?;
                    stream
                        .read_exact(&mut [0])
                        .map_err(|e| format!("greeting: {e}"))?;
                }
            }
        }
        Ok(all)
    }

    /// Keep one request under way on every connection for `time`; the number of answers.
    pub fn echo(&mut self, time: Duration) -> Result<u64, String> {
        for (index, stream) in self.streams.iter().enumerate() {
            stream.set_nonblocking(true).map_err(|e| e.to_string())?;
            let mut event = libc::epoll_event {
                events: libc::EPOLLIN as u32,
                u64: index as u64,
            };
            // SAFETY: `event` lives through the call. Adding a second time fails with EEXIST, which is as good.
            unsafe {
                libc::epoll_ctl(
                    self.epoll,
                    libc::EPOLL_CTL_ADD,
                    stream.as_raw_fd(),
                    &mut event,
                )
            };
        }
        let mut missing: Vec<usize> = vec![0; self.streams.len()];
        for (stream, missing) in self.streams.iter_mut().zip(&mut missing) {
            stream
                .write_all(&REQUEST)
                .map_err(|e| format!("write: {e}"))?;
            *missing = REQUEST.len();
        }
        let mut answers = 0;
        let mut under_way = self.streams.len();
        let mut events = vec![libc::epoll_event { events: 0, u64: 0 }; 512];
        let mut buffer = [0u8; 4096];
        let end = Instant::now() + time;
        while under_way > 0 {
            let n = self.wait(&mut events)?;
            let go_on = Instant::now() < end;
            for event in &events[..n] {
                let index = event.u64 as usize;
                let got = match self.streams[index].read(&mut buffer) {
                    Ok(0) => return Err("connection closed by the service".to_owned()),
                    Ok(got) => got,
                    Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => continue,
                    Err(e) => return Err(format!("read: {e}")),
                };
                missing[index] = missing[index]
                    .checked_sub(got)
                    .ok_or("more bytes than were sent")?;
                if missing[index] == 0 {
                    if go_on {
                        answers += 1;
                        self.streams[index]
                            .write_all(&REQUEST)
                            .map_err(|e| format!("write: {e}"))?;
                        missing[index] = REQUEST.len();
                    } else {
                        under_way -= 1;
                    }
                }
            }
        }
        Ok(answers)
    }

    fn wait(&self, events: &mut [libc::epoll_event]) -> Result<usize, String> {
        // SAFETY: the kernel writes at most `events.len()` entries.
        let n =
            unsafe { libc::epoll_wait(self.epoll, events.as_mut_ptr(), events.len() as i32, 5000) };
        match n {
            1.. => Ok(n as usize),
            0 => Err("no answer for 5 s".to_owned()),
            _ => Err(format!("epoll_wait: {}", std::io::Error::last_os_error())),
        }
    }
}

impl Drop for Connections {
    fn drop(&mut self) {
        // SAFETY: this owns the descriptor.
        unsafe { libc::close(self.epoll) };
    }
}

fn reset_on_close(stream: &TcpStream) {
    let linger = libc::linger {
        l_onoff: 1,
        l_linger: 0,
    };
    // SAFETY: the option's value is a `linger` of the size given.
    unsafe {
        libc::setsockopt(
            stream.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_LINGER,
            (&raw const linger).cast(),
            size_of::<libc::linger>() as u32,
        );
    }
}
