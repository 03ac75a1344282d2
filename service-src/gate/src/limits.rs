//! Who may stay connected: time until a client has to say something, idle time, and connections of one address. The sockets
//! know when something came or went, so frames are not looked at for that.

use std::collections::HashMap;
use std::ffi::{CStr, CString};

use libc::c_int;
use skynet_sys::{
    Context, SocketInfo, skynet_command, skynet_now, skynet_socket_info, socket_info_release,
};

/// Seconds after which a connection is closed on which neither side has said anything.
const HANDSHAKE: u64 = 300;
/// 1/100 s that a silent connection has even when the gate is full.
pub const GRACE: u64 = 200;
/// Log lines in so many 1/100 s.
const LINES: (u32, u64) = (20, 1000);

/// The limits of a gate; times are in 1/100 s, 0 is none.
#[derive(Debug, PartialEq)]
pub struct Limits {
    /// Until a client has to have said something.
    pub handshake: u64,
    /// What was sent to a client counts too.
    pub either_side: bool,
    /// Without input.
    pub idle: u64,
    /// Connections of one address; 0 is no limit.
    pub per_address: usize,
    /// Bytes of a frame.
    pub frame: usize,
}

impl Limits {
    /// Reads them; `get` gives the value of a config key.
    pub fn read(get: impl Fn(&CStr) -> Option<String>, largest_frame: usize) -> Limits {
        let number = |key: &CStr| get(key).and_then(|text| text.trim().parse::<f64>().ok());
        let time = |seconds: f64| (seconds.max(0.0) * 100.0) as u64;
        let handshake = number(c"gate_handshake");
        Limits {
            handshake: handshake.map_or(HANDSHAKE * 100, time),
            either_side: handshake.is_none(),
            idle: number(c"gate_idle").map_or(0, time),
            per_address: number(c"gate_peraddress").unwrap_or(0.0) as usize,
            frame: match number(c"gate_frame") {
                Some(bytes) if bytes > 0.0 => largest_frame.min(bytes as usize),
                _ => largest_frame,
            },
        }
    }

    /// Time until the next look at all clients: no longer than an hour, for the core's timers end at 31 bits, and limits
    /// need not.
    pub fn pause(&self) -> Option<u64> {
        let times = [self.handshake, self.idle].into_iter();
        let shortest = times.filter(|time| *time > 0).min()?;
        Some((shortest / 4).clamp(10, 360_000))
    }

    /// Why a client has to go, whose socket is `traffic` and which came at `since`.
    pub fn verdict(&self, traffic: &Traffic, since: u64, now: u64) -> Option<String> {
        let silent = self.is_silent(traffic);
        if silent && self.handshake > 0 && now.saturating_sub(since) >= self.handshake {
            let time = self.handshake as f64 / 100.0;
            return Some(format!("it has said nothing in {time} s"));
        }
        let last = traffic.last.max(since);
        if self.idle > 0 && now.saturating_sub(last) >= self.idle {
            let time = self.idle as f64 / 100.0;
            return Some(format!("it has been idle for {time} s"));
        }
        None
    }

    /// Whether nothing was said yet.
    pub fn is_silent(&self, traffic: &Traffic) -> bool {
        traffic.read == 0 && !(self.either_side && traffic.written > 0)
    }
}

/// What went over a socket.
#[derive(Clone, Copy)]
pub struct Traffic {
    read: u64,
    written: u64,
    last: u64,
}

/// Nothing yet.
pub const NOTHING: Traffic = Traffic {
    read: 0,
    written: 0,
    last: 0,
};

/// The sockets of the node.
pub fn traffic() -> HashMap<c_int, Traffic> {
    let mut all = HashMap::new();
    // SAFETY: the list belongs to this function until it is released, at the end.
    unsafe {
        let list = skynet_socket_info();
        let mut socket: *const SocketInfo = list;
        while let Some(info) = socket.as_ref() {
            let traffic = Traffic {
                read: info.read,
                written: info.write,
                last: info.rtime,
            };
            all.insert(info.id, traffic);
            socket = info.next;
        }
        socket_info_release(list);
    }
    all
}

/// The node's clock in 1/100 s.
pub fn now() -> u64 {
    // SAFETY: no arguments.
    unsafe { skynet_now() }
}

/// Runs a command of the node; the answer is copied.
///
/// # Safety
/// `context` is a live service.
pub unsafe fn command(context: *mut Context, name: &CStr, parameter: &CStr) -> Option<String> {
    // SAFETY: contract of this function; the answer is valid until the next command.
    unsafe {
        let answer = skynet_command(context, name.as_ptr(), parameter.as_ptr());
        (!answer.is_null()).then(|| CStr::from_ptr(answer).to_string_lossy().into_owned())
    }
}

/// Has the node send a message of type RESPONSE after some time; its session.
///
/// # Safety
/// `context` is a live service.
pub unsafe fn timeout(context: *mut Context, time: u64) -> Option<c_int> {
    let time = CString::new(time.to_string()).ok()?;
    // SAFETY: contract of this function.
    unsafe { command(context, c"TIMEOUT", &time) }?.parse().ok()
}

/// The same in milliseconds, or hundredths of a second if the node knows only those.
///
/// # Safety
/// As for [`timeout`].
pub unsafe fn timeout_ms(context: *mut Context, time: u64) -> Option<c_int> {
    let text = CString::new(time.to_string()).ok()?;
    // SAFETY: contract of this function.
    unsafe {
        match command(context, c"TIMEOUTMS", &text) {
            Some(session) => session.parse().ok(),
            None => timeout(context, time),
        }
    }
}

/// The address without its port.
pub fn host(address: &str) -> &str {
    address.rsplit_once(':').map_or(address, |(host, _)| host)
}

/// Keeps the log short, however many connections misbehave.
#[derive(Default)]
pub struct Lines {
    since: u64,
    written: u32,
    left_out: u32,
}

impl Lines {
    /// What to append to a line that is to be written; none if it is not.
    pub fn next(&mut self, now: u64) -> Option<String> {
        if now.saturating_sub(self.since) > LINES.1 {
            (self.since, self.written) = (now, 0);
        }
        if self.written >= LINES.0 {
            self.left_out += 1;
            return None;
        }
        self.written += 1;
        match std::mem::take(&mut self.left_out) {
            0 => Some(String::new()),
            count => Some(format!(" (and {count} before that were not written)")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(pairs: &[(&CStr, &str)]) -> Limits {
        let get = |key: &CStr| {
            let found = pairs.iter().find(|(name, _)| *name == key);
            found.map(|(_, value)| value.to_string())
        };
        Limits::read(get, 1000)
    }

    #[test]
    fn a_client_has_to_say_something_unless_something_was_sent_to_it() {
        let silent = NOTHING;
        let greeted = Traffic {
            written: 1,
            ..NOTHING
        };
        let default = limits(&[]);
        assert_eq!(default.verdict(&silent, 0, 29_999), None);
        assert!(default.verdict(&silent, 0, 30_000).is_some());
        assert_eq!(default.verdict(&greeted, 0, 90_000), None);
        assert!(default.is_silent(&silent) && !default.is_silent(&greeted));
        let strict = limits(&[(c"gate_handshake", "0.5")]);
        assert!(strict.verdict(&greeted, 100, 150).is_some());
        assert_eq!(
            limits(&[(c"gate_handshake", "0")]).verdict(&silent, 0, 1 << 40),
            None
        );
    }

    #[test]
    fn idle_time_counts_from_the_last_input() {
        let limits = limits(&[(c"gate_idle", "10"), (c"gate_frame", "100")]);
        let traffic = Traffic {
            read: 5,
            written: 0,
            last: 500,
        };
        assert_eq!(limits.verdict(&traffic, 0, 1499), None);
        assert!(limits.verdict(&traffic, 0, 1500).is_some());
        assert_eq!(limits.verdict(&traffic, 600, 1500), None);
        assert_eq!((limits.frame, limits.pause()), (100, Some(250)));
    }

    #[test]
    fn a_limit_of_years_is_looked_after_by_short_timers() {
        for years in ["30000000", "1e18"] {
            let limits = limits(&[(c"gate_idle", years), (c"gate_handshake", "0")]);
            assert_eq!(limits.pause(), Some(360_000), "{years}");
        }
    }

    #[test]
    fn the_log_says_what_it_leaves_out() {
        let mut lines = Lines::default();
        let written = (0..100).filter(|_| lines.next(2000).is_some()).count();
        assert_eq!(written, 20);
        let next = lines.next(4000).unwrap();
        assert_eq!(next, " (and 80 before that were not written)");
        assert_eq!(host("127.0.0.1:80"), "127.0.0.1");
    }
}
