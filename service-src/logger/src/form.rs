//! What a line of the log looks like: as the C core's, with a time in the form of ISO 8601, or as an object of JSON.

use std::io::Write;
use std::mem::MaybeUninit;

/// The form of the lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// `[:0000000a] text`; in a file `29/11/26 21:30:00.12 ` before it.
    #[default]
    Plain,
    /// `2026-11-29T21:30:00.12+01:00 [:0000000a] text`, on stdout as well.
    Iso,
    /// `{"time":"...","service":":0000000a","level":"info","text":"..."}`, on stdout as well.
    Json,
}

impl Form {
    /// Reads the config key `log_time`. The error is a line for the user, and changes nothing.
    pub fn read_time(&mut self, key: Option<&str>) -> Result<(), String> {
        match key {
            None => {}
            Some("iso") => *self = Form::Iso,
            Some(other) => return Err(format!("log_time = {other:?} should be \"iso\"")),
        }
        Ok(())
    }

    /// Reads the config key `log_format`, after `log_time`: lines of JSON have their own time. The error is as above.
    pub fn read_format(&mut self, key: Option<&str>) -> Result<(), String> {
        match key {
            None | Some("text") => {}
            Some("json") => *self = Form::Json,
            Some(other) => {
                return Err(format!(
                    "log_format = {other:?} should be \"text\" or \"json\""
                ));
            }
        }
        Ok(())
    }
}

/// Whether lines have no colours, by the config key `log_color`: without it they have those that the texts have. The error is a
/// line for the user.
pub fn without_colours(key: Option<&str>, to_file: bool) -> Result<bool, String> {
    match key {
        None | Some("on") => Ok(false),
        Some("off") => Ok(true),
        // SAFETY: no precondition.
        Some("auto") => Ok(to_file || unsafe { libc::isatty(libc::STDOUT_FILENO) } == 0),
        Some(other) => Err(format!(
            "log_color = {other:?} should be \"auto\", \"on\" or \"off\""
        )),
    }
}

/// A moment in local time.
pub fn local(second: libc::time_t) -> libc::tm {
    let mut parts = MaybeUninit::<libc::tm>::zeroed();
    // SAFETY: both pointers are valid; localtime_r fills what zeroes have made a valid `tm` already.
    unsafe {
        libc::localtime_r(&second, parts.as_mut_ptr());
        parts.assume_init()
    }
}

/// A number for the day in local time: another day has another one.
pub fn day(second: libc::time_t) -> i64 {
    let parts = local(second);
    i64::from(parts.tm_year) * 366 + i64::from(parts.tm_yday)
}

/// `20261129-213000` in local time.
pub fn file_stamp(second: libc::time_t) -> String {
    let parts = local(second);
    format!(
        "{:04}{:02}{:02}-{:02}{:02}{:02}",
        parts.tm_year + 1900,
        parts.tm_mon + 1,
        parts.tm_mday,
        parts.tm_hour,
        parts.tm_min,
        parts.tm_sec
    )
}

/// The text of the current second in local time, made once a second: what is before the hundredths, and behind them.
#[derive(Default)]
pub struct Clock {
    second: libc::time_t,
    before: String,
    behind: String,
}

impl Clock {
    /// For a form whose lines have a time.
    pub fn at(&mut self, form: Form, second: libc::time_t) -> (&str, &str) {
        if self.second != second || self.before.is_empty() {
            self.second = second;
            let parts = local(second);
            let (month, year) = (parts.tm_mon + 1, parts.tm_year);
            let time = format!(
                "{:02}:{:02}:{:02}",
                parts.tm_hour, parts.tm_min, parts.tm_sec
            );
            if form == Form::Plain {
                let year = year.rem_euclid(100);
                self.before = format!("{:02}/{month:02}/{year:02} {time}", parts.tm_mday);
            } else {
                let minutes = parts.tm_gmtoff / 60;
                let (sign, minutes) = (if minutes < 0 { '-' } else { '+' }, minutes.abs());
                self.before = format!("{:04}-{month:02}-{:02}T{time}", year + 1900, parts.tm_mday);
                self.behind = format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60);
            }
        }
        (&self.before, &self.behind)
    }
}

/// Adds a message as the object of one line.
pub fn json(output: &mut Vec<u8>, time: (&str, u64, &str), source: u32, message: &[u8]) {
    let (before, hundredths, behind) = time;
    let level = level(message);
    // Writing to a Vec does not fail.
    let _ = write!(
        output,
        "{{\"time\":\"{before}.{hundredths:02}{behind}\",\"service\":\":{source:08x}\",\"level\":\"{level}\",\"text\":\""
    );
    let shown = skynet_printable::without_colours(message);
    for character in String::from_utf8_lossy(&shown).chars() {
        let _ = match character {
            '"' => output.write_all(b"\\\""),
            '\\' => output.write_all(b"\\\\"),
            '\n' => output.write_all(b"\\n"),
            '\t' => output.write_all(b"\\t"),
            '\r' => output.write_all(b"\\r"),
            '\0'..='\x1f'
            | '\x7f'..='\u{9f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}' => {
                write!(output, "\\u{:04x}", u32::from(character))
            }
            _ => write!(output, "{character}"),
        };
    }
    output.extend_from_slice(b"\"}\n");
}

/// The level that a message begins with, `warning: ` for instance; without one it is information.
fn level(message: &[u8]) -> &'static str {
    const LEVELS: [&str; 4] = ["debug", "info", "warning", "error"];
    // How the C core and its Lua layer begin what they say of an error: operators look for these texts, so they stay.
    const OF_ERRORS: [&[u8]; 5] = [
        b"lua call [",
        b"lua memory error : [",
        b"lua error in error : [",
        b"lua loader error : ",
        b"init service failed: ",
    ];
    let message = skynet_printable::without_colours(message);
    if OF_ERRORS.iter().any(|text| message.starts_with(text)) {
        return "error";
    }
    let named = |level: &&str| {
        message
            .strip_prefix(level.as_bytes())
            .is_some_and(|rest| rest.starts_with(b": "))
    };
    LEVELS
        .into_iter()
        .find(|level| named(level))
        .unwrap_or("info")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_the_config_choose_the_form_and_others_are_named() {
        for (time, format, expected) in [
            (None, None, Form::Plain),
            (Some("iso"), Some("text"), Form::Iso),
            (None, Some("json"), Form::Json),
            (Some("iso"), Some("json"), Form::Json),
        ] {
            let mut form = Form::default();
            assert_eq!(form.read_time(time), Ok(()));
            assert_eq!(form.read_format(format), Ok(()));
            assert_eq!(form, expected);
        }
        let mut form = Form::Iso;
        assert!(
            form.read_format(Some("xml"))
                .is_err_and(|line| line.contains("xml"))
        );
        assert!(
            form.read_time(Some("never"))
                .is_err_and(|line| line.contains("never"))
        );
        assert_eq!(form, Form::Iso);
    }

    #[test]
    fn a_file_is_no_terminal_and_colours_stay_unless_one_says_so() {
        assert_eq!(without_colours(None, true), Ok(false));
        assert_eq!(without_colours(Some("on"), true), Ok(false));
        assert_eq!(without_colours(Some("off"), false), Ok(true));
        assert_eq!(without_colours(Some("auto"), true), Ok(true));
        assert!(without_colours(Some("blue"), true).is_err_and(|line| line.contains("blue")));
    }

    #[test]
    fn an_object_has_one_line_whatever_the_text_is() {
        let mut output = Vec::new();
        json(
            &mut output,
            ("2026-11-29T21:30:00", 7, "+01:00"),
            0xa,
            b"\x1b[31mwarning: \"a\\b\"\n\tc\x01\xff\xc3\xa9\x1b[0m",
        );
        let expected = "{\"time\":\"2026-11-29T21:30:00.07+01:00\",\"service\":\":0000000a\",\"level\":\"warning\",\"text\":\"warning: \\\"a\\\\b\\\"\\n\\tc\\u0001\u{fffd}\u{e9}\"}\n";
        assert_eq!(String::from_utf8_lossy(&output), expected);
    }

    #[test]
    fn a_level_is_the_first_word_before_a_colon() {
        for (text, expected) in [
            ("error: x", "error"),
            ("debug: x", "debug"),
            ("info: ", "info"),
            ("errors: x", "info"),
            ("error:x", "info"),
            ("", "info"),
            ("LAUNCH snlua", "info"),
            ("lua call [b to :c : 3 msgsz = 4] error : x", "error"),
            ("init service failed: x", "error"),
        ] {
            assert_eq!(level(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn stamps_of_files_are_of_the_same_moment_as_those_of_lines() {
        let second = 1_700_000_001;
        let mut clock = Clock::default();
        let (before, _) = clock.at(Form::Iso, second);
        let digits = |text: &str| {
            text.chars()
                .filter(char::is_ascii_digit)
                .collect::<String>()
        };
        assert_eq!(digits(&file_stamp(second)), digits(before));
        assert_ne!(day(second), day(second + 86_400));
    }
}
