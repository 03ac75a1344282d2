//! Where a thread keeps the service whose turn it is.
//!
//! A library that is opened at run time reaches a variable of `thread_local!` by a call of the loader, and a message needs it twice. So on
//! Linux each thread takes a place in a table, which it finds by the address of its control block: the ABI keeps that in a register.
//! A place is never given back, also when it was made beside a table that was full: a later thread whose control block has the same address
//! has the same place; nobody has it meanwhile.
//!
//! A service and its [`Ctx`](crate::Ctx) remember thread and place of where they ran last ([`Near`]): most often it is the same one, and then
//! one comparison is all. In the handler of a message, whose `Ctx` has just been made, the compiler sees that there is nothing to compare.

use std::cell::Cell;

use super::outlet::{NOBODY, Outlet};

/// The head of the service whose turn it is, from a pointer to all of it; outside of turns [`NOBODY`].
pub(super) type Place = Cell<*const Outlet>;

const fn free() -> Place {
    Cell::new(&raw const NOBODY.0)
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
        use std::ffi::c_int;
        use std::ptr;

        use crate::runtime::core::Core;

        thread_local! {
            static VARIABLE: Place = const { free() };
        }

        /// That of this thread; it is there as long as the thread.
        #[inline]
        pub(super) fn place() -> *const Place {
            VARIABLE.with(ptr::from_ref)
        }

        /// Where the place of a thread is; here each thread knows.
        #[derive(Clone, Copy)]
        pub(crate) struct Near;

        impl Near {
            pub(crate) const fn nobody() -> Near {
                Near
            }

            pub(super) fn this_thread() -> Near {
                Near
            }

            pub(super) fn is_here(self) -> bool {
                true
            }

            pub(super) fn here(core: &Core, kind: c_int) -> Option<Near> {
                (!core.is_rare(kind)).then_some(Near)
            }

            pub(super) fn place(self) -> Option<*const Place> {
                Some(place())
            }
        }
    }
}
