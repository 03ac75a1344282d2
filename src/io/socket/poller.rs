//! epoll, level triggered, and the eventfd that wakes it.

use super::sys::{self, Errno};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

/// What the kernel says about one socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ready {
    /// The socket's id.
    pub id: i32,
    /// There is something to read (or the end of the stream).
    pub read: bool,
    /// There is room to write.
    pub write: bool,
    /// There is a pending error.
    pub error: bool,
    /// Both directions are over.
    pub hangup: bool,
}

const WAKE: u64 = u64::MAX;

/// An epoll instance. `wake` may be called by any thread, the rest by the I/O thread.
pub struct Poller {
    epoll: OwnedFd,
    wake: OwnedFd,
}

impl Poller {
    /// A new instance.
    pub fn new() -> Result<Poller, Errno> {
        let owned = |fd: RawFd| {
            if fd < 0 {
                return Err(Errno::last());
            }
            // SAFETY: the kernel has just made this descriptor for this call.
            Ok(unsafe { OwnedFd::from_raw_fd(fd) })
        };
        // SAFETY: no pointers.
        let epoll = owned(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
        // SAFETY: no pointers.
        let wake = owned(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) })?;
        let p = Poller { epoll, wake };
        p.control(
            libc::EPOLL_CTL_ADD,
            p.wake.as_raw_fd(),
            libc::EPOLLIN as u32,
            WAKE,
        )?;
        Ok(p)
    }

    fn control(&self, op: i32, fd: RawFd, events: u32, data: u64) -> Result<(), Errno> {
        let mut event = libc::epoll_event { events, u64: data };
        // SAFETY: the event is readable during the call.
        match unsafe { libc::epoll_ctl(self.epoll.as_raw_fd(), op, fd, &mut event) } {
            0 => Ok(()),
            _ => Err(Errno::last()),
        }
    }

    fn mask(read: bool, write: bool) -> u32 {
        (if read { libc::EPOLLIN as u32 } else { 0 })
            | (if write { libc::EPOLLOUT as u32 } else { 0 })
    }

    /// Watches `fd` for the socket `id`. Errors and hang-ups are always reported.
    pub fn add(&self, fd: RawFd, id: i32, read: bool, write: bool) -> Result<(), Errno> {
        self.control(
            libc::EPOLL_CTL_ADD,
            fd,
            Self::mask(read, write),
            id as u32 as u64,
        )
    }

    /// Changes what is watched.
    pub fn change(&self, fd: RawFd, id: i32, read: bool, write: bool) -> Result<(), Errno> {
        self.control(
            libc::EPOLL_CTL_MOD,
            fd,
            Self::mask(read, write),
            id as u32 as u64,
        )
    }

    /// Stops watching.
    pub fn remove(&self, fd: RawFd) {
        let _ = self.control(libc::EPOLL_CTL_DEL, fd, 0, 0);
    }

    /// epoll_wait(2) with a limit of less than a millisecond. A kernel that has none (before 5.11) gives an error, and the
    /// caller's wait is none.
    fn wait_briefly(&self, room: &mut [libc::epoll_event], timeout: i32, limit: Duration) -> i32 {
        let limit = match u64::try_from(timeout) {
            Ok(millis) => limit.min(Duration::from_millis(millis)),
            Err(_) => limit,
        };
        let time = libc::timespec {
            tv_sec: limit.as_secs() as libc::time_t,
            tv_nsec: libc::c_long::from(limit.subsec_nanos() as i32),
        };
        // SAFETY: the slice is writable with its length, the time is readable, and no signal mask is given.
        let n = unsafe {
            libc::syscall(
                libc::SYS_epoll_pwait2,
                self.epoll.as_raw_fd(),
                room.as_mut_ptr(),
                room.len() as i32,
                &raw const time,
                std::ptr::null::<libc::sigset_t>(),
                0usize,
            )
        };
        n as i32
    }

    /// Whether the kernel knows waits shorter than a millisecond.
    pub fn waits_briefly(&self) -> bool {
        let mut room = [libc::epoll_event { events: 0, u64: 0 }];
        let n = self.wait_briefly(&mut room, -1, Duration::ZERO);
        n >= 0 || Errno::last() != Errno(libc::ENOSYS)
    }

    /// Whether a wait would find something. Takes nothing away.
    pub fn has_events(&self) -> bool {
        let mut epoll = libc::pollfd {
            fd: self.epoll.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        };
        // SAFETY: one descriptor, which is writable; no wait.
        unsafe { libc::poll(&mut epoll, 1, 0) > 0 }
    }

    /// For a thread that sleeps until there are events ([`crate::base::alarm::Alarm::sleep_beside`]).
    pub fn events(&self) -> RawFd {
        self.epoll.as_raw_fd()
    }

    /// Ends the present or next `wait`.
    pub fn wake(&self) {
        let _ = sys::write(self.wake.as_raw_fd(), &1u64.to_ne_bytes());
    }

    /// After this, a [`Poller::wake`] of before ends no wait any more.
    pub fn forget_wake(&self) {
        let mut counter = [0u8; 8];
        // SAFETY: the buffer has the eight bytes.
        let _ = unsafe { sys::read(self.wake.as_raw_fd(), counter.as_mut_ptr().cast(), 8) };
    }

    /// Waits for events, at most `timeout` milliseconds (-1: for ever) and no longer than `limit`; puts them into `out`.
    pub fn wait(
        &self,
        room: &mut [libc::epoll_event],
        timeout: i32,
        limit: Option<Duration>,
        out: &mut Vec<Ready>,
    ) -> Result<(), Errno> {
        if self.look(room, timeout, limit, out)? {
            self.forget_wake();
        }
        Ok(())
    }

    /// As [`Poller::wait`], and changes nothing. Whether there was a [`Poller::wake`].
    pub fn look(
        &self,
        room: &mut [libc::epoll_event],
        timeout: i32,
        limit: Option<Duration>,
        out: &mut Vec<Ready>,
    ) -> Result<bool, Errno> {
        out.clear();
        let mut woken = false;
        let n = match limit {
            Some(limit) if timeout != 0 => self.wait_briefly(room, timeout, limit),
            // SAFETY: the slice is writable with its length.
            _ => unsafe {
                libc::epoll_wait(
                    self.epoll.as_raw_fd(),
                    room.as_mut_ptr(),
                    room.len() as i32,
                    timeout,
                )
            },
        };
        if n < 0 {
            return Err(Errno::last());
        }
        for e in &room[..n as usize] {
            let (events, data) = (e.events, e.u64);
            if data == WAKE {
                woken = true;
                continue;
            }
            let has = |bit: i32| events & bit as u32 != 0;
            out.push(Ready {
                id: data as u32 as i32,
                read: has(libc::EPOLLIN),
                write: has(libc::EPOLLOUT),
                error: has(libc::EPOLLERR),
                hangup: has(libc::EPOLLHUP),
            });
        }
        Ok(woken)
    }
}
