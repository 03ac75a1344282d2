//! Doubles as C's `%.14g` writes them.

use std::io::Write;

/// Bytes for the longest text: sign, 16 digits, a point and an exponent, or four zeros behind the point.
pub const LONGEST: usize = 32;

/// Significant digits of a double, and the power of ten of the first.
struct Decimal {
    digits: [u8; 24],
    count: usize,
    exponent: i32,
}

impl Decimal {
    /// Reads digits with a point or not, and an exponent or not. Zeros at both ends do not count.
    fn read(text: &[u8]) -> Decimal {
        let mut decimal = Decimal {
            digits: [b'0'; 24],
            count: 0,
            exponent: 0,
        };
        let mut point = None;
        let mut seen = 0;
        let mut leading = 0;
        let mut at = 0;
        while let Some(&byte) = text.get(at) {
            match byte {
                b'.' => point = Some(seen),
                b'0' if decimal.count == 0 => {
                    seen += 1;
                    leading += 1;
                }
                b'0'..=b'9' => {
                    seen += 1;
                    if decimal.count < decimal.digits.len() {
                        decimal.digits[decimal.count] = byte;
                        decimal.count += 1;
                    }
                }
                _ => break,
            }
            at += 1;
        }
        while decimal.count > 1 && decimal.digits[decimal.count - 1] == b'0' {
            decimal.count -= 1;
        }
        let power = text.get(at + 1..).unwrap_or_default();
        let (negative, power) = match power {
            [b'-', power @ ..] => (true, power),
            [b'+', power @ ..] | power => (false, power),
        };
        let power = power
            .iter()
            .fold(0, |power, byte| power * 10 + i32::from(byte - b'0'));
        decimal.exponent =
            point.unwrap_or(seen) - leading - 1 + if negative { -power } else { power };
        decimal
    }

    /// Rounds to `precision` digits; false where these digits cannot tell which way.
    fn round(&mut self, precision: usize) -> bool {
        let rest = self.digits[..self.count]
            .get(precision..)
            .unwrap_or_default();
        let up = match rest {
            [b'5'] => return false,
            [first, ..] => *first >= b'5',
            [] => return true,
        };
        self.count = precision;
        if up {
            while self.count > 0 && self.digits[self.count - 1] == b'9' {
                self.count -= 1;
            }
            if self.count == 0 {
                self.digits[0] = b'1';
                self.count = 1;
                self.exponent += 1;
                return true;
            }
            self.digits[self.count - 1] += 1;
        }
        while self.count > 1 && self.digits[self.count - 1] == b'0' {
            self.count -= 1;
        }
        true
    }
}

/// Writes `value`, which is finite, with up to `precision` (1 to 16) significant digits; returns the length.
///
/// The shortest digits that read back as the value are found first (zmij). With up to 15 digits wanted, rounding those gives
/// the digits of the value itself, as C writes them:
///
/// - If the shortest are `precision` or fewer, they are within half a unit of a double's last place of the value, which is less
///   than half a unit of the last digit wanted (a double has more than 15 digits, unless it is subnormal).
/// - If they are more, rounding could only go wrong if the point half way between two results lay between them and the value.
///   That point has `precision` + 1 digits and would itself read back as the value: then the shortest have no more than that
///   many digits and, being the nearest of that many, are this point. That case is left to the exact way.
///
/// With 16 digits wanted the first argument does not hold.
pub fn write(value: f64, precision: usize, out: &mut [u8; LONGEST]) -> usize {
    let magnitude = value.abs();
    let mut len = 0;
    if value.is_sign_negative() {
        out[0] = b'-';
        len = 1;
    }
    // Those without a fraction are integers.
    const TENS: [f64; 16] = [
        1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e15,
    ];
    if magnitude < TENS[precision - 1] && magnitude.trunc() == magnitude {
        let mut buffer = itoa::Buffer::new();
        let text = buffer.format(magnitude as u64).as_bytes();
        out[len..len + text.len()].copy_from_slice(text);
        return len + text.len();
    }
    let mut buffer = zmij::Buffer::new();
    let mut decimal = Decimal::read(buffer.format_finite(magnitude).as_bytes());
    let too_few = decimal.count <= precision && precision > 15;
    if magnitude < f64::MIN_POSITIVE || too_few || !decimal.round(precision) {
        decimal = exact(magnitude, precision);
    }
    len + layout(&decimal, precision, &mut out[len..])
}

/// The first `precision` digits, rounded from all that the value has.
#[cold]
fn exact(magnitude: f64, precision: usize) -> Decimal {
    let mut text = [0; 40];
    let mut rest = &mut text[..];
    // A digit, a point, 15 digits and an exponent: there is room.
    let _ = write!(rest, "{magnitude:.*e}", precision - 1);
    let left = rest.len();
    let len = text.len() - left;
    Decimal::read(&text[..len])
}

/// `%g`: an exponent below -4, or from the precision on, is written.
fn layout(decimal: &Decimal, precision: usize, out: &mut [u8]) -> usize {
    let digits = &decimal.digits[..decimal.count];
    let exponent = decimal.exponent;
    let mut len = 0;
    let mut put = |bytes: &[u8]| {
        out[len..len + bytes.len()].copy_from_slice(bytes);
        len += bytes.len();
    };
    if exponent < -4 || exponent >= precision as i32 {
        put(&digits[..1]);
        if digits.len() > 1 {
            put(b".");
            put(&digits[1..]);
        }
        put(if exponent < 0 { b"e-" } else { b"e+" });
        let power = exponent.unsigned_abs();
        if power < 10 {
            put(b"0");
        }
        put(itoa::Buffer::new().format(power).as_bytes());
    } else if exponent < 0 {
        put(b"0.");
        put(&b"000"[..exponent.unsigned_abs() as usize - 1]);
        put(digits);
    } else {
        let whole = exponent as usize + 1;
        if digits.len() <= whole {
            put(digits);
            put(&b"0000000000000000"[..whole - digits.len()]);
        } else {
            put(&digits[..whole]);
            put(b".");
            put(&digits[whole..]);
        }
    }
    len
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::CStr;

    fn ours(value: f64, precision: usize) -> String {
        let mut out = [0; LONGEST];
        let len = write(value, precision, &mut out);
        String::from_utf8_lossy(&out[..len]).into_owned()
    }

    fn of_c(value: f64, precision: usize) -> String {
        let mut out = [0u8; 64];
        // SAFETY: the text is short, and ends with a zero.
        unsafe {
            libc::snprintf(
                out.as_mut_ptr().cast(),
                out.len(),
                c"%.*g".as_ptr(),
                precision as libc::c_int,
                value,
            );
            CStr::from_ptr(out.as_ptr().cast())
                .to_string_lossy()
                .into_owned()
        }
    }

    fn same(value: f64) {
        for precision in 1..=16 {
            assert_eq!(
                ours(value, precision),
                of_c(value, precision),
                "{value:e} {precision}"
            );
        }
    }

    #[test]
    fn texts_are_those_of_c_for_values_of_all_kinds() {
        let values = [
            0.0,
            -0.0,
            1.0,
            -1.0,
            0.1,
            0.5,
            2.5,
            3.5,
            0.25,
            0.125,
            1.5,
            10.0,
            100.0,
            1e14,
            1e15,
            1e16,
            1e17,
            123456789.0,
            12345678901234.5,
            12345678901235.5,
            99999999999999.5,
            999999999999999.0,
            0.0001,
            0.00001,
            0.00009999999999999999,
            1e-300,
            1e300,
            5e-324,
            2.2250738585072014e-308,
            f64::MAX,
            f64::MIN_POSITIVE,
            9007199254740991.0,
            9007199254740992.0,
            9007199254740994.0,
            1.0 / 3.0,
            2.0 / 3.0,
            9.5,
            9.95,
            99.5,
            0.3,
            1e21,
            1e22,
            1e23,
            4503599627370496.5,
            4503599627370497.5,
        ];
        for value in values {
            same(value);
            same(-value);
        }
    }

    #[test]
    fn texts_are_those_of_c_for_random_values() {
        let mut seed = 0x9e37_79b9_7f4a_7c15u64;
        let mut next = || {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed
        };
        for _ in 0..5_000 {
            let bits = next();
            let value = f64::from_bits(bits);
            if value.is_finite() {
                same(value);
            }
            // Few digits, and ties of every length.
            let digits = 10u64.pow((next() % 17) as u32);
            same((next() % digits.max(2)) as f64 / 10f64.powi((next() % 12) as i32));
            same((next() % digits.max(2)) as f64 + 0.5);
            same((next() % digits.max(2)) as f64 + 0.25);
        }
    }
}
