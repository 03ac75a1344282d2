//! Tables that may be lists or maps.
//!
//! Types that serde reads by way of a buffer (`untagged`, `tag`, `flatten`) take whatever comes, and find out later what they wanted. A table has to be
//! given to them as a list or as a map, and Lua does not say which it is: `{}` is both, and `{5, 6}` may be a map with the keys 1 and 2. So
//! the usual reading comes first: a list is what has items and nothing else. When that fails, all is read again, first with lists wherever there may
//! be one, then with maps for some fields, until a reading fits. Fields of one name are all read as the same; of [`MOST`] names
//! all combinations are tried, of three in a message that is longer than some KiB. So what fits nowhere costs a few times what it is long.

use std::cell::RefCell;

use super::de::One;
use super::error::Error;
use super::wire::{Input, Token};

/// Fields that are read as one or the other by themselves. Those beyond them are all read as the last of these.
const MOST: usize = 6;
/// A long message is read so often again; a short one until all combinations of [`MOST`] fields were tried. A stranger may have sent what fits
/// nowhere.
const LEAST_READINGS: usize = 8;
const MOST_READINGS: usize = 1 << MOST;
/// All readings of a short message together are of so many bytes.
const MOST_BYTES: usize = 64 * 1024;

/// Which fields are ambiguous, and how they are read now.
#[derive(Clone, Copy)]
struct Search {
    fields: [Field; MOST],
    known: usize,
    /// Bits of the fields that are read as maps; the others are lists.
    maps: u32,
}

const NO_SEARCH: Search = Search {
    fields: [Field::NONE; MOST],
    known: 0,
    maps: 0,
};

thread_local! {
    static SEARCH: RefCell<Search> = const { RefCell::new(NO_SEARCH) };
}

impl Search {
    fn is_map(&mut self, field: Field) -> bool {
        let known = &self.fields[..self.known];
        let at = match known.iter().position(|known| *known == field) {
            Some(at) => at,
            None if self.known == MOST => MOST - 1,
            None => {
                self.fields[self.known] = field;
                self.known += 1;
                self.known - 1
            }
        };
        self.maps >> at & 1 != 0
    }
}

/// The name of the field that is read, as a hash; it is kept only while readings are sought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Field(u64);

impl Field {
    /// No reading is sought.
    pub(super) const NONE: Field = Field(0);
    const FIRST: Field = Field(1);

    #[inline]
    pub(super) fn is_sought(self) -> bool {
        self != Field::NONE
    }

    /// An item, in the list or the map of that field.
    #[cold]
    pub(super) fn item(self) -> Field {
        Field(self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// What is under a key, with which these bytes begin.
    #[cold]
    pub(super) fn under(self, key: &[u8]) -> Field {
        let Ok(Token::String(name)) = Input::new(key).token() else {
            return self.item();
        };
        let hash = name.iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Field(hash | 1)
    }
}

/// One reading after another, beginning with the usual one.
pub(super) struct Readings {
    sought: Option<Box<Sought>>,
    /// Of the message.
    bytes: usize,
}

struct Sought {
    /// What was wrong with the usual reading.
    error: Error,
    /// So many more may follow.
    left: usize,
    /// Of who reads something else meanwhile, further out.
    outer: Search,
}

impl Drop for Sought {
    fn drop(&mut self) {
        SEARCH.set(self.outer);
    }
}

impl Readings {
    #[inline]
    pub(super) fn usual(bytes: usize) -> Readings {
        Readings {
            sought: None,
            bytes,
        }
    }

    /// What the next reading begins with.
    #[inline]
    pub(super) fn field(&self) -> Field {
        match self.sought {
            None => Field::NONE,
            Some(_) => Field::FIRST,
        }
    }

    /// Takes the next reading. When none is left, the error of the first.
    #[cold]
    #[inline(never)]
    pub(super) fn next(&mut self, error: Error) -> Result<(), Error> {
        let Some(sought) = &mut self.sought else {
            let outer = SEARCH.replace(NO_SEARCH);
            let all = MOST_BYTES / self.bytes.max(1);
            let left = all.clamp(LEAST_READINGS, MOST_READINGS) - 1;
            self.sought = Some(Box::new(Sought { error, left, outer }));
            return Ok(());
        };
        if sought.left == 0 {
            return Err(sought.error.clone());
        }
        sought.left -= 1;
        let is_left = SEARCH.with_borrow_mut(|search| {
            search.maps += 1;
            search.maps < 1 << search.known
        });
        if is_left {
            return Ok(());
        }
        Err(sought.error.clone())
    }
}

/// Whether a table is to be read as a list, where it could be a map as well. `input` is behind its first bytes.
pub(super) fn is_list(mut input: Input<'_>, items: usize, depth: usize) -> Result<bool, Error> {
    let field = input.field;
    for _ in 0..items {
        One::within(&mut input, depth).skip()?;
    }
    let has_pairs = !input.is_nil();
    if !field.is_sought() {
        return Ok(items > 0 && !has_pairs);
    }
    while !input.is_nil() {
        match One::within(&mut input, depth).token()?.index() {
            Some(1..) => One::within(&mut input, depth).skip()?,
            _ => return Ok(false),
        }
    }
    Ok(!SEARCH.with_borrow_mut(|search| search.is_map(field)))
}
