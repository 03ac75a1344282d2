//! Patterns as userdata. A pattern holds its tree; its table of Lua values is its first user value, and its program, once it
//! is compiled, the second. There is nothing to finalize.

use std::{ptr, slice};

use libc::c_int;
use mlua_sys::{LUA_REGISTRYINDEX, LUA_TNIL, LUA_TSTRING, lua_newuserdatauv, lua_upvalueindex};
use skynet_support::{State, lua_function};

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

/// A pattern on Lua's stack, where it stays as long as this, and what comes of it, is used (rule 3 of `skynet_support::state`).
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
    pub fn test(state: State<'_>, index: c_int) -> Option<Pattern> {
        let block = state.to_userdata(index);
        if block.is_null() || !state.get_metatable(index) {
            return None;
        }
        let same = state.raw_equal(-1, lua_upvalueindex(1));
        state.pop(1);
        same.then_some(Pattern(block.cast()))
    }

    /// The pattern at `index`; anything else is an error.
    pub fn check(state: State<'_>, index: c_int) -> Pattern {
        if let Some(pattern) = Pattern::test(state, index) {
            return pattern;
        }
        let kind = state.kind(index);
        let actual = if state.get_metafield(index, c"__name") == LUA_TSTRING {
            state.to_bytes(-1).unwrap_or_default()
        } else {
            state.type_name(kind).as_bytes()
        };
        state.push_bytes(PATTERN.to_bytes());
        state.push_bytes(b" expected, got ");
        state.push_bytes(actual);
        state.concat(3);
        state.argument_error(index, state.to_text(-1).unwrap_or_default())
    }

    /// Pushes a new pattern, whose tree is to be written before anything else is done with it.
    pub fn create(state: State<'_>, shape: Shape) -> (Pattern, Writer<'static>) {
        if shape.nodes > MAX_NODES {
            state.error(c"pattern too large");
        }
        if shape.depth > MAX_DEPTH {
            state.error_with(format_args!(
                "pattern nested too deep (limit is {MAX_DEPTH})"
            ));
        }
        let size = size_of::<Header>()
            + shape.sets * size_of::<CharSet>()
            + shape.nodes * size_of::<Node>();
        // SAFETY: the block has room for what is written to it. The writer is used while the pattern is on the stack.
        let created = unsafe {
            let header = lua_newuserdatauv(state.raw(), size, PROGRAM).cast::<Header>();
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
            let writer = Writer::new(
                slice::from_raw_parts_mut(nodes, shape.nodes),
                slice::from_raw_parts_mut(sets, shape.sets),
            );
            (pattern, writer)
        };
        state.push_copy(lua_upvalueindex(1));
        state.set_metatable(-2);
        created
    }

    fn memory(self) -> (*mut CharSet, *mut Node) {
        // SAFETY: the value is on the stack; sets and nodes follow the header, in the order of their alignment.
        unsafe {
            let sets = self.0.add(1).cast::<CharSet>();
            let nodes = sets.add((*self.0).sets as usize).cast::<Node>();
            (sets, nodes)
        }
    }

    /// The tree.
    pub fn tree<'a>(self) -> Tree<'a> {
        let (sets, nodes) = self.memory();
        // SAFETY: as many are there, and nobody writes to them while a tree is used but `nodes_mut`.
        unsafe {
            Tree {
                nodes: slice::from_raw_parts(nodes, (*self.0).nodes as usize),
                sets: slice::from_raw_parts(sets, (*self.0).sets as usize),
            }
        }
    }

    /// The nodes, to change them.
    ///
    /// # Safety
    /// There is no other reference to the nodes.
    pub unsafe fn nodes_mut<'a>(self) -> &'a mut [Node] {
        // SAFETY: as many are there; the rest as the caller promises.
        unsafe { slice::from_raw_parts_mut(self.memory().1, (*self.0).nodes as usize) }
    }

    /// What is known of it.
    pub fn facts(self) -> Facts {
        // SAFETY: the value is on the stack.
        unsafe { (*self.0).facts }
    }

    /// Corrects what is known of it.
    pub fn set_facts(self, facts: Facts) {
        // SAFETY: the value is on the stack, and nobody has a reference to it.
        unsafe { (*self.0).facts = facts }
    }

    /// How deep the tree is.
    pub fn depth(self) -> u32 {
        // SAFETY: the value is on the stack.
        unsafe { (*self.0).depth }
    }

    /// The program of this pattern, which is at `index`; compiles it first if need be. May raise an error.
    pub fn program<'a>(self, state: State<'_>, index: c_int) -> &'a Block {
        // SAFETY: the value is on the stack. The program stays as long as it, as a user value.
        unsafe {
            if (*self.0).program.is_null() {
                let desk = push_desk(state);
                match compile(self.tree()) {
                    Ok(program) => *desk = program,
                    Err(refusal) => refuse(state, index, refusal),
                }
                let block = Block::create(state, &*desk);
                state.set_user_value(index, PROGRAM);
                (*self.0).program = block;
                *desk = Program::default();
                state.pop(1);
            }
            &*(*self.0).program
        }
    }
}

fn refuse(state: State<'_>, index: c_int, refusal: Refusal) -> ! {
    match refusal {
        Refusal::TooLarge => state.error(c"pattern code too large"),
        Refusal::OpenCall(key) => {
            state.get_user_value(index, VALUES);
            state.raw_get_i(-1, key.into());
            let name = name_of(state, -1);
            state.error_with(format_args!("rule '{name}' used outside a grammar"))
        }
    }
}

/// Pushes a userdata that owns a program while it is being made: if Lua raises an error then, the program is freed with it.
fn push_desk(state: State<'_>) -> *mut Program {
    static KEY: u8 = 0;
    let desk: *mut Program = state.push_userdata(0);
    // SAFETY: there is room for it.
    unsafe { desk.write(Program::default()) };
    if state.raw_get_p(LUA_REGISTRYINDEX, &KEY) == LUA_TNIL {
        state.pop(1);
        state.create_table(0, 1);
        state.push_function(lua_function!(unsafe free_desk));
        state.set_field(-2, c"__gc");
        state.push_copy(-1);
        state.raw_set_p(LUA_REGISTRYINDEX, &KEY);
    }
    state.set_metatable(-2);
    desk
}

fn free_desk(state: State<'_>) -> c_int {
    // SAFETY: the metatable is on such userdata only and not within reach of Lua code. The program stays valid.
    unsafe {
        let desk = state.to_userdata(1).cast::<Program>();
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
    fn create(state: State<'_>, program: &Program) -> *const Block {
        let (code, sets, ranges) = (&program.code, &program.sets, &program.ranges);
        let size = size_of::<Block>()
            + size_of_val(&code[..])
            + size_of_val(&sets[..])
            + size_of_val(&ranges[..]);
        // SAFETY: the block has room for all parts, each of which has a size that keeps the next one aligned.
        unsafe {
            let block = lua_newuserdatauv(state.raw(), size, 0).cast::<Block>();
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
        // SAFETY: contract of this function.
        unsafe { &*self.sets.add(index.into()) }
    }

    /// A range of code points.
    ///
    /// # Safety
    /// The number is one of the program.
    #[inline(always)]
    pub unsafe fn range(&self, index: u32) -> (u32, u32) {
        // SAFETY: contract of this function.
        unsafe { *self.ranges.add(index as usize) }
    }

    /// All instructions.
    pub fn instructions(&self) -> &[Inst] {
        // SAFETY: the code has so many instructions.
        unsafe { slice::from_raw_parts(self.code, self.count as usize) }
    }
}
