//! Where a step ends.

use std::ptr;

use mlua_sys::{LUA_OK, LUA_YIELD, lua_Debug, lua_State, lua_getstack, lua_status};

use super::super::sample::Resumers;
use super::{Local, hook};

/// Before the first frame of a coroutine: no line is there.
const OUTSIDE: isize = -1;

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
    /// Null: any.
    pub coroutine: *mut lua_State,
    /// A line of its ends the step if its function's frame begins here or further out ([`base`]).
    base: isize,
    /// It began in the Lua layer, so it may end there.
    pub in_layer: bool,
    /// It leads to the first line of the application.
    pub entry: bool,
}

impl Step {
    pub const NONE: Step = Step {
        mode: Mode::None,
        coroutine: ptr::null_mut(),
        base: 0,
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

    /// A step to the next line of the application, in whichever coroutine.
    pub fn to_application() -> Step {
        Step {
            mode: Mode::In,
            base: OUTSIDE,
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
        // SAFETY: contract of this function.
        let (here, caller) = unsafe { bases(coroutine) };
        Step {
            mode,
            coroutine,
            base: if mode == Mode::Out { caller } else { here },
            in_layer,
            entry: false,
        }
    }

    pub fn is_on(self) -> bool {
        self.mode != Mode::None
    }

    /// The step goes on in the coroutine that has resumed its own, and ends there at the next line: of the function in which that waits,
    /// whose frame begins at `base`, or of who has called it; a step into functions at any.
    pub fn goes_on_in(self, resumer: *mut lua_State, base: isize) -> Step {
        let mode = match self.mode {
            Mode::Out => Mode::Over,
            mode => mode,
        };
        Step {
            mode,
            coroutine: resumer,
            base,
            ..self
        }
    }

    /// Whether it ends with a yield of its coroutine that a function at `base` asks for. One that a function which was called does belongs
    /// to the call that is stepped over.
    pub fn leaves_at(self, base: isize) -> bool {
        self.mode == Mode::In || self.base >= base || self.base == OUTSIDE
    }

    /// Whether a line of `coroutine`, in the function of `frame`, is one at which the step may end.
    ///
    /// # Safety
    /// As for [`Step::from`]; `frame` is of a function on its stack.
    pub unsafe fn ends_in(
        self,
        coroutine: *mut lua_State,
        frame: &lua_Debug,
        resumers: &Resumers,
    ) -> bool {
        if coroutine != self.coroutine {
            return self.mode == Mode::In
                && self.concerns(coroutine, resumers)
                // SAFETY: contract of this function.
                && !unsafe { is_in_finalizer(coroutine, frame, OUTSIDE) };
        }
        match self.mode {
            Mode::None => false,
            // SAFETY: contract of this function.
            Mode::In => !unsafe { is_in_finalizer(coroutine, frame, self.base) },
            // SAFETY: contract of this function.
            Mode::Over | Mode::Out => self.base >= unsafe { base(coroutine, frame) },
        }
    }

    /// Whether lines of `coroutine` have to be looked at: it is the step's own, or the step may lead into it.
    pub fn concerns(self, coroutine: *mut lua_State, resumers: &Resumers) -> bool {
        if !self.is_on() {
            return false;
        }
        if coroutine == self.coroutine || self.coroutine.is_null() {
            return true;
        }
        self.mode == Mode::In && resumers.of(coroutine).any(|state| state == self.coroutine)
    }
}

/// The step that is under way. One whose coroutine is no more, as it was closed or collected, is over.
pub(super) fn current(local: &Local) -> Step {
    let step = local.step.get();
    if !step.is_on() || step.coroutine.is_null() || has_place(local) {
        return step;
    }
    set(local, Step::NONE);
    // SAFETY: the instance outlives `local`, and belongs to the thread that runs the service.
    unsafe { (*local.instance).interrupt.watch(hook::is_watched(local)) };
    Step::NONE
}

/// Begins a step, or ends the one that is under way.
pub(super) fn set(local: &Local, step: Step) {
    local.step.set(step);
    // SAFETY: as in `current`.
    unsafe { (*local.instance).interrupt.followed.set(step.coroutine) };
}

/// Whether the coroutine of the step is there, and in a function.
fn has_place(local: &Local) -> bool {
    // SAFETY: as in `current`. Lua writes null for a coroutine that is freed. `lua_Debug` is plain data.
    unsafe {
        let followed = (*local.instance).interrupt.followed.get();
        if followed.is_null() {
            return false;
        }
        match lua_status(followed) {
            LUA_YIELD => true,
            // It runs, or waits for one that it has resumed; or else it was closed, or has nothing to do any more.
            LUA_OK => lua_getstack(followed, 0, &mut std::mem::zeroed()) != 0,
            _ => false,
        }
    }
}

/// Whether the collector has called the function of `frame`, or one that has called it, of those whose frames begin above `outermost`: it
/// has come in between, and a step into functions passes over it.
///
/// # Safety
/// As for [`base`].
unsafe fn is_in_finalizer(state: *mut lua_State, frame: &lua_Debug, outermost: isize) -> bool {
    // SAFETY: contract of this function; `lua_Debug` is plain data.
    unsafe {
        let mut frame = ptr::read(frame);
        while base(state, &frame) > outermost {
            if skynet_lua::lua_isfinalizer(state.cast(), (&raw const frame).cast()) != 0 {
                return true;
            }
            if !hook::to_caller(state, &mut frame) {
                break;
            }
        }
        false
    }
}

/// Where the frame of a function begins on the stack of its coroutine ([`skynet_lua::lua_framebase`]).
///
/// # Safety
/// `frame` is of a function on the stack of `state`, a coroutine of a VM that the calling thread runs.
pub(super) unsafe fn base(state: *mut lua_State, frame: &lua_Debug) -> isize {
    // SAFETY: contract of this function.
    unsafe { skynet_lua::lua_framebase(state.cast(), ptr::from_ref(frame).cast()) }
}

/// Where the frames begin of the function that `state` is in, and of who has called that; [`OUTSIDE`] for what is not there.
///
/// # Safety
/// As for [`Step::from`].
unsafe fn bases(state: *mut lua_State) -> (isize, isize) {
    // SAFETY: contract of this function; `lua_Debug` is plain data that the call fills in.
    unsafe {
        let mut frame: lua_Debug = std::mem::zeroed();
        if lua_getstack(state, 0, &mut frame) == 0 {
            return (OUTSIDE, OUTSIDE);
        }
        let here = base(state, &frame);
        let has_caller = hook::to_caller(state, &mut frame);
        (
            here,
            if has_caller {
                base(state, &frame)
            } else {
                OUTSIDE
            },
        )
    }
}
