//! The part of a heap that Lua uses itself (`csrc/speed/lcells.h` of `skynet-lua`, which says how).

use std::mem::{offset_of, size_of};
use std::ptr;
use std::sync::atomic::AtomicUsize;

use super::classes::{COUNT, LARGEST};
use super::first_memory::BLOCKS;
use super::page::{Cell, Page};

/// `lua_Cells`: the lists of free cells, and what an allocation is counted with.
#[repr(C)]
pub struct Cells {
    /// Bytes that the VM has. Only the thread that runs the service writes; others may read.
    pub used: AtomicUsize,
    /// Up to here nothing is to be said or refused. Any thread may write it.
    pub unwatched: AtomicUsize,
    largest: usize,
    /// Blocks of the first memory.
    pub blocks: [*mut u8; BLOCKS],
    /// Free cells, by class.
    pub free: [*mut Cell; COUNT],
}

// As in lcells.h.
const _: () = assert!(
    LARGEST == 496
        && COUNT == 26
        && super::first_memory::SIZE == 14 * 1024
        && super::page::SIZE == 4096
        && size_of::<Cells>() == (5 + COUNT) * size_of::<usize>()
        && offset_of!(Page, free) == 0
        && offset_of!(Page, count) == 8
        && offset_of!(Page, capacity) == 10
);

impl Cells {
    pub const fn new() -> Cells {
        Cells {
            used: AtomicUsize::new(0),
            unwatched: AtomicUsize::new(usize::MAX),
            largest: LARGEST,
            blocks: [ptr::null_mut(); BLOCKS],
            free: [ptr::null_mut(); COUNT],
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::CStr;
    use std::sync::atomic::Ordering::Relaxed;

    use libc::c_void;
    use mlua_sys::{
        LUA_OK, LUA_TUSERDATA, lua_State, lua_close, lua_getallocf, lua_newstate,
        lua_newuserdatauv, lua_pcall, lua_setallocf, lua_settop, lua_tostring, luaL_loadstring,
        luaL_openlibs,
    };

    use super::super::Heap;
    use super::super::classes::{Class, LARGEST, UNIT};
    use super::Cells;

    unsafe extern "C" {
        static lua_cellclass: [u8; LARGEST / UNIT + 1];
        fn lua_setcells(state: *mut lua_State, cells: *mut Cells);
    }

    /// A heap whose allocator counts how often it is called, and what is in use by its own account.
    struct Counted {
        heap: Heap,
        calls: usize,
    }

    /// # Safety
    /// `ud` is a [`Counted`] that one thread uses; the rest is as Lua calls an allocator (Lua 5.5 manual, `lua_Alloc`).
    unsafe extern "C" fn allocate(
        ud: *mut c_void,
        block: *mut c_void,
        old: usize,
        new: usize,
    ) -> *mut c_void {
        // SAFETY: contract of this function.
        unsafe {
            let this = ud.cast::<Counted>();
            (*this).calls += 1;
            let heap = &mut (*this).heap;
            let had = if block.is_null() { 0 } else { old };
            let used = heap.cells.used.load(Relaxed) - had + new;
            heap.cells.used.store(used, Relaxed);
            if new == 0 {
                if !block.is_null() {
                    heap.dealloc(block, old);
                }
                std::ptr::null_mut()
            } else if !block.is_null() {
                heap.resize(block, old, new)
            } else if old == LUA_TUSERDATA as usize {
                heap.alloc_aligned(new)
            } else {
                heap.alloc(new)
            }
        }
    }

    /// # Safety
    /// `state` is a VM of this thread with its libraries open.
    unsafe fn run(state: *mut lua_State, code: &CStr) {
        // SAFETY: contract of this function.
        unsafe {
            let status = match luaL_loadstring(state, code.as_ptr()) {
                LUA_OK => lua_pcall(state, 0, 0, 0),
                status => status,
            };
            if status != LUA_OK {
                panic!("{:?}", CStr::from_ptr(lua_tostring(state, -1)));
            }
            lua_settop(state, 0);
        }
    }

    /// Makes and drops objects of all kinds and sizes, and checks that those that stay are what they were.
    const WORK: &CStr = c"
        local kept = {}
        for i = 1, 3000 do
            local t = {i, i + 1, x = i, y = 'text' .. i}
            t.f = function() return t.x, i end
            t.c = coroutine.wrap(function() coroutine.yield(i) end)
            t.long = ('x'):rep(i % 700)
            if i % 10 == 0 then kept[#kept + 1] = t end
        end
        for k, t in ipairs(kept) do
            local x, i = t.f()
            assert(x == 10 * k and i == x and t[2] == x + 1 and t.y == 'text' .. x)
            assert(t.c() == x and #t.long == x % 700)
        end
        -- Lua knows what it has: so much, and no more than that, is in use.
        kept = nil
        collectgarbage()
        collectgarbage()
    ";

    /// A VM with its libraries, whose cells are those of the heap, and what `allocate` counts.
    fn with_vm(test: fn(*mut lua_State, *mut Counted)) {
        let mut counted = Counted {
            heap: Heap::new(),
            calls: 0,
        };
        let this = &raw mut counted;
        // SAFETY: the allocator and its value outlive the VM.
        unsafe {
            let state = lua_newstate(allocate, this.cast(), 1);
            lua_setcells(state, &raw mut (*this).heap.cells);
            luaL_openlibs(state);
            test(state, this);
            lua_close(state);
            assert_eq!((*this).heap.cells.used.load(Relaxed), 0);
        }
    }

    #[test]
    fn classes_are_those_that_lua_reckons_with() {
        for size in 1..=LARGEST {
            // SAFETY: a constant of the library.
            let class = unsafe { lua_cellclass[size.div_ceil(UNIT)] };
            assert_eq!(usize::from(class), Class::of(size).index(), "{size}");
        }
    }

    #[test]
    fn what_lua_takes_and_puts_back_itself_is_counted_and_comes_back() {
        // SAFETY: both are what `with_vm` says.
        with_vm(|state, this| unsafe {
            run(state, WORK);
            let (before, used) = ((*this).calls, (*this).heap.cells.used.load(Relaxed));
            let pages = (*this).heap.used;
            for _ in 0..3 {
                run(state, WORK);
            }
            let calls = (*this).calls - before;
            assert!(calls < 40_000, "{calls} of some 150,000 requests");
            assert!((*this).heap.cells.used.load(Relaxed) < used + used / 8);
            assert!((*this).heap.used <= pages + pages / 4 + 4);
            for size in [1, 24, 100, 400] {
                assert!(lua_newuserdatauv(state, size, 0).addr().is_multiple_of(8));
            }
        });
    }

    #[test]
    fn an_allocator_that_is_put_before_ours_is_asked_for_everything() {
        // SAFETY: both are what `with_vm` says.
        with_vm(|state, this| unsafe {
            let mut ud = std::ptr::null_mut();
            let ours = lua_getallocf(state, &mut ud);
            lua_setallocf(state, ours, ud);
            let before = (*this).calls;
            run(state, WORK);
            assert!((*this).calls - before > 30_000);
        });
    }

    #[test]
    fn more_than_may_be_used_unwatched_is_asked_for() {
        // SAFETY: both are what `with_vm` says.
        with_vm(|state, this| unsafe {
            run(state, WORK);
            let limit = (*this).heap.cells.used.load(Relaxed) + 4096;
            (*this).heap.cells.unwatched.store(limit, Relaxed);
            let before = (*this).calls;
            run(state, c"local t = {} for i = 1, 1000 do t[i] = {} end");
            assert!((*this).calls - before > 900);
        });
    }
}
