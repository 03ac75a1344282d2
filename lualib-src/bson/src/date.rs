//! Dates as the bytes that stand for them in a string of Lua.
//!
//! The short form is the seconds since 1970, 32 bits with a sign: the one that programs know. Where it would be another
//! date, the long form has the same four bytes first, and all 64 bits of milliseconds behind them.

/// The long form.
const LONG: usize = 12;

/// A date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date(pub i64);

/// Bytes of either form.
pub struct Form {
    bytes: [u8; LONG],
    len: usize,
}

impl Form {
    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl Date {
    /// A number of seconds. None: more than a document has room for.
    pub fn of_seconds(seconds: i64, milliseconds: i64) -> Option<Date> {
        let whole = seconds.checked_mul(1000)?;
        Some(Date(whole.checked_add(milliseconds)?))
    }

    /// The date that bytes of either form stand for.
    pub fn read(bytes: &[u8]) -> Option<Date> {
        if let Ok(seconds) = bytes.try_into() {
            return Some(Date(i64::from(i32::from_ne_bytes(seconds)) * 1000));
        }
        let (_, milliseconds) = <&[u8; LONG]>::try_from(bytes).ok()?.split_at(4);
        milliseconds
            .try_into()
            .ok()
            .map(|bytes| Date(i64::from_ne_bytes(bytes)))
    }

    /// Its form in Lua: the short one where that has the same second, or, if `exact`, the same millisecond.
    pub fn form(self, exact: bool) -> Form {
        // Towards 0, as it has always been.
        let seconds = self.0 / 1000;
        let short = i32::try_from(seconds).is_ok() && !(exact && self.millisecond() != 0);
        let mut bytes = [0; LONG];
        bytes[..4].copy_from_slice(&(seconds as u32).to_ne_bytes());
        bytes[4..].copy_from_slice(&self.0.to_ne_bytes());
        let len = if short { 4 } else { LONG };
        Form { bytes, len }
    }

    /// Whole seconds, rounded down.
    pub fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// What is left of a second: 0 to 999.
    pub fn millisecond(self) -> i64 {
        self.0.rem_euclid(1000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read_as_what_was_written() {
        for milliseconds in [
            0,
            1000,
            1_700_000_000_123,
            -1,
            -1000,
            i64::MIN,
            i64::MAX,
            1 << 45,
        ] {
            let date = Date(milliseconds);
            assert_eq!(Date::read(date.form(true).bytes()), Some(date));
            let short = date.form(false);
            let read = Date::read(short.bytes()).expect("a date");
            assert_eq!(read.0 / 1000, date.0 / 1000);
        }
        assert_eq!(Date(-5999).form(false).bytes(), (-5i32).to_ne_bytes());
        assert_eq!(Date(5999).form(false).bytes(), 5i32.to_ne_bytes());
        assert_eq!(Date::read(&[0; 5]), None);
    }
}
