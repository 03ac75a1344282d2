//! The environment of the node: keys and values that are set once and stay for the life of the process.

use crate::base::{fallible, log};
use parking_lot::RwLock;
use std::collections::HashMap;
use std::ffi::{CStr, CString};
use std::sync::LazyLock;

static VALUES: LazyLock<RwLock<HashMap<&'static CStr, &'static CStr>>> =
    LazyLock::new(RwLock::default);

/// Why a value is not set.
#[derive(Debug, PartialEq, Eq)]
pub enum Refused {
    /// The key has a value already, which stays.
    AlreadySet,
    /// There is no memory for key and value.
    NoMemory,
}

/// The value of `key`. It stays where it is for ever.
pub fn get(key: &CStr) -> Option<&'static CStr> {
    VALUES.read().get(key).copied()
}

/// All keys that are set, in no order.
pub fn keys() -> Vec<&'static CStr> {
    VALUES.read().keys().copied().collect()
}

/// Sets `key` for the service `source` (0: the node itself). A second value for a key is refused, and the log says who
/// tried: others may hold the first.
pub fn set(source: u32, key: &CStr, value: &CStr) -> Result<(), Refused> {
    let mut values = VALUES.write();
    if let Some(old) = values.get(key).copied() {
        drop(values);
        log::error_fmt(
            source,
            format_args!(
                "error: SETENV {} by :{source:08x}: it is {} already",
                key.to_string_lossy(),
                old.to_string_lossy()
            ),
        );
        return Err(Refused::AlreadySet);
    }
    let copy = |text: &CStr| fallible::copy(text.to_bytes());
    let Some((key, value)) = copy(key).zip(copy(value)) else {
        drop(values);
        log::error_fmt(
            source,
            format_args!("error: SETENV: not enough memory for a key and its value"),
        );
        return Err(Refused::NoMemory);
    };
    let leak = |text: CString| -> &'static CStr { Box::leak(text.into_boxed_c_str()) };
    values.insert(leak(key), leak(value));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_set_once_and_its_address_stays() {
        assert_eq!(get(c"env-test"), None);
        assert_eq!(set(0, c"env-test", c"one"), Ok(()));
        let first = get(c"env-test").unwrap();
        assert_eq!(set(1, c"env-test", c"two"), Err(Refused::AlreadySet));
        for n in 0..1000 {
            let key = CString::new(format!("env-test-{n}")).unwrap();
            assert_eq!(set(0, &key, &key), Ok(()));
        }
        assert_eq!(get(c"env-test").unwrap().as_ptr(), first.as_ptr());
        assert_eq!(first, c"one");
    }
}
