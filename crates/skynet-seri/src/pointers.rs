//! Whether a message holds addresses of memory: in one that comes from another process, they are of nothing here.

use super::{BOOLEAN, LONG, LONG_ARRAY, MAX_DEPTH, NIL, NUMBER, POINTER, SHORT, TABLE, number};

/// What is left of a message.
struct Walk<'a> {
    rest: &'a [u8],
}

/// What has been passed over.
enum Passed {
    Value,
    Pointer,
    /// The beginning of a table of so many array values.
    Table(u32),
}

impl Walk<'_> {
    fn bytes<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.rest.split_first_chunk::<N>()?;
        self.rest = rest;
        Some(*taken)
    }

    fn skip(&mut self, len: usize) -> Option<Passed> {
        self.rest = self.rest.get(len..)?;
        Some(Passed::Value)
    }

    /// Passes over the value that begins with `byte`; of a table only over its beginning. `None` when it is damaged.
    fn pass(&mut self, byte: u8) -> Option<Passed> {
        let cookie = byte >> 3;
        match byte & 7 {
            NIL | BOOLEAN => Some(Passed::Value),
            NUMBER => self.skip(width(cookie)?),
            // Null is no address: programs send it as a value of its own (`cjson.null`).
            POINTER if cookie == 0 => Some(match usize::from_ne_bytes(self.bytes()?) {
                0 => Passed::Value,
                _ => Passed::Pointer,
            }),
            SHORT => self.skip(cookie.into()),
            LONG => {
                let len = match cookie {
                    2 => u16::from_ne_bytes(self.bytes()?).into(),
                    4 => u32::from_ne_bytes(self.bytes()?) as usize,
                    _ => return None,
                };
                self.skip(len)
            }
            TABLE => self.length(cookie).map(Passed::Table),
            _ => None,
        }
    }

    /// Array values of a table: C's int, and none when that is negative.
    fn length(&mut self, cookie: u8) -> Option<u32> {
        if cookie != LONG_ARRAY {
            return Some(cookie.into());
        }
        let [byte] = self.bytes()?;
        if byte & 7 != NUMBER {
            return None;
        }
        let length = match byte >> 3 {
            number::ZERO => 0,
            number::BYTE => i32::from(self.bytes::<1>()?[0]),
            number::WORD => u16::from_ne_bytes(self.bytes()?).into(),
            number::DWORD => i32::from_ne_bytes(self.bytes()?),
            number::QWORD => i64::from_ne_bytes(self.bytes()?) as i32,
            _ => return None,
        };
        Some(u32::try_from(length).unwrap_or(0))
    }
}

/// Bytes of a number.
fn width(cookie: u8) -> Option<usize> {
    Some(match cookie {
        number::ZERO => 0,
        number::BYTE => 1,
        number::WORD => 2,
        number::DWORD => 4,
        number::QWORD | number::REAL => 8,
        _ => return None,
    })
}

/// A table that is being passed over.
struct Open {
    /// Array values that are to come.
    values: u32,
    /// Behind them: what comes next is a key, or the end.
    at_key: bool,
}

/// Whether `skynet.unpack` would make a light userdata other than null of a part of these bytes. False when it would raise an
/// error: then it is not passed on.
pub fn has_pointer(message: &[u8]) -> bool {
    let mut walk = Walk { rest: message };
    let mut open: Vec<Open> = Vec::new();
    let mut found = false;
    while let Some([byte]) = walk.bytes() {
        if let Some(table) = open.last_mut() {
            if table.values > 0 {
                table.values -= 1;
            } else if table.at_key && byte & 7 == NIL {
                open.pop();
                continue;
            } else {
                table.at_key = !table.at_key;
            }
        }
        match walk.pass(byte) {
            None => return false,
            Some(Passed::Value) => {}
            Some(Passed::Pointer) => found = true,
            Some(Passed::Table(values)) => {
                if open.len() >= MAX_DEPTH as usize {
                    return false;
                }
                open.push(Open {
                    values,
                    at_key: true,
                });
            }
        }
    }
    found && open.is_empty()
}

#[cfg(test)]
mod tests {
    use super::super::head;
    use super::*;

    const POINTS: [u8; 9] = [POINTER, 1, 2, 3, 4, 5, 6, 7, 8];

    #[test]
    fn pointers_are_found_wherever_they_stand() {
        let pair = [&[TABLE, head(SHORT, 1), b'k'][..], &POINTS, &[NIL]].concat();
        let key = [&[TABLE][..], &POINTS, &[BOOLEAN, NIL]].concat();
        let array = [&[head(TABLE, 2), NIL][..], &POINTS, &[NIL]].concat();
        let nested = [&[head(TABLE, 1)][..], &array, &[NIL]].concat();
        for message in [POINTS.to_vec(), pair, key, array, nested] {
            assert!(has_pointer(&message), "{message:?}");
            assert!(has_pointer(
                &[&[NUMBER, NIL][..], &message, &[TABLE, NIL]].concat()
            ));
            // Cut anywhere, it is an error for who unpacks it.
            for end in 0..message.len() {
                assert!(!has_pointer(&message[..end]), "{message:?} up to {end}");
            }
        }
    }

    #[test]
    fn what_only_looks_like_one_is_none() {
        let text = [&[head(SHORT, 9)][..], &POINTS].concat();
        for message in [
            &[][..],
            &[NIL, BOOLEAN, TABLE, NIL],
            &text,
            &[head(TABLE, 1), NIL, NIL],
            &[POINTER, 0, 0, 0, 0, 0, 0, 0, 0],
            &[head(TABLE, 1), POINTER, 0, 0, 0, 0, 0, 0, 0, 0, NIL],
        ] {
            assert!(!has_pointer(message), "{message:?}");
        }
        let mut null_and_address = vec![POINTER, 0, 0, 0, 0, 0, 0, 0, 0];
        null_and_address.extend(POINTS);
        assert!(has_pointer(&null_and_address));
        // Answers need not be serialised values: these are texts that begin as a light userdata would with any cookie.
        for text in ["[1,2,3,4]", "character", "{\"a\":1 }"] {
            assert!(!has_pointer(text.as_bytes()), "{text}");
        }
        let deep = [vec![head(TABLE, 1); 2000], POINTS.to_vec(), vec![NIL; 2000]].concat();
        assert!(!has_pointer(&deep));
    }
}
