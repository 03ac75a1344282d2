//! TCP keep-alive: the kernel asks a peer that is silent whether it is still there, and ends the connection if it is not. While bytes wait
//! that the peer has not acknowledged it does not ask, but sends them again; how long, is another time.

use super::sys;
use libc::c_int;
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicU64, Ordering};

/// The largest times and number that Linux takes.
const MOST: [u64; 4] = [32_767, 32_767, 127, 32_767];

/// When a peer is asked. What is 0 is as the kernel has it (two hours, 75 seconds, 9 times; about a quarter of an hour).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeepAlive {
    /// Never.
    Off,
    On {
        /// Seconds of silence before the first question.
        idle: u16,
        /// Seconds between questions.
        interval: u16,
        /// Questions without an answer that end the connection.
        count: u16,
        /// Seconds in which bytes have to be acknowledged, and a peer that has no room for more has to have some.
        unacknowledged: u16,
    },
}

impl KeepAlive {
    /// Reads `off`, or seconds of silence, and perhaps seconds between questions, the number of these, and seconds until bytes are acknowledged.
    pub fn parse<'a>(mut words: impl Iterator<Item = &'a [u8]>) -> Option<KeepAlive> {
        let mut numbers = [0; 4];
        let first = words.next()?;
        if first == b"off" {
            return words.next().is_none().then_some(KeepAlive::Off);
        }
        let mut next = Some(first);
        for (number, most) in numbers.iter_mut().zip(MOST) {
            let Some(word) = next else { break };
            let word = word.strip_suffix(b".0").unwrap_or(word);
            let value: u64 = std::str::from_utf8(word).ok()?.parse().ok()?;
            *number = (1..=most).contains(&value).then_some(value as u16)?;
            next = words.next();
        }
        let [idle, interval, count, unacknowledged] = numbers;
        next.is_none().then_some(KeepAlive::On {
            idle,
            interval,
            count,
            unacknowledged,
        })
    }

    /// For a socket, also one of another kind than TCP: nothing happens then. Those that a listening one accepts inherit
    /// the times.
    pub fn apply(self, fd: RawFd) {
        let set = |level, name, value: c_int| {
            let _ = sys::set_option(fd, level, name, value);
        };
        match self {
            KeepAlive::Off => set(libc::SOL_SOCKET, libc::SO_KEEPALIVE, 0),
            KeepAlive::On {
                idle,
                interval,
                count,
                unacknowledged,
            } => {
                set(libc::SOL_SOCKET, libc::SO_KEEPALIVE, 1);
                for (name, value) in [
                    (libc::TCP_KEEPIDLE, idle),
                    (libc::TCP_KEEPINTVL, interval),
                    (libc::TCP_KEEPCNT, count),
                ] {
                    if value > 0 {
                        set(libc::IPPROTO_TCP, name, value.into());
                    }
                }
                if unacknowledged > 0 {
                    let milliseconds = c_int::from(unacknowledged) * 1000;
                    set(libc::IPPROTO_TCP, libc::TCP_USER_TIMEOUT, milliseconds);
                }
            }
        }
    }
}

/// What holds for new sockets; at first nothing does.
#[derive(Default)]
pub struct ForNew(AtomicU64);

impl ForNew {
    pub fn set(&self, keep_alive: KeepAlive) {
        let bits = match keep_alive {
            KeepAlive::Off => 1,
            KeepAlive::On {
                idle,
                interval,
                count,
                unacknowledged,
            } => {
                let times = u64::from(idle) << 48 | u64::from(interval) << 32;
                times | u64::from(unacknowledged) << 16 | u64::from(count) << 8 | 2
            }
        };
        self.0.store(bits, Ordering::Relaxed);
    }

    /// None: the kernel's own times.
    pub fn get(&self) -> Option<KeepAlive> {
        let bits = self.0.load(Ordering::Relaxed);
        let part = |shift: u32| (bits >> shift) as u16;
        match bits as u8 {
            0 => None,
            1 => Some(KeepAlive::Off),
            _ => Some(KeepAlive::On {
                idle: part(48),
                interval: part(32),
                count: part(8) & 0xff,
                unacknowledged: part(16),
            }),
        }
    }
}

#[cfg(all(test, not(feature = "loom")))]
mod tests {
    use super::*;

    fn parse(text: &str) -> Option<KeepAlive> {
        KeepAlive::parse(text.split_ascii_whitespace().map(str::as_bytes))
    }

    #[test]
    fn one_to_four_numbers_or_off() {
        let on = |idle, interval, count, unacknowledged| {
            Some(KeepAlive::On {
                idle,
                interval,
                count,
                unacknowledged,
            })
        };
        assert_eq!(parse("60"), on(60, 0, 0, 0));
        assert_eq!(parse("60.0 10"), on(60, 10, 0, 0));
        assert_eq!(parse("60 10 3"), on(60, 10, 3, 0));
        assert_eq!(parse("60 10 3 90"), on(60, 10, 3, 90));
        assert_eq!(parse("off"), Some(KeepAlive::Off));
        for wrong in [
            "",
            "0",
            "-1",
            "x",
            "60 10 3 90 1",
            "60 10 3 0",
            "off 1",
            "60 0",
            "32768",
            "1 1 128",
            "1.5",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_socket_has_the_times() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let fd = std::os::fd::AsRawFd::as_raw_fd(&listener);
        parse("60 10 3 90").expect("valid").apply(fd);
        for (name, expected) in [
            (libc::TCP_KEEPIDLE, 60),
            (libc::TCP_KEEPINTVL, 10),
            (libc::TCP_KEEPCNT, 3),
            (libc::TCP_USER_TIMEOUT, 90_000),
        ] {
            let (mut value, mut size): (c_int, _) = (0, size_of::<c_int>() as u32);
            // SAFETY: both are writable, with that size.
            let done = unsafe {
                let place = (&raw mut value).cast();
                libc::getsockopt(fd, libc::IPPROTO_TCP, name, place, &mut size)
            };
            assert_eq!((done, value), (0, expected));
        }
    }

    #[test]
    fn the_default_is_kept_whole() {
        let default = ForNew::default();
        assert_eq!(default.get(), None);
        for text in ["off", "32767 32767 127", "32767 32767 127 32767", "1"] {
            let keep_alive = parse(text).expect("valid");
            default.set(keep_alive);
            assert_eq!(default.get(), Some(keep_alive));
        }
    }
}
