//! A message, taken apart value by value. Nothing here knows of Lua's stack, and nothing raises.

use libc::{c_int, c_void};
use mlua_sys::lua_Integer;

use super::in_place::{FALSE, FLOAT, INTEGER, NONE, TRUE};
use super::{BOOLEAN, LONG, LONG_ARRAY, NIL, NUMBER, POINTER, SHORT, TABLE, number};

/// Values that are looked at ahead to find out the size of a table. It bounds the work on a table with tables in it.
const LOOK_AHEAD: u32 = 128;
/// Longest array that is looked across.
const SHORT_ARRAY: c_int = 32;

/// What is left of the message. Plain data: it may be abandoned when an error is raised.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

/// A value that needs no memory of Lua: its kind and bits as `lbuild.h` has them.
#[derive(Clone, Copy)]
pub(super) struct Scalar {
    pub kind: c_int,
    pub bits: lua_Integer,
}

pub(super) enum Item<'a> {
    Scalar(Scalar),
    Pointer(*mut c_void),
    Text(&'a [u8]),
    /// A table, by the cookie that begins it.
    Table(u8),
}

impl<'a> Reader<'a> {
    pub fn new(message: &'a [u8]) -> Reader<'a> {
        Reader { rest: message }
    }

    /// Bytes that are left.
    #[inline(always)]
    pub fn left(&self) -> usize {
        self.rest.len()
    }

    #[inline(always)]
    pub fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(taken)
    }

    #[inline(always)]
    fn bytes<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.rest.split_first_chunk::<N>()?;
        self.rest = rest;
        Some(*taken)
    }

    #[inline(always)]
    pub fn byte(&mut self) -> Option<u8> {
        let (&taken, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(taken)
    }

    /// The value that begins with `byte`; of a table only its beginning.
    #[inline(always)]
    pub fn item(&mut self, byte: u8) -> Option<Item<'a>> {
        let cookie = byte >> 3;
        let scalar = match byte & 7 {
            NUMBER => self.number(cookie)?,
            SHORT => return Some(Item::Text(self.take(cookie.into())?)),
            TABLE => return Some(Item::Table(cookie)),
            LONG => return Some(Item::Text(self.long(cookie)?)),
            BOOLEAN => Scalar {
                kind: if cookie == 0 { FALSE } else { TRUE },
                bits: 0,
            },
            NIL => Scalar {
                kind: NONE,
                bits: 0,
            },
            // No writer makes another cookie. So a text of nine bytes that begins with one is no address.
            POINTER if cookie == 0 => {
                let pointer = usize::from_ne_bytes(self.bytes()?) as *mut c_void;
                return Some(Item::Pointer(pointer));
            }
            _ => return None,
        };
        Some(Item::Scalar(scalar))
    }

    /// Integer or float; without branches that depend on its size, because those of neighbours differ.
    #[inline(always)]
    fn number(&mut self, cookie: u8) -> Option<Scalar> {
        let form = &FORMS[usize::from(cookie)];
        let width = usize::from(form.width);
        let raw = match self.rest.first_chunk() {
            Some(&word) if cfg!(target_endian = "little") => {
                self.take(width)?;
                u64::from_ne_bytes(word) & form.mask
            }
            _ => narrow(self.take(width)?)?,
        };
        if form.kind == NONE {
            return None;
        }
        // Carries the sign of a narrow one into the high bits.
        let bits = (raw ^ form.sign).wrapping_sub(form.sign) as lua_Integer;
        Some(Scalar {
            kind: form.kind,
            bits,
        })
    }

    #[inline(always)]
    fn long(&mut self, cookie: u8) -> Option<&'a [u8]> {
        let len = match cookie {
            2 => u16::from_ne_bytes(self.bytes()?).into(),
            4 => u32::from_ne_bytes(self.bytes()?) as usize,
            _ => return None,
        };
        self.take(len)
    }

    /// Array length of a table, as C's int.
    #[inline(always)]
    pub fn length(&mut self, cookie: u8) -> Option<c_int> {
        if cookie != LONG_ARRAY {
            return Some(cookie.into());
        }
        let byte = self.byte()?;
        if byte & 7 != NUMBER {
            return None;
        }
        let scalar = self.number(byte >> 3)?;
        (scalar.kind == INTEGER).then_some(scalar.bits as c_int)
    }

    /// Passes over a value. `None` when it is damaged, or more than `budget` values were met.
    #[inline(always)]
    fn skip(&mut self, budget: &mut u32) -> Option<()> {
        *budget = budget.checked_sub(1)?;
        let byte = self.byte()?;
        let fixed = BODIES[usize::from(byte)];
        if fixed == OTHER {
            return self.skip_other(byte, budget);
        }
        self.take(fixed.into()).map(drop)
    }

    /// Passes over a value whose size is not told by its first byte.
    fn skip_other(&mut self, byte: u8, budget: &mut u32) -> Option<()> {
        let cookie = byte >> 3;
        match byte & 7 {
            LONG => self.long(cookie).map(drop),
            TABLE => {
                for _ in 0..self.length(cookie)? {
                    self.skip(budget)?;
                }
                while self.rest.first()? & 7 != NIL {
                    self.skip(budget)?;
                    self.skip(budget)?;
                }
                self.byte().map(drop)
            }
            _ => None,
        }
    }

    /// Number of pairs of the table whose `length` array values are next, as far as it is worth while to look.
    pub fn pairs_ahead(mut self, length: c_int) -> c_int {
        let mut budget = LOOK_AHEAD;
        let mut pairs = 0;
        if length > SHORT_ARRAY || (0..length).any(|_| self.skip(&mut budget).is_none()) {
            return 0;
        }
        while self.rest.first().is_some_and(|byte| byte & 7 != NIL)
            && self.skip(&mut budget).is_some()
            && self.skip(&mut budget).is_some()
        {
            pairs += 1;
        }
        pairs
    }
}

/// A body alone, with no other bytes behind it. `None` when it is longer than a word.
#[cold]
#[inline(never)]
fn narrow(body: &[u8]) -> Option<u64> {
    let mut word = [0; 8];
    let at = if cfg!(target_endian = "little") {
        0
    } else {
        size_of_val(&word).checked_sub(body.len())?
    };
    word.get_mut(at..at + body.len())?.copy_from_slice(body);
    Some(u64::from_ne_bytes(word))
}

/// How a number is written.
#[derive(Clone, Copy)]
struct Form {
    /// `NONE`: there is no such number.
    kind: c_int,
    /// Bytes of the body.
    width: u8,
    /// The bits of a word that they are.
    mask: u64,
    /// The sign among them, if it has to be extended.
    sign: u64,
}

/// By cookie.
static FORMS: [Form; 32] = {
    const fn form(kind: c_int, width: u8, sign: u64) -> Form {
        let mask = if width == 0 {
            0
        } else {
            u64::MAX >> (64 - 8 * width as u32)
        };
        Form {
            kind,
            width,
            mask,
            sign,
        }
    }
    let mut forms = [form(NONE, 0, 0); 32];
    forms[number::ZERO as usize] = form(INTEGER, 0, 0);
    forms[number::BYTE as usize] = form(INTEGER, 1, 0);
    forms[number::WORD as usize] = form(INTEGER, 2, 0);
    forms[number::DWORD as usize] = form(INTEGER, 4, 1 << 31);
    forms[number::QWORD as usize] = form(INTEGER, 8, 0);
    forms[number::REAL as usize] = form(FLOAT, 8, 0);
    forms
};

/// Mark of a value whose size is not told by its first byte, and of none.
const OTHER: u8 = u8::MAX;

/// Bytes that follow a first byte.
static BODIES: [u8; 256] = {
    let mut bodies = [OTHER; 256];
    let mut byte = 0;
    while byte < 256 {
        let cookie = (byte >> 3) as u8;
        bodies[byte] = match byte as u8 & 7 {
            NIL | BOOLEAN => 0,
            NUMBER if FORMS[cookie as usize].kind != NONE => FORMS[cookie as usize].width,
            POINTER if cookie == 0 => size_of::<usize>() as u8,
            SHORT => cookie,
            _ => OTHER,
        };
        byte += 1;
    }
    bodies
};

#[cfg(test)]
mod tests {
    use super::*;

    /// The only value of a message.
    fn scalar(message: &[u8]) -> Option<(c_int, lua_Integer)> {
        let mut reader = Reader::new(message);
        let byte = reader.byte()?;
        match reader.item(byte)? {
            Item::Scalar(Scalar { kind, bits }) => {
                assert_eq!(reader.left(), 0);
                Some((kind, bits))
            }
            _ => None,
        }
    }

    fn written(cookie: u8, body: &[u8]) -> Vec<u8> {
        [&[NUMBER | cookie << 3], body].concat()
    }

    #[test]
    fn numbers_at_the_end_of_a_message_and_before_other_bytes_are_the_same() {
        let cases: [(u8, &[u8], c_int, lua_Integer); 10] = [
            (number::ZERO, &[], INTEGER, 0),
            (number::BYTE, &[0xff], INTEGER, 255),
            (number::WORD, &0xfffe_u16.to_ne_bytes(), INTEGER, 0xfffe),
            (number::DWORD, &(-2_i32).to_ne_bytes(), INTEGER, -2),
            (
                number::DWORD,
                &i32::MIN.to_ne_bytes(),
                INTEGER,
                i32::MIN.into(),
            ),
            (
                number::DWORD,
                &i32::MAX.to_ne_bytes(),
                INTEGER,
                i32::MAX.into(),
            ),
            (number::QWORD, &i64::MIN.to_ne_bytes(), INTEGER, i64::MIN),
            (number::QWORD, &(-1_i64).to_ne_bytes(), INTEGER, -1),
            (number::REAL, &1.5_f64.to_ne_bytes(), FLOAT, {
                1.5_f64.to_bits() as lua_Integer
            }),
            (number::REAL, &f64::NAN.to_ne_bytes(), FLOAT, {
                f64::NAN.to_bits() as lua_Integer
            }),
        ];
        for (cookie, body, kind, bits) in cases {
            let mut message = written(cookie, body);
            assert_eq!(scalar(&message), Some((kind, bits)));
            for cut in 1..message.len() {
                assert_eq!(scalar(&message[..cut]), None);
            }
            let end = message.len();
            message.extend([0xa5; 16]);
            let mut reader = Reader::new(&message[1..]);
            let found = reader.number(cookie).map(|s| (s.kind, s.bits));
            assert_eq!(found, Some((kind, bits)));
            assert_eq!(reader.left(), message.len() - end);
        }
    }

    #[test]
    fn numbers_that_nobody_writes_are_refused() {
        for cookie in [3, 5, 7].into_iter().chain(9..32) {
            assert_eq!(scalar(&written(cookie, &[])), None);
            assert_eq!(scalar(&written(cookie, &[0; 16])), None);
        }
    }

    #[test]
    fn pairs_are_counted_across_a_short_array() {
        // { 1, 2, x = {}, y = 300 }, and what follows it.
        let table = [
            [NUMBER | number::BYTE << 3, 1].as_slice(),
            &[NUMBER | number::BYTE << 3, 2],
            &[SHORT | 1 << 3, b'x', TABLE, NIL],
            &[SHORT | 1 << 3, b'y', NUMBER | number::WORD << 3, 1, 1],
            &[NIL, NIL, BOOLEAN, BOOLEAN],
        ]
        .concat();
        assert_eq!(Reader::new(&table).pairs_ahead(2), 2);
        assert_eq!(Reader::new(&table[..10]).pairs_ahead(2), 1);
        assert_eq!(Reader::new(&table[..3]).pairs_ahead(2), 0);
        assert_eq!(Reader::new(&table).pairs_ahead(SHORT_ARRAY + 1), 0);
        assert_eq!(Reader::new(&[BOOLEAN; 1000]).pairs_ahead(0), 64);
    }
}
