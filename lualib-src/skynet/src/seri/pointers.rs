//! Whether a message holds addresses of memory: in one that comes from another process, they are of nothing here.

use super::NIL;
use super::reader::{Item, Reader};
use super::unpack::MAX_DEPTH;

/// A table that is being passed over.
struct Open {
    /// Array values that are to come.
    values: u32,
    /// Behind them: what comes next is a key, or the end.
    at_key: bool,
}

/// Whether `unpack` would make a light userdata of these bytes. False when it would raise an error: then nobody gets it.
pub(crate) fn has_pointer(message: &[u8]) -> bool {
    let mut reader = Reader::new(message);
    let mut open: Vec<Open> = Vec::new();
    let mut found = false;
    while let Some(byte) = reader.byte() {
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
        match reader.item(byte) {
            None => return false,
            Some(Item::Pointer(_)) => found = true,
            Some(Item::Table(cookie)) => {
                let Some(length) = reader.length(cookie) else {
                    return false;
                };
                if open.len() >= MAX_DEPTH as usize {
                    return false;
                }
                open.push(Open {
                    values: u32::try_from(length).unwrap_or(0),
                    at_key: true,
                });
            }
            Some(_) => {}
        }
    }
    found && open.is_empty()
}

#[cfg(test)]
mod tests {
    use super::super::{BOOLEAN, NUMBER, POINTER, SHORT, TABLE, head};
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
        ] {
            assert!(!has_pointer(message), "{message:?}");
        }
        let deep = [vec![head(TABLE, 1); 2000], POINTS.to_vec(), vec![NIL; 2000]].concat();
        assert!(!has_pointer(&deep));
    }
}
