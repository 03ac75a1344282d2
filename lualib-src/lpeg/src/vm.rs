//! The machine that runs programs.

use std::mem::MaybeUninit;
use std::ptr;

use mlua_sys::{LUA_REGISTRYINDEX, lua_newuserdatauv};
use skynet_support::State;

use crate::api::{Block, DEFAULT_STACK, MAX_STACK_KEY, Slots};
use crate::captures::{List, Mark, call_function};
use crate::program::{Inst, Label};

/// A place to go on from, or to return to.
#[derive(Clone, Copy)]
#[repr(C)]
struct Place {
    inst: Label,
    /// Position in the subject; `RETURN` where it does not matter.
    position: u32,
    mark: Mark,
}

/// The position of a place to return to. No subject is that long.
const RETURN: u32 = u32::MAX;

/// How many places are kept on the thread's stack before Lua is asked for memory.
const INLINE: usize = 64;

/// The stack of places: an array of the caller, or, when it gets long, memory of Lua.
struct Stack {
    base: *mut Place,
    top: *mut Place,
    limit: *mut Place,
}

impl Stack {
    /// Puts a place on the stack. The slots are those of the match; raises where the stack may not grow.
    #[inline(always)]
    fn push(&mut self, state: State<'_>, slots: Slots, place: Place) {
        if self.top == self.limit {
            self.grow(state, slots);
        }
        // SAFETY: there is room below the limit.
        unsafe {
            self.top.write(place);
            self.top = self.top.add(1);
        }
    }

    /// Takes the last place off the stack.
    ///
    /// # Safety
    /// The stack is not empty: the program that runs was made by the compiler, whose instructions take off only what they have put there, and at
    /// the bottom is the place to give up at.
    #[inline(always)]
    unsafe fn pop(&mut self) -> Place {
        // SAFETY: contract of this function: there is a place below the top.
        unsafe {
            debug_assert!(self.top > self.base);
            self.top = self.top.sub(1);
            *self.top
        }
    }

    /// Makes room for more places, up to the limit that `lpeg.setmaxstack` sets.
    #[cold]
    fn grow(&mut self, state: State<'_>, slots: Slots) {
        state.reserve_for(1, c"too many runtime captures");
        state.get_field(LUA_REGISTRYINDEX, MAX_STACK_KEY);
        let limit = state.to_integer(-1);
        state.pop(1);
        // SAFETY: both point into one block.
        let used = unsafe { self.top.offset_from_unsigned(self.base) };
        let allowed = (limit as usize).max(DEFAULT_STACK);
        if used >= allowed {
            let limit = limit as libc::c_int;
            state.error_with(format_args!(
                "backtrack stack overflow (current limit is {limit})"
            ));
        }
        let room = (used * 2).min(allowed);
        // SAFETY: Lua keeps the block as long as its slot has it; it has got there before the old one is gone.
        unsafe {
            let size = room * size_of::<Place>();
            let block = lua_newuserdatauv(state.raw(), size, 0).cast::<Place>();
            ptr::copy_nonoverlapping(self.base, block, used);
            state.replace(slots.stack());
            self.base = block;
            self.top = block.add(used);
            self.limit = block.add(room);
        }
    }
}

/// Decodes the UTF-8 form of a code point; returns it and its length. Surrogates are code points here.
#[inline]
fn decode(bytes: &[u8]) -> Option<(u32, usize)> {
    let &lead = bytes.first()?;
    let (length, least, mask) = match lead {
        0..0x80 => return Some((lead.into(), 1)),
        0xC2..0xE0 => (2, 0x80, 0x1F),
        0xE0..0xF0 => (3, 0x800, 0x0F),
        0xF0..0xF5 => (4, 0x1_0000, 0x07),
        _ => return None,
    };
    let mut point = u32::from(lead & mask);
    for &byte in bytes.get(1..length)? {
        if byte & 0xC0 != 0x80 {
            return None;
        }
        point = point << 6 | u32::from(byte & 0x3F);
    }
    (least..=0x10_FFFF)
        .contains(&point)
        .then_some((point, length))
}

/// Runs a program over a subject from `start`; returns where the match ends, if there is one.
///
/// In one piece: an interpreter's loop, whose arms share the position in the subject and in the code as locals, so that
/// the compiler keeps these in registers.
///
/// # Safety
/// `start` is within the subject, of less than 2^32 - 1 bytes. The slots are those of the match, and above them the stack is empty.
/// Nothing with a destructor is alive; may raise an error.
pub unsafe fn run(
    state: State<'_>,
    block: &Block,
    text: &[u8],
    start: u32,
    list: &mut List,
    slots: Slots,
) -> Option<u32> {
    let mut places = [const { MaybeUninit::<Place>::uninit() }; INLINE];
    let base = places.as_mut_ptr().cast::<Place>();
    let code = block.code();
    // Two addresses stay in registers where a slice would be looked at for each byte.
    let (subject, length) = (text.as_ptr(), text.len());
    // SAFETY: positions are within the subject. Jumps are within the code, which ends with an instruction that does not go on.
    // Captures, sets and ranges have the numbers that the compiler gave them.
    unsafe {
        let mut stack = Stack {
            base,
            top: base,
            limit: base.add(INLINE),
        };
        let give_up = Place {
            inst: block.last(),
            position: start,
            mark: list.mark(),
        };
        stack.push(state, slots, give_up);
        let end = subject.add(length);
        let mut s = subject.add(start as usize);
        let mut ip = code;
        macro_rules! position {
            () => {
                s.offset_from_unsigned(subject) as u32
            };
        }
        macro_rules! jump {
            ($to:expr) => {
                ip = code.add($to as usize)
            };
        }
        macro_rules! fail {
            () => {{
                let place = loop {
                    let place = stack.pop();
                    if place.position != RETURN {
                        break place;
                    }
                };
                list.back_to(state, place.mark);
                s = subject.add(place.position as usize);
                jump!(place.inst);
            }};
        }
        loop {
            let inst = *ip;
            ip = ip.add(1);
            match inst {
                Inst::Any(count) => {
                    if end.offset_from_unsigned(s) >= count as usize {
                        s = s.add(count as usize);
                    } else {
                        fail!();
                    }
                }
                Inst::Rest => s = end,
                Inst::Char(byte) => {
                    if s < end && *s == byte {
                        s = s.add(1);
                    } else {
                        fail!();
                    }
                }
                Inst::Set(set) => {
                    if s < end && block.set(set).contains(*s) {
                        s = s.add(1);
                    } else {
                        fail!();
                    }
                }
                Inst::Skip => s = s.add(1),
                Inst::Span(set) => {
                    let set = block.set(set);
                    while s < end && set.contains(*s) {
                        s = s.add(1);
                    }
                }
                Inst::Utf8(range) => {
                    let (from, to) = block.range(range);
                    let rest = std::slice::from_raw_parts(s, end.offset_from_unsigned(s));
                    match decode(rest) {
                        Some((point, length)) if (from..=to).contains(&point) => {
                            s = s.add(length);
                        }
                        _ => fail!(),
                    }
                }
                Inst::Behind(count) => {
                    if s.offset_from_unsigned(subject) >= usize::from(count) {
                        s = s.sub(count.into());
                    } else {
                        fail!();
                    }
                }
                Inst::TestAny(to) => {
                    if s == end {
                        jump!(to);
                    }
                }
                Inst::TestChar(byte, to) => {
                    if !(s < end && *s == byte) {
                        jump!(to);
                    }
                }
                Inst::TestSet(set, to) => {
                    if !(s < end && block.set(set).contains(*s)) {
                        jump!(to);
                    }
                }
                Inst::Jump(to) => jump!(to),
                Inst::Choice(to) => {
                    let place = Place {
                        inst: to,
                        position: position!(),
                        mark: list.mark(),
                    };
                    stack.push(state, slots, place);
                }
                Inst::Call(to) => {
                    let place = Place {
                        inst: ip.offset_from_unsigned(code) as Label,
                        position: RETURN,
                        mark: list.mark(),
                    };
                    stack.push(state, slots, place);
                    jump!(to);
                }
                Inst::Return => jump!(stack.pop().inst),
                Inst::Commit(to) => {
                    stack.pop();
                    jump!(to);
                }
                Inst::PartialCommit(to) => {
                    let place = stack.top.sub(1);
                    (*place).position = position!();
                    (*place).mark = list.mark();
                    jump!(to);
                }
                Inst::BackCommit(to) => {
                    let place = stack.pop();
                    list.back_to(state, place.mark);
                    s = subject.add(place.position as usize);
                    jump!(to);
                }
                Inst::FailTwice => {
                    stack.pop();
                    fail!();
                }
                Inst::Fail => fail!(),
                Inst::End => return Some(position!()),
                Inst::GiveUp => return None,
                Inst::Open(kind, key) => list.open(state, slots, kind, key, position!()),
                Inst::Close => list.close(position!()),
                Inst::Full(kind, key, length) => {
                    let end = position!();
                    let text = (end - u32::from(length), end);
                    list.full(state, slots, kind, key, text);
                }
                Inst::CloseRuntime => match call_function(state, list, slots, text, position!()) {
                    Some(position) => s = subject.add(position as usize),
                    None => fail!(),
                },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn what_the_standard_library_decodes_is_decoded() {
        for point in ('\0'..=char::MAX).step_by(37) {
            let mut buffer = [0; 4];
            let text = point.encode_utf8(&mut buffer).as_bytes();
            assert_eq!(decode(text), Some((point.into(), text.len())));
            assert_eq!(decode(&text[..text.len() - 1]), None);
        }
    }

    #[test]
    fn surrogates_are_decoded_and_other_bad_forms_are_not() {
        assert_eq!(decode(b"\xED\xA0\x80"), Some((0xD800, 3)));
        for bad in [
            &b""[..],
            b"\x80",
            b"\xC0\x80",
            b"\xC1\xBF",
            b"\xE0\x9F\xBF",
            b"\xF0\x8F\xBF\xBF",
            b"\xF4\x90\x80\x80",
            b"\xF8\x88\x80\x80\x80",
            b"\xFF",
            b"\xE4\xB8a",
        ] {
            assert_eq!(decode(bad), None, "{bad:x?}");
        }
    }
}
