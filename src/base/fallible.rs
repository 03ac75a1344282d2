//! Copies of what a program sizes: where there is no memory for one, its user hears of it, and the node goes on.

use std::ffi::CString;

/// A C string of bytes without a zero. `None`: there is one, or there is no memory.
pub fn copy(bytes: &[u8]) -> Option<CString> {
    let mut copy = Vec::new();
    copy.try_reserve_exact(bytes.len().checked_add(1)?).ok()?;
    copy.extend_from_slice(bytes);
    // The zero behind the bytes has its place, so that nothing is allocated any more.
    CString::new(copy).ok()
}

#[cfg(test)]
mod tests {
    use super::copy;

    #[test]
    fn bytes_without_a_zero_become_a_c_string_of_their_own_size() {
        assert_eq!(copy(b"a name").as_deref(), Some(c"a name"));
        assert_eq!(copy(b"").as_deref(), Some(c""));
        assert_eq!(copy(b"a\0b"), None);
    }
}
