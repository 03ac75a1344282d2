//! The client of the socket rows: one thread, epoll, loopback only.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

/// A port without a listener at the moment.
pub fn free_port() -> Result<u16, String> {
    let probe = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|e| e.to_string())?;
    Ok(probe.local_addr().map_err(|e| e.to_string())?.port())
}

/// Connections that are reset when dropped, so that none lingers in TIME_WAIT.
pub struct Connections {
    streams: Vec<TcpStream>,
    epoll: i32,
    buffer: Vec<u8>,
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
            buffer: vec![0; 64 << 10],
        };
        let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
        // In groups smaller than any backlog, so that no SYN is dropped and retried a second later.
        while all.streams.len() < count {
            let first = all.streams.len();
            for _ in 0..64.min(count - first) {
                let stream = TcpStream::connect(address).map_err(|e| format!("connect: {e}"))?;
                stream.set_nodelay(true).map_err(|e| e.to_string())?;
                reset_on_close(&stream);
                hold_a_request(&stream);
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

    pub fn count(&self) -> usize {
        self.streams.len()
    }

    /// Keep one request under way on every connection for `time`, which comes back as it is; the number of answers.
    pub fn echo(&mut self, time: Duration, request: &[u8]) -> Result<u64, String> {
        let size = request.len();
        self.watch()?;
        for stream in &self.streams {
            send(stream, request)?;
        }
        let mut answers = 0;
        let mut under_way = self.streams.len();
        let mut missing = vec![size; self.streams.len()];
        let end = Instant::now() + time;
        while under_way > 0 {
            let go_on = Instant::now() < end;
            self.read(|stream, index, got| {
                missing[index] = missing[index]
                    .checked_sub(got)
                    .ok_or("more bytes than were sent")?;
                if missing[index] == 0 && go_on {
                    answers += 1;
                    missing[index] = size;
                    send(stream, request)?;
                } else if missing[index] == 0 {
                    under_way -= 1;
                }
                Ok(())
            })?;
        }
        Ok(answers)
    }

    /// Send 64 bytes on the first connection, which the service sends to all, again and again for `time`; how often
    /// one of them has got them.
    pub fn broadcast(&mut self, time: Duration) -> Result<u64, String> {
        const TEXT: [u8; 64] = [b'x'; 64];
        self.watch()?;
        let mut delivered = 0;
        let end = Instant::now() + time;
        while Instant::now() < end {
            send(&self.streams[0], &TEXT)?;
            let mut missing = TEXT.len() * self.streams.len();
            while missing > 0 {
                self.read(|_, _, got| {
                    missing = missing
                        .checked_sub(got)
                        .ok_or("more bytes than were sent")?;
                    Ok(())
                })?;
            }
            delivered += self.streams.len() as u64;
        }
        Ok(delivered)
    }

    /// Have `read` look at every connection.
    fn watch(&self) -> Result<(), String> {
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
        Ok(())
    }

    /// Wait for connections that have something to read, and tell of each how many bytes came.
    fn read(
        &mut self,
        mut came: impl FnMut(&TcpStream, usize, usize) -> Result<(), String>,
    ) -> Result<(), String> {
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; 512];
        let n = self.wait(&mut events)?;
        for event in &events[..n] {
            let index = event.u64 as usize;
            let mut stream = &self.streams[index];
            match stream.read(&mut self.buffer) {
                Ok(0) => return Err("connection closed by the service".to_owned()),
                Ok(got) => came(stream, index, got)?,
                Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(e) => return Err(format!("read: {e}")),
            }
        }
        Ok(())
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

/// Send a request, the only one under way on its connection.
fn send(mut stream: &TcpStream, request: &[u8]) -> Result<(), String> {
    stream.write_all(request).map_err(|e| format!("write: {e}"))
}

/// Have the kernel take a whole request of 64 KiB, so that writing one never has to wait.
fn hold_a_request(stream: &TcpStream) {
    set_option(stream, libc::SO_SNDBUF, 192 << 10);
}

fn reset_on_close(stream: &TcpStream) {
    let linger = libc::linger {
        l_onoff: 1,
        l_linger: 0,
    };
    set_option(stream, libc::SO_LINGER, linger);
}

fn set_option<T>(stream: &TcpStream, name: i32, value: T) {
    // SAFETY: the kernel reads the option's value, whose size is given with it.
    unsafe {
        libc::setsockopt(
            stream.as_raw_fd(),
            libc::SOL_SOCKET,
            name,
            (&raw const value).cast(),
            size_of::<T>() as u32,
        );
    }
}
