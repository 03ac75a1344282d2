//! What keeps a node from running.

use std::fmt;

/// Why there was no node, or no result of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// This process has run a node already.
    AnotherNode,
    /// The config cannot be read, or a value in it cannot be.
    Config {
        /// A line for the user.
        reason: String,
    },
    /// A name of a service or a file that is taken, or cannot be one.
    Name {
        /// The name.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The node has ended before the future of [`Builder::block_on`](crate::Builder::block_on) was ready: a service has ended it.
    Ended,
    /// The future of a test was not ready in time.
    Late {
        /// How long that was, and what it waits for.
        report: String,
    },
    /// That future has panicked.
    Panicked {
        /// The message of the panic.
        message: String,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::AnotherNode => f.write_str(
                "this process has run a node already: the core's state belongs to the process (tests: Builder::test has one for each)",
            ),
            Error::Config { reason } => f.write_str(reason),
            Error::Name { name, reason } => write!(f, "{name:?}: {reason}"),
            Error::Ended => f.write_str("the node has ended before its main future was ready"),
            Error::Late { report } => write!(f, "the test has not come to its end: {report}"),
            Error::Panicked { message } => write!(f, "the main future panicked: {message}"),
        }
    }
}

impl std::error::Error for Error {}
