//! Decimal128 (IEEE 754-2008, binary integer decimal) as text and back. Texts are those of MongoDB's specification.

/// A number of this type as it is in a document, the low half first.
pub type Bytes = [u8; 16];

/// Digits of a coefficient.
const DIGITS: usize = 34;
/// Bytes of the longest text: a sign, the digits with a point or some zeros, an exponent.
pub const LONGEST: usize = 48;
const BIAS: i32 = 6176;
const MIN_EXPONENT: i32 = -BIAS;
const MAX_EXPONENT: i32 = 6111;
const LARGEST: u128 = 10u128.pow(DIGITS as u32) - 1;

const SIGN: u128 = 1 << 127;
const INFINITY: u128 = 0b11110 << 122;
const NAN: u128 = 0b11111 << 122;

/// The number as text, such as `-1.50`, `1E+20`, `NaN`, `-Infinity`.
pub fn text(bytes: Bytes) -> String {
    let bits = u128::from_le_bytes(bytes);
    let sign = if bits & SIGN == 0 { "" } else { "-" };
    if bits & NAN == NAN {
        return "NaN".into();
    } else if bits & NAN == INFINITY {
        return format!("{sign}Infinity");
    }
    let (exponent, coefficient) = if bits >> 125 & 0b11 == 0b11 {
        // All such coefficients are above the largest one, and stand for 0.
        ((bits >> 111 & 0x3fff) as i32, 0)
    } else {
        let coefficient = bits & ((1 << 113) - 1);
        let exponent = (bits >> 113 & 0x3fff) as i32;
        (
            exponent,
            if coefficient > LARGEST {
                0
            } else {
                coefficient
            },
        )
    };
    let exponent = exponent - BIAS;
    let digits = coefficient.to_string();
    let adjusted = exponent + digits.len() as i32 - 1;
    if exponent > 0 || adjusted < -6 {
        let (first, rest) = digits.split_at(1);
        let point = if rest.is_empty() { "" } else { "." };
        return format!("{sign}{first}{point}{rest}E{adjusted:+}");
    }
    let fraction = exponent.unsigned_abs() as usize;
    if fraction == 0 {
        return format!("{sign}{digits}");
    }
    let digits = format!("{digits:0>width$}", width = fraction + 1);
    let (whole, fraction) = digits.split_at(digits.len() - fraction);
    format!("{sign}{whole}.{fraction}")
}

/// The number of a text. None for what is no number, or one that this type has not exactly.
pub fn parse(text: &str) -> Option<Bytes> {
    let (sign, magnitude) = match text.strip_prefix('-') {
        Some(rest) => (SIGN, rest),
        None => (0, text.strip_prefix('+').unwrap_or(text)),
    };
    let lower = magnitude.to_ascii_lowercase();
    let bits = match lower.as_str() {
        "nan" => return Some(NAN.to_le_bytes()),
        "inf" | "infinity" => INFINITY,
        number => finite(number)?,
    };
    Some((sign | bits).to_le_bytes())
}

/// Digits, maybe with a point among them and an exponent behind them.
fn finite(number: &str) -> Option<u128> {
    let (mantissa, exponent) = match number.split_once('e') {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (number, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all: String = [whole, fraction].concat();
    if all.is_empty() || !all.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let mut exponent = exponent.checked_sub(i32::try_from(fraction.len()).ok()?)?;
    let mut digits = all.trim_start_matches('0');
    let is_zero = digits.is_empty();
    // Zeros at the end can move into the exponent, and out of it.
    while digits.ends_with('0') && (digits.len() > DIGITS || exponent < MIN_EXPONENT) {
        digits = &digits[..digits.len() - 1];
        exponent = exponent.checked_add(1)?;
    }
    if digits.len() > DIGITS {
        return None;
    }
    let mut coefficient: u128 = if is_zero { 0 } else { digits.parse().ok()? };
    if is_zero {
        exponent = exponent.clamp(MIN_EXPONENT, MAX_EXPONENT);
    }
    while exponent > MAX_EXPONENT {
        coefficient = coefficient.checked_mul(10).filter(|&it| it <= LARGEST)?;
        exponent -= 1;
    }
    if exponent < MIN_EXPONENT {
        return None;
    }
    Some(((exponent + BIAS) as u128) << 113 | coefficient)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the specification writes bytes.
    fn hex(bytes: Bytes) -> String {
        bytes.iter().map(|byte| format!("{byte:02X}")).collect()
    }

    #[test]
    fn numbers_and_texts_of_the_specification_belong_together() {
        for (text_of, bytes) in [
            ("0", "00000000000000000000000000004030"),
            ("-1", "010000000000000000000000000040B0"),
            ("0.1", "01000000000000000000000000003E30"),
            ("0.001234", "D2040000000000000000000000003430"),
            ("1E+3", "01000000000000000000000000004630"),
            ("-Infinity", "000000000000000000000000000000F8"),
            ("NaN", "0000000000000000000000000000007C"),
            (
                "9.999999999999999999999999999999999E+6144",
                "FFFFFFFF638E8D37C087ADBE09EDFF5F",
            ),
            ("1E-6176", "01000000000000000000000000000000"),
            (
                "0.1234567890123456789012345678901234",
                "F2AF967ED05C82DE3297FF6FDE3CFC2F",
            ),
        ] {
            let number = parse(text_of).expect(text_of);
            assert_eq!(hex(number), bytes, "{text_of}");
            assert_eq!(text(number), text_of);
        }
    }

    #[test]
    fn what_cannot_be_exact_is_refused() {
        for wrong in [
            "", "-", ".", "1e", "x", "1.2.3", "0x10", "1e7000", "1e-7000", "--1",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
        assert_eq!(parse("12345678901234567890123456789012345"), None);
        let zeros = parse("123456789012345678901234567890123400").map(text);
        assert_eq!(
            zeros.as_deref(),
            Some("1.234567890123456789012345678901234E+35")
        );
        assert_eq!(
            parse("1e6144").map(text).as_deref(),
            Some("1.000000000000000000000000000000000E+6144")
        );
    }

    #[test]
    fn coefficients_that_are_too_large_stand_for_zero() {
        let mut bytes = [0xff; 16];
        bytes[15] = 0x6f;
        assert!(text(bytes).starts_with('0'));
    }
}
