//! Numbers of JSON, and those that programs write for numbers.

use std::ffi::{c_char, c_double};
use std::ptr;

/// A number as Lua has it: what has neither fraction nor exponent, and fits, is an integer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    Integer(i64),
    Real(f64),
}

/// Digits that always fit 64 bits.
const SAFE_DIGITS: usize = 19;
/// Doubles have all integers up to here ...
const EXACT: u64 = 1 << 53;
/// ... and these powers of ten exactly, so that one multiplication or division of two such is rounded right.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];

/// Adds the digits from `at` on to `value`, as far as they fit; returns where they end.
#[inline(always)]
fn digits(text: &[u8], mut at: usize, value: &mut u64) -> usize {
    while let Some(&byte) = text.get(at) {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        *value = value.wrapping_mul(10).wrapping_add(digit.into());
        at += 1;
    }
    at
}

/// The number of RFC 8259 that begins at `at` with a digit or a minus, and where it ends. None: there is none.
#[inline(always)]
pub fn json(text: &[u8], start: usize) -> Option<(Number, usize)> {
    let negative = text.get(start) == Some(&b'-');
    let first = start + usize::from(negative);
    let mut value = 0;
    let whole = digits(text, first, &mut value);
    if whole == first || text[first] == b'0' && whole > first + 1 {
        return None;
    }
    match text.get(whole) {
        Some(b'.' | b'e' | b'E') => real(text, start, first, whole, value),
        // Not a number of JSON's, but perhaps one.
        Some(b'x' | b'X') => None,
        _ if whole - first < SAFE_DIGITS => {
            let value = value as i64;
            let value = if negative { -value } else { value };
            Some((Number::Integer(value), whole))
        }
        _ => Some((large(&text[start..whole]), whole)),
    }
}

/// The rest of a number with a fraction or an exponent.
#[inline(always)]
fn real(
    text: &[u8],
    start: usize,
    first: usize,
    whole: usize,
    mut value: u64,
) -> Option<(Number, usize)> {
    let mut end = whole;
    let mut count = whole - first;
    let mut exponent = 0;
    if text.get(end) == Some(&b'.') {
        let fraction = end + 1;
        end = digits(text, fraction, &mut value);
        if end == fraction {
            return None;
        }
        count += end - fraction;
        exponent = -((end - fraction) as i64);
    }
    if let Some(b'e' | b'E') = text.get(end) {
        let sign = text.get(end + 1);
        let first = end + 1 + usize::from(matches!(sign, Some(b'-' | b'+')));
        let mut power = 0;
        end = digits(text, first, &mut power);
        if end == first {
            return None;
        }
        // Only the general way takes every exponent: one of more digits than this may be more than 64 bits hold.
        if end - first > 4 {
            return Some((Number::Real(parse(&text[start..end])), end));
        }
        let power = power as i64;
        exponent += if sign == Some(&b'-') { -power } else { power };
    }
    let distance = exponent.unsigned_abs() as usize;
    if count > SAFE_DIGITS || value > EXACT || distance >= POWERS.len() {
        return Some((Number::Real(parse(&text[start..end])), end));
    }
    let power = POWERS[distance];
    let value = value as f64;
    let value = if exponent < 0 {
        value / power
    } else {
        value * power
    };
    let negative = first > start;
    Some((Number::Real(if negative { -value } else { value }), end))
}

/// Digits, with a minus or not, that may be too many for an integer.
#[cold]
fn large(text: &[u8]) -> Number {
    let integer = std::str::from_utf8(text)
        .ok()
        .and_then(|text| text.parse().ok());
    integer.map_or_else(|| Number::Real(parse(text)), Number::Integer)
}

/// A number of JSON's as the nearest double; what is too large for one becomes infinite, as with strtod.
#[cold]
fn parse(text: &[u8]) -> f64 {
    let text = std::str::from_utf8(text).unwrap_or_default();
    text.parse().unwrap_or(f64::NAN)
}

/// What C's strtod takes for a number, without blanks: also hexadecimal ones, infinity, NaN, leading zeros, a plus, a point
/// without digits on one side. `text` begins with it.
#[cold]
pub fn of_c(text: &[u8]) -> Option<(Number, usize)> {
    if text.first()?.is_ascii_whitespace() {
        return None;
    }
    let sign = usize::from(matches!(text[0], b'-' | b'+'));
    let whole = digits(text, sign, &mut 0);
    if whole > sign && !matches!(text.get(whole), Some(b'.' | b'e' | b'E' | b'x' | b'X')) {
        // Without its plus, which Rust takes, too.
        return Some((large(&text[..whole]), whole));
    }
    let (value, len) = strtod(text);
    (len > 0).then_some((Number::Real(value), len))
}

/// The value, and the length of what was read.
fn strtod(text: &[u8]) -> (c_double, usize) {
    // A copy that ends with a zero: longer numbers than this are none of those that come here with good reason.
    const LONGEST: usize = 400;
    let mut copy = [0; LONGEST + 1];
    let len = text.len().min(LONGEST);
    copy[..len].copy_from_slice(&text[..len]);
    let start: *const c_char = copy.as_ptr().cast();
    let mut end: *mut c_char = ptr::null_mut();
    // SAFETY: the copy ends with a zero; `end` comes to point into it.
    unsafe {
        let value = libc::strtod(start, &mut end);
        (value, end.offset_from(start) as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::Number::{Integer, Real};
    use super::*;

    fn whole(text: &str) -> Option<Number> {
        json(text.as_bytes(), 0).map(|(number, end)| {
            assert_eq!(end, text.len(), "{text}");
            number
        })
    }

    #[test]
    fn integers_that_fit_are_integers_and_others_are_reals() {
        for number in [
            0,
            1,
            -1,
            10,
            i64::MAX,
            i64::MIN,
            999_999_999_999_999_999,
            1_000_000_000_000_000_000,
        ] {
            assert_eq!(whole(&number.to_string()), Some(Integer(number)));
        }
        assert_eq!(whole("-0"), Some(Integer(0)));
        assert_eq!(
            whole("9223372036854775808"),
            Some(Real(9223372036854775808.0))
        );
        assert_eq!(
            whole("-9223372036854775809"),
            Some(Real(-9223372036854775808.0))
        );
        let long = "1".repeat(400);
        assert_eq!(whole(&long), Some(Real(f64::INFINITY)));
    }

    #[test]
    fn reals_are_the_nearest_doubles() {
        let texts = [
            "0.0",
            "-0.0",
            "0.1",
            "1.5",
            "-2.25e3",
            "1e0",
            "1E+2",
            "1e-2",
            "123456789012345678.9",
            "9007199254740993.0",
            "1e22",
            "1e23",
            "4.9e-324",
            "2.2250738585072014e-308",
            "1e400",
            "1e-400",
            "1e00000000000000000000005",
            "1e99999",
            "1e-9223372036854775808",
            "1.55e-9223372036854775807",
            "1.55e9223372036854775807",
            "-7e-18446744073709551616",
            "0e9223372036854775808",
            "0.000000000000000000000000000000001",
            "3.141592653589793238462643383279502884197",
            "1e-5",
            "7e22",
            "9007199254740992e1",
        ];
        for text in texts {
            let expected: f64 = text.parse().expect("a number");
            let Some(Real(value)) = whole(text) else {
                panic!("{text}");
            };
            assert_eq!(value.to_bits(), expected.to_bits(), "{text}");
        }
    }

    #[test]
    fn what_is_no_number_of_json_is_none() {
        for text in [
            "", "-", "01", "-01", "00", "0x1", "1.", "1.e5", ".5", "-.5", "1e", "1e+", "+1", "-a",
            "nan",
        ] {
            assert_eq!(json(text.as_bytes(), 0), None, "{text}");
        }
        // A number ends where none goes on.
        assert_eq!(json(b"12,", 0), Some((Integer(12), 2)));
        assert_eq!(json(b"1.5.2", 0), Some((Real(1.5), 3)));
        assert_eq!(json(b"[-7]", 1), Some((Integer(-7), 3)));
    }

    #[test]
    fn numbers_of_c_are_read_as_c_does() {
        assert_eq!(of_c(b"007"), Some((Integer(7), 3)));
        assert_eq!(of_c(b"+5]"), Some((Integer(5), 2)));
        assert_eq!(of_c(b"0x1F"), Some((Real(31.0), 4)));
        assert_eq!(of_c(b"-0x.8p1"), Some((Real(-1.0), 7)));
        assert_eq!(of_c(b"1."), Some((Real(1.0), 2)));
        assert_eq!(of_c(b"-.5"), Some((Real(-0.5), 3)));
        assert_eq!(of_c(b"1e"), Some((Real(1.0), 1)));
        assert_eq!(of_c(b"-Infinity"), Some((Real(f64::NEG_INFINITY), 9)));
        assert!(matches!(of_c(b"NaN"), Some((Real(value), 3)) if value.is_nan()));
        assert_eq!(of_c(b"-"), None);
        assert_eq!(of_c(b"ix"), None);
        assert_eq!(of_c(b" 1"), None);
    }
}
