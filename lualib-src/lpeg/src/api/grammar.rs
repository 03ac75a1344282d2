//! Tables as grammars.

use libc::c_int;
use mlua_sys::{LUA_MINSTACK, lua_Integer};
use skynet_support::State;
use skynet_support::state::Shown;

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
pub(super) fn create(state: State<'_>, index: c_int) -> Pattern {
    let top = state.top();
    let rules = collect(state, index);
    if rules.count > MAX_RULES {
        state.argument_error(index, c"grammar has too many rules");
    }
    let grammar = join(state, rules);
    resolve(state, rules, grammar);
    match check(grammar.tree()) {
        Ok(facts) => grammar.set_facts(facts),
        Err(fault) => refuse(state, rules, fault),
    }
    state.replace(top + 1);
    state.set_top(top + 1);
    grammar
}

/// Pushes the names and patterns of the rules, the initial one first.
fn collect(state: State<'_>, index: c_int) -> Rules {
    let numbers = state.top() + 1;
    let mut rules = Rules { numbers, count: 0 };
    state.create_table(0, 0);
    push_initial(state, index);
    number(state, &mut rules);
    state.push_nil();
    while state.next(index) {
        let initial = state.to_number(-2) == 1.0 || state.equal(-2, rules.name(0));
        if initial {
            state.pop(1);
            continue;
        }
        if Pattern::test(state, -1).is_none() {
            let name = name_of(state, -2);
            state.error_with(format_args!("rule '{name}' is not a pattern"));
        }
        state.reserve_for(LUA_MINSTACK, c"grammar has too many rules");
        number(state, &mut rules);
        // The key goes on being used for the table.
        state.push_copy(-2);
    }
    rules
}

/// Pushes the name and the pattern of the initial rule: entry 1, or the entry whose name that is.
fn push_initial(state: State<'_>, index: c_int) {
    state.raw_get_i(index, 1);
    if state.is_string(-1) {
        state.push_copy(-1);
        state.get_table(index);
    } else {
        state.push_integer(1);
        state.insert(-2);
    }
    if Pattern::test(state, -1).is_none() {
        if state.is_nil(-1) {
            state.error(c"grammar has no initial rule");
        }
        let name = Shown(state.to_bytes(-2).unwrap_or(b"(null)"));
        state.error_with(format_args!("initial rule '{name}' is not a pattern"));
    }
}

/// Gives the rule on top of the stack its number.
fn number(state: State<'_>, rules: &mut Rules) {
    rules.count += 1;
    state.push_copy(-2);
    state.push_integer(rules.count.into());
    state.set_table(rules.numbers);
}

/// Pushes a grammar of all rules, whose calls are open.
fn join(state: State<'_>, rules: Rules) -> Pattern {
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
    state.create_table(0, 0);
    writer.node(Op::Grammar, shape.nodes);
    for rule in 0..rules.count {
        state.get_user_value(rules.pattern(rule), VALUES);
        let shift = table::append(state, -1, -2);
        state.pop(1);
        let tree = Pattern::check(state, rules.pattern(rule)).tree();
        writer.node(Op::Rule(rule == 0), 1 + tree.nodes.len());
        writer.tree(tree, shift);
    }
    state.set_user_value(-2, VALUES);
    grammar
}

/// Turns the open calls of the grammar on top of the stack into calls of its rules.
fn resolve(state: State<'_>, rules: Rules, grammar: Pattern) {
    state.get_user_value(-1, VALUES);
    // Where each rule is: a table of Lua's, since what is raised below would not free a vector.
    state.create_table(rules.count, 0);
    let count = grammar.tree().nodes.len();
    for (i, rule) in (1..).zip(grammar.tree().children(0)) {
        state.push_integer(rule as lua_Integer);
        state.raw_set_i(-2, i);
    }
    for at in 0..count {
        let Op::OpenCall(key) = grammar.tree().nodes[at].op else {
            continue;
        };
        state.raw_get_i(-2, key.into());
        state.get_table(rules.numbers);
        let number = state.to_integer(-1);
        state.pop(1);
        if number == 0 {
            state.raw_get_i(-2, key.into());
            let name = name_of(state, -1);
            state.error_with(format_args!("rule '{name}' undefined in given grammar"));
        }
        state.raw_get_i(-1, number);
        let rule = state.to_integer(-1) as usize;
        state.pop(1);
        // SAFETY: no tree of it is in use.
        let nodes = unsafe { grammar.nodes_mut() };
        nodes[at].op = Op::Call(rule as i32 - at as i32);
        nodes[rule].op = Op::Rule(true);
    }
    state.pop(2);
}

/// The facts of a grammar, if it has no fault.
fn check(tree: Tree) -> Result<Facts, Fault> {
    let facts = facts(tree);
    verify(tree, &facts)?;
    Ok(facts[0])
}

fn refuse(state: State<'_>, rules: Rules, fault: Fault) -> ! {
    let name = |rule: usize| name_of(state, rules.name(rule as c_int));
    match fault {
        Fault::LeftRecursion(rule) => {
            let name = name(rule);
            state.error_with(format_args!("rule '{name}' may be left recursive"))
        }
        Fault::EmptyLoop(rule) => {
            let name = name(rule);
            state.error_with(format_args!("empty loop in rule '{name}'"))
        }
    }
}
