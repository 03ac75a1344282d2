//! Choices and loops: where the next byte decides, no place to go on from is kept.

use super::{Compiler, Place, tighter};
use crate::charset::CharSet;
use crate::program::{Inst, Label};
use crate::tree::Op;

impl Compiler<'_> {
    /// Whether the next byte decides between the pattern, which begins with a byte of `set`, and another one, which begins with
    /// a byte of `other`: then no place to go on from is needed.
    fn decided(&self, at: usize, set: &CharSet, other: &CharSet) -> bool {
        self.facts[at].headfail || self.firsts[at].testable() && set.disjoint(other)
    }

    pub(super) fn choice(&mut self, at: usize, place: &Place) {
        let children: Vec<usize> = self.tree.children(at).collect();
        // What the alternatives from one on begin with.
        let mut starts = vec![CharSet::EMPTY; children.len() + 1];
        for (i, &child) in children.iter().enumerate().rev() {
            starts[i] = starts[i + 1] | self.firsts[child].with(&place.follow);
        }
        let mut ends: Vec<Label> = Vec::new();
        for (i, &child) in children.iter().enumerate() {
            if i + 1 == children.len() {
                self.node(child, place);
                break;
            }
            let testable = self.firsts[child].testable();
            let set = self.firsts[child].with(&CharSet::FULL);
            let or_nothing =
                children.len() == i + 2 && self.tree.nodes[children[i + 1]].op == Op::True;
            if self.decided(child, &set, &starts[i + 1]) {
                let test = self.test_unless(place.guard, set);
                let inside = Place {
                    optional: false,
                    guard: tighter(place.guard, set),
                    follow: place.follow,
                };
                self.node(child, &inside);
                if !or_nothing {
                    ends.push(self.emit(Inst::Jump(0)));
                }
                // Without a test the guard leads here in any case, and nothing comes to the other alternatives.
                let Some(test) = test else { break };
                self.land(test);
            } else if place.optional && or_nothing {
                let next = self.emit(Inst::PartialCommit(0));
                self.land(next);
                let inside = Place {
                    optional: true,
                    ..Place::ANYWHERE
                };
                self.node(child, &inside);
            } else {
                let test = match testable {
                    true => self.test_unless(place.guard, set),
                    false => None,
                };
                let choice = self.emit(Inst::Choice(0));
                let inside = Place {
                    optional: or_nothing,
                    guard: match testable {
                        true => tighter(place.guard, set),
                        false => place.guard,
                    },
                    follow: CharSet::FULL,
                };
                self.node(child, &inside);
                ends.push(self.emit(Inst::Commit(0)));
                self.land(choice);
                if let Some(test) = test {
                    self.land(test);
                }
            }
        }
        for end in ends {
            self.land(end);
        }
    }

    pub(super) fn repeat(&mut self, body: usize, place: &Place) {
        if let Some(set) = self.tree.charset(body) {
            match set {
                CharSet::EMPTY => {}
                CharSet::FULL => {
                    self.emit(Inst::Rest);
                }
                set => {
                    let set = self.set(set);
                    self.emit(Inst::Span(set));
                }
            }
            return;
        }
        let first = self.firsts[body];
        let set = first.with(&CharSet::FULL);
        if self.decided(body, &set, &place.follow) {
            let test = self.test(set);
            let inside = Place {
                guard: Some(set),
                ..Place::ANYWHERE
            };
            self.node(body, &inside);
            self.emit(Inst::Jump(test));
            self.land(test);
            return;
        }
        let test = match first.testable() {
            true => self.test_unless(place.guard, set),
            false => None,
        };
        let choice = match place.optional {
            true => {
                let next = self.emit(Inst::PartialCommit(0));
                self.land(next);
                None
            }
            false => Some(self.emit(Inst::Choice(0))),
        };
        let start = self.here();
        self.node(body, &Place::ANYWHERE);
        self.emit(Inst::PartialCommit(start));
        for site in [choice, test].into_iter().flatten() {
            self.land(site);
        }
    }

    pub(super) fn at_most(&mut self, body: usize, count: u32, place: &Place) {
        let first = self.firsts[body];
        let set = first.with(&CharSet::FULL);
        let mut sites: Vec<Label> = Vec::new();
        if self.decided(body, &set, &place.follow) {
            for _ in 0..count {
                sites.push(self.test(set));
                let inside = Place {
                    optional: false,
                    guard: Some(set),
                    follow: set | place.follow,
                };
                self.node(body, &inside);
                if self.too_large {
                    return;
                }
            }
        } else {
            if first.testable() {
                sites.extend(self.test_unless(place.guard, set));
            }
            for round in 0..count {
                match (round, place.optional) {
                    (0, false) => sites.push(self.emit(Inst::Choice(0))),
                    _ => {
                        let next = self.emit(Inst::PartialCommit(0));
                        self.land(next);
                    }
                }
                // Before the last round there is more to try when the end of the body fails.
                let inside = Place {
                    optional: round + 1 == count,
                    ..Place::ANYWHERE
                };
                self.node(body, &inside);
                if self.too_large {
                    return;
                }
            }
            if !place.optional {
                sites.push(self.emit(Inst::Commit(0)));
            }
        }
        for site in sites {
            self.land(site);
        }
    }
}
