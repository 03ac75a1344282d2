//! The module `skynet.debugchannel`: what connects a debug console with the service that it debugs.
//!
//! A service that is stopped in the debugger receives no messages; so the lines that an operator types come through a
//! channel, which the service reads while it stands.

mod channel;
mod hook;

use std::ffi::CStr;
use std::ptr;
use std::sync::Arc;
use std::time::Duration;

use libc::c_int;
use skynet_support::{State, lua_function, lua_functions, lua_module};

use crate::Entry;
use channel::Channel;

const FUNCTIONS: &[Entry] = lua_functions!(unsafe {
    c"create" => create,
    c"connect" => connect,
    c"release" => release,
    c"sethook" => hook::sethook,
});

const METHODS: &[Entry] = lua_functions!(unsafe {c"read" => read, c"write" => write});

const TYPE: &CStr = c"debugchannel";

/// The unit of `read`'s limit.
const TENTH: Duration = Duration::from_millis(100);

lua_module!(unsafe luaopen_skynet_debugchannel => FUNCTIONS);

/// One end of a channel in Lua; null after its release.
struct End {
    channel: *const Channel,
}

/// Pushes an end without a channel yet.
fn push_end(state: State<'_>) -> &mut End {
    let end: *mut End = state.push_userdata(0);
    // SAFETY: there is room for it.
    unsafe {
        end.write(End {
            channel: ptr::null(),
        })
    };
    if state.new_metatable(TYPE) {
        state.create_table(0, METHODS.len() as c_int);
        state.register(METHODS, 0);
        state.set_field(-2, c"__index");
        state.push_function(lua_function!(unsafe release));
        state.set_field(-2, c"__gc");
    }
    state.set_metatable(-2);
    // SAFETY: it is on the stack, and complete.
    unsafe { &mut *end }
}

/// The end in argument 1.
fn end(state: State<'_>) -> &mut End {
    // SAFETY: userdata of this kind are made by `push_end`, and live while they are arguments.
    unsafe { &mut *state.check_userdata(1, TYPE) }
}

/// The channel of argument 1.
fn channel(state: State<'_>) -> &Channel {
    // SAFETY: an end with a channel holds a reference to it.
    match unsafe { end(state).channel.as_ref() } {
        Some(channel) => channel,
        None => state.argument_error(1, c"the channel is released"),
    }
}

/// `create()`: the first end of a new channel, and its address for [`connect`].
fn create(state: State<'_>) -> c_int {
    let end = push_end(state);
    end.channel = Arc::into_raw(Channel::create());
    state.push_light(end.channel);
    2
}

/// `connect(address)`: the second end of a channel. Raises if it has one already, or is gone.
fn connect(state: State<'_>) -> c_int {
    let wanted: *const Channel = state.to_userdata(1).cast();
    if wanted.is_null() {
        state.error(c"Invalid channel pointer");
    }
    let end = push_end(state);
    match Channel::connect(wanted) {
        Some(channel) => end.channel = Arc::into_raw(channel),
        None => state.error(c"new channel failed"),
    }
    1
}

/// `release(end)`: gives the end back before the garbage collector does.
fn release(state: State<'_>) -> c_int {
    let channel = std::mem::replace(&mut end(state).channel, ptr::null());
    if !channel.is_null() {
        // SAFETY: the end's reference is given back once.
        unsafe { Arc::from_raw(channel) }.release();
    }
    0
}

/// `end:write(line)`.
fn write(state: State<'_>) -> c_int {
    let channel = channel(state);
    channel.write(state.check_bytes(2).into());
    0
}

/// `end:read([limit])`: the oldest line, nothing if there is none. With a limit, in tenths of a second, the whole service
/// waits for one.
fn read(state: State<'_>) -> c_int {
    let channel = channel(state);
    let limit = state.opt_number(2, 0.0);
    let limit = if limit > 0.0 { limit.min(1e6) } else { 0.0 };
    let Some(line) = channel.read(TENTH.mul_f64(limit)) else {
        return 0;
    };
    // While a line becomes a string, which may raise, it is but an address: if there is no memory for the string then the line is not
    // freed.
    let line = Box::into_raw(line);
    // SAFETY: the box is this function's.
    unsafe {
        state.push_bytes(&*line);
        drop(Box::from_raw(line));
    }
    1
}
