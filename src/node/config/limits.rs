//! What a config file may cost when it is only looked at: one that has no end must not keep who looks at it.

use libc::c_void;
use mlua_sys::lua55::{
    LUA_MASKCOUNT, lua_Alloc, lua_Debug, lua_State, lua_getallocf, lua_setallocf, lua_sethook,
};
use skynet_support::State;
use std::ptr;

/// Memory above what the state has had before.
const MOST_MEMORY: usize = 256 << 20;
/// Instructions of Lua: some tenths of a second.
const MOST_INSTRUCTIONS: i32 = 50_000_000;

/// An allocator in front of the state's own one, which gives so much and no more.
struct Allocator {
    allocate: lua_Alloc,
    context: *mut c_void,
    given: usize,
    most: usize,
}

/// The limits of a state, which has their address: they live until it is closed.
pub struct Limits(*mut Allocator);

impl Limits {
    /// Limits a state.
    ///
    /// # Safety
    /// `state` is open and runs nothing, and it is closed before the result goes.
    pub unsafe fn of(state: State<'_>) -> Limits {
        let state = state.raw();
        let mut context = ptr::null_mut();
        // SAFETY: contract of this function.
        unsafe {
            let allocate = lua_getallocf(state, &mut context);
            let limits = Box::into_raw(Box::new(Allocator {
                allocate,
                context,
                given: 0,
                most: MOST_MEMORY,
            }));
            lua_setallocf(state, limited, limits.cast());
            lua_sethook(state, Some(too_long), LUA_MASKCOUNT, MOST_INSTRUCTIONS);
            Limits(limits)
        }
    }

    /// No more limit of memory: for what is done with the state where an error would end the process.
    pub fn lift(&self) {
        // SAFETY: `of` made it, and Lua, which has it too, does not run now.
        unsafe { (*self.0).most = usize::MAX };
    }
}

impl Drop for Limits {
    fn drop(&mut self) {
        // SAFETY: `of` made it, and the state that had it is closed.
        drop(unsafe { Box::from_raw(self.0) });
    }
}

/// The allocator of a limited state.
///
/// # Safety
/// `limits` is what [`Limits::of`] gave Lua, which is alive; the rest is as Lua calls an allocator (Lua 5.5 manual, `lua_Alloc`).
unsafe extern "C" fn limited(
    limits: *mut c_void,
    block: *mut c_void,
    had: usize,
    wanted: usize,
) -> *mut c_void {
    // SAFETY: contract of this function; nobody else has it while Lua allocates.
    let limits = unsafe { &mut *limits.cast::<Allocator>() };
    // For a new block the old size is its type.
    let old = if block.is_null() { 0 } else { had };
    if wanted > old && limits.given.saturating_add(wanted - old) > limits.most {
        return ptr::null_mut();
    }
    // SAFETY: the state's own allocator, its context, and the block as Lua knows it.
    let new = unsafe { (limits.allocate)(limits.context, block, had, wanted) };
    if wanted == 0 || !new.is_null() {
        // Blocks of before are freed here as well.
        limits.given = limits.given.saturating_add(wanted).saturating_sub(old);
    }
    new
}

/// The hook of a limited state, after so many instructions.
///
/// # Safety
/// Lua calls it as a hook, with its running state.
unsafe extern "C-unwind" fn too_long(state: *mut lua_State, _: *mut lua_Debug) {
    // SAFETY: Lua calls its hook where an error may be raised; what follows keeps the rules of `State`.
    let state = unsafe { State::new(state) };
    state.push_text(c"does not come to an end");
    state.raise()
}
