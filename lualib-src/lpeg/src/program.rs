//! What patterns are compiled to.

use crate::charset::CharSet;
use crate::tree::{CaptureKind, Key};

/// Where an instruction is in its program.
pub type Label = u32;

/// An instruction of the machine. It has a position in the subject, and a stack of places to go on from (with the position
/// they had) and to return to. "Fails" is: takes the last place to go on from off the stack, and goes on there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Inst {
    /// Takes so many bytes; fails if there are fewer.
    Any(u32),
    /// Takes all bytes.
    Rest,
    /// Takes this byte or fails.
    Char(u8),
    /// Takes a byte of the set or fails.
    Set(u16),
    /// Takes a byte that a test has seen.
    Skip,
    /// Takes all bytes of the set.
    Span(u16),
    /// Takes the UTF-8 form of a code point in the range, or fails.
    Utf8(u32),
    /// Goes back so many bytes; fails if there are fewer.
    Behind(u8),
    /// Jumps at the end of the subject.
    TestAny(Label),
    /// Jumps unless the next byte is this one.
    TestChar(u8, Label),
    /// Jumps unless the next byte is in the set.
    TestSet(u16, Label),
    /// Jumps.
    Jump(Label),
    /// Puts a place to go on from on the stack.
    Choice(Label),
    /// Puts the place after this on the stack as one to return to, and jumps.
    Call(Label),
    /// Returns: takes the last place off the stack.
    Return,
    /// Drops the last place of the stack, and jumps.
    Commit(Label),
    /// Gives the last place of the stack the present position, and jumps.
    PartialCommit(Label),
    /// Drops the last place of the stack, goes back to its position, and jumps.
    BackCommit(Label),
    /// Drops the last place of the stack, and fails.
    FailTwice,
    /// Fails.
    Fail,
    /// The match is complete.
    End,
    /// There is no match: what the bottom of the stack goes on with.
    GiveUp,
    /// Begins a capture.
    Open(CaptureKind, Key),
    /// Ends the innermost capture.
    Close,
    /// A capture of the last so many bytes.
    Full(CaptureKind, Key, u8),
    /// Ends the innermost capture and calls its function, which may fail.
    CloseRuntime,
}

/// The jumps of a program are to instructions of it, and it ends with `End` and `GiveUp`.
#[derive(Default, Debug)]
pub struct Program {
    /// The instructions.
    pub code: Vec<Inst>,
    /// The sets that instructions refer to.
    pub sets: Vec<CharSet>,
    /// The ranges of code points that instructions refer to.
    pub ranges: Vec<(u32, u32)>,
}

impl Inst {
    /// Where the instruction may jump to.
    pub fn target(&mut self) -> Option<&mut Label> {
        match self {
            Inst::TestAny(to) | Inst::TestChar(_, to) | Inst::TestSet(_, to) => Some(to),
            Inst::Jump(to) | Inst::Choice(to) | Inst::Call(to) => Some(to),
            Inst::Commit(to) | Inst::PartialCommit(to) | Inst::BackCommit(to) => Some(to),
            _ => None,
        }
    }
}

impl Program {
    /// Lets each jump go to where it ends up, and makes calls right before a return jumps.
    pub fn shorten_jumps(&mut self) {
        for at in 0..self.code.len() {
            let mut inst = self.code[at];
            if let Inst::Call(to) = inst
                && self.code[self.end_of_jumps(at as Label + 1) as usize] == Inst::Return
            {
                inst = Inst::Jump(to);
            }
            if let Some(target) = inst.target() {
                *target = self.end_of_jumps(*target);
            }
            if let Inst::Jump(to) = inst {
                inst = self.instead_of_jump(to);
            }
            self.code[at] = inst;
        }
    }

    /// The instruction to have in place of a jump to `to`.
    fn instead_of_jump(&self, to: Label) -> Inst {
        let mut inst = self.code[to as usize];
        match inst {
            Inst::Return | Inst::Fail | Inst::FailTwice | Inst::End => inst,
            Inst::Commit(_) | Inst::PartialCommit(_) | Inst::BackCommit(_) => {
                if let Some(target) = inst.target() {
                    *target = self.end_of_jumps(*target);
                }
                inst
            }
            _ => Inst::Jump(to),
        }
    }

    fn end_of_jumps(&self, mut at: Label) -> Label {
        // Jumps in a circle would be a grammar that does not take a byte; the count is for safety.
        for _ in 0..self.code.len() {
            match self.code[at as usize] {
                Inst::Jump(to) => at = to,
                _ => break,
            }
        }
        at
    }
}
