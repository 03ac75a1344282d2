//! Which bytes a match can begin with.

use crate::charset::CharSet;
use crate::facts::Facts;
use crate::solve::solve;
use crate::tree::{Op, Tree};

/// With which bytes the match of a pattern, and of what follows it, begins: a byte of `own`, or a byte of `through` that what
/// follows can begin with too. A subject that begins with another byte cannot match.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct First {
    own: CharSet,
    through: CharSet,
    /// Why a test of the next byte may not stand for the pattern.
    barrier: Barrier,
}

/// Whether a test of the next byte may keep the machine from trying a pattern.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Barrier {
    /// It may.
    None,
    /// The pattern may match at the end of the subject, where there is no byte.
    Empty,
    /// A Lua function has to be called in any case.
    Function,
}

impl First {
    const NONE: First = First {
        own: CharSet::EMPTY,
        through: CharSet::EMPTY,
        barrier: Barrier::None,
    };

    fn bytes(own: CharSet) -> First {
        First { own, ..First::NONE }
    }

    /// The bytes, if what follows begins with those of `follow`.
    pub fn with(&self, follow: &CharSet) -> CharSet {
        self.own | (self.through & *follow)
    }

    /// Whether no match is lost when the pattern is only tried at a byte of `with(FULL)`.
    pub fn testable(&self) -> bool {
        self.barrier == Barrier::None
    }

    /// Of a pattern that always takes a byte, and anything after it.
    fn closed(self) -> First {
        First {
            own: self.own | self.through,
            through: CharSet::EMPTY,
            ..self
        }
    }

    /// Of a pattern that may be empty, and what comes after it.
    fn then(self, next: First) -> First {
        let barrier = match self.barrier {
            Barrier::None => Barrier::None,
            Barrier::Function => Barrier::Function,
            Barrier::Empty => next.barrier,
        };
        First {
            own: self.own | (self.through & next.own),
            through: self.through & next.through,
            barrier,
        }
    }

    fn or(self, other: First) -> First {
        First {
            own: self.own | other.own,
            through: self.through | other.through,
            barrier: self.barrier.max(other.barrier),
        }
    }
}

/// The first byte of the UTF-8 form of a code point.
fn utf8_lead(point: u32) -> u8 {
    match point {
        0..0x80 => point as u8,
        0x80..0x800 => 0xC0 | (point >> 6) as u8,
        0x800..0x1_0000 => 0xE0 | (point >> 12) as u8,
        _ => 0xF0 | (point >> 18) as u8,
    }
}

fn leaf(tree: Tree, at: usize) -> First {
    match tree.nodes[at].op {
        Op::Any(_) => First::bytes(CharSet::FULL),
        Op::Utf8(from, to) => First::bytes(CharSet::range(utf8_lead(from)..=utf8_lead(to))),
        Op::True => First {
            through: CharSet::FULL,
            barrier: Barrier::Empty,
            ..First::NONE
        },
        _ => First::bytes(tree.charset(at).unwrap_or(CharSet::FULL)),
    }
}

fn parent(tree: Tree, at: usize, child: First) -> First {
    match tree.nodes[at].op {
        Op::Repeat | Op::AtMost(_) => First {
            through: CharSet::FULL,
            barrier: child.barrier.max(Barrier::Empty),
            ..child
        },
        Op::And => First {
            own: CharSet::EMPTY,
            through: child.own | child.through,
            ..child
        },
        Op::Not => First {
            own: CharSet::EMPTY,
            through: tree.charset(at + 1).map_or(CharSet::FULL, |set| !set),
            barrier: child.barrier.max(Barrier::Empty),
        },
        Op::Behind(_) => First {
            own: CharSet::EMPTY,
            through: CharSet::FULL,
            barrier: child.barrier.max(Barrier::Empty),
        },
        // Where the function lets the match go on is unknown.
        Op::Runtime(_) => First {
            barrier: if child.testable() {
                Barrier::None
            } else {
                Barrier::Function
            },
            ..child.closed()
        },
        _ => child,
    }
}

fn sequence(tree: Tree, at: usize, facts: &[Facts], all: &[First]) -> First {
    let mut children: Vec<usize> = Vec::new();
    for child in tree.children(at) {
        children.push(child);
        if !facts[child].nullable {
            break;
        }
    }
    let of = |child: usize| match facts[child].nullable {
        true => all[child],
        false => all[child].closed(),
    };
    let last = children.pop().map_or(First::NONE, of);
    children
        .into_iter()
        .rev()
        .fold(last, |next, child| of(child).then(next))
}

/// The first bytes of each node.
pub fn firsts(tree: Tree, facts: &[Facts]) -> Vec<First> {
    solve(tree, First::NONE, |at, all| {
        let node = tree.nodes[at];
        let children = tree.children(at).map(|child| all[child]);
        match node.op {
            Op::Sequence => sequence(tree, at, facts, all),
            Op::Choice => children.fold(First::NONE, First::or),
            _ if node.size == 1 => leaf(tree, at),
            _ => parent(tree, at, all[at + 1]),
        }
    })
}
