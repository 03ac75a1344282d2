//! A message that many services read: one block, freed by the last reader.

use std::ptr;

use libc::c_void;

use crate::sync::atomic::{AtomicI32, Ordering};

/// The message and how many receivers have yet to close it.
pub(super) struct Package {
    references: AtomicI32,
    /// Bytes of `data`.
    pub size: u32,
    /// A block of the C allocator, null for an empty message.
    pub data: *mut c_void,
}

/// What [`Package::close`] found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Closed {
    /// Others still read the message.
    Shared,
    /// It is freed.
    Freed,
    /// It is freed, though no subscriber had been given a reference to close. The count that came out.
    Unbound(i32),
}

impl Package {
    /// A package without readers, owned through the pointer. Takes `data`.
    pub fn new(data: *mut c_void, size: u32) -> *mut Package {
        Box::into_raw(Box::new(Package {
            references: AtomicI32::new(0),
            size,
            data,
        }))
    }

    /// Sets the number of readers, once; false if it has been set.
    pub fn bind(&self, readers: i32) -> bool {
        // Readers learn the address through messages, which order this before what they do.
        self.references
            .compare_exchange(0, readers, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
    }

    /// A reader has done with the message.
    ///
    /// # Safety
    /// `package` comes from [`Package::new`] and the caller owns one of its references.
    pub unsafe fn close(package: *mut Package) -> Closed {
        // Release: what this reader has read comes before the freeing; acquire: the one who frees comes after all.
        // SAFETY: alive as long as the caller's reference.
        let left = unsafe { (*package).references.fetch_sub(1, Ordering::AcqRel) } - 1;
        if left > 0 {
            return Closed::Shared;
        }
        // SAFETY: no other reader is left.
        unsafe { libc::free(Package::take(package)) };
        match left {
            0 => Closed::Freed,
            _ => Closed::Unbound(left),
        }
    }

    /// Frees the package, not the data, which is returned.
    ///
    /// # Safety
    /// `package` comes from [`Package::new`] and is not shared.
    pub unsafe fn take(package: *mut Package) -> *mut c_void {
        // SAFETY: contract of this function.
        let mut package = unsafe { Box::from_raw(package) };
        std::mem::replace(&mut package.data, ptr::null_mut())
    }
}

#[cfg(all(test, not(feature = "loom")))]
mod tests {
    use super::*;
    use std::thread;

    fn package(bytes: &[u8]) -> *mut Package {
        // SAFETY: a fresh block of that size.
        unsafe {
            let data = libc::malloc(bytes.len());
            ptr::copy_nonoverlapping(bytes.as_ptr(), data.cast(), bytes.len());
            Package::new(data, bytes.len() as u32)
        }
    }

    #[test]
    fn the_last_of_many_readers_frees_the_message() {
        const READERS: usize = 4;
        for _ in 0..200 {
            let package = package(b"payload");
            // SAFETY: just made.
            assert!(unsafe { (*package).bind(READERS as i32) });
            let address = package as usize;
            let readers: Vec<_> = (0..READERS)
                .map(|_| {
                    thread::spawn(move || {
                        let package = address as *mut Package;
                        // SAFETY: this thread owns one of the references.
                        unsafe {
                            let data = (*package).data.cast::<u8>();
                            assert_eq!(*data.add((*package).size as usize - 1), b'd');
                            Package::close(package)
                        }
                    })
                })
                .collect();
            let closed: Vec<_> = readers.into_iter().map(|it| it.join().unwrap()).collect();
            let freed = closed.iter().filter(|it| **it == Closed::Freed).count();
            assert_eq!(freed, 1);
            assert!(closed.iter().all(|it| !matches!(it, Closed::Unbound(_))));
        }
    }

    #[test]
    fn readers_are_bound_once() {
        let package = package(b"x");
        // SAFETY: both references are closed here.
        unsafe {
            assert!((*package).bind(2));
            assert!(!(*package).bind(3));
            assert_eq!(Package::close(package), Closed::Shared);
            assert_eq!(Package::close(package), Closed::Freed);
        }
    }

    #[test]
    fn a_package_that_nobody_was_bound_to_is_freed_and_reported() {
        // SAFETY: the only use.
        let closed = unsafe { Package::close(package(b"x")) };
        assert_eq!(closed, Closed::Unbound(-1));
    }
}

#[cfg(all(test, feature = "loom"))]
mod loom_models {
    use super::*;
    use loom::thread;

    #[test]
    fn loom_the_last_reader_frees_after_all_others() {
        loom::model(|| {
            let package = Package::new(ptr::null_mut(), 0);
            // SAFETY: just made.
            assert!(unsafe { (*package).bind(3) });
            let address = package as usize;
            // SAFETY: each closes one of the three references.
            let close = move || unsafe { Package::close(address as *mut Package) };
            let others = [thread::spawn(close), thread::spawn(close)];
            let mut freed = usize::from(close() == Closed::Freed);
            for other in others {
                freed += usize::from(other.join().unwrap() == Closed::Freed);
            }
            assert_eq!(freed, 1);
        });
    }
}
