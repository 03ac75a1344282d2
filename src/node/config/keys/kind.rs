//! What the value of a key may be: exactly what the code that reads the key understands.

use crate::base::release;
use crate::io::socket::KeepAlive;

/// Largest number of workers.
pub const MAX_THREADS: i32 = 1024;

/// What the value of a key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A text. What may be wrong with it only its reader knows.
    Plain,
    /// Patterns with `?`, separated by `;`.
    Patterns,
    /// A file that has to be there.
    File,
    /// A folder that has to be there.
    Folder,
    /// A file that is made; its folder has to be there.
    NewFile,
    /// `true` or `false`.
    Switch,
    /// One of these.
    Word(&'static [&'static str]),
    /// A number that is not smaller than the first and not larger than the second.
    Range(i32, i32),
    /// Workers, or `auto`.
    Threads,
    /// Digits.
    Whole,
    /// A number without a fraction, as Lua reads it.
    Integer,
    /// A number, as Lua reads it; for most keys 0 is no limit.
    Number,
    /// Digits, and `k`, `m` or `g`.
    Size,
    /// A number that may have a fraction, and `k`, `m` or `g` (`lualib/http/limits.lua`).
    Amount,
    /// Up to three numbers, or `off`.
    KeepAlive,
    /// A release of the C core.
    Release,
    /// A port, or a path behind `unix:`; empty is none.
    Listener,
}

impl Kind {
    /// Whether who reads a key of this kind understands the value. Of what is on the disk nothing is asked.
    pub fn admits(self, value: &str) -> bool {
        let is_between = |least: i32, most: i32| {
            number(value).is_some_and(|n| n >= f64::from(least) && n <= f64::from(most))
        };
        match self {
            Kind::Plain | Kind::Patterns | Kind::File | Kind::Folder | Kind::NewFile => true,
            Kind::Switch => ["true", "false"].contains(&value),
            Kind::Word(words) => words.contains(&value),
            Kind::Range(least, most) => is_between(least, most),
            Kind::Threads => value == "auto" || is_between(1, MAX_THREADS),
            Kind::Whole => value.trim().parse::<u64>().is_ok(),
            Kind::Integer => number(value).is_some_and(|n| n >= 0.0 && n.fract() == 0.0),
            Kind::Number => number(value).is_some_and(|n| n >= 0.0),
            Kind::Size => size(value.as_bytes()).is_some(),
            Kind::Amount => is_amount(value.trim()),
            Kind::KeepAlive => keepalive(value.as_bytes()).is_some(),
            Kind::Release => release::parse(value.as_bytes()).is_some(),
            Kind::Listener => {
                value.is_empty()
                    || value.starts_with("unix:")
                    || is_between(0, i32::from(u16::MAX))
                        && number(value).is_some_and(|n| n.fract() == 0.0)
            }
        }
    }

    /// What a value should be, for a line that says "should be ...".
    pub fn allowed(self) -> String {
        let text = match self {
            Kind::Plain => "a text",
            Kind::Patterns => "patterns with `?`, separated by `;`",
            Kind::File => "a file",
            Kind::Folder => "a folder",
            Kind::NewFile => "a file in a folder that is there",
            Kind::Switch => return one_of(&["true", "false"]),
            Kind::Word(words) => return one_of(words),
            Kind::Range(least, most) => return format!("in [{least},{most}]"),
            Kind::Threads => return format!("in [1,{MAX_THREADS}], or auto"),
            Kind::Whole | Kind::Integer => "a whole number of 0 or above",
            Kind::Number => "a number of 0 or above",
            Kind::Size => "a number such as 65536, 512k, 64m or 1g",
            Kind::Amount => "a number such as 500, 64k or 1.5m",
            Kind::KeepAlive => {
                "seconds of silence, and perhaps seconds between questions, their number, and seconds until bytes are acknowledged, such as 60 or \"60 10 3\"; or off"
            }
            Kind::Release => {
                "the release that the services were compiled for, such as \"1.4.0\" or 10400"
            }
            Kind::Listener => "a port, or unix: with a path",
        };
        text.into()
    }
}

/// `a, b or c`.
fn one_of(words: &[&str]) -> String {
    match words {
        [others @ .., last] if !others.is_empty() => format!("{} or {last}", others.join(", ")),
        _ => words.concat(),
    }
}

/// A number, as `tonumber` of Lua reads it, but for fractions in hexadecimal digits.
fn number(text: &str) -> Option<f64> {
    let text = text.trim();
    let hexadecimal = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    let number = match hexadecimal {
        Some(digits) => u64::from_str_radix(digits, 16).ok()? as f64,
        None => text.parse().ok()?,
    };
    f64::is_finite(number).then_some(number)
}

fn is_amount(text: &str) -> bool {
    let unit = |letter: char| "kmgKMG".contains(letter);
    let digits = text.strip_suffix(unit).unwrap_or(text).trim_end();
    digits
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.')
        && digits.parse::<f64>().is_ok()
}

/// A number that counts something: digits, and `k`, `m` or `g` for times 1024, 1024², 1024³. (Lua writes a number that is
/// no integer with `.0`.)
pub fn size(word: &[u8]) -> Option<usize> {
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

/// The times of the key `tcp_keepalive`.
pub fn keepalive(value: &[u8]) -> Option<KeepAlive> {
    let words = value.split(|byte| *byte == b' ');
    KeepAlive::parse(words.filter(|word| !word.is_empty()))
}
