//! A value that one service writes and others read: readers hold versions, the writer replaces the current one.

use std::ptr;

use libc::c_void;

use crate::sync::{Arc, Mutex, lock};

/// One version of the value: serialised bytes in a block of the C allocator.
pub(super) struct Version {
    data: *mut c_void,
    size: usize,
}

// SAFETY: the block is only read, and freed by the last owner.
unsafe impl Send for Version {}
// SAFETY: nobody writes to the block while it is shared.
unsafe impl Sync for Version {}

impl Version {
    /// Takes `data`, a block of the C allocator with `size` readable bytes, or null.
    pub fn new(data: *mut c_void, size: usize) -> Arc<Version> {
        Arc::new(Version { data, size })
    }

    /// Address and size of the bytes.
    pub fn bytes(&self) -> (*mut c_void, usize) {
        (self.data, self.size)
    }
}

impl Drop for Version {
    fn drop(&mut self) {
        // SAFETY: null or a block that this version owns.
        unsafe { libc::free(self.data) }
    }
}

/// What the writer and its readers share.
pub(super) struct Cell {
    /// `None` when the writer is gone. Held for a few instructions, never over anything that may wait or raise.
    current: Mutex<Option<Arc<Version>>>,
}

/// What a look at the cell has found.
pub(super) enum Seen {
    /// Nothing has changed since the last look.
    Same,
    /// There is another version.
    New(Arc<Version>),
    /// The writer is gone.
    Gone,
}

impl Cell {
    pub fn new(first: Arc<Version>) -> Arc<Cell> {
        Arc::new(Cell {
            current: Mutex::new(Some(first)),
        })
    }

    /// Replaces the current version; `None` says that there will be no other.
    pub fn write(&self, version: Option<Arc<Version>>) {
        let before = std::mem::replace(&mut *lock(&self.current), version);
        // Frees the old version, if it has no reader, after the lock is open again.
        drop(before);
    }

    /// Compares with the version that a reader holds.
    pub fn look(&self, held: Option<&Arc<Version>>) -> Seen {
        let current = lock(&self.current);
        match (&*current, held) {
            (Some(current), Some(held)) if Arc::ptr_eq(current, held) => Seen::Same,
            (Some(current), _) => Seen::New(Arc::clone(current)),
            (None, Some(_)) => Seen::Gone,
            (None, None) => Seen::Same,
        }
    }
}

/// Hands a reference to a cell over as a bare address, until [`from_address`].
pub(super) fn into_address(cell: Arc<Cell>) -> *const Cell {
    Arc::into_raw(cell)
}

/// Takes back what [`into_address`] gave.
///
/// # Safety
/// Once for each address that was handed over.
pub(super) unsafe fn from_address(address: *const Cell) -> Arc<Cell> {
    // SAFETY: contract of this function.
    unsafe { Arc::from_raw(address) }
}

/// A block of the C allocator with a copy of `bytes`; null when there is no memory.
pub(super) fn copied(bytes: &[u8]) -> *mut c_void {
    // SAFETY: a block of that size, checked before it is written. The size is never 0, so null has one meaning.
    unsafe {
        let block = libc::malloc(bytes.len().max(1));
        if !block.is_null() {
            ptr::copy_nonoverlapping(bytes.as_ptr(), block.cast(), bytes.len());
        }
        block
    }
}

#[cfg(all(test, not(feature = "loom")))]
mod tests {
    use super::*;
    use std::thread;

    fn version(text: &[u8]) -> Arc<Version> {
        Version::new(copied(text), text.len())
    }

    fn text(version: &Version) -> &[u8] {
        let (data, size) = version.bytes();
        // SAFETY: the version owns these bytes.
        unsafe { std::slice::from_raw_parts(data.cast(), size) }
    }

    #[test]
    fn a_reader_sees_each_version_once_and_then_the_end() {
        let cell = Cell::new(version(b"one"));
        let Seen::New(one) = cell.look(None) else {
            panic!("the first version is new");
        };
        assert_eq!(text(&one), b"one");
        assert!(matches!(cell.look(Some(&one)), Seen::Same));
        cell.write(Some(version(b"two")));
        assert!(matches!(cell.look(Some(&one)), Seen::New(two) if text(&two) == b"two"));
        assert_eq!(text(&one), b"one");
        cell.write(None);
        assert!(matches!(cell.look(Some(&one)), Seen::Gone));
        assert!(matches!(cell.look(None), Seen::Same));
    }

    #[test]
    fn readers_on_other_threads_never_see_a_version_torn_or_an_older_one() {
        const WRITES: u32 = 20_000;
        let cell = Cell::new(version(&0u32.to_ne_bytes().repeat(8)));
        let readers: Vec<_> = (0..3)
            .map(|_| {
                let cell = Arc::clone(&cell);
                thread::spawn(move || {
                    let mut held: Option<Arc<Version>> = None;
                    let mut last = 0;
                    loop {
                        match cell.look(held.as_ref()) {
                            Seen::Same => thread::yield_now(),
                            Seen::Gone => return last,
                            Seen::New(version) => {
                                let words: Vec<u32> = text(&version)
                                    .chunks(4)
                                    .map(|it| u32::from_ne_bytes(it.try_into().unwrap()))
                                    .collect();
                                assert!(words.iter().all(|it| *it == words[0] && *it >= last));
                                last = words[0];
                                held = Some(version);
                            }
                        }
                    }
                })
            })
            .collect();
        for count in 1..=WRITES {
            cell.write(Some(version(&count.to_ne_bytes().repeat(8))));
        }
        // A reader that has seen nothing yet would take the end for "nothing new".
        let Seen::New(last) = cell.look(None) else {
            panic!("the writer is not gone");
        };
        assert_eq!(text(&last), WRITES.to_ne_bytes().repeat(8));
        let all_have_it = || Arc::strong_count(&last) == 2 + readers.len();
        while !all_have_it() && !readers.iter().any(|it| it.is_finished()) {
            thread::yield_now();
        }
        cell.write(None);
        for reader in readers {
            assert_eq!(reader.join().unwrap(), WRITES);
        }
    }
}

#[cfg(all(test, feature = "loom"))]
mod loom_models {
    use super::*;
    use loom::thread;

    #[test]
    fn loom_a_reader_holds_its_version_while_the_writer_replaces_it() {
        loom::model(|| {
            let cell = Cell::new(Version::new(copied(b"a"), 1));
            let shared = into_address(Arc::clone(&cell)).addr();
            let reader = thread::spawn(move || {
                // SAFETY: the address that was handed over, once.
                let cell = unsafe { from_address(shared as *const Cell) };
                let mut held = None;
                for _ in 0..2 {
                    match cell.look(held.as_ref()) {
                        Seen::New(version) => {
                            let (data, size) = version.bytes();
                            // SAFETY: the version owns these bytes.
                            let text =
                                unsafe { std::slice::from_raw_parts(data as *const u8, size) };
                            assert!(text == b"a" || text == b"b");
                            held = Some(version);
                        }
                        Seen::Gone => held = None,
                        Seen::Same => {}
                    }
                }
            });
            cell.write(Some(Version::new(copied(b"b"), 1)));
            cell.write(None);
            drop(cell);
            reader.join().unwrap();
        });
    }
}
