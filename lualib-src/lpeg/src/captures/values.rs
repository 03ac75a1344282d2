//! The values of captures, on Lua's stack.

use libc::c_int;
use mlua_sys::{LUA_MULTRET, lua_Integer};
use skynet_support::State;

use super::{Capture, List, NO_END, WHOLE, text};
use crate::api::Slots;
use crate::tree::{CaptureKind, Key};

/// How deep captures may be nested for their values.
const MAX_DEPTH: u32 = 201;

/// How deep captures that make text may be nested in each other.
const MAX_TEXT_DEPTH: u32 = 1000;

/// Goes through a list and makes values.
pub(super) struct Values<'a> {
    pub state: State<'a>,
    pub subject: &'a [u8],
    pub slots: Slots,
    entries: &'a [Capture],
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

/// Pushes the values of all captures, or the end of the match if there is none; returns how many. The match is over; the slots and
/// the subject are those of the match.
pub fn push_all(state: State<'_>, list: &List, slots: Slots, subject: &[u8], end: u32) -> c_int {
    let mut values = Values::new(state, list, slots, subject);
    values.first = state.top() + 1;
    let mut count = 0;
    while values.is_within() {
        count += values.push();
    }
    if count == 0 {
        state.push_integer(lua_Integer::from(end) + 1);
        count = 1;
    }
    count
}

// All methods are called with the slots of a match, with nothing alive that has a destructor, and with an entry at `at`. There is
// room on Lua's stack for what they push: each calls `reserve` at its beginning, or where nested captures may have used that up.
// Any of them may raise an error.
impl<'a> Values<'a> {
    pub(super) fn new(
        state: State<'a>,
        list: &'a List,
        slots: Slots,
        subject: &'a [u8],
    ) -> Values<'a> {
        Values {
            state,
            subject,
            slots,
            entries: list.entries(),
            at: 1,
            first: 0,
            cached: 0,
            depth: 0,
            text_depth: 0,
        }
    }

    /// Keeps accumulators from the values that are on the stack now. Returns what `first` was, to set it again.
    pub(super) fn shield(&mut self) -> c_int {
        let first = self.state.top() + 1;
        std::mem::replace(&mut self.first, first)
    }

    /// Undoes `shield`.
    pub(super) fn unshield(&mut self, first: c_int) {
        self.first = first;
    }

    /// An entry of the list.
    #[inline(always)]
    pub(super) fn entry(&self, index: u32) -> &'a Capture {
        debug_assert!((index as usize) < self.entries.len());
        self.entries.get(index as usize).unwrap_or(&WHOLE)
    }

    fn is_within(&self) -> bool {
        (self.at as usize) < self.entries.len()
    }

    /// Makes room for a few values on Lua's stack.
    fn reserve(&self) {
        self.state.reserve_for(4, c"too many captures");
    }

    /// Whether the present entry is directly in `parent`.
    #[inline(always)]
    pub(super) fn inside(&self, parent: u32) -> bool {
        let entry = self.entries.get(self.at as usize);
        entry.is_some_and(|entry| entry.parent == parent)
    }

    /// Goes on behind the present entry and all within it.
    pub(super) fn skip(&mut self) {
        let head = self.at;
        let behind = self.entries.get(head as usize + 1..).unwrap_or_default();
        let within = behind.iter().take_while(|entry| entry.parent >= head);
        self.at = head + 1 + within.count() as u32;
    }

    /// Pushes the Lua value of a key.
    pub(super) fn push_key(&self, key: Key) {
        if key == 0 {
            self.state.push_nil();
        } else {
            self.state.raw_get_i(self.slots.values(), key.into());
        }
    }

    /// Puts the Lua value of a key where it stays until the next call of this; returns the place.
    pub(super) fn cache(&mut self, key: Key) -> c_int {
        let slot = self.slots.cache();
        if key != self.cached {
            self.reserve();
            self.push_key(key);
            self.state.replace(slot);
            self.cached = key;
        }
        slot
    }

    fn push_text(&self, capture: &Capture) {
        debug_assert!(capture.end != NO_END);
        self.state.push_bytes(self.text(capture.start, capture.end));
    }

    /// The subject from one position to another, none if that is before.
    pub(super) fn text(&self, start: u32, end: u32) -> &'a [u8] {
        self.subject
            .get(start as usize..end as usize)
            .unwrap_or_default()
    }

    /// Pushes the values of all captures within the present one; also its text, if `text` is set or there are no values.
    pub(super) fn push_nested(&mut self, text: bool) -> c_int {
        let head = self.at;
        self.at += 1;
        let mut count = 0;
        while self.inside(head) {
            count += self.push();
        }
        if text || count == 0 {
            self.reserve();
            self.push_text(self.entry(head));
            count += 1;
        }
        count
    }

    /// The same, of which only the first stays.
    fn push_first_nested(&mut self) {
        let count = self.push_nested(false);
        self.state.pop(count - 1);
    }

    fn too_deep(&self) -> ! {
        self.state.error(c"subcapture nesting too deep")
    }

    /// Counts a capture that makes text as entered.
    pub(super) fn enter_text(&mut self) {
        self.text_depth += 1;
        if self.text_depth > MAX_TEXT_DEPTH {
            self.too_deep();
        }
    }

    /// Counts it as left.
    pub(super) fn leave_text(&mut self) {
        self.text_depth -= 1;
    }

    /// Pushes the values of the present capture; returns how many.
    pub(super) fn push(&mut self) -> c_int {
        let state = self.state;
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
                    state.insert(-count);
                }
                count
            }
            CaptureKind::Position => {
                state.push_integer(lua_Integer::from(capture.start) + 1);
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
                state.push_copy(self.slots.runtime(capture.key));
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
                let top = state.top();
                self.push_key(capture.key);
                let first = self.shield();
                let count = self.push_nested(false);
                self.unshield(first);
                state.call(count, LUA_MULTRET);
                state.top() - top
            }
            CaptureKind::Accumulator => self.accumulate(capture.key),
            CaptureKind::Query => self.query(capture.key),
            CaptureKind::Number => self.number(capture.key),
            CaptureKind::Fold => self.fold(capture.key),
        };
        self.depth -= 1;
        count
    }

    fn argument(&mut self, number: Key) -> c_int {
        match self.slots.argument(number) {
            Some(place) => self.state.push_copy(place),
            None => {
                let text = format_args!("reference to absent extra argument #{number}");
                self.state.error_with(text)
            }
        }
        self.skip();
        1
    }

    /// The values of the group that the present capture refers to.
    fn reference(&mut self, name: Key) -> c_int {
        let here = self.at;
        self.push_key(name);
        self.at = self.find_group(here);
        let count = self.push_nested(false);
        self.at = here;
        self.skip();
        count
    }

    fn table(&mut self) -> c_int {
        let state = self.state;
        let head = self.at;
        self.at += 1;
        let mut length = 0;
        state.create_table(0, 0);
        while self.inside(head) {
            let capture = self.entry(self.at);
            if capture.kind == CaptureKind::Group && capture.key != 0 {
                self.reserve();
                self.push_key(capture.key);
                let first = self.shield();
                self.push_first_nested();
                self.unshield(first);
                state.set_table(-3);
            } else {
                let count = self.push();
                // For an accumulator the table itself is the last value, so it may not be one any more.
                if !state.is_table(-1 - count) {
                    state.error(c"invalid context for an accumulator capture");
                }
                for i in (1..=count).rev() {
                    state.raw_set_i(-i - 1, length + lua_Integer::from(i));
                }
                length += lua_Integer::from(count);
            }
        }
        1
    }

    fn query(&mut self, table: Key) -> c_int {
        let state = self.state;
        self.push_first_nested();
        let table = self.cache(table);
        state.get_table(table);
        if !state.is_nil(-1) {
            return 1;
        }
        state.pop(1);
        0
    }

    fn fold(&mut self, function: Key) -> c_int {
        let state = self.state;
        let head = self.at;
        self.at += 1;
        let count = if self.inside(head) { self.push() } else { 0 };
        if count == 0 {
            state.error(c"no initial value for fold capture");
        }
        state.pop(count - 1);
        while self.inside(head) {
            let function = self.cache(function);
            self.reserve();
            state.push_copy(function);
            state.insert(-2);
            let count = self.push();
            state.call(count + 1, 1);
        }
        1
    }

    /// Replaces the last value by what the function makes of it.
    fn accumulate(&mut self, function: Key) -> c_int {
        let state = self.state;
        if state.top() < self.first {
            state.error(c"no previous value for accumulator capture");
        }
        self.push_key(function);
        state.insert(-2);
        let count = self.push_nested(false);
        state.call(count + 1, 1);
        0
    }

    fn number(&mut self, number: Key) -> c_int {
        let state = self.state;
        let number = c_int::from(number);
        if number == 0 {
            self.skip();
            return 0;
        }
        let count = self.push_nested(false);
        if count < number {
            state.error_with(format_args!("no capture '{number}'"));
        }
        state.pop(count - number);
        if number > 1 {
            state.replace(-number);
            state.pop(number - 2);
        }
        1
    }
}
