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
pub use crate::node::config::keys::size as parse;
use crate::node::config::keys::{self, refusal};
use std::ffi::CStr;

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
            Some(text) => parse(text.to_bytes()).ok_or_else(|| refusal(key, text)),
        };
        let keepalive = |text: &CStr| {
            let times = keys::keepalive(text.to_bytes());
            times.ok_or_else(|| refusal(c"tcp_keepalive", text))
        };
        let policy = get(c"mailbox_policy").unwrap_or(c"reject");
        Ok(Limits {
            socket: number(c"socket_write_limit", 0)?,
            sockets: number(c"socket_write_total", 0)?,
            mailbox: number(c"mailbox_limit", 0)?,
            log: number(c"log_limit", service::waiting::DEFAULT)?,
            policy: Policy::parse(policy.to_bytes())
                .ok_or_else(|| refusal(c"mailbox_policy", policy))?,
            keepalive: get(c"tcp_keepalive").map(keepalive).transpose()?,
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
