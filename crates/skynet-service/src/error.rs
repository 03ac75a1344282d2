//! What can go wrong.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::address::OwnedAddress;
use crate::lua;

/// Any error: what a service's `init` may fail with.
///
/// `?` makes one of every type that is an error, and of texts. A `Box<dyn Error + Send + Sync>` is no such type for Rust, but becomes one where it is
/// asked for:
///
/// ```
/// use skynet_service::error::BoxError;
///
/// fn shared() -> Result<u32, Box<dyn std::error::Error + Send + Sync>> {
///     Err("of another crate".into())
/// }
///
/// fn own() -> Result<u32, BoxError> {
///     Ok(shared().map_err(|error| -> BoxError { error })?)
/// }
/// assert_eq!(own().unwrap_err().to_string(), "of another crate");
/// ```
pub type BoxError = Box<dyn std::error::Error>;

/// A message could not be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError {
    /// There is no such service (any more), or its mailbox is full.
    Unreachable {
        /// The address that was asked for.
        address: OwnedAddress,
    },
    /// More bytes than a message can have.
    TooLarge {
        /// That many, or the least number that is too many.
        bytes: usize,
    },
    /// A name with a zero byte in it.
    InvalidName {
        /// The name.
        name: String,
    },
    /// The values could not be packed.
    Pack(lua::Error),
    /// The service itself has ended, or is about to.
    Ending,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SendError::Unreachable { address } => {
                write!(
                    f,
                    "{address} takes no messages: no such service, or its mailbox is full"
                )
            }
            SendError::TooLarge { bytes } => write!(f, "a message cannot have {bytes} bytes"),
            SendError::InvalidName { name } => {
                write!(f, "{name:?} cannot be a name: it has a zero byte")
            }
            SendError::Pack(_) => f.write_str("the values cannot be packed"),
            SendError::Ending => f.write_str("this service is ending"),
        }
    }
}

impl std::error::Error for SendError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            SendError::Pack(error) => Some(error),
            _ => None,
        }
    }
}

impl From<lua::Error> for SendError {
    fn from(error: lua::Error) -> SendError {
        SendError::Pack(error)
    }
}

/// A request got no answer that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallError {
    /// The request was not sent.
    Send(SendError),
    /// The other side failed, has ended, or does not know the request. Its log says why.
    Failed {
        /// The address that was asked for.
        address: OwnedAddress,
    },
    /// The answer is none of the type that was asked for.
    Answer(lua::Error),
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CallError::Send(_) => f.write_str("the request could not be sent"),
            CallError::Failed { address } => write!(
                f,
                "{address} answered with an error, or has ended; see its log"
            ),
            CallError::Answer(_) => f.write_str("the answer has another type than was asked for"),
        }
    }
}

impl std::error::Error for CallError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            CallError::Send(error) => Some(error),
            CallError::Answer(error) => Some(error),
            CallError::Failed { .. } => None,
        }
    }
}

impl From<SendError> for CallError {
    fn from(error: SendError) -> CallError {
        CallError::Send(error)
    }
}

/// The node refused what a command asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CommandError {
    /// No service was started; the log says why.
    Launch {
        /// What was to be started.
        line: String,
    },
    /// The name is taken, or is no local name (`.name`).
    Name {
        /// The name.
        name: String,
    },
    /// The variable has a value already, and keeps it.
    AlreadySet {
        /// The variable.
        key: String,
    },
    /// A parameter with a zero byte, or a key with a blank.
    Invalid {
        /// The parameter.
        parameter: String,
    },
    /// A parameter of more bytes than commands take.
    TooLong {
        /// That many, or the least number that is too many.
        bytes: usize,
    },
    /// The service itself has ended, or is about to.
    Ending,
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CommandError::Launch { line } => write!(
                f,
                "{line:?} did not start; the log says why (of a library that does not load, standard error)"
            ),
            CommandError::Name { name } => write!(
                f,
                "the name {name:?} is taken, or does not begin with a dot"
            ),
            CommandError::AlreadySet { key } => {
                write!(f, "{key} has a value already, which cannot be changed")
            }
            CommandError::Invalid { parameter } => {
                write!(f, "{parameter:?} has a character that cannot be in it")
            }
            CommandError::TooLong { bytes } => {
                write!(f, "the parameter of a command cannot have {bytes} bytes")
            }
            CommandError::Ending => f.write_str("this service is ending"),
        }
    }
}

impl std::error::Error for CommandError {}

/// Why a task has no result.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum JoinError {
    /// It was aborted, or its service has ended.
    Aborted,
    /// It panicked; the log has this message too.
    Panicked {
        /// The message of the panic.
        message: String,
    },
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            JoinError::Aborted => f.write_str("the task was aborted"),
            JoinError::Panicked { message } => write!(f, "the task panicked: {message}"),
        }
    }
}

impl std::error::Error for JoinError {}

/// The time was over before the future was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elapsed;

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the time is over")
    }
}

impl std::error::Error for Elapsed {}

/// The text of a panic, whose end this is: a destructor of what it carries may panic in its turn, and is not asked again.
pub(crate) fn panic_message(panic: Box<dyn std::any::Any + Send>) -> String {
    let text = if let Some(text) = panic.downcast_ref::<&str>() {
        (*text).to_string()
    } else if let Some(text) = panic.downcast_ref::<String>() {
        text.clone()
    } else {
        "a panic without a text".to_string()
    };
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(panic)))
        && !again.is::<&str>()
        && !again.is::<String>()
    {
        std::mem::forget(again);
    }
    text
}

/// An error with its sources.
pub(crate) struct Chain<'a>(pub(crate) &'a dyn std::error::Error);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}
