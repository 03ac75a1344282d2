//! The module `skynet.debugger` of the debug adapter.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use libc::{c_int, c_void};
use mlua_sys::{LUA_OK, LUA_TNIL, LUA_TTABLE, lua_geti, luaL_loadbufferx};
use skynet_support::{Entry, State, lua_functions};

use super::breakpoints::{self, Breakpoint, File};
use super::{ADAPTER_SERVICE, ENTRY, ERRORS, JUST_MY_CODE, VMS, exceptions, files, notices};
use crate::services::builtin::embedded;
use crate::services::builtin::snlua::core;

/// Script of the service that is the adapter.
pub(super) const SCRIPT: &str = "debug_adapter";

/// Whether the service that runs is the node's adapter. There is one, or none if the config wants none; who launches that
/// script once more, or opens this module elsewhere, has no part in what an editor does.
fn is_mine() -> bool {
    let service = core::current();
    service != 0 && ADAPTER_SERVICE.load(Ordering::SeqCst) == service
}

/// Raises where the service is not the adapter.
pub(super) fn check_mine(state: State<'_>) {
    if !is_mine() {
        state.error(c"this service is not the debug adapter of the node");
    }
}

/// `mine()`: whether this service is the node's adapter. Else the functions that change something raise.
fn mine(state: State<'_>) -> c_int {
    state.push_boolean(is_mine());
    1
}

/// `attach()`: there is an editor from now on.
fn attach(state: State<'_>) -> c_int {
    check_mine(state);
    super::attach(core::current());
    0
}

/// `detach()`: no editor is attached. Services that are stopped go on, and nothing is watched for.
fn detach(state: State<'_>) -> c_int {
    check_mine(state);
    super::attach(0);
    0
}

/// `ready()`: the node may begin.
fn ready(state: State<'_>) -> c_int {
    check_mine(state);
    super::editor_is_ready();
    0
}

/// `options { caught =, uncaught =, justmycode =, entry = }`; nil leaves one of the last two as it is.
fn options(state: State<'_>) -> c_int {
    check_mine(state);
    state.check_kind(1, LUA_TTABLE);
    // SAFETY: a table, and room.
    let filters = unsafe { exceptions::read_filters(state.raw(), 1) };
    ERRORS.store(filters, Ordering::Relaxed);
    for (name, flag) in [(c"justmycode", &JUST_MY_CODE), (c"entry", &ENTRY)] {
        if state.get_field(1, name) != LUA_TNIL {
            flag.store(state.to_boolean(-1), Ordering::Relaxed);
        }
        state.pop(1);
    }
    super::changed();
    0
}

/// `breakpoints(path, list)`: those of a file, in the place of all others: `{ id, line, condition, hit condition, log message }` each,
/// "" for what it has not.
fn breakpoints(state: State<'_>) -> c_int {
    check_mine(state);
    let path = state.check_bytes(1);
    state.check_kind(2, LUA_TTABLE);
    let count = state.raw_len(2) as i64;
    // Looked at before anything is allocated: what is wrong raises.
    for place in 1..=count {
        push_item(state, place);
        for field in 1..=5 {
            // SAFETY: a table, and room.
            unsafe { lua_geti(state.raw(), 3, field) };
            if field <= 2 {
                state.check_integer(-1);
            } else {
                state.check_bytes(-1);
            }
            state.pop(1);
        }
        state.pop(1);
    }
    set_breakpoints(state, path, count);
    super::changed();
    0
}

fn push_item(state: State<'_>, place: i64) {
    // SAFETY: the list is at 2, and there is room.
    unsafe { lua_geti(state.raw(), 2, place) };
    state.check_kind(3, LUA_TTABLE);
}

/// Nothing here raises: the list was looked at, and reading plain tables allocates nothing.
fn set_breakpoints(state: State<'_>, path: &[u8], count: i64) {
    let mut file: File = Vec::with_capacity(count as usize);
    for place in 1..=count {
        push_item(state, place);
        let field = |field: i64| {
            // SAFETY: the item at 3 is a table (`push_item`), and there is room for a value.
            unsafe { mlua_sys::lua_rawgeti(state.raw(), 3, field) };
        };
        let text = |number: i64| {
            field(number);
            let text = state.to_bytes(-1).unwrap_or_default().to_vec();
            state.pop(1);
            text
        };
        let number = |number: i64| {
            field(number);
            let value = state.to_integer(-1);
            state.pop(1);
            value
        };
        file.push(Breakpoint {
            id: number(1),
            line: number(2) as c_int,
            condition: text(3),
            hit_condition: text(4),
            log: text(5),
            hits: AtomicU64::new(0),
            is_off: AtomicBool::new(false),
        });
        state.pop(1);
    }
    breakpoints::set(path, file);
}

/// `services()`: a list of `{ handle, launch arguments }`.
fn services(state: State<'_>) -> c_int {
    let mut next = 0;
    state.create_table(0, 0);
    // One at a time: making a string may raise, and no lock may be held then.
    for place in 1.. {
        let found = {
            let vms = VMS.lock();
            let mut later = vms.range(next..);
            later
                .next()
                .map(|(&handle, vm)| (handle, std::sync::Arc::clone(vm)))
        };
        let Some((handle, vm)) = found else { break };
        state.create_table(2, 0);
        state.push_integer(handle.into());
        state.raw_set_i(-2, 1);
        let vm = std::sync::Arc::into_raw(vm);
        // SAFETY: the reference is this function's; if there is no memory for the string it is never given back.
        unsafe {
            state.push_bytes((*vm).name.as_bytes());
            drop(std::sync::Arc::from_raw(vm));
        }
        state.raw_set_i(-2, 2);
        state.raw_set_i(-2, place);
        let Some(following) = handle.checked_add(1) else {
            break;
        };
        next = following;
    }
    1
}

/// `pause(handle [, anywhere])`: lets the service stop as soon as it runs code of the application, or any. True if it does run, nothing if there is no such Lua service.
fn pause(state: State<'_>) -> c_int {
    check_mine(state);
    let handle = state.check_integer(1) as u32;
    match super::pause(handle, state.to_boolean(2)) {
        None => 0,
        Some(runs) => {
            state.push_boolean(runs);
            1
        }
    }
}

/// `post(handle, request [, leaves])`: a request for a stopped service; one that `leaves` lets it go on, so what it does for other
/// requests ends. False if it is not stopped.
fn post(state: State<'_>) -> c_int {
    check_mine(state);
    let handle = state.check_integer(1) as u32;
    let sent = super::post(handle, state.check_bytes(2).into(), state.to_boolean(3));
    state.push_boolean(sent);
    1
}

/// `canonical(path)`: what files are compared by.
fn canonical(state: State<'_>) -> c_int {
    let path = breakpoints::canonical(state.check_bytes(1)).into_boxed_slice();
    let path = Box::into_raw(path);
    // SAFETY: the box is this function's; while the string is made it is but an address.
    unsafe {
        state.push_bytes(&*path);
        drop(Box::from_raw(path));
    }
    1
}

/// A line of a function, for [`lines`].
///
/// # Safety
/// `ud` is the list of [`lines`], which nothing else uses meanwhile.
unsafe extern "C" fn note_line(ud: *mut c_void, line: c_int) {
    // SAFETY: contract of this function.
    unsafe { (*ud.cast::<Vec<c_int>>()).push(line) };
}

/// `lines(text)`: the lines of a source at which something can stop, in their order; nil and the reason when it does not compile.
fn lines(state: State<'_>) -> c_int {
    let text = state.check_bytes(1);
    // A program may begin with a line for the shell.
    let skipped = if text.first() == Some(&b'#') {
        text.iter()
            .position(|&byte| byte == b'\n')
            .unwrap_or(text.len())
    } else {
        0
    };
    let text = &text[skipped..];
    // SAFETY: the text is an argument. Loading raises nothing.
    let status = unsafe {
        let (start, len) = (text.as_ptr().cast(), text.len());
        luaL_loadbufferx(state.raw(), start, len, c"=file".as_ptr(), c"t".as_ptr())
    };
    if status != LUA_OK {
        state.push_nil();
        state.insert(-2);
        return 2;
    }
    let mut found: Vec<c_int> = Vec::new();
    // SAFETY: a function at the top; nothing raises while the list is there as such.
    unsafe {
        let ud = (&raw mut found).cast();
        skynet_lua::lua_activelines(state.raw().cast(), -1, note_line, ud);
    }
    found.sort_unstable();
    found.dedup();
    let found = Box::into_raw(found.into_boxed_slice());
    // SAFETY: the box is this function's.
    unsafe {
        state.create_table(found.len() as c_int, 0);
        for (place, &line) in (1..).zip(&*found) {
            state.push_integer(line.into());
            state.raw_set_i(-2, place);
        }
        drop(Box::from_raw(found));
    }
    1
}

/// `inside(path)`: the source of a file inside of the executable, by its path `embedded/NAME`; nothing if there is none.
fn inside(state: State<'_>) -> c_int {
    let path = state.check_bytes(1);
    let name = path.strip_prefix(embedded::FOLDER.as_bytes());
    match name.and_then(embedded::find) {
        None => 0,
        Some(file) => {
            state.push_bytes(file.source());
            1
        }
    }
}

// They keep the rules of `State`.
const FUNCTIONS: &[Entry] = lua_functions!(unsafe {
    c"mine" => mine,
    c"attach" => attach,
    c"detach" => detach,
    c"waiting" => notices::waiting,
    c"next" => notices::next,
    c"ready" => ready,
    c"options" => options,
    c"breakpoints" => breakpoints,
    c"services" => services,
    c"pause" => pause,
    c"post" => post,
    c"canonical" => canonical,
    c"lines" => lines,
    c"inside" => inside,
    c"read" => files::read_file,
    c"special" => files::special,
});

/// Opens `skynet.debugger`: pushes its table.
///
/// # Safety
/// Called by Lua.
pub unsafe extern "C-unwind" fn open(state: *mut mlua_sys::lua_State) -> c_int {
    // SAFETY: by the rules of a Lua function (CONTRIBUTING.md).
    unsafe { State::new(state) }.push_module(FUNCTIONS);
    1
}
