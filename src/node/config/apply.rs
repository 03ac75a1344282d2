//! The settings of the file, as the core starts with them.

use super::Config;
use super::keys::{Kind, MAX_THREADS, kind};
use crate::base::env;
use std::ffi::{CStr, CString};
use std::ptr;

/// Keys and values as they stand in the file.
pub type Settings = Vec<(CString, CString)>;

/// Puts all settings into the environment, adds the defaults of those that the core needs, and answers what the core
/// starts with. Its texts live as long as the process. The error is a line for the user.
pub fn apply(settings: Settings) -> Result<Config, String> {
    for (key, value) in settings {
        let value = if key.as_c_str() == c"thread" && value.as_c_str() == c"auto" {
            // What services read is a number, as ever.
            number(processors())
        } else {
            value
        };
        let _ = env::set(0, &key, &value);
    }
    let thread = in_range(c"thread", 8)?;
    let harbor = in_range(c"harbor", 1)?;
    let pointer = |value: Option<&'static CStr>| value.map_or(ptr::null(), CStr::as_ptr);
    Ok(Config {
        thread,
        harbor,
        profile: i32::from(text(c"profile", c"true") == c"true"),
        daemon: pointer(env::get(c"daemon")),
        module_path: text(c"cpath", c"./cservice/?.so").as_ptr(),
        bootstrap: text(c"bootstrap", c"snlua bootstrap").as_ptr(),
        logger: pointer(env::get(c"logger")),
        logservice: text(c"logservice", c"logger").as_ptr(),
    })
}

/// A setting, or its default, which becomes the setting: services can read it.
fn text(key: &CStr, default: &CStr) -> &'static CStr {
    if env::get(key).is_none() {
        let _ = env::set(0, key, default);
    }
    env::get(key).unwrap_or_default()
}

fn number(value: i32) -> CString {
    CString::new(value.to_string()).unwrap_or_default()
}

/// The number of a key. The error is a line for the user.
fn in_range(key: &CStr, default: i32) -> Result<i32, String> {
    let value = leading_integer(text(key, &number(default)).to_bytes());
    let (least, most) = match kind(&key.to_string_lossy()) {
        Some(Kind::Range(least, most)) => (least, most),
        _ => (1, MAX_THREADS),
    };
    if (least..=most).contains(&value) {
        Ok(value)
    } else {
        Err(out_of_range(key, value, least, most))
    }
}

/// As C's strtol: leading spaces, a sign, digits; whatever follows does not count, and without digits it is 0.
fn leading_integer(text: &[u8]) -> i32 {
    let text = text.trim_ascii_start();
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    let mut value = 0i64;
    for digit in digits.iter().take_while(|byte| byte.is_ascii_digit()) {
        value = (value * 10 + i64::from(digit - b'0')).min(i64::from(i32::MAX));
    }
    (if negative { -value } else { value }) as i32
}

/// The line for a number that cannot be; it names what the config has if that is no number.
fn out_of_range(key: &CStr, value: i32, least: i32, most: i32) -> String {
    let key_text = key.to_string_lossy();
    let line = format!("Invalid {key_text} {value} , should be in [{least},{most}]");
    let given = env::get(key).unwrap_or_default().to_string_lossy();
    match given.parse::<f64>() {
        Ok(_) => line,
        Err(_) => format!("{line}: {key_text} = \"{given}\" is not a number"),
    }
}

fn processors() -> i32 {
    let count = std::thread::available_parallelism().map_or(1, usize::from);
    count.min(MAX_THREADS as usize) as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_read_as_strtol_reads_them() {
        for (text, value) in [
            ("8", 8),
            (" 12abc", 12),
            ("-3", -3),
            ("+4", 4),
            ("abc", 0),
            ("", 0),
            ("1.0", 1),
            ("99999999999999999999", i32::MAX),
        ] {
            assert_eq!(leading_integer(text.as_bytes()), value, "{text}");
        }
    }

    #[test]
    fn there_is_a_processor() {
        assert!((1..=MAX_THREADS).contains(&processors()));
    }
}
