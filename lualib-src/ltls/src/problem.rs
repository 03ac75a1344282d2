//! Why something did not work, in words.

use std::fmt;

/// A text for the caller in Lua. It begins as programs have always seen it, and then gives the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem(String);

impl Problem {
    /// Only the text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// `what`, and the reason behind it.
    pub fn because(what: &str, reason: impl fmt::Display) -> Self {
        Self(format!("{what} ({reason})"))
    }

    /// The text.
    pub(crate) fn into_text(self) -> String {
        self.0
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Problem {}
