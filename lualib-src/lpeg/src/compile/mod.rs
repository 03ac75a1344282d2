//! From trees to programs.
//!
//! A choice or a loop costs a place on the machine's stack only where the next byte does not decide. For that the compiler
//! carries three things down the tree: the set of bytes that what follows can begin with, the set that the next byte is
//! known to be in because a test came before (the guard), and whether the code is the last part of something optional, whose
//! place on the stack it may then use for itself.

mod alternatives;

use crate::charset::CharSet;
use crate::facts::{Facts, facts};
use crate::first::{First, firsts};
use crate::program::{Inst, Label, Program};
use crate::tree::{CaptureKind, Key, Op, Tree};

/// Why a pattern cannot be compiled.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// It refers to a rule, but there is no grammar; the key is that of the rule's name.
    OpenCall(Key),
    /// The program would be too large.
    TooLarge,
}

/// The most instructions of a program.
const MAX_CODE: usize = 1 << 24;

/// How many sets are looked through for an equal one.
const RECENT_SETS: usize = 64;

/// The longest text that one instruction looks behind for.
pub const MAX_BEHIND: u32 = u8::MAX as u32;

/// What surrounds a node.
#[derive(Clone, Copy)]
struct Place {
    /// The top of the stack is a place to go on right after this node, without what the node takes.
    optional: bool,
    /// The next byte is known to be one of these.
    guard: Option<CharSet>,
    /// What follows begins with one of these, or does not match.
    follow: CharSet,
}

impl Place {
    const ANYWHERE: Place = Place {
        optional: false,
        guard: None,
        follow: CharSet::FULL,
    };
}

struct Compiler<'a> {
    tree: Tree<'a>,
    facts: Vec<Facts>,
    firsts: Vec<First>,
    program: Program,
    /// The nodes of rules and where each begins. A rule may be there more than once: any will do.
    rules: Vec<(usize, Label)>,
    /// The calls that were written, and the nodes of their rules.
    calls: Vec<(Label, usize)>,
    too_large: bool,
}

/// Compiles a pattern.
pub fn compile(tree: Tree) -> Result<Program, Refusal> {
    for node in tree.nodes {
        if let Op::OpenCall(key) = node.op {
            return Err(Refusal::OpenCall(key));
        }
    }
    let facts = facts(tree);
    let firsts = firsts(tree, &facts);
    let mut compiler = Compiler {
        tree,
        facts,
        firsts,
        program: Program::default(),
        rules: Vec::new(),
        calls: Vec::new(),
        too_large: false,
    };
    compiler.node(0, &Place::ANYWHERE);
    compiler.emit(Inst::End);
    compiler.emit(Inst::GiveUp);
    if compiler.too_large {
        return Err(Refusal::TooLarge);
    }
    let mut program = compiler.program;
    compiler.rules.sort_unstable();
    for (site, rule) in compiler.calls {
        let found = compiler
            .rules
            .binary_search_by_key(&rule, |&(node, _)| node);
        let (_, begin) = compiler.rules[found.expect("a rule that is called has a program")];
        program.code[site as usize] = Inst::Call(begin);
    }
    program.shorten_jumps();
    Ok(program)
}

impl Compiler<'_> {
    fn here(&self) -> Label {
        self.program.code.len() as Label
    }

    fn emit(&mut self, inst: Inst) -> Label {
        let at = self.here();
        if self.program.code.len() < MAX_CODE {
            self.program.code.push(inst);
        } else {
            self.too_large = true;
        }
        at
    }

    /// Lets the instruction jump to here.
    fn land(&mut self, site: Label) {
        let here = self.here();
        let inst = self.program.code.get_mut(site as usize);
        if let Some(target) = inst.and_then(Inst::target) {
            *target = here;
        }
    }

    /// The number of a set. One that was used a short while ago is not put in twice.
    fn set(&mut self, set: CharSet) -> u16 {
        let sets = &mut self.program.sets;
        let recent = sets.len().saturating_sub(RECENT_SETS);
        let found = sets[recent..].iter().position(|&other| other == set);
        let index = found.map_or(sets.len(), |at| recent + at);
        if found.is_none() {
            sets.push(set);
        }
        u16::try_from(index).unwrap_or_else(|_| {
            self.too_large = true;
            0
        })
    }

    /// A jump that is taken unless the next byte is in `set`.
    fn test(&mut self, set: CharSet) -> Label {
        let inst = match set.only() {
            Some(byte) => Inst::TestChar(byte, 0),
            None if set == CharSet::FULL => Inst::TestAny(0),
            None if set == CharSet::EMPTY => Inst::Jump(0),
            None => Inst::TestSet(self.set(set), 0),
        };
        self.emit(inst)
    }

    /// The same, unless the guard says that the byte is in the set.
    fn test_unless(&mut self, guard: Option<CharSet>, set: CharSet) -> Option<Label> {
        let known = guard.is_some_and(|guard| guard.within(&set));
        (!known).then(|| self.test(set))
    }

    /// Takes a byte of the set.
    fn byte(&mut self, set: CharSet, guard: Option<CharSet>) {
        let inst = match set.only() {
            _ if guard.is_some_and(|guard| guard.within(&set)) => Inst::Skip,
            Some(byte) => Inst::Char(byte),
            None if set == CharSet::FULL => Inst::Any(1),
            None if set == CharSet::EMPTY => Inst::Fail,
            None => Inst::Set(self.set(set)),
        };
        self.emit(inst);
    }

    fn node(&mut self, at: usize, place: &Place) {
        if let Some(set) = self.tree.charset(at) {
            return self.byte(set, place.guard);
        }
        match self.tree.nodes[at].op {
            Op::Any(count) => {
                self.emit(Inst::Any(count));
            }
            Op::Utf8(from, to) => {
                self.program.ranges.push((from, to));
                self.emit(Inst::Utf8(self.program.ranges.len() as u32 - 1));
            }
            Op::Sequence => self.sequence(at, place),
            Op::Choice => self.choice(at, place),
            Op::Repeat => self.repeat(at + 1, place),
            Op::AtMost(count) => self.at_most(at + 1, count, place),
            Op::Not => self.not(at + 1),
            Op::And => self.and(at + 1, place.guard),
            Op::Behind(length) => {
                if length > 0 {
                    self.emit(Inst::Behind(length));
                }
                self.node(at + 1, &Place::ANYWHERE);
            }
            Op::Capture(kind, key) => self.capture(at + 1, kind, key, place),
            Op::Runtime(key) => {
                self.emit(Inst::Open(CaptureKind::Group, key));
                let inside = Place {
                    guard: place.guard,
                    ..Place::ANYWHERE
                };
                self.node(at + 1, &inside);
                self.emit(Inst::CloseRuntime);
            }
            Op::Grammar => self.grammar(at),
            Op::Call(distance) => {
                let site = self.emit(Inst::Call(0));
                let rule = at.wrapping_add_signed(distance as isize);
                self.calls.push((site, rule));
            }
            // The rest was dealt with: sets above, rules in their grammar, open calls before everything.
            _ => {}
        }
    }

    fn sequence(&mut self, at: usize, place: &Place) {
        let children: Vec<usize> = self.tree.children(at).collect();
        let mut follows = vec![place.follow; children.len()];
        for (i, &child) in children.iter().enumerate().skip(1).rev() {
            follows[i - 1] = match self.facts[child].nullable {
                true => self.firsts[child].with(&follows[i]),
                false => self.firsts[child].with(&CharSet::FULL),
            };
        }
        let mut guard = place.guard;
        for (i, &child) in children.iter().enumerate() {
            let inside = Place {
                optional: place.optional && i + 1 == children.len(),
                guard,
                follow: follows[i],
            };
            self.node(child, &inside);
            if self.facts[child].length.fixed() != Some(0) {
                guard = None;
            }
        }
    }

    fn capture(&mut self, body: usize, kind: CaptureKind, key: Key, place: &Place) {
        let inside = Place {
            optional: false,
            ..*place
        };
        let facts = self.facts[body];
        let length = facts.length.fixed().and_then(|n| u8::try_from(n).ok());
        match length {
            Some(length) if !facts.captures => {
                self.node(body, &inside);
                self.emit(Inst::Full(kind, key, length));
            }
            _ => {
                self.emit(Inst::Open(kind, key));
                self.node(body, &inside);
                self.emit(Inst::Close);
            }
        }
    }

    /// Looks at what follows, and comes back.
    fn and(&mut self, body: usize, guard: Option<CharSet>) {
        let inside = Place {
            guard,
            ..Place::ANYWHERE
        };
        let facts = self.facts[body];
        match facts.length.fixed() {
            // What has a fixed length and no captures is simply taken and given back.
            Some(length) if length <= MAX_BEHIND && !facts.captures => {
                self.node(body, &inside);
                if length > 0 {
                    self.emit(Inst::Behind(length as u8));
                }
            }
            _ => {
                let choice = self.emit(Inst::Choice(0));
                self.node(body, &inside);
                let commit = self.emit(Inst::BackCommit(0));
                self.land(choice);
                self.emit(Inst::Fail);
                self.land(commit);
            }
        }
    }

    fn not(&mut self, body: usize) {
        let first = self.firsts[body];
        let set = first.with(&CharSet::FULL);
        let test = first.testable().then(|| self.test(set));
        if self.facts[body].headfail {
            self.emit(Inst::Fail);
        } else {
            let choice = self.emit(Inst::Choice(0));
            let guard = test.map(|_| set);
            let inside = Place {
                guard,
                ..Place::ANYWHERE
            };
            self.node(body, &inside);
            self.emit(Inst::FailTwice);
            self.land(choice);
        }
        if let Some(test) = test {
            self.land(test);
        }
    }

    fn grammar(&mut self, at: usize) {
        let rules: Vec<usize> = self.tree.children(at).collect();
        let first = self.emit(Inst::Call(0));
        self.calls.push((first, rules[0]));
        let over = self.emit(Inst::Jump(0));
        for rule in rules {
            if self.tree.nodes[rule].op == Op::Rule(true) {
                self.rules.push((rule, self.here()));
                self.node(rule + 1, &Place::ANYWHERE);
                self.emit(Inst::Return);
            }
        }
        self.land(over);
    }
}

/// What is known of the next byte after a test.
fn tighter(guard: Option<CharSet>, set: CharSet) -> Option<CharSet> {
    Some(guard.map_or(set, |guard| guard & set))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Node;

    /// The program of a tree without sets, given by its nodes.
    fn code(nodes: &[(Op, u32)]) -> Vec<Inst> {
        let nodes: Vec<Node> = nodes.iter().map(|&(op, size)| Node { op, size }).collect();
        let tree = Tree {
            nodes: &nodes,
            sets: &[],
        };
        compile(tree).expect("a complete pattern").code
    }

    fn places(code: &[Inst]) -> usize {
        let place = |inst: &&Inst| matches!(inst, Inst::Choice(_) | Inst::Call(_));
        code.iter().filter(place).count()
    }

    #[test]
    fn alternatives_that_begin_differently_need_no_place_to_go_on_from() {
        let (a, b) = ((Op::Char(b'a'), 1), (Op::Char(b'b'), 1));
        let ab = [(Op::Sequence, 3), a, b];
        let ba = [(Op::Sequence, 3), b, a];
        assert_eq!(
            places(&code(&[&[(Op::Choice, 7)][..], &ab, &ba].concat())),
            0
        );
        assert_eq!(
            places(&code(&[&[(Op::Choice, 7)][..], &ab, &ab].concat())),
            1
        );
    }

    #[test]
    fn a_loop_over_bytes_is_one_instruction() {
        let code = code(&[(Op::Repeat, 2), (Op::Char(b'a'), 1)]);
        assert_eq!(code, [Inst::Span(0), Inst::End, Inst::GiveUp]);
    }

    #[test]
    fn the_last_call_of_a_rule_is_a_jump() {
        // x <- 'a' x / 'b'
        let code = code(&[
            (Op::Grammar, 7),
            (Op::Rule(true), 6),
            (Op::Choice, 5),
            (Op::Sequence, 3),
            (Op::Char(b'a'), 1),
            (Op::Call(-4), 1),
            (Op::Char(b'b'), 1),
        ]);
        assert_eq!(places(&code), 1, "only the first call: {code:?}");
    }

    #[test]
    fn a_call_without_a_grammar_is_refused() {
        let nodes = [Node {
            op: Op::OpenCall(3),
            size: 1,
        }];
        let tree = Tree {
            nodes: &nodes,
            sets: &[],
        };
        assert_eq!(compile(tree).err(), Some(Refusal::OpenCall(3)));
    }
}
