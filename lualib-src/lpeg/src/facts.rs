//! What can be said of a pattern without a subject.
//!
//! The facts of a node follow from those of its children, and those of a call from its rule: of rules that call each other
//! nothing is said that does not follow from something else.

use crate::solve::solve;
use crate::tree::{Op, Tree};

/// How many bytes a match has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Length {
    /// No match is known: a rule that was not looked at yet, or that never ends.
    Unknown,
    /// Always so many.
    Fixed(u32),
    /// Not always the same.
    Variable,
}

impl Length {
    fn then(self, next: Length) -> Length {
        match (self, next) {
            (Length::Fixed(a), Length::Fixed(b)) => {
                a.checked_add(b).map_or(Length::Variable, Length::Fixed)
            }
            (Length::Variable, _) | (_, Length::Variable) => Length::Variable,
            _ => Length::Unknown,
        }
    }

    fn or(self, other: Length) -> Length {
        match (self, other) {
            (Length::Unknown, length) | (length, Length::Unknown) => length,
            (a, b) if a == b => a,
            _ => Length::Variable,
        }
    }

    /// The length, if it is always the same.
    pub fn fixed(self) -> Option<u32> {
        match self {
            Length::Fixed(length) => Some(length),
            _ => None,
        }
    }
}

/// What is known of a pattern; each "yes" is certain, except for `nullable` and `captures`, where each "no" is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Facts {
    /// It may match without taking a byte. A reference to a rule of a grammar to come counts as taking one.
    pub nullable: bool,
    /// It matches every subject.
    pub nofail: bool,
    /// Whether it matches depends on the next byte only.
    pub headfail: bool,
    /// It has captures.
    pub captures: bool,
    /// How many bytes it takes.
    pub length: Length,
}

/// How many bytes UTF-8 has for a code point.
pub fn utf8_length(point: u32) -> u32 {
    match point {
        0..0x80 => 1,
        0x80..0x800 => 2,
        0x800..0x1_0000 => 3,
        _ => 4,
    }
}

impl Facts {
    /// Of a rule that nothing is known of yet.
    const NONE: Facts = Facts {
        nullable: false,
        nofail: false,
        headfail: false,
        captures: false,
        length: Length::Unknown,
    };

    /// Of a node without children.
    pub fn leaf(op: Op) -> Facts {
        let facts = Facts::NONE;
        match op {
            Op::Char(_) | Op::Set(_) | Op::Any(1) => Facts {
                headfail: true,
                length: Length::Fixed(1),
                ..facts
            },
            Op::Any(count) => Facts {
                length: Length::Fixed(count),
                ..facts
            },
            Op::True => Facts {
                nullable: true,
                nofail: true,
                length: Length::Fixed(0),
                ..facts
            },
            Op::False => Facts {
                headfail: true,
                length: Length::Fixed(0),
                ..facts
            },
            Op::Utf8(from, to) if utf8_length(from) == utf8_length(to) => Facts {
                length: Length::Fixed(utf8_length(from)),
                ..facts
            },
            _ => Facts {
                length: Length::Variable,
                ..facts
            },
        }
    }

    /// Of a node with one child.
    pub fn parent(op: Op, child: Facts) -> Facts {
        match op {
            Op::Repeat | Op::AtMost(_) => Facts {
                nullable: true,
                nofail: true,
                headfail: false,
                length: match child.length {
                    Length::Fixed(0) if op != Op::Repeat => Length::Fixed(0),
                    _ => Length::Variable,
                },
                ..child
            },
            Op::Not | Op::Behind(_) => Facts {
                nullable: true,
                nofail: false,
                headfail: false,
                length: Length::Fixed(0),
                ..child
            },
            Op::And => Facts {
                nullable: true,
                length: Length::Fixed(0),
                ..child
            },
            Op::Runtime(_) => Facts {
                nofail: false,
                headfail: false,
                captures: true,
                length: Length::Variable,
                ..child
            },
            Op::Capture(..) => Facts {
                captures: true,
                ..child
            },
            _ => child,
        }
    }

    /// Of the child of a sequence, or of several, and what comes after.
    pub fn then(self, next: Facts) -> Facts {
        Facts {
            nullable: self.nullable && next.nullable,
            nofail: self.nofail && next.nofail,
            headfail: self.headfail && next.nofail,
            captures: self.captures || next.captures,
            length: self.length.then(next.length),
        }
    }

    /// Of the child of a choice, or of several, and the others.
    pub fn or(self, other: Facts) -> Facts {
        Facts {
            nullable: self.nullable || other.nullable,
            nofail: self.nofail || other.nofail,
            headfail: self.headfail && other.headfail,
            captures: self.captures || other.captures,
            length: self.length.or(other.length),
        }
    }
}

/// The facts of each node.
pub fn facts(tree: Tree) -> Vec<Facts> {
    solve(tree, Facts::NONE, |at, all| {
        let node = tree.nodes[at];
        let children = tree.children(at).map(|child| all[child]);
        match node.op {
            Op::Sequence => children.reduce(Facts::then).unwrap_or(Facts::NONE),
            Op::Choice => children.reduce(Facts::or).unwrap_or(Facts::NONE),
            op if node.size == 1 => Facts::leaf(op),
            op => Facts::parent(op, all[at + 1]),
        }
    })
}
