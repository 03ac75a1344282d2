//! Object ids: seconds, 5 bytes that are random for each process, a counter (bsonspec.org).

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use libc::c_int;
use skynet_support::State;
use skynet_support::state::Shown;

use crate::{kind, object};

/// What sets this process apart.
struct Identity {
    process: [u8; 5],
    counter: AtomicU32,
}

fn identity() -> &'static Identity {
    static IDENTITY: OnceLock<Identity> = OnceLock::new();
    IDENTITY.get_or_init(|| {
        let mut random = [0; 8];
        // SAFETY: `random` may be written.
        let got = unsafe { libc::getrandom(random.as_mut_ptr().cast(), random.len(), 0) };
        if got != random.len() as isize {
            random = fallback();
        }
        let [a, b, c, d, e, counter @ ..] = random;
        let [x, y, z] = counter;
        Identity {
            process: [a, b, c, d, e],
            counter: AtomicU32::new(u32::from_be_bytes([0, x, y, z])),
        }
    })
}

/// For a kernel that gives no random bytes: the time and the process id.
fn fallback() -> [u8; 8] {
    let nanoseconds = since_epoch().as_nanos() as u64;
    let process = u64::from(std::process::id());
    (nanoseconds.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ process << 24).to_be_bytes()
}

fn since_epoch() -> std::time::Duration {
    // A clock before 1970 counts as 1970.
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

fn next() -> [u8; 12] {
    let identity = identity();
    let [_, x, y, z] = identity
        .counter
        .fetch_add(1, Ordering::Relaxed)
        .to_be_bytes();
    let [p, q, r, s] = (since_epoch().as_secs() as u32).to_be_bytes();
    let [a, b, c, d, e] = identity.process;
    [p, q, r, s, a, b, c, d, e, x, y, z]
}

fn parse(text: &[u8]) -> Option<[u8; 12]> {
    let text: &[u8; 24] = text.try_into().ok()?;
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    let mut id = [0; 12];
    for (byte, pair) in id.iter_mut().zip(text.as_chunks::<2>().0) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(id)
}

/// The id in hexadecimal.
pub fn digits(id: [u8; 12]) -> [u8; 24] {
    let mut text = [0; 24];
    for (pair, byte) in text.as_chunks_mut::<2>().0.iter_mut().zip(id) {
        *pair = [byte >> 4, byte & 15].map(|half| b"0123456789abcdef"[usize::from(half)]);
    }
    text
}

/// `objectid([text])`: a new object id, or the one with these 24 hexadecimal digits. Raises an error for another text.
pub fn objectid(state: State<'_>) -> c_int {
    let id = if state.is_string(1) {
        let text = state.check_bytes(1);
        match parse(text) {
            Some(id) => id,
            None => state.error_with(format_args!("Invalid objectid {}", Shown(text))),
        }
    } else {
        next()
    };
    object::push(state, kind::OBJECT_ID, &id);
    1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_one_process_differ_and_share_its_bytes() {
        let ids: Vec<_> = (0..1000).map(|_| next()).collect();
        let mut unique = ids.clone();
        unique.sort();
        unique.dedup();
        assert_eq!(unique.len(), ids.len());
        assert!(ids.iter().all(|id| id[4..9] == ids[0][4..9]));
    }

    #[test]
    fn digits_and_ids_convert_into_each_other() {
        let id = [0, 1, 0x7f, 0x80, 0xff, 0xab, 0xcd, 0xef, 9, 10, 11, 12];
        assert_eq!(&digits(id), b"00017f80ffabcdef090a0b0c");
        assert_eq!(parse(&digits(id)), Some(id));
        assert_eq!(parse(b"00017F80FFABCDEF090A0B0C"), Some(id));
        assert_eq!(parse(b"00017g80ffabcdef090a0b0c"), None);
        assert_eq!(parse(b"00"), None);
    }
}
