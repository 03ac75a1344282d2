//! Patterns as userdata. A pattern holds its tree; its table of Lua values is its first user value, and its program, once it
//! is compiled, the second. There is nothing to finalize.

use std::{ptr, slice};

use libc::c_int;
use mlua_sys::{
    LUA_REGISTRYINDEX, LUA_TSTRING, lua_State, lua_createtable, lua_getiuservalue,
    lua_getmetatable, lua_newuserdatauv, lua_pop, lua_pushcfunction, lua_pushfstring,
    lua_pushvalue, lua_rawequal, lua_rawgeti, lua_rawgetp, lua_rawsetp, lua_setfield,
    lua_setiuservalue, lua_setmetatable, lua_tostring, lua_touserdata, lua_upvalueindex,
    luaL_argerror, luaL_error, luaL_getmetafield, luaL_typename,
};

use super::PATTERN;
use super::table::{VALUES, name_of};
use crate::charset::CharSet;
use crate::compile::{Refusal, compile};
use crate::facts::Facts;
use crate::program::{Inst, Program};
use crate::tree::{MAX_DEPTH, MAX_NODES, Node, Op, Tree, Writer};

/// The user value with the program.
const PROGRAM: c_int = 2;

/// What a pattern's userdata begins with; the sets follow, and the nodes.
#[repr(C)]
struct Header {
    facts: Facts,
    depth: u32,
    sets: u32,
    nodes: u32,
    /// The program, null before it is needed.
    program: *const Block,
}

/// A pattern on Lua's stack.
#[derive(Clone, Copy)]
pub(super) struct Pattern(*mut Header);

/// What a new pattern has: numbers of nodes and sets, facts, and depth.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    pub nodes: usize,
    pub sets: usize,
    pub facts: Facts,
    pub depth: u32,
}

impl Pattern {
    /// The pattern at `index`, if it is one. Of the calling function the first upvalue is the metatable of patterns.
    ///
    /// # Safety
    /// Called by a function of the module; the result is used as long as the value is on the stack.
    pub unsafe fn test(state: *mut lua_State, index: c_int) -> Option<Pattern> {
        // SAFETY: as the caller promises; the metatable is on patterns only.
        unsafe {
            let block = lua_touserdata(state, index);
            if block.is_null() || lua_getmetatable(state, index) == 0 {
                return None;
            }
            let same = lua_rawequal(state, -1, lua_upvalueindex(1)) != 0;
            lua_pop(state, 1);
            same.then_some(Pattern(block.cast()))
        }
    }

    /// The pattern at `index`; anything else is an error.
    ///
    /// # Safety
    /// As for `test`.
    pub unsafe fn check(state: *mut lua_State, index: c_int) -> Pattern {
        // SAFETY: as the caller promises.
        unsafe {
            if let Some(pattern) = Pattern::test(state, index) {
                return pattern;
            }
            let actual = if luaL_getmetafield(state, index, c"__name".as_ptr()) == LUA_TSTRING {
                lua_tostring(state, -1)
            } else {
                luaL_typename(state, index)
            };
            let text = c"%s expected, got %s".as_ptr();
            let text = lua_pushfstring(state, text, PATTERN.as_ptr(), actual);
            luaL_argerror(state, index, text);
            unreachable!("the error was raised")
        }
    }

    /// Pushes a new pattern, whose tree is to be written before anything else is done with it.
    ///
    /// # Safety
    /// As for `test`.
    pub unsafe fn create(state: *mut lua_State, shape: Shape) -> (Pattern, Writer<'static>) {
        // SAFETY: the block has room for what is written to it. The writer is used while the pattern is on the stack.
        unsafe {
            if shape.nodes > MAX_NODES {
                luaL_error(state, c"pattern too large".as_ptr());
            }
            if shape.depth > MAX_DEPTH {
                let text = c"pattern nested too deep (limit is %d)".as_ptr();
                luaL_error(state, text, MAX_DEPTH as c_int);
            }
            let size = size_of::<Header>()
                + shape.sets * size_of::<CharSet>()
                + shape.nodes * size_of::<Node>();
            let header = lua_newuserdatauv(state, size, PROGRAM).cast::<Header>();
            header.write(Header {
                facts: shape.facts,
                depth: shape.depth,
                sets: shape.sets as u32,
                nodes: shape.nodes as u32,
                program: ptr::null(),
            });
            let pattern = Pattern(header);
            let (sets, nodes) = pattern.memory();
            sets.write_bytes(0, shape.sets);
            let blank = Node {
                op: Op::True,
                size: 1,
            };
            for i in 0..shape.nodes {
                nodes.add(i).write(blank);
            }
            lua_pushvalue(state, lua_upvalueindex(1));
            lua_setmetatable(state, -2);
            let writer = Writer::new(
                slice::from_raw_parts_mut(nodes, shape.nodes),
                slice::from_raw_parts_mut(sets, shape.sets),
            );
            (pattern, writer)
        }
    }

    unsafe fn memory(self) -> (*mut CharSet, *mut Node) {
        // SAFETY: sets and nodes follow the header, in the order of their alignment.
        unsafe {
            let sets = self.0.add(1).cast::<CharSet>();
            let nodes = sets.add((*self.0).sets as usize).cast::<Node>();
            (sets, nodes)
        }
    }

    /// The tree.
    ///
    /// # Safety
    /// The value is on the stack as long as the tree is used, and nothing writes to it.
    pub unsafe fn tree<'a>(self) -> Tree<'a> {
        // SAFETY: as the caller promises.
        unsafe {
            let (sets, nodes) = self.memory();
            Tree {
                nodes: slice::from_raw_parts(nodes, (*self.0).nodes as usize),
                sets: slice::from_raw_parts(sets, (*self.0).sets as usize),
            }
        }
    }

    /// The nodes, to change them.
    ///
    /// # Safety
    /// As for `tree`; there is no other reference to the nodes.
    pub unsafe fn nodes_mut<'a>(self) -> &'a mut [Node] {
        // SAFETY: as the caller promises.
        unsafe { slice::from_raw_parts_mut(self.memory().1, (*self.0).nodes as usize) }
    }

    /// What is known of it.
    pub unsafe fn facts(self) -> Facts {
        // SAFETY: the value is on the stack.
        unsafe { (*self.0).facts }
    }

    /// Corrects what is known of it.
    pub unsafe fn set_facts(self, facts: Facts) {
        // SAFETY: the value is on the stack.
        unsafe { (*self.0).facts = facts }
    }

    /// How deep the tree is.
    pub unsafe fn depth(self) -> u32 {
        // SAFETY: the value is on the stack.
        unsafe { (*self.0).depth }
    }

    /// The program of the pattern at `index`; compiles it first if need be.
    ///
    /// # Safety
    /// As for `test`. May raise an error.
    pub unsafe fn program<'a>(self, state: *mut lua_State, index: c_int) -> &'a Block {
        // SAFETY: the program stays as long as the pattern, of which it is a user value.
        unsafe {
            if (*self.0).program.is_null() {
                let desk = push_desk(state);
                match compile(self.tree()) {
                    Ok(program) => *desk = program,
                    Err(refusal) => refuse(state, index, refusal),
                }
                let block = Block::create(state, &*desk);
                lua_setiuservalue(state, index, PROGRAM);
                (*self.0).program = block;
                *desk = Program::default();
                lua_pop(state, 1);
            }
            &*(*self.0).program
        }
    }
}

unsafe fn refuse(state: *mut lua_State, index: c_int, refusal: Refusal) {
    // SAFETY: called with a pattern at `index`; nothing with a destructor is alive.
    unsafe {
        match refusal {
            Refusal::TooLarge => luaL_error(state, c"pattern code too large".as_ptr()),
            Refusal::OpenCall(key) => {
                lua_getiuservalue(state, index, VALUES);
                lua_rawgeti(state, -1, key.into());
                let text = c"rule '%s' used outside a grammar".as_ptr();
                luaL_error(state, text, name_of(state, -1))
            }
        };
    }
}

/// Pushes a userdata that owns a program while it is being made: if Lua raises an error then, the program is freed with it.
unsafe fn push_desk(state: *mut lua_State) -> *mut Program {
    static KEY: u8 = 0;
    // SAFETY: called by a function of the module; the program is valid from the start.
    unsafe {
        let desk = lua_newuserdatauv(state, size_of::<Program>(), 0).cast::<Program>();
        desk.write(Program::default());
        if lua_rawgetp(state, LUA_REGISTRYINDEX, (&raw const KEY).cast()) == 0 {
            lua_pop(state, 1);
            lua_createtable(state, 0, 1);
            lua_pushcfunction(state, free_desk);
            lua_setfield(state, -2, c"__gc".as_ptr());
            lua_pushvalue(state, -1);
            lua_rawsetp(state, LUA_REGISTRYINDEX, (&raw const KEY).cast());
        }
        lua_setmetatable(state, -2);
        desk
    }
}

unsafe extern "C-unwind" fn free_desk(state: *mut lua_State) -> c_int {
    // SAFETY: the metatable is on such userdata only and not within reach of Lua code. The program stays valid.
    unsafe {
        let desk = lua_touserdata(state, 1).cast::<Program>();
        *desk = Program::default();
    }
    0
}

/// A program in one block of Lua's memory.
pub(crate) struct Block {
    code: *const Inst,
    count: u32,
    sets: *const CharSet,
    ranges: *const (u32, u32),
}

impl Block {
    /// Pushes a copy of a program.
    unsafe fn create(state: *mut lua_State, program: &Program) -> *const Block {
        let (code, sets, ranges) = (&program.code, &program.sets, &program.ranges);
        let size = size_of::<Block>()
            + size_of_val(&code[..])
            + size_of_val(&sets[..])
            + size_of_val(&ranges[..]);
        // SAFETY: the block has room for all parts, each of which has a size that keeps the next one aligned.
        unsafe {
            let block = lua_newuserdatauv(state, size, 0).cast::<Block>();
            let sets_at = block.add(1).cast::<CharSet>();
            let code_at = sets_at.add(sets.len()).cast::<Inst>();
            let ranges_at = code_at.add(code.len()).cast::<(u32, u32)>();
            ptr::copy_nonoverlapping(sets.as_ptr(), sets_at, sets.len());
            ptr::copy_nonoverlapping(code.as_ptr(), code_at, code.len());
            ptr::copy_nonoverlapping(ranges.as_ptr(), ranges_at, ranges.len());
            block.write(Block {
                code: code_at,
                count: code.len() as u32,
                sets: sets_at,
                ranges: ranges_at,
            });
            block
        }
    }

    /// The first instruction.
    pub fn code(&self) -> *const Inst {
        self.code
    }

    /// The number of the last instruction.
    pub fn last(&self) -> u32 {
        self.count - 1
    }

    /// A set.
    ///
    /// # Safety
    /// The number is one of the program.
    #[inline(always)]
    pub unsafe fn set(&self, index: u16) -> &CharSet {
        // SAFETY: as the caller promises.
        unsafe { &*self.sets.add(index.into()) }
    }

    /// A range of code points.
    ///
    /// # Safety
    /// The number is one of the program.
    #[inline(always)]
    pub unsafe fn range(&self, index: u32) -> (u32, u32) {
        // SAFETY: as the caller promises.
        unsafe { *self.ranges.add(index as usize) }
    }

    /// All instructions.
    pub fn instructions(&self) -> &[Inst] {
        // SAFETY: the code has so many instructions.
        unsafe { slice::from_raw_parts(self.code, self.count as usize) }
    }
}
