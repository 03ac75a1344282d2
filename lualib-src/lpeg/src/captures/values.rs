//! The values of captures, on Lua's stack.

use libc::c_int;
use mlua_sys::{
    LUA_MULTRET, lua_Integer, lua_State, lua_call, lua_createtable, lua_gettable, lua_gettop,
    lua_insert, lua_isnil, lua_istable, lua_pop, lua_pushinteger, lua_pushlstring, lua_pushnil,
    lua_pushvalue, lua_rawgeti, lua_rawseti, lua_replace, lua_settable, luaL_checkstack,
    luaL_error,
};

use super::{Capture, List, NO_END, text};
use crate::api::Slots;
use crate::tree::{CaptureKind, Key};

/// How deep captures may be nested for their values.
const MAX_DEPTH: u32 = 201;

/// How deep captures that make text may be nested in each other.
const MAX_TEXT_DEPTH: u32 = 1000;

/// Goes through a list and makes values.
pub(super) struct Values {
    pub state: *mut lua_State,
    pub subject: *const u8,
    pub slots: Slots,
    entries: *const Capture,
    count: u32,
    /// The entry whose values are next.
    pub at: u32,
    /// Where on the stack the first value goes.
    first: c_int,
    /// Whose value is in the cache slot.
    cached: Key,
    depth: u32,
    /// The same for captures that make text.
    text_depth: u32,
}

/// Pushes the values of all captures, or the end of the match if there is none; returns how many.
///
/// # Safety
/// The match is over; the slots and the subject are those of the match.
pub unsafe fn push_all(
    state: *mut lua_State,
    list: &List,
    slots: Slots,
    subject: *const u8,
    end: u32,
) -> c_int {
    // SAFETY: as the caller promises.
    unsafe {
        let mut values = Values::new(state, list, slots, subject);
        values.first = lua_gettop(state) + 1;
        let mut count = 0;
        while values.at < values.count {
            count += values.push();
        }
        if count == 0 {
            lua_pushinteger(state, lua_Integer::from(end) + 1);
            count = 1;
        }
        count
    }
}

// SAFETY (for all methods): they are called with the slots of a match, with nothing alive that has a destructor, and with an
// entry at `at`. There is room on Lua's stack for what they push: each calls `reserve` at its beginning, or where nested
// captures may have used that up. Any of them may raise an error.
impl Values {
    pub(super) unsafe fn new(
        state: *mut lua_State,
        list: &List,
        slots: Slots,
        subject: *const u8,
    ) -> Values {
        Values {
            state,
            subject,
            slots,
            entries: list.entries,
            count: list.count,
            at: 1,
            first: 0,
            cached: 0,
            depth: 0,
            text_depth: 0,
        }
    }

    /// Keeps accumulators from the values that are on the stack now. Returns what `first` was, to set it again.
    pub(super) unsafe fn shield(&mut self) -> c_int {
        // SAFETY: see above.
        let first = unsafe { lua_gettop(self.state) } + 1;
        std::mem::replace(&mut self.first, first)
    }

    /// Undoes `shield`.
    pub(super) fn unshield(&mut self, first: c_int) {
        self.first = first;
    }

    pub(super) unsafe fn entry(&self, index: u32) -> Capture {
        debug_assert!(index < self.count);
        // SAFETY: see above.
        unsafe { *self.entries.add(index as usize) }
    }

    /// Makes room for a few values on Lua's stack.
    unsafe fn reserve(&self) {
        // SAFETY: see above.
        unsafe { luaL_checkstack(self.state, 4, c"too many captures".as_ptr()) };
    }

    /// Whether the present entry is directly in `parent`.
    pub(super) unsafe fn inside(&self, parent: u32) -> bool {
        // SAFETY: the entry is one of the list.
        self.at < self.count && unsafe { self.entry(self.at) }.parent == parent
    }

    /// Goes on behind the present entry and all within it.
    pub(super) unsafe fn skip(&mut self) {
        let head = self.at;
        self.at += 1;
        // SAFETY: the entry is one of the list.
        while self.at < self.count && unsafe { self.entry(self.at) }.parent >= head {
            self.at += 1;
        }
    }

    /// Pushes the Lua value of a key.
    pub(super) unsafe fn push_key(&self, key: Key) {
        // SAFETY: see above.
        unsafe {
            if key == 0 {
                lua_pushnil(self.state);
            } else {
                lua_rawgeti(self.state, self.slots.values(), key.into());
            }
        }
    }

    /// Puts the Lua value of a key where it stays until the next call of this; returns the place.
    pub(super) unsafe fn cache(&mut self, key: Key) -> c_int {
        let slot = self.slots.cache();
        if key != self.cached {
            // SAFETY: see above.
            unsafe {
                self.reserve();
                self.push_key(key);
                lua_replace(self.state, slot);
            }
            self.cached = key;
        }
        slot
    }

    unsafe fn push_text(&self, capture: Capture) {
        debug_assert!(capture.end != NO_END);
        let length = (capture.end - capture.start) as usize;
        // SAFETY: captures are within the subject.
        unsafe {
            let text = self.subject.add(capture.start as usize);
            lua_pushlstring(self.state, text.cast(), length);
        }
    }

    /// Pushes the values of all captures within the present one; also its text, if `text` is set or there are no values.
    pub(super) unsafe fn push_nested(&mut self, text: bool) -> c_int {
        let head = self.at;
        self.at += 1;
        let mut count = 0;
        // SAFETY: see above.
        unsafe {
            while self.inside(head) {
                count += self.push();
            }
            if text || count == 0 {
                self.reserve();
                self.push_text(self.entry(head));
                count += 1;
            }
        }
        count
    }

    /// The same, of which only the first stays.
    unsafe fn push_first_nested(&mut self) {
        // SAFETY: see above.
        unsafe {
            let count = self.push_nested(false);
            lua_pop(self.state, count - 1);
        }
    }

    unsafe fn too_deep(&self) {
        // SAFETY: see above.
        unsafe { luaL_error(self.state, c"subcapture nesting too deep".as_ptr()) };
    }

    /// Counts a capture that makes text as entered.
    pub(super) unsafe fn enter_text(&mut self) {
        self.text_depth += 1;
        if self.text_depth > MAX_TEXT_DEPTH {
            // SAFETY: see above.
            unsafe { self.too_deep() };
        }
    }

    /// Counts it as left.
    pub(super) fn leave_text(&mut self) {
        self.text_depth -= 1;
    }

    /// Pushes the values of the present capture; returns how many.
    pub(super) unsafe fn push(&mut self) -> c_int {
        let state = self.state;
        // SAFETY: see above.
        unsafe {
            let capture = self.entry(self.at);
            self.reserve();
            self.depth += 1;
            if self.depth > MAX_DEPTH {
                self.too_deep();
            }
            let count = match capture.kind {
                CaptureKind::Simple => {
                    let count = self.push_nested(true);
                    // The whole text comes first.
                    if count > 1 {
                        lua_insert(state, -count);
                    }
                    count
                }
                CaptureKind::Position => {
                    lua_pushinteger(state, lua_Integer::from(capture.start) + 1);
                    self.skip();
                    1
                }
                CaptureKind::Constant => {
                    self.push_key(capture.key);
                    self.skip();
                    1
                }
                CaptureKind::Argument => self.argument(capture.key),
                CaptureKind::Runtime => {
                    lua_pushvalue(state, self.slots.runtime(capture.key));
                    self.skip();
                    1
                }
                CaptureKind::Format | CaptureKind::Substitution => {
                    text::push(self);
                    1
                }
                CaptureKind::Group if capture.key == 0 => self.push_nested(false),
                CaptureKind::Group => {
                    self.skip();
                    0
                }
                CaptureKind::BackReference => self.reference(capture.key),
                CaptureKind::Table => self.table(),
                CaptureKind::Function => {
                    let top = lua_gettop(state);
                    self.push_key(capture.key);
                    let first = self.shield();
                    let count = self.push_nested(false);
                    self.unshield(first);
                    lua_call(state, count, LUA_MULTRET);
                    lua_gettop(state) - top
                }
                CaptureKind::Accumulator => self.accumulate(capture.key),
                CaptureKind::Query => self.query(capture.key),
                CaptureKind::Number => self.number(capture.key),
                CaptureKind::Fold => self.fold(capture.key),
            };
            self.depth -= 1;
            count
        }
    }

    unsafe fn argument(&mut self, number: Key) -> c_int {
        // SAFETY: see above.
        unsafe {
            match self.slots.argument(number) {
                Some(place) => lua_pushvalue(self.state, place),
                None => {
                    let text = c"reference to absent extra argument #%d".as_ptr();
                    luaL_error(self.state, text, c_int::from(number));
                }
            }
            self.skip();
        }
        1
    }

    /// The values of the group that the present capture refers to.
    unsafe fn reference(&mut self, name: Key) -> c_int {
        let here = self.at;
        // SAFETY: see above.
        unsafe {
            self.push_key(name);
            self.at = self.find_group(here);
            let count = self.push_nested(false);
            self.at = here;
            self.skip();
            count
        }
    }

    unsafe fn table(&mut self) -> c_int {
        let state = self.state;
        let head = self.at;
        self.at += 1;
        let mut length = 0;
        // SAFETY: see above.
        unsafe {
            lua_createtable(state, 0, 0);
            while self.inside(head) {
                let capture = self.entry(self.at);
                if capture.kind == CaptureKind::Group && capture.key != 0 {
                    self.reserve();
                    self.push_key(capture.key);
                    let first = self.shield();
                    self.push_first_nested();
                    self.unshield(first);
                    lua_settable(state, -3);
                } else {
                    let count = self.push();
                    // For an accumulator the table itself is the last value, so it may not be one any more.
                    if lua_istable(state, -1 - count) == 0 {
                        let text = c"invalid context for an accumulator capture".as_ptr();
                        luaL_error(state, text);
                    }
                    for i in (1..=count).rev() {
                        lua_rawseti(state, -i - 1, length + lua_Integer::from(i));
                    }
                    length += lua_Integer::from(count);
                }
            }
        }
        1
    }

    unsafe fn query(&mut self, table: Key) -> c_int {
        let state = self.state;
        // SAFETY: see above.
        unsafe {
            self.push_first_nested();
            let table = self.cache(table);
            lua_gettable(state, table);
            if lua_isnil(state, -1) == 0 {
                return 1;
            }
            lua_pop(state, 1);
        }
        0
    }

    unsafe fn fold(&mut self, function: Key) -> c_int {
        let state = self.state;
        let head = self.at;
        self.at += 1;
        // SAFETY: see above.
        unsafe {
            let count = if self.inside(head) { self.push() } else { 0 };
            if count == 0 {
                luaL_error(state, c"no initial value for fold capture".as_ptr());
            }
            lua_pop(state, count - 1);
            while self.inside(head) {
                let function = self.cache(function);
                self.reserve();
                lua_pushvalue(state, function);
                lua_insert(state, -2);
                let count = self.push();
                lua_call(state, count + 1, 1);
            }
        }
        1
    }

    /// Replaces the last value by what the function makes of it.
    unsafe fn accumulate(&mut self, function: Key) -> c_int {
        let state = self.state;
        // SAFETY: see above; there is a value.
        unsafe {
            if lua_gettop(state) < self.first {
                let text = c"no previous value for accumulator capture".as_ptr();
                luaL_error(state, text);
            }
            self.push_key(function);
            lua_insert(state, -2);
            let count = self.push_nested(false);
            lua_call(state, count + 1, 1);
        }
        0
    }

    unsafe fn number(&mut self, number: Key) -> c_int {
        let state = self.state;
        let number = c_int::from(number);
        // SAFETY: see above.
        unsafe {
            if number == 0 {
                self.skip();
                return 0;
            }
            let count = self.push_nested(false);
            if count < number {
                luaL_error(state, c"no capture '%d'".as_ptr(), number);
            }
            lua_pop(state, count - number);
            if number > 1 {
                lua_replace(state, -number);
                lua_pop(state, number - 2);
            }
        }
        1
    }
}
