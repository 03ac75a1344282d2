//! The limits that a config can set. But for one, none of them is on by default, as with the C core.
//!
//! | key | what is limited |
//! |---|---|
//! | `socket_write_limit` | bytes that wait to be sent in one socket |
//! | `socket_write_total` | bytes that wait to be sent in all sockets together |
//! | `mailbox_limit` | messages that wait for one service |
//! | `log_limit` | bytes that wait for the log service: 64 MiB, the only one that is on by default |
//! | `tcp_keepalive` | seconds of silence, between questions, and the number of these, after which a peer counts as gone |
//! | `mailbox_policy` | what becomes of a message that is one too many: `reject` or `drop` |

use crate::actor::service::{self, Policy};
use crate::base::env;
use crate::io::socket::{self, KeepAlive};
use std::ffi::CStr;

/// A number that counts something: digits, and `k`, `m` or `g` for times 1024, 1024², 1024³. (Lua writes a number that is
/// no integer with `.0`.)
pub fn parse(word: &[u8]) -> Option<usize> {
    let word = word.strip_suffix(b".0").unwrap_or(word);
    let (digits, shift) = match word.split_last()? {
        (b'k' | b'K', digits) => (digits, 10),
        (b'm' | b'M', digits) => (digits, 20),
        (b'g' | b'G', digits) => (digits, 30),
        _ => (word, 0),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number: usize = std::str::from_utf8(digits).ok()?.parse().ok()?;
    number
        .checked_mul(1 << shift)
        .filter(|&n| n <= isize::MAX as usize)
}

/// 0 is no limit, for comparisons.
pub fn or_none(limit: usize) -> usize {
    if limit == 0 { usize::MAX } else { limit }
}

/// The limits of the config.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    socket: usize,
    sockets: usize,
    mailbox: usize,
    log: usize,
    policy: Policy,
    keepalive: Option<KeepAlive>,
}

impl Limits {
    /// What the environment of the node says. The error is a line for the user.
    pub fn of_node() -> Result<Limits, String> {
        Limits::of(env::get)
    }

    fn of<'a>(get: impl Fn(&CStr) -> Option<&'a CStr>) -> Result<Limits, String> {
        let number = |key: &CStr, default| match get(key) {
            None => Ok(default),
            Some(text) => parse(text.to_bytes()).ok_or_else(|| {
                format!(
                    "Invalid {} {} , should be a number such as 65536, 512k, 64m or 1g",
                    key.to_string_lossy(),
                    text.to_string_lossy()
                )
            }),
        };
        let keepalive = match get(c"tcp_keepalive") {
            None => None,
            Some(text) => {
                let words = text.to_bytes().split(|byte| *byte == b' ');
                let times = KeepAlive::parse(words.filter(|word| !word.is_empty()));
                Some(times.ok_or_else(|| {
                    format!(
                        "Invalid tcp_keepalive {} , should be seconds of silence, and perhaps seconds between questions, and \
                         their number, such as 60 or \"60 10 3\"; or off",
                        text.to_string_lossy()
                    )
                })?)
            }
        };
        let policy = get(c"mailbox_policy").unwrap_or(c"reject");
        Ok(Limits {
            socket: number(c"socket_write_limit", 0)?,
            sockets: number(c"socket_write_total", 0)?,
            mailbox: number(c"mailbox_limit", 0)?,
            log: number(c"log_limit", service::waiting::DEFAULT)?,
            policy: Policy::parse(policy.to_bytes()).ok_or_else(|| {
                format!(
                    "Invalid mailbox_policy {} , should be reject or drop",
                    policy.to_string_lossy()
                )
            })?,
            keepalive,
        })
    }

    /// For the node's socket server.
    pub fn set_for_sockets(&self) {
        if let Some(server) = socket::server() {
            server.set_limits(Some(or_none(self.socket)), Some(or_none(self.sockets)));
            if let Some(times) = self.keepalive {
                server.set_keepalive(None, times);
            }
        }
    }

    /// For the log.
    pub fn set_for_log(&self) {
        service::waiting::set_limit(self.log);
    }

    /// For services launched from now on.
    pub fn set_for_mailboxes(&self) {
        service::set_mailbox_limit(self.mailbox, self.policy);
    }
}

#[cfg(all(test, not(feature = "loom")))]
mod tests {
    use super::*;

    #[test]
    fn numbers_may_have_a_unit() {
        for (text, number) in [
            ("0", Some(0)),
            ("1500", Some(1500)),
            ("1000000.0", Some(1_000_000)),
            ("3k", Some(3 << 10)),
            ("64M", Some(64 << 20)),
            ("2g", Some(2 << 30)),
            ("", None),
            ("k", None),
            ("-1", None),
            ("1.5m", None),
            ("10 m", None),
            ("1e6", None),
            ("99999999999999999999", None),
            ("9999999999999999g", None),
        ] {
            assert_eq!(parse(text.as_bytes()), number, "{text}");
        }
    }

    #[test]
    fn a_config_without_keys_has_no_limits_and_a_bad_value_is_named() {
        let none = Limits::of(|_| None).unwrap();
        assert_eq!((none.socket, none.sockets, none.mailbox), (0, 0, 0));
        let reason = Limits::of(|key| (key == c"mailbox_limit").then_some(c"many")).unwrap_err();
        assert!(
            reason.starts_with("Invalid mailbox_limit many "),
            "{reason}"
        );
        let reason = Limits::of(|key| (key == c"mailbox_policy").then_some(c"x")).unwrap_err();
        assert!(reason.starts_with("Invalid mailbox_policy x "), "{reason}");
    }
}
