//! Which release of the C core the node is, where the releases differ in what services see.
//!
//! The headers hand over the release for which the main program was compiled (`SKYNET_API_VERSION`); the config key
//! `api_version` is for compiled services, and comes first. Without either the node is the newest.
//!
//! The number is the one of the headers: 10400 is v1.4.0.

use crate::base::env;
use std::ffi::CStr;
use std::sync::atomic::{AtomicU32, Ordering};

/// The oldest release that is known, v1.0.0.
pub const OLDEST: u32 = 10000;
/// v1.1.0.
pub const V1_1: u32 = 10100;
/// v1.2.0.
pub const V1_2: u32 = 10200;
/// v1.3.0.
pub const V1_3: u32 = 10300;
/// v1.4.0.
pub const V1_4: u32 = 10400;
/// v1.5.0.
pub const V1_5: u32 = 10500;
/// v1.6.0.
pub const V1_6: u32 = 10600;
/// The newest interface (`SKYNET_API_LATEST` of "skynet_api.h").
pub const LATEST: u32 = 99999;

static VERSION: AtomicU32 = AtomicU32::new(LATEST);
static COMPILED: AtomicU32 = AtomicU32::new(LATEST);

/// The release that the node is.
pub fn version() -> u32 {
    VERSION.load(Ordering::Relaxed)
}

/// The release for which the main program was compiled, whatever the config says: all of the project is of that release
/// then, its Lua layer included, which is not so where only some compiled services are older.
pub fn compiled() -> u32 {
    COMPILED.load(Ordering::Relaxed)
}

/// The release that the config names; the error is a line for the user.
pub fn configured() -> Result<Option<u32>, String> {
    env::get(c"api_version").map(read).transpose()
}

fn read(text: &CStr) -> Result<u32, String> {
    parse(text.to_bytes()).ok_or_else(|| {
        format!(
            "Invalid api_version {} , should be the release that the services were compiled for, such as \"1.4.0\" or 10400",
            text.to_string_lossy()
        )
    })
}

/// Sets the release before a node starts: `compiled` is that of the main program.
pub fn choose(compiled: u32) -> Result<(), String> {
    let version = configured()?.unwrap_or(compiled);
    VERSION.store(version, Ordering::Relaxed);
    COMPILED.store(compiled, Ordering::Relaxed);
    Ok(())
}

/// `10400`, `1.4.0`, `v1.4.0`, `1.4`, `master`. (Lua writes a number that is no integer with `.0`.)
pub fn parse(text: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(text).ok()?;
    if text == "master" {
        return Some(LATEST);
    }
    let known = |version: u32| (OLDEST..=LATEST).contains(&version).then_some(version);
    if let Some(version) = text
        .strip_suffix(".0")
        .unwrap_or(text)
        .parse()
        .ok()
        .and_then(known)
    {
        return Some(version);
    }
    let mut parts = text.strip_prefix('v').unwrap_or(text).split('.');
    let mut part = || {
        parts
            .next()
            .map_or(Some(0), |part| part.parse::<u32>().ok())
    };
    let (major, minor, patch) = (part()?, part()?, part()?);
    if parts.next().is_some() || minor > 99 || patch > 99 {
        return None;
    }
    known(major.checked_mul(10000)? + minor * 100 + patch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_is_written_as_a_number_or_as_its_name() {
        for (text, version) in [
            ("10400", Some(10400)),
            ("10400.0", Some(10400)),
            ("1.4.0", Some(10400)),
            ("v1.0.0", Some(10000)),
            ("1.8", Some(10800)),
            ("99999", Some(LATEST)),
            ("master", Some(LATEST)),
            ("", None),
            ("1", Some(10000)),
            ("9999", None),
            ("0.9.0", None),
            ("1.4.0.1", None),
            ("1.400.0", None),
            ("new", None),
            ("-10400", None),
        ] {
            assert_eq!(parse(text.as_bytes()), version, "{text}");
        }
    }
}
