//! The crate `log` into the node's log.

use std::borrow::Cow;
use std::ffi::{CStr, CString};
use std::sync::Once;

use log::{LevelFilter, Log, Metadata, Record};

use crate::runtime::core::try_current;
use crate::sys;

struct Logger;

impl Log for Logger {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let text = match record.level() {
            log::Level::Info => record.args().to_string(),
            level => format!("{}: {}", level.as_str().to_ascii_lowercase(), record.args()),
        };
        let context = try_current(|core| core.context());
        write(context.unwrap_or(std::ptr::null_mut()), &text);
    }

    fn flush(&self) {}
}

/// Once a process (of a library of services: once a library). A logger that the project has installed itself stays.
pub(crate) fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if log::set_logger(&Logger).is_ok() {
            log::set_max_level(LevelFilter::Info);
        }
    });
}

/// Writes one line, as that of a service, or of none (null).
pub(crate) fn write(context: *mut sys::Context, text: &str) {
    let Ok(api) = sys::try_api() else {
        eprintln!("{text}");
        return;
    };
    let line = c_string(text);
    // SAFETY: null, or the service whose turn it is.
    unsafe { (api.error)(context, &line) };
}

/// C's texts end at the first zero: it is shown.
fn c_string(text: &str) -> Cow<'static, CStr> {
    let clean = CString::new(text).or_else(|_| CString::new(text.replace('\0', "\\0")));
    Cow::Owned(clean.unwrap_or_default())
}
