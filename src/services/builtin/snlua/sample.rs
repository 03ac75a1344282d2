//! The stack of a VM for a profile: as the hook that [`super::interrupt`] has set finds it, between two instructions, or as the allocator
//! finds it ([`super::allocations`]); on the thread that runs the service. Nothing of it is kept in the VM: names are copied to
//! where the profile is.
//!
//! A task that resumes a coroutine, which resumes another, makes one stack: what resumes coroutines keeps a list of who
//! waits for whom ([`Resumers`]), which is on the stack of the thread. A coroutine that a C module resumes is not on it.

use std::cell::Cell;
use std::ffi::{CStr, c_char};
use std::fmt::Write as _;
use std::{iter, mem, ptr};

use super::core::clean;
use libc::c_int;
use mlua_sys::{lua_Debug, lua_State, lua_getinfo, lua_getstack};

/// Frames of a coroutine that are shown: the innermost ones.
const MOST_FRAMES: c_int = 100;
/// Coroutines that one has resumed after the other.
const MOST_COROUTINES: usize = 16;
/// Bytes of a name, and of a file name.
const MOST_NAME: usize = 100;

/// A coroutine that waits for one that it has resumed.
struct Resumer {
    state: *mut lua_State,
    before: *const Resumer,
}

/// The coroutines that wait for the running one; the innermost first. For the thread that runs the VM, outside of signal handlers.
/// Lua knows the word, and takes those out over whom an error goes ([`skynet_lua::Running::waiting`]).
#[repr(transparent)]
pub(super) struct Resumers(Cell<*const Resumer>);

impl Resumers {
    pub fn new() -> Resumers {
        Resumers(Cell::new(ptr::null()))
    }

    /// Lets another coroutine run, for which `state` waits until `run` returns. `run` does not unwind; if an error of Lua goes over it,
    /// nothing in it may have anything to drop, and this one is no longer in the list.
    #[inline]
    pub fn wait<T>(&self, state: *mut lua_State, run: impl FnOnce() -> T) -> T {
        let before = self.0.get();
        // Stands here until `run` has returned, and is not looked at later.
        let resumer = Resumer { state, before };
        self.0.set(&raw const resumer);
        let result = run();
        self.0.set(before);
        result
    }

    /// Those that wait for `coroutine`, which runs or is one of them; the innermost first. They are alive as long as it runs.
    pub fn of(&self, coroutine: *mut lua_State) -> impl Iterator<Item = *mut lua_State> {
        // SAFETY: each is on the stack of a function that has not returned, and has not been left by an error, or else it would not be
        // in the list.
        let resumer = |place: *const Resumer| unsafe { place.as_ref() };
        let all = move |first| {
            iter::successors(resumer(first), move |here| resumer(here.before))
                .map(|here| here.state)
        };
        let first = self.0.get();
        let skipped = all(first).position(|state| state == coroutine);
        all(first).skip(skipped.map_or(0, |place| place + 1))
    }
}

/// The stack of a VM in which `running` runs, from the outermost frame on with `;` between. `called` is the C function
/// that took the time and has just returned, null if it was none.
///
/// # Safety
/// The calling thread runs the VM, and is in a hook of `running` or in the allocator; `running` exists.
pub(super) unsafe fn stack(
    resumers: &Resumers,
    running: *mut lua_State,
    called: *const c_char,
) -> String {
    let mut text = String::new();
    let mut chain = [running; MOST_COROUTINES];
    let mut len = 1;
    let mut next = resumers.0.get();
    // SAFETY: who waits for the running coroutine is in `Resumers::wait`, where its `Resumer` stands, and is alive; what is called
    // neither allocates in the VM nor raises.
    unsafe {
        while let Some(resumer) = next.as_ref()
            && len < MOST_COROUTINES
        {
            chain[len] = resumer.state;
            len += 1;
            next = resumer.before;
        }
        for &state in chain[..len].iter().rev() {
            frames(state, &mut text);
        }
        if !called.is_null() {
            separate(&mut text);
            text.push_str("[C] ");
            push_name(&mut text, called);
        }
    }
    text
}

/// Appends the frames of one coroutine.
///
/// # Safety
/// As [`stack`], for the coroutine that runs or one that waits for it.
unsafe fn frames(state: *mut lua_State, text: &mut String) {
    // SAFETY: contract of this function.
    unsafe {
        let is_moved = skynet_lua::skynet_lua_pinstack(state.cast()) != 0;
        let mut frame: lua_Debug = mem::zeroed();
        let mut depth = 0;
        while depth < MOST_FRAMES && lua_getstack(state, depth, &mut frame) != 0 {
            depth += 1;
        }
        if depth == MOST_FRAMES && lua_getstack(state, depth, &mut frame) != 0 {
            separate(text);
            text.push_str("...");
        }
        for level in (0..depth).rev() {
            if lua_getstack(state, level, &mut frame) != 0
                && lua_getinfo(state, c"Sn".as_ptr(), &mut frame) != 0
            {
                separate(text);
                push_frame(text, &frame);
            }
        }
        if is_moved {
            skynet_lua::skynet_lua_unpinstack(state.cast());
        }
    }
}

/// `name (file:line)`, with the line where the function begins; `main chunk (file)`; `[C] name`.
///
/// # Safety
/// `frame` is filled by `lua_getinfo` with "Sn", and its function is still active.
unsafe fn push_frame(text: &mut String, frame: &lua_Debug) {
    // SAFETY: filled by `lua_getinfo`.
    unsafe {
        match CStr::from_ptr(frame.what).to_bytes() {
            b"C" => {
                text.push_str("[C] ");
                push_name(text, frame.name);
            }
            b"main" => {
                text.push_str("main chunk (");
                push_name(text, frame.short_src.as_ptr());
                text.push(')');
            }
            _ => {
                let unnamed = frame.name.is_null();
                push_name(
                    text,
                    if unnamed {
                        c"function".as_ptr()
                    } else {
                        frame.name
                    },
                );
                text.push_str(" (");
                push_name(text, frame.short_src.as_ptr());
                let _ = write!(text, ":{})", frame.linedefined);
            }
        }
    }
}

fn separate(text: &mut String) {
    if !text.is_empty() {
        text.push(';');
    }
}

/// A name as it can stand in a line: not too long, and without what separates frames.
///
/// # Safety
/// `name` is null or a C string.
unsafe fn push_name(text: &mut String, name: *const c_char) {
    if name.is_null() {
        text.push('?');
        return;
    }
    // SAFETY: a C string.
    let name = unsafe { CStr::from_ptr(name) }.to_bytes();
    let name = &name[..name.len().min(MOST_NAME)];
    text.push_str(&clean(&String::from_utf8_lossy(name)));
}
