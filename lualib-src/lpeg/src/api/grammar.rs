//! Tables as grammars.

use libc::c_int;
use mlua_sys::{
    LUA_MINSTACK, LUA_OPEQ, lua_Integer, lua_State, lua_compare, lua_createtable,
    lua_getiuservalue, lua_gettable, lua_gettop, lua_insert, lua_isnil, lua_isstring, lua_next,
    lua_pop, lua_pushinteger, lua_pushnil, lua_pushvalue, lua_rawgeti, lua_rawseti, lua_replace,
    lua_setiuservalue, lua_settable, lua_settop, lua_tointeger, lua_tonumber, lua_tostring,
    luaL_argerror, luaL_checkstack, luaL_error,
};

use super::pattern::{Pattern, Shape};
use super::table::{self, VALUES, name_of};
use crate::facts::{Facts, facts};
use crate::tree::{Op, Tree};
use crate::verify::{Fault, verify};

/// The most rules of a grammar.
const MAX_RULES: c_int = 1000;

/// Where the parts of a grammar are on Lua's stack while it is made.
#[derive(Clone, Copy)]
struct Rules {
    /// A table from the name of a rule to its number, from 1. The names and patterns of the rules follow.
    numbers: c_int,
    count: c_int,
}

impl Rules {
    /// The place of the name of a rule with a number from 0.
    fn name(self, rule: c_int) -> c_int {
        self.numbers + 1 + 2 * rule
    }

    /// The place of its pattern.
    fn pattern(self, rule: c_int) -> c_int {
        self.name(rule) + 1
    }
}

/// Pushes the grammar of the table at `index`.
///
/// # Safety
/// Called by a function of the module. May raise an error.
pub(super) unsafe fn create(state: *mut lua_State, index: c_int) -> Pattern {
    // SAFETY: as the caller promises. Nothing with a destructor is alive across a call of Lua's.
    unsafe {
        let top = lua_gettop(state);
        let rules = collect(state, index);
        if rules.count > MAX_RULES {
            luaL_argerror(state, index, c"grammar has too many rules".as_ptr());
        }
        let grammar = join(state, rules);
        resolve(state, rules, grammar);
        match check(grammar.tree()) {
            Ok(facts) => grammar.set_facts(facts),
            Err(fault) => refuse(state, rules, fault),
        }
        lua_replace(state, top + 1);
        lua_settop(state, top + 1);
        grammar
    }
}

/// Pushes the names and patterns of the rules, the initial one first.
unsafe fn collect(state: *mut lua_State, index: c_int) -> Rules {
    // SAFETY: as for `create`.
    unsafe {
        let numbers = lua_gettop(state) + 1;
        let mut rules = Rules { numbers, count: 0 };
        lua_createtable(state, 0, 0);
        push_initial(state, index);
        number(state, &mut rules);
        lua_pushnil(state);
        while lua_next(state, index) != 0 {
            let initial = lua_tonumber(state, -2) == 1.0
                || lua_compare(state, -2, rules.name(0), LUA_OPEQ) != 0;
            if initial {
                lua_pop(state, 1);
                continue;
            }
            if Pattern::test(state, -1).is_none() {
                let text = c"rule '%s' is not a pattern".as_ptr();
                luaL_error(state, text, name_of(state, -2));
            }
            luaL_checkstack(state, LUA_MINSTACK, c"grammar has too many rules".as_ptr());
            number(state, &mut rules);
            // The key goes on being used for the table.
            lua_pushvalue(state, -2);
        }
        rules
    }
}

/// Pushes the name and the pattern of the initial rule: entry 1, or the entry whose name that is.
unsafe fn push_initial(state: *mut lua_State, index: c_int) {
    // SAFETY: as for `create`.
    unsafe {
        lua_rawgeti(state, index, 1);
        if lua_isstring(state, -1) != 0 {
            lua_pushvalue(state, -1);
            lua_gettable(state, index);
        } else {
            lua_pushinteger(state, 1);
            lua_insert(state, -2);
        }
        if Pattern::test(state, -1).is_none() {
            if lua_isnil(state, -1) != 0 {
                luaL_error(state, c"grammar has no initial rule".as_ptr());
            }
            let text = c"initial rule '%s' is not a pattern".as_ptr();
            luaL_error(state, text, lua_tostring(state, -2));
        }
    }
}

/// Gives the rule on top of the stack its number.
unsafe fn number(state: *mut lua_State, rules: &mut Rules) {
    // SAFETY: as for `create`.
    unsafe {
        rules.count += 1;
        lua_pushvalue(state, -2);
        lua_pushinteger(state, rules.count.into());
        lua_settable(state, rules.numbers);
    }
}

/// Pushes a grammar of all rules, whose calls are open.
unsafe fn join(state: *mut lua_State, rules: Rules) -> Pattern {
    // SAFETY: as for `create`.
    unsafe {
        let mut shape = Shape {
            nodes: 1,
            sets: 0,
            facts: Facts::leaf(Op::OpenCall(0)),
            depth: 0,
        };
        for rule in 0..rules.count {
            let pattern = Pattern::check(state, rules.pattern(rule));
            shape.nodes += 1 + pattern.tree().nodes.len();
            shape.sets += pattern.tree().sets.len();
            shape.depth = shape.depth.max(pattern.depth() + 2);
        }
        let (grammar, mut writer) = Pattern::create(state, shape);
        lua_createtable(state, 0, 0);
        writer.node(Op::Grammar, shape.nodes);
        for rule in 0..rules.count {
            lua_getiuservalue(state, rules.pattern(rule), VALUES);
            let shift = table::append(state, -1, -2);
            lua_pop(state, 1);
            let tree = Pattern::check(state, rules.pattern(rule)).tree();
            writer.node(Op::Rule(rule == 0), 1 + tree.nodes.len());
            writer.tree(tree, shift);
        }
        lua_setiuservalue(state, -2, VALUES);
        grammar
    }
}

/// Turns the open calls of the grammar on top of the stack into calls of its rules.
unsafe fn resolve(state: *mut lua_State, rules: Rules, grammar: Pattern) {
    // SAFETY: as for `create`; each reference to the nodes is gone before the next one is taken.
    unsafe {
        lua_getiuservalue(state, -1, VALUES);
        // Where each rule is: a table of Lua's, since what is raised below would not free one of ours.
        lua_createtable(state, rules.count, 0);
        let tree = grammar.tree();
        for (i, rule) in (1..).zip(tree.children(0)) {
            lua_pushinteger(state, rule as lua_Integer);
            lua_rawseti(state, -2, i);
        }
        for at in 0..tree.nodes.len() {
            let Op::OpenCall(key) = grammar.nodes_mut()[at].op else {
                continue;
            };
            lua_rawgeti(state, -2, key.into());
            lua_gettable(state, rules.numbers);
            let number = lua_tointeger(state, -1);
            lua_pop(state, 1);
            if number == 0 {
                lua_rawgeti(state, -2, key.into());
                let text = c"rule '%s' undefined in given grammar".as_ptr();
                luaL_error(state, text, name_of(state, -1));
            }
            lua_rawgeti(state, -1, number);
            let rule = lua_tointeger(state, -1) as usize;
            lua_pop(state, 1);
            let nodes = grammar.nodes_mut();
            nodes[at].op = Op::Call(rule as i32 - at as i32);
            nodes[rule].op = Op::Rule(true);
        }
        lua_pop(state, 2);
    }
}

/// The facts of a grammar, if it has no fault.
fn check(tree: Tree) -> Result<Facts, Fault> {
    let facts = facts(tree);
    verify(tree, &facts)?;
    Ok(facts[0])
}

unsafe fn refuse(state: *mut lua_State, rules: Rules, fault: Fault) {
    let (text, rule) = match fault {
        Fault::LeftRecursion(rule) => (c"rule '%s' may be left recursive", rule),
        Fault::EmptyLoop(rule) => (c"empty loop in rule '%s'", rule),
    };
    // SAFETY: as for `create`.
    unsafe {
        let name = name_of(state, rules.name(rule as c_int));
        luaL_error(state, text.as_ptr(), name);
    }
}
