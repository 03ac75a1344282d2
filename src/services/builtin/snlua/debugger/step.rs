//! Where a step ends.

use std::ptr;

use libc::c_int;
use mlua_sys::{lua_Debug, lua_State, lua_getstack};

use super::super::sample::Resumers;

/// What kind of step is under way.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    None,
    /// To the next line of the function, or of who called it.
    Over,
    /// To the next line of any function.
    In,
    /// To the next line of who called the function.
    Out,
}

/// A step belongs to a coroutine: one that waits in between for the answer of another service goes on with the step when it
/// comes back, whatever the service does meanwhile.
#[derive(Clone, Copy)]
pub(super) struct Step {
    pub mode: Mode,
    pub coroutine: *mut lua_State,
    /// How many functions are on its stack where the step began.
    depth: c_int,
    /// It began in the Lua layer, so it may end there.
    pub in_layer: bool,
    /// It leads to the first line of the application.
    pub entry: bool,
}

impl Step {
    pub const NONE: Step = Step {
        mode: Mode::None,
        coroutine: ptr::null_mut(),
        depth: 0,
        in_layer: false,
        entry: false,
    };

    /// A step to the next line of a main chunk that begins.
    pub fn to_entry(coroutine: *mut lua_State) -> Step {
        Step {
            mode: Mode::In,
            coroutine,
            entry: true,
            ..Step::NONE
        }
    }

    /// A step from where `coroutine` is.
    ///
    /// # Safety
    /// The coroutine exists, and the calling thread runs its VM.
    pub unsafe fn from(mode: Mode, coroutine: *mut lua_State, in_layer: bool) -> Step {
        if mode == Mode::None {
            return Step::NONE;
        }
        Step {
            mode,
            coroutine,
            // SAFETY: contract of this function.
            depth: unsafe { depth(coroutine) },
            in_layer,
            entry: false,
        }
    }

    pub fn is_on(self) -> bool {
        self.mode != Mode::None
    }

    /// The coroutine has ended: the step goes on in that which has resumed it, and ends there at the next line.
    pub fn goes_on_in(self, resumer: *mut lua_State) -> Step {
        Step {
            mode: Mode::Over,
            coroutine: resumer,
            depth: c_int::MAX,
            ..self
        }
    }

    /// Whether a line of `coroutine` is one at which the step may end.
    ///
    /// # Safety
    /// As for [`Step::from`].
    pub unsafe fn ends_in(self, coroutine: *mut lua_State, resumers: &Resumers) -> bool {
        if coroutine != self.coroutine {
            return self.mode == Mode::In && self.concerns(coroutine, resumers);
        }
        // SAFETY: contract of this function.
        let deeper = |than: c_int| unsafe { is_deeper(coroutine, than) };
        match self.mode {
            Mode::None => false,
            Mode::In => true,
            Mode::Over => !deeper(self.depth),
            Mode::Out => !deeper(self.depth - 1),
        }
    }

    /// Whether lines of `coroutine` have to be looked at: it is the step's own, or the step may lead into it.
    pub fn concerns(self, coroutine: *mut lua_State, resumers: &Resumers) -> bool {
        if !self.is_on() {
            return false;
        }
        if coroutine == self.coroutine {
            return true;
        }
        self.mode == Mode::In && resumers.of(coroutine).any(|state| state == self.coroutine)
    }
}

/// Whether more than `than` functions are on the stack.
///
/// # Safety
/// `state` is a coroutine of a VM that the calling thread runs.
unsafe fn is_deeper(state: *mut lua_State, than: c_int) -> bool {
    if than < 0 {
        return true;
    }
    // SAFETY: contract of this function; `lua_Debug` is plain data that the call fills in.
    unsafe {
        let mut activation: lua_Debug = std::mem::zeroed();
        lua_getstack(state, than, &mut activation) != 0
    }
}

/// How many functions are on the stack.
///
/// # Safety
/// As [`is_deeper`].
unsafe fn depth(state: *mut lua_State) -> c_int {
    let (mut least, mut most) = (0, 1);
    // SAFETY: contract of this function.
    unsafe {
        while is_deeper(state, most) {
            least = most;
            most *= 2;
        }
        while least < most {
            let middle = (least + most) / 2;
            if is_deeper(state, middle) {
                least = middle + 1;
            } else {
                most = middle;
            }
        }
    }
    least
}
