//! Where a thread keeps the service whose turn it is.
//!
//! A library that is opened at run time reaches a variable of `thread_local!` by a call of the loader, and a message needs it twice. So on
//! Linux each thread takes a place in a table, which it finds by the address of its control block: the ABI keeps that in a register.
//! A place is never given back. A later thread whose control block has the same address has the same place, as it has the same memory for
//! the variables of `thread_local!`; nobody has it meanwhile. A thread that finds none free uses such a variable.
//!
//! A service and its [`Ctx`](crate::Ctx) remember where the place of the thread was on which they ran last ([`Near`]): most often it is the
//! same one, and then two comparisons are all.

use std::cell::Cell;
use std::ptr;

use super::core::Core;

/// Null outside of turns.
pub(super) type Place = Cell<*const Core>;

thread_local! {
    static VARIABLE: Place = const { Cell::new(ptr::null()) };
}

cfg_select! {
    all(
        target_os = "linux",
        target_pointer_width = "64",
        any(target_arch = "x86_64", target_arch = "aarch64"),
        not(miri),
    ) => {
        mod table;
        pub(crate) use table::Near;
        pub(super) use table::place;
    }
    _ => {
        /// That of this thread; it is there as long as the thread.
        #[inline]
        pub(super) fn place() -> *const Place {
            VARIABLE.with(ptr::from_ref)
        }

        /// Where the place of a thread is; here each thread knows.
        #[derive(Clone, Copy)]
        pub(crate) struct Near;

        impl Near {
            pub(crate) fn nobody() -> Near {
                Near
            }

            pub(super) fn this_thread() -> Near {
                Near
            }

            pub(super) fn place(self) -> Option<*const Place> {
                Some(place())
            }
        }
    }
}
