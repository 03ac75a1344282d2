//! Shared data itself: tables that never change, read by any number of threads without a lock.
//!
//! A [`Sheet`] owns its tables and strings. Services refer to a table by its address; the sheet counts these references,
//! but the service that made it frees it, when the count says that no service reads it any more.

use std::collections::{HashMap, HashSet};

use super::text::{Interner, Text, Texts, hash_bytes, hash_integer};
use crate::block::OutOfMemory;
use crate::sync::atomic::{AtomicBool, AtomicI32, Ordering};

/// A value in a table.
#[derive(Clone, Copy)]
pub(super) enum Value {
    Nil,
    Boolean(bool),
    Integer(i64),
    Real(f64),
    Text(Text),
    /// Number of a table of the same sheet.
    Table(u32),
}

/// A key in the hash part of a table.
#[derive(Clone, Copy)]
pub(super) enum Key {
    Integer(i64),
    Text(Text),
}

impl Key {
    fn integer(self) -> Option<i64> {
        match self {
            Key::Integer(integer) => Some(integer),
            Key::Text(_) => None,
        }
    }
}

struct Node {
    hash: u32,
    /// The next node of the same bucket, [`NONE`] for none.
    next: u32,
    key: Key,
    value: Value,
}

const NONE: u32 = u32::MAX;

/// One table. The values of 1, 2, ... stand in an array, all other keys in a chained hash table; its nodes are numbered
/// without gaps, so they can be walked by number.
pub(super) struct Table {
    /// The owner; null while it is made.
    sheet: *const Sheet,
    array: Box<[Value]>,
    nodes: Box<[Node]>,
    /// First node of each bucket. The number of buckets is a power of two.
    buckets: Box<[u32]>,
}

/// A tree of tables and its state.
pub(super) struct Sheet {
    tables: Box<[Table]>,
    _texts: Texts,
    /// There is a newer version.
    dirty: AtomicBool,
    references: AtomicI32,
}

// SAFETY: after it is made only the two atomics change.
unsafe impl Send for Sheet {}
// SAFETY: tables and texts are only read; the rest is atomic.
unsafe impl Sync for Sheet {}

impl Table {
    /// The sheet that it belongs to.
    #[inline]
    pub fn sheet(&self) -> &Sheet {
        // SAFETY: the sheet owns this table.
        unsafe { &*self.sheet }
    }

    /// Values of 1, 2, ...
    #[inline]
    pub fn array(&self) -> &[Value] {
        &self.array
    }

    /// Number of keys that are not in the array.
    pub fn hashed(&self) -> usize {
        self.nodes.len()
    }

    /// Key number `node` of those that are not in the array.
    pub fn key(&self, node: usize) -> Option<Key> {
        self.nodes.get(node).map(|node| node.key)
    }

    /// Value of key number `node`.
    #[inline]
    pub fn value(&self, node: usize) -> Value {
        self.nodes[node].value
    }

    #[inline]
    fn find(&self, hash: u32, is_key: impl Fn(&Key) -> bool) -> Option<usize> {
        let bucket = (hash as usize) & (self.buckets.len().wrapping_sub(1));
        let mut at = *self.buckets.get(bucket)?;
        while let Some(node) = self.nodes.get(at as usize) {
            if node.hash == hash && is_key(&node.key) {
                return Some(at as usize);
            }
            at = node.next;
        }
        None
    }

    /// The number of a key that is a string.
    #[inline]
    pub fn find_text(&self, wanted: &[u8]) -> Option<usize> {
        self.find(hash_bytes(wanted), |key| match key {
            // SAFETY: the sheet is alive and keeps its texts.
            Key::Text(text) => unsafe { text.bytes() == wanted },
            Key::Integer(_) => false,
        })
    }

    /// The number of a key that is an integer and not in the array.
    #[inline]
    pub fn find_integer(&self, wanted: i64) -> Option<usize> {
        self.find(
            hash_integer(wanted),
            |key| matches!(key, Key::Integer(integer) if *integer == wanted),
        )
    }
}

impl Sheet {
    /// The table that [`Draft::new`] began with.
    pub fn root(&self) -> *const Table {
        &raw const self.tables[0]
    }

    /// The table that a value names.
    #[inline]
    pub fn table(&self, number: u32) -> *const Table {
        &raw const self.tables[number as usize]
    }

    /// Whether there is a newer version.
    #[inline]
    pub fn is_dirty(&self) -> bool {
        self.dirty.load(Ordering::Relaxed)
    }

    /// Says that there is a newer version; which one, readers learn by a message.
    pub fn mark_dirty(&self) {
        self.dirty.store(true, Ordering::Relaxed);
    }

    /// References that are counted.
    pub fn references(&self) -> i32 {
        // Who finds none left frees the sheet, after all that its readers did.
        self.references.load(Ordering::Acquire)
    }

    /// Counts one more reference. Returns their number.
    pub fn acquire(&self) -> i32 {
        self.references.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Counts one reference less. Returns what is left.
    pub fn release(&self) -> i32 {
        self.references.fetch_sub(1, Ordering::AcqRel) - 1
    }
}

/// A table that is being made.
struct DraftTable {
    /// What Lua takes for the length. It may lie far behind the values that are there.
    length: usize,
    /// Values of 1, 2, ... as far as they came in order.
    array: Vec<Value>,
    pairs: Vec<(Key, Value)>,
}

/// A sheet that is being made.
pub(super) struct Draft {
    tables: Vec<DraftTable>,
    texts: Interner,
}

impl Draft {
    /// One empty table, number 0, see [`Draft::table`].
    pub fn new(length: usize) -> Result<Draft, OutOfMemory> {
        let mut draft = Draft {
            tables: Vec::new(),
            texts: Interner::default(),
        };
        draft.table(length)?;
        Ok(draft)
    }

    /// A new table of that length (`#`); its number.
    pub fn table(&mut self, length: usize) -> Result<u32, OutOfMemory> {
        let number = u32::try_from(self.tables.len()).expect("fewer tables than 2^32");
        self.tables.try_reserve(1)?;
        self.tables.push(DraftTable {
            length,
            array: Vec::new(),
            pairs: Vec::new(),
        });
        Ok(number)
    }

    /// A string of the sheet.
    pub fn text(&mut self, bytes: &[u8]) -> Result<Text, OutOfMemory> {
        self.texts.text(bytes)
    }

    /// Sets a field; each key once.
    pub fn set(&mut self, table: u32, key: Key, value: Value) -> Result<(), OutOfMemory> {
        let table = &mut self.tables[table as usize];
        match key {
            Key::Integer(place) if place.wrapping_sub(1) == table.array.len() as i64 => {
                table.array.try_reserve(1)?;
                table.array.push(value);
            }
            _ => {
                table.pairs.try_reserve(1)?;
                table.pairs.push((key, value));
            }
        }
        Ok(())
    }

    /// The sheet, with no references. Freed by dropping it.
    pub fn finish(self) -> Result<Box<Sheet>, OutOfMemory> {
        let mut tables = Vec::new();
        tables.try_reserve_exact(self.tables.len())?;
        for table in self.tables {
            tables.push(table.finish()?);
        }
        let mut sheet = Box::new(Sheet {
            tables: tables.into_boxed_slice(),
            _texts: self.texts.finish(),
            dirty: AtomicBool::new(false),
            references: AtomicI32::new(0),
        });
        let address: *const Sheet = &raw const *sheet;
        for table in &mut sheet.tables {
            table.sheet = address;
        }
        Ok(sheet)
    }
}

impl DraftTable {
    /// Moves what belongs into the array there, up to the length that Lua reports. A length that is far from what is
    /// there (keys 1, 2, 4, 8, ... have a length of the last) is replaced by the first that fits.
    fn settle(&mut self) -> Result<(), OutOfMemory> {
        let found = self.array.len() + self.pairs.len();
        if self.length / 2 <= found {
            let length = self.length.max(self.array.len());
            self.array.try_reserve(length - self.array.len())?;
            self.array.resize(length, Value::Nil);
        } else {
            let mut keys = HashSet::new();
            keys.try_reserve(self.pairs.len())?;
            keys.extend(self.pairs.iter().filter_map(|it| it.0.integer()));
            while keys.contains(&(self.array.len() as i64 + 1)) {
                self.array.try_reserve(1)?;
                self.array.push(Value::Nil);
            }
        }
        let array = &mut self.array;
        self.pairs.retain(|(key, value)| {
            let place = key.integer().and_then(|key| usize::try_from(key).ok());
            let slot = place.and_then(|place| array.get_mut(place.checked_sub(1)?));
            let stays = slot.is_none();
            if let Some(slot) = slot {
                *slot = *value;
            }
            stays
        });
        Ok(())
    }

    fn finish(mut self) -> Result<Table, OutOfMemory> {
        self.settle()?;
        let count = self.pairs.len();
        assert!(count < NONE as usize, "fewer keys than 2^32 - 1");
        let buckets = match count {
            0 => 0,
            _ => count.next_power_of_two(),
        };
        let mut buckets = exactly(buckets, std::iter::repeat_n(NONE, buckets))?;
        let mask = buckets.len().wrapping_sub(1);
        let node = |(number, (key, value)): (usize, (Key, Value))| {
            let hash = match key {
                Key::Integer(integer) => hash_integer(integer),
                // SAFETY: the draft's texts are alive.
                Key::Text(text) => hash_bytes(unsafe { text.bytes() }),
            };
            let bucket = &mut buckets[hash as usize & mask];
            let next = std::mem::replace(bucket, number as u32);
            Node {
                hash,
                next,
                key,
                value,
            }
        };
        let nodes = exactly(count, self.pairs.into_iter().enumerate().map(node))?;
        Ok(Table {
            sheet: std::ptr::null(),
            array: exactly(self.array.len(), self.array.into_iter())?,
            nodes,
            buckets,
        })
    }
}

/// These values, `count` of them.
fn exactly<T>(count: usize, values: impl Iterator<Item = T>) -> Result<Box<[T]>, OutOfMemory> {
    let mut all = Vec::new();
    all.try_reserve_exact(count)?;
    all.extend(values);
    Ok(all.into_boxed_slice())
}

/// Tables by identity, while they are copied into a draft.
#[derive(Default)]
pub(super) struct Seen(HashMap<usize, Option<u32>>);

impl Seen {
    /// Begins with the table of that identity.
    pub fn enter(&mut self, identity: usize) -> Result<(), OutOfMemory> {
        self.0.try_reserve(1)?;
        self.0.insert(identity, None);
        Ok(())
    }

    /// All of it is in the draft, under that number.
    pub fn leave(&mut self, identity: usize, number: u32) {
        self.0.insert(identity, Some(number));
    }

    /// `None`: new; `Some(None)`: entered and not left, so it contains itself.
    pub fn get(&self, identity: usize) -> Option<Option<u32>> {
        self.0.get(&identity).copied()
    }
}

#[cfg(all(test, not(feature = "loom")))]
mod tests;
