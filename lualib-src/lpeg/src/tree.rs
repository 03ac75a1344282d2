//! Patterns as trees.
//!
//! A tree is a slice of nodes in the order parent, first child, second child, and so on; each node knows how many nodes its
//! subtree has. Such a slice can be copied into a larger one as it is: only what it says about Lua values and sets is
//! counted from another place. Sequences and choices have any number of children, so long ones are not deep.

use crate::charset::CharSet;

/// Where a Lua value is in the table of values of a pattern; 0 is nil, which no table can hold.
pub type Key = u16;

/// What a capture produces.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum CaptureKind {
    /// The position (`lpeg.Cp`).
    Position,
    /// A Lua value (`lpeg.Cc`).
    Constant,
    /// The values of an earlier named group (`lpeg.Cb`); the key is the name.
    BackReference,
    /// An extra argument of `match` (`lpeg.Carg`); the key is its number.
    Argument,
    /// The text of the match and all nested values (`lpeg.C`).
    Simple,
    /// A table of the nested values (`lpeg.Ct`).
    Table,
    /// What a function returns (`patt / function`).
    Function,
    /// Nothing, but the value before it changes (`patt % function`).
    Accumulator,
    /// What a table holds (`patt / table`).
    Query,
    /// Text with marks (`patt / string`).
    Format,
    /// One of the nested values (`patt / number`); the key is its number.
    Number,
    /// The text of the match with replacements (`lpeg.Cs`).
    Substitution,
    /// The result of a function over all nested captures (`lpeg.Cf`).
    Fold,
    /// The nested values (`lpeg.Cg`); the key is the name, 0 without one.
    Group,
    /// A value that a match-time function returned; the key is its place. Not in trees.
    Runtime,
}

impl CaptureKind {
    /// Whether the key stands for a Lua value.
    fn has_value(self) -> bool {
        !matches!(self, CaptureKind::Argument | CaptureKind::Number)
    }
}

/// What a node of a tree matches.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Op {
    /// One byte.
    Char(u8),
    /// That many bytes, at least one.
    Any(u32),
    /// A byte of a set: neither empty, nor full, nor of one byte.
    Set(u32),
    /// The empty string.
    True,
    /// Nothing.
    False,
    /// A code point of a range, as UTF-8.
    Utf8(u32, u32),
    /// Any number of the child.
    Repeat,
    /// So many of the child, or fewer.
    AtMost(u32),
    /// The children one after the other.
    Sequence,
    /// The first child that matches.
    Choice,
    /// The empty string where the child does not match.
    Not,
    /// The empty string where the child matches.
    And,
    /// The empty string after the child, which has this length.
    Behind(u8),
    /// A rule of the grammar that will be around this.
    OpenCall(Key),
    /// A rule: so many nodes further (or back).
    Call(i32),
    /// A grammar; its children are rules, and it matches the first.
    Grammar,
    /// A rule with its pattern, and whether anything refers to it.
    Rule(bool),
    /// The child, with a capture.
    Capture(CaptureKind, Key),
    /// The child, if a Lua function agrees.
    Runtime(Key),
}

/// A node, and how many nodes it is together with all nodes below it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Node {
    /// What it matches.
    pub op: Op,
    /// Number of nodes of the subtree.
    pub size: u32,
}

/// The most nodes that one pattern may have.
pub const MAX_NODES: usize = 1 << 24;

/// How deep a tree may be. Everything that recurs over a tree takes less than 1 KiB of stack for a level, and a thread has
/// at least 2 MiB.
pub const MAX_DEPTH: u32 = 1000;

/// A whole pattern.
#[derive(Clone, Copy, Debug)]
pub struct Tree<'a> {
    /// The nodes, the root first.
    pub nodes: &'a [Node],
    /// The sets that nodes refer to.
    pub sets: &'a [CharSet],
}

impl<'a> Tree<'a> {
    /// What the root matches.
    pub fn root(&self) -> Op {
        self.nodes[0].op
    }

    /// The children of the node at `at`.
    pub fn children(&self, at: usize) -> Children<'a> {
        Children {
            nodes: self.nodes,
            next: at + 1,
            end: at + self.nodes[at].size as usize,
        }
    }

    /// The set of bytes that the node at `at` stands for, if it always matches exactly one byte by looking at it.
    pub fn charset(&self, at: usize) -> Option<CharSet> {
        match self.nodes[at].op {
            Op::Char(byte) => Some(CharSet::single(byte)),
            Op::Any(1) => Some(CharSet::FULL),
            Op::Set(index) => Some(self.sets[index as usize]),
            Op::False => Some(CharSet::EMPTY),
            _ => None,
        }
    }

    /// What the tree adds to a sequence or choice (`op`): its children if it is one itself.
    pub fn operands(&self, op: Op) -> &'a [Node] {
        &self.nodes[usize::from(self.root() == op)..]
    }
}

/// The children of a node.
#[derive(Clone)]
pub struct Children<'a> {
    nodes: &'a [Node],
    next: usize,
    end: usize,
}

impl Iterator for Children<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let child = self.next;
        if child == self.end {
            return None;
        }
        self.next += self.nodes[child].size as usize;
        Some(child)
    }
}

/// Writes a tree into place.
pub struct Writer<'a> {
    nodes: &'a mut [Node],
    sets: &'a mut [CharSet],
    node: usize,
    set: usize,
}

impl<'a> Writer<'a> {
    /// Writes into these, which have exactly the size of the result.
    pub fn new(nodes: &'a mut [Node], sets: &'a mut [CharSet]) -> Writer<'a> {
        Writer {
            nodes,
            sets,
            node: 0,
            set: 0,
        }
    }

    /// Writes one node.
    pub fn node(&mut self, op: Op, size: usize) {
        self.nodes[self.node] = Node {
            op,
            size: size as u32,
        };
        self.node += 1;
    }

    /// Writes a set and the node for it.
    pub fn set(&mut self, set: CharSet) {
        self.sets[self.set] = set;
        self.node(Op::Set(self.set as u32), 1);
        self.set += 1;
    }

    /// Copies sets; nodes that are copied after this and count from 0 are given the result as `sets`.
    pub fn sets(&mut self, sets: &[CharSet]) -> u32 {
        let first = self.set;
        self.sets[first..first + sets.len()].copy_from_slice(sets);
        self.set += sets.len();
        first as u32
    }

    /// Copies nodes whose sets begin at `sets` and whose values begin after `values` in the table of the new tree.
    pub fn nodes(&mut self, nodes: &[Node], sets: u32, values: Key) {
        let place = &mut self.nodes[self.node..self.node + nodes.len()];
        for (to, from) in place.iter_mut().zip(nodes) {
            *to = Node {
                op: moved(from.op, sets, values),
                ..*from
            };
        }
        self.node += nodes.len();
    }

    /// Copies a whole tree.
    pub fn tree(&mut self, tree: Tree, values: Key) {
        let sets = self.sets(tree.sets);
        self.nodes(tree.nodes, sets, values);
    }
}

/// The same operation where sets and values are counted from another place.
fn moved(op: Op, sets: u32, values: Key) -> Op {
    let key = |key: Key| if key == 0 { 0 } else { key + values };
    match op {
        Op::Set(index) => Op::Set(index + sets),
        Op::OpenCall(old) => Op::OpenCall(key(old)),
        Op::Runtime(old) => Op::Runtime(key(old)),
        Op::Capture(kind, old) if kind.has_value() => Op::Capture(kind, key(old)),
        other => other,
    }
}
