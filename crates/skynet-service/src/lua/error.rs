//! What can be wrong with values of Lua.

use std::fmt;

use super::wire::{Input, Token};

/// Values cannot be packed, or bytes are not what was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The bytes end within a value.
    Truncated {
        /// Where the value begins.
        at: usize,
    },
    /// A byte that begins no value.
    Invalid {
        /// Where it is.
        at: usize,
        /// The byte.
        byte: u8,
    },
    /// Tables within tables, more than 32.
    TooDeep,
    /// A number, a length or a value that Lua does not have.
    Unsupported(&'static str),
    /// Another type than was asked for, or what a type's own code has said.
    Message(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Truncated { at } => write!(f, "the message ends within the value at byte {at}"),
            Error::Invalid { at, byte } => {
                write!(
                    f,
                    "byte {at} ({byte:#04x}) begins no value: is the message packed by skynet.pack?"
                )
            }
            Error::TooDeep => f.write_str("tables within tables, more than 32"),
            Error::Unsupported(what) => write!(f, "Lua has no {what}"),
            Error::Message(text) => f.write_str(text),
        }
    }
}

impl Error {
    /// The same, with the part of the value that it is in.
    #[cold]
    pub(super) fn of(self, part: impl fmt::Display) -> Error {
        match self {
            Error::Truncated { .. } | Error::Invalid { .. } | Error::TooDeep => self,
            Error::Unsupported(_) | Error::Message(_) => Error::Message(format!("{part}: {self}")),
        }
    }
}

/// The key of a part of a table, as it is packed.
pub(super) struct Key<'a>(pub(super) &'a [u8]);

impl fmt::Display for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Input::new(self.0).token() {
            Ok(Token::String(name)) => write!(f, "field \"{}\"", name.escape_ascii()),
            Ok(Token::Integer(number)) => write!(f, "field [{number}]"),
            Ok(Token::Float(number)) => write!(f, "field [{number}]"),
            Ok(Token::Boolean(is_true)) => write!(f, "field [{is_true}]"),
            _ => f.write_str("a field"),
        }
    }
}

impl std::error::Error for Error {}

impl serde_core::ser::Error for Error {
    fn custom<T: fmt::Display>(text: T) -> Error {
        Error::Message(text.to_string())
    }
}

impl serde_core::de::Error for Error {
    fn custom<T: fmt::Display>(text: T) -> Error {
        Error::Message(text.to_string())
    }
}
