//! Questions to the node, and services that come and go.

use std::ffi::CStr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{Ctx, command, with_c_str};
use crate::address::{Address, Handle};
use crate::error::CommandError;
use crate::runtime::core::{Core, current};
use crate::runtime::waiting::Waiting;
use crate::sys;

/// Figures of this service.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Stat {
    /// Messages that wait.
    pub mailbox: u64,
    /// Messages that were dispatched.
    pub messages: u64,
    /// Processor time that it has taken; the config key `profile` has to be on.
    pub cpu: Duration,
    /// Tasks whose futures are not ready.
    pub tasks: usize,
    /// Requests that wait for their answers, timers among them.
    pub requests: usize,
}

/// The longest parameter: the C core copies it to the stack of its thread.
const LONGEST: usize = 1 << 20;

/// Runs a command with a parameter that was made here.
fn ask(name: &CStr, parameter: &str) -> Result<Option<Vec<u8>>, CommandError> {
    if parameter.len() > LONGEST {
        let bytes = parameter.len();
        return Err(CommandError::TooLong { bytes });
    }
    with_c_str(parameter, |parameter| command(name, Some(parameter))).ok_or_else(|| {
        CommandError::Invalid {
            parameter: parameter.to_string(),
        }
    })
}

impl Ctx {
    /// Starts a service of C, Rust or Lua: `"snlua main"`, `"gate S ! 127.0.0.1:8888 0 100"`.
    ///
    /// # Errors
    ///
    /// When there is no such service or its init fails; the log says more.
    pub fn launch(self, line: &str) -> Result<Handle, CommandError> {
        if current(|core| core.flags().is_ending()) {
            return Err(CommandError::Ending);
        }
        let answer = ask(c"LAUNCH", line)?;
        answer
            .and_then(|answer| Handle::parse(&answer))
            .ok_or_else(|| CommandError::Launch {
                line: line.to_string(),
            })
    }

    /// Ends a service. Nothing happens when there is none (a line in the log).
    pub fn kill<'a>(self, address: impl Into<Address<'a>>) {
        match address.into() {
            Address::Handle(handle) => drop(ask(c"KILL", &format!(":{:x}", handle.get()))),
            Address::Name(name) => drop(ask(c"KILL", name)),
        }
    }

    /// Ends this service: it gets no message any more, and is dropped when the current one has been handled.
    pub fn exit(self) {
        command(c"EXIT", None);
    }

    /// Ends all services, and with that the node.
    pub fn abort(self) {
        command(c"ABORT", None);
    }

    /// The service of a local name (`.name`).
    pub fn query(self, name: &str) -> Option<Handle> {
        let name = Dotted::new(name);
        Handle::parse(&ask(c"QUERY", name.as_str()).ok()??)
    }

    /// Gives this service a local name (`.name`).
    ///
    /// # Errors
    ///
    /// When the name is taken.
    pub fn register(self, name: &str) -> Result<(), CommandError> {
        let name = Dotted::new(name);
        let answer = ask(c"REG", name.as_str())?;
        answer.map(drop).ok_or_else(|| CommandError::Name {
            name: name.as_str().to_string(),
        })
    }

    /// Gives another service of this node a local name (`.name`).
    ///
    /// # Errors
    ///
    /// When the name is taken.
    pub fn name(self, name: &str, handle: Handle) -> Result<(), CommandError> {
        let name = Dotted::new(name);
        if name.as_str().contains(' ') {
            return Err(CommandError::Invalid {
                parameter: name.as_str().to_string(),
            });
        }
        let answer = ask(c"NAME", &format!("{} :{:x}", name.as_str(), handle.get()))?;
        answer.map(drop).ok_or_else(|| CommandError::Name {
            name: name.as_str().to_string(),
        })
    }

    /// A value of the config or of [`Ctx::set_env`].
    pub fn env(self, key: &str) -> Option<String> {
        let value = ask(c"GETENV", key).ok()??;
        Some(String::from_utf8_lossy(&value).into_owned())
    }

    /// Sets a value that has none yet.
    ///
    /// # Errors
    ///
    /// When there is one, or the key has a blank or is empty.
    pub fn set_env(self, key: &str, value: &str) -> Result<(), CommandError> {
        if key.is_empty() || key.contains(' ') {
            return Err(CommandError::Invalid {
                parameter: key.to_string(),
            });
        }
        // The C core ends the process when a key is set again. Services of this library come one after another; others may still
        // set it in between.
        static ONE: Mutex<()> = Mutex::new(());
        let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        if self.env(key).is_some() {
            return Err(CommandError::AlreadySet {
                key: key.to_string(),
            });
        }
        ask(c"SETENV", &format!("{key} {value}")).map(drop)
    }

    /// Time since some moment; it never goes back. The unit of the node's clock is 10 ms.
    pub fn now(self) -> Duration {
        // SAFETY: nothing is asked for.
        Duration::from_millis(unsafe { (sys::api().now)() }.saturating_mul(10))
    }

    /// When the node was started.
    pub fn start_time(self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(number(command(c"STARTTIME", None)))
    }

    /// Figures of this service.
    pub fn stat(self) -> Stat {
        let stat = |what: &CStr| command(c"STAT", Some(what));
        let seconds = stat(c"cpu")
            .and_then(|text| String::from_utf8(text).ok())
            .and_then(|text| text.trim().parse().ok())
            .unwrap_or(0.0);
        Stat {
            mailbox: number(stat(c"mqlen")),
            messages: number(stat(c"message")),
            cpu: Duration::try_from_secs_f64(seconds).unwrap_or_default(),
            tasks: current(|core| core.tasks()),
            requests: current(|core| core.requests()),
        }
    }

    /// What this service waits for: requests without an answer, and other tasks. For a line in the log when nothing goes on.
    pub fn waiting(self) -> Waiting {
        current(Core::waiting)
    }

    /// Any command of the core by its name, for those that this crate has no function for. (The answer to a timer of `TIMEOUT` is dropped:
    /// [`Ctx::sleep`] waits for one.)
    ///
    /// # Errors
    ///
    /// When one of the texts has a zero byte.
    pub fn command(
        self,
        name: &str,
        parameter: Option<&str>,
    ) -> Result<Option<Vec<u8>>, CommandError> {
        let invalid = || CommandError::Invalid {
            parameter: name.to_string(),
        };
        let answer = with_c_str(name, |name| match parameter {
            Some(parameter) => ask(name, parameter),
            None => Ok(command(name, None)),
        });
        let answer = answer.ok_or_else(invalid)??;
        // Timers take numbers of the same counter as requests.
        if name.starts_with("TIME") && number(answer.clone()) > 0 {
            let session = i32::try_from(number(answer.clone())).unwrap_or_default();
            current(|core| core.pending().sessions.note(session));
        }
        Ok(answer)
    }
}

fn number(text: Option<Vec<u8>>) -> u64 {
    text.and_then(|text| String::from_utf8(text).ok())
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(0)
}

/// A local name, whose dot may be left out.
enum Dotted<'a> {
    Given(&'a str),
    Made(String),
}

impl<'a> Dotted<'a> {
    fn new(name: &'a str) -> Dotted<'a> {
        if name.starts_with('.') {
            Dotted::Given(name)
        } else {
            Dotted::Made(format!(".{name}"))
        }
    }

    fn as_str(&self) -> &str {
        match self {
            Dotted::Given(name) => name,
            Dotted::Made(name) => name,
        }
    }
}
