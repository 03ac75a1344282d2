//! Errors that a service raises again and again, as a stranger's messages can make it do: so many of one place are logged in a
//! second, and the next one tells how many were left out. The others are not lost to who calls: only the log is spared.

use std::ffi::CStr;

use skynet_sys::{Context, skynet_command};

/// Errors of one place that are logged in a second; the config key `log_error_rate`.
const DEFAULT: u32 = 100;
const SECOND: i64 = 1_000_000_000; // ns
/// Places that are told apart; all others are one.
const PLACES: usize = 16;
/// After so long a place is forgotten, and with it how many of its errors were left out.
const FORGOTTEN: i64 = 600 * SECOND;
/// What a traceback begins with. In front of it stands the message, which a stranger may have a part in.
const TRACE: &[u8] = b"\nstack traceback:";

#[derive(Clone, Copy)]
struct Place {
    /// Of the trace.
    hash: u64,
    /// When the present second began.
    since: i64,
    logged: u32,
    left_out: u64,
}

const UNUSED: Place = Place {
    hash: 0,
    since: i64::MIN / 2,
    logged: 0,
    left_out: 0,
};

type Places = [Place; PLACES + 1];

pub(super) struct Flood {
    /// The last one is that of all places that are not told apart. Most services never raise an error.
    places: Option<Box<Places>>,
    /// 0: no limit; `None`: not looked up yet.
    most: Option<u32>,
}

impl Flood {
    pub const fn new() -> Self {
        Self {
            places: None,
            most: None,
        }
    }

    /// Whether an error is to be logged: `Some` with how many of its place were left out before it.
    pub fn admit(&mut self, text: &[u8], now: i64, most: impl FnOnce() -> u32) -> Option<u64> {
        let most = *self.most.get_or_insert_with(most);
        if most == 0 {
            return Some(0);
        }
        let places = self
            .places
            .get_or_insert_with(|| Box::new([UNUSED; PLACES + 1]));
        let place = place_of(places, hash_of(text), now);
        if now - place.since >= SECOND {
            (place.since, place.logged) = (now, 0);
        }
        if place.logged >= most {
            place.left_out += 1;
            return None;
        }
        place.logged += 1;
        Some(std::mem::take(&mut place.left_out))
    }
}

/// Of that trace; a new one takes the place of one that is quiet and has nothing to tell, or is quiet for long.
fn place_of(places: &mut Places, hash: u64, now: i64) -> &mut Place {
    let [known @ .., _] = &*places;
    let is_free = |it: &Place| {
        let quiet = now - it.since;
        quiet >= FORGOTTEN || it.left_out == 0 && quiet >= SECOND
    };
    let index = known
        .iter()
        .position(|it| it.hash == hash)
        .or_else(|| known.iter().position(is_free))
        .unwrap_or(PLACES);
    let place = &mut places[index];
    if index < PLACES && place.hash != hash {
        *place = Place { hash, ..UNUSED };
    }
    place
}

/// What the config says.
///
/// # Safety
/// The context is that of a service.
pub(super) unsafe fn configured(context: *mut Context) -> u32 {
    // SAFETY: contract of this function; the answer is a C string that the next command overwrites.
    unsafe {
        let value = skynet_command(context, c"GETENV".as_ptr(), c"log_error_rate".as_ptr());
        if value.is_null() {
            return DEFAULT;
        }
        let digits = CStr::from_ptr(value).to_str().unwrap_or_default();
        digits.trim().parse().unwrap_or(DEFAULT)
    }
}

/// FNV-1a of the trace; of a text without one, of what stands in front of the message: `file:line`.
fn hash_of(text: &[u8]) -> u64 {
    let of = match text.windows(TRACE.len()).position(|at| at == TRACE) {
        Some(at) => &text[at..],
        None => {
            let end = text.windows(2).position(|at| at == b": ");
            &text[..end.unwrap_or(0)]
        }
    };
    // Never that of an unused place.
    of.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    }) | 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(message: &str, line: u32) -> Vec<u8> {
        format!("{message}\nstack traceback:\n\t[C]: in global 'error'\n\ta.lua:{line}: in f")
            .into_bytes()
    }

    #[test]
    fn so_many_errors_of_a_place_are_logged_in_a_second_whatever_they_say() {
        let mut flood = Flood::new();
        let logged = (0..1000)
            .filter(|number| {
                let text = error(&format!("bad packet {number}"), 1);
                flood.admit(&text, 5, || 100).is_some()
            })
            .count();
        assert_eq!(logged, 100);
        assert_eq!(flood.admit(&error("other", 2), 6, || 100), Some(0));
        assert_eq!(flood.admit(&error("x", 1), SECOND, || 100), None);
        assert_eq!(flood.admit(&error("x", 1), 5 + SECOND, || 100), Some(901));
        assert_eq!(flood.admit(&error("x", 1), 6 + SECOND, || 100), Some(0));
    }

    #[test]
    fn places_that_a_stranger_makes_up_have_a_limit_together() {
        let mut flood = Flood::new();
        let logged = (0..100_000)
            .filter(|&line| flood.admit(&error("x", line), 5, || 100).is_some())
            .count();
        assert_eq!(logged, PLACES + 100);
        // Later, what is quiet gives its place to others.
        assert_eq!(flood.admit(&error("new", 7), 5 + SECOND, || 100), Some(0));
    }

    #[test]
    fn without_a_limit_all_are_logged() {
        let mut flood = Flood::new();
        assert!((0..1000).all(|_| flood.admit(b"a.lua:1: x", 5, || 0) == Some(0)));
    }

    #[test]
    fn texts_without_a_trace_are_told_apart_by_where_they_come_from() {
        assert_eq!(hash_of(b"a.lua:1: one"), hash_of(b"a.lua:1: two"));
        assert_ne!(hash_of(b"a.lua:1: one"), hash_of(b"a.lua:2: one"));
    }
}
